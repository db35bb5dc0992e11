"""Rounds of candidates in turn, and the table of what they took."""

from __future__ import annotations

import statistics
import time
from typing import Callable, Dict, List, Tuple, Union

#: How many times as long a candidate must take: as the first one, or as the one that is named.
Goal = Union[float, Tuple[float, str]]


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
    title: str, taken: Dict[str, List[float]], goals: Dict[str, "Goal"], unit: float = 1e6, of_bytes: int = 0
) -> None:
    """Prints a row for each candidate; its ratio is its time over that of the first. A goal is a least ratio, of the first
    or of the row that it names."""
    ours = next(iter(taken))
    for name, times in taken.items():
        least, median = min(times), statistics.median(times)
        ratio = least / min(taken[ours]), median / statistics.median(taken[ours])
        goal = ""
        if name in goals:
            wanted, of = goals[name] if isinstance(goals[name], tuple) else (goals[name], ours)
            reached = least / min(taken[of]), median / statistics.median(taken[of])
            met = "met" if min(reached) >= wanted else "met by one" if max(reached) >= wanted else "MISSED"
            told = "" if of == ours else f" of {of} ({reached[0]:.2f} / {reached[1]:.2f})"
            goal = f">= {wanted:g}x{told}: {met}"
        speed = f"{of_bytes / least / 1e9:.2f}" if of_bytes else ""
        print(
            f"| {title} | {name} | {least * unit:.3f} | {median * unit:.3f} | {speed} | {ratio[0]:.2f} / {ratio[1]:.2f} | {goal} |"
        )
        title = ""


HEAD = "| work | candidate | us min | us median | GB/s | its time / ours: min / median | goal |\n|---|---|--:|--:|--:|--:|---|"
