"""What one request will meet: its text, its timing, its fault. Pure: the same seed plans the same.

Every draw comes from (seed, digest of the request, how often this request came before), so the order in which
concurrent requests arrive changes nothing, and a retry meets a fate of its own. With `same_answers` the text comes from
(seed, digest) alone.
"""

import hashlib
import math
import random
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from tui.simulator.chat import ChatRequest
from tui.simulator.settings import MOST_TOKENS, SimulatorSettings
from tui.simulator.structured import structured_pieces, wrong_pieces
from tui.simulator.text import prose_pieces


class Fault(StrEnum):
    """What goes wrong with a request; at most one thing does."""

    NONE = "none"
    REFUSE = "refuse"
    """429, whatever the limits say."""
    ERROR = "error"
    """500 or 503."""
    RESET = "reset"
    """Cut between the first and the last token."""
    STALL = "stall"
    """Silent from some token on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One reply, resolved before its first byte."""

    id: str
    fault: Fault
    status: int
    """The status of the reply: 200, or what the fault says."""
    first_byte_s: float
    """Head and role chunk, after the request's last byte."""
    due_s: list[float]
    """Each chunk of text, after the request's last byte; never decreasing."""
    texts: list[list[bytes]]
    """For each choice the text of each chunk, as the inside of a JSON string."""
    counts: list[int]
    """Tokens in each chunk, of all choices."""
    finish_reason: str
    break_before: int | None
    """The chunk that a reset or a stall keeps back; None: all of them are sent."""
    abrupt: bool
    """A reset is a TCP reset; otherwise the connection closes without the last chunk."""

    @property
    def tokens(self) -> int:
        """Completion tokens of all choices."""
        return sum(self.counts)

    def lasts_s(self, stream: bool) -> float:
        """From the request's last byte to the end of the reply; infinite when only the client ends it."""
        if not stream or self.break_before is None:
            last_s = self.due_s[-1]
        else:
            last_s = self.due_s[min(self.break_before, len(self.due_s) - 1)]
        return math.inf if self.fault is Fault.STALL and self.break_before is not None else last_s


def request_id(seed: int, digest: bytes, occurrence: str) -> tuple[str, random.Random]:
    """The id of a reply and the source of everything that is drawn for it."""
    drawn = hashlib.sha256(b"%d|%b|%b" % (seed, digest, occurrence.encode())).digest()
    return f"chatcmpl-{drawn[:15].hex()}", random.Random(int.from_bytes(drawn[16:], "big"))


def plan(settings: SimulatorSettings, speed: float, request: ChatRequest, occurrence: int) -> Plan:
    """The reply to the `occurrence`-th (from 0) request of this digest, by a model of `speed`.

    BadField when its JSON schema cannot be answered.
    """
    id, rng = request_id(settings.seed, request.digest, str(occurrence))
    fault, status = _fault(settings, rng)
    where, abrupt = rng.random(), rng.random() < 0.5
    # What the answer says is drawn apart from the rest where it has to be the same each time.
    words = random.Random(b"%d|%b" % (settings.seed, request.digest)) if settings.same_answers else rng
    spread = settings.jitter
    ttft_s = settings.ttft_s / speed * (1.0 + spread * (2.0 * rng.random() - 1.0))
    length = round(settings.tokens * (1.0 + settings.tokens_jitter * (2.0 * words.random() - 1.0)))
    length = min(max(1, length), MOST_TOKENS)

    texts = []
    for _ in range(request.choices):
        if request.form == "text":
            texts.append(prose_pieces(words, length))
        else:
            pieces = structured_pieces(words, request.schema)
            wrong = bool(settings.invalid_rate) and not request.answered and rng.random() < settings.invalid_rate
            texts.append(wrong_pieces(rng, request.schema, pieces, length) if wrong else pieces)
    length = max(map(len, texts))
    finish_reason = "stop"
    if request.most_tokens is not None and request.most_tokens < length:
        length, finish_reason = request.most_tokens, "length"
    # Choices of unequal length (JSON answers) are padded with empty pieces, which are never sent.
    texts = [pieces[:length] + [b""] * (length - len(pieces)) for pieces in texts]

    gap_s = settings.itl_s / speed
    if gap_s and spread:
        low, high = gap_s * (1.0 - spread), 2.0 * gap_s * spread
        gaps_s = [low + high * rng.random() for _ in range(length - 1)]
    else:
        gaps_s = [gap_s] * (length - 1)
    counts = [sum(map(bool, column)) for column in zip(*texts, strict=True)]
    if settings.coalesce > 1:
        texts, gaps_s, counts = _glue(settings.coalesce, texts, gaps_s, counts)
    break_before = None
    if fault in (Fault.RESET, Fault.STALL):
        # After the first chunk and, where there is more than one, before the last.
        break_before = 1 + int(where * max(1, len(counts) - 1))
        if fault is Fault.STALL and settings.stall_s is not None:
            if break_before < len(counts):
                gaps_s[break_before - 1] += settings.stall_s
            break_before = None
    return Plan(
        id=id,
        fault=fault,
        status=status,
        first_byte_s=ttft_s / 2.0,
        due_s=list(accumulate(gaps_s, initial=ttft_s)),
        texts=texts,
        counts=counts,
        finish_reason=finish_reason,
        break_before=break_before,
        abrupt=abrupt,
    )


def _fault(settings: SimulatorSettings, rng: random.Random) -> tuple[Fault, int]:
    drawn, which = rng.random(), rng.random()
    for fault, rate, status in (
        (Fault.REFUSE, settings.refuse_rate, 429),
        (Fault.ERROR, settings.error_rate, 500 if which < 0.5 else 503),
        (Fault.RESET, settings.reset_rate, 200),
        (Fault.STALL, settings.stall_rate, 200),
    ):
        if drawn < rate:
            return fault, status
        drawn -= rate
    return Fault.NONE, 200


def _glue(
    size: int, texts: list[list[bytes]], gaps_s: list[float], counts: list[int]
) -> tuple[list[list[bytes]], list[float], list[int]]:
    """Chunks of `size` tokens: the first token by itself, each further chunk due with its last token."""
    length = len(texts[0])
    starts = range(1, length, size)
    glued = [[pieces[0], *(b"".join(pieces[at : at + size]) for at in starts)] for pieces in texts]
    gaps_s = [sum(gaps_s[at - 1 : at - 1 + size]) for at in starts]
    return glued, gaps_s, [counts[0], *(sum(counts[at : at + size]) for at in starts)]
