"""An echo server on embws.aio, for the Autobahn cases: python_server.py PORT. SIGTERM ends it."""

import asyncio
import signal
import sys

import embws
from embws.aio import ServerConnection, serve

MAX_SIZE = 64 * 2**20  # the largest message of the cases has 16 MiB


async def echo(websocket: ServerConnection) -> None:
    """Sends back what comes, and ends with the connection, which the cases break in every way."""
    try:
        async for message in websocket:
            await websocket.send(message)
    except embws.ConnectionClosed:
        pass


async def main(port: int) -> None:
    """Serves until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(echo, "127.0.0.1", port, max_size=MAX_SIZE, ping_interval=None):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
