"""Jobs: what has to be delivered, and how far it is."""
