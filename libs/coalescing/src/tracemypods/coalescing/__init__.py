"""A Redis client for hot routes: the commands of one turn of the event loop leave as one write."""
