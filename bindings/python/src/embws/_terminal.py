"""What the command line prints, and the lines that it gets: of a terminal, or of pipes and files."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import Any, Iterator, List, Optional

__all__ = ["Screen", "visible"]

# What would steer a terminal, or turn around the text beside it: C0, DEL, C1, and the signs of writing direction.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# The same without tab and newline.
_STEERING_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str, lines: bool = False) -> str:
    """The text with control characters as escapes, such as \\x1b. Tabs and ends of lines are left if ``lines`` is set."""

    def escape(found: "re.Match[str]") -> str:
        code = ord(found[0])
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    if lines:
        return _STEERING_IN_LINES.sub(escape, text.replace("\r\n", "\n"))
    return _STEERING.sub(escape, text)


def rows(text: str, width: int) -> Iterator[str]:
    """The rows of a terminal that a text takes."""
    for line in text.split("\n"):
        line = line.expandtabs()
        if line.isascii():
            yield line[:width]
            for at in range(width, len(line), width):
                yield line[at : at + width]
            continue
        begin = used = 0
        for at, character in enumerate(line):
            wide = unicodedata.east_asian_width(character) in "WF"
            columns = 2 if wide else 0 if unicodedata.combining(character) else 1
            if used + columns > width:
                yield line[begin:at]
                begin, used = at, 0
            used += columns
        yield line[begin:]


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:  # it is closed
        return False


class Screen:
    """Where messages and remarks go. Any thread may print.

    With a terminal at both ends, all goes to it, above the line that is being typed. Else messages go to the standard
    output and remarks to the standard error. A message goes into a pipe as it is; what goes to a terminal has its control
    characters escaped, for the server is not to steer it.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.commands = _is_terminal(sys.stdin)  # a person types the lines
        self.terminal = self.commands and _is_terminal(sys.stdout)
        self.broken = False  # nobody reads the messages any more
        self._above = self.terminal and os.name == "posix" and os.environ.get("TERM") != "dumb"
        self._output, self._errors = self._stream(sys.stdout), self._stream(sys.stderr)
        self._output_is_terminal, self._errors_are = _is_terminal(sys.stdout), _is_terminal(sys.stderr)

    @staticmethod
    def _stream(stream: Any) -> Optional[int]:
        try:
            return int(stream.fileno())
        except (AttributeError, OSError, ValueError):
            return None

    def message(self, text: str) -> None:
        """Prints a message of the server's."""
        if self.terminal:
            self._insert("" if self.quiet else "< ", visible(text, lines=True))
        elif not self._write(self._output, f"{visible(text, lines=True) if self._output_is_terminal else text}\n"):
            self.broken = True

    def remark(self, sign: str, text: str) -> None:
        """Prints what there is to tell beside the messages."""
        if not self.quiet:
            self._remark(sign, text)

    def fault(self, text: str) -> None:
        """Prints what went wrong: that is not left out."""
        self._remark("!", text)

    def _remark(self, sign: str, text: str) -> None:
        if self.terminal:
            self._insert(f"{sign} ", visible(text))
        else:
            self._write(self._errors, f"{sign} {visible(text) if self._errors_are else text}\n")

    def _insert(self, sign: str, text: str) -> None:
        """Prints above the row of the cursor, whatever that row is: empty, a prompt, or a prompt and half a line. The
        cursor is then where it was in its row, so that an editor of lines need not know."""
        if not self._above:
            self._write(self._output, f"\r{sign}{text}\n")
            return
        out: List[str] = []
        for row in rows(text, max(8, self._width() - len(sign))):
            # Save the cursor; have a row below, by scrolling if need be, and insert one here. A row that the terminal finds
            # longer than we do is cut. Restored, the cursor is a row too high, unless that scrolled.
            out.append(f"\x1b7\r\n\x1b[A\x1b[L\x1b[?7l{sign}{row}\x1b[?7h\x1b8\x1b[B")
            sign = " " * len(sign)  # so that what the server says stays its own
            if len(out) == 1000:
                self._write(self._output, "".join(out))
                out.clear()
        self._write(self._output, "".join(out))

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._output or 0).columns or 80
        except OSError:
            return 80

    def _write(self, descriptor: Optional[int], text: str) -> bool:
        """Writes to a file itself: a stream of Python's would be locked by a thread that is stuck in it."""
        if descriptor is None:
            return False
        data = memoryview(text.encode(errors="backslashreplace"))
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            return False
        return True

    # -- Lines ----------------------------------------------------------------------------------------------------

    def edit_lines(self) -> None:
        """Has input() edit lines and remember them, where Python has readline."""
        if not self.terminal:
            return
        try:
            import readline
        except ImportError:
            return
        if "libedit" not in (readline.__doc__ or ""):
            # A line that is longer than a row moves sideways: it never takes a second row, which _insert() would part.
            readline.parse_and_bind("set horizontal-scroll-mode on")

    def line(self) -> str:
        """A line that somebody types; EOFError at the end."""
        if self.terminal:
            return input("> ")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def clear(self) -> None:
        """Takes the prompt away, and what was typed behind it."""
        if self._above:
            self._write(self._output, "\r\x1b[K")
        elif self.terminal:
            self._write(self._output, "\n")
