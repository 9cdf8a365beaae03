"""`python -m tracemypods.payment` runs the service."""

from tracemypods.kit.serve import run
from tracemypods.payment.app import create_app
from tracemypods.payment.settings import Settings

if __name__ == "__main__":
    run("payment", Settings, create_app)
