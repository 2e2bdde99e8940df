"""Files that people ask for while they look at a run: an export, one call, a picture of the screen.

They go beside the record, or into the working folder when nothing is recorded. Written in a thread, never over a
file that is there; what came of it is stated as a notice.
"""

import asyncio
import html
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tui.core.call_text import call_markdown, take
from tui.core.clock import now_ns
from tui.core.commands import Export, SaveCall, SaveScreenshot
from tui.core.errors import RecordError, UsageError, WeirError
from tui.core.facts import Noticed
from tui.core.figures import exact
from tui.core.full_call import full_call
from tui.core.ledger import Ledger
from tui.core.ordering import Listing
from tui.core.rows import row
from tui.core.secrets import Mask
from tui.core.untrusted import clean_line
from tui.core.views import CallRow
from tui.engine.attempt import Emit
from tui.files.run_folder import open_private, write_text
from tui.files.shown_export import Format, write_shown

_ROWS_A_TURN = 50
"""A row costs some 13 µs; no stream should wait for more of them than this."""
_TURN_S = 0.0005
"""How long a thread that writes may keep the interpreter while the loop wants it: with Python's own 5 ms, which each
of the loop's system calls gives it anew, several such waits add up in one turn of the loop."""
_SVG_TEXT = re.compile(r">([^<>]+)<")


class AskedFiles:
    """Writes what is asked for."""

    def __init__(
        self,
        ledger: Ledger,
        emit: Emit,
        folder: Callable[[], Path | None],
        redact: Callable[[str], str],
        mask: Mask,
        request: Callable[[int], Callable[[], str] | None],
    ) -> None:
        """`folder` says where; `redact` and `mask` take out secrets that a prompt holds or a server has echoed.

        `request` gives what makes a call's request as a command, in a thread; None when it is not in memory.
        """
        self._ledger = ledger
        self._emit = emit
        self._folder = folder
        self._redact = redact
        self._mask = mask
        self._request = request
        self._threads = 0
        """That write now."""
        self._usual_turn_s = sys.getswitchinterval()
        self._tasks: set[asyncio.Task[None]] = set()

    def obey(self, command: Export | SaveCall | SaveScreenshot) -> None:
        """Begin; never waits."""
        task = asyncio.create_task(self._write(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until all that was asked for is written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self, command: Export | SaveCall | SaveScreenshot) -> None:
        try:
            if isinstance(command, Export):
                said = await self._export(command)
            elif isinstance(command, SaveCall):
                said = await self._save_call(command.call)
            else:
                said = await self._save_text("screen", "svg", lambda: redacted_svg(command.svg, self._redact))
        except WeirError as error:
            said = f"not written: {error}"
        self._emit(Noticed(now_ns(), said))

    async def _export(self, command: Export) -> str:
        format = _format(command.format)
        rows, problem = await self._rows(command)
        path = await self._new_file("shown", format, lambda path: write_shown(path, rows, format))
        calls = "1 call" if len(rows) == 1 else f"{exact(len(rows))} calls"
        # As on the screen, where a filter that cannot be read hides nothing and says so.
        unfiltered = f", all of them: the filter cannot be read ({problem})" if problem is not None else ""
        return f"{calls} written to {clean_line(str(path))}{unfiltered}"

    async def _rows(self, command: Export) -> tuple[list[CallRow], str | None]:
        """The rows that pass, in order, and what is wrong with the filter."""
        ledger, now = self._ledger, now_ns()
        listing, asked = Listing(ledger), (command.query, command.order, command.descending)
        # Looked at bit by bit and taken at once: pages of a list that changes meanwhile would hold some calls twice.
        while listing.window(*asked, 0, 0, False, now) and not listing.complete:
            await asyncio.sleep(0)
            now = now_ns()
        window = listing.window(*asked, 0, len(ledger.calls), False, now)
        rows: list[CallRow] = []
        for start in range(0, len(window.calls), _ROWS_A_TURN):
            page = window.calls[start : start + _ROWS_A_TURN]
            rows += (row(ledger, ledger.calls[call], now, self._mask) for call in page)
            await asyncio.sleep(0)
        return rows, window.error

    async def _save_call(self, call: int) -> str:
        entry = self._ledger.calls.get(call)
        if entry is None:
            return f"there is no call #{call}"
        # Values are taken here and put into words in the thread: the document of a long call takes 100 ms. Its text is
        # among them in pieces, so that the picture of the call need not put them together.
        tail_chars = 0 if any(attempt.texts for attempt in entry.attempts) else None
        taken = take(entry, full_call(self._ledger, entry, now_ns(), tail_chars, self._mask))
        request = self._request(call)

        def document() -> str:
            return self._redact(call_markdown(taken, request() if request is not None else None))

        return await self._save_text(f"call-{call}", "md", document)

    async def _save_text(self, name: str, suffix: str, text: Callable[[], str]) -> str:
        path = await self._new_file(name, suffix, lambda path: write_text(path, text()))
        return f"written to {clean_line(str(path))}"

    async def _new_file(self, name: str, suffix: str, write: Callable[[Path], object]) -> Path:
        """Have a file written whose name nothing has yet; RecordError when that cannot be."""
        folder, now = self._folder(), datetime.now()
        stem = f"{name}-{now:%H-%M-%S}" if folder is not None else f"weir-{name}-{now:%Y-%m-%dT%H-%M-%S}"

        def written() -> Path:
            path = _held(folder, stem, suffix)
            try:
                write(path)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return path

        with self._short_turns():
            return await asyncio.to_thread(written)

    @contextmanager
    def _short_turns(self) -> Iterator[None]:
        """While a thread writes, the loop gets the interpreter back soon; see `_TURN_S`."""
        if not self._threads:
            self._usual_turn_s = sys.getswitchinterval()
            sys.setswitchinterval(_TURN_S)
        self._threads += 1
        try:
            yield
        finally:
            self._threads -= 1
            if not self._threads:
                sys.setswitchinterval(self._usual_turn_s)


def redacted_svg(svg: str, redact: Callable[[str], str]) -> str:
    """A picture without secrets: in each of its texts they may be escaped, or cut by the end of a line."""

    def hide(match: re.Match[str]) -> str:
        shown = html.unescape(match[1]).replace("\xa0", " ")
        hidden = redact(shown)
        return match[0] if hidden == shown else f">{html.escape(hidden).replace(' ', '&#160;')}<"

    return redact(_SVG_TEXT.sub(hide, svg))


def _format(asked: str) -> Format:
    if asked == "csv":
        return "csv"
    if asked == "jsonl":
        return "jsonl"
    raise UsageError("export", f'"{clean_line(asked)}" is no format', "take csv or jsonl")


def _held(folder: Path | None, stem: str, suffix: str) -> Path:
    """A new, empty file, which holds its name against whoever else looks for one at this moment."""
    number = 1
    try:
        folder = folder or Path.cwd()
        while True:
            path = folder / f"{stem}{f'-{number}' if number > 1 else ''}.{suffix}"
            try:
                open_private(path).close()
            except FileExistsError:
                number += 1
            else:
                return path
    except OSError as error:
        where = clean_line(str(folder)) if folder is not None else "the working folder"
        raise RecordError(f"no file can be made in {where}: {error.strerror or error}") from error
