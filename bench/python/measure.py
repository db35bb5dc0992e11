"""Rounds of candidates in turn, and the table of what they took."""

from __future__ import annotations

import statistics
import time
from typing import Callable, Dict, List


def measure(
    candidates: Dict[str, Callable[[], None]], each: int, rounds: int = 21, turn: float = 0.02
) -> Dict[str, List[float]]:
    """Seconds per unit of work for each candidate, ``each`` units a call, in ``rounds`` turns whose order rotates."""
    names = list(candidates)
    calls = {}
    for name, work in candidates.items():
        work()
        begin = time.perf_counter()
        work()
        calls[name] = max(1, int(turn / max(time.perf_counter() - begin, 1e-9)))
    taken: Dict[str, List[float]] = {name: [] for name in names}
    for number in range(rounds):
        for i in range(len(names)):
            name = names[(i + number) % len(names)]
            work, n = candidates[name], calls[name]
            begin = time.perf_counter()
            for _ in range(n):
                work()
            taken[name].append((time.perf_counter() - begin) / n / each)
    return taken


def rows(
    title: str, taken: Dict[str, List[float]], goals: Dict[str, float], unit: float = 1e6, of_bytes: int = 0
) -> None:
    """Prints a row for each candidate; its ratio is its time over that of the first. A goal is a least ratio."""
    ours = next(iter(taken))
    for name, times in taken.items():
        least, median = min(times), statistics.median(times)
        ratio = least / min(taken[ours]), median / statistics.median(taken[ours])
        goal = ""
        if name in goals:
            met = "met" if min(ratio) >= goals[name] else "met by one" if max(ratio) >= goals[name] else "MISSED"
            goal = f">= {goals[name]:g}x: {met}"
        speed = f"{of_bytes / least / 1e9:.2f}" if of_bytes else ""
        print(
            f"| {title} | {name} | {least * unit:.3f} | {median * unit:.3f} | {speed} | {ratio[0]:.2f} / {ratio[1]:.2f} | {goal} |"
        )
        title = ""


HEAD = "| work | candidate | us min | us median | GB/s | its time / ours: min / median | goal |\n|---|---|--:|--:|--:|--:|---|"
