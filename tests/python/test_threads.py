"""Different protocol objects run on many threads; one object may pass from thread to thread."""

from __future__ import annotations

import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, Tuple

import pytest

import embws
from conftest import Run
from embws import ClientProtocol, ServerProtocol, _receiving
from embws._scratch import Scratch
from wire import BINARY, TEXT, frame

THREADS = 8
SECONDS = 50


def converse(number: int) -> int:
    """A whole connection, with messages of many sizes both ways."""
    client = ClientProtocol(f"ws://example.com/{number}", subprotocols=[f"p{number}"])
    server = ServerProtocol()
    server.receive_data(client.data_to_send())
    (request,) = server.events()
    assert isinstance(request, embws.Request) and request.path == f"/{number}"
    server.accept(f"p{number}")
    client.receive_data(server.data_to_send())
    list(client.events())
    assert client.subprotocol == f"p{number}"
    count = 0
    for size in (0, 1, 125, 126, 4000, 65_536, 100_000):
        for one, other in ((client, server), (server, client)):
            text = f"{number} " + "x" * size
            one.send_text(text)
            one.ping(b"%d" % number)
            data = one.data_to_send()
            half = len(data) // 3
            other.receive_data(data[:half])
            other.receive_data(data[half:])
            assert list(other.messages()) == [text]
            one.receive_data(other.data_to_send())
            assert list(one.events()) == [embws.Pong(b"%d" % number)]
            count += 1
    client.close(3000 + number % 1000, str(number))
    server.receive_data(client.data_to_send())
    assert (server.close_code, server.close_reason) == (3000 + number % 1000, str(number))
    return count


@pytest.fixture
def fast_switches() -> Any:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_many_objects_on_eight_threads(fast_switches: None) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(converse, range(200), timeout=SECONDS)) == 200 * 14


def test_one_object_that_passes_from_thread_to_thread(fast_switches: None) -> None:
    """Each thread has its own scratch memory: what one has left there is nobody else's."""
    inboxes: List["queue.Queue[Tuple[embws.ServerProtocol, int]]"] = [queue.Queue() for _ in range(THREADS)]
    done: "queue.Queue[Any]" = queue.Queue()

    def work(index: int) -> None:
        try:
            while True:
                protocol, left = inboxes[index].get(timeout=SECONDS)
                if left < 0:
                    return
                expected = f"message {left}"
                protocol.receive_data(frame(TEXT, expected.encode()))
                assert list(protocol.messages()) == [expected]
                protocol.send_text(expected)
                assert protocol.data_to_send() == frame(TEXT, expected.encode(), mask=False)
                if left == 0:
                    done.put(None)
                else:
                    inboxes[(index + 3) % THREADS].put((protocol, left - 1))
        except BaseException as error:
            done.put(error)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    objects = [ServerProtocol(handshake=False) for _ in range(20)]
    for i, protocol in enumerate(objects):
        inboxes[i % THREADS].put((protocol, 200))
    for _ in objects:
        failure = done.get(timeout=SECONDS)
        assert failure is None, failure
    for inbox in inboxes:
        inbox.put((objects[0], -1))
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("how", ["receive_data", "get_buffer"])
def test_a_finalizer_may_come_while_a_thread_gets_its_memory(how: str) -> None:
    """A collection can come between any two steps of the first call on a thread, and its finalizers use protocol objects."""
    steps, got = 0, []

    def trace(frame_: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        if frame_.f_code is Scratch.__init__.__code__:
            steps += 1
            other = ServerProtocol(handshake=False)
            receive(other, frame(TEXT, b"other"))
            other.send_text("other")
            assert (list(other.messages()), other.data_to_send()) == (["other"], b"\x81\x05other")
            return trace
        return None

    def receive(protocol: ServerProtocol, data: bytes) -> None:
        if how == "receive_data":
            protocol.receive_data(data)
        else:
            protocol.get_buffer()[: len(data)] = data
            protocol.buffer_updated(len(data))

    def work() -> None:
        protocol = ServerProtocol(handshake=False)
        sys.settrace(trace)
        try:
            receive(protocol, frame(TEXT, b"mine"))
        finally:
            sys.settrace(None)
        protocol.send_text("mine")
        got.extend([*protocol.messages(), protocol.data_to_send()])

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(SECONDS)
    assert got == ["mine", b"\x81\x04mine"] and steps > 10


@pytest.mark.parametrize("size", [4, 70_000])
@pytest.mark.parametrize("finish", [True, False])
def test_a_finalizer_may_receive_while_buffer_updated_takes_what_came(size: int, finish: bool) -> None:
    """At each step of it another protocol object gets memory, and receives there."""
    steps, others = 0, []

    def feed(protocol: ServerProtocol, data: bytes) -> None:
        protocol.get_buffer()[: len(data)] = data
        protocol.buffer_updated(len(data))

    def trace(frame_: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        if frame_.f_code.co_filename == _receiving.__file__ and frame_.f_code.co_name.startswith("_"):
            steps += 1
            other = ServerProtocol(handshake=False)
            feed(other, frame(BINARY, b"X" * size))
            others.append(list(other.messages()))
            return trace
        return None

    protocol = ServerProtocol(handshake=False)
    for data in [frame(BINARY, b"A" * size, fin=finish)] + [frame(0, b"A" * size)] * (not finish):
        protocol.get_buffer()[: len(data)] = data
        sys.settrace(trace)
        try:
            protocol.buffer_updated(len(data))
        finally:
            sys.settrace(None)
    assert list(protocol.messages()) == [b"A" * size * (1 if finish else 2)]
    assert steps > 4 and others == [[b"X" * size]] * steps


def test_two_threads_take_turns_with_a_lock(fast_switches: None) -> None:
    protocol, lock = ServerProtocol(handshake=False), threading.Lock()

    def send(letter: str) -> None:
        for i in range(2000):
            with lock:
                protocol.send_text(f"{letter}{i}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, "ab", timeout=SECONDS))
    peer = ClientProtocol(None)
    peer.receive_data(protocol.data_to_send())
    messages = list(peer.messages())
    for letter in "ab":
        assert [message for message in messages if message[0] == letter] == [f"{letter}{i}" for i in range(2000)]


def test_an_object_that_its_thread_has_left_behind_goes_on() -> None:
    """The scratch memory of a thread goes with it; what is in the object does not depend on it."""
    kept: List[ServerProtocol] = []

    def begin() -> None:
        protocol = ServerProtocol(handshake=False)
        protocol.receive_data(frame(TEXT, b"of a thread that is gone"))
        protocol.send_binary(bytes(100))
        kept.append(protocol)

    for _ in range(50):
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join(SECONDS)
    for protocol in kept:
        assert list(protocol.messages()) == ["of a thread that is gone"]
        assert protocol.data_to_send() == b"\x82\x64" + bytes(100)


#: Two threads send through one object and receive with another, without a lock. What comes of it is theirs to explain, but
#: it is an exception or wrong data, and no crash.
CROWD = """
import sys, threading
import embws

sys.setswitchinterval(1e-6)
server, client = embws.ServerProtocol(handshake=False, max_size=None), embws.ClientProtocol(None, max_size=None)

def crowd(letter):
    for i in range(3000):
        try:
            server.send_text(letter * (i % 300))
            client.receive_data(server.data_to_send())
            for _ in client.messages():
                pass
        except Exception:
            pass

threads = [threading.Thread(target=crowd, args=(letter,)) for letter in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("alive")
"""


def test_two_threads_at_once_are_misuse_that_crashes_nothing(run_python: Run) -> None:
    done = run_python(CROWD)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stdout + done.stderr
