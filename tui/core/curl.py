"""A request as a command for a POSIX shell. Knows no key: the shell puts in what `$OPENAI_API_KEY` holds.

Prompts are anybody's, and people paste this into a terminal. So the body is printable ASCII without a single quote:
JSON writes every other character of a string as an escape, which means the same to the server, and within single
quotes a shell looks at nothing but the next one. No character of it can end the quotes, the line or the paste.
"""

import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote

from tui.core.untrusted import clean_line

_ESCAPED = re.compile(r"[^ -&(-~]")  # all but printable ASCII without '
_BLANKS = re.compile(rb"[\t\n\r]")
_URL_SAFE = "!#$%&()*+,-./:;=?@[]{}_~"
_GLOBBED = re.compile(r"[][{}]")


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


def _plain_json(body: bytes) -> str:
    """The same JSON in printable ASCII and without a single quote.

    The characters that are escaped can stand in strings only; those blanks stand between tokens only.
    """
    return _ESCAPED.sub(_escape, _BLANKS.sub(b" ", body).decode("utf-8"))


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _plain(name: str) -> str:
    return clean_line(name).encode("ascii", "replace").decode("ascii")
