"""`python -m tracemypods.local.sandboxes.razorpay` runs the sandbox."""

from tracemypods.kit.serve import run
from tracemypods.local.sandboxes.razorpay.app import create_app
from tracemypods.local.sandboxes.razorpay.settings import Settings

if __name__ == "__main__":
    run("razorpay-sandbox", Settings, create_app)
