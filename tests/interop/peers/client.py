"""A client of Python's websockets library, driven by lines of JSON: see peer_test.go."""

import asyncio
import base64
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

connections = {}


async def open_connection(name, url, subprotocols=None):
    try:
        ws = await connect(
            url,
            subprotocols=subprotocols,
            compression="deflate",
            proxy=None,
            ping_interval=None,
            max_size=None,
            max_queue=None,
        )
    except InvalidStatus as refusal:
        response = refusal.response
        return {"status": response.status_code, "body": response.body.decode()}
    connections[name] = ws
    headers = ws.response.headers
    return {
        "status": ws.response.status_code,
        "subprotocol": ws.subprotocol or "",
        "extensions": headers.get("Sec-WebSocket-Extensions", ""),
    }


async def send(name, kind, parts, pings=False):
    """Sends one message: a part whole, several as fragments, if wanted with a Ping and its Pong in between."""
    ws = connections[name]
    decoded = [base64.b64decode(part) for part in parts]
    if kind == "text":
        decoded = [part.decode() for part in decoded]

    async def fragments():
        for part in decoded:
            yield part
            if pings:
                await (await ws.ping())

    await ws.send(decoded[0] if len(decoded) == 1 else fragments())
    return {}


async def receive(name):
    ws = connections[name]
    try:
        message = await ws.recv()
    except ConnectionClosed:
        return {"kind": "close", "code": ws.close_code, "reason": ws.close_reason}
    if isinstance(message, str):
        return {"kind": "text", "data": base64.b64encode(message.encode()).decode()}
    return {"kind": "binary", "data": base64.b64encode(message).decode()}


async def ping(name, data):
    """Returns once a Pong with the same payload has come."""
    await (await connections[name].ping(base64.b64decode(data)))
    return {"kind": "pong", "data": data}


async def close(name, code, reason):
    ws = connections[name]
    await ws.close(code, reason)
    return {"kind": "close", "code": ws.close_code, "reason": ws.close_reason}


COMMANDS = {"open": open_connection, "send": send, "receive": receive, "ping": ping, "close": close}


async def obey(number, do, arguments):
    try:
        answer = await COMMANDS[do](**arguments)
    except Exception as error:  # noqa: BLE001, the test fails with it
        answer = {"error": repr(error)}
    print(json.dumps({"id": number, **answer}), flush=True)


async def main():
    tasks = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        task = asyncio.create_task(obey(command.pop("id"), command.pop("do"), command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
