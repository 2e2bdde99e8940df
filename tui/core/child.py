"""How Weir starts a module of its own in a process of its own. Values only: a command line and an environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_HOME = Path(__file__).resolve().parent.parent.parent


def python_child(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` of this very package.

    `-P`: a folder named `tui` in the directory we were started from must not be what is run.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """`ours`, with this package's home on the path: it may run from a checkout that is not installed."""
    return {**ours, "PYTHONPATH": os.pathsep.join(filter(None, (str(_HOME), ours.get("PYTHONPATH"))))}
