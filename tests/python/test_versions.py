"""Every Python from 3.11 to 3.14 that is installed imports the package and does a round trip.

The package has no compiled part of its own, so what was installed for this interpreter serves all of them.
"""

from __future__ import annotations

import glob
import os
import pathlib
import shutil
import subprocess
from typing import Optional

import pytest

import embws
from embws import _library

PROGRAM = """
import sys
import embws
from embws import ClientProtocol, Close, Data, Pong, Request, Response, ServerProtocol
import embws.aio, embws.sync

client, server = ClientProtocol("ws://example.com:1337/chat?a=b", subprotocols=["chat"]), ServerProtocol()
server.receive_data(client.data_to_send())
(request,) = server.events()
assert isinstance(request, Request) and request.path == "/chat?a=b" and request.upgrade
server.accept("chat", {"X-Reply": "yes"})
client.receive_data(server.data_to_send())
(response,) = client.events()
assert isinstance(response, Response) and response.headers["x-reply"] == "yes" and client.subprotocol == "chat"
for one, other in ((client, server), (server, client)):
    one.send_text("h\\u00e9llo")
    one.send_binary(bytes(200_000))
    one.ping(b"p")
    data = one.data_to_send()
    for at in range(0, len(data), 9973):
        other.receive_data(data[at : at + 9973])
    assert list(other.messages()) == ["h\\u00e9llo", bytes(200_000)]
    one.receive_data(other.data_to_send())
    assert list(one.events()) == [Pong(b"p")]
server.receive_data(b"\\xff\\xff")
try:
    list(server.events())
except embws.ProtocolError as error:
    assert error.rule == 39 and error.code == 1002
else:
    raise SystemExit("no ProtocolError")
client.receive_data(server.data_to_send())
assert [type(event) for event in client.events()] == [Close] and client.close_code == 1002
print("fine on", sys.version.split()[0], "with", embws.library_version)
"""


def python(version: str) -> Optional[str]:
    """An interpreter of that version: on the PATH, or where pyenv keeps them."""
    names = [shutil.which(f"python{version}")]
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    names += sorted(glob.glob(os.path.join(root, "versions", f"{version}*", "bin", f"python{version}")))
    for name in filter(None, names):
        ask = [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
        if done.stdout.strip() == version:  # what pyenv puts on the PATH need not run
            return name
    return None


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_round_trip(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = python(version)
    if interpreter is None:
        pytest.skip(f"Python {version} is not installed here")
    environment = {
        **os.environ,
        "PYTHONPATH": str(pathlib.Path(embws.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "EMBWS_LIBRARY": _library.lib._name,
    }
    # Not isolated (-I), for that would not look at PYTHONPATH; -S leaves out what is installed beside it.
    done = subprocess.run(
        [interpreter, "-S", "-W", "error", "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with capsys.disabled():
        print(f"\n{done.stdout.strip()}")
