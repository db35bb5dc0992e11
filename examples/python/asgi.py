"""An ASGI application with WebSockets, served by uvicorn over embws: the adapter that uvicorn needs, and an echo to try it.

pip install uvicorn
python examples/python/asgi.py [--port 1337]

With an application of yours: uvicorn.run(app, ws=EmbwsProtocol)
"""

import argparse
import asyncio
import io
import logging
import sys
import urllib.parse
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple, cast

from embws import Close, ConnectionClosed, Data, EmbwsError, Request, ServerProtocol

Message = Dict[str, Any]

CLOSE_TIMEOUT = 10.0  # seconds that a client may take to answer a Close
MOST_WAITING = 64  # messages for the application, until nothing more is read

log = logging.getLogger("uvicorn.error")


class ClientDisconnected(OSError):
    """What send() raises when the client has gone, as ASGI 2.4 demands."""


class EmbwsProtocol(asyncio.Protocol):
    """What uvicorn makes for each upgrade request: it feeds the request's bytes, and then those of the connection."""

    transport: asyncio.Transport

    def __init__(self, config: Any, server_state: Any, app_state: Dict[str, Any], _loop: Any = None) -> None:
        self.app, self.state, self.app_state = config.loaded_app, server_state, app_state
        self.root_path: str = config.root_path
        self.protocol = ServerProtocol(max_size=config.ws_max_size)
        self.queue: "asyncio.Queue[Message]" = asyncio.Queue()
        self.part = io.BytesIO()  # of a message that comes in pieces
        # Where the application stands: "connecting", "open", "refusing" (its response has begun), "over".
        self.stage = "connecting"
        self.gone = False  # the client has closed, or vanished
        self.refusal: Tuple[int, List[Tuple[str, str]], bytearray] = (403, [], bytearray())
        self.paused = False
        self.writable = asyncio.Event()
        self.writable.set()

    # -- uvicorn's side -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.state.connections.add(self)

    def connection_lost(self, error: Optional[Exception]) -> None:
        self.state.connections.discard(self)
        self.protocol.receive_eof()
        self.writable.set()
        self.disconnect()

    def eof_received(self) -> None:
        pass

    def pause_writing(self) -> None:
        self.writable.clear()
        self.pause()

    def resume_writing(self) -> None:
        self.writable.set()
        self.pause()

    def shutdown(self) -> None:
        """uvicorn stops."""
        if self.stage == "open":
            self.close(1012)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        self.take()

    # -- Between the two ------------------------------------------------------------------------------------------

    def take(self) -> None:
        """Gives the application what has come, and the client what is due."""
        try:
            for event in self.protocol.events():
                if isinstance(event, Request):
                    task = asyncio.get_running_loop().create_task(self.run(event))
                    self.state.tasks.add(task)
                    task.add_done_callback(self.state.tasks.discard)
                elif isinstance(event, Data) and self.stage == "open":
                    self.received(event)
                elif isinstance(event, Close):
                    self.disconnect()
        except EmbwsError:
            self.disconnect()
        self.flush()
        self.pause()

    def received(self, data: Data) -> None:
        if isinstance(data.data, str):
            self.queue.put_nowait({"type": "websocket.receive", "text": data.data})
            return
        self.part.write(data.data)
        if data.last:
            whole, self.part = self.part.getvalue(), io.BytesIO()
            message = {"text": whole.decode()} if data.text else {"bytes": whole}
            self.queue.put_nowait({"type": "websocket.receive", **message})

    def pause(self) -> None:
        """Reads nothing while the application has enough to do, or has not answered the request, or the client does not
        read itself."""
        full = self.queue.qsize() > (MOST_WAITING // 2 if self.paused else MOST_WAITING)
        wanted = self.stage != "over" and (full or self.stage != "open" or not self.writable.is_set())
        if wanted != self.paused and not self.transport.is_closing():
            self.paused = wanted
            if wanted:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def disconnect(self) -> None:
        if not self.gone:
            self.gone = True
            code, reason = self.protocol.close_code or 1006, self.protocol.close_reason or ""
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def close(self, code: int, reason: str = "") -> None:
        self.protocol.close(code, reason)
        self.stage = "over"
        self.flush()
        self.pause()  # no more: the client's Close is to be read
        if not self.transport.is_closing():
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.transport.abort)

    def refuse(self, status: int, body: bytes = b"", headers: Any = ()) -> None:
        self.protocol.reject(status, body, headers)
        self.stage = "over"
        self.flush()

    def flush(self) -> None:
        data = self.protocol.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)
        if self.protocol.close_expected():
            self.transport.close()

    # -- The application's side -----------------------------------------------------------------------------------

    async def run(self, request: Request) -> None:
        path, _, query = request.path.partition("?")
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if self.transport.get_extra_info("sslcontext") else "ws",
            "server": self.address("sockname"),
            "client": self.address("peername"),
            "root_path": self.root_path,
            "path": self.root_path + urllib.parse.unquote(path),
            "raw_path": (self.root_path + path).encode(),
            "query_string": query.encode(),
            "headers": [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in request.headers.raw_items()],
            "subprotocols": list(request.subprotocols),
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        self.queue.put_nowait({"type": "websocket.connect"})
        failed = False
        try:
            await self.app(scope, self.receive, self.send)
        except ClientDisconnected:
            pass  # it had nothing more to do, then
        except Exception:
            log.exception("Exception in ASGI application")
            failed = True
        try:
            if self.stage == "open":
                self.close(1011 if failed else 1000)
            elif self.stage != "over":
                self.refuse(500, b"Internal Server Error\n")  # it has not answered
        except ConnectionClosed:
            pass

    def address(self, name: str) -> Any:
        """The end of a connection, as ASGI has it: host and port, or the path of a Unix socket, or None."""
        found = self.transport.get_extra_info(name)
        if isinstance(found, (tuple, list)):
            return found[0], found[1]
        return (found, None) if found and name == "sockname" else None

    async def receive(self) -> Message:
        message = await self.queue.get()
        self.pause()
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self.gone:
            raise ClientDisconnected(f"{kind}: the client has gone")
        try:
            if kind == "websocket.accept" and self.stage == "connecting":
                self.protocol.accept(message.get("subprotocol"), decoded(message))
                self.stage = "open"
                self.take()  # with what has come behind the request
            elif kind == "websocket.close" and self.stage == "connecting":
                self.refuse(403)
            elif kind == "websocket.http.response.start" and self.stage == "connecting":
                # The body follows, and the library tells its length.
                own = ("content-length", "transfer-encoding", "connection")
                headers = [field for field in decoded(message) if field[0].lower() not in own]
                self.refusal, self.stage = (message["status"], headers, bytearray()), "refusing"
            elif kind == "websocket.http.response.body" and self.stage == "refusing":
                status, headers, body = self.refusal
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    self.refuse(status, bytes(body), headers)
            elif kind == "websocket.send" and self.stage == "open":
                text = message.get("text")
                if text is not None:
                    self.protocol.send_text(text)
                else:
                    self.protocol.send_binary(message["bytes"])
                self.flush()
            elif kind == "websocket.close" and self.stage == "open":
                self.close(message.get("code", 1000), message.get("reason") or "")
            else:
                raise RuntimeError(f"{kind} is out of place: the connection is {self.stage}")
        except ConnectionClosed as error:
            raise ClientDisconnected(f"{kind}: {error}") from error
        await self.writable.wait()


def decoded(message: Message) -> List[Tuple[str, str]]:
    """The header fields of a message of the application's."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]


async def echo(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """The application."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"upgrade", b"websocket")]
        await send({"type": "http.response.start", "status": 426, "headers": headers})
        await send({"type": "http.response.body", "body": b"This is a WebSocket.\n"})
        return
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        else:
            return


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1337)
    port = parser.parse_args().port
    if not 0 <= port <= 65535:
        sys.exit(f"cannot listen on port {port}: there are 0 to 65535")
    try:
        import uvicorn
    except ImportError as error:
        sys.exit(f"{error}: pip install uvicorn")
    uvicorn.run(echo, host="127.0.0.1", port=port, ws=EmbwsProtocol, lifespan="off")


if __name__ == "__main__":
    main()
