"""The mails that documents travel in."""
