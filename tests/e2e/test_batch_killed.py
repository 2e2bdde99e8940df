"""`kill -9` at random instants: nothing that was committed is lost, nothing of it is asked again."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from killed_batch import ANSWERS, Batch, cost_of, finish, kill_often, without_timings, write_corpus

from tui.simulator.process import SimulatorProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc")

SPREAD = replace(ANSWERS, ttft_s=0.05, itl_s=0.002, jitter=0.5)
"""Answers that take a tenth of a second, more or less, so that they end one by one."""


@pytest.mark.slow
def test_a_batch_survives_five_kills(tmp_path: Path):
    check_kills(tmp_path, documents=120, kills=5, seed=11, longest_s=1.6)


@pytest.mark.long
def test_a_batch_survives_two_hundred_kills(tmp_path: Path):
    check_kills(tmp_path, documents=2_000, kills=200, seed=random.randrange(1 << 30), longest_s=3.4)


def check_kills(home: Path, documents: int, kills: int, seed: int, longest_s: float) -> None:
    corpus = home / "corpus.jsonl"
    write_corpus(corpus, documents)
    whole = uninterrupted(corpus, home)
    with SimulatorProcess(SPREAD) as provider:
        batch = Batch(corpus, home, provider.base_url)
        seen = kill_often(batch, kills, random.Random(seed), longest_s, whole)
        assert finish(batch) == 1, batch.said
        cost = cost_of(seen, provider)
    redone = cost.asked - cost.needed
    print(  # noqa: T201  # the figures of a matrix that takes minutes
        f"seed {seed}: {kills} kills ({seen.before_begun} before there was a run, {sum(map(bool, cost.redone))} with "
        f"calls under way, {seen.on_finished} with nothing left to ask, {seen.half_written} while results were "
        f"written), {cost.asked} asked for {cost.needed}: {redone} redone, most of one kill {max(cost.redone)}"
    )
    assert batch.results is not None
    assert without_timings(batch.results) == whole
    assert not batch.half_written()
    assert cost.again_after_commit == 0
    assert cost.twice_in_a_session == 0
    assert redone <= kills * batch.concurrency
    assert max(cost.redone) <= batch.concurrency


def uninterrupted(corpus: Path, home: Path) -> bytes:
    """The results of a run that nobody kills, without its timings."""
    calm = home / "calm"
    calm.mkdir()
    with SimulatorProcess(ANSWERS) as provider:
        batch = Batch(corpus, calm, provider.base_url)
        assert finish(batch) == 1, batch.said  # some of the documents are none
        batch.find_folder()
    assert batch.results is not None
    return without_timings(batch.results)
