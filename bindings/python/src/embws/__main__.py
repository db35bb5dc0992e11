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
        "// begins a line with a slash.",
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
        "--timeout", type=float, default=10, metavar="SECONDS", help="for connecting and for closing (10)"
    )
    parser.add_argument("--quiet", action="store_true", help="print messages only, without the signs before them")
    parser.add_argument("--version", action="version", version=f"embws {__version__} (library {library_version})")
    options = parser.parse_args(words)
    for field in options.header:
        if ":" not in field:
            parser.error(f"--header {field!r} lacks a colon: give it as 'Name: value'")
    from .cli import Client  # ssl and others are loaded only now

    return Client(options).run()


def serve(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m embws serve",
        description="The demo: a WebSocket echo server, and a page for the browser that talks to it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=1337, help="the port (1337); 0 picks a free one")
    parser.add_argument("--addr", metavar="HOST:PORT", help="both in one")
    parser.add_argument("--path", default="/chat", help="the path of the WebSocket (/chat); the page is at /")
    parser.add_argument("--subprotocol", default="chat", help="the subprotocol to select where it is offered (chat)")
    options = parser.parse_args(words)
    if options.addr:
        options.host, _, port = options.addr.rpartition(":")
        if not port.isdigit() or int(port) > 65535:
            parser.error(f"--addr {options.addr!r} is not HOST:PORT")
        options.port = int(port)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port} is no port: 0 to 65535")
    if not options.path.startswith("/"):
        parser.error(f"--path {options.path!r} must begin with a slash")
    from .demo import run

    return run(options.host.strip("[]"), options.port, options.path, options.subprotocol)


if __name__ == "__main__":
    sys.exit(main())
