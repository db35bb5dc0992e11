"""embws.sync where a signal handler raises an exception, as Ctrl-C does: nothing is left locked, or half-done and used."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import socket
import threading
import time
from typing import Any, Callable, Iterator, List

import pytest
from test_sync import raw_server, running, until_eof
from test_sync_bounds import WithoutKeeper

import embws
from conftest import Run
from embws.sync import ClientConnection, ServerConnection, connect

SECONDS = 20

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers"),
    # The exception may hit a finalizer, too, where Python tells of it and goes on.
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <function Standing\.__del__:pytest.PytestUnraisableExceptionWarning"
    ),
]


class Interrupt(Exception):
    """What the signal handler raises."""


class Stuck(BaseException):
    """What it raises when the test takes too long: something has been left locked."""


@contextlib.contextmanager
def interrupts() -> Iterator[Callable[[float, Callable[[], Any]], bool]]:
    """Gives what calls a function, interrupts it after so many seconds, and says whether that was before its end."""
    too_late, armed = time.monotonic() + SECONDS, False

    def handle(number: int, frame: Any) -> None:
        # The signal may have been on its way, by another thread, when the timer was set anew.
        if time.monotonic() > too_late:
            raise Stuck
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        if armed:
            raise Interrupt

    def interrupted(after: float, call: Callable[[], Any]) -> bool:
        nonlocal armed
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, after)
            call()
            armed = False
        except BaseException as error:
            armed = False
            if not isinstance(error, Interrupt):
                raise
            return True
        finally:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
        return False

    before = signal.signal(signal.SIGALRM, handle)
    try:
        yield interrupted
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def echo(websocket: ServerConnection) -> None:
    for message in websocket:
        websocket.send(message)


def is_free(websocket: ClientConnection) -> None:
    """Nothing says that a thread is somewhere, and other threads can use the connection."""
    assert not websocket._receiving
    used = threading.Thread(target=lambda: websocket._do(lambda: None), daemon=True)
    used.start()
    used.join(SECONDS)
    assert not used.is_alive()


def test_a_wait_that_is_interrupted_has_no_consequence() -> None:
    with running(echo) as uri, connect(uri) as websocket, interrupts() as interrupted:
        for i in range(20):
            assert interrupted(0.01, websocket.recv)
            assert interrupted(0.01, lambda: websocket.wait_closed(SECONDS))
            is_free(websocket)
            websocket.send(str(i))
            assert websocket.recv(SECONDS) == str(i)
        assert websocket.ping().wait(SECONDS)  # somebody reads
        assert websocket.state is embws.State.OPEN


def test_the_time_out_of_an_alarm_is_not_taken_for_one_of_the_socket() -> None:
    def handle(number: int, frame: Any) -> None:
        raise TimeoutError("alarm")

    with running(echo) as uri, connect(uri, create_connection=WithoutKeeper) as websocket:
        before = signal.signal(signal.SIGALRM, handle)
        try:
            for _ in range(5):
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                with pytest.raises(TimeoutError, match="alarm"):
                    websocket.recv(SECONDS)
        finally:
            signal.signal(signal.SIGALRM, before)
        websocket.send("goes on")
        assert websocket.recv(SECONDS) == "goes on"


def test_an_exception_at_any_point_of_recv_loses_no_message() -> None:
    count, ended = 0, time.monotonic() + 3

    def handler(websocket: ServerConnection) -> None:
        i = 0
        with contextlib.suppress(embws.ConnectionClosed):
            while True:
                websocket.send(str(i))
                i += 1

    with running(handler) as uri, interrupts() as interrupted:
        while time.monotonic() < ended:
            websocket = connect(uri, close_timeout=1)
            found: List[Any] = []

            def receive() -> None:
                while len(found) < 5000:  # noqa: B023
                    found.append(websocket.recv(SECONDS))  # noqa: B023

            with contextlib.suppress(embws.ConnectionClosedError):
                while interrupted(random.uniform(0.00002, 0.01), receive):
                    count += 1
                    is_free(websocket)
            assert found == [str(i) for i in range(len(found))]
            websocket.close()
            assert websocket.socket.fileno() == -1
    assert count > 5


def test_an_exception_at_any_point_of_send_sends_a_message_whole_or_not() -> None:
    count, ended = 0, time.monotonic() + 3
    failures: List[Any] = []

    def handler(websocket: ServerConnection) -> None:
        try:
            for message in websocket:
                assert len(set(message)) == 1 and len(message) in (100, 100_000), "a message is not whole"
        except embws.ConnectionClosedError as closed:
            if websocket.protocol.failure is not None:
                failures.append(closed)

    with running(handler) as uri, interrupts() as interrupted:
        while time.monotonic() < ended:
            websocket = connect(uri, close_timeout=1)
            with contextlib.suppress(embws.ConnectionClosedError):
                for i in range(500):
                    one, size = bytes([i % 256]), 100 if i % 2 else 100_000
                    what: Any = [one * (size // 2)] * 2 if i % 5 == 0 else one * size
                    count += interrupted(random.uniform(0.00002, 0.0003), lambda: websocket.send(what))  # noqa: B023
                    is_free(websocket)
                    assert not websocket._send_lock.locked()
            websocket.close()
            assert websocket.socket.fileno() == -1
    assert count > 5
    assert not failures


def test_an_exception_at_any_point_of_close_leaves_it_to_be_called_again() -> None:
    with running(echo) as uri, interrupts() as interrupted:
        for i in range(200):
            websocket = connect(uri, close_timeout=1)
            interrupted(0.00001 + i * 0.000005, websocket.close)
            is_free(websocket)
            websocket.close()
            assert websocket.wait_closed(SECONDS)
            assert websocket.socket.fileno() == -1


def test_a_send_that_waits_can_be_interrupted_and_the_connection_closed() -> None:
    with raw_server(lambda sock: until_eof(sock) if sock.recv(1, socket.MSG_PEEK) == b"" else time.sleep(0.5)) as uri:
        websocket = connect(uri, close_timeout=0.2)
        with interrupts() as interrupted:
            assert interrupted(0.1, lambda: websocket.send(bytes(64 << 20)))
            is_free(websocket)
            websocket.close()
        assert websocket.wait_closed(0)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of sockets that nobody has got yet when it comes
def test_an_exception_at_any_point_of_the_opening_leaves_no_socket() -> None:
    def descriptors() -> int:
        gc.collect()
        with socket.socket() as probe:
            return sum(1 for fd in range(probe.fileno() + 100) if is_open(fd))

    def is_open(fd: int) -> bool:
        with contextlib.suppress(OSError):
            os.fstat(fd)
            return True
        return False

    before = descriptors()
    with running(echo) as uri, interrupts() as interrupted:
        for i in range(300):
            opened: List[ClientConnection] = []
            interrupted(0.00005 + i * 0.000005, lambda: opened.append(connect(uri, close_timeout=1)))  # noqa: B023
            for websocket in opened:
                websocket.close()
    assert descriptors() == before


#: A client that sends its own process the signal ``number`` when the server at ``uri`` has answered.
SIGNALLING = """
import os, signal, threading
from embws.sync import connect, serve

def echo(websocket):
    for message in websocket:
        websocket.send(message)

def client():
    with connect(uri) as websocket:
        websocket.send("ready")
        assert websocket.recv(10) == "ready"
        os.kill(os.getpid(), number)
        websocket.wait_closed(10)
        print(websocket.close_code)
"""


def test_a_signal_handler_may_shut_the_server_down(run_python: Run) -> None:
    done = run_python(
        SIGNALLING
        + """
number = signal.SIGTERM
with serve(echo, "127.0.0.1", 0) as server:
    uri = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
    signal.signal(signal.SIGTERM, lambda number, frame: server.shutdown())
    thread = threading.Thread(target=client)
    thread.start()
    server.serve_forever()
    thread.join(10)
    assert server.fileno() == -1
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1001\n", "")


def test_a_server_that_is_interrupted_can_be_shut_down(run_python: Run) -> None:
    done = run_python(
        SIGNALLING
        + """
number = signal.SIGINT
try:
    with serve(echo, "127.0.0.1", 0) as server:
        uri = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        thread = threading.Thread(target=client)
        thread.start()
        server.serve_forever()
except KeyboardInterrupt:
    thread.join(10)
    print("interrupted", server.fileno())
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1001\ninterrupted -1\n", "")
