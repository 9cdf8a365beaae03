"""`python -m tracemypods.ask` runs the service."""

from tracemypods.ask.app import create_app
from tracemypods.ask.settings import Settings
from tracemypods.kit.serve import run

if __name__ == "__main__":
    run("ask", Settings, create_app)
