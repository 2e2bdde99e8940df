"""Lets these tests use the made-up run of the screen's own tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "dashboard"))
