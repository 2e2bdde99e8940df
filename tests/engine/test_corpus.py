"""Documents come one by one from the process that reads them, in bounded memory, and its troubles are told."""

import asyncio
import os
import re
import signal
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tui.core.documents import Prepared
from tui.core.errors import UsageError
from tui.core.frames import FRAME_LIMIT
from tui.engine.corpus import CorpusError, CorpusFeed, Survey, survey
from tui.files.corpus import CorpusPlan

PIPED = CorpusPlan(inputs=("-",), prompt="{text}")


@asynccontextmanager
async def opened(plan: CorpusPlan, stdin: int | None = None) -> AsyncIterator[CorpusFeed]:
    feed = CorpusFeed(plan, stdin)
    try:
        async with asyncio.timeout(30):
            yield feed
    finally:
        await feed.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def all_of(feed: CorpusFeed) -> list[Prepared]:
    documents = []
    while (document := await feed.next()) is not None:
        documents.append(document)
    return documents


@contextmanager
def piped(write: Callable[[int], None]) -> Iterator[int]:
    """The end of a pipe to read from; a thread writes into the other."""
    reading, writing = os.pipe()

    def run() -> None:
        with suppress(BrokenPipeError):
            write(writing)
        os.close(writing)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield reading
    finally:
        os.close(reading)
        thread.join()


def holding(content: bytes) -> Any:
    """A pipe with a few rows in it, and then its end."""
    assert len(content) < 60_000
    return piped(lambda pipe: os.write(pipe, content) and None)


async def test_documents_come_in_order_and_then_none(tmp_path: Path) -> None:
    for name in ("b.md", "a.md", "c.md"):
        (tmp_path / name).write_text(f"text of {name}")
    (tmp_path / "b.md").write_bytes(b"\xff")
    async with opened(CorpusPlan(inputs=(str(tmp_path),), prompt="{name}: {text}")) as feed:
        documents = await all_of(feed)
        assert await feed.next() is None
    assert [(each.number, each.error) for each in documents] == [(1, None), (2, "is not UTF-8 at byte 1"), (3, None)]
    assert documents[2].asks == (({"role": "user", "content": "c.md: text of c.md"},),)


async def test_stdin_is_handed_to_the_process_when_it_is_the_corpus() -> None:
    with holding(b'{"text": "one"}\n{"text": "two"}') as stdin:
        os.set_blocking(stdin, False)
        async with opened(PIPED, stdin) as feed:
            assert [each.source for each in await all_of(feed)] == ["stdin:1", "stdin:2"]


async def test_a_document_larger_than_a_frame_arrives(tmp_path: Path) -> None:
    text = "漢字 " * (FRAME_LIMIT // 6)
    (tmp_path / "a.md").write_text(text)
    async with opened(CorpusPlan(inputs=(f"{tmp_path}/a.md",), prompt="{text}")) as feed:
        (document,) = await all_of(feed)
    assert document.asks[0][0]["content"] == text


async def test_a_mistake_of_the_users_is_raised_each_time() -> None:
    with holding(b'{"body": "x"}\n') as stdin:
        async with opened(PIPED, stdin) as feed:
            for _ in range(2):
                with pytest.raises(UsageError, match="is no field of stdin") as raised:
                    await feed.next()
                assert raised.value.hint == "it has body; name the one that holds the text"


async def test_a_folder_without_documents_is_a_mistake(tmp_path: Path) -> None:
    async with opened(CorpusPlan(inputs=(str(tmp_path),))) as feed:
        with pytest.raises(UsageError, match="has no documents"):
            await feed.next()


async def test_a_plan_that_is_no_text_is_a_mistake() -> None:
    async with opened(CorpusPlan(inputs=("a.md",), prompt="{text}\ud83d")) as feed:
        with pytest.raises(UsageError, match="not UTF-8"):
            await feed.next()


async def test_when_the_process_dies_it_says_so() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b'{"text": "one"}\n')
        async with opened(PIPED, reading) as feed:
            assert (await feed.next() or pytest.fail("there is one")).number == 1
            assert feed.pid is not None
            os.kill(feed.pid, signal.SIGKILL)
            for _ in range(2):
                with pytest.raises(CorpusError, match="ended by signal 9"):
                    await feed.next()
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("executable", ["/nonexistent/python", "py\0thon"])
async def test_when_there_can_be_no_process_it_says_so(executable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    async with opened(CorpusPlan(inputs=("a.md",))) as feed:
        with pytest.raises(CorpusError, match="cannot be used"):
            await feed.next()


async def test_it_can_be_closed_at_any_time() -> None:
    unused = CorpusFeed(PIPED)
    await unused.close()
    assert await unused.next() is None
    reading, writing = os.pipe()
    try:
        feed = CorpusFeed(PIPED, reading)
        waiting = asyncio.ensure_future(feed.next())
        await asyncio.sleep(0)
        await feed.close()  # while the process starts
        assert await waiting is None
        feed = CorpusFeed(PIPED, reading)
        os.write(writing, b'{"text": "one"}\n')
        assert await feed.next() is not None
        waiting = asyncio.ensure_future(feed.next())
        await asyncio.sleep(0)
        await feed.close()  # while a row is awaited
        assert await waiting is None
        await feed.close()
    finally:
        os.close(reading)
        os.close(writing)


async def test_who_stops_waiting_loses_no_document() -> None:
    reading, writing = os.pipe()
    try:
        async with opened(PIPED, reading) as feed:
            os.write(writing, b'{"text": "one"}\n')
            assert await feed.next() is not None
            for _ in range(3):
                waiting = asyncio.ensure_future(feed.next())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait({waiting})
            os.write(writing, b'{"text": "two"}\n')
            assert (await feed.next() or pytest.fail("there is one")).number == 2
    finally:
        os.close(reading)
        os.close(writing)


async def write_for_ever(pipe: int) -> None:
    while True:
        os.write(pipe, b"\n")
        await asyncio.sleep(0.01)


async def test_the_process_ends_with_its_parent_even_while_it_waits_for_a_row() -> None:
    reading, writing = os.pipe()
    script = (
        "import asyncio, os, sys\n"
        "from tui.engine.corpus import CorpusFeed\n"
        "from tui.files.corpus import CorpusPlan\n"
        "async def main():\n"
        "    feed = CorpusFeed(CorpusPlan(inputs=('-',)))\n"
        "    await feed.next()\n"
        "    print(feed.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    try:
        os.write(writing, b'{"text": "one"}\n')
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            stdin=reading,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        os.close(reading)
        output, _ = await asyncio.wait_for(parent.communicate(), 30)
        assert re.fullmatch(rb"\d+\n", output)
        # Nobody else holds the reading end: a write fails as soon as the process is gone.
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(write_for_ever(writing), 10)
    finally:
        os.close(writing)


def peak_kb(pid: int) -> int:
    """The most memory that a process ever had."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_many_documents_cost_no_memory() -> None:
    rows = 15_000
    block = b"".join(b'{"id": %d, "text": "%s"}\n' % (number, b"x" * 4_000) for number in range(100))

    def write(pipe: int) -> None:
        with open(pipe, "wb", closefd=False) as file:
            for _ in range(rows // 100):
                file.write(block)

    with piped(write) as stdin:
        async with opened(PIPED, stdin) as feed:
            for _ in range(3_000):
                assert await feed.next() is not None
            before_kb = peak_kb(feed.pid or 0)
            tracemalloc.start()
            try:
                for _ in range(2_000):  # nobody takes a document, and the loop has time to read ahead
                    await asyncio.sleep(0)
                for _ in range(rows - 3_100):
                    assert await feed.next() is not None
                grown = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            after_kb = peak_kb(feed.pid or 0)
            assert len(await all_of(feed)) == 100
    assert grown < 8_000_000  # of the 48 MB that went through meanwhile
    assert after_kb - before_kb < 8_000


SURVEYED = {
    "a.md": b"word " * 100,
    "b.md": b"",
    "c.md": b"Sentence. " * 1_000,
    "d.md": b"\xff",
}


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    for name, content in SURVEYED.items():
        (tmp_path / name).write_bytes(content)
    return str(tmp_path)


async def test_a_survey_counts_everything_once(corpus: str) -> None:
    plan = CorpusPlan(inputs=(corpus,), prompt="{text}", model="gpt-4o", max_input_tokens=500)
    told: list[Survey] = []
    seen = await survey(plan, told.append)
    assert (seen.documents, seen.failed, seen.asks, seen.cut, seen.split, seen.parts) == (4, 2, 2, 1, 0, 0)
    assert seen.first_errors == ((f"{corpus}/b.md", "is empty"), (f"{corpus}/d.md", "is not UTF-8 at byte 1"))
    assert (seen.least_tokens, seen.cut_tokens > 1_400) == (108, True)
    assert seen.most_tokens is not None
    assert seen.prompt_tokens == seen.least_tokens + seen.most_tokens
    assert told == []
    parted = await survey(CorpusPlan(inputs=(corpus,), model="gpt-4o", max_input_tokens=500, long="split"))
    assert (parted.documents, parted.cut, parted.split, parted.parts, parted.asks) == (4, 0, 1, 5, 6)


async def test_a_survey_tells_how_far_it_is() -> None:
    told: list[int] = []
    with holding(b'{"text": "x"}\n' * 2_500) as stdin:
        seen = await survey(PIPED, lambda so_far: told.append(so_far.documents), stdin)
    assert told == [1_000, 2_000]
    assert (seen.documents, seen.asks, seen.least_tokens, seen.note) == (2_500, 2_500, 8, None)
