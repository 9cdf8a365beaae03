"""Takes the mail that services send, keeps it, and shows it: nothing leaves this machine."""
