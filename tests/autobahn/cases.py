"""The Autobahn cases by their ids, and how a selection of them is written.

The ids are kept here, apart from the engines, so that a case which an engine leaves out is seen to be missing.
"""

import re

# How many cases stand under each heading: "1.1": 8 means 1.1.1 to 1.1.8. 517 in all.
_COUNTS = {
    "1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20,
    "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4, "6.10": 3,
    "6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5,
    "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
    "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
    "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6,
    "10.1": 1,
    "12.1": 18, "12.2": 18, "12.3": 18, "12.4": 18, "12.5": 18,
    "13.1": 18, "13.2": 18, "13.3": 18, "13.4": 18, "13.5": 18, "13.6": 18, "13.7": 18,
}  # fmt: skip

ALL = tuple(f"{heading}.{n}" for heading, count in _COUNTS.items() for n in range(1, count + 1))

# Cases for which the protocol allows several outcomes: both verdicts say INFORMATIONAL, whatever the endpoint does.
INFORMATIONAL = frozenset({"7.1.6", "7.13.1", "7.13.2"})

# Named selections. Groups 12 and 13 are permessage-deflate, group 9 is limits and performance.
CORE = "1,2,3,4,5,6,7,10"
NAMED = {"core": CORE, "limits": CORE + ",9", "full": "*"}

COMPRESSION_GROUPS = frozenset({12, 13})
LIMITS_GROUP = 9


def group(case: str) -> int:
    return int(case.split(".", 1)[0])


def select(selection: str) -> list[str]:
    """The cases that a selection names, in the suite's order.

    A selection is core, limits, full, or ids and prefixes behind commas: "6.4,7.1.6,9.*". A prefix ends at a dot:
    "1" is group 1 and not group 10. Raises ValueError where a part of it names no case.
    """
    chosen = set()
    for part in NAMED.get(selection, selection).split(","):
        part = part.strip()
        if not re.fullmatch(r"\*|\d+(\.\d+)*(\.\*)?", part):
            raise ValueError(f"{part!r} is no case, prefix or named selection ({', '.join(NAMED)})")
        prefix = part.removesuffix("*").removesuffix(".")
        found = {c for c in ALL if not prefix or c == prefix or c.startswith(prefix + ".")}
        if not found:
            raise ValueError(f"{part!r} names no case")
        chosen |= found
    return [c for c in ALL if c in chosen]


def budget(selected: list[str]) -> float:
    """The seconds after which a run is given up: several times what a good endpoint needs on two cores."""
    seconds = 60.0
    for case in selected:
        if group(case) == LIMITS_GROUP:
            seconds += 10
        elif group(case) in COMPRESSION_GROUPS:
            seconds += 6
        else:
            seconds += 0.25
    return seconds
