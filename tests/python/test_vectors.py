"""Plays the shared vectors through ServerProtocol and ClientProtocol: every case, every split.

``EMBWS_SEED=N`` takes other random splits. ``-k server-lists`` plays one file.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import random
import re
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import pytest

import embws
import embws.protocol
from embws import _library as abi
from vectors import Answer, Case, Fail, Found, Head, Setting, Step, files, read

SEED = int(os.environ.get("EMBWS_SEED", "5"))
ALL_PLACES = 300  # bytes of input up to which every split in two is played
SOME_PLACES = 200  # splits in two of longer input
RANDOM_SPLITS = 12  # splits into many pieces
CASES = 1182  # at least; more may be written

#: (kind, code, data, the message begins, the message ends)
Seen = Tuple[str, int, bytes, bool, bool]


# -- What a user cannot set: the random source, and limits that the package derives from others -----------------------


class Hooks:
    """Stands in for what embws.protocol makes of its arguments, so that a case has its own limits and random bytes."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.at = 0
        self.random = abi.RANDOM(self.fill)  # kept: the library calls it as long as the session lives
        self.names = [name.encode("latin-1") for name in case.options.get("keep", [])]

    def fill(self, _context: object, memory: int, length: int) -> int:
        if not self.case.keys:
            return 1
        keys = self.case.keys
        given = bytes(keys[(self.at + i) % len(keys)] for i in range(length))
        self.at += length
        ctypes.memmove(memory, given, length)
        return 0

    def options(self, *_arguments: object, **_named: object) -> abi.Options:
        case = self.case
        flags = {
            "long-lengths": abi.LONG_LENGTHS,
            "check-text": abi.CHECK_TEXT,
            "manual-pong": abi.MANUAL_PONG,
            "manual-close": abi.MANUAL_CLOSE,
        }
        self.at = 0
        options = abi.Options(struct_size=ctypes.sizeof(abi.Options), random=self.random)
        options.max_frame, options.max_message = case.number("max-frame"), case.number("max-message")
        options.flags = sum(flag for name, flag in flags.items() if name in case.options)
        return options

    def limits(self, *_arguments: object, **_named: object) -> abi.HandshakeOptions:
        case = self.case
        limits = abi.HandshakeOptions(struct_size=ctypes.sizeof(abi.HandshakeOptions))
        limits.store = case.number("store") or 2048
        limits.max_head, limits.max_fields = case.number("max-head"), case.number("max-fields")
        limits.max_subprotocols = case.number("max-subprotocols")
        limits.flags = abi.KEEP_ALL if "keep-all" in case.options else 0
        spans = [abi.Span(ctypes.cast(ctypes.c_char_p(name), ctypes.c_void_p), len(name)) for name in self.names]
        limits.keep, limits.keep_count = (abi.Span * len(spans))(*spans), len(spans)
        return limits


def install(hooks: Hooks, monkeypatch: pytest.MonkeyPatch, *, heads: bool) -> None:
    monkeypatch.setattr(embws.protocol, "_options", hooks.options)
    if heads:
        monkeypatch.setattr(embws.protocol, "_limits", hooks.limits)


# -- Splits -----------------------------------------------------------------------------------------------------------


def splits(case: Case) -> Iterator[Tuple[str, List[int]]]:
    """Ways to cut the input: a name, and where pieces end."""
    n = len(case.given)
    yield "whole", [n]
    if n < 2:
        return
    yield "one byte at a time", list(range(1, n + 1))
    chance = random.Random(f"{SEED} {case.name}")
    places = range(1, n) if n <= ALL_PLACES else sorted(chance.sample(range(1, n), SOME_PLACES))
    for at in places:
        yield f"split at {at}", [at, n]
    for i in range(RANDOM_SPLITS if n > 2 else 0):
        most = chance.randint(1, n)
        cuts, at = [], chance.randint(1, most)
        while at < n:
            cuts.append(at)
            at += chance.randint(1, most)
        yield f"random split {i} of seed {SEED}", [*cuts, n]


def pieces(given: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    begin = 0
    for end in cuts:
        yield given[begin:end]
        begin = end


def receive_whole(protocol: embws.Protocol, piece: bytes) -> None:
    protocol.receive_data(piece)


def receive_in_buffer(protocol: embws.Protocol, piece: bytes) -> None:
    """As asyncio.BufferedProtocol does."""
    while piece:
        buffer = protocol.get_buffer(len(piece))
        n = min(len(piece), len(buffer))
        buffer[:n] = piece[:n]
        protocol.buffer_updated(n)
        piece = piece[n:]


def receive_in_own_memory(protocol: embws.Protocol, piece: bytes) -> None:
    """Each piece in memory that stays: it is unmasked there."""
    protocol.receive_in_place(bytearray(piece))


WAYS: List[Callable[[embws.Protocol, bytes], None]] = [receive_whole, receive_in_buffer, receive_in_own_memory]


# -- What is compared -------------------------------------------------------------------------------------------------


def seen(event: object) -> Seen:
    if isinstance(event, embws.Data):
        assert isinstance(event.data, str if event.text and event.whole else bytes), event
        data = event.data.encode() if isinstance(event.data, str) else event.data
        return ("text" if event.text else "binary", 0, data, event.first, event.last)
    if isinstance(event, embws.View):
        return ("text" if event.text else "binary", 0, bytes(event.data), event.first, event.last)
    if isinstance(event, embws.Ping):
        return ("ping", 0, event.data, True, True)
    if isinstance(event, embws.Pong):
        return ("pong", 0, event.data, True, True)
    assert isinstance(event, embws.Close), event
    return ("close", event.code, event.reason.encode(), True, True)


def wanted(found: Found) -> Seen:
    return (found.kind, found.code, found.data, found.edges[0] == "M", found.edges[3] == "m")


def merged(records: Iterable[Seen]) -> List[Seen]:
    """Puts neighbouring pieces of one message together: a protocol object does not tell where a frame ends."""
    out: List[Seen] = []
    for record in records:
        kind, _, data, first, last = record
        if not first and out and out[-1][0] == kind and not out[-1][4]:
            before = out.pop()
            record = (kind, 0, before[2] + data, before[3], last)
        out.append(record)
    return out


def whole_messages(records: Iterable[Seen]) -> List[Any]:
    """What messages() gives of these."""
    out: List[Any] = []
    parts = b""
    for kind, _, data, first, last in records:
        if kind in ("text", "binary"):
            parts = data if first else parts + data
            if last:
                out.append(parts.decode() if kind == "text" else parts)
    return out


def rules_of_refusals() -> Dict[int, int]:
    """The rule of each status that refuses a call, as embws.h says it."""
    header = pathlib.Path(__file__).resolve().parents[2] / "include" / "embws.h"
    lines = re.findall(r"#define EMBWS_ERR_\w+ +\((-\d+)\) /\*.*\(rule (\d+)\)", header.read_text())
    return {int(status): int(rule) for status, rule in lines if -100 < int(status) <= -20}


MESSAGES = {abi.message(status): rule for status, rule in rules_of_refusals().items()}
OVER = {71, 56}  # a Close was sent or seen, or the connection has failed


def refused(rule: int, call: Callable[[], None]) -> None:
    """The call raises for that rule."""
    with pytest.raises((ValueError, embws.StateError, embws.ConnectionClosed)) as caught:
        call()
    if isinstance(caught.value, embws.ConnectionClosed):
        assert rule in OVER
    known = {text: of for text, of in MESSAGES.items() if text in str(caught.value)}
    assert all(of == rule for of in known.values()), (rule, caught.value)


# -- frames and send --------------------------------------------------------------------------------------------------


def not_expressible(case: Case) -> Optional[str]:
    """Why a protocol object cannot play a case, or None."""
    if case.level == "codec":
        return "is about a codec below the session"
    if "memory" in case.options:
        return "messages of a fixed memory: Python's grow up to max_size"
    if "output" in case.options:
        return "an output buffer that is full: Python's grows"
    if case.options.get("store") == ["0"]:
        return "a store of nothing: over the C interface 0 is the default"
    if any(step.verb in ("header", "payload") for step in case.steps):
        return "a header without its payload: there is no such call"
    for step in case.steps:
        if step.verb == "text":
            try:
                step.data.decode()
            except UnicodeDecodeError:
                return "text that is not UTF-8: send_text() takes str"
        if step.verb == "close":
            try:
                step.data.decode()
            except UnicodeDecodeError:
                return "a reason that is not UTF-8: close() takes str"
    return None


def open_protocol(case: Case) -> embws.Protocol:
    return embws.ServerProtocol(handshake=False) if case.role == "server" else embws.ClientProtocol(None)


def do(protocol: embws.Protocol, step: Step) -> None:
    call: Callable[[], None]
    if step.verb == "text":
        call = lambda: protocol.send_text(step.data.decode(), step.fin)  # noqa: E731
    elif step.verb == "binary":
        call = lambda: protocol.send_binary(step.data, step.fin)  # noqa: E731
    elif step.verb == "continuation":
        call = lambda: protocol.send_continuation(step.data, step.fin)  # noqa: E731
    elif step.verb == "ping":
        call = lambda: protocol.ping(step.data)  # noqa: E731
    elif step.verb == "pong":
        call = lambda: protocol.pong(step.data)  # noqa: E731
    else:
        assert step.verb == "close", step
        call = lambda: protocol.close(step.code or None, step.data.decode())  # noqa: E731
        if step.error in OVER:  # close() is not an error where nothing is left to close
            return call()
    if step.error is None:
        return call()
    refused(step.error, call)
    return None


def take_events(protocol: embws.Protocol, into: List[Any], how: str = "events") -> Optional[embws.ProtocolError]:
    try:
        into.extend(getattr(protocol, how)())
    except embws.ProtocolError as error:
        return error
    return None


def same_failure(want: Optional[Fail], got: Any) -> None:
    assert (got is None) == (want is None), (want, got)
    if want is not None:
        assert Fail(got.rule, got.offset, got.code) == want, (want, got)
        assert got.section.startswith("RFC "), got.section


def play_frames(case: Case, cuts: List[int], way: Callable[[embws.Protocol, bytes], None], how: str) -> None:
    protocol = open_protocol(case)
    for step in case.steps:
        do(protocol, step)
    got: List[Any] = []
    failure: Optional[embws.ProtocolError] = None
    sent = b""
    for piece in pieces(case.given, cuts):
        before = failure
        way(protocol, piece)
        failure = take_events(protocol, got, how)
        assert before is None or failure is before, "a failure stays"
        sent += protocol.data_to_send()
    same_failure(case.fail, failure)
    want = [wanted(event) for event in case.events]
    if how == "messages":
        assert got == whole_messages(want)
    else:
        assert merged(seen(event) for event in got) == merged(want)
    assert sent == (case.out or b"")
    if failure is not None:
        way(protocol, b"\x82\x80\x00\x00\x00\x00" if case.role == "server" else b"\x82\x00")
        assert take_events(protocol, got, how) is failure
        assert not protocol.data_to_send()
        assert protocol.state is embws.State.FAILED
        return
    closed = bool(want) and want[-1][0] == "close"
    protocol.receive_eof()
    rule = case.eof if case.eof is not None else (0 if closed else 84)
    assert protocol.close_code == (want[-1][1] if closed else 1006)
    assert (protocol.close_code != 1006) == (rule == 0)


def play_send(case: Case, way: Callable[[embws.Protocol, bytes], None], size: int) -> None:
    protocol = open_protocol(case)
    for number, step in enumerate(case.steps, 1):
        if step.verb == "in":
            for at in range(0, len(step.data), size):
                way(protocol, step.data[at : at + size])
            take_events(protocol, [])
        else:
            do(protocol, step)
        assert protocol.data_to_send() == step.out, f"step {number}: {step.verb}"


# -- The handshakes ---------------------------------------------------------------------------------------------------


def text(data: bytes) -> str:
    return data.decode("latin-1")


def fields(arguments: List[Setting]) -> List[Tuple[str, str]]:
    return [(setting.key, text(setting.data)) for setting in arguments if setting.name == "field"]


def argument(arguments: List[Setting], name: str) -> Optional[str]:
    found = [text(setting.data) for setting in arguments if setting.name == name]
    return found[-1] if found else None


def answer(protocol: embws.ServerProtocol, one: Answer) -> bytes:
    """Answers, and gives what was sent behind that: a bad request that had already arrived is refused at once."""
    arguments, headers = one.arguments, fields(one.arguments)
    call: Callable[[], None]
    if one.verb == "accept":
        subprotocol, extensions = argument(arguments, "subprotocol"), argument(arguments, "extensions")
        call = lambda: protocol.accept(subprotocol, headers, extensions)  # noqa: E731
    else:
        status, body = int(argument(arguments, "status") or 0), (argument(arguments, "body") or "").encode("latin-1")
        close = argument(arguments, "close") is not None
        call = lambda: protocol.reject(status, body, headers, close)  # noqa: E731
    if one.error is None:
        call()
    else:
        refused(one.error, call)
    sent = protocol.data_to_send()
    assert sent[: len(one.out)] == one.out, (one, sent)
    return sent[len(one.out) :]


def same_values(head: Head, of: Any, *, everything: bool) -> None:
    """What a Request or Response says. Only with everything kept, all fields are there."""
    lists: Dict[str, List[str]] = {"subprotocol": [], "extension": []}
    for value in head.values:
        want = text(value.data)
        if value.name in lists:
            lists[value.name].append(want)
        elif value.name == "field":
            assert of.headers[value.key] == want
        elif value.name == "status":
            assert of.status_code == int(want)
        elif value.name == "target":
            assert of.path == want
        elif value.name in ("host", "origin"):
            assert getattr(of, value.name) == want
        else:
            assert value.name in ("path", "query"), value  # parts of the target, which Python does not take apart
    for name in head.absent if not everything else ():
        assert name not in of.headers
    assert list(of.extensions) == lists["extension"]
    if isinstance(of, embws.Request):
        assert list(of.subprotocols) == lists["subprotocol"]
    else:
        assert [of.subprotocol] == (lists["subprotocol"] or [None])


def well_formed(head: Head, got: bytes) -> None:
    """A refusal is a whole HTTP response that closes the connection."""
    assert head.fail is not None
    top, end, body = got.partition(b"\r\n\r\n")
    lines = top.split(b"\r\n")
    assert end and lines[0].startswith(b"HTTP/1.1 %d " % head.fail.code), got
    named = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines[1:])}
    assert int(named[b"content-length"]) == len(body)
    assert b"close" in named[b"connection"]
    assert all(part in got for part in head.has), (head.has, got)


def cut_short(protocol: embws.Protocol, case: Case) -> None:
    protocol.receive_eof()
    rule = 38 if case.eof is None else case.eof
    try:
        assert list(protocol.events()) == []
    except embws.InvalidHandshake as error:
        assert error.rule == rule
    else:
        assert rule == 0


def play_request(case: Case, cuts: List[int], way: Callable[[embws.Protocol, bytes], None], everything: bool) -> None:
    protocol = embws.ServerProtocol()
    at, found, failure, sent = 0, [], None, b""
    for piece in pieces(case.given, cuts):
        way(protocol, piece)
        before = failure
        try:
            for event in protocol.events():
                if not isinstance(event, embws.Request):
                    found.append(event)
                    continue
                head = case.heads[at]
                assert head.outcome in ("upgrade", "plain"), head
                same_values(head, event, everything=everything)
                if everything:
                    assert event.upgrade == (head.outcome == "upgrade")
                at += 1
                for one in head.answers:
                    assert not sent
                    sent = answer(protocol, one)
        except (embws.InvalidHandshake, embws.ProtocolError) as error:
            failure = error
            assert before is None or failure is before, "a failure stays"
        sent += protocol.data_to_send()
    last = case.heads[-1]
    assert merged(seen(event) for event in found) == merged(wanted(event) for event in last.events)
    if last.outcome == "more":
        assert at == len(case.heads) - 1 and failure is None
        cut_short(protocol, case)
    elif last.outcome == "fail":
        assert isinstance(failure, embws.InvalidHandshake) and last.fail is not None, repr(failure)
        assert (failure.rule, failure.offset) == (last.fail.rule, last.fail.offset)
        well_formed(last, sent)
        assert protocol.state is embws.State.FAILED
    else:
        assert at == len(case.heads) and failure is None


def play_response(case: Case, cuts: List[int], way: Callable[[embws.Protocol, bytes], None], everything: bool) -> None:
    make = lambda: embws.ClientProtocol(  # noqa: E731
        "ws://stands.for.the.case/",
        origin=argument(case.arguments, "origin"),
        subprotocols=[text(setting.data) for setting in case.arguments if setting.name == "subprotocol"],
        additional_headers=fields(case.arguments),
        extensions=argument(case.arguments, "extensions"),
    )
    if case.error is not None:
        return refused(case.error, lambda: None if make() else None)
    protocol = make()
    request = protocol.data_to_send()
    if case.out is not None:
        assert request == case.out
    if not case.heads:
        return None
    head, response, found, failure = case.heads[0], None, [], None
    for piece in pieces(case.given, cuts):
        way(protocol, piece)
        before = failure
        try:
            for event in protocol.events():
                if isinstance(event, embws.Response):
                    assert response is None
                    response = event
                else:
                    found.append(event)
        except (embws.InvalidHandshake, embws.ProtocolError) as error:
            failure = error
            assert before is None or failure is before, "a failure stays"
    assert merged(seen(event) for event in found) == merged(wanted(event) for event in head.events)
    if head.outcome == "more":
        assert response is None and failure is None
        return cut_short(protocol, case)
    if head.outcome == "open":
        assert response is not None and failure is None, failure
        return same_values(head, response, everything=everything)
    assert response is None and protocol.state is embws.State.FAILED
    if head.outcome == "refused":
        assert isinstance(failure, embws.InvalidStatus)
        return same_values(head, failure.response, everything=everything)
    assert isinstance(failure, embws.InvalidHandshake) and head.fail is not None, repr(failure)
    assert Fail(failure.rule, failure.offset, failure.code) == head.fail
    return None


# -- All of it --------------------------------------------------------------------------------------------------------

tally = {"cases": 0, "plays": 0}
left_out: Dict[str, int] = {}


def play(case: Case, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    plays = 0
    try:
        if case.kind == "send":
            install(hooks, monkeypatch, heads=False)
            for way in WAYS:
                for size in (1, 7, 1 << 20):
                    how = f"{way.__name__}, {size} bytes at a time"
                    play_send(case, way, size)
                    plays += 1
        elif case.kind == "frames":
            install(hooks, monkeypatch, heads=False)
            for how, cuts in splits(case):
                for number, taken in enumerate(("events", "messages", "views")):
                    play_frames(case, cuts, WAYS[(plays // 3 + number) % len(WAYS)], taken)
                    plays += 1
        else:
            # What a user gets keeps every field; a case with other limits, or that asks what is not kept, needs hooks.
            everything = not case.options and not any(head.absent for head in case.heads)
            install(hooks, monkeypatch, heads=not everything)
            one = play_request if case.kind == "request" else play_response
            target, host = argument(case.arguments, "target"), argument(case.arguments, "host")
            uri = SimpleNamespace(
                host_header="example.com" if host is None else host,
                resource="/" if target is None else target,
                authorization=None,
            )
            monkeypatch.setattr(embws.protocol, "parse_uri", lambda _: uri)
            for how, cuts in splits(case):
                one(case, cuts, WAYS[plays % len(WAYS)], everything)
                plays += 1
    except BaseException as error:
        error.add_note(f"{case.where}: {case.name}, {how}")
        raise
    tally["cases"] += 1
    tally["plays"] += plays


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_case_of_a_file_plays_in_every_split(path: pathlib.Path) -> None:
    wrong: List[str] = []
    for case in read(path):
        reason = not_expressible(case)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        with pytest.MonkeyPatch.context() as monkeypatch:
            try:
                play(case, Hooks(case), monkeypatch)
            except Exception as error:  # all that is wrong is told at once
                notes = " ".join(getattr(error, "__notes__", []))
                wrong.append(f"{notes}: {type(error).__name__}: {error}")
    assert not wrong, f"{len(wrong)} cases went wrong:\n" + "\n".join(wrong)


def test_no_case_was_left_out_unseen(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    """Says how many cases were played, and why the others cannot be."""
    others = sum(left_out.values())
    with capsys.disabled():
        print(f"\nvectors: {tally['cases']} cases played in {tally['plays']} plays, {others} not expressible")
        for reason, count in sorted(left_out.items()):
            print(f"  {count:3} cases: {reason}")
    if request.config.getoption("keyword"):
        pytest.skip("only some of the files were played")
    assert tally["cases"] + others >= CASES
    assert others <= 40
