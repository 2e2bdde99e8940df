"""A price comes from a process of its own, is kept while it holds, and is None rather than a guess."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tui.core.money import Price
from tui.files.price_book import PriceBook, is_local
from tui.files.price_lookup import look_up

OPENAI = "https://api.openai.com/v1"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def answering(tmp_path: Path, answer: str) -> tuple[str, ...]:
    """A stand-in for the child process: notes its arguments, prints the answer."""
    code = "import sys; open(sys.argv[1], 'a').write(repr(sys.argv[3:]) + '\\n'); print(sys.argv[2])"
    return (sys.executable, "-c", code, str(tmp_path / "asked"), answer)


def asked(tmp_path: Path) -> list[str]:
    path = tmp_path / "asked"
    return path.read_text().splitlines() if path.exists() else []


PRICED = json.dumps({"price": {"input": "1", "output": "2"}, "until": "2026-11-22T16:30:00+00:00"})


async def test_a_real_model_at_a_real_provider_has_a_price_and_its_data_is_not_imported_here(
    tmp_path: Path,
) -> None:
    book = PriceBook(tmp_path)
    price = await book.find("gpt-4o", OPENAI)
    assert price is not None
    assert price.input > 0
    assert price.output > price.input
    assert price.origin == f"genai-prices {book.data_version}, openai gpt-4o"
    assert book.why is None


def test_looking_up_a_price_loads_no_price_data_into_the_program_that_asks() -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom tui.files.price_book import PriceBook\n"
        f"print(asyncio.run(PriceBook(Path(sys.argv[1])).find('nothing-of-the-kind', {OPENAI!r})))\n"
        "print('genai_prices' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, os.devnull], capture_output=True, text=True, check=True)
    assert done.stdout == "None\nFalse False\n"


async def test_an_answer_is_kept_until_the_provider_changes_its_price(tmp_path: Path) -> None:
    now = NOW
    book = PriceBook(tmp_path / "cache", lambda: now, answering(tmp_path, PRICED))
    for _ in range(2):
        assert await book.find("m", OPENAI) == Price(Decimal(1), Decimal(2))
    assert asked(tmp_path) == ["['--base-url', 'https://api.openai.com/v1', '--', 'm']"]
    now = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
    await book.find("m", OPENAI)
    assert len(asked(tmp_path)) == 2


async def test_other_models_providers_and_data_are_other_answers(tmp_path: Path) -> None:
    book = PriceBook(tmp_path / "cache", lambda: NOW, answering(tmp_path, PRICED))
    await book.find("m", OPENAI)
    await book.find("n", OPENAI)
    await book.find("m", "https://api.mistral.ai/v1")
    book.data_version = "0.0.1"
    await book.find("m", OPENAI)
    assert len(asked(tmp_path)) == 4


async def test_a_cache_that_is_damaged_or_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert await PriceBook(tmp_path / "file", lambda: NOW, answering(tmp_path, PRICED)).find("m", OPENAI)
    book = PriceBook(tmp_path / "cache", lambda: NOW, answering(tmp_path, PRICED))
    await book.find("m", OPENAI)
    for kept in (tmp_path / "cache").iterdir():
        kept.write_bytes(b'{"price": 5')
    assert await book.find("m", OPENAI) == Price(Decimal(1), Decimal(2))


def test_a_password_in_the_address_reaches_no_argument_and_no_file(tmp_path: Path) -> None:
    book = PriceBook(tmp_path / "cache", lambda: NOW, answering(tmp_path, PRICED))
    asyncio.run(book.find("m", "https://user:canary@api.openai.com/v1?key=canary#canary"))
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert not any("canary" in text for text in written)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8600/v1",
        "http://127.0.0.1",
        "http://127.8.8.8:1/",
        "http://[::1]:8600",
        "http://0.0.0.0:80",
        "http://llm.localhost",
    ],
)
async def test_a_server_on_this_machine_is_unpriced_without_asking(tmp_path: Path, url: str) -> None:
    book = PriceBook(tmp_path / "cache", lambda: NOW, answering(tmp_path, PRICED))
    assert await book.find("gpt-4o", url) is None
    assert asked(tmp_path) == []
    assert book.why == "a server on this machine has no price"


@pytest.mark.parametrize("url", [OPENAI, "http://192.168.0.5:8000", "https://localhost.example.com", ""])
def test_other_addresses_are_not_local(url: str) -> None:
    assert not is_local(url)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('{"unknown": "no such \\u001b[31mmodel"}', "no such \ufffd[31mmodel"),
        ("not JSON", "prices could not be looked up: no answer"),
        ('{"price": {"input": "1"}}', "prices could not be looked up: no answer"),
    ],
)
async def test_no_answer_is_no_price_and_says_why(tmp_path: Path, answer: str, why: str) -> None:
    book = PriceBook(tmp_path / "cache", lambda: NOW, answering(tmp_path, answer))
    assert await book.find("m", OPENAI) is None
    assert book.why == why


@pytest.mark.parametrize("model", ["a\0b", "a\ud800b"])
async def test_a_name_that_cannot_be_an_argument_has_no_price(tmp_path: Path, model: str) -> None:
    book = PriceBook(tmp_path / "cache", lambda: NOW, answering(tmp_path, PRICED))
    assert await book.find(model, OPENAI) is None
    assert book.why is not None


def hanging(tmp_path: Path) -> tuple[str, ...]:
    """A child that says in a pipe that it has begun, and never ends by itself."""
    os.mkfifo(tmp_path / "begun")
    code = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"
    return (sys.executable, "-c", code, str(tmp_path / "begun"))


async def test_cancelling_kills_the_child(tmp_path: Path) -> None:
    task = asyncio.create_task(PriceBook(tmp_path / "cache", command=hanging(tmp_path)).find("m", OPENAI))
    child = int(await asyncio.to_thread((tmp_path / "begun").read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_a_child_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import signal; signal.pause()")
    book = PriceBook(tmp_path / "cache", command=command, timeout_s=0.01)
    assert await book.find("m", OPENAI) is None
    assert book.why == "prices could not be looked up within 0.01 s"


@pytest.mark.parametrize(("hour", "cheap", "change"), [(0, True, 30), (12, False, 990), (20, True, 1470)])
def test_a_price_by_the_time_of_day_says_when_it_changes(hour: int, cheap: bool, change: int) -> None:
    answer = look_up("deepseek-chat", "https://api.deepseek.com", datetime(2025, 3, 1, hour, tzinfo=UTC))
    minutes = (datetime.fromisoformat(answer["until"]) - datetime(2025, 3, 1, tzinfo=UTC)).total_seconds() / 60
    assert minutes == change
    other = look_up("deepseek-chat", "https://api.deepseek.com", datetime(2025, 3, 1, 12, tzinfo=UTC))
    assert (Decimal(answer["price"]["input"]) < Decimal(other["price"]["input"])) is cheap


def test_a_tiered_price_keeps_its_tiers() -> None:
    answer = look_up("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai", NOW)
    price = Price.from_dict(answer["price"])
    [tier] = price.tiers
    assert tier.above == 200_000
    assert tier.input > price.input
    assert tier.output > price.output


@pytest.mark.parametrize(
    ("model", "url", "why"),
    [
        ("no-such-model", OPENAI, "Unable to find model"),
        ("gpt-4o", "https://llm.example.com/v1", "Unable to find provider"),
        ("text-embedding-3-small", OPENAI, "has no rates for tokens in and out"),
        # Its answers also cost something that a usage does not tell; a part of the bill is not the bill.
        ("sonar-deep-research", "https://api.perplexity.ai", "also charges"),
    ],
)
def test_what_the_data_does_not_know_is_unknown(model: str, url: str, why: str) -> None:
    assert why in look_up(model, url, NOW)["unknown"]
