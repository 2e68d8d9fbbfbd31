"""What is said of a file: on what ground, and in which words."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from pytest_secaudit.facts import Facts, FileFacts, SleptAt
from pytest_secaudit.files import file_runs, observed
from pytest_secaudit.model import DEFECT, Finding, Owner, as_cleared
from pytest_secaudit.noting import notes
from pytest_secaudit.observing import Ran, observations
from pytest_secaudit.source import TestModule

PATH = "tests/test_it.py"
OWNER = Owner("test", f"{PATH}::test_it", PATH, 1)
ON = dict.fromkeys(
    (
        "children",
        "contact",
        "descriptors",
        "django settings",
        "environ",
        "oslo.config",
        "patches",
        "sleep",
        "temporary paths",
        "threads",
    ),
    "on",
)
ALL_LEFT = {
    1: "no host beyond loopback was reached and no program was started",
    4: "no override and no environment variable is left",
    5: "no patch was in force at the end of its owner",
    6: "no thread, process, descriptor, temporary path or file was left",
    7: "nobody slept at a line of this file",
}


def said(source: str, ran: Ran, dimension: int) -> list[tuple[str, str]]:
    module = TestModule(PATH, textwrap.dedent(source).lstrip("\n"))
    found = observations(PATH, notes(module), ran)
    return [(one.basis, one.text) for one in found if one.dimension == dimension]


def finding(code: str) -> Finding:
    return Finding(
        code=code, name="x", severity=DEFECT, message="m", path=PATH, line=1, column=1, end_line=1, owner=OWNER,
        fingerprint="f", evidence="confirmed",
    )  # fmt: skip


def test_that_nothing_was_left_is_said_where_somebody_looked() -> None:
    for dimension, text in ALL_LEFT.items():
        assert ("measured", text) in said("def test_it(): pass", Ran(passed=1, watchers=ON), dimension)


def test_where_nothing_ran_or_nobody_looked_nothing_is_judged() -> None:
    for dimension, text in ALL_LEFT.items():
        for ran, why in ((Ran(watchers=ON), "no test of the file ran"), (Ran(passed=1), "not watched")):
            found = said("def test_it(): pass", ran, dimension)
            assert ("measured", text) not in found
            assert any(basis == "not judged" and text.endswith(f"({why})") for basis, text in found)


def test_where_something_was_found_the_finding_speaks() -> None:
    ran = Ran(passed=1, watchers=ON, findings=[finding("PSA510"), finding("PSA101"), finding("PSA601")])
    for dimension in (4, 5, 6):
        assert ALL_LEFT[dimension] not in [text for _, text in said("def test_it(): pass", ran, dimension)]


def test_what_a_run_clears_for_itself_alone_is_said() -> None:
    cleared = [replace(finding("PSA202"), line=9, evidence="cleared"), replace(finding("PSA202"), line=4)]
    cleared.append(finding("PSA203"))
    found = said("def test_it(): pass", Ran(passed=1, watchers=ON, cleared=[*map(as_cleared, cleared)]), 2)
    assert found[0] == (
        "measured",
        "4, 9: the handler and its assertions ran; had nothing been raised, nothing would have failed (PSA202)",
    )
    assert not any("PSA203" in text for _, text in found)


def test_guards() -> None:
    source = """
        def test_it(self):
            self.fail("no")
    """
    where = "`self.fail('no')` at 2"
    assert said(source, Ran(passed=1), 2) == [("not judged", f"{where}, reached or not")]
    assert said(source, Ran(passed=1, lines=frozenset()), 2) == [("measured", f"{where} was never reached")]
    assert said(source, Ran(failed=1, lines=frozenset({2})), 2) == [("measured", f"{where} was reached")]


def test_simulated_failures() -> None:
    source = """
        from unittest import mock
        def test_it():
            with mock.patch("shop.orders.pay", side_effect=OSError): pass
    """
    text = "OSError is simulated at 3, from orders.pay"
    assert said(source, Ran(passed=1), 2) == [("read", text)]
    assert said(source, Ran(passed=1, raised={3: False}), 2) == [("measured", f"{text}: it was never raised")]
    assert said(source, Ran(passed=1, raised={3: True}), 2) == [("measured", f"{text}: it was raised")]


WAITS = """
    import time
    from unittest import mock
    from shop import orders

    def test_it():
        # the race needs both to be slow
        pay = orders.pay
        def slow_pay(*args):
            time.sleep(1)
            return pay(*args)
        def slow_send(*args):
            time.sleep(2)
        with mock.patch("shop.orders.pay", new=slow_pay), mock.patch("shop.orders.send", new=slow_send):
            pass
"""
QUOTE = ("read", 'acknowledged at 6: "the race needs both to be slow"')


def test_sleeps_that_were_measured_and_those_that_were_not() -> None:
    ran = Ran(passed=1, watchers=ON, slept=[SleptAt(9, 1, 1.0), SleptAt(12, 2, 4.0), SleptAt(40, 3, 0.3)])
    assert said(WAITS, ran, 7) == [
        ("measured", "9: 1 x 1.0 s"),
        ("measured", "12: 2 x 2.0 s (4.0 s)"),
        ("measured", "40: 3 x 0.1 s (0.3 s)"),
        QUOTE,
    ]
    assert said(WAITS, Ran(passed=1, watchers=ON), 7) == [
        ("measured", "9: a sleep of 1 s, which nobody slept in this run"),
        ("measured", "12: a sleep of 2 s, which nobody slept in this run"),
        QUOTE,
    ]
    assert said(WAITS, Ran(), 7) == [("read", "9: a sleep of 1 s"), ("read", "12: a sleep of 2 s"), QUOTE]


def test_delays_and_whether_the_race_took_place() -> None:
    read = [
        ("read", "13: orders.pay waits for 1 s in slow_pay() and calls the original at 10"),
        ("read", "13: orders.send waits for 2 s in slow_send(), and the original is not called"),
    ]
    assert said(WAITS, Ran(), 8) == read
    apart = Ran(passed=1, watchers=ON, slept=[SleptAt(9, 1, 1.0), SleptAt(12, 1, 2.0)])
    assert said(WAITS, apart, 8) == [*read, ("measured", "the delays did not overlap")]
    together = Ran(passed=1, watchers=ON, slept=[SleptAt(9, 1, 1.0, True), SleptAt(12, 1, 2.0, True)])
    assert said(WAITS, together, 8) == [*read, ("measured", "the delays overlapped: the race took place")]


def test_a_file_without_tests_is_used_by_all_that_ran() -> None:
    runs = file_runs({"tests/test_a.py::test_a": "passed", "tests/test_b.py::test_b": "failed"})
    assert [(run.path, run.passed, run.failed) for run in runs] == [
        ("tests/test_a.py", 1, 0),
        ("tests/test_b.py", 0, 1),
    ]
    facts = Facts({"tests/conftest.py": FileFacts(notes=())})
    found = observed(facts, runs, (), ON)
    assert [one.basis for one in found if "left" in one.text] == ["measured", "measured"]
    assert {one.path for one in found} == {"tests/conftest.py"}


def test_what_was_reached() -> None:
    ran = Ran(passed=1, watchers=ON, reached=[("host", "example.org:443")])
    assert said("def test_it(): pass", ran, 1) == [("measured", "reached: host example.org:443")]


def test_services_and_who_ends_them() -> None:
    source = """
        class TestA:
            def setUp(self):
                self.a = self.start_server("a")
                self.b = self.start_server("b")
            def test_it(self):
                self.a.stop()
    """
    assert said(source, Ran(), 9) == [
        ("read", "started: `self.start_server('a')` 3, `self.start_server('b')` 4"),
        ("read", "stopped: `self.a.stop()` 6"),
        ("not judged", "who ends what is started at 4"),
    ]


def test_lines_are_data() -> None:
    module = TestModule(PATH, "def test_it(self):\n    self.flags(\n        a=1)\n")
    (one,) = [one for one in observations(PATH, notes(module), Ran()) if one.text.startswith("set by")]
    assert (one.path, one.dimension, one.lines, one.basis) == (PATH, 4, (2, 3), "read")


def test_where_another_file_has_the_place_its_owners_have_left_it_too() -> None:
    other = replace(OWNER, path="tests/test_b.py")
    shared = replace(finding("PSA101"), owners=(OWNER, other))
    runs = file_runs({"tests/test_b.py::test_it": "passed"})
    facts = Facts({"tests/test_b.py": FileFacts(notes=())})
    assert ALL_LEFT[4] not in [one.text for one in observed(facts, runs, [shared], ON)]
    assert ALL_LEFT[4] in [one.text for one in observed(facts, runs, (), ON)]
