"""`python -m tracemypods.token` runs the service."""

from tracemypods.kit.serve import run
from tracemypods.token.app import create_app
from tracemypods.token.settings import Settings

if __name__ == "__main__":
    run("token", Settings, create_app)
