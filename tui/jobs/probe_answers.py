"""What became of one request of a probe, as its facts and its outcome tell. Sends nothing and decides nothing."""

from collections.abc import Sequence
from time import time

from tui.core.clock import now_ns, seconds
from tui.core.entries import AttemptEntry
from tui.core.facts import AllowanceCame, Fact, HeadersCame
from tui.core.probe_seen import Answer, Fate
from tui.core.probe_words import cause_of
from tui.core.retry import Failure
from tui.core.untrusted import clean_line
from tui.engine.attempt import Outcome
from tui.wire.hints import wait_hint, wait_in_body


def answer_of(
    entry: AttemptEntry, max_tokens: int | None, outcome: Outcome | None, error: str, heard: Sequence[Fact]
) -> Answer:
    """`entry` is the ledger's; `outcome` None: it ran out of time; `heard`: the facts of its headers."""
    failure = outcome.failure if outcome is not None else None
    headers = next((fact.headers for fact in heard if isinstance(fact, HeadersCame)), ())
    stated = next((fact for fact in heard if isinstance(fact, AllowanceCame)), None)
    # Of an error inside a stream: some refuse under HTTP 200.
    status = failure.status if failure is not None and failure.status is not None else entry.status
    fate, cause, hint_s = Fate.FAILED, None, None
    if status == 429:
        fate = Fate.REFUSED
        cause = cause_of(error, failure.code if failure is not None else None)
        hint_s = _asked_to_wait(dict(headers), failure, stated)
    elif status is not None and 200 <= status < 300:
        fate = Fate.PASSED
    ended_at = entry.ended_at or now_ns()
    usage = outcome.usage if outcome is not None else None
    return Answer(
        sent_s=seconds(entry.written_at or entry.sent_at),
        answered_s=seconds(entry.headers_at or ended_at),
        ended_s=seconds(ended_at),
        fate=fate,
        cause=cause,
        status=status,
        hint_s=hint_s,
        limit=stated.limit_requests if stated is not None else None,
        left=stated.remaining_requests if stated is not None else None,
        token_limit=stated.limit_tokens if stated is not None else None,
        tokens=None if usage is None else usage.prompt + (max_tokens or usage.completion),
        message=clean_line(error),
        headers=entry.headers,
    )


def _asked_to_wait(headers: dict[str, str], failure: Failure | None, stated: AllowanceCame | None) -> float | None:
    """What a refusal asks to wait: in its headers, its words or its body.

    Not what its allowance's reset says: that is when everything is back, and not when the next request fits.
    """
    asked = wait_hint({name.lower(): value for name, value in headers.items()}, time())
    if asked is None and failure is not None:
        asked = wait_in_body(429, b"", failure.message, time())
        if asked is None and (stated is None or (stated.reset_requests_s is None and stated.reset_tokens_s is None)):
            asked = failure.hint_s
    return asked
