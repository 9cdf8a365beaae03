"""Where vectors are kept: on a Qdrant server, or embedded in this process."""
