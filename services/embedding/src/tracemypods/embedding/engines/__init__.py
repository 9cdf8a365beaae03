"""What makes vectors: one interface, and an engine in each module."""
