"""Tests of the runner's own judgement, on reports made up here: python3 -m unittest test_runner (in this folder)."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import cases
import engines
import judge
import processes
import run


def good_report(selected, deflate=False):
    report = {}
    for case in selected:
        behavior, close = judge.wanted(case, deflate)
        report[case] = {"behavior": behavior, "behaviorClose": close, "remoteCloseCode": 1000, "duration": 1}
    return report


def running(pid):
    """Whether the process lives; one that is dead and not yet collected by its parent does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip()[:1] not in ("", "Z")


class SelectionTest(unittest.TestCase):
    def test_named_selections_have_the_suites_numbers_of_cases(self):
        self.assertEqual(len(cases.select("core")), 247)
        self.assertEqual(len(cases.select("limits")), 247 + 54)
        self.assertEqual(len(cases.select("full")), 517)

    def test_a_prefix_ends_at_a_dot(self):
        self.assertEqual(cases.select("10"), ["10.1.1"])
        self.assertEqual(len(cases.select("1")), 16)
        self.assertEqual(cases.select("7.1"), [f"7.1.{n}" for n in range(1, 7)])
        self.assertEqual(cases.select("6.4.*, 2.1"), ["2.1", "6.4.1", "6.4.2", "6.4.3", "6.4.4"])

    def test_what_names_no_case_is_refused(self):
        for selection in ["", ",", "8", "6.99", "1.1.9", "core,9", "x", "1..1"]:
            with self.subTest(selection), self.assertRaises(ValueError):
                cases.select(selection)


class GateTest(unittest.TestCase):
    def setUp(self):
        self.selected = cases.select("core")
        self.report = good_report(self.selected)

    def missed(self, **counts):
        verdict = judge.judge(self.report, self.selected)
        self.assertFalse(verdict.passed)
        for name, count in counts.items():
            self.assertEqual(getattr(verdict, name), count, name)
        return verdict

    def test_a_good_report_passes(self):
        verdict = judge.judge(self.report, self.selected)
        self.assertTrue(verdict.passed)
        self.assertEqual((verdict.ok, verdict.informational), (244, 3))

    def test_non_strict_misses(self):
        self.report["6.4.1"]["behavior"] = "NON-STRICT"
        self.assertEqual([c.id for c in self.missed(non_strict=1, ok=243).bad], ["6.4.1"])

    def test_a_failed_case_misses(self):
        self.report["3.2"]["behavior"] = "FAILED"
        self.missed(failed=1)

    def test_a_bad_close_misses(self):
        for close in ["UNCLEAN", "WRONG CODE", "FAILED", "FAILED BY CLIENT", "INFORMATIONAL"]:
            self.report["1.1.1"]["behaviorClose"] = close
            self.missed(failed=1)

    def test_a_missing_case_misses(self):
        del self.report["7.13.2"]
        self.missed(missing=1)

    def test_informational_is_right_for_three_cases_alone(self):
        self.report["1.1.1"].update(behavior="INFORMATIONAL", behaviorClose="INFORMATIONAL")
        self.missed(failed=1, informational=3)

    def test_those_three_may_say_nothing_else(self):
        self.report["7.1.6"].update(behavior="FAILED", behaviorClose="FAILED")
        self.missed(failed=1, informational=2)

    def test_unimplemented_misses_in_core(self):
        self.report["5.1"]["behavior"] = "UNIMPLEMENTED"
        self.missed(failed=1)

    def test_verdicts_that_are_not_there_miss(self):
        self.report["5.1"] = {}
        self.missed(failed=1)

    def test_an_empty_selection_misses(self):
        self.assertFalse(judge.judge(self.report, []).passed)

    def test_compression_is_wanted_from_those_that_claim_it_alone(self):
        selected = cases.select("12.1,13.7")
        with_deflate, without = good_report(selected, deflate=True), good_report(selected)
        self.assertTrue(judge.judge(with_deflate, selected, deflate=True).passed)
        self.assertTrue(judge.judge(without, selected, deflate=False).passed)
        self.assertFalse(judge.judge(without, selected, deflate=True).passed)
        self.assertFalse(judge.judge(with_deflate, selected, deflate=False).passed)


class ReportTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.selected = ["1.1.1", "1.1.2"]

    def judged(self, index):
        (self.folder / "index.json").write_text(index)
        return judge.judge_report(self.folder, self.selected, deflate=False)

    def test_the_one_agent_of_a_report_is_judged(self):
        self.assertTrue(self.judged(json.dumps({"any name": good_report(self.selected)})).passed)

    def test_no_report_is_a_failure(self):
        verdict = judge.judge_report(self.folder, self.selected, deflate=False)
        self.assertEqual((verdict.passed, verdict.missing), (False, 2))

    def test_a_report_that_is_empty_cut_or_of_two_agents_is_a_failure(self):
        good = good_report(self.selected)
        for index in ["", "{", "{}", json.dumps({"a": {}}), json.dumps({"a": good, "b": good})]:
            with self.subTest(index):
                verdict = self.judged(index)
                self.assertEqual((verdict.passed, verdict.missing), (False, 2))

    def test_the_bad_cases_are_named_with_both_verdicts(self):
        report = good_report(self.selected)
        report["1.1.2"]["behaviorClose"] = "UNCLEAN"
        text = "\n".join(judge.complaints("peer", self.judged(json.dumps({"peer": report}))))
        self.assertIn("peer: case 1.1.2: behavior OK, behaviorClose UNCLEAN", text)
        self.assertNotIn("1.1.1", text)


class EndpointsTest(unittest.TestCase):
    def test_the_projects_own_list_can_be_read(self):
        names = [e.name for e in run.read_endpoints((run.HERE / "endpoints.txt").read_text())]
        self.assertLessEqual({"go-server", "go-client"}, set(names))

    def test_placeholders_are_filled_and_other_braces_are_the_shells(self):
        (endpoint,) = run.read_endpoints("# x\n\na server+deflate  echo ${HOME} {agent} {port} {bin}\n")
        self.assertTrue(endpoint.deflate)
        self.assertEqual(endpoint.fill(pathlib.Path("/b c/a"), 7), "echo ${HOME} a 7 '/b c/a'")

    def test_bad_lines_are_refused(self):
        good = "a server x {port}\n"
        for text in ["a server", "a peer x", "A server {port}", "a server x", "a client {url}", good + good]:
            with self.subTest(text), self.assertRaises(ValueError):
                run.read_endpoints(text)


class BoundTest(unittest.TestCase):
    """A run ends, whatever the endpoint does. The engines here are a few lines of shell."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "reports" / "peer"

    class SilentEngine:
        reports_progress = False

        def drive_server(self, *_):
            return ["sleep", "60"]

    def test_an_engine_that_waits_for_ever_is_given_up(self):
        listen = "import socket,sys,time; s=socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
        endpoint = run.Endpoint("peer", "server", False, f'{sys.executable} -c "{listen}" {{port}}')
        begun = time.monotonic()
        verdict = run.run(endpoint, self.SilentEngine(), ["1.1.1"], self.folder, 0.5)
        self.assertLess(time.monotonic() - begun, 20)
        self.assertFalse(verdict.passed)
        self.assertIn("given up", verdict.problems[0])

    def test_an_endpoint_that_exits_is_told_with_its_last_words(self):
        endpoint = run.Endpoint("peer", "server", False, "echo no such flag; exit 3")
        verdict = run.run(endpoint, self.SilentEngine(), ["1.1.1"], self.folder, 5)
        self.assertIn("exited with 3", verdict.problems[0])
        self.assertIn("no such flag", verdict.problems[0])

    @unittest.skipUnless(shutil.which("ps"), "needs ps")
    def test_the_children_of_a_shell_end_with_it(self):
        self.folder.mkdir(parents=True)
        with processes.Group("sleep 60 & echo $!; wait", self.folder / "log") as group:
            while not (words := group.log.read_text().split()):
                self.assertIsNone(group.exit_code)
                time.sleep(0.01)
        deadline = time.monotonic() + 5
        while running(int(words[0])) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(running(int(words[0])))

    def test_where_the_original_cannot_run_it_is_said_and_kosoku_taken(self):
        said = []
        original, kosoku = engines.Original, engines.Kosoku
        self.addCleanup(lambda: setattr(engines, "Original", original))
        self.addCleanup(lambda: setattr(engines, "Kosoku", kosoku))

        def absent(*_):
            raise engines.Unavailable("no CPython 2.7")

        engines.Original, engines.Kosoku = absent, lambda *_: "kosoku"
        self.assertEqual(engines.choose("auto", self.folder, said.append), "kosoku")
        self.assertIn("no CPython 2.7", said[0])
        with self.assertRaises(engines.Unavailable):
            engines.choose("original", self.folder, said.append)


if __name__ == "__main__":
    unittest.main()
