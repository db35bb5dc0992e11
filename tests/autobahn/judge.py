"""What the gate demands of an engine's index.json.

The engines' own exit codes say little (NON-STRICT passes, so does an empty selection), so only the two verdicts of
each case count here: behavior, and behaviorClose for how the connection ended.
"""

import dataclasses
import json
import pathlib

import cases


@dataclasses.dataclass
class Case:
    """A case whose verdicts are not the wanted ones, or one that was never reported."""

    id: str
    behavior: str
    behavior_close: str
    detail: str = ""


@dataclasses.dataclass
class Verdict:
    total: int = 0
    ok: int = 0
    non_strict: int = 0
    informational: int = 0
    unimplemented: int = 0
    failed: int = 0
    missing: int = 0
    # What missed the gate, in the suite's order.
    bad: list[Case] = dataclasses.field(default_factory=list)
    # Reasons to fail that are no case's: nothing selected, a crash, a time-out.
    problems: list[str] = dataclasses.field(default_factory=list)
    durations_ms: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.total > 0 and not self.bad and not self.problems


def wanted(case: str, deflate: bool) -> tuple[str, str]:
    """The behavior and the behaviorClose that the gate demands of a case."""
    if case in cases.INFORMATIONAL:
        return "INFORMATIONAL", "INFORMATIONAL"
    if not deflate and cases.group(case) in cases.COMPRESSION_GROUPS:
        return "UNIMPLEMENTED", "OK"
    return "OK", "OK"


def judge(results: dict, selected: list[str], deflate: bool = False) -> Verdict:
    """Judges one agent's part of an index.json, {case id: {"behavior": ..., "behaviorClose": ...}}."""
    v = Verdict(total=len(selected))
    if not selected:
        v.problems.append("no case is selected")
    for case in selected:
        result = results.get(case)
        if result is None:
            v.missing += 1
            v.bad.append(Case(case, "MISSING", "MISSING"))
            continue
        behavior, close = str(result.get("behavior")), str(result.get("behaviorClose"))
        if isinstance(result.get("duration"), int):
            v.durations_ms[case] = result["duration"]
        if (behavior, close) == wanted(case, deflate):
            if behavior == "OK":
                v.ok += 1
            elif behavior == "INFORMATIONAL":
                v.informational += 1
            else:
                v.unimplemented += 1
            continue
        if (behavior, close) == ("NON-STRICT", "OK"):
            v.non_strict += 1
        else:
            v.failed += 1
        v.bad.append(Case(case, behavior, close, f"close code {result.get('remoteCloseCode')}"))
    return v


def judge_report(folder: pathlib.Path, selected: list[str], deflate: bool) -> Verdict:
    """Judges the index.json of a report folder that holds one agent's results. Without one every case is missing."""
    try:
        agents = json.loads((folder / "index.json").read_text())
    except (OSError, ValueError) as e:
        v = judge({}, selected, deflate)
        v.problems.append(f"the engine left no report ({type(e).__name__})")
        return v
    if len(agents) > 1:
        v = judge({}, selected, deflate)
        v.problems.append(f"the report is of several agents: {', '.join(sorted(agents))}")
        return v
    results = next(iter(agents.values()), {})
    v = judge(results, selected, deflate)
    for case in v.bad:
        case.detail = "; ".join(filter(None, [case.detail, _why(folder, results.get(case.id))]))
    return v


def _why(folder: pathlib.Path, result: dict | None) -> str:
    """The engine's own words on a case, from the case's report."""
    try:
        full = json.loads((folder / result["reportfile"]).read_text())
        return " ".join(dict.fromkeys([full["result"], full["resultClose"]]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def table(rows: list[tuple[str, str, Verdict]]) -> str:
    """The printed table: one row for each (endpoint, engine, verdict)."""
    head = ["endpoint", "engine", "cases", "OK", "non-strict", "informational", "unimplemented", "failed", "missing",
            "time", "gate"]  # fmt: skip
    lines = [head]
    for endpoint, engine, v in rows:
        counts = [v.total, v.ok, v.non_strict, v.informational, v.unimplemented, v.failed, v.missing]
        gate = "pass" if v.passed else "MISSED"
        lines.append([endpoint, engine, *map(str, counts), f"{v.seconds:.1f} s", gate])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for line in lines:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def complaints(endpoint: str, v: Verdict, limit: int = 40) -> list[str]:
    """The lines below the table that say what missed the gate. Missing cases share one line."""
    lines = [f"{endpoint}: {problem}" for problem in v.problems]
    judged = [case for case in v.bad if case.behavior != "MISSING"]
    for case in judged[:limit]:
        tail = f" ({case.detail})" if case.detail else ""
        lines.append(f"{endpoint}: case {case.id}: behavior {case.behavior}, behaviorClose {case.behavior_close}{tail}")
    if len(judged) > limit:
        lines.append(f"{endpoint}: and {len(judged) - limit} more, see the report")
    absent = [case.id for case in v.bad if case.behavior == "MISSING"]
    if v.total and len(absent) == v.total:
        lines.append(f"{endpoint}: all {v.total} cases are missing")
    elif absent:
        names = " ".join(absent[:limit]) + (" ..." if len(absent) > limit else "")
        lines.append(f"{endpoint}: {len(absent)} cases are missing: {names}")
    return lines
