"""What an image's command runs: `python -m` the module of its service, in the same process.

(A command in exec form can't name what a build was given.)
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    module = os.environ["TRACEMYPODS_IMAGE_MODULE"]
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - no shell is wanted
