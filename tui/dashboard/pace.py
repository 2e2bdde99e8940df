"""How often which part of the screen is drawn: text with every frame, figures five times and charts twice a second.

Pure: the clock's reading is an argument.
"""

from typing import NamedTuple

from tui.core.clock import NS_PER_S

TEXT_HZ = 15
_HALF_A_FRAME_NS = NS_PER_S // TEXT_HZ // 2
# A frame comes a little early or late; without half a frame of grace each part would often wait for one more.
_FIGURES_NS = NS_PER_S // 5 - _HALF_A_FRAME_NS
_CHARTS_NS = NS_PER_S // 2 - _HALF_A_FRAME_NS


class Due(NamedTuple):
    """What a frame draws beside text."""

    figures: bool
    charts: bool


class Pace:
    """Remembers when figures and charts were last drawn."""

    def __init__(self) -> None:
        self._figures_at = 0
        self._charts_at = 0
        self._hurried = True

    def hurry(self) -> None:
        """Somebody did something: draw all of it in the next frame."""
        self._hurried = True

    def due(self, now: int, wanted: bool) -> Due | None:
        """What to draw at `now` (ns); None for nothing. `wanted`: there is something new to draw in any case."""
        figures = self._hurried or now >= self._figures_at
        if not (wanted or figures):
            return None
        charts = self._hurried or now >= self._charts_at
        self._hurried = False
        if figures:
            self._figures_at = now + _FIGURES_NS
        if charts:
            self._charts_at = now + _CHARTS_NS
        return Due(figures, charts)
