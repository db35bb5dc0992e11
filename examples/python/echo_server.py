"""An echo server on asyncio.

python examples/python/echo_server.py [--port 1337]
"""

import argparse
import asyncio
import contextlib
import signal
import sys

from embws.aio import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for message in connection:  # str for text, bytes for binary data
        await connection.send(message)


async def main(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers: there, Ctrl-C ends the loop
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(echo, "127.0.0.1", port) as server:
        address = next(iter(server.sockets)).getsockname()
        print(f"listening on ws://{address[0]}:{address[1]}/", flush=True)
        await stop.wait()  # leaving the block closes all connections with 1001


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
