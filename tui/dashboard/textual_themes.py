"""Our palettes as Textual's themes, for the few widgets of its own that are shown: the input line, the palette."""

from textual.theme import Theme

from tui.dashboard.theme import DARK_GROUNDS, DARK_INKS, LIGHT_GROUNDS, LIGHT_INKS, Ground, Ink


def _theme(name: str, inks: dict[Ink, str], grounds: dict[Ground, str], dark: bool) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=inks["accent"],
        secondary=inks["blue"],
        accent=inks["accent"],
        warning=inks["amber"],
        error=inks["red"],
        success=inks["green"],
        foreground=inks["text"],
        background=grounds["page"],
        surface=grounds["bar"],
        panel=grounds["dialog"],
    )


DARK_THEME = _theme("weir-dark", DARK_INKS, DARK_GROUNDS, dark=True)
LIGHT_THEME = _theme("weir-light", LIGHT_INKS, LIGHT_GROUNDS, dark=False)
