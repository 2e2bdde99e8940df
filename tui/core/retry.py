"""Try again, or give up: decided, not acted. Nothing here waits, draws random numbers or reads a clock.

Rules and their sources: which failures are retried follows openai-python's `_should_retry`; the commit point at
the first token is gRPC A6's; full jitter is from "Exponential Backoff And Jitter" (AWS); the retry budget
follows botocore's retry quota and the SRE book's per-client budget.

A call is interactive or patient (an item of a batch): one that somebody watches fails early and says why, one that
nobody waits for is worth waiting for, as long as the server is not asked more often for it.
"""

from dataclasses import dataclass
from enum import StrEnum

RETRIED_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 522, 524, 529})
_ABOUT_THE_RUN = frozenset({401, 404})
"""The key or the model is wrong, not this request: a batch would spend itself on as many failures as documents."""
LONGEST_HINT_S = 120.0
"""For longer nobody sits and waits."""
LONGEST_COOL_DOWN_S = 86_400.0
"""A limit may be one a day. What asks for more is no hint."""


class FailureKind(StrEnum):
    """How an attempt failed, as far as the policy cares."""

    CONNECT = "connect"
    """DNS, TCP or TLS-handshake I/O."""
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    """Connecting, waiting for the first byte, or silence in the stream."""
    RESET = "reset"
    """The connection died, or the stream ended without a stop, a usage or [DONE]."""
    STATUS = "status"
    """An HTTP status that is not 200, or an error inside the stream that maps to one."""
    PROTOCOL = "protocol"
    """The reply breaks HTTP, or passes one of our own bounds."""
    REJECTED = "rejected"
    """The answer came whole, but is not what was asked for: not JSON, or not what its schema allows."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not deliver."""

    kind: FailureKind
    message: str
    status: int | None = None
    code: str | None = None
    """The provider's own code (`insufficient_quota`, `rate_limit_exceeded`, …)."""
    hint_s: float | None = None
    """How long the server asked us to wait; None when it said nothing usable."""
    should_retry: bool | None = None
    """The `x-should-retry` header; False also for a rejected answer that another try would not better."""
    after_first_token: bool = False
    """It was cut when text had come; False for an answer that came whole and was rejected."""
    written: bool = False
    """The whole request had left us, so the server may have begun to work (and to bill)."""

    @property
    def in_trouble(self) -> bool:
        """The server, or the way to it: what was asked may be answered at another time."""
        return self.kind is not FailureKind.REJECTED and _retryable(self)

    @property
    def asks_for_quiet(self) -> bool:
        """It is in trouble and names a wait that is too long for a person: nothing should be sent before it is over."""
        return self.in_trouble and self.hint_s is not None and self.hint_s > LONGEST_HINT_S


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. Interactive calls: 3 attempts; batch items: 6, and patient."""

    attempts: int = 3
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 20.0
    patient: bool = False
    """The answer is wanted, whenever it comes. What was cut after its first token is begun anew (the attempts are
    never joined), a hint of up to a day is waited for, an empty retry budget is waited out, and no waiting counts
    towards the deadline."""

    @property
    def longest_hint_s(self) -> float:
        """The longest wait that a server may ask for without ending the call."""
        return LONGEST_COOL_DOWN_S if self.patient else LONGEST_HINT_S


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after `seconds`."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt."""

    why: str
    """Empty when the failure speaks for itself."""
    stop_lane: bool = False
    """Nothing sent to this provider can succeed now (quota spent): stop dispatching to it."""


def decide(failure: Failure, attempt: int, left_s: float, jitter: float, policy: RetryPolicy) -> Wait | GiveUp:
    """What to do after attempt number `attempt` (from 1) failed, with `left_s` of the call's time left.

    `jitter` is a random number in [0, 1).
    """
    if failure.code == "insufficient_quota":
        return GiveUp("the quota is spent", stop_lane=True)
    if policy.patient and failure.status in _ABOUT_THE_RUN:
        return GiveUp("so no request of this run can succeed", stop_lane=True)
    if (failure.after_first_token and not policy.patient) or not _retryable(failure):
        return GiveUp("")
    if attempt >= policy.attempts:
        return GiveUp(f"after {attempt} attempts" if attempt > 1 else "")
    if failure.kind is FailureKind.REJECTED:
        return Wait(0.0, failure.message)  # the server is well: there is nothing to wait for
    if failure.hint_s is not None and failure.hint_s > policy.longest_hint_s:
        return GiveUp(f"the server asks to wait {failure.hint_s:.0f} s, over {policy.longest_hint_s:.0f} s")
    wait_s = backoff_s(attempt, failure.hint_s, jitter, policy)
    if wait_s >= left_s and not policy.patient:
        return GiveUp(f"waiting {wait_s:.1f} s would pass the call's deadline")
    return Wait(wait_s, failure.message)


def backoff_s(attempt: int, hint_s: float | None, jitter: float, policy: RetryPolicy) -> float:
    """Full jitter, or the server's hint plus up to 10 %, never earlier."""
    if hint_s is not None:
        return hint_s * (1 + 0.1 * jitter)
    return jitter * min(policy.longest_backoff_s, policy.first_backoff_s * 2.0 ** (attempt - 1))


def _retryable(failure: Failure) -> bool:
    if failure.kind in (FailureKind.CERTIFICATE, FailureKind.PROTOCOL):
        return False
    if failure.should_retry is not None:
        return failure.should_retry
    return failure.kind is not FailureKind.STATUS or failure.status in RETRIED_STATUSES


class RetryBudget:
    """Tokens that retries cost and successes earn, so that an outage is not met with a storm.

    100 tokens; a retry costs 5, or 10 after a time-out; a first-try success gives 1 back and a retried call
    that succeeds gives its last cost back. 1,000 calls against an endpoint that only fails are 1,020 requests.
    When it is empty, interactive calls fail, and patient ones go on one by one (engine/gate.py).
    """

    FULL = 100

    def __init__(self) -> None:
        self.tokens = self.FULL

    def take(self, failure: Failure) -> int | None:
        """The cost of retrying this failure, taken; None when the budget cannot pay for it."""
        cost = 10 if failure.kind is FailureKind.TIMEOUT else 5
        if cost > self.tokens:
            return None
        self.tokens -= cost
        return cost

    def succeeded(self, retry_cost: int | None) -> None:
        """A call delivered; `retry_cost` is what its last retry cost, None when it needed none."""
        self.tokens = min(self.FULL, self.tokens + (retry_cost or 1))
