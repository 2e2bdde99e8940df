"""Text that a terminal can be trusted to draw, and how wide it is. Never reads text as markup.

Terminals and width tables disagree on joined and modified emoji (variation selectors, keycaps, zero-width
joiners, skin tones, flags), and one wrong width shifts the rest of a row. So the modifiers are taken away and
flags become their letters: what is left has one width per character everywhere.
"""

import re

from rich.cells import cell_len, get_character_cell_size

from tui.core.untrusted import clean, clean_line

_FLAG_A = 0x1F1E6
_MODIFIERS = "".join(
    (
        "\u00ad\u034f\u061c\u180e",  # soft hyphen, grapheme joiner, and other invisible ones
        "\u200b-\u200d\u2060-\u2064\ufeff",  # zero-width blank, non-joiner, joiner, word joiner, BOM
        "\ufe00-\ufe0f\U000e0000-\U000e01ef",  # variation selectors and tags
        "\u20e3",  # the box of a keycap
        "\U0001f3fb-\U0001f3ff",  # skin tones
    )
)
_MODIFIER = re.compile(f"[{_MODIFIERS}]")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")

TAB = "    "


def plain(text: str) -> str:
    """`text`, cleaned once more, without tabs and without what changes the width of its neighbours.

    Each character is mapped by itself, so the pieces of a text may be given one by one.
    """
    text = clean(text)
    if "\t" in text:
        text = text.replace("\t", TAB)
    if text.isascii():
        return text
    text = _MODIFIER.sub("", text)
    return _FLAG.sub(lambda flag: chr(ord(flag[0]) - _FLAG_A + ord("A")), text)


def plain_line(text: str) -> str:
    """`plain`, on one line."""
    return plain(clean_line(text))


def cells(text: str) -> int:
    """Terminal cells that plain `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def fitting(text: str, width: int) -> int:
    """How many of plain `text`'s characters fit into `width` cells."""
    if text.isascii():
        return min(len(text), max(0, width))
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width:
            return index
    return len(text)


def crop(text: str, width: int) -> str:
    """Plain `text` in at most `width` cells; an ellipsis says when something was left off."""
    if width <= 0:
        return ""
    if cells(text) <= width:
        return text
    return text[: fitting(text, width - 1)].rstrip() + "…"


def crop_start(text: str, width: int) -> str:
    """Plain `text` in at most `width` cells, without its start where it is longer: of a path the name matters."""
    if width <= 0:
        return ""
    if cells(text) <= width:
        return text
    kept = fitting(text[::-1], width - 1)
    return "…" + text[len(text) - kept :].lstrip()
