"""The real screen on a real terminal, fed with strings that attack terminals: none of them reaches it as a command.

Frames come as from an engine that cleans nothing, since the screen cleans once more. Every byte is held against an
allow-list of what Textual itself emits.
"""

import contextlib
import fcntl
import os
import pty
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import fields, replace
from run_of_facts import RunOfFacts
from terminal import Terminal, child_that_runs
from terminal_bytes import findings

from tui.core.commands import AnyCommand
from tui.core.frames import Frames, frame
from tui.core.snapshot import Snapshot
from tui.core.views import VIEWS, Verdict
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

PATIENCE_S = 30.0
COLUMNS, ROWS = 200, 60
PAYLOAD = "PWNED"
ATTACKS = (
    "\x1b]52;c;UFdORUQ=\x07", "\x1b]0;PWNED\x07", "\x1b]8;;http://PWNED\x1b\\x\x1b]8;;\x1b\\", "\x1bP+q544e\x1b\\",
    "\x1b_GPWNED\x1b\\", "\x1b^PWNED\x1b\\", "\x1b[2J", "\x1b[?1049l", "\x1b[31m", "\x1b[6n", "\x1b[c", "\x1bc", "\x1b",
    "\x9b31m", "\x9d0;PWNED\x9c", "\x90q\x9c", "\x85", "\x84", "\x00", "\x07", "\x08\x08\x08", "\r", "\n", "\r\n", "\t",
    "\x0b", "\x0c", "\x0e", "\x7f", "\u202e", "\u202a\u202b\u202d\u2066\u2067\u2068\u2069", "\u200e\u200f\u061c",
    "\u2028", "\u2029", "\ufeff", "a" + "\u0300" * 60, "\u0301\u0302", "\u200d", "\u200b\u2060", "\ufe0f", "\U000e0041",
    "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏿", "🇩🇪🇩", "1️⃣", "堰堰堰", "ｗｉｄｅ", "·§±×", "हिन्दी", "ไทยกำ", "﷽", "𒐫", "ᄀᄀᄀ각ᆨᆨ",
    "[/]", "[bold]", "[red]x[/blue]", "[@click=app.exit]PWNED[/]", "[link=http://PWNED]x[/link]", "[[", "\\[", "$x",
    "{0}", "%s", "\ue000", "\uffff", "\U0010ffff", "x" * 10_000, " " * 300,
)  # fmt: skip
"""What strings are made of."""
OURS = {
    ("RunView", "phase"), ("Cost", "usd"), ("Span", "kind"), ("Snapshot", "watch"),
}  # fmt: skip
"""Fields whose words are our own vocabulary: figures, states, and the question that a picture answers."""


class Venom:
    """Makes hostile strings, and puts one into every field that holds a string."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.strings = 0

    def string(self) -> str:
        rng = self._rng
        self.strings += 1
        long = rng.random() < 0.01
        pieces = rng.choices(ATTACKS[:-2], k=rng.randint(1, 6)) + ([rng.choice(ATTACKS[-2:])] if long else [])
        return "w" + " ".join(pieces) + rng.choice(("z", "", "\x1b", "\x9b", "\u202e"))

    def __call__(self, value: Any) -> Any:
        """`value`, with every string in it replaced."""
        if type(value) is str:
            return self.string()
        if isinstance(value, list | tuple):
            return type(value)(self(each) for each in value)
        if isinstance(value, msgspec.Struct):
            kind = type(value).__name__
            return replace(value, **{field.name: self._field(kind, field, value) for field in fields(value)})
        return value

    def _field(self, kind: str, field: Any, value: msgspec.Struct) -> Any:
        now = getattr(value, field.name)
        if (kind, field.name) in OURS:
            return now
        if now is None and field.type == str | None:
            return self.string()
        return self(now)

    def picture(self, snapshot: Snapshot, number: int) -> Snapshot:
        """A poisoned picture, which still carries a harmless figure to know it by."""
        made: Snapshot = self(snapshot)
        made = replace(made, run=replace(made.run, planned=1_000_000 + number))
        if made.focus is not None:
            made = replace(made, focus=replace(made.focus, prompt=f"frame{number} {made.focus.prompt}"))
        if made.limits is not None and number % 2:
            verdict = Verdict(snapshot.limits.verdict.kind, made.limits.verdict.evidence)  # type: ignore[union-attr]
            made = replace(made, limits=replace(made.limits, verdict=verdict))
        return made


class FedScreen:
    """The screen's process, our end of its terminal and our end of its link."""

    def __init__(self, seed: int = 7) -> None:
        self.run = RunOfFacts(slots=24, seed=seed)
        self.venom = Venom(seed)
        self.number = 0
        self._frames, self._decoder = Frames(), msgspec.msgpack.Decoder(AnyCommand)
        self.link, theirs = socket.socketpair()
        self.terminal, tty = pty.openpty()
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui.dashboard", "--fd", str(theirs.fileno())],
            stdin=tty,
            stdout=tty,
            stderr=tty,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        theirs.close()
        os.close(tty)
        self.output = bytearray()
        self.kept = 0

    def take(self, timeout_s: float = 0.05) -> None:
        """What comes from both ends."""
        ready, _, _ = select.select([self.terminal, self.link], [], [], timeout_s)
        if self.terminal in ready:
            with contextlib.suppress(OSError):  # Linux says EIO when the last process has let go of it
                self.output += os.read(self.terminal, 1 << 16)
        if self.link in ready:
            for body in self._frames.take(self.link.recv(1 << 16)):
                self.run.send(self._decoder.decode(body))

    def show(self, mark: str) -> None:
        """Send one more poisoned picture, and wait until it was drawn; `mark` says where its number is seen."""
        self.number += 1
        self.run.go(20 + self.number * 0.21)
        seen = mark.format(planned=f"{1_000_000 + self.number:,}", number=self.number).encode()
        body = frame(msgspec.msgpack.encode(self.venom.picture(self.run.latest, self.number)))  # type: ignore[arg-type]
        self.link.setblocking(True)
        self.link.sendall(body)
        self.until(lambda: seen in self.output, seen.decode())
        self._check()

    def is_up(self) -> None:
        """Wait for the screen: what is typed before it has the terminal is echoed."""
        if not self.number:
            self.show(IN_HEADER)

    def press(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def go_to(self, view: str) -> None:
        """Show a view."""
        self.press(str(VIEWS.index(view) + 1))
        self.until(lambda: self.run.watch.view == view, view)

    def open_call(self) -> None:
        """Open the call that has the focus."""
        self.press("\r")
        self.until(lambda: self.run.watch.focus is not None, "an open call")

    def leave_call(self) -> None:
        self.press("\x1b")
        self.until(lambda: self.run.watch.focus is None, "no open call")

    def until_seen(self, word: str) -> None:
        self.until(lambda: word.encode() in self.output, word)
        self._check()

    def until(self, condition: Any, what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"never came: {what}; {bytes(self.output[-3000:])!r}"
            assert self.process.poll() is None, bytes(self.output[-6000:]).decode(errors="replace")
            self.take()

    def _check(self) -> None:
        """Look at what came, but for the last bytes, which may be half of something."""
        # An escape sequence of ours is shorter than 64 bytes; cut before the last ESC.
        cut = self.output.rfind(b"\x1b", 0, len(self.output))
        cut = cut if cut > 0 else 0
        self._held(bytes(self.output[:cut]))
        del self.output[:cut]

    def _held(self, output: bytes) -> None:
        self.kept += len(output)
        found = findings(output)
        assert not found, f"{len(found)} findings, among them: {found[:5]}"

    def close(self) -> None:
        """Let the screen go, and look at its last bytes too."""
        self.link.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None or self._more():
            assert time.monotonic() < end
            self._more()
        assert self.process.returncode == 0, bytes(self.output).decode(errors="replace")
        self._held(bytes(self.output))

    def _more(self) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], 0.05)
        if not ready:
            return False
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:
            return False
        self.output += data
        return bool(data)


@pytest.fixture
def fed() -> Iterator[FedScreen]:
    made = FedScreen()
    yield made
    made.process.kill()
    made.process.wait()
    made.link.close()
    os.close(made.terminal)


IN_HEADER = " / {planned}"
IN_CALL = "frame{number}"


def tour(fed: FedScreen, frames_a_place: int) -> None:
    """Poisoned pictures in every view and on every page of an open call."""
    fed.is_up()
    for view in VIEWS:
        fed.go_to(view)
        for _ in range(frames_a_place):
            fed.show(IN_HEADER)
    fed.go_to("table")
    fed.show(IN_HEADER)
    fed.open_call()
    for page in "1234":
        fed.press(page)
        for _ in range(max(1, frames_a_place // 4)):
            fed.show(IN_CALL)
    fed.press("1m")
    fed.show(IN_CALL)
    fed.press("m")
    fed.leave_call()


def test_no_string_of_a_run_reaches_the_terminal_as_a_command(fed: FedScreen) -> None:
    tour(fed, 2)
    fed.close()
    assert fed.venom.strings > 2_000
    assert fed.kept > 50_000


def pasted(text: str) -> str:
    """As a terminal hands on what is pasted; what would end the paste is taken out, as terminals do."""
    return f"\x1b[200~{text}\x1b[201~"


def test_what_is_pasted_into_a_filter_or_a_command_is_not_sent_back_as_a_command(fed: FedScreen) -> None:
    fed.is_up()
    fed.go_to("table")
    fed.press("/")
    fed.until_seen("m/\x1b[0m")  # the line, with nothing in it yet
    for attack in ("\x1b]0;PWNED", "\x9b31m", "\u202e", "[bold]", "a\u0300\u0300"):
        fed.press(pasted(attack))
        fed.show(IN_HEADER)
    fed.press("zzq")
    fed.until(lambda: "zzq" in fed.run.watch.query, "what was typed")
    fed.press("\r")
    fed.show(IN_HEADER)
    fed.press(":")
    fed.show(IN_HEADER)
    fed.press(pasted("\x9b31m\x1b]0;PWNED") + "\r")
    fed.show(IN_HEADER)
    fed.close()


@pytest.mark.long
def test_a_hundred_thousand_strings_reach_the_terminal_as_text_only(fed: FedScreen) -> None:
    while fed.venom.strings < 100_000:
        tour(fed, 12)
        fed.press("t")  # dark, light
    fed.close()


# ── names of files ─────────────────────────────────────────────────────────────────────────────────────

NAME = "runs\x1b]0;PWNED\x07\x1b[2J\n\x9b31m\u202e[bold]end"
QUICK = SimulatorSettings(ttft_s=0.0, itl_s=0.01, jitter=0.0, tokens=10, models=(("sim", 1.0),))


@pytest.mark.parametrize("ui", ["plain", "dashboard"])
def test_the_name_of_a_folder_cannot_command_the_terminal(ui: str, tmp_path: Path) -> None:
    folder = tmp_path / NAME
    with SimulatorProcess(QUICK) as simulator:
        command = [sys.executable, "-m", "tui", "load", "--base-url", simulator.base_url, "--price", "in=1,out=10"]
        command += ["--requests", "3", "--prompt", "How deep?", "--out", str(folder), "--ui", ui]
        with Terminal(command) as terminal:
            if ui == "dashboard":
                terminal.shows("finished")
                terminal.type("e")
                terminal.shows("CSV")
                terminal.type("c")
                terminal.until(lambda: list(folder.glob("*/*.csv")) != [], "the exported file")
                terminal.type("2")
                terminal.shows("#3")
                terminal.type("q")
            assert terminal.ends() == 0
            if ui == "dashboard":
                assert terminal.is_given_back()
    assert folder.is_dir()
    screen, _, words = bytes(terminal.output).rpartition(b"\x1b[?1006l")
    assert findings(screen) == []
    assert findings(words, newlines=True) == []
    assert b"3 of 3 done" in words
    assert b"[bold]end" in words


def test_a_folder_that_cannot_be_made_is_named_without_commanding_the_terminal(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("a file where the folder should be")
    with SimulatorProcess(QUICK) as simulator:
        command = [sys.executable, "-m", "tui", "load", "--base-url", simulator.base_url, "--requests", "1"]
        with Terminal([*command, "--prompt", "x", "--out", str(tmp_path / NAME)]) as terminal:
            assert terminal.ends() != 0
    assert findings(bytes(terminal.output), newlines=True) == []
    assert b"[bold]end" in terminal.output


# ── a screen that is killed ────────────────────────────────────────────────────────────────────────────

STEADY = SimulatorSettings(ttft_s=0.0, itl_s=0.05, jitter=0.0, tokens=30, models=(("sim", 1.0),))


@pytest.mark.parametrize(("keys", "words"), [("2", "prompt"), ("4", "waterfall"), ("\r", "1 text")])
def test_a_screen_killed_in_any_view_leaves_the_terminal_in_order_and_the_run_drains(
    keys: str, words: str, tmp_path: Path
) -> None:
    with SimulatorProcess(STEADY) as simulator:
        command = [sys.executable, "-m", "tui", "load", "--base-url", simulator.base_url, "--price", "in=1,out=10"]
        with Terminal([*command, "--requests", "50", "--concurrency", "2", "--out", str(tmp_path)]) as terminal:
            terminal.shows("#1", "#2", "tok/s")
            terminal.type(keys)
            terminal.shows(words)
            screen = child_that_runs(terminal.process.pid, "tui.dashboard")
            assert screen is not None
            os.kill(screen, signal.SIGKILL)
            terminal.until(lambda: b"the screen is gone: draining" in terminal.output, "word of it")
            assert terminal.is_given_back()
            assert terminal.ends() == 130
            assert terminal.is_given_back()
        asked = len(simulator.truth())
    assert asked < 50
    assert f"{asked} of {asked} done" in terminal.after_the_screen()
