"""The table of fixtures: what each costs, what it left, who changes its value."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from pytest_secaudit.facts import DefinedFixture, Facts, FileFacts
from pytest_secaudit.fixture_table import UNUSED, table, united
from pytest_secaudit.model import DEFECT, Finding, FixtureRow, Owner
from pytest_secaudit.reports import fixture_rows
from pytest_secaudit.watch.record import FixtureRan

CONFTEST = "conftest.py"
RAN = FixtureRan(
    id="conftest.py::db", name="db", scope="module", path=CONFTEST, line=4, plugin=None, asks=(), has_teardown=False,
    setups=4, failures=0, setup_s=0.8, teardown_s=0.1, users=9, touches=(), values=("",),
    changed=("fixture:db", "fixture:db['x']"),
)  # fmt: skip
OWNER = Owner("fixture", RAN.id, CONFTEST, 4, "module")


def found(subject: str, owner: Owner = OWNER, code: str = "PSA101") -> Finding:
    return Finding(
        code=code, name="x", severity=DEFECT, message="m", path=CONFTEST, line=5, column=1, end_line=5, owner=owner,
        owners=(owner,), fingerprint=subject, evidence="confirmed", subject=subject, detail={"area": "environ"},
    )  # fmt: skip


def facts(*ran: FixtureRan, defined: tuple[DefinedFixture, ...] = ()) -> Facts:
    return Facts(files={CONFTEST: FileFacts(is_read=True, fixtures=defined)}, ran=ran)


def only(ran: FixtureRan, *findings: Finding, others: tuple[FixtureRan, ...] = ()) -> FixtureRow:
    rows = table(facts(ran, *others), findings, is_complete=True)
    (row,) = (row for row in rows if row.name == ran.name)
    return row


def test_figures_of_all_processes_are_one_row() -> None:
    other = replace(RAN, setups=2, setup_s=0.4, users=3, touches=("os.environ['A']",))
    row = only(RAN, others=(other,))
    assert (row.setups, row.users, row.setup_s, row.teardown_s) == (6, 12, 1.2, 0.2)
    assert row.touches == ("os.environ['A']",)
    assert len(united((RAN, other, replace(RAN, name="alias")))) == 2


def test_what_it_left_and_who_changes_its_value() -> None:
    test = Owner("test", "test_a.py::test_b", "test_a.py", 3, "function")
    row = only(RAN, found("os.environ['B']"), found("os.environ['C']", test), found("fixture:db['x']", test, "PSA106"))
    assert (row.verdict, row.left, row.value_changed_by) == ("leaks", ("os.environ['B']",), (test.id,))
    assert row.hint == "a narrower scope, or a copy for each test"
    assert only(replace(RAN, scope="function"), found("fixture:db", test, "PSA106")).value_changed_by == ()
    assert only(replace(RAN, changed=()), found("fixture:db", test, "PSA106")).value_changed_by == ()  # of another one


def test_a_suspicion_is_nothing_that_was_left() -> None:
    assert only(RAN, replace(found("os.environ['B']"), evidence="suspected")).verdict == "clean"


def test_a_set_up_that_always_fails_is_not_judged() -> None:
    assert only(replace(RAN, failures=4)).verdict == "not judged: its set-up never came to its end"
    assert only(replace(RAN, failures=3)).verdict == "clean"


def test_what_never_ran() -> None:
    rows = table(facts(defined=(DefinedFixture("db", 5, "module"),)), (), is_complete=True)
    assert [(row.verdict, row.hint) for row in rows] == [("not run", "no test of a complete run asks for it")]
    unused = DefinedFixture("db", 5, "module")
    for places, hint in (((CONFTEST,), rows[0].hint), (("tests", "conf"), ""), ((), "")):
        (row,) = table(facts(defined=(unused,)), (), is_complete=True, places=places)
        assert row.hint == hint
    (row,) = table(facts(defined=(DefinedFixture("db", 5, "module"),)), (), is_complete=False)
    assert (row.verdict, row.hint) == ("not run", "")
    (row,) = table(facts(defined=(DefinedFixture("db", 5, "module"),)), (), is_complete=True, unwatched="not watched")
    assert (row.verdict, row.hint) == ("not judged: not watched", "")


def test_a_definition_is_met_by_the_line_below_its_decorators() -> None:
    defined = (DefinedFixture("db", 2, "class"), DefinedFixture("db", 6, "module"))
    rows = table(facts(RAN, defined=defined), (), is_complete=True)
    assert [(row.line, row.verdict) for row in rows] == [(2, "not run"), (6, "clean")]


def test_what_tests_ask_for_is_not_unused() -> None:
    row = only(replace(RAN, setups=0, users=0))
    assert (row.verdict, row.hint) == ("not run", "its tests were skipped, or failed before")
    assert fixture_rows.verdict_of(row) == "not seen"


DEAR = replace(RAN, scope="function", values=("a1",))


@pytest.mark.parametrize(
    ("ran", "others", "says_it"),
    [
        (DEAR, (), True),
        (replace(DEAR, asks=("dsn",)), (replace(RAN, name="dsn", scope="session"),), True),
        (replace(DEAR, asks=("dsn",)), (replace(RAN, name="dsn", scope="function"),), False),
        (replace(DEAR, asks=("request",)), (), False),
        (replace(DEAR, setups=2), (), False),
        (replace(DEAR, setup_s=0.1), (), False),
        (replace(DEAR, values=("a1", "b2")), (), False),
        (replace(DEAR, values=("",)), (), False),
        (replace(DEAR, has_teardown=True), (), False),
        (replace(DEAR, touches=("os.environ['A']",)), (), False),
        (replace(DEAR, plugin="pytest_x"), (), False),
        (replace(DEAR, scope="session"), (), False),
    ],
)
def test_what_could_be_wider(ran: FixtureRan, others: tuple[FixtureRan, ...], says_it: bool) -> None:
    hint = only(ran, others=others).hint
    assert hint == (
        "it makes the same value each time, 0.8 s in all: with a wider scope it would be made once" if says_it else ""
    )


def test_the_order_of_rows_and_their_words() -> None:
    rows = [
        FixtureRow("gone", "function", "c.py", 9, hint=UNUSED),
        FixtureRow("unseen", "function", "c.py", 10),
        FixtureRow("foreign", "function", "<site-packages>/x/y.py", 9, "x", 1, setup_s=9.0, verdict="clean"),
        FixtureRow("foreign_bad", "function", "<site-packages>/x/y.py", 9, "x", 1, verdict="leaks", left=("a",)),
        FixtureRow("cheap", "function", "c.py", 1, setups=1, verdict="clean"),
        FixtureRow("dear", "function", "c.py", 2, setups=1, setup_s=0.2, verdict="clean"),
        FixtureRow("bad", "function", "c.py", 3, setups=1, verdict="leaks", left=tuple("abcde")),
        FixtureRow("tmp_path", "function", "<site-packages>/_pytest/tmpdir.py", 3, "_pytest", 9, verdict="clean"),
    ]
    shown = fixture_rows.shown(rows)
    assert [row.name for row in shown] == ["foreign_bad", "bad", "dear", "cheap", "gone", "unseen", "foreign"]
    assert fixture_rows.headline(shown) == "fixtures: 5 ran, 2 leak, 1 unused, 1 not seen in this run"
    assert [fixture_rows.verdict_of(row) for row in shown[-3:]] == ["unused", "not seen", "clean"]
    assert list(fixture_rows.remarks(shown[1])) == ["left a, b, c and 2 more"]
    assert [fixture_rows.seconds(value) for value in (0, 0.012, 0.4)] == ["-", "12 ms", "0.40 s"]


SUITE = """
import os
import time
from unittest import mock

import pytest

import shop


@pytest.fixture(scope="session")
def broker():
    os.environ["BROKER"] = "on"
    yield {"sent": []}


@pytest.fixture(scope="module")
def patched():
    with mock.patch("shop.pay", return_value=3):
        yield


@pytest.fixture
def price():
    time.sleep(0.07)
    return (1, "EUR")


@pytest.fixture
def cart(price, broker, tmp_path):
    return [price]


@pytest.fixture
def lazy(request):
    return request.getfixturevalue("price")


@pytest.fixture
def broken():
    raise RuntimeError


@pytest.fixture
def unused():
    pass


@pytest.fixture
def waits():
    pass
"""
TESTS = """
import pytest
import shop

def test_one(cart, broker):
    broker["sent"].append(1)
    assert cart

def test_two(cart):
    assert cart

def test_three(lazy, patched):
    assert lazy

def test_broken(broken):
    assert 0

@pytest.fixture
def price(price):
    return price

def test_overrides(price):
    assert price

@pytest.mark.skip(reason="later")
def test_later(waits):
    pass

class TestXunit:
    def setup_method(self):
        pass

    def test_method(self):
        assert shop
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makeconftest(SUITE)
    pytester.makepyfile(shop="def pay():\n    return 1\n", test_it=TESTS)
    return pytester


def rows_of(pytester: pytest.Pytester, *options: str) -> dict[str, dict]:
    done = pytester.runpytest_subprocess("--secaudit", "--secaudit-report=json:a.json", *options)
    assert "INTERNALERROR" not in done.stdout.str()
    data = json.loads((pytester.path / "a.json").read_text("utf-8"))
    jsonschema.validate(data, json.loads((files("pytest_secaudit.reports") / "report.schema.json").read_text("utf-8")))
    return {f"{row['path']}::{row['name']}": row for row in data["fixtures"] if row["plugin"] is None}


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["one", "two"])
def test_the_table_of_a_run(suite: pytest.Pytester, options: list[str]) -> None:
    rows = rows_of(suite, "--secaudit-fixtures", *options)
    users = {name.rpartition("::")[2]: row["users"] for name, row in rows.items() if row["path"] == CONFTEST}
    assert users == {"broker": 2, "patched": 1, "price": 4, "cart": 2, "lazy": 1, "broken": 0, "unused": 0, "waits": 0}
    assert rows["test_it.py::price"]["users"] == 4
    broker = rows["conftest.py::broker"]
    assert (broker["verdict"], broker["left"], broker["scope"]) == ("leaks", ["os.environ['BROKER']"], "session")
    assert broker["value_changed_by"] == ["test_it.py::test_one"]
    assert rows["conftest.py::patched"]["touches"] == ["shop.pay"]
    assert rows["conftest.py::patched"]["verdict"] == "clean"
    assert rows["conftest.py::price"]["setup_s"] >= 0.28
    assert rows["conftest.py::price"]["hint"].startswith("it makes the same value each time")
    assert (
        rows["conftest.py::lazy"]["setup_s"] + rows["test_it.py::price"]["setup_s"] < 0.07
    )  # what they ask for is not theirs
    assert rows["conftest.py::broken"]["verdict"].startswith("not judged: ")
    assert rows["conftest.py::unused"]["verdict"] == "not run"
    assert rows["conftest.py::unused"]["hint"] == UNUSED
    assert rows["conftest.py::waits"]["hint"] == "its tests were skipped, or failed before"
    assert not any("setup" in name for name in rows)


def test_the_table_in_the_terminal_and_in_reviews(suite: pytest.Pytester) -> None:
    done = suite.runpytest_subprocess(
        "--secaudit", "--secaudit-fixtures", "--secaudit-report=markdown:a.md", "--secaudit-report=html:a.html"
    )
    done.stdout.fnmatch_lines(
        [
            "fixtures: 7 ran, 1 leaks, 1 unused, 1 not seen in this run",
            "*set-ups  users  set-up teardown",
            "leaks           1      2 *  broker [[]session[]]  conftest.py:11",
            "          left os.environ['BROKER']",
            "          its value is changed by test_it.py::test_one",
            "*not safe to run in parallel threads: while it stands it changes",
            "*hint: a narrower scope, or a copy for each test",
            "*price [[]function[]]  conftest.py:*",
            "          hint: it makes the same value each time, *",
            "unused          0      0       -        -  unused [[]function[]]  conftest.py:*",
        ]
    )
    review = (suite.path / "a.md").read_text("utf-8")
    assert "**Fixtures: 7 ran, 1 leaks, 1 unused, 1 not seen in this run.**" in review
    assert "| leaks | `broker` | session | 1 | 2 |" in review
    page = (suite.path / "a.html").read_text("utf-8")
    assert '<section id="fixtures">' in page
    assert page.count("<code>broker</code>") >= 1


STANDS_ALREADY = """
import pytest

@pytest.fixture(scope="session")
def db():
    return {}

@pytest.fixture(scope="module", name="shared")
def other():
    yield [1]
"""
ASKS_LATER = """
import unittest
import pytest

@pytest.fixture
def through(request):
    return request.getfixturevalue("db")

@pytest.mark.parametrize("number", [1, 2, 3])
def test_in_its_body(request, number):
    request.getfixturevalue("db")

def test_through(through):
    pass

def test_not():
    pass

@pytest.fixture(scope="module")
def shared():
    return [2]

def test_reads(shared):
    assert shared

def test_reads_again(shared):
    assert shared
"""
CHANGES = """
def test_changes(shared):
    shared.append(1)

def test_reads(shared):
    assert shared
"""


def test_who_asks_late_for_what_stands_already_is_a_user(pytester: pytest.Pytester) -> None:
    # Red when pytest's private `_request` or `_fixture_defs` go away.
    pytester.makeconftest(STANDS_ALREADY)
    pytester.makepyfile(test_late=ASKS_LATER, test_other=CHANGES)
    rows = rows_of(pytester, "--secaudit-fixtures")
    assert (rows["conftest.py::db"]["setups"], rows["conftest.py::db"]["users"]) == (1, 4)
    changed = {name: row["value_changed_by"] for name, row in rows.items() if row["name"] == "shared"}
    assert changed == {"conftest.py::shared": ["test_other.py::test_changes"], "test_late.py::shared": []}


def test_what_only_skipped_tests_ask_for_is_not_unused(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(STANDS_ALREADY)
    pytester.makepyfile(
        test_it="import pytest\n@pytest.mark.skip\ndef test_it(db): pass\ndef test_other(): pass\n",
    )
    rows = rows_of(pytester, "--secaudit-fixtures")
    assert {name.rpartition("::")[2]: (row["verdict"], row["hint"] == UNUSED) for name, row in rows.items()} == {
        "db": ("not run", False),
        "shared": ("not run", True),
    }


def test_what_a_fixture_touches_only_for_a_late_test_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture(autouse=True)
        def zone(request, monkeypatch):
            if "late" in request.node.name:
                monkeypatch.setenv("ZONE", "late")

        @pytest.mark.parametrize("number", range(5))
        def test_it(number): pass

        def test_late(): pass
        """
    )
    assert rows_of(pytester, "--secaudit-fixtures")["test_it.py::zone"]["touches"] == ["os.environ['ZONE']"]


def test_parameters_are_no_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(STANDS_ALREADY)
    pytester.makepyfile(test_late=ASKS_LATER)
    pytester.runpytest_subprocess("--secaudit", "--secaudit-fixtures", "--secaudit-report=json:a.json")
    names = {row["name"] for row in json.loads((pytester.path / "a.json").read_text("utf-8"))["fixtures"]}
    assert names == {"db", "shared", "through"}


def test_who_names_a_file_has_not_run_what_could_use_a_conftest(suite: pytest.Pytester) -> None:
    (suite.path / "sub").mkdir()
    (suite.path / "sub" / "test_sub.py").write_text(
        "import pytest\n@pytest.fixture\ndef mine(): pass\ndef test_it(): pass\n", encoding="utf-8"
    )
    for argument, verdicts in (
        ("sub", {"mine": "unused"}),
        ("sub/test_sub.py", {"mine": "unused"}),
        ("sub/test_sub.py::test_it", {}),
        (".", {"mine": "unused", "unused": "unused"}),
    ):
        rows = rows_of(suite, "--secaudit-fixtures", argument)
        assert {row["name"]: "unused" for row in rows.values() if row["hint"] == UNUSED} == verdicts


@pytest.mark.parametrize("layout", ["", "src/"])
def test_the_fixtures_of_the_project_are_its_own_where_it_is_installed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    plugin = "import os, pytest\n\n@pytest.fixture\ndef tide():\n    os.environ['TIDE'] = 'high'\n"
    for package in (f"{layout}shore", "env/site-packages/shore", "env/site-packages/sky"):
        folder = pytester.path / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("", encoding="utf-8")
        (folder / "plugin.py").write_text(plugin.replace("tide", folder.name), encoding="utf-8")
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_it.py").write_text("def test_it(shore, sky): pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(pytester.path / "env" / "site-packages")
    done = pytester.runpytest_inprocess(
        "--secaudit", "--secaudit-fixtures", "-pshore.plugin", "-psky.plugin", "--secaudit-report=json:a.json", "tests"
    )
    rows = {row["name"]: row for row in json.loads((pytester.path / "a.json").read_text("utf-8"))["fixtures"]}
    assert (rows["shore"]["path"], rows["shore"]["plugin"]) == (f"{layout}shore/plugin.py", None)
    assert rows["sky"]["plugin"] == "sky"
    assert "internal" not in done.stdout.str().lower()


def test_a_part_of_the_run_calls_nothing_unused(suite: pytest.Pytester) -> None:
    done = suite.runpytest_subprocess("--secaudit", "--secaudit-fixtures", "-k", "two")
    done.stdout.fnmatch_lines(["fixtures: 4 ran, 1 leaks, 5 not seen in this run"])


def test_where_nothing_is_run_nothing_is_judged(suite: pytest.Pytester) -> None:
    rows = rows_of(suite, "--secaudit-fixtures", "--collect-only")
    assert {row["verdict"] for row in rows.values()} == {"not judged: nothing was run"}
    rows = rows_of(suite, "--secaudit-fixtures", "--secaudit-depth=static")
    assert {row["verdict"] for row in rows.values()} == {"not judged: not watched"}


def test_only_where_it_is_asked_for(suite: pytest.Pytester) -> None:
    assert rows_of(suite) == {}
    suite.makeini("[pytest]\naddopts = -p no:cacheprovider\nsecaudit_fixtures = true\n")
    assert len(rows_of(suite)) == 9
    done = suite.runpytest_subprocess("--secaudit-fixtures")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--secaudit-fixtures has no effect without --secaudit*"])


def test_shards_have_one_table(suite: pytest.Pytester) -> None:
    import subprocess
    import sys

    whole = rows_of(suite, "--secaudit-fixtures")
    for name, keyword in (("x", "one or lazy or broken"), ("y", "not (one or lazy or broken)")):
        rows_of(suite, "--secaudit-fixtures", "-k", keyword, f"--secaudit-report=json:{name}.json")
    command = [sys.executable, "-m", "pytest_secaudit", "merge", "x.json", "y.json", "--report=json:m.json"]
    subprocess.run(command, cwd=suite.path, check=True, capture_output=True)
    merged = json.loads((suite.path / "m.json").read_text("utf-8"))["fixtures"]
    users = {f"{row['path']}::{row['name']}": (row["users"], row["verdict"]) for row in merged if not row["plugin"]}
    assert users == {name: (row["users"], row["verdict"]) for name, row in whole.items()}


def test_a_test_that_never_ran_used_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        def wide(): pass

        @pytest.fixture(autouse=True)
        def narrow(): pass

        @pytest.fixture
        def broken(narrow):
            raise OSError

        def test_runs(): assert 1
        def test_never_runs(broken): assert 1
        """
    )
    pytester.runpytest_subprocess("--secaudit", "--secaudit-fixtures", "--secaudit-report=json:a.json")
    rows = json.loads((pytester.path / "a.json").read_text("utf-8"))["fixtures"]
    assert {row["name"]: (row["setups"], row["users"]) for row in rows} == {
        "wide": (1, 1), "narrow": (2, 1), "broken": (1, 0)
    }  # fmt: skip
