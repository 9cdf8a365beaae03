"""Sells plans: e-mail codes, orders, premium tokens."""
