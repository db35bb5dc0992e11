"""What test_versions.py lets each Python play: exchanges without I/O, over sockets and threads, and on asyncio.

It takes the standard library and embws alone, and ends with an error, or a word on the standard error, if one goes wrong.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any, List, Tuple

import embws
import embws.aio
import embws.sync
from embws import ClientProtocol, Close, ConnectionClosed, Pong, Request, Response, ServerProtocol

#: Short ones, so that many come in one read; long ones, which come in several; and both types in turn.
BATCH: List[Any] = [f"h\u00e9llo {n}" if n % 2 else bytes([n]) * n for n in range(100)]
BATCH += ["", b"", "\U0001f600" * 50_000, bytes(range(256)) * 1000]
FRAGMENTED: List[Tuple[List[Any], Any]] = [
    (["one ", "", "two ", "thr\u00e9\u00e9" * 10_000], "one two " + "thr\u00e9\u00e9" * 10_000),
    ([b"\x00", b"\xff" * 100_000, b""], b"\x00" + b"\xff" * 100_000),
]
#: How the two connections end for the server. The answer to a Close has its code, and not its reason.
ENDS = [(3001, "the client's"), (4001, "")]
SECONDS = 30


def without_io() -> None:
    client, server = ClientProtocol("ws://example.com:1337/chat?a=b", subprotocols=["chat"]), ServerProtocol()
    server.receive_data(client.data_to_send())
    (request,) = server.events()
    assert isinstance(request, Request) and request.path == "/chat?a=b" and request.upgrade
    server.accept("chat", {"X-Reply": "yes"})
    client.receive_data(server.data_to_send())
    (response,) = client.events()
    assert isinstance(response, Response) and response.headers["x-reply"] == "yes" and client.subprotocol == "chat"
    for one, other in ((client, server), (server, client)):
        for step in (1 << 30, 9973):
            for message in BATCH:
                one.send_text(message) if isinstance(message, str) else one.send_binary(message)
            one.send_text("in ", fin=False)
            one.ping(b"p")
            one.send_continuation(b"parts")
            data = one.data_to_send()
            for at in range(0, len(data), step):
                other.receive_data(data[at : at + step])
            assert list(other.messages()) == [*BATCH, "in parts"]
            one.receive_data(other.data_to_send())
            assert list(one.events()) == [Pong(b"p")]
    server.receive_data(b"\xff\xff")
    try:
        list(server.events())
    except embws.ProtocolError as error:
        assert error.rule == 39 and error.code == 1002
    else:
        raise AssertionError("no ProtocolError")
    client.receive_data(server.data_to_send())
    assert [type(event) for event in client.events()] == [Close] and client.close_code == 1002


def with_threads() -> None:
    ends: List[Any] = []

    def handler(websocket: embws.sync.ServerConnection) -> None:
        try:
            for message in BATCH:
                websocket.send(message)
            for parts, _ in FRAGMENTED:
                websocket.send(parts)
            if websocket.request is not None and websocket.request.path == "/close":
                websocket.close(4001, "the server's")
            for message in websocket:
                websocket.send(message)
        except ConnectionClosed:
            pass
        ends.append((websocket.close_code, websocket.close_reason))

    server = embws.sync.serve(handler, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        uri = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        with embws.sync.connect(f"{uri}/", max_queue=None) as websocket:
            assert [websocket.recv(SECONDS) for _ in BATCH] == BATCH
            assert [websocket.recv(SECONDS) for _ in FRAGMENTED] == [whole for _, whole in FRAGMENTED]
            for message in BATCH:
                websocket.send(message)
            for parts, _ in FRAGMENTED:
                websocket.send(parts)
            assert websocket.ping().wait(SECONDS)
            assert [websocket.recv(SECONDS) for _ in BATCH] == BATCH
            assert [websocket.recv(SECONDS) for _ in FRAGMENTED] == [whole for _, whole in FRAGMENTED]
            websocket.close(3001, "the client's")
            assert websocket.close_code == 3001
        with embws.sync.connect(f"{uri}/close") as websocket:
            got = []
            try:
                while True:
                    got.append(websocket.recv(SECONDS))
            except ConnectionClosed as closed:
                assert (closed.code, closed.reason) == (4001, "the server's")
            assert got == [*BATCH, *(whole for _, whole in FRAGMENTED)]
    finally:
        server.shutdown()
        thread.join(SECONDS)
    assert ends == ENDS, ends


async def on_asyncio() -> None:
    asyncio.get_running_loop().slow_callback_duration = SECONDS  # the machine may be busy with other tests
    ends: List[Any] = []

    async def handler(websocket: embws.aio.ServerConnection) -> None:
        try:
            for message in BATCH:
                await websocket.send(message)
            for parts, _ in FRAGMENTED:
                await websocket.send(parts)
            if websocket.request is not None and websocket.request.path == "/close":
                await websocket.close(4001, "the server's")
            async for message in websocket:
                await websocket.send(message)
        except ConnectionClosed:
            pass
        ends.append((websocket.close_code, websocket.close_reason))

    async with asyncio.timeout(SECONDS), embws.aio.serve(handler, "127.0.0.1", 0) as server:
        uri = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with embws.aio.connect(f"{uri}/") as websocket:

            async def send() -> None:
                for message in BATCH:
                    await websocket.send(message)
                for parts, _ in FRAGMENTED:
                    await websocket.send(parts)

            sender = asyncio.create_task(send())
            for _ in range(2):  # the server's own, and the client's come back
                assert [await websocket.recv() for _ in BATCH] == BATCH
                assert [await websocket.recv() for _ in FRAGMENTED] == [whole for _, whole in FRAGMENTED]
            await sender
            await (await websocket.ping())
            await websocket.close(3001, "the client's")
            assert websocket.close_code == 3001
        async with embws.aio.connect(f"{uri}/close") as websocket:
            got = []
            try:
                while True:
                    got.append(await websocket.recv())
            except ConnectionClosed as closed:
                assert (closed.code, closed.reason) == (4001, "the server's")
            assert got == [*BATCH, *(whole for _, whole in FRAGMENTED)]
    assert ends == ENDS, ends


without_io()
with_threads()
asyncio.run(on_asyncio())
print("fine on", sys.version.split()[0], "with", embws.library_version)
