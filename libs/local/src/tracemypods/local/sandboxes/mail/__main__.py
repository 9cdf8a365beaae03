"""`python -m tracemypods.local.sandboxes.mail` runs the sandbox."""

from tracemypods.kit.serve import run
from tracemypods.local.sandboxes.mail.app import create_app
from tracemypods.local.sandboxes.mail.settings import Settings

if __name__ == "__main__":
    run("mail", Settings, create_app)
