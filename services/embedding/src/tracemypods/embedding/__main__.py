"""`python -m tracemypods.embedding` runs the service."""

import os

# Before NumPy is imported: its own threads and their buffers would only be in the model's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tracemypods.embedding.app import create_app
from tracemypods.embedding.settings import Settings
from tracemypods.kit.serve import run

if __name__ == "__main__":
    run("embedding", Settings, create_app)
