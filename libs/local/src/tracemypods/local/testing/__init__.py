"""What tests across the repository start: services in this process, and a model that obeys."""
