"""An ASGI application with WebSockets, served by uvicorn over embws: the adapter that uvicorn needs, and an echo to try it.

pip install uvicorn
python examples/python/asgi.py [--port 1337]

With an application of yours: uvicorn.run(app, ws=EmbwsProtocol)
"""

import argparse
import asyncio
import urllib.parse
from typing import Any, Awaitable, Callable, Dict, List, Optional, cast

from embws import Close, Data, EmbwsError, Request, ServerProtocol

Message = Dict[str, Any]


class EmbwsProtocol(asyncio.Protocol):
    """What uvicorn makes for each upgrade request: it feeds the request's bytes, and then those of the connection."""

    transport: asyncio.Transport

    def __init__(self, config: Any, server_state: Any, app_state: Dict[str, Any], _loop: Any = None) -> None:
        self.app, self.state, self.app_state = config.loaded_app, server_state, app_state
        self.root_path: str = config.root_path
        self.protocol = ServerProtocol(max_size=config.ws_max_size)
        self.queue: "asyncio.Queue[Message]" = asyncio.Queue()
        self.parts: List[bytes] = []  # of a message that comes in pieces
        self.accepted = self.over = False
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

    def resume_writing(self) -> None:
        self.writable.set()

    def shutdown(self) -> None:
        """uvicorn stops."""
        if self.accepted:
            self.protocol.close(1012)
            self.flush()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        try:
            for event in self.protocol.events():
                if isinstance(event, Request):
                    task = asyncio.get_running_loop().create_task(self.run(event))
                    self.state.tasks.add(task)
                    task.add_done_callback(self.state.tasks.discard)
                elif isinstance(event, Data):
                    self.received(event)
                elif isinstance(event, Close):
                    self.disconnect()
        except EmbwsError:
            self.disconnect()
        self.flush()
        if self.queue.qsize() > 64:
            self.transport.pause_reading()

    def received(self, data: Data) -> None:
        if isinstance(data.data, str):
            self.queue.put_nowait({"type": "websocket.receive", "text": data.data})
            return
        self.parts.append(data.data)
        if data.last:
            whole, self.parts = b"".join(self.parts), []
            message = {"text": whole.decode()} if data.text else {"bytes": whole}
            self.queue.put_nowait({"type": "websocket.receive", **message})

    def disconnect(self) -> None:
        if not self.over:
            self.over = True
            code, reason = self.protocol.close_code or 1006, self.protocol.close_reason or ""
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

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
            "server": self.transport.get_extra_info("sockname"),
            "client": self.transport.get_extra_info("peername"),
            "root_path": self.root_path,
            "path": urllib.parse.unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in request.headers.raw_items()],
            "subprotocols": list(request.subprotocols),
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        self.queue.put_nowait({"type": "websocket.connect"})
        try:
            await self.app(scope, self.receive, self.send)
        except Exception:
            if self.accepted:
                self.protocol.fail(1011)
            else:
                self.protocol.reject(500, "Internal Server Error\n")
            self.flush()
            raise
        if self.accepted:
            self.protocol.close()
        elif not self.protocol.close_expected():
            self.protocol.reject(403)
        self.flush()

    async def receive(self) -> Message:
        message = await self.queue.get()
        if self.queue.qsize() <= 32 and not self.transport.is_closing():
            self.transport.resume_reading()
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in message.get("headers", ())]
            self.protocol.accept(message.get("subprotocol"), headers)
            self.accepted = True
        elif kind == "websocket.send":
            text = message.get("text")
            if text is not None:
                self.protocol.send_text(text)
            else:
                self.protocol.send_binary(message["bytes"])
        elif kind == "websocket.close" and self.accepted:
            self.protocol.close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.close":
            self.protocol.reject(403)
        self.flush()
        await self.writable.wait()


async def echo(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """The application."""
    if scope["type"] != "websocket":
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
    import uvicorn

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1337)
    uvicorn.run(echo, host="127.0.0.1", port=parser.parse_args().port, ws=EmbwsProtocol, lifespan="off")


if __name__ == "__main__":
    main()
