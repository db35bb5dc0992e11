"""The command line: ``python -m embws ws://...`` and ``python -m embws serve``."""

from __future__ import annotations

import argparse
import sys
from typing import List, Optional, Sequence

from . import __version__, library_version


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line, and returns the exit status: 0 for a connection that was closed in order."""
    words: List[str] = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] == "serve":
        return serve(words[1:])
    return connect(words)


def connect(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m embws",
        description="Talks to a WebSocket server: sends each line that you type, or that comes from a pipe, and prints what "
        "comes back. `python -m embws serve` is a server to try it with.",
        epilog="While it runs, /ping [TEXT], /pong [TEXT] and /close [CODE [REASON]] send control frames; "
        "// begins a line with a slash. Exit status: 0 for a connection that was closed in order (1000, 1001, no code, or "
        "the code of /close), in a pipe not before all of its lines were sent; 1 for any other end, or no connection; 2 for "
        "wrong arguments; 128 and its number for a signal (130 for Ctrl-C).",
    )
    parser.add_argument("uri", help="such as ws://127.0.0.1:1337/chat")
    parser.add_argument(
        "--subprotocol", action="append", default=[], metavar="NAME", help="a subprotocol to offer; may be repeated"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", help="a further header field; may be repeated"
    )
    parser.add_argument("--origin", help="the value of the Origin field")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust, in PEM, instead of the system's")
    parser.add_argument("--insecure", action="store_true", help="trust any certificate")
    parser.add_argument(
        "--timeout", type=timeout, default=10.0, metavar="SECONDS", help="for connecting and for closing (10)"
    )
    parser.add_argument(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="at the end of a pipe, close when nothing has come for so long; by default, when nothing has come for 10 seconds, "
        "or for 1 second once as many messages have come as lines were sent",
    )
    parser.add_argument(
        "--max-size",
        type=size,
        default=64 << 20,
        metavar="BYTES",
        help="the largest message that is received (67108864); a larger one ends the connection with 1009",
    )
    parser.add_argument("--quiet", action="store_true", help="print messages only, without the signs before them")
    parser.add_argument("--version", action="version", version=f"embws {__version__} (library {library_version})")
    options = parser.parse_args(words)
    from ._cli import Client  # asyncio and others are loaded only now

    try:
        client = Client(options)
    except ValueError as error:
        return refuse(parser, str(error))
    return client.run()


def serve(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m embws serve",
        description="The demo: a WebSocket echo server, and a page for the browser that talks to it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=port, default=1337, help="the port (1337); 0 picks a free one")
    parser.add_argument("--addr", metavar="HOST:PORT", help="both in one")
    parser.add_argument("--path", default="/chat", help="the path of the WebSocket (/chat); the page is at /")
    parser.add_argument("--subprotocol", default="chat", help="the subprotocol to select where it is offered (chat)")
    options = parser.parse_args(words)
    if options.addr:
        options.host, _, number = options.addr.rpartition(":")
        try:
            options.port = port(number)
        except argparse.ArgumentTypeError as error:
            return refuse(parser, f"--addr {options.addr!r} is not HOST:PORT: {error}")
    if not options.path.startswith("/") or "?" in options.path or "#" in options.path:
        return refuse(parser, f"--path {options.path!r} must begin with a slash, and have no query")
    from ._demo import run

    return run(options.host.strip("[]"), options.port, options.path, options.subprotocol)


def refuse(parser: argparse.ArgumentParser, why: str) -> int:
    """Tells in a line what is wrong with the arguments: the usage would not say more. Returns the exit status."""
    from ._terminal import visible

    print(f"{parser.prog}: {visible(why)}", file=sys.stderr)
    return 2


def seconds(text: str) -> float:
    """A duration of the command line's. A week is more than anyone means, and less than any clock's limit."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 604800:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 604800")
    return value


def timeout(text: str) -> float:
    value = seconds(text)
    if value == 0:
        raise argparse.ArgumentTypeError("it must be more than 0")
    return value


def size(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if not 0 < value < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes from 1 to {(1 << 63) - 1}")
    return value


def port(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return value


if __name__ == "__main__":
    sys.exit(main())
