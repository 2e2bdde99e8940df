"""When the steps of one exchange happened. Values only."""

import msgspec


class Instants(msgspec.Struct):
    """When the steps of one exchange happened (monotonic ns)."""

    connected_at: int
    """The connection was ready, TLS included; long before the request when it is reused."""
    reused: bool
    """The connection had served an earlier request."""
    written_at: int | None = None
    """The request's last byte was handed to the kernel; None when the server answered before it could be."""
    headers_at: int = 0
    """The read that completed the headers arrived."""
