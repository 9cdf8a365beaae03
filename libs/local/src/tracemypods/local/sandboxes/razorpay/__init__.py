"""A Razorpay that no money goes through: its documented API, checkout and webhooks, with faults.

Where a rule below names a page, it is one of Razorpay's documentation (razorpay.com/docs).
"""
