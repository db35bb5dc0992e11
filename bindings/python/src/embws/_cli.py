"""``python -m embws URI``: a client for a terminal, or a pipe, over the protocol without I/O.

The connection lives on an event loop in a thread of its own, which prints what comes; the main thread waits for lines.
Neither holds up the other: whoever pipes in much must be able to receive what comes back in the meantime.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union, cast

from ._terminal import Screen
from .events import Close, Data, Event, Ping, Pong
from .exceptions import EmbwsError, InvalidStatus, Violation
from .http import Response
from .protocol import ClientProtocol, State
from .uri import parse_uri

__all__ = ["QUIET", "WAIT", "Client"]

#: After the last line of a pipe, how long to wait for as many messages as lines were sent, in seconds.
WAIT = 10.0
#: When those have come, how long nothing more must come until the connection is closed, in seconds.
QUIET = 1.0
#: How long the server may take to close the transport when all is said, in seconds.
DRAIN = 1.0
#: How many bytes of binary data are shown.
SHOWN = 64

Line = Union[str, bytes]


class Stop(BaseException):
    """A signal has asked us to stop."""

    def __init__(self, number: int) -> None:
        self.number = number


class Over(BaseException):
    """The connection is over, and the main thread waits for a line in vain."""


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class Link(asyncio.Protocol):
    """The connection. All of it belongs to the event loop."""

    def __init__(self, client: "Client") -> None:
        self.client: Client = client
        self.screen: Screen = client.screen
        self.protocol: ClientProtocol = client.protocol
        self.transport: Optional[asyncio.Transport] = None
        self.part: bytearray = bytearray()  # of a message that comes in pieces
        self.length: int = 0
        self.code: Optional[int] = None  # of the Close that we asked for
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()  # nothing more will be sent or shown
        self.lost: asyncio.Future[None] = loop.create_future()  # the transport has gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # Writing is paused when bytes wait, and resumed when none does: so the last line of a pipe is known to have left.
        # (With 0, asyncio's TLS would take an empty buffer for one that is too full.)
        self.transport.set_write_buffer_limits(high=1, low=0)
        self.flush()

    def pause_writing(self) -> None:
        self.client.note(writable=False)

    def resume_writing(self) -> None:
        self.client.note(writable=True)

    def data_received(self, data: bytes) -> None:
        if not self.done.done():  # else it is read only for the server to get our last bytes before the transport ends
            self.protocol.receive_data(data)
            self.take()

    def connection_lost(self, error: Optional[Exception]) -> None:
        if not self.done.done():
            self.protocol.receive_eof()
            self.take()
            if not self.done.done() or self.protocol.failure is None and self.protocol.close_code == 1006:
                self.screen.fault("the connection was lost: no Close came (1006)")
        _set(self.done)
        _set(self.lost)

    def take(self) -> None:
        """Shows what has come, and sends the answers."""
        try:
            for event in self.protocol.events():
                self.show(event)
        except Violation as failure:
            failure.__traceback__ = None
            if not self.opened.done():
                self.opened.set_exception(failure)
            else:
                self.screen.fault(f"the server broke a rule: {failure}; closed with {failure.code}")
            _set(self.done)
        self.flush()
        lost = self.protocol.close_code == 1006
        if self.protocol.state >= State.CLOSED and not lost or self.screen.broken:
            _set(self.done)

    @property
    def in_order(self) -> bool:
        """Whether the server has closed as we did, or for no bad reason."""
        return self.protocol.close_code in (1000, 1001, 1005, self.code or 1000)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begins the closing handshake."""
        self.protocol.close(code, reason)
        self.code = code

    def flush(self) -> None:
        data = self.protocol.data_to_send()
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    # -- What comes -----------------------------------------------------------------------------------------------

    def show(self, event: Event) -> None:
        if isinstance(event, Data):
            self.show_data(event)
        elif isinstance(event, Ping):
            self.screen.remark("<", f"Ping {event.data.decode(errors='replace')!r} (answered)")
        elif isinstance(event, Pong):
            self.screen.remark("<", f"Pong {event.data.decode(errors='replace')!r}")
        elif isinstance(event, Close):
            text = f"Close {event.code} {event.reason}".rstrip()
            if self.in_order:
                self.screen.remark("<", text)
            else:
                self.screen.fault(text)
        elif isinstance(event, Response):
            chosen = f", subprotocol {event.subprotocol}" if event.subprotocol else ""
            self.screen.remark("!", f"connected to {self.client.options.uri}{chosen}")
            _set(self.opened)

    def show_data(self, event: Data) -> None:
        """Shows a message when it is complete. Of binary data, no more than what is shown is kept."""
        text = event.data if isinstance(event.data, str) else None
        if text is None:
            piece = cast(bytes, event.data)
            self.length += len(piece)
            self.part += piece if event.text else piece[: max(0, SHOWN - len(self.part))]
            if event.last:
                text = self.part.decode() if event.text else self.dump()
                self.part, self.length = bytearray(), 0
        if text is not None:
            self.screen.message(text)
        self.client.heard(event.last)

    def dump(self) -> str:
        more = " ..." if self.length > SHOWN else ""
        return f"({self.length} bytes) {self.part.hex(' ')}{more}".rstrip()

    # -- What goes ------------------------------------------------------------------------------------------------

    def send(self, lines: Sequence[Line], commands: bool) -> None:
        """Sends lines, each as a message, or does what they say."""
        for line in lines:
            if self.protocol.state is not State.OPEN:
                self.client.note(unsent=True)
                break
            try:
                if isinstance(line, bytes):
                    self.protocol.send_binary(line)
                elif commands and line.startswith("/") and not line.startswith("//"):
                    self.command(line)
                else:
                    self.protocol.send_text(line[1:] if commands and line.startswith("//") else line)
            except (ValueError, EmbwsError) as error:
                self.screen.fault(str(error))
        self.flush()
        self.client.note(given=0)

    def command(self, line: str) -> None:
        word, _, rest = line[1:].partition(" ")
        if word == "ping":
            self.protocol.ping(rest)
        elif word == "pong":
            self.protocol.pong(rest)
        elif word == "close":
            code, _, reason = rest.partition(" ")
            if code and not (code.isascii() and code.isdigit()):
                raise ValueError("the close code must be a number: /close 1000 bye")
            self.close(int(code) if code else 1000, reason)
            self.client.note(leaving=True)
            _set(self.client.asked)
        else:
            raise ValueError("there are /ping, /pong and /close; // begins a line with a slash")


class Client:
    """A connection with a terminal, or a pipe, at our end."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Raises ValueError where an option is wrong."""
        self.options: argparse.Namespace = options
        self.protocol: ClientProtocol = protocol_of(options)
        self.tls = tls_of(options) if self.protocol.uri is not None and self.protocol.uri.secure else None
        self.screen = Screen(options.quiet)
        self.loop = asyncio.new_event_loop()
        self.signals = socket.socketpair()  # numbers of signals that came, for the thread of the connection
        for end in self.signals:
            end.setblocking(False)
        self.asked: asyncio.Future[None] = self.loop.create_future()  # we want to close
        self.link: Optional[Link] = None
        # What the two threads tell each other, under the lock of this condition.
        self.changed = threading.Condition()
        self.open = self.over = self.leaving = self.unsent = False
        self.given = 0  # lines that were not taken yet
        self.writable = True
        self.lines = self.messages = 0  # sent, and received since the first was
        self.unfinished = False  # a part of a message has come
        self.last = time.monotonic()  # when something was sent or received
        self.waiting = False  # the main thread waits for a line

    def run(self) -> int:
        """Connects, talks, closes; returns the exit status."""
        task = self.loop.create_task(self.live())
        thread = threading.Thread(target=self.work, args=(task,), name="embws connection", daemon=True)
        former: Dict[int, Any] = {}
        stopped, complete = 0, False
        try:
            try:
                thread.start()
                self.catch_signals(former)
                with self.changed:
                    self.changed.wait_for(lambda: self.open or self.over)
                complete = self.open and self.talk()
            except Stop as stop:
                stopped = stop.number
            self.tell(self.leave, task)
            thread.join()
        except Stop as stop:  # once more, and now at once
            return 128 + stop.number
        finally:
            self.release_signals(former)
        if stopped:
            return 128 + stopped
        return 0 if complete and self.link is not None and self.link.in_order else 1

    def catch_signals(self, former: Dict[int, Any]) -> None:
        """Handles the signals that ask us to stop, for the terminal is to be left as it was; and the one by which the
        thread of the connection wakes the main one."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
            number = getattr(signal, name, None)
            if number is None:
                continue
            if name == "SIGUSR1":
                former[number] = signal.signal(number, self.awake)
            elif signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, self.stop)
        if hasattr(signal, "pthread_kill"):
            signal.set_wakeup_fd(self.signals[1].fileno(), warn_on_full_buffer=False)

    def release_signals(self, former: Dict[int, Any]) -> None:
        if hasattr(signal, "pthread_kill"):
            signal.set_wakeup_fd(-1)
        for number, handler in former.items():
            signal.signal(number, handler)
        if self.over:  # else the other thread still has them
            for end in self.signals:
                end.close()

    # -- The thread of the connection -----------------------------------------------------------------------------

    def work(self, task: "asyncio.Task[None]") -> None:
        try:
            self.loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            self.loop.close()
            self.note(over=True)
            self.wake()

    async def live(self) -> None:
        """The life of the connection."""
        link = self.link = Link(self)
        if hasattr(signal, "pthread_kill"):
            self.loop.add_reader(self.signals[0], self.signalled)
        try:
            await self.connect(link)
            self.note(open=True)
            await self.converse(link)
        except (EmbwsError, ValueError, OSError) as error:
            self.screen.fault(self.reason(error))
        finally:
            _set(link.done)
            if link.transport is not None:
                link.transport.abort()
                await link.lost

    async def connect(self, link: Link) -> None:
        uri = self.protocol.uri
        assert uri is not None
        async with asyncio.timeout(self.options.timeout):
            name = uri.host if self.tls is not None else None
            await self.loop.create_connection(lambda: link, uri.host, uri.port, ssl=self.tls, server_hostname=name)
            await link.opened

    async def converse(self, link: Link) -> None:
        """Waits until either end has had enough, and closes."""
        timeout: float = self.options.timeout
        await asyncio.wait((link.done, self.asked), return_when=asyncio.FIRST_COMPLETED)
        if self.protocol.state is State.OPEN:
            link.close()
            link.flush()
        await asyncio.wait((link.done,), timeout=timeout)
        if not link.done.done():
            self.screen.fault(f"the server has not closed within {timeout:g} s")
        elif not link.lost.done() and link.transport is not None:
            # The server closes first (RFC 6455 7.1.1). To close while bytes of its are unread could lose ours.
            if self.protocol.state is State.FAILED and self.tls is None:
                link.transport.write_eof()
            await asyncio.wait((link.lost,), timeout=DRAIN)

    def reason(self, error: Exception) -> str:
        """Why there is no connection."""
        uri = self.options.uri
        if isinstance(error, InvalidStatus):
            body = error.response.body[:500].decode(errors="replace").strip()
            return f"refused: HTTP {error.response.status_code}" + (f": {body}" if body else "")
        if self.tls is not None:
            import ssl

            if isinstance(error, ssl.SSLCertVerificationError):
                return (
                    f"cannot connect to {uri}: the server's certificate is not trusted: {error.verify_message} "
                    "(--ca FILE names what to trust; --insecure trusts any)"
                )
            if isinstance(error, ssl.SSLError):
                return f"cannot connect to {uri}: TLS failed: {error.reason or error}"
        if isinstance(error, TimeoutError):
            return f"cannot connect to {uri}: no answer within {self.options.timeout:g} s"
        return f"cannot connect to {uri}: {error}"

    def leave(self, task: "asyncio.Task[None]") -> None:
        if self.link is None or not self.link.opened.done():
            task.cancel()
        _set(self.asked)

    # -- Between the threads --------------------------------------------------------------------------------------

    def note(self, **news: Any) -> None:
        """Notes what the other thread is to know."""
        with self.changed:
            for name, value in news.items():
                setattr(self, name, value)
            self.last = time.monotonic()
            self.changed.notify_all()

    def heard(self, whole: bool) -> None:
        """Notes that a message has come, or a piece of one."""
        with self.changed:
            self.messages += whole and self.lines > 0
            self.unfinished, self.last = not whole, time.monotonic()
            self.changed.notify_all()

    def tell(self, what: Callable[..., None], *arguments: Any) -> None:
        """Has the other thread do something, if it still lives."""
        try:
            self.loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:
            pass

    def wake(self) -> None:
        """Wakes the main thread, which waits for a line, since there is nobody to send it to."""
        if not hasattr(signal, "pthread_kill"):
            if self.waiting and self.screen.commands:
                self.screen.fault("press Enter to leave")
            return
        with self.changed:
            while self.waiting:
                # A signal that comes when the thread is about to wait would leave it waiting: so there is one more.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                self.changed.wait(0.05)

    def signalled(self) -> None:
        """A signal has come. If the main thread was about to wait for a line, it goes on waiting, and the signal's handler
        for it."""
        if any(number != signal.SIGUSR1 for number in self.signals[0].recv(4096)):
            self.nudge()

    def nudge(self) -> None:
        if self.waiting:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            self.loop.call_later(0.05, self.nudge)

    def awake(self, *_: Any) -> None:
        if self.waiting and self.over:
            self.waiting = False
            raise Over

    def stop(self, number: int, _: Any) -> None:
        self.waiting = False
        raise Stop(number)

    # -- The main thread ------------------------------------------------------------------------------------------

    def talk(self) -> bool:
        """Sends lines until there are no more, or the connection is over; returns whether all were sent."""
        try:
            if self.screen.commands:
                self.type()
                return True
            return self.pipe()
        except Over:
            if not self.screen.commands and not self.screen.broken:
                self.screen.fault("the connection is over before the end of the input")
            return self.screen.commands
        finally:
            self.screen.clear()

    def wait_for_line(self, read: Callable[[], Any]) -> Any:
        """Waits for what is typed, or comes through the pipe, or for the end of the connection."""
        self.waiting = True
        try:
            if self.over:
                raise Over
            return read()
        except SystemError as error:
            # input() looks for signals once more when a handler has raised: the next handler is then to blame for that.
            if isinstance(error.__cause__, (Stop, Over)):
                raise error.__cause__ from None
            raise
        finally:
            self.waiting = False

    def give(self, lines: List[Line]) -> None:
        """Sends lines, and waits until they have left: a pipe is not read faster than the server reads."""
        with self.changed:
            self.given = len(lines)
            self.lines += self.given
        assert self.link is not None
        self.tell(self.link.send, lines, self.screen.commands)
        with self.changed:
            self.changed.wait_for(lambda: self.given == 0 and self.writable or self.over or self.leaving)

    def type(self) -> None:
        """Sends what somebody types."""
        self.screen.edit_lines()
        while not self.leaving:
            try:
                self.give([self.wait_for_line(self.screen.line)])
            except EOFError:
                return
            except UnicodeDecodeError:
                self.screen.fault("that was no UTF-8")

    def pipe(self) -> bool:
        """Sends what comes through a pipe, and waits for the answers."""
        line = bytearray()
        descriptor = sys.stdin.fileno() if sys.stdin is not None else None
        while descriptor is not None:
            data: bytes = self.wait_for_line(lambda: os.read(descriptor, 65536))
            if not data:
                break
            *whole, rest = data.split(b"\n")
            if whole:
                whole[0] = bytes(line + whole[0])
                line.clear()
                self.give([_text(found.removesuffix(b"\r")) for found in whole])
            line += rest
        if line:
            self.give([_text(bytes(line))])
        if self.unsent:
            raise Over
        self.listen()
        return True

    def listen(self) -> None:
        """Waits for what the server still has to say."""
        wait: Optional[float] = self.options.wait
        with self.changed:
            begun = time.monotonic()
            while not self.over:
                if wait is not None:
                    end = self.last + wait
                elif self.messages < self.lines or self.unfinished:
                    end = self.last + WAIT
                else:
                    end = min(self.last + QUIET, begun + WAIT)
                left = end - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)


def _text(line: bytes) -> Line:
    """A line as text, if it is that; else it goes out as binary data."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line


def protocol_of(options: argparse.Namespace) -> ClientProtocol:
    """The protocol object for the options. A ValueError names the one that is wrong: each is tried by itself."""
    uri = options.uri
    parse_uri(uri)
    headers: List[Tuple[str, str]] = []
    for field in options.header:
        name, colon, value = field.partition(":")
        if not colon:
            raise ValueError(f"--header {field!r} lacks a colon: give it as 'Name: value'")
        headers.append((name.strip(), value.strip()))
        _try(f"--header {field!r}", uri, additional_headers=headers)
    for n, name in enumerate(options.subprotocol, 1):
        _try(f"--subprotocol {name!r}", uri, subprotocols=options.subprotocol[:n])
    if options.origin is not None:
        _try(f"--origin {options.origin!r}", uri, origin=options.origin)
    return ClientProtocol(
        uri,
        origin=options.origin,
        subprotocols=options.subprotocol,
        additional_headers=headers,
        max_size=options.max_size,
    )


def _try(option: str, uri: str, **arguments: Any) -> None:
    try:
        ClientProtocol(uri, **arguments)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def tls_of(options: argparse.Namespace) -> Any:
    """The context of ssl for the options."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=options.ca)
    except OSError as error:  # those of ssl among them
        raise ValueError(f"--ca {options.ca!r}: {error.strerror or error}") from None
    if options.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
