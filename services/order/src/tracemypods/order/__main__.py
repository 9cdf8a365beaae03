"""`python -m tracemypods.order` runs the service."""

from tracemypods.kit.serve import run
from tracemypods.order.app import create_app
from tracemypods.order.settings import Settings

if __name__ == "__main__":
    run("order", Settings, create_app)
