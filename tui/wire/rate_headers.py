"""What a reply's headers say about our allowance, whoever sent it. Obeys nothing: it only reads.

Where the names and formats come from:

- OpenAI, https://platform.openai.com/docs/guides/rate-limits: `x-ratelimit-limit-requests` and its kin, resets as Go
  durations. Some models' requests are counted by the day under the same name (10,000 with a reset of 8.64 s each).
- Groq, https://console.groq.com/docs/rate-limits: the same names; requests are a day's, tokens a minute's.
- Azure: the same names, resets in bare seconds; -1 and 0 where it knows nothing
  (https://github.com/openai/openai-dotnet/issues/838), once `x-rate-limit-reset-tokens`
  (https://github.com/openai/openai-python/issues/937).
- Anthropic, https://docs.claude.com/en/api/rate-limits: `anthropic-ratelimit-requests-limit` and its kin, resets as
  RFC 3339 instants at which the bucket is whole; `tokens` is the most restrictive of its token limits.
- Cerebras, https://inference-docs.cerebras.ai/support/rate-limits: `-requests-day` and `-tokens-minute`, in seconds.
- Mistral, https://github.com/mistralai/client-ts/issues/169: `x-ratelimit-limit-req-minute`; before,
  `ratelimitbysize-limit` for tokens. No resets with the former.
- Together, https://docs.together.ai/docs/rate-limits: `x-ratelimit-limit` and `x-tokenlimit-limit` are a second's.
- OpenRouter, https://openrouter.ai/docs/api/reference/limits: `X-RateLimit-Limit`, its reset in epoch milliseconds.
- DigitalOcean, https://docs.digitalocean.com/products/inference/reference/quota-specific-response-headers/:
  `-tokens-per-minute`, `-tokens-per-day`, resets in epoch seconds.
- LiteLLM, https://docs.litellm.ai/docs/proxy/response_headers: OpenAI's names; `x-ratelimit-api_key-limit-requests`
  and the like for what a limit applies to; what its provider said behind `llm_provider-`.
- Everybody else: `ratelimit-limit`, `-remaining`, `-reset` of the IETF's drafts (draft-ietf-httpapi-ratelimit-headers).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from tui.wire.durations import count_of, go_duration_of, number_of, rfc_3339_of

LONGEST_RESET_S = 86_400.0
"""Windows are a second to a day. A reset further away is another unit, or a month's allowance, and is not read."""
_EPOCH_S = 1e9
_EPOCH_MS = 1e12
_MINUTE_S = 60.0
_SKEW_S = 1.0
"""Resets in whole seconds, and clocks, are off by so much."""
_DAY_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class RateHint:
    """What one reply's headers said about a minute's allowance. None: silent, unreadable, or absurd.

    An allowance of a longer window (a day's, a month's) shows only once it is used up: limit None, remaining 0 and
    when something is left again. A second's (Together's) shows as what it is in a minute; how much of a second
    remains only when it is nothing. Where nobody names the window, a reset beyond a minute tells that it is longer
    than one, also here; OpenAI's names are passed on as they are, unless the figures can only be a day's.
    """

    limit_requests: int | None = None
    """Requests the window allows."""
    remaining_requests: int | None = None
    """Requests left in the window."""
    reset_requests_s: float | None = None
    """Seconds until the window is full again."""
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float | None = None


class _Window(Enum):
    """How long the window of an allowance is."""

    SECOND = auto()
    MINUTE = auto()
    LONGER = auto()
    OPENAI = auto()
    """Requests: a minute or a day, as the figures say. Tokens: a minute."""
    UNNAMED = auto()
    """At least as long as its reset is away."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One allowance that somebody states, and in which headers: limit, remaining, reset."""

    of_tokens: bool
    window: _Window
    names: tuple[str, str, str]


_Half = tuple[int | None, int | None, float | None]
_SILENT: _Half = (None, None, None)
_FIELDS = ("limit", "remaining", "reset")


def rate_hint(headers: Mapping[str, str], now_epoch_s: float | None = None) -> RateHint | None:
    """The allowance that the headers state; None when they state nothing that can be read.

    `headers` gives its names in lower case. `now_epoch_s` (seconds since 1970) is what resets that are instants are
    measured against; without it they are not read.

    For requests, and apart from them for tokens, of all who state an allowance: the one that is used up and stays so
    longest; if none is, the first of OpenAI's names, a named minute, LiteLLM's scopes, Anthropic's (`tokens` before
    input before output), names without a window, and at last the same behind LiteLLM's `llm_provider-`.
    """
    found: dict[int, list[str | None]] = {}
    for name, value in headers.items():
        place = _PLACES.get(name)
        if place is not None:
            found.setdefault(place[0], [None, None, None])[place[1]] = value
    if not found:
        return None
    by_second = _TOKEN_LIMIT in found and found[_TOKEN_LIMIT][2] is None  # Together has one reset for both
    if by_second and _PLAIN in found:
        found[_TOKEN_LIMIT][2] = found[_PLAIN][2]
    requests: _Half = _SILENT
    tokens: _Half = _SILENT
    for index in sorted(found):
        source = _SOURCES[index]
        window = _Window.SECOND if by_second and index in (_TOKEN_LIMIT, _PLAIN) else source.window
        half = _half(source.of_tokens, window, found[index], now_epoch_s)
        if source.of_tokens:
            tokens = _more_urgent(tokens, half)
        else:
            requests = _more_urgent(requests, half)
    return None if requests == tokens == _SILENT else RateHint(*requests, *tokens)


def until_reset_s(rate: RateHint) -> float | None:
    """Seconds until what is used up is whole again, requests and tokens; None when nothing is, or nobody says when."""
    resets = [
        reset_s
        for remaining, reset_s in (
            (rate.remaining_requests, rate.reset_requests_s),
            (rate.remaining_tokens, rate.reset_tokens_s),
        )
        if remaining == 0 and reset_s
    ]
    return max(resets, default=None)


def _more_urgent(first: _Half, later: _Half) -> _Half:
    """The one that is used up longer; if none is, the first that says something."""
    if _spent_s(first) or _spent_s(later):
        return first if _spent_s(first) >= _spent_s(later) else later
    return later if first == _SILENT else first


def _spent_s(half: _Half) -> float:
    return half[2] or 0.0 if half[1] == 0 else 0.0


def _half(of_tokens: bool, window: _Window, texts: list[str | None], now_epoch_s: float | None) -> _Half:
    limit_text, remaining_text, reset_text = texts
    limit = count_of(limit_text)
    if limit_text is not None and not limit:
        return _SILENT  # a limit of 0 or -1 is Azure's "I do not know", and what stands beside it is no better
    remaining = count_of(remaining_text)
    reset_s = _reset(reset_text, now_epoch_s)
    if window is _Window.OPENAI:
        if of_tokens or not _is_a_day_s(limit, remaining, reset_s):
            return limit, remaining, reset_s
        # It comes back bit by bit: once it is used up, the next request has room long before it is whole.
        return _when_spent(remaining, reset_s / limit if reset_s and limit else None)
    if window is _Window.SECOND:
        return None if limit is None else limit * 60, 0 if remaining == 0 else None, reset_s
    if window is _Window.UNNAMED:
        window = _Window.MINUTE if reset_s is not None and reset_s <= _MINUTE_S + _SKEW_S else _Window.LONGER
    return (limit, remaining, reset_s) if window is _Window.MINUTE else _when_spent(remaining, reset_s)


def _when_spent(remaining: int | None, reset_s: float | None) -> _Half:
    """All that matters of a window longer than a minute."""
    return (None, 0, reset_s) if remaining == 0 and reset_s else _SILENT


def _is_a_day_s(limit: int | None, remaining: int | None, reset_s: float | None) -> bool:
    """Whether limit and reset can only be those of a day's bucket that fills bit by bit.

    Groq's 14,400 a day come back one in six seconds: 30 missing, and a reset of 2m59.56s. `missing` is rounded up, so
    the window lies between `limit * reset / missing` and the same with one less missing. A fixed minute of 1,440
    requests or more may look like it with very few missing: then a reply or two say nothing of requests.
    """
    if limit is None or remaining is None or not reset_s or (missing := limit - remaining) <= 0:
        return False
    shortest_s = limit * reset_s / missing
    longest_s = shortest_s * missing / max(missing - 1, 1)
    return shortest_s * (1 - _DAY_TOLERANCE) <= LONGEST_RESET_S <= longest_s * (1 + _DAY_TOLERANCE)


def _reset(text: str | None, now_epoch_s: float | None) -> float | None:
    """Seconds until a reset, at most a day: a Go duration, bare seconds, epoch seconds or milliseconds, RFC 3339."""
    if text is None:
        return None
    span_s = go_duration_of(text)
    if span_s is not None:
        return span_s if span_s <= LONGEST_RESET_S else None
    at = number_of(text)
    if at is None:
        at = rfc_3339_of(text)
    elif at <= LONGEST_RESET_S:
        return at or None  # Azure's 0 beside a -1
    elif at < _EPOCH_S:
        return None
    elif at >= _EPOCH_MS:
        at /= 1000
    if at is None or now_epoch_s is None or not math.isfinite(now_epoch_s):
        return None
    span_s = at - now_epoch_s
    if -_MINUTE_S <= span_s < 0:
        return 0.0  # Anthropic's bucket that is whole again already
    return span_s if 0 <= span_s <= LONGEST_RESET_S else None


def _sources() -> Iterator[_Source]:
    """Every allowance that can be read, those that are believed first before the others."""
    kinds = (("requests", False), ("tokens", True))
    for kind, of_tokens in kinds:
        yield _Source(of_tokens, _Window.OPENAI, _named(f"x-ratelimit-{{}}-{kind}"))
    for unit, of_tokens in (*kinds, ("req", False)):
        for suffix, window in (
            ("minute", _Window.MINUTE), ("per-minute", _Window.MINUTE), ("hour", _Window.LONGER),
            ("day", _Window.LONGER), ("per-day", _Window.LONGER), ("month", _Window.LONGER),
        ):  # fmt: skip
            yield _Source(of_tokens, window, _named(f"x-ratelimit-{{}}-{unit}-{suffix}"))
    for scope in (
        "model_per_key", "api_key", "key", "model_group", "model_per_team", "team_member", "team", "user", "end_user",
        "organization",
    ):  # fmt: skip
        for kind, of_tokens in kinds:
            yield _Source(of_tokens, _Window.MINUTE, _named(f"x-ratelimit-{scope}-{{}}-{kind}"))
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        yield _Source(kind != "requests", _Window.MINUTE, _named(f"anthropic-ratelimit-{kind}-{{}}"))
    yield _Source(True, _Window.MINUTE, _named("x-ratelimitbysize-{}-minute"))
    yield _Source(True, _Window.UNNAMED, _named("ratelimitbysize-{}"))
    yield _Source(True, _Window.UNNAMED, _named("x-tokenlimit-{}"))
    yield _Source(False, _Window.UNNAMED, _named("x-ratelimit-{}"))
    yield _Source(False, _Window.UNNAMED, _named("ratelimit-{}"))


def _named(pattern: str) -> tuple[str, str, str]:
    limit, remaining, reset = (pattern.format(field) for field in _FIELDS)
    return limit, remaining, reset


def _behind_litellm(source: _Source) -> _Source:
    limit, remaining, reset = (f"llm_provider-{name}" for name in source.names)
    return _Source(source.of_tokens, source.window, (limit, remaining, reset))


_DIRECT = tuple(_sources())
_SOURCES = _DIRECT + tuple(_behind_litellm(source) for source in _DIRECT)
_PLACES = {name: (index, field) for index, source in enumerate(_SOURCES) for field, name in enumerate(source.names)}
"""By a header's name: whose it is, and which of its three. One look-up a header: this runs on the engine's loop."""
_PLACES["x-rate-limit-reset-requests"] = _PLACES["x-ratelimit-reset-requests"]
_PLACES["x-rate-limit-reset-tokens"] = _PLACES["x-ratelimit-reset-tokens"]
_TOKEN_LIMIT = _PLACES["x-tokenlimit-limit"][0]
_PLAIN = _PLACES["x-ratelimit-limit"][0]
