"""``python -m embws serve``: the demo echo server, with a page for the browser that talks to it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import urllib.parse
from pathlib import Path
from typing import Optional

from ._terminal import visible
from .aio import ServerConnection, serve
from .exceptions import ConnectionClosed
from .http import Headers, Request, Response

__all__ = ["run"]

log = logging.getLogger("embws.demo")


def page() -> bytes:
    """The page: a file of the package or, in a checkout, of the examples."""
    here = Path(__file__).resolve().parent
    for path in (here / "page.html", here.parents[3] / "examples" / "browser" / "index.html"):
        if path.exists():
            return path.read_bytes()
    return b"<!doctype html><title>embws</title><p>The page of the demo was not installed."


async def echo(connection: ServerConnection) -> None:
    """Sends each message back as it came."""
    log.info("%s: open", connection.remote_address)
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass
    reason = visible(connection.close_reason or "")  # a client is not to steer the terminal of the log
    log.info("%s: closed: %s %s", connection.remote_address, connection.close_code, reason)


async def _main(host: str, port: int, path: str, subprotocol: str) -> None:
    body = page()
    path = urllib.parse.quote(path, "/%:@!$&'()*+,;=-._~")  # as it comes in a request

    def process_request(connection: ServerConnection, request: Request) -> Optional[Response]:
        where = request.path.partition("?")[0]
        if where == path and request.upgrade:
            return None
        if where == "/" and not request.upgrade:
            return Response(200, "OK", Headers([("Content-Type", "text/html; charset=utf-8")]), body)
        if where == path:
            return connection.respond(426, "This is a WebSocket: open the page at / instead.\n")
        return connection.respond(404, "There is nothing here.\n")

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: the interrupt ends the loop
            pass
    server = await serve(
        echo,
        host,
        port,
        process_request=process_request,
        select_subprotocol=lambda connection, offered: subprotocol if subprotocol in offered else None,
        max_size=16 << 20,
    )
    address = next(iter(server.sockets)).getsockname()
    shown = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    query = ""
    if path != "/chat" or subprotocol != "chat":
        query = "?" + urllib.parse.urlencode({"path": path, "subprotocol": subprotocol})
    log.info("listening on http://%s/%s with the WebSocket at ws://%s%s", shown, query, shown, path)
    try:
        await stop.wait()
    finally:
        server.close()  # with 1001: going away
        await server.wait_closed()


def run(host: str, port: int, path: str, subprotocol: str) -> int:
    """Serves until SIGINT or SIGTERM."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    log.setLevel(logging.INFO)
    try:
        asyncio.run(_main(host, port, path, subprotocol))
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:  # UnicodeError is for a name that cannot be one of a host
        print(f"cannot listen on {host}:{port}: {error}", file=sys.stderr)
        return 1
    return 0
