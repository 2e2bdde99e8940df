"""A request as a command for a POSIX shell. Knows no key: the shell puts in what `$OPENAI_API_KEY` holds.

Prompts are anybody's, and people paste this into a terminal. So the body is printable ASCII without a single quote:
JSON writes every other character of a string as an escape, which means the same to the server, and within single
quotes a shell looks at nothing but the next one. No character of it can end the quotes, the line or the paste.
"""

import json
import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote

from tui.core.untrusted import clean_line

_BLANKS = re.compile(rb"[\t\n\r]")
_URL_SAFE = "!#$%&()*+,-./:;=?@[]{}_~"
_GLOBBED = re.compile(r"[][{}]")
_SLICE_CHARS = 1 << 16
"""Escaped at a time, in well under a millisecond: one call for all of a large body would hold up every thread."""


def curl(url: str, body: bytes, header_names: Sequence[str] = ()) -> str:
    """The request as a `curl` command of several lines, without a newline at its end.

    `body` is JSON in UTF-8. `header_names` are the user's own; their values are shown as `***`, and one of them that
    has the name of a header of ours stands in its place.
    """
    own = {name.lower() for name in header_names}
    ours = {
        "authorization": '"Authorization: Bearer $OPENAI_API_KEY"',
        "content-type": "'Content-Type: application/json'",
        "accept": "'Accept: text/event-stream'",
    }
    headers = [words for name, words in ours.items() if name not in own]
    headers += [shlex.quote(f"{_plain(name)}: ***") for name in header_names]
    # curl takes brackets and braces for a list of addresses unless it is told not to.
    options = "-N -g" if _GLOBBED.search(url) else "-N"
    lines = [
        f"curl {options} '{quote(url, safe=_URL_SAFE)}'",
        *(f"-H {words}" for words in headers),
        # Not --data: it would read a file if the body began with @.
        f"--data-raw '{_plain_json(body)}'",
    ]
    return " \\\n  ".join(lines)


def in_command(text: str) -> str:
    """`text` as it stands in the command when it stands in a string of the body."""
    return _plain_json(json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace"))


def _plain_json(body: bytes) -> str:
    """The same JSON in printable ASCII and without a single quote.

    The characters that are escaped can stand in strings only; those blanks stand between tokens only.
    """
    text = _BLANKS.sub(b" ", body).decode("utf-8")
    return "".join(_plain_slice(text[at : at + _SLICE_CHARS]) for at in range(0, len(text), _SLICE_CHARS))


def _plain_slice(text: str) -> str:
    # As the contents of one string, which the json module escapes in C: 20,000 characters of Chinese took 70 ms with a
    # function of ours for each. It reads no number, so that none is changed. The JSON's own backslashes and quotes are
    # escaped as well then, each by a backslash, which is taken away again: from pairs first, so that what is left
    # before a quote is the one that was put there.
    escaped = json.dumps(text)[1:-1].replace("\\\\", "\\").replace('\\"', '"')
    return escaped.replace("'", "\\u0027").replace("\x7f", "\\u007f")


def _plain(name: str) -> str:
    return clean_line(name).encode("ascii", "replace").decode("ascii")
