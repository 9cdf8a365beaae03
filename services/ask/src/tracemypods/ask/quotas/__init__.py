"""How much each caller may ask, counted in Redis so that all replicas agree."""
