#!/usr/bin/env python3
"""Runs the Autobahn cases against the endpoints of endpoints.txt, prints a table and leaves the HTML reports.

Exits 0 where every endpoint reached the gate, 1 where one missed it, 2 where nothing could be run. See README.md.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import signal
import sys
import time

import cases
import engines
import judge
import processes

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_SECONDS = 180  # for an endpoint to be built and to listen
STALL_SECONDS = 30  # without progress, where the engine shows it
SLOW_STALL_SECONDS = 130  # the same, where limits or compression are played: one case may take 100 s


@dataclasses.dataclass
class Endpoint:
    name: str
    mode: str
    deflate: bool
    command: str

    def fill(self, binary: pathlib.Path, port: int) -> str:
        """The command with its placeholders replaced. Other braces are the shell's."""
        values = {"port": str(port), "url": f"ws://127.0.0.1:{port}", "agent": self.name, "bin": shlex.quote(str(binary))}
        return re.sub(r"\{(port|url|agent|bin)\}", lambda m: values[m[1]], self.command)


def read_endpoints(text: str) -> list[Endpoint]:
    """Parses endpoints.txt; its head tells the grammar. Raises ValueError with the line's number."""
    endpoints: list[Endpoint] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([a-z0-9-]+)\s+(server|client)(\+deflate)?\s+(.+)", line)
        if not match:
            raise ValueError(f"line {number}: not NAME MODE COMMAND: {line}")
        name, mode, deflate, command = match.groups()
        if any(e.name == name for e in endpoints):
            raise ValueError(f"line {number}: {name} is named twice")
        for needed in ["{port}"] if mode == "server" else ["{url}", "{agent}"]:
            if needed not in command:
                raise ValueError(f"line {number}: the command of a {mode} needs {needed}")
        endpoints.append(Endpoint(name, mode, bool(deflate), command))
    return endpoints


def run(endpoint: Endpoint, engine, selected: list[str], folder: pathlib.Path, seconds: float) -> judge.Verdict:
    """Plays the cases against one endpoint within the time and judges the report, which is left in folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    binary = folder.parent.parent / "bin" / endpoint.name
    binary.parent.mkdir(exist_ok=True)
    play = play_server if endpoint.mode == "server" else play_client
    started = time.monotonic()
    problems, begun = play(endpoint, engine, selected, folder, binary, seconds)
    elapsed = time.monotonic() - (begun or started)
    verdict = judge.judge_report(folder, selected, endpoint.deflate)
    verdict.problems = problems + verdict.problems
    verdict.seconds = elapsed
    return verdict


def play_server(endpoint, engine, selected, folder, binary, seconds):
    """The endpoint listens and the engine comes as its client."""
    port = processes.free_port()
    with processes.Group(endpoint.fill(binary, port), folder / "endpoint.log", ROOT) as server:
        if why := processes.wait_for_port(port, server, START_SECONDS):
            return [f"the endpoint {why}"], None
        begun = time.monotonic()
        command = engine.drive_server(endpoint.name, port, selected, folder)
        with processes.Group(command, folder / "engine.log") as fuzzer:
            problems = watch(fuzzer, fuzzer, engine, selected, seconds)
        if server.exit_code is not None:
            problems.append(f"the endpoint exited with {server.exit_code} during the run:\n{server.last_lines()}")
        return problems, begun


def play_client(endpoint, engine, selected, folder, binary, seconds):
    """The engine listens and the endpoint comes as its client."""
    port = processes.free_port()
    with processes.Group(engine.serve_client(port, selected, folder), folder / "engine.log") as fuzzer:
        if why := processes.wait_for_port(port, fuzzer, 30):
            return [f"the engine {why}"], None
        begun = time.monotonic()
        with processes.Group(endpoint.fill(binary, port), folder / "endpoint.log", ROOT) as client:
            problems = watch(client, fuzzer, engine, selected, seconds)
            if not problems and client.exit_code != 0:
                problems.append(f"the endpoint exited with {client.exit_code}:\n{client.last_lines()}")
        if not engine.reports_progress:
            fuzzer.wait(10)  # it writes its report after the client is gone, and ends by itself
        return problems, begun


def watch(leader: processes.Group, fuzzer: processes.Group, engine, selected, seconds: float) -> list[str]:
    """Waits for the leader to end: not longer than the time, nor while the engine's output stands still."""
    slow = any(cases.group(c) in cases.COMPRESSION_GROUPS | {cases.LIMITS_GROUP} for c in selected)
    stall = SLOW_STALL_SECONDS if slow else STALL_SECONDS
    begun = progress = time.monotonic()
    size = -1
    while not leader.wait(0.2):
        now = time.monotonic()
        if fuzzer is not leader and fuzzer.exit_code not in (None, 0) and not leader.wait(5):
            return [f"the engine exited with {fuzzer.exit_code}:\n{fuzzer.last_lines()}"]
        if (grown := fuzzer.log.stat().st_size) != size:
            size, progress = grown, now
        if now - begun > seconds:
            return [f"given up after {seconds:.0f} s{last_case(fuzzer)}"]
        if engine.reports_progress and now - progress > stall:
            return [f"given up, no progress in {stall} s{last_case(fuzzer)}"]
    return []


def last_case(fuzzer: processes.Group) -> str:
    begun = re.findall(r"Running test case ID (\S+)", fuzzer.log.read_text(errors="replace"))
    return f", at case {begun[-1]} ({len(begun)} begun)" if begun else ""


def print_durations(endpoint: str, verdict: judge.Verdict) -> None:
    """The times of group 9, a heading a line."""
    headings: dict[str, list[str]] = {}
    for case, ms in verdict.durations_ms.items():
        if cases.group(case) == cases.LIMITS_GROUP:
            headings.setdefault(case.rsplit(".", 1)[0], []).append(str(ms))
    for heading, times in headings.items():
        print(f"{endpoint}: {heading}.1 to {heading}.{len(times)} in ms: {' '.join(times)}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="core", metavar="SELECTION",
                        help="core (groups 1-7 and 10), limits (core and 9), full (all 517), or ids and prefixes: 6.4,7.1.6,9")
    parser.add_argument("--endpoint", action="append", metavar="NAME", help="only this endpoint (repeatable)")
    parser.add_argument("--engine", default="auto", choices=["auto", "original", "kosoku"],
                        help="auto takes the original, and kosoku where no CPython 2.7 is found")
    parser.add_argument("--report", type=pathlib.Path, metavar="DIR",
                        help="the folder for reports (build/autobahn/reports-SELECTION)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="DIR", help="the build folder")
    parser.add_argument("--endpoints", type=pathlib.Path, default=HERE / "endpoints.txt", metavar="FILE",
                        help="another list of endpoints")
    parser.add_argument("--lanes", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                        else os.cpu_count() or 1, metavar="N", help="endpoints played at the same time (one a core)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="when a run of one endpoint is given up")
    return parser.parse_args()  # fmt: skip


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        selected = cases.select(arguments.cases)
        endpoints = read_endpoints(arguments.endpoints.read_text())
        if arguments.endpoint:
            unknown = set(arguments.endpoint) - {e.name for e in endpoints}
            if unknown:
                raise ValueError(f"no such endpoint: {', '.join(sorted(unknown))}")
            endpoints = [e for e in endpoints if e.name in arguments.endpoint]
        if not endpoints:
            raise ValueError("no endpoint is selected")
        folder = arguments.build.resolve() / "autobahn"
        folder.mkdir(parents=True, exist_ok=True)
        engine = engines.choose(arguments.engine, folder, lambda text: print(text, flush=True))
    except (ValueError, OSError, engines.Unavailable) as e:
        print(f"error: {e}", file=sys.stderr)
        return 2

    label = arguments.cases if arguments.cases in cases.NAMED else "selected"
    reports = (arguments.report or folder / f"reports-{label}").resolve()
    seconds = arguments.timeout or cases.budget(selected)
    print(f"{len(selected)} cases, engine {engine.name}, reports in {reports}", flush=True)
    lanes = max(1, min(arguments.lanes, len(endpoints)))
    pool = concurrent.futures.ThreadPoolExecutor(lanes)
    try:
        runs = {e.name: pool.submit(run, e, engine, selected, reports / e.name, seconds) for e in endpoints}
        verdicts = {name: future.result() for name, future in runs.items()}
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        processes.end_all()
        raise
    pool.shutdown()

    print(judge.table([(name, engine.name, v) for name, v in verdicts.items()]))
    for name, verdict in verdicts.items():
        print_durations(name, verdict)
        for line in judge.complaints(name, verdict):
            print(line)
    return 0 if all(v.passed for v in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
