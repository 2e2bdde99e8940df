"""Where calls go, with what keys, and how long each part may take. Values only."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tui.core.secrets import Secret, redact
from tui.core.untrusted import clean_line

OPENAI_URL = "https://api.openai.com/v1"
USER_AGENT = "weir/0.1"


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds; past one of them an attempt (or, for `total_s`, the call) ends with an error that names it."""

    connect_s: float = 10.0
    """Name look-up, TCP and TLS."""
    first_byte_s: float = 120.0
    """From the request's last byte to the response's headers; long, for servers queue without a word."""
    idle_s: float = 60.0
    """The longest silence inside a response."""
    total_s: float = 600.0
    """The whole call from its first attempt on: attempts, waits and all."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible API."""

    base_url: str
    """Normalised: ends before `/chat/completions`."""
    key: Secret = field(default_factory=lambda: Secret(""))
    headers: tuple[tuple[str, Secret], ...] = ()
    """The user's own; they override ours, and any of them may be a secret."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that must never be shown."""
        return (self.key, *(value for _, value in self.headers))

    @property
    def shown(self) -> str:
        """Host and path, for people."""
        parts = urlsplit(self.base_url)
        return clean_line(f"{parts.netloc}{parts.path}")

    @property
    def origin(self) -> str:
        """Scheme, host and port: what an item's key is bound to."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def request_headers(self) -> dict[str, str]:
        """Headers of every request, secrets revealed."""
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream",
            # An encoded body is refused: 1,827 bytes on the wire can be a gigabyte.
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
        }
        if self.key:
            headers["authorization"] = f"Bearer {self.key.reveal()}"
        for name, value in self.headers:
            headers[name.lower()] = value.reveal()
        return headers

    def redact(self, text: str) -> str:
        """Text from the server without our secrets."""
        return redact(text, self.secrets)
