"""Razorpay's API as it is documented: its client, entities, errors and signatures."""
