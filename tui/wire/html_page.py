"""What a proxy's error page says, in a few words. No HTML parser: the page may be cut or hostile, so nothing is nested.

Each pattern stops at the next `<`, so that its work is in proportion to the page however the page is made.
"""

import html
import re

_MARK = re.compile(r"<(?:!doctype\s+html|html|head|title|body|h[1-3]|center)\b", re.IGNORECASE)
_MARK_CHARS = 1000
"""The mark of a page is looked for in so much of it; an XML declaration or a comment may come first."""
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>([^<]*)", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-3](?:\s[^<>]*)?>", re.IGNORECASE)
_HEADING_END = re.compile(r"</h[1-3]", re.IGNORECASE)
_HEADING_CHARS = 500
_TAG = re.compile(r"<[^<>]*>?")
_TEXT_CHARS = 4000
"""Fewer than the 4,300 digits that Python turns into a number: `html.unescape` raises beyond."""


def words_of_page(text: str, status: int) -> str | None:
    """The title, else the first heading, else the text of an HTML page, without `status` in front.

    As the page has it, unsafe characters included; "" when it has no words. None: `text` is no HTML page.
    """
    if not text.lstrip().startswith("<") or _MARK.search(text[:_MARK_CHARS]) is None:
        return None
    return re.sub(rf"\A(?:(?:http|error) )?{status}\b[ :,.|–—-]*", "", _words(text), flags=re.IGNORECASE)


def _words(page: str) -> str:
    title = _TITLE.search(page)
    if title is not None and (words := _text(title[1])):
        return words
    heading = _HEADING.search(page)
    if heading is not None:
        inside = page[heading.end() : heading.end() + _HEADING_CHARS]
        if words := _text(_HEADING_END.split(inside, maxsplit=1)[0]):
            return words
    return _text(page)


def _text(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", markup[:_TEXT_CHARS])).split())
