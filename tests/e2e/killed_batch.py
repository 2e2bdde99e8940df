"""A batch that is killed again and again, and what must hold of it after each kill.

Whoever kills does not look first: instants are drawn. What was committed is read from a copy of the journal by SQLite
alone, and what was asked is told by the provider, so that nothing of Weir vouches for itself.
"""

import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

PATIENCE_S = 60.0
"""Until something that ought to happen soon counts as missed."""
MARK = "WEIR_TEST_RUN"
"""Names a variable of the environment that children inherit: by it they are found when their parent is dead."""
ANSWERS = SimulatorSettings(ttft_s=0.0, itl_s=0.0, jitter=0.0, tokens=30, same_answers=True, models=(("sim", 1.0),))
"""A provider that answers at once, and equal questions equally."""

_TIMINGS = re.compile(rb'"attempts":\s*\d+,\s*"ttft_s":\s*[^,]+,')
_COMMITTED = """
SELECT calls.id, results.text, attempts.request_id FROM calls
JOIN results ON results.call = calls.id JOIN attempts ON attempts.call = calls.id
WHERE results.state = 'done'
"""


def write_corpus(path: Path, documents: int) -> int:
    """A JSONL file of that many documents; how many requests they take at least, for all of them differ but where said.

    Of twenty one has the text of an earlier one, one has to be split, and of forty one is no document.
    """
    chance = random.Random(documents)
    texts: list[str] = []
    with path.open("w") as file:
        for number in range(documents):
            text = f"Document {number} tells of a weir on a small river."
            if number % 40 == 20:
                text = ""
            elif number % 20 == 11:
                text = " ".join(f"Reach {reach} of river {number} is calm and wide." for reach in range(14))
            elif number % 20 == 17:
                text = chance.choice(texts)
            if text:
                texts.append(text)
            file.write(json.dumps({"id": f"d{number}", "text": text}) + "\n")
    return len(set(texts))


def without_timings(results: bytes) -> bytes:
    """A results file without what may differ from one run to the next."""
    return _TIMINGS.sub(b"", results)


def until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until it holds."""
    ticks = threading.Event()
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        ticks.wait(0.005)


@dataclass
class Batch:
    """One batch on the disk, and the sessions that work on it one after the other."""

    corpus: Path
    home: Path
    base_url: str
    concurrency: int = 8
    runs: Path | None = None
    """Where run folders go; None: into its home."""
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    folder: Path | None = None
    """Of the run, once it has one that can be gone on with."""

    def __post_init__(self) -> None:
        self.runs = self.home / "runs" if self.runs is None else self.runs

    def start(self, before: Callable[[], None] | None = None) -> "subprocess.Popen[bytes]":
        """A session: a new run, or the one that is there; `before` is called in its process."""
        command = [sys.executable, "-m", "tui", "batch", "--ui", "none", "--runs", str(self.runs)]
        if self.folder is not None:
            command += ["--resume", self.folder.name]
        else:
            command += [str(self.corpus), "--base-url", self.base_url, "-m", "sim", "--max-tokens", "40"]
            command += ["--price", "in=1,out=2", "--concurrency", str(self.concurrency)]
            command += ["--max-input-tokens", "60", "--long", "split"]
        with (self.home / "said").open("wb") as said:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, MARK: self.mark},
                start_new_session=True,
                preexec_fn=before,
            )

    def run(self, before: Callable[[], None] | None = None) -> int:
        """A session to its end; its exit code."""
        code = self.start(before).wait(PATIENCE_S)
        self.find_folder()
        return code

    @property
    def said(self) -> str:
        """By the last session."""
        return (self.home / "said").read_text("utf-8", "replace")

    @property
    def results(self) -> bytes | None:
        """The results file, if it is there."""
        path = None if self.folder is None else self.folder / "results.jsonl"
        return path.read_bytes() if path is not None and path.exists() else None

    def half_written(self) -> set[str]:
        """Files in the run's folder that have not taken their names."""
        return set() if self.folder is None else {path.name for path in self.folder.glob(".*")}

    def left(self) -> list[int]:
        """Processes of this batch that live."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    environment = (process / "environ").read_bytes()
                except OSError:  # it has gone, or is somebody else's
                    continue
                if wanted in environment.split(b"\0"):
                    found.append(int(process.name))
        return found

    def wait_until_none_is_left(self) -> None:
        """A parent that was killed has told its children nothing: they must notice."""
        until(lambda: not self.left(), "the end of the children")

    def find_folder(self) -> Path | None:
        """Take up the run that is there, if there is one with a journal."""
        if self.folder is None:
            assert self.runs is not None
            found = sorted(self.runs.glob("*/journal.db"))
            self.folder = found[0].parent if found else None
        return self.folder

    def forget_folder(self) -> None:
        """The run came to nothing before it was begun."""
        assert self.folder is not None
        shutil.rmtree(self.folder)
        self.folder = None

    def committed(self) -> dict[int, tuple[str, str]]:
        """Of each call that is on the disk: its answer, and the provider's name for the request."""
        if self.folder is None:
            return {}
        copy = self.home / "copy.db"
        for ending in ("", "-wal"):
            copy.with_name(f"copy.db{ending}").unlink(missing_ok=True)
            source = self.folder / f"journal.db{ending}"
            if source.exists():
                shutil.copyfile(source, copy.with_name(f"copy.db{ending}"))
        copy.with_name("copy.db-shm").unlink(missing_ok=True)
        with closing(sqlite3.connect(copy)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
                return {}
            return {call: (text, request) for call, text, request in connection.execute(_COMMITTED)}


@dataclass
class Kills:
    """What the kills of one batch were, and what they cost."""

    at_ns: list[int] = field(default_factory=list)
    """Each one's instant, on the machine's monotonic clock."""
    committed: list[dict[int, tuple[str, str]]] = field(default_factory=list)
    """What was on the disk after each."""
    sessions_ended: int = 0
    """That came to their end before they were killed."""
    on_finished: int = 0
    """Kills of a session that had nothing left to ask."""
    before_begun: int = 0
    """Kills before there was a run."""
    half_written: int = 0
    """Kills that left the beginning of a results file under another name."""


def kill_often(batch: Batch, kills: int, instants_s: "random.Random", longest_s: float, whole: bytes) -> Kills:
    """Start the batch and kill it, so many times; check after each that nothing was lost that was there before.

    `whole` is what the results file holds whenever it is there, but for timings.
    """
    seen = Kills()
    known: dict[int, tuple[str, str]] = {}
    known_halves: set[str] = set()
    while len(seen.at_ns) < kills:
        instant_s = instants_s.uniform(0.0, 0.05) if instants_s.random() < 0.15 else instants_s.uniform(0.2, longest_s)
        session = batch.start()
        try:
            code = session.wait(instant_s)
        except subprocess.TimeoutExpired:
            session.kill()
            session.wait()
            seen.at_ns.append(time.monotonic_ns())
        else:
            if code == 2 and not known and batch.folder is not None:
                batch.forget_folder()  # killed while it made its journal: there was no run yet
                continue
            assert code in (0, 1), batch.said
            seen.sessions_ended += 1
            continue
        batch.wait_until_none_is_left()
        batch.find_folder()
        seen.before_begun += batch.folder is None
        now = batch.committed()
        lost = known.items() - now.items()
        assert not lost, f"kill {len(seen.at_ns)} after {instant_s:.3f} s lost {lost}"
        seen.on_finished += seen.sessions_ended > 0 and len(now) == len(known)
        known = now
        seen.committed.append(now)
        halves = batch.half_written()
        seen.half_written += len(halves - known_halves)
        known_halves = halves
        results = batch.results
        assert results is None or without_timings(results) == whole, f"kill {len(seen.at_ns)} left half a file"
    return seen


def finish(batch: Batch) -> int:
    """One more session, to its end; its exit code."""
    while True:
        code = batch.start().wait(PATIENCE_S * 10)
        if code != 2 or batch.folder is None or batch.committed():
            batch.find_folder()
            return code
        batch.forget_folder()


@dataclass
class Cost:
    """What the provider was asked, against what had to be asked."""

    asked: int
    """Requests."""
    needed: int
    """Of them, those that differ."""
    again_after_commit: int
    """Requests for what was on the disk already."""
    twice_in_a_session: int
    """Requests for what the same session had asked."""
    redone: list[int]
    """For each kill, requests of that session whose answers were not on the disk."""


def cost_of(kills: Kills, provider: SimulatorProcess) -> Cost:
    """Hold what was committed against what the provider was asked."""
    truth = provider.truth()
    asked_of = {record["id"]: record["asked"] for record in truth}
    committed_at: dict[str, int] = {}
    for at_ns, committed in zip(kills.at_ns, kills.committed, strict=True):
        for _, request in committed.values():
            committed_at.setdefault(asked_of[request], at_ns)
    sessions: list[set[str]] = [set() for _ in range(len(kills.at_ns) + 1)]
    twice = 0
    for record in truth:
        session = sum(at_ns < record["accepted_ns"] for at_ns in kills.at_ns)
        twice += record["asked"] in sessions[session]
        sessions[session].add(record["asked"])
    on_disk = [{asked_of[request] for _, request in committed.values()} for committed in kills.committed]
    return Cost(
        asked=len(truth),
        needed=len(set(asked_of.values())),
        again_after_commit=sum(record["accepted_ns"] > committed_at.get(record["asked"], 1 << 63) for record in truth),
        twice_in_a_session=twice,
        redone=[len(asked - there) for asked, there in zip(sessions, on_disk, strict=False)],
    )
