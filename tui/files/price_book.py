"""The price of a model at a provider, found without importing the price data. Guesses nothing.

A child process looks it up (price_lookup.py) and its answer is kept in the user's cache, under the version of
genai-prices that gave it. A model, provider or server of one's own that is not in the data has no price: None,
drawn `?`.
"""

import asyncio
import hashlib
import ipaddress
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tui.core.errors import RecordError
from tui.core.money import Price
from tui.core.untrusted import clean_line
from tui.files.run_folder import write_private_atomic
from tui.files.user_cache import user_cache

TIMEOUT_S = 20.0


class Answer(msgspec.Struct, frozen=True):
    """What the child process prints, and what the cache keeps."""

    price: Price | None = None
    until: datetime | None = None
    """When the provider's next price takes over; None: none is planned."""
    unknown: str | None = None
    """Why there is no price."""


class PriceBook:
    """Finds prices. `why` says in a line for people why the last one was not found."""

    def __init__(
        self,
        cache: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        # The file and not -m, and -P: a genai_prices.py in the user's working folder must not be what is run.
        command: Sequence[str] = (sys.executable, "-P", str(Path(__file__).with_name("price_lookup.py"))),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._cache = cache if cache is not None else user_cache("prices")
        self._now = now
        self._command = command
        self._timeout_s = timeout_s
        self.why: str | None = None
        self.data_version = _data_version()
        """Version of the package whose data is used; None when it is not installed."""

    async def find(self, model: str, base_url: str) -> Price | None:
        """The model's price at the provider of that address now; None when it is not known.

        Takes 0.5 s or so when the cache does not know it. Cancelling kills the child process.
        """
        self.why = None
        address = _public_part(base_url)
        if is_local(address):
            self.why = "a server on this machine has no price"
            return None
        if self.data_version is None:
            self.why = "genai-prices is not installed"
            return None
        place = self._place(model, address)
        answer = await asyncio.to_thread(_kept, place, self._now())
        if answer is None:
            answer = await self._ask(model, address)
            if answer is None:
                return None
            await asyncio.to_thread(_keep, place, answer)
        if answer.price is None:
            self.why = clean_line(answer.unknown or "no price is known")
        return answer.price

    def _place(self, model: str, address: str) -> Path:
        key = "\0".join((self.data_version or "", model, address))
        return self._cache / f"{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"

    async def _ask(self, model: str, address: str) -> Answer | None:
        try:
            # A session of its own: Ctrl-C in the terminal is for the run, and ends this by cancelling.
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--base-url",
                address,
                "--",
                model,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the model's name
            self.why = f"prices could not be looked up: {clean_line(str(error))}"
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                output, complaints = await process.communicate()
        except TimeoutError:
            self.why = f"prices could not be looked up within {self._timeout_s:g} s"
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            return msgspec.json.decode(output, type=Answer)
        except msgspec.DecodeError:
            last = complaints.decode("utf-8", "replace").strip().rpartition("\n")[2]
            self.why = f"prices could not be looked up: {clean_line(last) or 'no answer'}"
            return None


def is_local(base_url: str) -> bool:
    """Whether the address is this machine's own: localhost, a loopback or an unspecified address."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _public_part(base_url: str) -> str:
    """Scheme, host, port and path: a password or token in the address is in no argument and no file."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _data_version() -> str | None:
    try:
        return version("genai-prices")
    except PackageNotFoundError:
        return None


def _kept(place: Path, now: datetime) -> Answer | None:
    """The cache's answer while it holds; None when there is none, or nothing that can be read."""
    try:
        answer = msgspec.json.decode(place.read_bytes(), type=Answer)
    except (OSError, msgspec.DecodeError):
        return None
    return answer if answer.until is None or now < answer.until else None


def _keep(place: Path, answer: Answer) -> None:
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_atomic(place, msgspec.json.encode(answer))
    except (OSError, RecordError):
        return  # a cache that cannot be written to costs half a second the next time
