"""Issues, checks and revokes access tokens."""
