"""The command line."""


def main() -> int:
    """Entry point of `weir`."""
    return 0
