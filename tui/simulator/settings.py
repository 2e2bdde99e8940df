"""How the simulated provider behaves. Values and their checks; reads no command line."""

import dataclasses
import json
import math
from dataclasses import dataclass

from tui.core.errors import UsageError

ANNOUNCEMENT = "listening on "
"""What stands before the base URL in the line that a started simulator prints."""

MOST_TOKENS = 100_000
"""Longest answer: its plan is held in memory."""

LIMIT_KINDS = ("token-bucket", "fixed-window", "sliding-window")
RETRY_AFTER_STYLES = ("honest", "none", "short")
HEADER_STYLES = ("openai", "azure", "anthropic", "none")


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """One simulated provider, resolved. UsageError names the flag of a value that cannot be used."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""
    seed: int = 0
    ttft_s: float = 0.3
    """From the request's last byte to its first token, for a model of speed 1."""
    itl_s: float = 0.02
    """Between two tokens of a stream, for a model of speed 1; 0: as fast as the socket takes them."""
    jitter: float = 0.3
    """Every duration is drawn evenly from its setting ± this fraction (0 to 1)."""
    tokens: int = 120
    """Tokens of an answer."""
    tokens_jitter: float = 0.0
    """The answer's length is drawn evenly from `tokens` ± this fraction (0 to 1)."""
    same_answers: bool = False
    """Equal requests get the same text, as from a model at temperature 0; timing and faults stay each one's own."""
    models: tuple[tuple[str, float], ...] = (("sim-fast", 2.0), ("sim-steady", 1.0), ("sim-slow", 0.4))
    """Name and speed: 2 is twice as fast. The limits hold for each model by itself."""
    rpm: int | None = None
    tpm: int | None = None
    limit_kind: str = "token-bucket"
    """How `rpm` and `tpm` are counted, one of LIMIT_KINDS: allowances.py defines each."""
    burst: int | None = None
    """Requests that a rested token bucket lets pass at once; None: a minute's worth. Tokens have no such bucket."""
    concurrency_limit: int | None = None
    """Requests that one model answers at once, streams or not."""
    retry_after_style: str = "honest"
    """How long a 429 asks to wait, in headers and words: the true wait, no word of it, or half of it (`short`)."""
    header_style: str = "openai"
    """Whose names and forms the allowance headers have; `none`: there are none."""
    refuse_rate: float = 0.0
    """Fraction of requests answered 429 whatever the limits say."""
    retry_after_s: float = 1.0
    """What such a 429 asks the client to wait."""
    error_rate: float = 0.0
    """Fraction of requests answered 500 or 503."""
    reset_rate: float = 0.0
    """Fraction of requests cut between their first and their last token."""
    stall_rate: float = 0.0
    """Fraction of requests that fall silent between their first and their last token."""
    invalid_rate: float = 0.0
    """Fraction of the answers in JSON that are not what was asked for; one that is asked for anew, with the wrong one
    among the messages, is right."""
    stall_s: float | None = None
    """How long the silence lasts; None: until the client leaves."""
    coalesce: int = 1
    """Tokens glued into one chunk. The first token always leaves by itself, as vLLM's stream interval has it."""

    def __post_init__(self) -> None:
        for flag, value in (
            ("--jitter", self.jitter),
            ("--tokens-jitter", self.tokens_jitter),
            ("--limit-rate", self.refuse_rate),
            ("--error-rate", self.error_rate),
            ("--reset-rate", self.reset_rate),
            ("--stall-rate", self.stall_rate),
            ("--invalid-rate", self.invalid_rate),
        ):
            _require(0.0 <= value <= 1.0, flag, f"{value} is not a fraction", "give a number from 0 to 1")
        _require(
            self.refuse_rate + self.error_rate + self.reset_rate + self.stall_rate <= 1.0 + 1e-9,
            "--error-rate",
            "the fault rates add up to more than 1",
            "each request meets at most one of --limit-rate, --error-rate, --reset-rate, --stall-rate",
        )
        for flag, duration_s in (
            ("--ttft", self.ttft_s),
            ("--itl", self.itl_s),
            ("--stall", self.stall_s),
            ("--retry-after", self.retry_after_s),
        ):
            usable = duration_s is None or (math.isfinite(duration_s) and 0.0 <= duration_s <= 86_400.0)
            _require(usable, flag, f"{duration_s} s cannot be waited", "give a duration from 0 to 24h")
        for flag, limit in (
            ("--rpm", self.rpm),
            ("--tpm", self.tpm),
            ("--burst", self.burst),
            ("--concurrency-limit", self.concurrency_limit),
        ):
            _require(limit is None or limit >= 1, flag, f"{limit} lets nothing through", "give 1 or more")
        for flag, word, known in (
            ("--limit-kind", self.limit_kind, LIMIT_KINDS),
            ("--retry-after", self.retry_after_style, RETRY_AFTER_STYLES),
            ("--header-style", self.header_style, HEADER_STYLES),
        ):
            _require(word in known, flag, f'"{word}" is not known', f"give one of {', '.join(known)}")
        if self.burst is not None:
            _require(
                self.limit_kind == "token-bucket",
                "--burst",
                f"a {self.limit_kind} has no burst of its own",
                "leave --burst out, or use --limit-kind token-bucket",
            )
            _require(self.rpm is not None, "--burst", "there is no limit to burst", "add --rpm")
        _require(
            1 <= self.tokens <= MOST_TOKENS,
            "--tokens",
            f"{self.tokens} is not a length",
            f"give a number from 1 to {MOST_TOKENS}",
        )
        _require(self.coalesce >= 1, "--coalesce", f"{self.coalesce} is no chunk", "give 1 or more")
        _require(0 <= self.port <= 65_535, "--port", f"{self.port} is not a port", "give 0 to 65535; 0 picks one")
        _require(bool(self.models), "--models", "no model is named", "name one, such as --models sim-fast")
        names = [name for name, _ in self.models]
        _require(len(set(names)) == len(names), "--models", "a model is named twice", "name each model once")
        for name, speed in self.models:
            _require(
                bool(name) and math.isfinite(speed) and speed > 0.0,
                "--models",
                f'"{name}:{speed:g}" is not a model and its speed',
                "write name:speed with a speed above 0, such as sim-fast:2",
            )

    def as_json(self) -> str:
        """The settings on one line, for `from_json` in another process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "SimulatorSettings":
        """The settings that `as_json` wrote."""
        fields = json.loads(text)
        fields["models"] = tuple((name, speed) for name, speed in fields["models"])
        return cls(**fields)


def parse_models(text: str) -> tuple[tuple[str, float], ...]:
    """Names and speeds in `a:2,b:0.5,c` (speed 1 when left out).

    A colon that no number follows belongs to the name (`llama3:8b`).
    """
    models = []
    for entry in text.split(","):
        name, colon, speed = entry.strip().rpartition(":")
        try:
            models.append((name, float(speed)) if colon else (speed, 1.0))
        except ValueError:
            models.append((entry.strip(), 1.0))
    return tuple(models)


def _require(holds: bool, flag: str, what: str, hint: str) -> None:
    if not holds:
        raise UsageError(flag, what, hint)
