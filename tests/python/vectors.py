"""Reads the shared vectors, wire cases in plain text: tests/vectors/FORMAT.md describes them."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from wire import masked

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "vectors"
DEFAULT_KEYS = bytes.fromhex("37fa213d")
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", '"': b'"', "\\": b"\\"}


@dataclass
class Setting:
    """An option, a value, or an argument of an answer. ``key`` is a field's name."""

    name: str
    data: bytes
    key: str = ""


@dataclass
class Found:
    """A frame that is found in the input."""

    kind: str
    edges: str
    code: int
    data: bytes


@dataclass
class Fail:
    """The rule that is broken, at which byte, and the close code or HTTP status that says so."""

    rule: int
    offset: int
    code: int


@dataclass
class Step:
    """What a sender does, or bytes that reach it."""

    verb: str
    fin: bool = True
    code: int = 0
    data: bytes = b""
    out: bytes = b""
    error: Optional[int] = None


@dataclass
class Answer:
    """An attempt to answer a request."""

    verb: str
    arguments: List[Setting]
    out: bytes = b""
    error: Optional[int] = None


@dataclass
class Head:
    """What a handshake makes of one request or response."""

    outcome: str
    fail: Optional[Fail] = None
    values: List[Setting] = field(default_factory=list)
    absent: List[str] = field(default_factory=list)
    has: List[bytes] = field(default_factory=list)
    answers: List[Answer] = field(default_factory=list)
    events: List[Found] = field(default_factory=list)


@dataclass
class Case:
    """The lines from ``case`` to ``end``."""

    name: str
    where: str
    kind: str = ""
    role: str = ""
    level: str = ""
    keys: bytes = DEFAULT_KEYS
    options: Dict[str, List[str]] = field(default_factory=dict)
    given: bytes = b""
    events: List[Found] = field(default_factory=list)
    out: Optional[bytes] = None
    fail: Optional[Fail] = None
    eof: Optional[int] = None
    error: Optional[int] = None
    steps: List[Step] = field(default_factory=list)
    heads: List[Head] = field(default_factory=list)
    arguments: List[Setting] = field(default_factory=list)

    def number(self, option: str) -> int:
        """The value of an option, 0 without it."""
        return int(self.options[option][-1]) if option in self.options else 0


def word(text: str) -> Tuple[str, str]:
    """The first word, and what follows."""
    first, _, rest = text.strip().partition(" ")
    return first, rest.strip()


def data(text: str) -> bytes:
    """The bytes that DATA says."""
    out, masked_from, key = bytearray(), -1, b""
    text = text.strip()
    while text:
        if text[0] == '"':
            piece, text = _quoted(text)
            out += piece
            continue
        token, text = word(text)
        if token[0] == "^":
            key = bytes.fromhex(token[1:])
            assert len(key) == 4 and masked_from < 0, token
            out += key
            masked_from = len(out)
            continue
        times, star, what = token.partition("*")
        out += bytes.fromhex(what) * int(times) if star else bytes.fromhex(token)
    if masked_from >= 0:
        out[masked_from:] = masked(bytes(out[masked_from:]), key)
    return bytes(out)


def _quoted(text: str) -> Tuple[bytes, str]:
    """The bytes of the quoted text that this begins with, and what follows it."""
    out, at = bytearray(), 1
    while text[at] != '"':
        if text[at] != "\\":
            out += text[at].encode("ascii")
            at += 1
        elif text[at + 1] == "x":
            out += bytes.fromhex(text[at + 2 : at + 4])
            at += 4
        else:
            out += _ESCAPES[text[at + 1]]
            at += 2
    return bytes(out), text[at + 1 :].strip()


def _setting(text: str) -> Setting:
    name, rest = word(text)
    if name != "field":
        return Setting(name, data(rest))
    key, rest = word(rest)
    if key[0] == '"':
        key = _quoted(key)[0].decode("latin-1")
    return Setting(name, data(rest), key)


def _event(text: str) -> Found:
    kind, rest = word(text)
    edges, code = "MFfm", 0
    if kind in ("text", "binary"):
        edges, rest = word(rest)
    elif kind == "close":
        number, rest = word(rest)
        code = int(number)
    return Found(kind, edges, code, data(rest))


def _step(text: str) -> Step:
    verb, rest = word(text)
    if verb == "header":
        return Step(verb)
    step = Step(verb)
    if verb in ("text", "binary", "continuation"):
        part, rest = word(rest)
        assert part in ("fin", "part"), text
        step.fin = part == "fin"
    elif verb == "close":
        number, rest = word(rest)
        step.code = int(number)
    step.data = data(rest)
    return step


class _Reader:
    """Reads one file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: List[Case] = []
        self.case: Optional[Case] = None
        self.waiting: List[Setting] = []  # arguments of the next answer

    def line(self, number: int, text: str) -> None:
        directive, rest = word(text)
        if directive == "case":
            assert self.case is None, "the case before has no end"
            self.case, self.waiting = Case(rest, f"{self.name}:{number}"), []
            return
        assert self.case is not None, "outside of a case"
        if directive == "end":
            self.cases.append(self.case)
            self.case = None
            return
        if directive == "rules":
            return
        self.directive(self.case, directive, rest)

    def directive(self, case: Case, directive: str, rest: str) -> None:
        if directive in ("frames", "send"):
            case.kind, case.role = directive, rest
        elif directive in ("request", "response"):
            case.kind, case.role = directive, "server" if directive == "request" else "client"
        elif directive == "level":
            case.level = rest
        elif directive == "option":
            name, value = word(rest)
            case.options.setdefault(name, []).append(value)
        elif directive == "keys":
            case.keys = data(rest)
        elif directive == "eof":
            case.eof = int(rest)
        elif directive == "in" and case.kind == "send":
            case.steps.append(Step("in", data=data(rest)))
        elif directive == "in":
            case.given += data(rest)
        elif directive == "do":
            case.steps.append(_step(rest))
        elif directive == "with" and case.kind == "response":
            case.arguments.append(_setting(rest))
        elif directive == "with":
            self.waiting.append(_setting(rest))
        elif directive == "event":
            (case.heads[-1].events if case.heads else case.events).append(_event(rest))
        elif directive in ("out", "error"):
            self.result(case, directive, rest)
        elif directive == "fail":
            rule, offset, code = rest.split()
            fail = Fail(int(rule), len(case.given) if offset == "here" else int(offset), int(code))
            if case.kind == "frames":
                case.fail = fail
            else:
                case.heads.append(Head("fail", fail))
        elif directive == "outcome":
            case.heads.append(Head(rest))
            self.waiting = []
        else:
            self.of_head(case.heads[-1], directive, rest)

    def result(self, case: Case, directive: str, rest: str) -> None:
        """What a step, an answer or the whole case has sent, or is refused for."""
        of: "Case | Step | Answer" = case
        if case.kind == "send":
            of = case.steps[-1]
        elif case.kind == "request":
            of = case.heads[-1].answers[-1]
        if directive == "error":
            of.error = int(rest)
        else:
            of.out = (of.out or b"") + data(rest)

    def of_head(self, head: Head, directive: str, rest: str) -> None:
        if directive == "value":
            head.values.append(_setting(rest))
        elif directive == "absent":
            head.absent.append(rest)
        elif directive == "has":
            head.has.append(data(rest))
        elif directive in ("accept", "respond"):
            head.answers.append(Answer(directive, self.waiting))
            self.waiting = []
        else:
            assert directive == "rest", f"unknown directive {directive}"


def read(path: pathlib.Path) -> List[Case]:
    """The cases of a file."""
    reader = _Reader(path.name)
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        text = line.strip()
        if text and text[0] != "#":
            try:
                reader.line(number, text)
            except (AssertionError, ValueError, LookupError) as error:
                raise ValueError(f"{path.name}:{number}: {text}: {error}") from error
    assert reader.case is None, f"{path.name}: the last case has no end"
    return reader.cases


def files() -> List[pathlib.Path]:
    """The files of the vectors, in the order of their names."""
    return sorted(FOLDER.glob("*.txt"))
