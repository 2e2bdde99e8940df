"""Redraws screenshots/ from recorded runs: `python tests/screenshots.py [--record] [names]`.

A recording is one Snapshot of a real, seeded run, as the engine sent it to a screen of that size; drawing it needs no
engine and no clock, so that a change to the screen shows in the pictures and nothing else does. Recording takes some
four minutes: the demo (nine streams and staged faults), a load of 2,400 calls against a provider whose limit lies
below ours, which is lowered after a minute, and a batch over what modules of Python's own library say of themselves.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from tui.core.commands import AnyCommand, SetRate
from tui.core.money import parse_price
from tui.core.session import Session
from tui.core.snapshot import Snapshot
from tui.dashboard.app import WeirApp

HERE = Path(__file__).parent.absolute()
RECORDINGS = HERE / "recordings"
SCREENSHOTS = HERE.parent / "screenshots"


class Scene(NamedTuple):
    """One picture."""

    run: str
    """`demo`, `load` or `batch`."""
    at_s: float
    """Seconds into the run."""
    columns: int
    rows: int
    keys: tuple[str, ...] = ()
    """Pressed before it is taken."""
    colour: bool = True


END_S = 1e9
SCENES: dict[str, Scene] = {
    "wall-80x24": Scene("demo", 11, 80, 24),
    "wall-120x40": Scene("demo", 16, 120, 40),
    "wall-no-color-80x24": Scene("demo", 12, 80, 24, colour=False),
    "one-call-120x40": Scene("demo", 14, 120, 40, ("enter",)),
    "finished-120x40": Scene("demo", END_S, 120, 40),
    "limits-120x40": Scene("load", 55, 120, 40, ("5",)),
    "wall-200x60": Scene("load", 78, 200, 60),
    "waterfall-120x40": Scene("load", 80, 120, 40, ("4",)),
    "charts-120x40": Scene("load", 110, 120, 40, ("3",)),
    "charts-light-120x40": Scene("load", 110, 120, 40, ("3", "t")),
    "batch-120x40": Scene("batch", 12, 120, 40),
    "batch-tree-120x40": Scene("batch", 15, 120, 40, ("enter", "5")),
    "table-120x40": Scene("load", 115, 120, 40, ("2", "s", "s", "s", "s", "s")),
}


class Recorded:
    """A Session that stands still."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.latest = snapshot

    def send(self, command: AnyCommand) -> None:
        """Nobody is there to obey."""


@asynccontextmanager
async def demo_run() -> AsyncIterator[tuple[Session, "asyncio.Task[object]"]]:
    """The demo, under way."""
    from tui.engine.host import Host
    from tui.jobs.demo import DEMO_PRICE, cancel_one, demo_setup, demo_simulator
    from tui.simulator.process import SimulatorProcess

    with SimulatorProcess(demo_simulator(seed=7)) as simulator:
        setup = demo_setup(simulator.base_url, requests=60, concurrency=9, rpm=120, seed=7, price=DEMO_PRICE, out=None)
        host = Host(setup)
        run = asyncio.create_task(host.run())
        host.beside(host.count_live())
        host.beside(cancel_one(host))
        yield host, run
        run.cancel()
        await asyncio.wait({run})


@asynccontextmanager
async def load_run() -> AsyncIterator[tuple[Session, "asyncio.Task[object]"]]:
    """A load that is too fast for its provider until somebody slows it down."""
    from tui.engine.endpoint import Endpoint
    from tui.engine.host import Host
    from tui.engine.setup import RunSetup
    from tui.jobs.load import default_prompts, load_plans
    from tui.simulator.process import SimulatorProcess
    from tui.simulator.settings import SimulatorSettings

    settings = SimulatorSettings(
        models=(("sim-steady", 1.0),), seed=7, ttft_s=0.35, itl_s=0.025, jitter=0.5, tokens=34, rpm=1050,
        error_rate=0.01, reset_rate=0.006, refuse_rate=0.03, retry_after_s=2.0,
    )  # fmt: skip
    with SimulatorProcess(settings) as simulator:
        prompts = default_prompts(7)
        setup = RunSetup(
            job="load",
            model="sim-steady",
            endpoint=Endpoint(simulator.base_url),
            plans=load_plans(lambda: iter(prompts), "sim-steady", {}, None, 2400, 0),
            planned=2400,
            concurrency=28,
            rpm=1300,
            price=parse_price("in=2.5,out=10"),
            seed=7,
        )
        host = Host(setup)
        run = asyncio.create_task(host.run())
        host.beside(host.count_live())
        host.beside(_slow_down(host))
        yield host, run
        run.cancel()
        await asyncio.wait({run})


_MODULES = (
    "argparse array ast asyncio base64 bisect calendar codecs collections concurrent.futures configparser "
    "contextlib copy csv ctypes dataclasses datetime decimal difflib dis doctest email enum fractions "
    "functools gettext glob gzip hashlib heapq hmac html http.client imaplib inspect io ipaddress itertools "
    "json logging mailbox math mimetypes mmap multiprocessing operator optparse os pathlib pickle platform "
    "plistlib pprint profile queue quopri random re sched secrets select shelve shlex shutil signal smtplib "
    "socket sqlite3 ssl statistics string struct subprocess tarfile tempfile textwrap threading timeit token "
    "tokenize tomllib traceback types unittest urllib.parse uuid warnings wave weakref xml.dom zipfile "
    "zoneinfo "
)


@asynccontextmanager
async def batch_run() -> AsyncIterator[tuple[Session, "asyncio.Task[object]"]]:
    """A batch over documents of very different length, some of them in parts."""
    import tempfile

    from tui.cli.batch_question import Question
    from tui.cli.batch_running import Batch, opened
    from tui.cli.goals import Goals
    from tui.core.documents import Messages
    from tui.core.retry import RetryPolicy
    from tui.engine.corpus import CorpusFeed
    from tui.engine.endpoint import Endpoint, TimeLimits
    from tui.files.corpus import CorpusPlan
    from tui.simulator.process import SimulatorProcess
    from tui.simulator.settings import SimulatorSettings

    def reduce(answers: str) -> Messages:
        return ({"role": "user", "content": f"Combine these into three bullet points.\n\n{answers}"},)

    settings = SimulatorSettings(
        models=(("sim-steady", 1.0),), seed=7, ttft_s=0.5, itl_s=0.03, jitter=0.5, tokens=60, error_rate=0.03
    )  # fmt: skip
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # paths are shown as they were given
        _write_documents(Path("library"))
        batch = Batch(
            corpus=CorpusPlan(inputs=("library",), model="sim-steady", max_input_tokens=1500, long="split"),
            question=Question(),
            reduction=reduce,
            model="sim-steady",
            endpoint=Endpoint(simulator.base_url),
            params={"max_tokens": 60},
            limits=TimeLimits(),
            policy=RetryPolicy(attempts=6, patient=True),
            concurrency=9,
            rpm=600,
            tpm=None,
            burst=None,
            price=parse_price("in=2.5,out=10"),
            goals=Goals(budget_usd=Decimal("1.50")),
            runs=Path(folder) / "runs",
            at_hand=Path(folder) / "runs",
            out=None,
            settings={},
            earlier=None,
            retry_failed=False,
        )
        feed = CorpusFeed(batch.corpus)
        with opened(batch, feed) as (_, host):
            run = asyncio.create_task(host.run())
            host.beside(host.count_live())
            yield host, run
            run.cancel()
            await asyncio.wait({run})
            await feed.close()
            os.chdir(HERE)


def _write_documents(folder: Path) -> None:
    """What modules say of themselves, and of what is in them."""
    from importlib import import_module

    folder.mkdir()
    for name in _MODULES.split():
        module = import_module(name)
        said = [module.__doc__ or name, *(getattr(each, "__doc__", None) or "" for each in vars(module).values())]
        text = "\n\n".join(words for words in dict.fromkeys(said) if isinstance(words, str) and words)
        (folder / f"{name}.md").write_text(text, errors="replace")


async def _slow_down(session: Session) -> None:
    await asyncio.sleep(60)
    session.send(SetRate(900))


async def record(names: Iterable[str]) -> None:
    """Run what the scenes need; keep the snapshot of each scene's instant."""
    RECORDINGS.mkdir(exist_ok=True)
    for kind, begin in (("demo", demo_run), ("load", load_run), ("batch", batch_run)):
        wanted = sorted((SCENES[name].at_s, name) for name in names if SCENES[name].run == kind)
        if not wanted:
            continue
        async with begin() as (session, run):
            loop = asyncio.get_running_loop()
            started = loop.time()
            for at_s, name in wanted:
                await asyncio.wait({run}, timeout=None if at_s == END_S else max(0.0, started + at_s - loop.time()))
                await _keep(session, name)


async def _keep(session: Session, name: str) -> None:
    scene = SCENES[name]
    app = WeirApp(session)
    async with app.run_test(size=(scene.columns, scene.rows)) as pilot:
        for key in scene.keys:
            await asyncio.sleep(0.5)  # pictures of what the keys before it asked for
            await pilot.press(key)
        await asyncio.sleep(1.0)
        latest = session.latest
        assert latest is not None
        kept = msgspec.structs.replace(latest, run=msgspec.structs.replace(latest.run, endpoint="127.0.0.1:8600/v1"))
        (RECORDINGS / f"{name}.msgpack").write_bytes(msgspec.msgpack.encode(kept))


async def draw(name: str) -> None:
    """Draw the scene from its recording."""
    scene = SCENES[name]
    snapshot = msgspec.msgpack.decode((RECORDINGS / f"{name}.msgpack").read_bytes(), type=Snapshot)
    standing: Callable[[], int] = lambda: snapshot.at  # noqa: E731
    app = WeirApp(Recorded(snapshot), clock=standing, ticking=False)
    async with app.run_test(size=(scene.columns, scene.rows)) as pilot:
        app.frame()
        await pilot.pause()
        for key in scene.keys:
            # The call that was opened need not be where it was when its picture was taken.
            opens = key == "enter" and snapshot.focus is not None
            await pilot.press(*(f":{snapshot.focus.pane.call}" if opens else ""), key)
            app.frame()
            await pilot.pause()
        (SCREENSHOTS / f"{name}.svg").write_text(app.export_screenshot(title="weir"))


def main() -> None:
    """Record if asked to, then draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="run what the scenes show first (three minutes)")
    parser.add_argument("names", nargs="*", default=[], help="scenes; default: all")
    args = parser.parse_args()
    SCREENSHOTS.mkdir(exist_ok=True)
    names = args.names or list(SCENES)
    os.environ.pop("NO_COLOR", None)
    if args.record:
        asyncio.run(record(names))
    for name in names:
        os.environ.pop("NO_COLOR", None)
        if not SCENES[name].colour:
            os.environ["NO_COLOR"] = "1"
        asyncio.run(draw(name))
        print(SCREENSHOTS / f"{name}.svg")


if __name__ == "__main__":
    main()
