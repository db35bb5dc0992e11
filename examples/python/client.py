"""A client with threads: sends each argument as a message, and prints what comes back.

python examples/python/client.py ws://127.0.0.1:1337/ hello world
"""

import sys

from embws import EmbwsError
from embws.sync import connect


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    uri, messages = sys.argv[1], sys.argv[2:] or ["hello"]
    try:
        with connect(uri) as connection:
            for message in messages:
                connection.send(message)
                print(connection.recv(timeout=10))
    except (EmbwsError, OSError, ValueError) as error:  # ValueError tells what is wrong with the URI
        print(f"{uri}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
