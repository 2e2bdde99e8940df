"""A screen on a made-up run: nothing ticks, the clock stands still unless a test moves it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_session import START, FakeSession
from textual import events
from textual.pilot import Pilot
from textual.widget import Widget

from tui.core.clock import NS_PER_S
from tui.dashboard.app import WeirApp


class Screen:
    """An app under test, and what it asked of its session."""

    def __init__(self, session: FakeSession) -> None:
        self.session = session
        self.now = START
        self.app = WeirApp(session, clock=lambda: self.now, ticking=False)
        self.pilot: Pilot[None]

    async def show(self, t_s: float) -> None:
        """Draw the run as it stands `t_s` seconds after its start, and again with what was asked for."""
        for _ in range(2):
            self.session.go(t_s)
            await self.frame()

    async def frame(self, after_s: float = 1.0) -> None:
        """Draw once more, a while later."""
        self.now += int(after_s * NS_PER_S)
        self.app.frame()
        await self._settle()

    async def _settle(self) -> None:
        """Let every widget deal with its messages. `Pilot.pause` looks at the wall clock instead, and is slow."""
        await self.pilot._wait_for_screen()
        await asyncio.sleep(0)

    async def press(self, *keys: str) -> None:
        """Press keys, then draw."""
        for key in keys:
            assert self.app._driver is not None
            self.app._driver.send_message(events.Key(key, key if len(key) == 1 else None))
            await self._settle()
        await self.pilot.pause()
        await self.frame()
        await self.frame()

    def rows(self, widget: Widget | None = None) -> list[str]:
        """The plain text of a widget's rows (of the wall, unless told otherwise), control segments left out."""
        shown = widget if widget is not None else self.app.main.wall
        strips = shown.render_lines(shown.size.region)
        return ["".join(segment.text for segment in strip if not segment.control) for strip in strips]

    def text(self, widget: Widget | None = None) -> str:
        """`rows`, joined."""
        return "\n".join(self.rows(widget))

    @property
    def header(self) -> str:
        """The header's plain text."""
        return self.text(self.app.main.header)

    @property
    def footer(self) -> str:
        """The last row's plain text."""
        return self.text(self.app.main.footer)


@asynccontextmanager
async def screen(
    session: FakeSession | None = None, size: tuple[int, int] = (120, 40), at_s: float = 14.0
) -> AsyncIterator[Screen]:
    """A screen that shows a session at an instant."""
    shown = Screen(session or FakeSession())
    async with shown.app.run_test(size=size) as pilot:
        shown.pilot = pilot
        await shown.show(at_s)
        yield shown
