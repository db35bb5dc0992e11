"""A server of Python's websockets library, whose paths are described in peer_test.go."""

import asyncio
import json
import sys
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


def tell(**facts):
    print(json.dumps(facts), flush=True)


def split(request):
    url = urlsplit(request.path)
    return url.path, dict(parse_qsl(url.query))


def refuse(connection, request):
    path, query = split(request)
    if path != "/refuse":
        return None
    response = connection.respond(int(query["status"]), query["body"])
    response.headers["X-Why"] = query["why"]
    return response


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def echo_in_fragments(ws):
    async for message in ws:
        third = len(message) // 3
        await ws.send([message[:third], message[third : 2 * third], message[2 * third :]])


async def handle(ws):
    path, query = split(ws.request)
    try:
        match path:
            case "/chat":
                await echo(ws)
            case "/fragments":
                await echo_in_fragments(ws)
            case "/greet":
                await ws.send(query["text"])
                await echo(ws)
            case "/ping":
                await (await ws.ping(query["payload"]))
                await ws.send(query["payload"])
                await echo(ws)
            case "/close":
                await ws.close(int(query["code"]), query["reason"])
            case "/drop":
                ws.transport.abort()
                await ws.wait_closed()
    except ConnectionClosed:
        pass
    tell(event="closed", name=query.get("name", ""), code=ws.close_code, reason=ws.close_reason)


async def main():
    async with serve(
        handle,
        "127.0.0.1",
        0,
        subprotocols=["chat"],
        compression="deflate",
        process_request=refuse,
        ping_interval=None,
        max_size=None,
        max_queue=None,
    ) as server:
        tell(event="listening", port=server.sockets[0].getsockname()[1])
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
