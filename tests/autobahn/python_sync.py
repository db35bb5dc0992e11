"""Both ends on embws.sync under the Autobahn cases: python_sync.py server PORT, which SIGTERM ends, or
python_sync.py client URL AGENT."""

import signal
import sys

import embws
from embws.sync import ClientConnection, ServerConnection, connect, serve

MAX_SIZE = 64 * 2**20  # the largest message of the cases has 16 MiB
CASE_SECONDS = 110


def echo(websocket: ServerConnection) -> None:
    """Sends back what comes, and ends with the connection, which the cases break in every way."""
    try:
        for message in websocket:
            websocket.send(message)
    except embws.ConnectionClosed:
        pass


def serve_cases(port: str) -> None:
    """Serves until SIGTERM."""
    with serve(echo, "127.0.0.1", int(port), max_size=MAX_SIZE, ping_interval=None) as server:
        signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
        server.serve_forever()


def to(uri: str) -> ClientConnection:
    """A connection for one case: without Pings of its own, for the cases count the frames."""
    return connect(uri, max_size=MAX_SIZE, ping_interval=None)


def play(uri: str) -> None:
    """Plays a case: sends back what comes until the server closes."""
    try:
        with to(uri) as websocket:
            while True:
                websocket.send(websocket.recv(timeout=CASE_SECONDS))
    except embws.ConnectionClosed:
        pass


def play_cases(url: str, agent: str) -> None:
    """Plays all cases."""
    with to(f"{url}/getCaseCount") as websocket:
        count = int(websocket.recv())
    for case in range(1, count + 1):
        try:
            play(f"{url}/runCase?case={case}&agent={agent}")
        except (OSError, embws.EmbwsError) as error:
            print(f"case {case}: {error!r}", file=sys.stderr)
    to(f"{url}/updateReports?agent={agent}").close()


if __name__ == "__main__":
    {"server": serve_cases, "client": play_cases}[sys.argv[1]](*sys.argv[2:])
