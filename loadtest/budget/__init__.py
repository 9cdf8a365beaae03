"""How much memory a container of each service has to have."""
