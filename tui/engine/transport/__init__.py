"""Weir's own HTTP/1.1 for httpx: each read of a body comes with the instant at which the kernel received it.

Why not httpx's stock transport: its pool walks requests times connections (2,000 streams cost 960 connect
time-outs), a token costs it three times the CPU, and it can only stamp a chunk when a busy loop gets to it.
Why not asyncio's streams: they read before anyone can ask the kernel.

It does no redirects, cookies, decompression, proxies or HTTP/2; `choose.make_transport` picks the stock
transport where one of those is needed. It never sends a request twice and never skips a certificate.
"""

from tui.engine.transport.body import Body, Read
from tui.engine.transport.bounds import raise_file_limit
from tui.engine.transport.choose import Choice, make_transport
from tui.engine.transport.errors import UnreadableReply, causes
from tui.engine.transport.instants import Instants
from tui.engine.transport.pool import MeasuringTransport
from tui.engine.transport.stock import StockTransport
from tui.engine.transport.tls import make_context

__all__ = [
    "Body",
    "Choice",
    "Instants",
    "MeasuringTransport",
    "Read",
    "StockTransport",
    "UnreadableReply",
    "causes",
    "make_context",
    "make_transport",
    "raise_file_limit",
]
