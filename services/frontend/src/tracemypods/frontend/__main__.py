"""`python -m tracemypods.frontend` runs the service."""

from tracemypods.frontend.app import create_app
from tracemypods.frontend.settings import Settings
from tracemypods.kit.serve import run

if __name__ == "__main__":
    run("frontend", Settings, create_app)
