"""Whether something between the model and here held a stream back. A judgement from figures; it looks at no text.

A model makes one token after the other, so a stream that is passed on at once comes in many small pieces. What sits
in between (a proxy that buffers, a compressor, a server that answers in one go) shows in two ways: nothing for long
and then all of it at once, or pauses with many pieces at once between them. Three things look alike and must not be
taken for it:

- a fast model. Nobody streams more than about 3,000 tokens a second to one reader today; what comes faster than
  `FASTEST_TOKENS_PER_S` was made before it came;
- a model that stalls now and then: between its stalls it keeps a model's pace;
- a server that sends large pieces, each as soon as it has it: then every burst is a few pieces, and the sentence
  leaves open which of the two it is.

Where the figures allow both, it says nothing: a warning that is often wrong is not read.
"""

from tui.core import figures
from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.entries import AttemptEntry
from tui.core.live_tokens import estimated_tokens

MIN_TOKENS = 64
"""Fewer come in one go from many a server, and cost nobody more than a second."""
FASTEST_TOKENS_PER_S = 5_000
MIN_SILENCE_NS = NS_PER_S
"""Before an answer that comes all at once: a fast model behind a short queue is silent for less."""
MIN_PAUSE_NS = 250 * NS_PER_MS
"""Of the longest pause between bursts; people see no shorter one."""
MIN_TOKENS_A_BURST = 20
MIN_CHUNKS_A_BURST = 8
"""Below, a burst may be what the server sends as one piece: worth a word only where there are a `FEW_BURSTS`."""
FEW_BURSTS = 10


def buffered(attempt: AttemptEntry) -> str | None:
    """Why the attempt's stream looks as if it was held back on its way, in a sentence; None: it does not."""
    first, last = attempt.first_token_at, attempt.last_token_at
    tokens = text_tokens(attempt)
    # Stamps that were late because we were make bursts of our own.
    if first is None or last is None or tokens < MIN_TOKENS or attempt.late:
        return None
    silence = first - (attempt.sent_at if attempt.written_at is None else attempt.written_at)
    if attempt.bursts == 1:
        # Only an end tells that this was all.
        whole = attempt.ended_at is not None and silence >= MIN_SILENCE_NS and _too_fast(tokens, last - first)
        return _in_one_go(attempt, tokens, silence, last - first) if whole else None
    many_pieces = attempt.bursts * MIN_CHUNKS_A_BURST <= attempt.chunks
    few = attempt.bursts * MIN_TOKENS_A_BURST <= tokens and (many_pieces or attempt.bursts <= FEW_BURSTS)
    if not few or attempt.largest_gap_ns < MIN_PAUSE_NS:
        return None
    if not _too_fast(tokens, last - first - attempt.paused_ns):
        return None
    who = "something between" if many_pieces else "the server sends large pieces, or something between"
    return (
        f"{_count(attempt, tokens)} came in {figures.exact(attempt.bursts)} bursts, the longest pause "
        f"{figures.ms(attempt.largest_gap_ns)}: {who} the model and here holds the stream back"
    )


def text_tokens(attempt: AttemptEntry) -> int:
    """Tokens of the text that came; an estimate while no usage is known.

    Reasoning that the server counts and does not send is no part of it.
    """
    estimate = estimated_tokens(attempt.chars)
    usage = attempt.usage
    if usage is None:
        return estimate
    if not usage.reasoning:
        return min(usage.completion, attempt.chars)
    return min(usage.completion, max(usage.completion - usage.reasoning, estimate))


def _too_fast(tokens: int, duration_ns: int) -> bool:
    return tokens * NS_PER_S > FASTEST_TOKENS_PER_S * duration_ns


def _in_one_go(attempt: AttemptEntry, tokens: int, silence_ns: int, span_ns: int) -> str:
    how = f"all within {figures.ms(span_ns)}" if attempt.chunks > 1 else "in one piece"
    return (
        f"{_count(attempt, tokens)} came {how} after {figures.ms(silence_ns)} without any text: "
        "the answer was not streamed, or something on the way held it back"
    )


def _count(attempt: AttemptEntry, tokens: int) -> str:
    estimated = attempt.usage is None or attempt.usage_estimated
    return f"{figures.ESTIMATED if estimated else ''}{figures.exact(tokens)} tokens"
