"""`python -m tracemypods.vector` runs the service."""

from tracemypods.kit.serve import run
from tracemypods.vector.app import create_app
from tracemypods.vector.settings import Settings

if __name__ == "__main__":
    run("vector", Settings, create_app)
