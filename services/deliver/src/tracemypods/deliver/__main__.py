"""`python -m tracemypods.deliver` runs the service."""

from tracemypods.deliver.app import create_app
from tracemypods.deliver.settings import Settings
from tracemypods.kit.serve import run

if __name__ == "__main__":
    run("deliver", Settings, create_app)
