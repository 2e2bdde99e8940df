"""Where Weir keeps what it can always make again, for one user. Decides a path; creates and reads nothing."""

import os
from pathlib import Path


def user_cache(name: str) -> Path:
    """The folder `name` in Weir's part of the user's cache (XDG base directory specification)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says to ignore a relative path.
    base = Path(home) if os.path.isabs(home) else Path(os.path.expanduser("~/.cache"))
    return base / "weir" / name
