"""A client on embws.aio under the Autobahn cases: python_client.py URL AGENT."""

import asyncio
import sys

import embws
from embws.aio import connect

MAX_SIZE = 64 * 2**20  # the largest message of the cases has 16 MiB
CASE_SECONDS = 110


def to(uri: str) -> connect:
    """A connection for one case: without Pings of its own, for the cases count the frames."""
    return connect(uri, max_size=MAX_SIZE, ping_interval=None)


async def echo(uri: str) -> None:
    """Plays a case: sends back what comes until the server closes."""
    try:
        async with asyncio.timeout(CASE_SECONDS), to(uri) as websocket:
            async for message in websocket:
                await websocket.send(message)
    except embws.ConnectionClosed:
        pass


async def main(url: str, agent: str) -> None:
    """Plays all cases."""
    async with to(f"{url}/getCaseCount") as websocket:
        count = int(await websocket.recv())
    for case in range(1, count + 1):
        try:
            await echo(f"{url}/runCase?case={case}&agent={agent}")
        except (OSError, TimeoutError, embws.EmbwsError) as error:
            print(f"case {case}: {error!r}", file=sys.stderr)
    async with to(f"{url}/updateReports?agent={agent}"):
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
