"""A chat on asyncio: what one says, all hear.

python examples/python/chat.py [--port 1337]
python -m embws ws://127.0.0.1:1337/ann      in two terminals, under two names

Each member has a queue and a task that sends from it, so that a slow one holds up nobody: whose queue is full is sent away.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import urllib.parse
from typing import Any, Dict, Set

from embws import ConnectionClosed
from embws.aio import ServerConnection, serve

WAITING = 100  # messages for a slow member, until it has to go

members: Dict[ServerConnection, "asyncio.Queue[str]"] = {}
leaving: Set["asyncio.Task[Any]"] = set()  # the event loop itself does not keep a task


def say(text: str) -> None:
    """Gives a line to all."""
    for connection, queue in list(members.items()):
        try:
            queue.put_nowait(text)
        except asyncio.QueueFull:
            del members[connection]
            task = asyncio.create_task(connection.close(1008, "too slow"))
            leaving.add(task)
            task.add_done_callback(leaving.discard)


async def send_from(queue: "asyncio.Queue[str]", connection: ServerConnection) -> None:
    try:
        while True:
            await connection.send(await queue.get())
    except ConnectionClosed:
        pass


async def member(connection: ServerConnection) -> None:
    assert connection.request is not None  # an open connection has had one
    path = connection.request.path.partition("?")[0]
    name = urllib.parse.unquote(path).strip("/") or "somebody"
    queue: "asyncio.Queue[str]" = asyncio.Queue(WAITING)
    members[connection] = queue
    sender = asyncio.create_task(send_from(queue, connection))
    say(f"* {name} is here, as {len(members)} are")
    try:
        async for message in connection:
            say(f"{name}: {message if isinstance(message, str) else '(binary data)'}")
    finally:
        members.pop(connection, None)
        sender.cancel()
        say(f"* {name} has left")


async def main(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers: there, Ctrl-C ends the loop
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(member, "127.0.0.1", port, max_size=4096) as server:
        address = next(iter(server.sockets)).getsockname()
        print(f"listening on ws://{address[0]}:{address[1]}/YOUR-NAME", flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=1337)
    port = parser.parse_args().port
    try:
        asyncio.run(main(port))
    except (OSError, ValueError) as error:
        sys.exit(f"cannot listen on port {port}: {error}")
    except KeyboardInterrupt:
        pass
