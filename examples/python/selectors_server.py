"""The protocol without I/O, in an event loop of one's own: an echo server over ``selectors``, in one thread.

python examples/python/selectors_server.py [--port 1337]
"""

import argparse
import collections
import selectors
import signal
import socket
import sys
from typing import Deque, Dict

from embws import Data, EmbwsError, Request, ServerProtocol

MOST_UNSENT = 1 << 20  # bytes that wait for a slow client, until nothing more is read from it
PAUSE = 1.0  # seconds without accept(), when it fails because there are too many files


class Client:
    """A connection: its socket, its protocol object, and what could not be sent yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket, self.protocol = sock, ServerProtocol()
        self.unsent: Deque[memoryview] = collections.deque()
        self.waiting = 0  # bytes of unsent

    def readable(self) -> None:
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        try:
            for event in self.protocol.events():
                self.answer(event)
        except EmbwsError as failure:
            print(f"{failure}", flush=True)  # the Close that tells the client is in data_to_send()
        self.send()

    def answer(self, event: object) -> None:
        if isinstance(event, Request):
            if event.upgrade:
                self.protocol.accept()
            else:
                self.protocol.reject(426, "This is a WebSocket.\n")
        elif isinstance(event, Data):  # a piece of a message, or all of it
            if isinstance(event.data, str):
                self.protocol.send_text(event.data)
            elif event.text:
                self.protocol.send_continuation(event.data, event.last) if not event.first else self.begin(event)
            else:
                self.protocol.send_binary(event.data, event.last)

    def begin(self, event: Data) -> None:
        """The first piece of a text that has not come in whole: it can end within a character, so it goes out as it is."""
        self.protocol.send_text("", fin=False)
        assert isinstance(event.data, bytes)
        self.protocol.send_continuation(event.data, event.last)

    def send(self) -> None:
        if data := self.protocol.data_to_send():
            self.unsent.append(memoryview(data))
            self.waiting += len(data)
        try:
            while self.unsent:
                n = self.socket.send(self.unsent[0])
                self.waiting -= n
                if n < len(self.unsent[0]):
                    self.unsent[0] = self.unsent[0][n:]  # of a memoryview, that copies nothing
                else:
                    self.unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.protocol.receive_eof()
            self.unsent.clear()
            self.waiting = 0

    @property
    def events(self) -> int:
        """What to wait for; 0 when all is over."""
        read = not self.protocol.close_expected() and self.waiting < MOST_UNSENT
        return (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if self.unsent else 0)


class Server:
    """The event loop."""

    def __init__(self, listener: socket.socket, stopping: socket.socket) -> None:
        self.listener, self.stopping = listener, stopping
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.selector.register(stopping, selectors.EVENT_READ)
        self.listening = True
        self.clients: Dict[int, Client] = {}

    def run(self) -> None:
        """Serves until something comes from ``stopping``."""
        while True:
            ready = self.selector.select(None if self.listening else PAUSE)
            if not self.listening:
                self.selector.register(self.listener, selectors.EVENT_READ)
                self.listening = True
            for key, what in ready:
                if key.fileobj is self.stopping:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.serve(self.clients[key.fd], what)

    def accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except (BlockingIOError, ConnectionError):  # the client has gone again
            return
        except OSError as error:  # too many files, for example: there will be room when a client has left
            print(f"cannot accept: {error}", flush=True)
            self.selector.unregister(self.listener)
            self.listening = False
            return
        sock.setblocking(False)
        self.clients[sock.fileno()] = Client(sock)
        self.selector.register(sock, selectors.EVENT_READ)

    def serve(self, client: Client, ready: int) -> None:
        if ready & selectors.EVENT_READ:
            client.readable()
        else:
            client.send()
        events = client.events
        if events:
            self.selector.modify(client.socket, events)
        else:
            self.selector.unregister(client.socket)
            del self.clients[client.socket.fileno()]
            client.socket.close()

    def close(self) -> None:
        for client in self.clients.values():
            client.protocol.fail(1001, "the server stops")
            client.send()
            client.socket.close()
        self.selector.close()


def main(port: int) -> None:
    if not 0 <= port <= 65535:
        sys.exit(f"cannot listen on port {port}: there are 0 to 65535")
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"cannot listen on port {port}: {error}")
    stopping, stop = socket.socketpair()
    with listener, stopping, stop:
        listener.setblocking(False)
        stop.setblocking(False)
        signal.set_wakeup_fd(stop.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server = Server(listener, stopping)
        print("listening on ws://{}:{}/".format(*listener.getsockname()), flush=True)
        try:
            server.run()
        finally:
            server.close()
            signal.set_wakeup_fd(-1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1337)
    main(parser.parse_args().port)
