"""`pytest_secaudit.testing`: examples of a check, and what an inner run was told."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_secaudit.model import ADVISORY, INFO, Check, Hit, Suspicion
from pytest_secaudit.source import TestModule
from pytest_secaudit.testing import assert_audit, assert_examples


def rule(module: TestModule) -> Any:
    for call, _ in module.calls("nap"):
        yield Hit(call, "naps", severity=INFO if call.args else None)


BAD = "def test_a():\n    nap()  # SHOP701\n    nap(1)  # SHOP701 info\n"
GOOD = "def test_a():\n    sleep()\n"


def check(bad: tuple[str, ...] = (BAD,), good: tuple[str, ...] = (GOOD,), **more: Any) -> Check:
    return Check(**{"code": "SHOP701", "name": "naps", "severity": ADVISORY, "page": "It naps.", "bad": bad,
                    "good": good, "rule": rule, **more})  # fmt: skip


def failure(wrong: Check) -> str:
    with pytest.raises(AssertionError) as info:
        assert_examples(wrong)
    return str(info.value)


# --- examples


def test_examples_that_are_as_they_say_raise_nothing() -> None:
    assert_examples(check())


def test_a_line_that_is_expected_in_vain_is_shown_with_a_minus() -> None:
    said = failure(check(bad=(BAD, GOOD.replace("sleep()", "sleep()  # SHOP701"))))
    assert said == (
        "SHOP701: bad example 2 is not reported as it says\nexpected: line 2 (advisory)\nfound:    nothing\n"
        "    1 | def test_a():\n-   2 |     sleep()  # SHOP701"
    )


def test_a_line_that_is_found_beyond_is_shown_with_a_plus() -> None:
    said = failure(check(good=(GOOD, "def test_a():\n    nap()\n")))
    assert "good example 2 is not reported as it says\nexpected: nothing\nfound:    line 2 (advisory)\n" in said
    assert "+   2 |     nap()" in said


def test_another_level_than_the_marked_one_is_a_difference() -> None:
    assert "expected: line 2 (info)\nfound:    line 2 (advisory)" in failure(
        check(bad=("def test_a():\n    nap()  # SHOP701 info\n",))
    )


def test_all_that_is_wrong_is_shown_at_once() -> None:
    said = failure(check(bad=(GOOD, "def test_a(:\n"), good=("def test_a():\n    nap()\n",)))
    assert [line for line in said.splitlines() if line.startswith("SHOP701")] == [
        "SHOP701: bad example 1 marks no line with `# SHOP701`",
        "SHOP701: bad example 2 marks no line with `# SHOP701`",
        "SHOP701: good example 1 is not reported as it says",
    ]


def test_an_example_that_is_no_python_and_a_rule_that_raises_are_named() -> None:
    assert "bad example 1 cannot be read: not valid for this Python" in failure(
        check(bad=("def test_a(:  # SHOP701\n",))
    )

    def broken(module: TestModule) -> Any:
        raise ValueError("boom")

    assert "the rule raised in bad example 1: ValueError: boom" in failure(check(rule=broken))


@pytest.mark.parametrize("missing", [{"bad": ()}, {"good": ()}, {"rule": None}], ids=str)
def test_a_check_without_examples_or_rule_is_no_success(missing: dict[str, Any]) -> None:
    assert failure(check(**missing)) == "SHOP701 needs a rule, a bad example and a good one"


def test_what_could_not_be_a_check_is_said_first() -> None:
    assert failure(check(name="It Naps")).startswith("no check could be like this: name: 'It Naps'; accepted: ")


def test_what_a_rule_only_arms_is_marked_so() -> None:
    def arms(module: TestModule) -> Any:
        return [Suspicion(call, "nap", "line-not-reached", "naps") for call, _ in module.calls("nap")]

    assert_examples(check(bad=("nap()  # SHOP701 armed\n",), rule=arms))


# --- what an inner run was told


DEFECT = "def test_defect():\n    assert 'always true'\n"
SLEEPY = "import time\n\ndef test_sleepy():\n    time.sleep(0.002)\n"


def test_counts_are_those_of_the_section(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a=DEFECT, test_b=SLEEPY)
    result = pytester.runpytest_inprocess("--secaudit")
    assert_audit(result, defects=1)
    assert_audit(result, defects=1, advisories=1)
    with pytest.raises(
        AssertionError, match=re.escape("the audit told 1 defects, not 0 and 1 advisories, not 3:")
    ) as info:
        assert_audit(result, advisories=3)
    assert "suspected PSA004 constant-assertion   test_a.py:2" in str(info.value)
    assert "advisory  PSA701 real-sleep   test_b.py:4" in str(info.value)


@pytest.mark.parametrize("options", [["-q"], ["-v"], ["-vv"], ["--collect-only"], ["--secaudit-depth=static"]], ids=str)
def test_counts_are_read_at_any_verbosity(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile(test_a=DEFECT, test_b=SLEEPY)
    assert_audit(pytester.runpytest_inprocess("--secaudit", *options), defects=1, advisories=1)


@pytest.mark.parametrize("options", [[], ["-q"], ["--secaudit-depth=static"]], ids=str)
def test_none_is_a_count_too(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile("def test_a():\n    assert 1 + 1 == 2\n")
    assert_audit(pytester.runpytest_inprocess("--secaudit", *options), defects=0, advisories=0)


@pytest.mark.parametrize("options", [[], ["--secaudit", "-qq"], ["--secaudit", "--no-summary"]], ids=str)
def test_a_run_that_told_nothing_is_no_success(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile("def test_a():\n    assert 1 + 1 == 2\n")
    with pytest.raises(AssertionError, match="the inner run was not audited, or told nothing of it"):
        assert_audit(pytester.runpytest_inprocess(*options))


def test_a_run_that_audited_nothing_is_no_success(pytester: pytest.Pytester) -> None:
    with pytest.raises(AssertionError, match="the inner run audited nothing:"):
        assert_audit(pytester.runpytest_inprocess("--secaudit"))


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("1,204 defects, 3 advisories in 9 tests of 2 modules", (1204, 3)),
        ("2 suspected defects, by reading alone", (2, 0)),
        ("1 suspected advisory, by reading alone (3 infos more: -v)", (0, 1)),
        ("12 advisories in 9 tests of 2 modules", (0, 12)),
        ("1 defect,\n1 advisory in 1 test", (1, 1)),
        ("no suspicion by reading alone in 1 test of 1 module", (0, 0)),
    ],
)
def test_the_sentence_is_read(line: str, counts: tuple[int, int]) -> None:
    noise = [
        "          2 defects stand in a message",
        "5 more defects: -v",
        "3 more advisories: -v",
        "baseline: 1 entry",
    ]
    lines = ["=== test-suite audit ===", *noise, *line.splitlines(), "learn: 7 defects", "=== 1 passed ==="]
    result: Any = SimpleNamespace(outlines=lines, errlines=[], ret=0)
    assert_audit(result, defects=counts[0], advisories=counts[1])


# --- runs inside a run


OUTER = """
import os
import time
import pytest
from pytest_secaudit.testing import assert_audit

INNER = "import os, time\\n\\ndef test_inner():\\n    os.environ['INNER'] = '1'\\n    time.sleep(0.002)\\n    assert time\\n"

@pytest.mark.parametrize("run", ["runpytest_inprocess", "runpytest_subprocess"])
def test_outer(pytester, run):
    os.environ["OUTER"] = run
    pytester.makepyfile(test_inner=INNER)
    result = getattr(pytester, run)("--secaudit", "-p", "no:cacheprovider")
    assert (os.environ.pop("INNER", None) is not None) == (run == "runpytest_inprocess")
    assert_audit(result, defects=1, advisories=1)

def test_last():
    os.environ["LAST"] = "1"
    time.sleep(0.002)
    assert "INNER" not in os.environ
"""


@pytest.mark.parametrize("is_outer_audited", [False, True], ids=["plain", "audited"])
def test_an_inner_run_audits_itself_alone(pytester: pytest.Pytester, is_outer_audited: bool) -> None:
    """In the process of the outer run and in one of its own; and the outer one goes on to see what is its own."""
    pytester.makeconftest("pytest_plugins = ['pytester']")
    pytester.makepyfile(test_outer=OUTER)
    options = ["--secaudit", "--secaudit-report=json:audit.json"] if is_outer_audited else []
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)
    result.assert_outcomes(passed=3)
    if is_outer_audited:
        data = json.loads((pytester.path / "audit.json").read_text("utf-8"))
        told = {(one["code"], one["subject"], one["path"]) for one in data["findings"] if one["severity"] == "defect"}
        assert told == {
            ("PSA101", "os.environ['OUTER']", "test_outer.py"),
            ("PSA101", "os.environ['LAST']", "test_outer.py"),
        }
        assert [one["code"] for one in data["findings"] if "inner" in one["path"]] == []
        assert [(one["path"], one["calls"]) for one in data["sleep"]["sites"]] == [("test_outer.py", 1)]
        assert not [state for state in data["evidence"]["watchers"].values() if "failed" in state]
