"""E-mail codes: proof that somebody reads the mail of an address."""
