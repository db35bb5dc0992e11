"""TLS contexts for tests: a certificate authority of the test's own, and a server's certificate of it."""

from __future__ import annotations

import functools
import ssl
from typing import Optional, Tuple

import pytest


@functools.lru_cache(maxsize=None)
def contexts() -> Tuple[ssl.SSLContext, ssl.SSLContext]:
    """The context of a server on 127.0.0.1 or localhost, and that of a client that trusts it."""
    trustme = pytest.importorskip("trustme", reason="trustme, which makes certificates, is not installed")
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def both(tls: bool) -> Tuple[Optional[ssl.SSLContext], Optional[ssl.SSLContext]]:
    """The same, or none where there is no TLS."""
    return contexts() if tls else (None, None)


def uri(tls: bool, port: int) -> str:
    """The URI of a server on this machine."""
    return f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"
