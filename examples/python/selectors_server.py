"""The protocol without I/O, in an event loop of one's own: an echo server over ``selectors``, in one thread.

python examples/python/selectors_server.py [--port 1337]
"""

import argparse
import selectors
import signal
import socket
from typing import Dict

from embws import Data, EmbwsError, Request, ServerProtocol

MOST_UNSENT = 1 << 20  # bytes that wait for a slow client, until nothing more is read from it


class Client:
    """A connection: its socket, its protocol object, and what could not be sent yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket, self.protocol, self.unsent = sock, ServerProtocol(), b""

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
        self.unsent += self.protocol.data_to_send()
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.protocol.receive_eof()
            self.unsent = b""

    @property
    def events(self) -> int:
        """What to wait for; 0 when all is over."""
        if self.protocol.close_expected() and not self.unsent:
            return 0
        read = selectors.EVENT_READ if len(self.unsent) < MOST_UNSENT else 0
        return read | (selectors.EVENT_WRITE if self.unsent else 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1337)
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    listener.setblocking(False)
    stopping, stop = socket.socketpair()
    stop.setblocking(False)
    signal.set_wakeup_fd(stop.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)

    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(stopping, selectors.EVENT_READ)
    clients: Dict[int, Client] = {}
    print("listening on ws://{}:{}/".format(*listener.getsockname()), flush=True)
    while True:
        for key, ready in selector.select():
            if key.fileobj is stopping:
                for client in clients.values():
                    client.protocol.fail(1001, "the server stops")
                    client.send()
                    client.socket.close()
                return
            if key.fileobj is listener:
                sock, _ = listener.accept()
                sock.setblocking(False)
                clients[sock.fileno()] = Client(sock)
                selector.register(sock, selectors.EVENT_READ)
                continue
            client = clients[key.fd]
            if ready & selectors.EVENT_READ:
                client.readable()
            else:
                client.send()
            events = client.events
            if events:
                selector.modify(client.socket, events)
            else:
                selector.unregister(client.socket)
                del clients[key.fd]
                client.socket.close()


if __name__ == "__main__":
    main()
