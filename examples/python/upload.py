"""Files of any size over WebSocket, with threads: each is one message, which neither end has in memory as a whole.

python examples/python/upload.py serve FOLDER [PORT]
python examples/python/upload.py send FILE ws://127.0.0.1:1337/
"""

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Iterator

from embws import EmbwsError
from embws.sync import ServerConnection, connect, serve

BLOCK = 256 * 1024  #: bytes of a fragment


def blocks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            yield block


def receive(connection: ServerConnection, folder: Path) -> None:
    """Writes each message to a file, and answers with its name: the SHA-256 of what is in it."""
    while True:
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                for part in connection.recv_streaming(decode=False):
                    digest.update(part)
                    file.write(part)
            except BaseException:
                Path(file.name).unlink()  # the rest did not come
                raise
        Path(file.name).rename(folder / digest.hexdigest())
        connection.send(digest.hexdigest())


def main() -> int:
    arguments = dict(enumerate(sys.argv[1:]))
    try:
        if arguments.get(0) == "serve" and 1 in arguments:
            folder, port = Path(arguments[1]).resolve(strict=True), int(arguments.get(2, "1337"))
            with serve(lambda connection: receive(connection, folder), "127.0.0.1", port, max_size=None) as server:
                print(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", flush=True)
                server.serve_forever()
        elif arguments.get(0) == "send" and 2 in arguments:
            with connect(arguments[2]) as connection:
                connection.send(blocks(Path(arguments[1])))
                print(connection.recv())
        else:
            print(__doc__)
            return 2
    except (EmbwsError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
