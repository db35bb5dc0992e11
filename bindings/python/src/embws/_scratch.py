"""Memory for one call: what arrives, what leaves, and the events.

All connections of a thread share one piece of scratch memory, and an idle connection has none. Nothing stays in it
between two calls of a protocol object, but for the bytes that get_buffer() has asked for.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from ctypes import addressof, byref, sizeof

from ._library import EVENT_SIZE, IO

IN_SIZE = 128 * 1024
OUT_SIZE = 3 * IN_SIZE  # so that the Pongs for any input fit: a client's take three times as much as empty Pings
EVENTS = 1024


class Scratch:
    """An embws_io, with the memory that it tells of."""

    __slots__ = (
        "block",
        "events_view",
        "in_address",
        "in_memory",
        "in_view",
        "io",
        "io_address",
        "io_view",
        "out",
        "out_view",
    )

    def __init__(self) -> None:
        # The events stand right behind the embws_io, so that what a call has found is read at once.
        self.block = ctypes.create_string_buffer(sizeof(IO) + EVENT_SIZE * EVENTS)
        self.io_view = memoryview(self.block).cast("B")
        self.io = IO.from_buffer(self.block)
        self.io.struct_size = sizeof(IO)
        self.io_address = byref(self.io)  # made once: ctypes takes it as it is
        self.in_memory = ctypes.create_string_buffer(IN_SIZE)
        self.in_view = memoryview(self.in_memory).cast("B")
        self.in_address = addressof(self.in_memory)
        self.out = ctypes.create_string_buffer(OUT_SIZE)
        self.out_view = memoryview(self.out).cast("B")
        self.events_view = self.io_view[sizeof(IO) :]
        self.io.events = addressof(self.io) + sizeof(IO)
        self.io.capacity = EVENTS
        self.io.in_ = self.in_address
        self.io.out = addressof(self.out)
        self.io.out_capacity = OUT_SIZE


# Where the results stand in an embws_io, read at once: eaten, out_length, taken, found, state, more, peer_code, sent_code,
# control_length.
RESULTS = struct.Struct("@NNNIIIHHI")
RESULTS_AT = IO.eaten.offset
# The input, written at once: in, in_length.
INPUT = struct.Struct("@PN")
INPUT_AT = IO.in_.offset
CONTROL_AT = IO.control.offset

# What the common case needs, a message in an open connection, in as few numbers as possible: eaten, out_length, found and
# state as one, more with both codes as one, and of the first event start, length, kind, flags.
COMMON = struct.Struct(f"@NN8xQQ{sizeof(IO) - RESULTS_AT - 40}xQ8xIBB")
#: Found and state, when one event was found and the connection is open.
ONE_AND_OPEN: int = struct.unpack("=Q", struct.pack("=II", 1, 3))[0]

assert IO.control_length.offset + 4 == RESULTS_AT + RESULTS.size == CONTROL_AT
assert RESULTS_AT + COMMON.size == sizeof(IO) + EVENT_SIZE - 2


class _Local(threading.local):
    """Each thread's own."""

    def __init__(self) -> None:
        self.scratch = Scratch()


#: ``local.scratch`` is the scratch memory of this thread.
local = _Local()
