"""The wake-up: one frame after a pause, when caches are cold and the Go runtime may have gone to sleep. Median and least
time of taking a message of 32 B, in one process. Each candidate has some messages in a row, and then the next: the caches
are cold because of the pause, and not because of the others."""

from __future__ import annotations

import os
import sys
import time
from typing import Callable, Dict, List

from codec import embws_messages, picows, stream, websockets, wsproto

import embws
from measure import HEAD, rows

SECONDS = 8.0  # for each pause


async def main() -> None:
    chunks = [stream(os.urandom(32), 1)]
    works: Dict[str, Callable[[], None]] = {
        "embws, messages()": embws_messages(chunks),
        "websockets": websockets(chunks),
        "wsproto": wsproto(chunks),
        "picows, listener": picows(chunks),
    }
    print(f"\nembws {embws.__version__}, Python {sys.version.split()[0]}\n\n{HEAD}")
    for pause in (0.001, 0.02):
        taken: Dict[str, List[float]] = {name: [] for name in works}
        in_a_row = max(3, int(0.02 / pause))
        for number in range(int(SECONDS / pause / len(works) / in_a_row)):
            for i in range(len(works)):
                name = list(works)[(i + number) % len(works)]
                for _ in range(in_a_row):
                    time.sleep(pause)
                    begin = time.perf_counter()
                    works[name]()
                    taken[name].append(time.perf_counter() - begin)
        rows(f"1 x 32 B after {pause * 1000:g} ms", taken, {"websockets": 1})


if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
