"""The command line of the package with pipes at its ends: when it waits, when it ends, and with what status."""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal
import socket
import ssl
import subprocess
import sys
from typing import Any, Iterator, List, Optional, Tuple, Union

import pytest

import embws
from embws import Close, Data, ServerProtocol

SECONDS = 30
#: Longer than the command line waits when all seems to have been said.
LONG = 1.5

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no pty, and there are no signals")


class Peer:
    """A server for one connection, which the test plays step by step."""

    def __init__(self, context: Optional[ssl.SSLContext] = None) -> None:
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(SECONDS)
        self.port: int = self.listener.getsockname()[1]
        self.uri = f"{'wss' if context else 'ws'}://127.0.0.1:{self.port}/"
        self.sock: socket.socket
        self.found: List[Any] = []

    def accept(self, first: str = "") -> None:
        """Accepts the connection and the upgrade, and sends a message with that, if there is one."""
        self.sock, _ = self.listener.accept()
        self.sock.settimeout(SECONDS)
        if self.context is not None:
            self.sock = self.context.wrap_socket(self.sock, server_side=True)
        self.protocol = ServerProtocol(max_size=None)
        assert isinstance(self.next(), embws.Request)
        self.protocol.accept()
        if first:
            self.protocol.send_text(first)
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.protocol.data_to_send())

    def next(self) -> Any:
        """Waits for the next event; None at the end of the transport."""
        while not self.found:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.protocol.receive_data(data)
            self.found += self.protocol.events()
            self.flush()
        return self.found.pop(0)

    def line(self) -> Union[str, bytes]:
        """Waits for a message that has come in a piece."""
        event = self.next()
        assert isinstance(event, Data) and event.whole, event
        return event.data

    def say(self, text: str) -> None:
        self.protocol.send_text(text)
        self.flush()

    def close(self, code: int, reason: str = "") -> None:
        self.protocol.close(code, reason)
        self.flush()

    def silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return not self.found and not select.select([self.sock], [], [], seconds)[0]

    def gone(self) -> None:
        """Ends the transport without a word."""
        self.sock.close()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.listener.close()
        if hasattr(self, "sock"):
            self.sock.close()


@contextlib.contextmanager
def client(uri: str, *options: str, **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs the command line, with pipes if nothing else is said."""
    command = [sys.executable, "-W", "error", "-m", "embws", uri, *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    process = subprocess.Popen(command, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def write(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def end_input(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None


def refused(*arguments: str) -> str:
    """What the command line says of arguments that it refuses."""
    command = [sys.executable, "-W", "error", "-m", "embws", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# -- When it ends -----------------------------------------------------------------------------------------------------


def test_replies_that_take_their_time_are_waited_for() -> None:
    with Peer() as peer, client(peer.uri) as process:
        write(process, b"one\ntwo\n")
        end_input(process)
        peer.accept()
        assert (peer.line(), peer.line()) == ("one", "two")
        for reply in ("first", "second"):
            assert peer.silent(LONG), f"it did not wait for the {reply} reply"
            peer.say(reply)
        assert peer.next() == Close(1000, "")
        peer.gone()
        said, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (0, b"first\nsecond\n"), errors


def test_wait_bounds_how_long_a_reply_may_take() -> None:
    with Peer() as peer, client(peer.uri, "--wait", "0.1") as process:
        write(process, b"one\n")
        end_input(process)
        peer.accept()
        assert peer.line() == "one"
        assert peer.next() == Close(1000, "")
        peer.gone()
        said, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (0, b""), errors


def test_wait_holds_when_a_reply_has_come_too() -> None:
    with Peer() as peer, client(peer.uri, "--wait", "4") as process:
        write(process, b"one\n")
        end_input(process)
        peer.accept()
        assert peer.line() == "one"
        peer.say("first")
        assert peer.silent(LONG)
        peer.say("second")
        peer.close(1000)
        said, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (0, b"first\nsecond\n"), errors


def test_a_last_line_may_have_no_end_and_any_line_any_length() -> None:
    with Peer() as peer, client(peer.uri, "--wait", "0") as process:
        peer.accept()
        long = "x" * 300_000
        write(process, f"{long}\r\n\nlast".encode() + b"\xff")
        end_input(process)
        found = ""
        while len(found) < len(long):
            event = peer.next()
            assert isinstance(event, Data) and event.text
            found += event.data if isinstance(event.data, str) else event.data.decode()
        assert (found, peer.line(), peer.line()) == (long, "", b"last\xff")
        assert peer.next() == Close(1000, "")


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_a_close_before_the_end_of_the_pipe_is_told_at_once(code: int) -> None:
    with Peer() as peer, client(peer.uri) as process:
        write(process, b"one\n")
        peer.accept()
        assert peer.line() == "one"
        peer.close(code, "enough")
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert f"Close {code} enough" in errors and "before the end of the input" in errors


def test_a_close_after_the_end_of_the_pipe_is_in_order() -> None:
    for code, status in ((1001, 0), (4000, 1)):
        with Peer() as peer, client(peer.uri, "--quiet") as process:
            write(process, b"one\n")
            end_input(process)
            peer.accept()
            assert peer.line() == "one"
            peer.close(code, "bye")
            said, errors = process.communicate(timeout=SECONDS)
            assert process.returncode == status
            assert errors == (b"" if status == 0 else b"! Close 4000 bye\n")


def test_a_connection_that_is_lost_is_told_at_once() -> None:
    with Peer() as peer, client(peer.uri) as process:
        write(process, b"one\n")
        peer.accept()
        assert peer.line() == "one"
        peer.gone()
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None and b"lost: no Close came (1006)" in process.stderr.read()


def test_a_server_that_breaks_a_rule_is_told_so_and_we_are_too() -> None:
    with Peer() as peer, client(peer.uri) as process:
        peer.accept()
        peer.sock.sendall(b"\x83\x00")  # an opcode that there is not
        assert peer.next() == Close(1002, "")
        peer.gone()
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None
        errors = process.stderr.read()
        assert b"broke a rule" in errors and b"closed with 1002" in errors and b"1006" not in errors


def test_it_ends_when_nobody_reads_what_it_prints() -> None:
    with Peer() as peer, client(peer.uri) as process:
        peer.accept()
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        peer.say("hello")
        assert peer.next() == Close(1000, "")
        peer.gone()
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None and b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_in_order(number: signal.Signals) -> None:
    with Peer() as peer, client(peer.uri) as process:
        write(process, b"one\n")
        peer.accept()
        assert peer.line() == "one"
        process.send_signal(number)
        assert peer.next() == Close(1000, "")
        peer.gone()
        assert process.wait(SECONDS) == 128 + number


def test_a_server_that_does_not_answer_is_given_up_after_the_timeout() -> None:
    with Peer() as peer, client(peer.uri, "--timeout", "0.2") as process:
        said, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 1
        assert errors.decode() == f"! cannot connect to {peer.uri}: no answer within 0.2 s\n"


# -- Large messages ---------------------------------------------------------------------------------------------------


def test_a_message_in_many_pieces_takes_linear_time(tmp_path: pathlib.Path) -> None:
    pieces = 1 << 17  # to copy all that has come with each of them would move a terabyte
    out = tmp_path / "out"
    with Peer() as peer, open(out, "wb") as file, client(peer.uri, stdout=file) as process:
        end_input(process)
        peer.accept()
        piece = b"\x7e\x00\x80" + b"x" * 128
        peer.sock.sendall(b"\x01" + piece + (b"\x00" + piece) * (pieces - 2) + b"\x80" + piece)
        assert peer.next() == Close(1000, "")
        peer.gone()
        assert process.wait(SECONDS) == 0
        assert out.read_bytes() == b"x" * 128 * pieces + b"\n"


def test_binary_data_is_shown_by_its_beginning() -> None:
    with Peer() as peer, client(peer.uri, "--wait", "0.1") as process:
        peer.accept()
        peer.protocol.send_binary(bytes(range(40)), fin=False)
        peer.protocol.send_continuation(bytes(60))
        peer.protocol.send_binary(b"")
        peer.close(1000)
        end_input(process)
        said, errors = process.communicate(timeout=SECONDS)
        shown = (bytes(range(40)) + bytes(24)).hex(" ")
        assert said.decode() == f"(100 bytes) {shown} ...\n(0 bytes)\n"


def test_the_size_of_a_message_has_a_limit() -> None:
    for options, header in ((("--max-size", "1000"), b"\x81\x7e\x03\xe9"), ((), b"\x81\x7f\0\0\0\0\x04\0\0\1")):
        with Peer() as peer, client(peer.uri, *options) as process:
            peer.accept()
            peer.sock.sendall(header)
            close = peer.next()
            assert isinstance(close, Close) and close.code == 1009
            peer.gone()
            assert process.wait(SECONDS) == 1
            assert process.stderr is not None and b"closed with 1009" in process.stderr.read()


def test_much_goes_both_ways_at_once() -> None:
    """A server that sends all before it reads is served by who sends and receives at once, and hangs who does not."""
    lines, line = 40, "y" * (1 << 18)
    with Peer() as peer, client(peer.uri, "--wait", "0.1", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        peer.accept()
        feeder = subprocess.Popen(
            [sys.executable, "-c", f"for _ in range({lines}): print('y' * {len(line)})"], stdout=process.stdin
        )
        end_input(process)
        for _ in range(lines):
            peer.say(line)
        received = 0
        while isinstance(event := peer.next(), Data):
            received += len(event.data)
        assert event == Close(1000, "") and received == lines * len(line)
        peer.gone()
        assert feeder.wait(SECONDS) == 0 and process.wait(SECONDS) == 0


def test_a_pipe_gets_control_characters_as_they_are() -> None:
    text = "\x1b[31mred\x07\x9b\r\n\tend"
    with Peer() as peer, client(peer.uri) as process:
        end_input(process)
        peer.accept()
        peer.say(text)
        peer.close(4000, "\x1b[32m")
        said, errors = process.communicate(timeout=SECONDS)
        assert said.decode() == f"{text}\n" and b"Close 4000 \x1b[32m\n" in errors


# -- Arguments --------------------------------------------------------------------------------------------------------

URI = "ws://127.0.0.1:1/"


@pytest.mark.parametrize("value", ["1e300", "nan", "inf", "-1", "soon", ""])
@pytest.mark.parametrize("option", ["--timeout", "--wait", "--max-size"])
def test_a_number_that_cannot_be_is_refused(option: str, value: str) -> None:
    assert f"argument {option}: {value!r} is no number" in refused(URI, option, value)


def test_a_limit_of_nothing_is_refused() -> None:
    assert "argument --timeout: it must be more than 0" in refused(URI, "--timeout", "0")
    assert "argument --max-size" in refused(URI, "--max-size", "0")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--header", "no colon"),
        ("--header", "A B: x"),
        ("--header", "A: x\ny"),
        ("--header", "A: \N{EURO SIGN}"),
        ("--header", "Upgrade: h2c"),
        ("--subprotocol", "a b"),
        ("--subprotocol", ""),
        ("--origin", "http://x\r\ny"),
    ],
)
def test_an_argument_that_cannot_be_sent_is_named_in_one_line(option: str, value: str) -> None:
    said = refused(URI, option, value)
    assert said.count("\n") == 1 and f"{option} {value!r}" in said


def test_of_several_headers_the_wrong_one_is_named() -> None:
    said = refused(URI, "--header", "A: 1", "--header", "B B: 2", "--header", "C: 3")
    assert "--header 'B B: 2'" in said
    assert "--subprotocol 'x'" in refused(URI, "--subprotocol", "x", "--subprotocol", "x")


@pytest.mark.parametrize(
    "uri", ["http://x/", "ws://", "ws://x:99999/", "ws://x/#f", "ws://\x1b[31m/", "x", "ws://[::1"]
)
def test_a_wrong_uri_is_told_in_one_line(uri: str) -> None:
    said = refused(uri)
    assert said.count("\n") == 1 and said.startswith("python -m embws: ") and "\x1b" not in said


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--port", "65536"), "argument --port"),
        (("--port", "-1"), "argument --port"),
        (("--addr", "127.0.0.1:²"), "--addr '127.0.0.1:²'"),
        (("--path", "chat"), "--path 'chat'"),
        (("--path", "/chat?x"), "--path '/chat?x'"),
    ],
)
def test_arguments_of_the_demo_that_cannot_be_are_refused(options: Tuple[str, ...], names: str) -> None:
    assert names in refused("serve", *options)


def test_a_host_that_cannot_be_is_told_in_one_line() -> None:
    command = [sys.executable, "-m", "embws", "serve", "--port", "0", "--host", "x" * 70]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1 and done.stderr.startswith("cannot listen on") and done.stderr.count("\n") == 1


def test_help_tells_what_the_options_and_the_status_mean() -> None:
    command = [sys.executable, "-m", "embws", "--help"]
    said = " ".join(subprocess.run(command, capture_output=True, text=True, timeout=SECONDS).stdout.split())
    for part in ("--wait SECONDS", "10 seconds", "--max-size BYTES", "67108864", "Exit status: 0", "130 for Ctrl-C"):
        assert part in said


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_a_certificate_that_is_not_trusted_is_told_in_one_line(tmp_path: pathlib.Path) -> None:
    trustme = pytest.importorskip("trustme", reason="trustme, which makes certificates, is not installed")
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    with Peer(context) as peer, client(peer.uri) as process:
        with pytest.raises((ssl.SSLError, OSError)):
            peer.accept()
        _, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 1 and errors.count(b"\n") == 1
        assert b"certificate is not trusted" in errors and b"--insecure" in errors
    for options in (("--ca", str(file)), ("--insecure",)):
        with Peer(context) as peer, client(peer.uri, "--quiet", *options) as process:
            write(process, b"one\n")
            end_input(process)
            peer.accept()
            assert peer.line() == "one"
            peer.say("two")
            assert peer.next() == Close(1000, "")
            peer.gone()
            said, errors = process.communicate(timeout=SECONDS)
            assert (process.returncode, said, errors) == (0, b"two\n", b"")
    said = refused("wss://127.0.0.1:1/", "--ca", str(tmp_path / "none"))
    assert said.count("\n") == 1 and f"--ca '{tmp_path / 'none'}'" in said
