"""What a screen would send to its terminal, as text: dialogs with what lies behind them, and every row measured.

Strips carry a width that their makers claim; here it is counted from the characters.
"""

import asyncio

from rich.cells import cell_len
from textual._context import visible_screen_stack
from textual.app import App
from textual.events import Resize
from textual.geometry import Size
from textual.strip import Strip

from tui.core.untrusted import clean


def drawn(app: App[None]) -> list[Strip]:
    """The rows of the whole screen."""
    visible_screen_stack.set(app._background_screens)
    return app.screen._compositor.render_strips()


def assert_whole(app: App[None], what: str, strips: list[Strip] | None = None) -> list[str]:
    """Every row (of `strips`, if they are at hand) is as wide as the screen and commands no terminal; the rows."""
    width, height = app.size
    rows = ["".join(segment.text for segment in strip if not segment.control) for strip in strips or drawn(app)]
    assert len(rows) == height, f"{what}: {len(rows)} rows on a screen of {width}x{height}"
    for y, row in enumerate(rows):
        assert cell_len(row) == width, f"{what}: row {y} has {cell_len(row)} of {width} cells: {row!r}"
        assert clean(row) == row, f"{what}: row {y}: {row!r}"
        assert not set("\t\n") & set(row), f"{what}: row {y}: {row!r}"
    return rows


async def settled(app: App[None]) -> None:
    """Let every message that waits be dealt with, and those that follow from it."""
    quiet = 0
    for _ in range(200):
        nodes = [app, *app.screen.walk_children(with_self=True)]
        waiting = any(node._message_queue.qsize() or node._next_callbacks for node in nodes)
        quiet = 0 if waiting else quiet + 1
        if quiet > 10 and app.screen.is_mounted:  # a view and what stands around it are drawn in turns of the loop
            if not app.screen._layout_required:
                return
            app.screen._on_timer_update()  # Textual's own timer would do it some milliseconds later
            quiet = 0
        await asyncio.sleep(0)
    raise AssertionError("it never comes to rest")


async def resized(app: App[None], width: int, height: int) -> None:
    """Give the terminal another size."""
    size = Size(width, height)
    app._driver._size = size  # type: ignore[union-attr]
    app.post_message(Resize(size, size))
    await settled(app)
    app._check_resize()  # Textual's own timer would do it 8 ms later
    await settled(app)
