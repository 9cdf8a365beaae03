"""Orders: what was bought, what was paid, and what is owed."""
