"""Text from a model, a server or a file, made safe to show. The one function that does it.

Terminals act on more than ESC: C1 controls (U+0080 to U+009F) are escape sequences in one character, and
bidirectional controls reorder what a person reads. rich and textual strip only codes 7, 8, 11, 12 and 13.
Each character is mapped by itself, so a sequence that is split over two chunks cannot slip through.
"""

import re

UNSAFE_CLASS = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # C0 but tab and newline, DEL, C1
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069"  # bidirectional controls
    "\\u2028\\u2029"  # line and paragraph separators
    "\\ud800-\\udfff"  # lone surrogates: no terminal and no file can encode them
)
"""The inside of a regular expression's character class."""

_UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")


def clean(text: str) -> str:
    """`text` with every unsafe character replaced by U+FFFD; the same object when there is none."""
    return _UNSAFE.sub("�", text) if _UNSAFE.search(text) else text


def clean_line(text: str) -> str:
    """`clean`, on one line: newlines, tabs and runs of blanks become one blank."""
    return " ".join(clean(text).split())
