"""Which of the keys that steer mean something to what is shown: a replay is played, a probe keeps its own pace.

Told by the snapshot's run alone; sends nothing. A key without a meaning is not offered, and who presses it is told why.
"""

from collections.abc import Iterable

from tui.core.snapshot import RunView, Snapshot

_LIVE = frozenset(
    {"pause", "rate", "concurrency", "cancel", "retry", "retry_failed", "stop_dispatching", "export", "picture", "save"}
)
"""What only a run that is under way, or at least in this memory, can be asked."""
_AFTER_THE_END = frozenset({"export", "picture", "save"})
_OF_A_REPLAY = frozenset({"pause", "seek", "rate"})
_OF_A_PROBE = frozenset({"stop_dispatching"})
STEERING = _LIVE | _OF_A_REPLAY
"""Every action that steers, as the app and the open call name them."""

_OF_HINT = {
    "pause": "pause", "rate": "rate", "speed": "rate", "at once": "concurrency", "stop": "stop_dispatching",
    "cancel": "cancel", "retry": "retry", "export": "export", "picture": "picture", "save": "save", "10 s": "seek",
}  # fmt: skip
"""By the word that the last row has for it."""

_COMMAND = "type a command: table, or 12 for a call"
_REPLAYED = {
    "command": _COMMAND,
    "pause": "stand still, or play on",
    "rate(-1)": "half as fast",
    "rate(1)": "twice as fast",
    "seek(-10)": "10 s back",
    "seek(10)": "10 s on",
    "leave": "quit",
    "ctrl_c": "quit",
}
_PROBED = {
    "command": _COMMAND,
    "stop_dispatching": "end the probe with what it has found",
    "leave": "quit (asks while it probes)",
}


def is_probe(run: RunView) -> bool:
    """Whether it is a probe, which sends what it wants to know and nothing else."""
    return run.job == "probe" and not run.replay


def meant(action: str, run: RunView) -> bool:
    """Whether an action (`rate`, `rate(-1)`) means something to this run now; one that does not steer always does."""
    name = action.partition("(")[0]
    if name not in STEERING:
        return True
    if run.replay:
        return name in _OF_A_REPLAY
    if is_probe(run):
        return name in _OF_A_PROBE and run.phase != "finished"
    return name in (_AFTER_THE_END if run.phase == "finished" else _LIVE)


def why_not(action: str, run: RunView) -> str | None:
    """What to tell who asks for it all the same; None when it means something."""
    if meant(action, run):
        return None
    if run.replay:
        return "this is a replay: nothing in it can be changed or saved"
    if action.startswith("seek"):
        return "only a replay (weir replay) goes back or on"
    if run.phase == "finished":
        return "the run has ended"
    return "a probe keeps its own pace; x ends it with what it has found"


def why_no_budget(snapshot: Snapshot) -> str | None:
    """Why there is no budget to be raised; None when there is one."""
    run, batch = snapshot.run, snapshot.batch
    if run.replay:
        return "this is a replay: nothing in it can be changed or saved"
    if batch is None or run.job != "batch":
        return "only the budget of a batch can be raised while it runs"
    if batch.budget_usd is None:
        return "this batch has no budget (see --budget)"
    return "the run has ended" if run.phase == "finished" else None


def words_for(action: str, words: str, run: RunView) -> str:
    """What a key does, in the words of what is shown; `words` are those of a live run."""
    special = _REPLAYED if run.replay else _PROBED if is_probe(run) else {}
    return special.get(action, words)


def offered(hints: Iterable[tuple[str, str]], run: RunView) -> list[tuple[str, str]]:
    """The hints of the last row whose keys mean something."""
    return [(key, word) for key, word in hints if meant(_OF_HINT.get(word, ""), run)]


__all__ = ["STEERING", "is_probe", "meant", "offered", "why_no_budget", "why_not", "words_for"]
