"""``python -m embws URI``: an interactive client, over the protocol without I/O.

One thread reads from the socket and prints; the main one reads lines and sends. A lock goes with the protocol object.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
from typing import Any, Iterator, Optional, Union

from .events import Close, Data, Event, Ping, Pong
from .exceptions import ConnectionClosed, EmbwsError, InvalidStatus
from .http import Headers, Response
from .protocol import ClientProtocol, State

__all__ = ["Client"]

#: After the last line of a pipe, how long nothing must come back before the connection is closed, in seconds.
QUIET = 0.5


class Client:
    """A connection with a terminal, or a pipe, at our end."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.interactive = sys.stdin is not None and sys.stdin.isatty()
        self.mute = False  # nobody reads what is printed
        self.lock = threading.Lock()
        self.heard = time.monotonic()
        self.parts = b""  # of a message that comes in pieces
        self.editor: Any = None

    # -- The connection -------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Connects, talks, closes; returns the exit status."""
        options = self.options
        headers = Headers(tuple(part.strip() for part in field.split(":", 1)) for field in options.header)
        try:
            self.protocol = ClientProtocol(
                options.uri,
                origin=options.origin,
                subprotocols=options.subprotocol,
                additional_headers=headers,
                max_size=None,
            )
            self.socket = self.dial()
            try:
                self.open()
            except BaseException:
                self.socket.close()
                raise
        except InvalidStatus as refusal:
            self.say("!", f"refused: HTTP {refusal.response.status_code}")
            body = refusal.response.body.decode(errors="replace").strip()
            if body:
                self.say("!", body)
            return 1
        except (EmbwsError, ValueError, OSError) as error:
            self.say("!", f"cannot connect to {options.uri}: {error}")
            return 1
        with self.socket:
            reader = threading.Thread(target=self.read, name="embws reader", daemon=True)
            reader.start()
            try:
                self.talk()
            except KeyboardInterrupt:
                print(file=sys.stderr)
            self.close(reader)
        code = self.protocol.close_code
        if self.mute:
            return 1
        return 0 if code in (1000, 1001, 1005) else 1

    def dial(self) -> socket.socket:
        uri = self.protocol.uri
        assert uri is not None
        plain = socket.create_connection((uri.host, uri.port), self.options.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not uri.secure:
            return plain
        import ssl

        context = ssl.create_default_context(cafile=self.options.ca)
        if self.options.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            return context.wrap_socket(plain, server_hostname=uri.host)
        except OSError:
            plain.close()
            raise

    def open(self) -> None:
        """The opening handshake."""
        self.flush()
        while self.protocol.state is State.CONNECTING:
            data = self.socket.recv(65536)
            if data:
                self.protocol.receive_data(data)
            else:
                self.protocol.receive_eof()
            for event in self.protocol.events():
                self.show(event)
        self.socket.settimeout(None)

    def flush(self) -> None:
        data = self.protocol.data_to_send()
        if data:
            self.socket.sendall(data)

    def read(self) -> None:
        """The life of the reading thread."""
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                data = b""
            with self.lock:
                if data:
                    self.protocol.receive_data(data)
                else:
                    self.protocol.receive_eof()
                try:
                    for event in self.protocol.events():
                        self.show(event)
                except EmbwsError as failure:
                    self.say("!", str(failure))
                try:
                    self.flush()
                except OSError:
                    pass
                if not data or self.protocol.state is State.FAILED:
                    break
        if self.protocol.close_code == 1006:
            self.say("!", "the connection was lost: no Close came (1006)")
        if self.interactive and self.protocol.sent_code is None:
            self.say("!", "press Enter to leave")

    def close(self, reader: threading.Thread) -> None:
        """The closing handshake."""
        with self.lock:
            try:
                self.protocol.close()
                self.flush()
            except (EmbwsError, OSError):
                pass
        reader.join(self.options.timeout)
        if reader.is_alive():
            self.say("!", f"the server has not closed within {self.options.timeout:g} s")
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            reader.join(1)

    # -- What is typed --------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[Union[str, bytes]]:
        if not self.interactive:
            for data in sys.stdin.buffer if sys.stdin is not None else ():
                line = data.rstrip(b"\r\n")
                try:
                    yield line.decode()
                except UnicodeDecodeError:
                    yield line  # no text, so it goes out as binary data
            return
        try:
            import readline  # arrow keys and history, where there is such a thing

            self.editor = readline
        except ImportError:
            pass
        while True:
            try:
                yield input("> ")
            except EOFError:
                print()
                return

    def talk(self) -> None:
        """Sends lines until there are no more, or the connection is over."""
        for line in self.lines():
            with self.lock:
                if self.protocol.state is not State.OPEN or self.mute:
                    return
                try:
                    if self.command(line):
                        return
                    self.flush()
                except (ValueError, ConnectionClosed) as error:
                    self.say("!", str(error))
                except OSError:
                    return
                self.heard = time.monotonic()
        if not self.interactive:
            end = time.monotonic() + self.options.timeout
            while self.protocol.state is State.OPEN and time.monotonic() < min(end, self.heard + QUIET):
                time.sleep(0.02)

    def command(self, line: Union[str, bytes]) -> bool:
        """Does what a line says; returns whether it was the last."""
        if isinstance(line, bytes):
            self.protocol.send_binary(line)
            return False
        if not self.interactive or not line.startswith("/") or line.startswith("//"):
            self.protocol.send_text(line[1:] if self.interactive and line.startswith("//") else line)
            return False
        word, _, rest = line[1:].partition(" ")
        if word == "ping":
            self.protocol.ping(rest)
        elif word == "pong":
            self.protocol.pong(rest)
        elif word == "close":
            code, _, reason = rest.partition(" ")
            if code and not code.isdigit():
                raise ValueError("the close code must be a number: /close 1000 bye")
            self.protocol.close(int(code) if code else 1000, reason)
            self.flush()
            return True
        else:
            raise ValueError("there are /ping, /pong and /close; // begins a line with a slash")
        return False

    # -- What is printed ------------------------------------------------------------------------------------------

    def show(self, event: Event) -> None:
        self.heard = time.monotonic()
        if isinstance(event, Data):
            self.show_data(event)
        elif isinstance(event, Ping):
            self.say("<", f"Ping {event.data.decode(errors='replace')!r} (answered)")
        elif isinstance(event, Pong):
            self.say("<", f"Pong {event.data.decode(errors='replace')!r}")
        elif isinstance(event, Close):
            self.say("<", f"Close {event.code} {event.reason}".rstrip())
        elif isinstance(event, Response):
            chosen = f", subprotocol {event.subprotocol}" if event.subprotocol else ""
            self.say("!", f"connected to {self.options.uri}{chosen}")

    def show_data(self, event: Data) -> None:
        data = event.data.encode() if isinstance(event.data, str) else event.data
        if not event.last:
            self.parts += data
            return
        data, self.parts = self.parts + data, b""
        text = (
            data.decode()
            if event.text
            else f"({len(data)} bytes) {data[:64].hex(' ')}{' ...' if len(data) > 64 else ''}"
        )
        self.say("", text, message=True)

    def say(self, sign: str, text: str, message: bool = False) -> None:
        """Prints a message to the standard output, and anything else to the standard error; above the line that is being
        typed, if there is one."""
        if not self.interactive:
            try:
                if message:
                    sys.stdout.buffer.write(text.encode() + b"\n")
                    sys.stdout.buffer.flush()
                elif not self.options.quiet:
                    print(f"{sign} {text}", file=sys.stderr, flush=True)
            except (OSError, ValueError, AttributeError):
                self.mute = True
                # What is left in the buffer cannot be written either, and the interpreter would try at its end.
                sys.stdout = open(os.devnull, "w")
            return
        if self.options.quiet and not message:
            return
        typed: Optional[str] = self.editor.get_line_buffer() if self.editor is not None else None
        if typed is None:
            print(f"{sign or '<'} {text}", flush=True)
        else:
            sys.stdout.write(f"\r\x1b[K{sign or '<'} {text}\n> {typed}")
            sys.stdout.flush()
