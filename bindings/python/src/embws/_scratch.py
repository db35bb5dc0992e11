"""Memory for one call: what arrives, what leaves, and the events.

All connections of a thread share scratch memory, and an idle connection has none. Nothing stays in it between two calls of
a protocol object, but for the bytes that get_buffer() has asked for, which have memory of their own. A finalizer or a signal
handler may use a protocol object within a call of another: it finds the memory busy, and takes some of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import struct
import threading
from ctypes import addressof, byref, sizeof
from typing import Any, Iterator

from ._library import EVENT_SIZE, IO, Batch

IN_SIZE = 128 * 1024
OUT_SIZE = 3 * IN_SIZE  # so that the Pongs for any input fit: a client's take three times as much as empty Pings
EVENTS = 1024
#: The longest message that comes in a batch: longer ones are copied once, and not twice.
LONGEST = 8 * 1024
LIST_SIZE = IN_SIZE + 5 * EVENTS + 5
PAGE = mmap.PAGESIZE
#: How memory is not shared with a child of os.fork().
PRIVATE: Any = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}


class Scratch:
    """An embws_io, with the memory that it tells of."""

    __slots__ = (
        "batch",
        "batch_address",
        "busy",
        "events_view",
        "in_address",
        "in_view",
        "io",
        "io_address",
        "io_view",
        "list_view",
        "number",
        "out",
        "out_view",
        "sizes",
    )

    def __init__(self) -> None:
        # Pages of it that were never written to cost no memory. The events stand right behind the embws_io, so that what
        # a call has found is read at once.
        sizes = sizeof(IO) + EVENT_SIZE * EVENTS, IN_SIZE, OUT_SIZE, LIST_SIZE
        starts = [sum(-(-size // PAGE) * PAGE for size in sizes[:i]) for i in range(len(sizes))]
        memory = mmap.mmap(-1, starts[-1] + sizes[-1], **PRIVATE)
        block, self.in_view, out, self.list_view = (
            memoryview(memory)[start : start + size] for start, size in zip(starts, sizes, strict=True)
        )
        self.io_view = block
        self.io = IO.from_buffer(memory)
        self.io_address = byref(self.io)  # made once: ctypes takes it as it is
        address = addressof(self.io)
        self.in_address = address + starts[1]
        self.out_view = out
        self.out: Any = (ctypes.c_char * OUT_SIZE).from_buffer(memory, starts[2])
        self.events_view = block[sizeof(IO) :]
        self.sizes = block[: sizeof(IO)].cast("P")  # out_length is self.sizes[OUT_LENGTH]
        self.io.struct_size = sizeof(IO)
        self.io.events, self.io.capacity = address + sizeof(IO), EVENTS
        self.io.in_ = self.in_address
        self.io.out, self.io.out_capacity = address + starts[2], OUT_SIZE
        self.batch = Batch(
            struct_size=sizeof(Batch),
            longest=LONGEST,
            io=address,
            in_=self.in_address,
            in_capacity=IN_SIZE,
            list=address + starts[3],
            list_capacity=LIST_SIZE,
        )
        self.batch_address = byref(self.batch)
        self.number = ctypes.c_uint64()  # an argument that is longer than a C int
        self.busy = False


# Where the results stand in an embws_io, read at once: eaten, out_length, taken, found, state, more, peer_code, sent_code,
# control_length.
RESULTS = struct.Struct("@NNNIIIHHI")
RESULTS_AT = IO.eaten.offset
# The input, written at once: in, in_length.
INPUT = struct.Struct("@PN")
INPUT_AT = IO.in_.offset
CONTROL_AT = IO.control.offset
OUT_LENGTH = IO.out_length.offset // struct.calcsize("P")

# What the common case needs, a message in an open connection, in as few numbers as possible: eaten, out_length, found and
# state as one, more with both codes as one, and of the first event start, length, kind, flags.
COMMON = struct.Struct(f"@NN8xQQ{sizeof(IO) - RESULTS_AT - 40}xQ8xIBB")
#: Found and state, when one event was found and the connection is open.
ONE_AND_OPEN: int = struct.unpack("=Q", struct.pack("=II", 1, 3))[0]

assert IO.control_length.offset + 4 == RESULTS_AT + RESULTS.size == CONTROL_AT
assert RESULTS_AT + COMMON.size == sizeof(IO) + EVENT_SIZE - 2


class _Own:
    """Memory of the thread that asks, made when it asks first. A finalizer or a signal handler can come while it is being
    made, and asks for the same: what is ready first stays, so that one thread never has two. (An instance's own attributes
    come before this one of its class, which costs nothing from then on.)"""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, local: Any, owner: type) -> Scratch:
        made = Scratch()
        kept: Scratch = local.__dict__.setdefault(self._name, made)
        return kept


class _Local(threading.local):
    """Each thread's own."""

    #: The scratch memory of this thread.
    scratch = _Own()
    #: The memory that get_buffer() gives.
    inbox: Any = _Own()


local = _Local()


def inbox() -> Scratch:
    """The thread's memory to receive into. While buffer_updated() takes what is in it, it is busy, and the thread gets
    other memory: a finalizer or a signal handler that receives then leaves those bytes alone."""
    memory: Scratch = local.inbox
    if memory.busy:
        memory = local.inbox = Scratch()
    return memory


@contextlib.contextmanager
def borrowed() -> Iterator[Scratch]:
    """Scratch memory for a call. (Where each nanosecond counts these lines are written out.)"""
    scratch = local.scratch
    if scratch.busy:
        scratch = Scratch()
    try:
        scratch.busy = True
        yield scratch
    finally:
        scratch.busy = False
