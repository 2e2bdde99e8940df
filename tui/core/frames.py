"""How messages are cut out of a stream of bytes: four bytes of length (big-endian), then that many of body."""

from tui.core.errors import WeirError

FRAME_LIMIT = 16 << 20
"""Bytes; a longer frame is no frame of ours."""


class FrameError(WeirError):
    """What came over the link is no frame of ours."""


def frame(body: bytes) -> bytes:
    """A message as it travels."""
    return len(body).to_bytes(4, "big") + body


class Frames:
    """Cuts a stream of bytes into the bodies of its frames, however the bytes are split."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """Take in `data`; the bodies that it completes. FrameError on an absurd length."""
        buffer = self._buffer
        buffer += data
        bodies: list[bytes] = []
        start = 0
        while len(buffer) - start >= 4:
            size = int.from_bytes(buffer[start : start + 4], "big")
            if size > FRAME_LIMIT:
                raise FrameError(f"a frame of {size:,} bytes, where {FRAME_LIMIT:,} is the most")
            end = start + 4 + size
            if len(buffer) < end:
                break
            bodies.append(bytes(buffer[start + 4 : end]))
            start = end
        del buffer[:start]
        return bodies
