"""When bytes arrived, as the kernel saw it. Reads two clocks and one ancillary message; owns no socket.

With SO_TIMESTAMPNS the kernel notes when each packet came in and hands the note over with the bytes, so a
busy event loop does not make answers look slow. The note is wall-clock time; it is turned into the house's
monotonic clock by its age, so that a step of the wall clock cannot shift a whole run.

Source: socket(7) and Linux's Documentation/networking/timestamping.rst. A read that covers several packets
carries the stamp of the last one.
"""

import socket
import struct
import sys
from collections.abc import Sequence
from time import time_ns

from tui.core.clock import NS_PER_S, now_ns

ANCILLARY_BYTES = 64
"""Room for one time stamp's control message (32 bytes on 64-bit Linux), with some to spare."""

OLDEST_NS = 10 * NS_PER_S
"""A stamp older than this is a clock that stepped, not a byte that waited."""

# Python 3.11's socket module has no name for it; asm-generic/socket.h has had 35 since Linux 2.6.22.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")

Ancillary = Sequence[tuple[int, int, bytes]]


def ask_for_stamps(sock: socket.socket) -> bool:
    """Ask the kernel to stamp what `sock` receives; False where it cannot (then stamps are made on reading)."""
    # A 32-bit kernel's timespec is 8 bytes, PA-RISC and SPARC number the option differently.
    if sys.platform != "linux" or struct.calcsize("@l") != 8:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def arrival(ancillary: Ancillary) -> tuple[int, bool]:
    """The instant a read's last byte arrived (monotonic ns), and whether the kernel said so.

    Never later than now. Without a believable stamp it is now: the first packets after the machine's very
    first stamped socket come without one, and a stepped wall clock makes an age negative or absurd.
    """
    now = now_ns()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            whole, part = _TIMESPEC.unpack(data)
            age = time_ns() - (whole * NS_PER_S + part)
            if 0 <= age < OLDEST_NS:
                return now - age, True
    return now, False
