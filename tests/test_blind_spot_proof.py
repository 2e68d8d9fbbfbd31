"""The script that breaks what no test is said to run: functions of every shape, and what runs make of them."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def proof() -> Iterator[Any]:
    """The script as a module; it finds its neighbours as it does when it is run."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("blind_spots")
        for name in {"blind_spots", "nothing_changed", "field_notes"} - before:
            sys.modules.pop(name, None)


class Ran(BaseException):
    pass


@pytest.fixture
def run(proof: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Break one function of a text and run it; what the module holds then."""
    marks = ModuleType(proof.MARKS)
    monkeypatch.setattr(marks, "Ran", Ran, raising=False)
    monkeypatch.setitem(sys.modules, proof.MARKS, marks)

    def broken(text: str, line: int, qualname: str) -> SimpleNamespace:
        source = text.encode()
        changed = proof.broken(source, [proof.Spot(7, "shop.py", line, qualname)])
        assert len(changed.splitlines()) == len(source.splitlines())
        assert b".Ran(7)" in changed
        holds: dict[str, Any] = {"__name__": "shop"}
        exec(compile(changed, "shop.py", "exec"), holds)
        return SimpleNamespace(**holds)

    return broken


ONE_LINE = "def pay(): return 1\n"
ONE_LINE_TEXT = 'def pay(): "Pays."; return 1\n'
WITH_COMMENT = "def pay(): return 1  # at once\n"
PLAIN = "def pay(sum):\n    left = sum\n    return left\n"
COMPOUND = "def pay(sum):\n    if sum:\n        return 1\n\n    return 2\n"
NESTED_FIRST = "def pay():\n    @(lambda f: f)\n    def inner():\n        return 1\n    return inner()\n"
MANY_LINES = "def pay(\n    sum=1,\n) -> int:\n    # nothing yet\n    return (\n        sum\n    )\n"
TABS = "def pay():\n\tfor one in (1,):\n\t\treturn one\n"
TEXT_ONLY = 'def pay():\n    """Pays."""\n'
TEXT_FIRST = 'def pay():\n    """Pays.\n\n    Later.\n    """  # said\n    with open(__file__):\n        return 1\n'
DOTS = "def pay(): ...\n"


@pytest.mark.parametrize(
    "text",
    [
        ONE_LINE,
        ONE_LINE_TEXT,
        WITH_COMMENT,
        PLAIN,
        COMPOUND,
        NESTED_FIRST,
        MANY_LINES,
        TABS,
        TEXT_ONLY,
        TEXT_FIRST,
        DOTS,
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_function_of_any_shape_raises_first(run: Any, text: str, line_end: str) -> None:
    after = "\n\nLATER = 1\nWHERE = __import__('sys')._getframe().f_lineno\n"
    shop = run((text + after).replace("\n", line_end), 1, "pay")
    arguments = [1] if "(sum)" in text else []
    with pytest.raises(Ran):
        shop.pay(*arguments)
    assert (text + after).splitlines()[shop.WHERE - 1].startswith("WHERE")
    assert (shop.pay.__doc__ or "").partition("\n")[0] == ("Pays." if "Pays." in text else "")


@pytest.mark.parametrize("line", [3, 5])
def test_a_decorated_one_by_its_def_or_its_first_decorator(run: Any, line: int) -> None:
    text = "import functools\n\n@functools.cache\n@functools.wraps(int)\ndef pay():\n    return 1\n"
    with pytest.raises(Ran):
        run(text, line, "pay").pay()


def test_a_coroutine_raises_when_it_is_awaited(run: Any) -> None:
    pay = run("async def pay():\n    async with open() as it:\n        return it\n", 1, "pay").pay
    assert inspect.iscoroutinefunction(pay)
    with pytest.raises(Ran):
        pay().send(None)


@pytest.mark.parametrize("body", ["yield 1", "if 1:\n        yield 1", "x = yield from ()", "return [(yield)]"])
def test_a_generator_raises_when_it_is_asked(run: Any, body: str) -> None:
    pay = run(f"def pay():\n    {body}\n", 1, "pay").pay
    assert inspect.isgeneratorfunction(pay)
    with pytest.raises(Ran):
        next(pay())


def test_an_asynchronous_generator_too(run: Any) -> None:
    pay = run("async def pay():\n    yield 1\n", 1, "pay").pay
    assert inspect.isasyncgenfunction(pay)
    with pytest.raises(Ran):
        asyncio.run(anext(pay()))


def test_one_that_only_holds_a_generator_is_none(run: Any) -> None:
    text = "def pay():\n    def each():\n        yield 1\n    return each, lambda: (yield)\n"
    with pytest.raises(Ran):
        run(text, 1, "pay").pay()


CLASSES = """\
class Shop:
    class Till:
        def pay(self):
            return 1

    def pay(self):
        def pay():
            return 2
        return pay()

    @staticmethod
    def close(): return 3
"""


@pytest.mark.parametrize(
    ("line", "qualname", "raising"),
    [
        (3, "Shop.Till.pay", "Shop.Till().pay()"),
        (6, "Shop.pay", "Shop().pay()"),
        (7, "Shop.pay.<locals>.pay", "Shop().pay()"),
        (11, "Shop.close", "Shop.close()"),
        (12, "Shop.close", "Shop.close()"),
    ],
)
def test_of_methods_and_inner_functions_only_the_one(run: Any, line: int, qualname: str, raising: str) -> None:
    shop = run(CLASSES, line, qualname)
    for call in ("Shop.Till().pay()", "Shop().pay()", "Shop.close()"):
        if call == raising:
            with pytest.raises(Ran):
                eval(call, {"Shop": shop.Shop})
        else:
            assert eval(call, {"Shop": shop.Shop}) in (1, 2, 3)


PROPERTY = """\
class Shop:
    @property
    def open(self):
        return True

    @open.setter
    def open(self, value):
        pass
"""


@pytest.mark.parametrize(("line", "setter"), [(2, False), (3, False), (6, True), (7, True)])
def test_the_getter_and_the_setter_of_a_property_are_told_apart(run: Any, line: int, setter: bool) -> None:
    shop = run(PROPERTY, line, "Shop.open").Shop()
    if setter:
        assert shop.open
        with pytest.raises(Ran):
            shop.open = False
    else:
        shop.open = False
        with pytest.raises(Ran):
            shop.open  # noqa: B018


def test_two_at_once_and_one_within_the_other(proof: Any) -> None:
    spots = [proof.Spot(1, "", 6, "Shop.pay"), proof.Spot(2, "", 7, "Shop.pay.<locals>.pay")]
    both = proof.broken(CLASSES.encode(), [*spots, proof.Spot(3, "", 3, "Shop.Till.pay")])
    assert b".Ran(1)" in both
    assert b".Ran(2)" not in both
    assert b".Ran(3)" in both


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_a_file_keeps_its_encoding(proof: Any, encoding: str) -> None:
    text = f"# -*- coding: {encoding.removesuffix('-sig')} -*-\nNAME = 'é'\ndef pay(é='é'): return 'é'\n"
    changed = proof.broken(text.encode(encoding), [proof.Spot(1, "", 3, "pay")])
    assert changed.decode(encoding).startswith(text[: text.index(" return")])
    assert changed.startswith(text.encode(encoding)[:20])
    ast.parse(changed)


@pytest.mark.parametrize(
    ("line", "qualname", "reason"),
    [
        (1, "<lambda>", "a lambda"),
        (2, "Shop.<lambda>", "a lambda"),
        (3, "pay", "no function pay is defined at line 3"),
        (4, "Till.pay", "no function Till.pay is defined at line 4"),
    ],
)
def test_what_cannot_be_broken_is_said(proof: Any, line: int, qualname: str, reason: str) -> None:
    source = b"pay = lambda: 1\n\n\ndef pay():\n    pass\n"
    with pytest.raises(proof.CannotBreakError, match=reason):
        proof.broken(source, [proof.Spot(1, "", line, qualname)])


def test_the_others_of_a_file_hold_nothing_of_what_is_listed(proof: Any) -> None:
    listed = [proof.Spot(1, "shop.py", 7, "Shop.pay.<locals>.pay")]
    rest = proof.others(CLASSES.encode(), "shop.py", listed, 5)
    assert {(one.number, one.place, one.qualname) for one in rest} == {
        (5, "shop.py:12", "Shop.close"),
        (6, "shop.py:3", "Shop.Till.pay"),
    }


# --- what runs say


def report(nodeid: str, when: str, outcome: str, wasxfail: str | None = None) -> dict[str, Any]:
    return {"kind": "report", "nodeid": nodeid, "when": when, "outcome": outcome, "wasxfail": wasxfail}


def test_outcomes_hold_phases_expectations_collection_and_the_end(proof: Any) -> None:
    events = [
        {"kind": "collected", "ids": []},
        {"kind": "collect report", "nodeid": "a.py", "outcome": "passed"},
        {"kind": "collect report", "nodeid": "b.py", "outcome": "failed"},
        report("a.py::x[<f at 0x7fff1234>]", "setup", "passed"),
        report("a.py::x[<f at 0x7fff1234>]", "call", "skipped", ""),
        report("a.py::y", "setup", "failed"),
    ]
    assert proof.outcomes_of(events, 1) == {
        "the run": "exit status 1",
        "b.py": "collected: failed",
        "a.py::x[<f at 0x>]": "call skipped as expected, setup passed",
        "a.py::y": "setup failed",
    }
    assert proof.outcomes_of([], None) == {"the run": "took too long"}


def test_an_unsteady_test_changes_nothing(proof: Any) -> None:
    baseline = proof.Baseline({"a": "1", "b": "1"}, frozenset(["a"]), frozenset(), 1.0)
    recorded = proof.Recorded({"a": "2", "b": "1"}, frozenset([3]), frozenset(), 1.0, "")
    assert proof.seen_in(recorded, baseline) == proof.Seen((), frozenset([3]))


def test_a_test_that_is_gone_or_new_differs(proof: Any) -> None:
    assert proof.differing({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}) == ("a", "b", "d")


class Suite:
    """A suite that notices some functions, runs others unnoticed, and counts its runs."""

    def __init__(self, proof: Any, *, ran: Sequence[int] = (), noticed: Sequence[int] = ()) -> None:
        self._proof = proof
        self._ran, self._noticed = set(ran), set(noticed)
        self.runs: list[list[int]] = []

    def __call__(self, spots: Sequence[Any]) -> Any:
        numbers = [spot.number for spot in spots]
        self.runs.append(numbers)
        changed = tuple(f"test_{number}" for number in sorted(self._noticed.intersection(numbers)))
        return self._proof.Seen(changed, frozenset(self._ran.intersection(numbers)))


def outcomes(proof: Any, suite: Suite, numbers: Sequence[int]) -> dict[int, str]:
    spots = [proof.Spot(number, "shop.py", number, f"f{number}") for number in numbers]
    return {spot.number: seen.outcome for spot, seen in proof.tried(spots, suite).items()}


def test_all_green_and_unmarked_is_one_run(proof: Any) -> None:
    suite = Suite(proof)
    assert set(outcomes(proof, suite, range(1, 9)).values()) == {"stayed green"}
    assert len(suite.runs) == 1


def test_what_is_marked_is_tried_alone_and_the_others_together(proof: Any) -> None:
    suite = Suite(proof, ran=[2, 3], noticed=[3])
    assert outcomes(proof, suite, [1, 2, 3, 4]) == {
        1: "stayed green",
        2: "green, but ran",
        3: "noticed",
        4: "stayed green",
    }
    assert suite.runs == [[1, 2, 3, 4], [2], [3], [1, 4]]


def test_what_is_noticed_without_a_mark_is_found_by_halves(proof: Any) -> None:
    suite = Suite(proof, noticed=[3])
    found = outcomes(proof, suite, [1, 2, 3, 4])
    assert {number for number, word in found.items() if word == "noticed"} == {3}
    assert suite.runs == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4]]


def test_what_differs_only_once_is_chance(proof: Any) -> None:
    runs = iter([proof.Seen(("test_a", "test_b")), proof.Seen(("test_c",))])
    assert outcomes(proof, lambda spots: next(runs), [1]) == {1: "stayed green"}
    marked = iter([proof.Seen(("test_a",)), proof.Seen((), frozenset([1]))])
    assert outcomes(proof, lambda spots: next(marked), [1]) == {1: "green, but ran"}


@pytest.mark.parametrize(
    ("outcomes", "missing"),
    [
        ({"the run": "exit status 4"}, True),
        ({"the run": "exit status 2", "a.py": "collected: failed"}, True),
        ({"the run": "exit status 1", "b.py": "collected: skipped", "c.py::x": "call failed"}, False),
        ({"the run": "exit status 1", "d.py": "collected: failed", "c.py::x": "call failed"}, False),
    ],
)
def test_files_that_could_be_imported_before(proof: Any, outcomes: dict[str, str], missing: bool) -> None:
    before = {"the run": "exit status 1", "b.py": "collected: skipped", "d.py": "collected: failed"}
    assert proof.is_uncollected(outcomes, before) is missing


def test_nothing_to_try_runs_nothing(proof: Any) -> None:
    suite = Suite(proof)
    assert outcomes(proof, suite, []) == {}
    assert suite.runs == []


def test_parts(proof: Any) -> None:
    assert proof.in_parts([1, 2, 3], 2) == [[1, 2], [3]]
    assert proof.how_many("all") == 0
    assert proof.how_many("12") == 12


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"run": {"complete": False}, "blind_spots": [{}]}, "complete"),
        ({"run": {"complete": True}, "blind_spots": []}, "no blind spot"),
        ({"run": {"complete": True}}, "no blind spot"),
    ],
)
def test_a_report_that_proves_nothing_is_refused(proof: Any, data: Any, reason: str) -> None:
    with pytest.raises(proof.ProofError, match=reason):
        proof.spots_of(data)


# --- the whole

SHOP = """\
import threading

STAMPED = []


def till(function):
    return function


@till
def charge(sum):
    raise NotImplementedError


def receipt(sum):
    if sum:
        return str(sum)


def log(sum):
    print(sum)


def stamp(sum):
    STAMPED.append(sum)


def total(sums):
    try:
        log(sums)
    except BaseException:
        pass
    try:
        stamp(sums)
    except Exception:
        pass
    threading.Thread(target=notify).start()
    return sum(sums)


def notify():
    pass


def order(sums):
    charge(total(sums))
    return receipt(sum(sums))


rebate = lambda sum: sum
SHOP_OPEN = till(True)
"""
TESTS = """\
import sys
from unittest import mock

import shop


def test_that_no_bytecode_is_kept_of_what_was_broken():
    assert sys.dont_write_bytecode


@mock.patch("shop.charge")
def test_order(charge):
    assert shop.order([1, 2]) == "3"


@mock.patch("shop.receipt")
@mock.patch("shop.charge")
def test_broken(charge, receipt):
    assert shop.order([1]) == "1"
"""


def listed(line: int, qualname: str, path: str = "shop.py") -> dict[str, Any]:
    return {
        "path": path,
        "line": line,
        "qualname": qualname,
        "replaced_in": ["tests/test_shop.py::test_order"],
        "security": qualname == "charge",
    }


class Shop:
    """A small suite on disk, and a report of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "shop-1.0"
        self.report = folder / "audit.json"
        self.write("shop.py", SHOP)
        self.write("unused.py", "def pay(): pass\n")
        self.write("tests/test_shop.py", TESTS)
        self.write("pytest.ini", "[pytest]\n")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def prove(self, spots: Sequence[dict[str, Any]], *options: str) -> subprocess.CompletedProcess[str]:
        data = {"run": {"complete": True}, "tool": {"version": "0.1.0"}, "blind_spots": spots, "functions_replaced": 9}
        self.report.write_text(json.dumps(data))
        script = str(BENCHMARKS / "blind_spots.py")
        command = [sys.executable, script, str(self.root), "--report", str(self.report), *options]
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize("at_once", ["1", "all"])
def test_true_ones_stay_green_and_false_ones_are_found(shop: Shop, at_once: str) -> None:
    before = {path: path.read_bytes() for path in shop.root.rglob("*") if path.is_file()}
    spots = [
        listed(11, "charge"),
        listed(15, "receipt"),
        listed(20, "log"),
        listed(24, "stamp"),
        listed(50, "<lambda>"),
        listed(1, "pay", "unused.py"),
    ]
    done = shop.prove(spots, "--at-once", at_once, "--", "-p", "no:cacheprovider")
    assert done.stderr == ""
    assert (
        textwrap.dedent("""\
        stayed green    shop.py:11 charge  replaced in 1 test  security
        noticed         shop.py:15 receipt  replaced in 1 test
                          tests/test_shop.py::test_order
        green, but ran  shop.py:20 log  replaced in 1 test
        noticed         shop.py:24 stamp  replaced in 1 test
                          tests/test_shop.py::test_order
        not tried       shop.py:50 <lambda>  replaced in 1 test
                          a lambda has no body to put a raise in
        not tried       unused.py:1 pay  replaced in 1 test
                          its file is not loaded
        shop 1.0: 6 listed; 1 stayed green; 1 green, but ran; 2 noticed; 2 not tried
        """)
        in done.stdout
    )
    assert "unbroken: 3 tests" in done.stdout
    assert "1 fail, 0 are unsteady" in done.stdout
    assert (
        "control: 3 other functions of 1 file broken at once: 1 outcome changed, at least 1 of them ran, in 1 file"
        in done.stdout
    )
    assert done.returncode == 1
    assert {path: path.read_bytes() for path in shop.root.rglob("*") if path.is_file()} == before


def test_a_true_list_is_exit_status_0(shop: Shop) -> None:
    done = shop.prove([listed(11, "charge")])
    assert done.stdout.endswith("shop 1.0: 1 listed; 1 stayed green; 0 green, but ran; 0 noticed; 0 not tried\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unsteady_test_notices_nothing(shop: Shop) -> None:
    shop.write(
        "tests/test_odd.py",
        "from pathlib import Path\n\n\ndef test_odd():\n    count = Path(__file__).with_name('count')\n"
        "    count.write_text((count.read_text() if count.exists() else '') + '.')\n"
        "    assert len(count.read_text()) % 2\n",
    )
    done = shop.prove([listed(11, "charge")])
    assert "4 tests" in done.stdout
    assert "2 fail, 1 are unsteady" in done.stdout
    assert "; 1 stayed green" in done.stdout


def test_a_suite_that_imports_the_original_proves_nothing(shop: Shop) -> None:
    shop.write("conftest.py", f"import sys\nsys.path.insert(0, {str(shop.root)!r})\n")
    done = shop.prove([listed(11, "charge")])
    assert done.returncode == 2
    assert "blind_spots.py: shop.py is imported from the original; --path names" in done.stderr


def test_a_suite_that_notices_nothing_proves_nothing(shop: Shop) -> None:
    shop.write("tests/test_shop.py", "import shop\n\n\ndef test_nothing():\n    pass\n")
    done = shop.prove([listed(11, "charge")])
    assert done.returncode == 2
    assert "6 other functions of 1 file broken at once, and no test differs" in done.stderr


def test_a_suite_of_which_nothing_passes_proves_nothing(shop: Shop) -> None:
    shop.write("tests/test_shop.py", "import shop\n\n\ndef test_nothing():\n    assert not shop\n")
    done = shop.prove([listed(11, "charge")])
    assert done.returncode == 2
    assert "no test passes while nothing is broken" in done.stderr
    assert "1 failed" in done.stderr


def test_what_is_saved_takes_the_place_of_what_was(proof: Any, tmp_path: Path) -> None:
    path = tmp_path / "blind_spots.json"
    for version, project in (("1", "shop"), ("1", "till"), ("2", "shop")):
        proof.save(path, {"project": project, "version": version})
    assert json.loads(path.read_bytes()) == [
        {"project": "shop", "version": "2"},
        {"project": "till", "version": "1"},
    ]


# --- the page


def notes(**changed: object) -> dict[str, Any]:
    spot = {
        "place": "shop.py:4",
        "qualname": "charge",
        "security": True,
        "tests": 3,
        "replaced_in": ["tests/test_shop.py::test_order"],
        "outcome": "stayed green",
        "detail": "",
    }
    noticed = {**spot, "place": "shop.py:8", "security": False, "tests": 1, "outcome": "noticed", "detail": "test_a"}
    lost = {**spot, "place": "shop.py:35", "outcome": "not tried", "detail": "a lambda"}
    entry = {"project": "shop", "version": "1.0", "tests": 1200, "command": "pytest", "secaudit": "0.1.0"}
    return {**entry, "replaced": 1024, "spots": [spot, noticed, lost], **changed}


def test_the_page_says_what_became_of_each(proof: Any, tmp_path: Path) -> None:
    field_notes = importlib.import_module("field_notes")
    path = tmp_path / "blind_spots.json"
    path.write_text(json.dumps([notes(), notes(project="till", replaced=12, spots=[])]))
    said = field_notes.page([], broken=field_notes.load_blind_spots(path))
    assert "## Blind spots, broken" in said
    assert "| shop | 1.0 | 1,200 | 1,024 | 3 | 2 | 1 | 0 | 1 | 50 % |" in said
    assert "| till | 1.0 | 1,200 | 12 | 0 | 0 | 0 | 0 | 0 | - |" in said
    assert "| shop | `shop.py:4` `charge` | yes | `tests/test_shop.py::test_order` and 2 more | stayed green |" in said
    assert "| shop | `shop.py:8` `charge` |  | `tests/test_shop.py::test_order` | noticed: test_a |" in said
    assert "not tried: a lambda |" in said


def test_a_page_without_a_proof_has_no_such_section(proof: Any, tmp_path: Path) -> None:
    field_notes = importlib.import_module("field_notes")
    assert field_notes.load_blind_spots(tmp_path / "blind_spots.json") == []
    assert "Blind spots" not in field_notes.page([])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"replaced": "12"}, "'replaced' is \"12\", and should be a number"),
        ({"spots": [{}]}, "shop: spots\\[0\\]: 'place' is missing"),
    ],
)
def test_what_is_wrong_in_the_data_is_named(proof: Any, tmp_path: Path, changed: Any, reason: str) -> None:
    field_notes = importlib.import_module("field_notes")
    path = tmp_path / "blind_spots.json"
    path.write_text(json.dumps([notes(**changed)]))
    with pytest.raises(field_notes.DataError, match=reason):
        field_notes.load_blind_spots(path)


def test_what_the_script_saves_the_page_takes(proof: Any, tmp_path: Path) -> None:
    field_notes = importlib.import_module("field_notes")
    arguments = SimpleNamespace(suite=tmp_path / "till-and-shop-1.0", options=["tests", "-k", "not slow"])
    baseline = proof.Baseline({"the run": "exit status 0", "a": "call passed"}, frozenset(), frozenset(), 1.0)
    spot = proof.Spot(1, "shop.py", 4, "charge", ("a", "b", "c", "d"), security=True)
    found = {spot: ("noticed", ("a", "b", "c", "d", "e"))}
    entry = proof.entry_of(arguments, {"tool": {"version": "0.1.0"}, "functions_replaced": 4}, baseline, found)
    path = tmp_path / "blind_spots.json"
    proof.save(path, entry)
    (project,) = field_notes.load_blind_spots(path)
    assert (project.project, project.version, project.tests) == ("till-and-shop", "1.0", 1)
    assert project.replaced == 4
    assert project.command == "pytest tests -k 'not slow'"
    assert project.spots[0].detail == "a; b; c; 2 more"
    assert set(field_notes.BROKEN_OUTCOMES) == {proof.STAYED_GREEN, proof.GREEN_BUT_RAN, proof.NOTICED, proof.NOT_TRIED}
