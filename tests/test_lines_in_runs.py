"""Line evidence in real runs: what is confirmed, cleared or not reached, whatever way tests are run."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_secaudit.watch.areas import WATCHERS

NEW = sys.version_info >= (3, 12)
HEAD = """
import pytest, unittest

class Rejected(Exception):
    code = 1

def login(word="right"):
    if word == "wrong":
        raise Rejected("password")

def find(n=0):
    return [1] * n
"""
CODES = ("PSA006", "PSA011", "PSA012", "PSA201", "PSA202", "PSA203")


def audit(
    pytester: pytest.Pytester, *args: str, before: tuple[str, ...] = ("-m", "pytest"), plain: bool = True
) -> dict:
    """The JSON report of a run in a process of its own, cleared findings included."""
    quiet = ("-p", "no:cacheprovider") if plain else ()
    result = pytester.run(
        sys.executable, *before, *quiet, "--secaudit", "--secaudit-no-suppress", "--secaudit-report=json:audit.json", *args,
    )  # fmt: skip
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    data: dict = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    assert not [item for item in data["evidence"]["not_audited"] if "the audit failed" in item["reason"]]
    return data


def verdicts(data: dict) -> dict[str, list[str]]:
    """Test -> evidence of each finding of the six codes in it."""
    found: dict[str, list[str]] = {}
    for finding in (*data["findings"], *data["cleared"]):
        if finding["code"] in CODES:
            found.setdefault(finding["owner"]["id"].rpartition("::")[2], []).append(finding["evidence"])
    return found


def suite(pytester: pytest.Pytester, source: str, name: str = "test_it") -> None:
    pytester.makepyfile(**{name: HEAD + textwrap.dedent(source)})


#: Named for what is to be found; armed ones that are not confirmed say nothing.
ALL = """
@pytest.fixture
def user():
    return dict(name="a", failures=0)

def test_201_confirmed(user):
    with pytest.raises(Rejected) as error:
        login("wrong")
        assert error.value.code == 4

def test_202_confirmed():
    try:
        login()
    except Rejected as error:
        assert error.code == 4
        assert error

def test_202_cleared():
    try:
        login("wrong")
    except Rejected as error:
        assert error.code == 1

@pytest.mark.parametrize("n", [0, 1, 2])
def test_202_cleared_by_one(n):
    word = ["right", "wrong", "right"][n]
    try:
        login(word)
    except Rejected as error:
        assert error.code == 1

def test_011_confirmed():
    for one in find():
        assert one

def test_011_silent():
    for one in find(3):
        assert one

@pytest.mark.parametrize("n", [0, 1])
def test_011_silent_by_one(n):
    for one in find(int(n)):
        assert one

def test_012_confirmed(tmp_path):
    if tmp_path.exists():
        return
    assert tmp_path

def test_012_cleared(tmp_path):
    if not tmp_path.exists():
        return
    assert tmp_path

def test_012_not_reached(user):
    if not user:
        return
    if user["failures"]:
        assert user

def test_006_confirmed(user):
    login()
    user["name"] == "x"

def test_006_not_reached(user):
    login()
    if user["failures"]:
        user["name"] == "x"

@pytest.mark.xfail
def test_202_suspected_as_it_fails():
    raise ValueError
    try:
        login()
    except Rejected as error:
        assert error.code == 1

def test_202_suspected_as_it_is_skipped():
    pytest.skip("no")
    try:
        login()
    except Rejected as error:
        assert error.code == 1

class TestOfUnittest(unittest.TestCase):
    def setUp(self):
        self.known = True

    def test_203_confirmed(self):
        try:
            login()
            self.fail("accepted")
        except Exception:
            pass

    def test_203_not_reached(self):
        try:
            login("wrong")
            self.fail("accepted")
        except Exception:
            pass

    def test_203_cleared(self):
        try:
            login()
            self.assertTrue(self.known)
        except Exception:
            pass

    def test_202_suspected_as_it_failed(self):
        self.known = int("x")
        try:
            login()
        except Rejected as error:
            self.assertEqual(error.code, 1)

def test_202_not_reached():
    with pytest.raises(ValueError):
        int("x")
        try:
            login("wrong")
        except Rejected as error:
            assert error.code == 1

def test_201_not_reached():
    with pytest.raises(ValueError):
        int("x")
        with pytest.raises(Rejected) as error:
            login("wrong")
            assert error.value.code == 4

def helper_201_confirmed():
    with pytest.raises(Rejected) as error:
        login("wrong")
        assert error.value.code == 4

def test_helper():
    helper_201_confirmed()
"""


def expected(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The verdicts that the tests' names tell."""
    words = ("confirmed", "cleared", "not_reached", "suspected")
    return {
        test: [next(word for word in words if f"_{word}" in test).replace("_", "-")]
        for test in found
        if "silent" not in test
    }


def test_every_verdict(pytester: pytest.Pytester) -> None:
    suite(pytester, ALL)
    data = audit(pytester)
    found = verdicts(data)
    assert data["evidence"]["watchers"]["lines"] == "on"
    assert found == expected(found)
    assert len(found) == 19
    messages = {finding["message"] for finding in data["findings"]}
    assert "test_202_confirmed passed, nothing was raised, lines 26-27 never ran" in messages
    assert (
        "test_012_confirmed passed without a check, as tmp_path.exists(): the assertion in line 59 was not reached"
        in messages
    )


@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="needs pytest-xdist")
def test_workers_are_merged(pytester: pytest.Pytester) -> None:
    suite(pytester, ALL)
    alone = audit(pytester, "-p", "no:xdist")
    together = audit(pytester, "-n2")
    assert verdicts(together) == verdicts(alone) == expected(verdicts(alone))
    assert together["evidence"]["tests_with_a_check"] == alone["evidence"]["tests_with_a_check"]
    assert together["evidence"]["watchers"]["lines"] == "on"


@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_beside_coverage(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, core: str) -> None:
    """On 3.12 and later both see what they see alone; before, the trace function is coverage's."""
    pytest.importorskip("coverage")
    if core == "sysmon" and not NEW:
        pytest.skip("needs 3.12")
    monkeypatch.setenv("COVERAGE_CORE", core)
    for name in [name for name in os.environ if name.startswith("COV_CORE") or name == "COVERAGE_PROCESS_START"]:
        monkeypatch.delenv(name)
    suite(pytester, ALL)

    def covered(*args: str) -> dict:
        pytester.run(sys.executable, "-m", "coverage", "run", "--include=*/test_it.py", "-m", "pytest", *args)
        pytester.run(sys.executable, "-m", "coverage", "json", "-o", "coverage.json")
        files: dict = json.loads(Path(pytester.path, "coverage.json").read_text("utf-8"))["files"]
        return {path: file["executed_lines"] for path, file in files.items()}

    alone = covered("-p", "no:cacheprovider", "-p", "no:secaudit")
    data_file = ("-p", "no:cacheprovider", "--secaudit", "--secaudit-no-suppress", "--secaudit-report=json:audit.json")
    assert covered(*data_file) == alone
    assert alone["test_it.py"]
    data = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    found = verdicts(data)
    if NEW:
        assert data["evidence"]["watchers"]["lines"] == "on"
        assert found == expected(found)
    else:
        assert data["evidence"]["watchers"]["lines"].startswith("off: the trace function is")
        assert {evidence for each in found.values() for evidence in each} == {"suspected"}


@pytest.mark.skipif(NEW, reason="a trace function is only used before 3.12")
def test_a_test_with_a_trace_function_of_its_own_is_left_alone(pytester: pytest.Pytester) -> None:
    suite(
        pytester,
        """
        import sys

        def test_traces():
            seen = []
            sys.settrace(lambda *args: seen.append(args))
            try:
                login()
            except Rejected as error:
                assert error.code == 4
            finally:
                sys.settrace(None)
            print(seen)

        def test_confirmed():
            try:
                login()
            except Rejected as error:
                assert error.code == 4

        def test_nobody_traces():
            assert sys.gettrace() is None
        """,
    )
    data = audit(pytester)
    assert verdicts(data) == {"test_traces": ["suspected"], "test_confirmed": ["confirmed"]}
    assert data["run"]["exit_status"] == 0
    assert not [finding for finding in data["findings"] if finding["code"] == "PSA111"]


def test_our_own_trace_function_is_nobody_s_doing(pytester: pytest.Pytester) -> None:
    """Not that of a fixture that is asked for in the middle of a test, nor of a set-up of unittest."""
    suite(
        pytester,
        """
        @pytest.fixture
        def late():
            yield 1

        def test_confirmed(request):
            request.getfixturevalue("late")
            for one in find():
                assert one

        class TestIt(unittest.TestCase):
            def setUp(self):
                self.x = 1

            def test_confirmed_too(self):
                for one in find():
                    self.assertTrue(one)
        """,
    )
    data = audit(pytester, "--secaudit-depth=exact")
    assert verdicts(data) == {"test_confirmed": ["confirmed"], "test_confirmed_too": ["confirmed"]}
    assert {finding["code"] for finding in data["findings"]} == {"PSA011"}


def test_behind_decorators_in_async_and_generated_tests(pytester: pytest.Pytester) -> None:
    pytest.importorskip("hypothesis")
    suite(
        pytester,
        """
        from unittest import mock
        import asyncio
        from hypothesis import given, strategies

        @mock.patch("os.getcwd")
        def test_confirmed_patched(getcwd):
            for one in find():
                assert one

        @given(strategies.integers(0, 0))
        def test_confirmed_property(n):
            for one in find():
                assert one

        def closes_over(function):
            def wrapper():
                return asyncio.run(function())
            return wrapper

        @closes_over
        async def test_confirmed_async():
            for one in find():
                assert one

        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def test_confirmed_case(self):
                for one in find():
                    self.assertTrue(one)
        """,
    )
    found = verdicts(audit(pytester))
    assert found == expected(found)
    assert len(found) == 4


def test_the_share_of_tests_that_checked_something(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        helpers="""
        import unittest

        class Base(unittest.TestCase):
            def assertFine(self, x):
                self.assertTrue(x)

            def inherited(self):
                self.assertTrue(1)

            def harmless(self):
                return 3

            def test_of_base(self):
                assert True

        def check_it(x):
            if not x:
                raise ValueError
        """
    )
    suite(
        pytester,
        """
        import helpers

        def test_sure():
            assert find(1)

        def test_maybe():
            for one in find(1):
                assert one

        def test_nothing():
            login()

        def test_maybe_not():
            for one in find():
                assert one

        def test_check_elsewhere():
            helpers.check_it(1)

        class TestIt(helpers.Base):
            def test_inherited(self):
                self.inherited()

            def test_unknown(self):
                self.harmless()

            def test_fails(self):
                assert False
        """,
    )
    data = audit(pytester)
    assert data["evidence"]["tests_with_a_check"] == (5 if NEW else 2)


def test_a_suite_with_nothing_of_interest_is_not_followed(pytester: pytest.Pytester) -> None:
    suite(
        pytester,
        """
        import sys

        def test_nobody_listens():
            if hasattr(sys, "monitoring"):
                assert "pytest-secaudit" not in map(sys.monitoring.get_tool, range(6))
            else:
                assert sys.gettrace() is None

        def test_nothing():
            login()
        """,
    )
    data = audit(pytester)
    assert data["run"]["exit_status"] == 0
    assert data["evidence"]["watchers"]["lines"] == "on"
    assert data["evidence"]["tests_with_a_check"] == 1


@pytest.mark.skipif("lines" not in WATCHERS, reason="not yet among the names that may be left out")
def test_it_can_be_left_out(pytester: pytest.Pytester) -> None:
    suite(pytester, ALL)
    pytester.makeini("[pytest]\nsecaudit_watch_skip = lines\n")
    data = audit(pytester)
    assert data["evidence"]["watchers"]["lines"] == "off: by secaudit_watch_skip"
    assert {evidence for each in verdicts(data).values() for evidence in each} == {"suspected"}
    assert "test_011_confirmed" not in verdicts(data)


def test_what_is_remembered_is_the_same(pytester: pytest.Pytester) -> None:
    suite(pytester, ALL)
    first = audit(pytester, plain=False)
    again = audit(pytester, plain=False)  # now from the cache
    assert verdicts(again) == verdicts(first) == expected(verdicts(first))


def test_an_ignore_of_what_this_run_has_cleared_is_not_in_vain(pytester: pytest.Pytester) -> None:
    suite(
        pytester,
        """
        def test_202():
            try:  # secaudit: ignore[PSA202] as agreed
                login("wrong")
            except Rejected as error:
                assert error.code == 1

        def test_011():
            for one in find(1):  # secaudit: ignore[PSA011] may be empty elsewhere
                assert one

        def test_in_vain():
            assert find(1)  # secaudit: ignore[PSA011] no
        """,
    )
    data = audit(pytester)
    assert [(finding["code"], finding["line"]) for finding in data["findings"]] == [("PSA090", 24)]
