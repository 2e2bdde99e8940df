"""What a terminal may be sent: an allow-list of what Textual itself emits. All else is somebody else's command.

Reads bytes, knows no test. Strict: invalid UTF-8, an unknown sequence or a single control character is a finding.
"""

import re
import unicodedata

ALLOWED = re.compile(
    r"""
      \x1b\[ [0-9;:]* m                          # colours and weights
    | \x1b\[ [0-9]* (?: ;[0-9]* )? H             # to a cell
    | \x1b\[ [0-9]* [ABCDG]                      # by cells, to a column
    | \x1b\[\? (?:7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048) [hl]
    | \x1b\[\? (?:2026|2048) \$p                 # whether the terminal knows them
    | \x1b\[ [>=<] [0-9;]* u                     # kitty's keyboard
    | \x1b\]22; (?:default|pointer|text)? \x07   # the shape of the mouse pointer
    | \r\n (?= \x1b\[[0-9]+;[0-9]+H | \Z )       # to the next row, before going to a cell of it
    """,
    re.VERBOSE,
)
_RISKY = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_NEWLINES = "\r\n"


def findings(output: bytes, newlines: bool = False) -> list[str]:
    """What does not belong, each with its surroundings; `newlines` allows CR and LF, for plain text."""
    text = output.decode("utf-8", "surrogateescape")
    rest = ALLOWED.sub("", text)
    found = []
    for match in _RISKY.finditer(rest):
        if not (newlines and match[0] in _NEWLINES):
            start = match.start()
            found.append(f"{unicodedata.category(match[0])} {rest[max(0, start - 40) : start + 40]!r}")
    return found


def sequences(output: bytes) -> set[str]:
    """The kinds of sequences that came, figures left out: to look at."""
    return {re.sub(r"[0-9;]+", "N", match[0]) for match in ALLOWED.finditer(output.decode("utf-8", "replace"))}
