"""From a host name to a connected socket: every address is tried. Knows nothing of TLS or HTTP.

Source: RFC 8305 ("Happy Eyeballs"): addresses alternate between IPv6 and IPv4, each attempt gets a head
start of 250 ms before the next one joins, and the first to connect wins.
"""

import asyncio
import errno
import ipaddress
import os
import socket
from itertools import chain, zip_longest

import httpx

from tui.engine.transport.errors import place, refused_words

STAGGER_S = 0.25
REMEMBER_S = 5.0
"""How long an answer of the resolver is used again: 1,000 streams started at once are one look-up."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
Address = tuple[socket.AddressFamily, SocketAddress]


class Resolver:
    """Host names to addresses, in the loop's default executor; asks once for those who ask together."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, asyncio.Task[list[Address]]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Every address, best first, IPv6 and IPv4 alternating; httpx.ConnectError when there is none."""
        literal = _literal(host, port)
        if literal is not None:
            return [literal]
        now = asyncio.get_running_loop().time()
        known = self._known.get((host, port))
        if known is None or known[0] < now:
            known = now + REMEMBER_S, asyncio.ensure_future(_look_up(host, port))
            self._known[host, port] = known
        try:
            # Shielded: one caller that gives up must not take the answer from the others.
            return await asyncio.shield(known[1])
        except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters
            self.forget(host, port)
            reason = error.strerror if isinstance(error, OSError) else None
            raise httpx.ConnectError(f"cannot find {host}: {reason or error}") from error

    def forget(self, host: str, port: int) -> None:
        """The answer was no good; ask again the next time."""
        self._known.pop((host, port), None)


async def connect(host: str, port: int, resolver: Resolver) -> socket.socket:
    """A connected, non-blocking socket that the caller owns; httpx.ConnectError when no address answers.

    Has no time-out of its own. However it ends, it leaves no other socket open.
    """
    race = _Race(asyncio.get_running_loop(), await resolver.addresses(host, port))
    try:
        sock = await race.run()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # macOS: EINVAL when the server has closed the connection already
            sock.close()
            raise
        return sock
    except OSError as error:
        resolver.forget(host, port)
        raise httpx.ConnectError(refused_words(place(host, port), error)) from error


class _Race:
    """Connection attempts that start one after the other and run side by side."""

    def __init__(self, loop: asyncio.AbstractEventLoop, addresses: list[Address]) -> None:
        self._loop = loop
        self._left = addresses[::-1]
        self._running: set[socket.socket] = set()
        self._winner: socket.socket | None = None
        self._error = OSError("no address to connect to")
        self._over: asyncio.Future[None] = loop.create_future()
        self._stagger: asyncio.TimerHandle | None = None

    async def run(self) -> socket.socket:
        winner = None
        try:
            self._start_next()
            await self._over
            winner = self._winner
        finally:
            # A cancelled task gets here with a winner that nobody will use.
            if winner is None and self._winner is not None:
                self._winner.close()
            self._stop()
        if winner is None:
            raise self._error
        return winner

    def _start_next(self) -> None:
        """Start the next address that can be started; the race is over when none is left or running."""
        if self._stagger is not None:
            self._stagger.cancel()
            self._stagger = None
        while self._left and self._winner is None:
            family, address = self._left.pop()
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:
                self._error = error
                continue
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code == 0:
                self._win(sock)
            elif code == errno.EINPROGRESS:
                self._running.add(sock)
                self._loop.add_writer(sock.fileno(), self._on_writable, sock)
                if self._left:
                    self._stagger = self._loop.call_later(STAGGER_S, self._start_next)
                return
            else:
                sock.close()
                self._error = OSError(code, os.strerror(code))
        if not self._running and not self._over.done():
            self._over.set_result(None)

    def _on_writable(self, sock: socket.socket) -> None:
        self._loop.remove_writer(sock.fileno())
        self._running.discard(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            self._win(sock)
        else:
            sock.close()
            self._error = OSError(code, os.strerror(code))
            self._start_next()

    def _win(self, sock: socket.socket) -> None:
        self._winner = sock
        self._stop()
        if not self._over.done():
            self._over.set_result(None)

    def _stop(self) -> None:
        if self._stagger is not None:
            self._stagger.cancel()
        for sock in self._running:
            self._loop.remove_writer(sock.fileno())
            sock.close()
        self._running.clear()


def _literal(host: str, port: int) -> Address | None:
    """The address that `host` spells out; None when it is a name."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if "%" in host:  # a scope ("fe80::1%eth0") is the resolver's to turn into a number
        return None
    return (socket.AF_INET, (host, port)) if version == 4 else (socket.AF_INET6, (host, port, 0, 0))


async def _look_up(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    # (int, bytes) is the address of a family that this Python cannot use.
    addresses: list[Address] = [(info[0], info[4]) for info in found if isinstance(info[4][0], str)]
    if not addresses:
        raise OSError("the resolver gave no usable address")
    first = addresses[0][0]
    mine = [address for address in addresses if address[0] == first]
    others = [address for address in addresses if address[0] != first]
    return [address for address in chain(*zip_longest(mine, others)) if address is not None]
