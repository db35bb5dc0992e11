"""The command line of the package in a terminal: what stands on the screen, and how it ends."""

from __future__ import annotations

import codecs
import contextlib
import importlib.util
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from typing import Any, Callable, Iterator, List

import pytest
from test_cli import SECONDS, Peer

from embws import Close, Ping

if os.name != "nt":
    import fcntl
    import pty
    import termios

HAS_READLINE = importlib.util.find_spec("readline") is not None

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no pty")

#: What a program writes to a terminal: a sequence that begins with ESC, or a character.
SEQUENCE = re.compile(r"\x1b\[([?>]?)([\d;]*)([@-~])|\x1b([78=>])|\x1b[()](.)|([^\x1b])", re.S)


class Terminal:
    """A terminal with a program in it: a pseudo-terminal, and as much of a screen as lines and their editing need."""

    def __init__(self, width: int = 80, height: int = 24, kind: str = "xterm") -> None:
        self.kind = kind
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.width, self.height = width, height
        self.cells: List[List[str]] = [[] for _ in range(height)]
        self.row = self.column = 0
        self.saved = (0, 0)
        self.wraps = True
        self.raw = b""  # all that was written
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.rest = ""  # of a sequence that has not come in whole

    def run(self, *command: str, **streams: Any) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "TERM": self.kind, "INPUTRC": "/dev/null", "LC_ALL": "C.UTF-8"}
        ends = {"stdin": self.theirs, "stdout": self.theirs, "stderr": self.theirs, **streams}

        def control() -> None:
            fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)  # so that its Ctrl-C is a signal

        return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=control, **ends)

    def keys(self, text: str) -> None:
        os.write(self.ours, text.encode())

    @property
    def lines(self) -> List[str]:
        """What stands on the screen, without the empty rows at its end."""
        rows = ["".join(row).rstrip() for row in self.cells]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def read(self, seconds: float) -> bool:
        """Takes what comes within so many seconds; returns whether something did."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.ours, 65536)
        except OSError:  # the last who had it open has gone
            return False
        self.raw += data
        self.show(self.decoder.decode(data))
        return bool(data)

    def wait(self, wanted: Callable[["Terminal"], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not wanted(self):
            assert self.read(max(0, end - time.monotonic())), (self.lines, self.column, self.raw[-500:])

    def expect(self, *lines: str) -> None:
        """Waits until these are the last rows of the screen, with the cursor at the end of the last."""
        self.wait(lambda _: self.lines[-len(lines) :] == [line.rstrip() for line in lines])
        self.wait(lambda _: (self.row, self.column) == (len(self.lines) - 1, len(lines[-1])))

    def ended(self, process: "subprocess.Popen[bytes]") -> int:
        """Waits for the end of the program, and takes the rest of what it has written."""
        status = process.wait(SECONDS)
        while self.read(0):
            pass
        return status

    def restored(self) -> bool:
        """Whether the terminal is as it was, with the cursor where a shell's prompt belongs."""
        return termios.tcgetattr(self.theirs) == self.before and self.column == 0 and len(self.lines) <= self.row

    def show(self, text: str) -> None:
        text = self.rest + text
        at = 0
        while found := SEQUENCE.match(text, at):
            at = found.end()
            private, numbers, kind, short, _, character = found.groups()
            if character is not None:
                self.character(character)
            elif short == "7":
                self.saved = self.row, self.column
            elif short == "8":
                self.row, self.column = self.saved
            elif private == "?" and numbers == "7":
                self.wraps = kind == "h"
            elif kind is not None and not private:
                self.control(kind, int(numbers.partition(";")[0] or 0))
        self.rest = text[at:]

    def character(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
            if self.row == self.height:
                self.row -= 1
                self.cells = [*self.cells[1:], []]
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character >= " ":
            if self.column == self.width:
                assert self.wraps, "a row is too long"
                self.column = 0
                self.character("\n")
            row = self.cells[self.row]
            row.extend(" " * (self.column + 1 - len(row)))
            row[self.column] = character
            self.column += 1
        else:
            assert character == "\x07", f"{character!r} reached the terminal"

    def control(self, kind: str, number: int) -> None:
        row, count = self.cells[self.row], max(1, number)
        if kind == "A":
            self.row = max(0, self.row - count)
        elif kind == "B":
            self.row = min(self.height - 1, self.row + count)
        elif kind == "C":
            self.column = min(self.width - 1, self.column + count)
        elif kind == "D":
            self.column = max(0, self.column - count)
        elif kind == "G":
            self.column = count - 1
        elif kind == "K":
            assert number == 0
            del row[self.column :]
        elif kind == "J":
            assert number == 0
            del row[self.column :]
            self.cells[self.row + 1 :] = [[] for _ in self.cells[self.row + 1 :]]
        elif kind == "L":
            self.cells[self.row : self.row] = [[] for _ in range(count)]
            del self.cells[self.height :]
        elif kind == "P":
            del row[self.column : self.column + count]
        elif kind == "@":
            row.extend(" " * (self.column - len(row)))
            row[self.column : self.column] = " " * count
        else:
            assert kind in "mhl", f"ESC [ {number} {kind} is not known to this terminal"


@contextlib.contextmanager
def talking(
    terminal: Terminal, peer: Peer, *options: str, first: str = "", **streams: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs the command line in a terminal, connected to the peer."""
    command = [sys.executable, "-W", "error", "-m", "embws", peer.uri, *options]
    process = terminal.run(*command, **streams)
    try:
        peer.accept(first)
        yield process
    finally:
        process.kill()
        process.wait(SECONDS)
        os.close(terminal.theirs)
        os.close(terminal.ours)


def test_what_is_typed_stands_below_what_comes() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer):
        connected = f"! connected to {peer.uri}"
        terminal.expect(connected, "> ")
        terminal.keys("one\r")
        assert peer.line() == "one"
        terminal.expect(connected, "> one", "> ")
        peer.say("two")
        terminal.expect(connected, "> one", "< two", "> ")
        terminal.keys("hel")
        terminal.expect("< two", "> hel")
        peer.say("three\nlines\r\n\tfour")
        peer.protocol.ping("x")
        peer.flush()
        terminal.expect("< two", "< three", "  lines", "          four", "< Ping 'x' (answered)", "> hel")
        terminal.keys("lo\r")
        terminal.expect("< Ping 'x' (answered)", "> hello", "> ")
        assert peer.next().data == b"x" and peer.line() == "hello"
        assert terminal.raw.count(b"> > ") == 0


def test_a_greeting_does_not_double_the_prompt() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer, first="welcome"):
        terminal.expect(f"! connected to {peer.uri}", "< welcome", "> ")
        assert terminal.lines.count(">") == 1


@pytest.mark.skipif(not HAS_READLINE, reason="this Python has no readline")
def test_the_cursor_stays_where_it_was_in_the_line() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer):
        terminal.expect("> ")
        terminal.keys("hlo\x1b[D\x1b[D")
        terminal.wait(lambda t: t.lines[-1:] == ["> hlo"] and t.column == 3)
        peer.say("news")
        terminal.wait(lambda t: t.lines[-2:] == ["< news", "> hlo"] and t.column == 3)
        terminal.keys("el")
        terminal.wait(lambda t: t.lines[-2:] == ["< news", "> hello"] and t.column == 5)
        terminal.keys("\r")
        assert peer.line() == "hello"
        terminal.expect("> hello", "> ")
        terminal.keys("\x1b[A")  # what was typed before
        terminal.expect("> hello", "> hello")


@pytest.mark.skipif(not HAS_READLINE, reason="this Python has no readline")
def test_a_line_longer_than_a_row_is_kept_together() -> None:
    terminal, line = Terminal(width=40), "".join(f"{n:04}" for n in range(30))
    with Peer() as peer, talking(terminal, peer):
        terminal.expect("> ")
        terminal.keys(line)
        terminal.wait(lambda t: t.lines[-1].endswith("0029"))
        typed, place = terminal.lines[-1], terminal.column
        peer.say("x" * 100)
        terminal.wait(lambda t: t.lines[-1] == typed and t.lines[-2].endswith("x"))
        assert terminal.lines[-4:] == ["< " + "x" * 38, "  " + "x" * 38, "  " + "x" * 24, typed]
        assert terminal.column == place
        terminal.keys("\r")
        assert peer.line() == line


def test_the_prompt_stays_at_the_bottom_of_a_screen_that_scrolls() -> None:
    terminal = Terminal(height=6)
    with Peer() as peer, talking(terminal, peer):
        terminal.expect("> ")
        terminal.keys("typed")
        terminal.expect("> typed")
        for n in range(30):
            peer.say(f"line {n}")
        terminal.expect(*(f"< line {n}" for n in range(25, 30)), "> typed")
        assert terminal.row == 5


def test_a_terminal_that_can_do_nothing_is_not_asked_to() -> None:
    terminal = Terminal(kind="dumb")
    with Peer() as peer, talking(terminal, peer) as process:
        terminal.expect("> ")
        peer.say("news")
        terminal.wait(lambda t: t.lines == [f"! connected to {peer.uri}", "< news"])
        terminal.keys("one\r")
        assert peer.line() == "one"
        peer.close(1000)
        assert terminal.ended(process) == 0
        assert b"\x1b" not in terminal.raw


def test_wide_characters_take_two_columns() -> None:
    terminal = Terminal(width=20)
    with Peer() as peer, talking(terminal, peer, "--quiet"):
        terminal.expect("> ")
        peer.say("\N{CJK UNIFIED IDEOGRAPH-6F22}" * 15 + "e\N{COMBINING ACUTE ACCENT}")
        terminal.wait(lambda t: len(t.lines) == 3)
        assert [len(line) for line in terminal.lines] == [10, 7, 1]


def test_the_server_does_not_steer_the_terminal() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer) as process:
        peer.say("\x1b[31mred\x07\x7f\x9b2J\x00\rback\N{RIGHT-TO-LEFT OVERRIDE}")
        shown = r"< \x1b[31mred\x07\x7f\x9b2J\x00\x0dback\u202e"
        terminal.expect(shown, "> ")
        peer.close(4000, "\x1b]0;title\x07\n! forged")
        assert terminal.ended(process) == 1
        assert terminal.lines[-1] == r"! Close 4000 \x1b]0;title\x07\x0a! forged"


def test_a_pipe_at_one_end_only_lets_nothing_through_to_the_terminal_at_the_other() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer, "--wait", "0.1", stdin=subprocess.DEVNULL) as process:
        peer.say("\x1b[31mred\n\x9b2J")
        peer.close(1000, "\x1b[0m")
        assert terminal.ended(process) == 0
        assert terminal.lines[1:] == [r"\x1b[31mred", r"\x9b2J", r"< Close 1000 \x1b[0m"]
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer, stdout=subprocess.PIPE) as process:
        terminal.keys("one\n")
        assert peer.line() == "one"
        peer.say("\x1b[31mred")
        peer.close(1000)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.read() == b"\x1b[31mred\n"
        assert terminal.ended(process) == 0


# -- The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [(1001, 0, "< Close 1001 enough"), (1000, 0, "< Close 1000 enough"), (4000, 1, "! Close 4000 enough")],
)
@pytest.mark.parametrize("typed", ["", "half a li"])
def test_a_close_of_the_server_ends_it_at_once(code: int, status: int, shown: str, typed: str) -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer) as process:
        terminal.expect("> ")
        terminal.keys(typed)
        terminal.expect(f"> {typed}")
        peer.close(code, "enough")
        assert terminal.ended(process) == status
        assert terminal.lines == [f"! connected to {peer.uri}", shown]
        assert terminal.restored()


def test_a_server_that_breaks_a_rule_ends_it_at_once() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer) as process:
        terminal.expect("> ")
        peer.sock.sendall(b"\x83\x00")
        assert peer.next() == Close(1002, "")
        peer.gone()
        assert terminal.ended(process) == 1
        assert terminal.lines[1].startswith("! the server broke a rule: ")
        assert "closed with 1002" in " ".join(terminal.lines)
        assert terminal.restored()


def test_a_server_that_vanishes_ends_it_at_once() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer) as process:
        terminal.expect("> ")
        peer.gone()
        assert terminal.ended(process) == 1
        assert terminal.lines[1:] == ["! the connection was lost: no Close came (1006)"]
        assert terminal.restored()


@pytest.mark.parametrize(("keys", "status"), [("\x04", 0), ("\x03", 130), ("half\x03", 130), ("/close 4001 bye\r", 0)])
def test_we_end_it_and_no_prompt_is_left(keys: str, status: int) -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer) as process:
        terminal.expect("> ")
        terminal.keys(keys)
        close = peer.next()
        assert isinstance(close, Close)
        peer.gone()
        assert terminal.ended(process) == status
        assert terminal.lines[-1] == f"< Close {close.code}"
        assert ">" not in terminal.lines
        assert terminal.restored()


def test_a_signal_from_elsewhere_restores_the_terminal() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer) as process:
        terminal.expect("> ")
        process.send_signal(signal.SIGTERM)
        assert peer.next() == Close(1000, "")
        peer.gone()
        assert terminal.ended(process) == 143
        assert terminal.restored()


def test_a_second_interrupt_does_not_wait_for_the_server() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer, "--timeout", "600") as process:
        terminal.expect("> ")
        terminal.keys("\x03")
        peer.protocol.receive_data(peer.sock.recv(4096))
        assert list(peer.protocol.events()) == [Close(1000, "")]  # and no answer is sent
        process.send_signal(signal.SIGINT)
        assert terminal.ended(process) == 130
        assert terminal.restored()


def test_commands_and_what_is_wrong_with_them() -> None:
    terminal = Terminal()
    with Peer() as peer, talking(terminal, peer):
        terminal.expect("> ")
        terminal.keys("/ping x\r")
        assert peer.next() == Ping(b"x")
        terminal.expect("< Pong 'x'", "> ")
        for line, answer in (
            ("/nonsense", "! there are /ping, /pong and /close; // begins a line with a slash"),
            ("/close x", "! the close code must be a number: /close 1000 bye"),
            ("/close ²", "! the close code must be a number: /close 1000 bye"),
        ):
            terminal.keys(f"{line}\r")
            terminal.expect(f"> {line}", answer, "> ")
        terminal.keys("/close 999\r")
        terminal.wait(lambda t: t.lines[-2].startswith("! ") and t.lines[-1] == ">")
        terminal.keys("//slash\r")
        assert peer.line() == "/slash"
