"""Talks to Razorpay, and hands its facts to order."""
