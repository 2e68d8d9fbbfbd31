"""Mock blind spots in whole runs: the same answer whoever else measures, and nothing of what they measure changes."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import coverage
import jsonschema
import pytest

AUTH = """\
import functools
import hmac


def verify_token(token):
    if not token:
        return False
    return hmac.compare_digest(token, "secret")


@functools.lru_cache(maxsize=None)
def cached(currency):
    rates = {"EUR": 1}
    return rates[currency]


def one_line(x): return x + 1


def real(x):
    y = x * 2
    return y


def behind_a_partial(token):
    value = token + "x"
    return value


PARTIAL = functools.partial(behind_a_partial, "t")


def traced(function):
    @functools.wraps(function)
    def wrapper(*args):
        result = function(*args)
        return result

    return wrapper


@traced
def wrapped(a):
    b = a + 1
    return b


def hidden(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


@hidden
def behind_a_closure(a):
    b = a + 1
    return b


def at_import(name):
    names = [name]
    return names


TABLE = at_import("x")


class Base:
    def inherited(self):
        value = 1
        return value


class Gateway(Base):
    def __init__(self):
        self.x = 1

    def charge(self, amount):
        total = amount * 2
        return total

    def of_instance(self):
        total = self.x
        return total

    @staticmethod
    def static(a):
        b = a
        return b

    @classmethod
    def make(cls):
        made = cls()
        return made

    @property
    def balance(self):
        found = self.x
        return found

    @functools.cached_property
    def rate(self):
        found = self.x
        return found

    def stub(self):
        raise NotImplementedError


class Unused:
    def work(self):
        value = 1
        return value

    class Inner:
        def deep(self):
            value = 1
            return value


async def fetch(url):
    text = url + "!"
    return text


def numbers(n):
    for i in range(n):
        yield i


def by_hand(a):
    b = a
    return b


def by_setattr(a):
    b = a
    return b


def in_fixture(a):
    b = a
    return b


def for_the_module(a):
    b = a
    return b


def idle(a):
    b = a
    return b


def pay(a):
    b = a
    return b


def sign(a):
    b = a
    return b


def empty(a):
    '''Nothing.'''
"""
ORDERS = """\
from shop.auth import pay, sign, verify_token

HANDLERS = {"pay": pay}
OTHERS = {"sign": sign}


def order(token):
    if verify_token(token):
        return "ok"
    return "no"
"""
TESTS = """\
import contextlib
from unittest import mock

import pytest

import shop.auth
from shop import orders
from shop.auth import Gateway


@mock.patch("shop.orders.verify_token", return_value=True)
def test_order(verify):
    assert orders.order("x") == "ok"


def test_refused(monkeypatch):
    monkeypatch.setattr(orders, "verify_token", lambda token: False)
    assert orders.order("x") == "no"


@pytest.mark.parametrize(
    "name",
    ["cached", "one_line", "real", "PARTIAL", "wrapped", "behind_a_closure", "at_import", "Unused", "fetch", "numbers", "empty"],
)
def test_each(name):
    with mock.patch(f"shop.auth.{name}") as replaced:
        assert getattr(shop.auth, name) is replaced


def test_real():
    assert shop.auth.real(2) == 4


@pytest.mark.parametrize("name", ["charge", "static", "make", "balance", "rate", "inherited", "stub"])
def test_gateway(name):
    with mock.patch.object(Gateway, name):
        assert Gateway().x == 1


def test_instance(monkeypatch):
    gateway = Gateway()
    monkeypatch.setattr(gateway, "of_instance", lambda: 3)
    assert gateway.of_instance() == 3


def test_by_hand():
    original = shop.auth.by_hand
    shop.auth.by_hand = lambda a: 7
    try:
        assert shop.auth.by_hand(1) == 7
    finally:
        shop.auth.by_hand = original


class TestSetAttr:
    def setup_method(self):
        self.original = shop.auth.by_setattr
        setattr(shop.auth, "by_setattr", int)

    def teardown_method(self):
        shop.auth.by_setattr = self.original

    def test_it(self):
        assert shop.auth.by_setattr("1") == 1


@pytest.fixture
def patched():
    with mock.patch("shop.auth.in_fixture", return_value=3):
        yield


def test_with_fixture(patched):
    assert shop.auth.in_fixture(1) == 3


@pytest.fixture(scope="module")
def widely():
    with mock.patch("shop.auth.for_the_module", return_value=3):
        yield


def test_first(widely):
    assert shop.auth.for_the_module(1) == 3


def test_second(widely):
    assert shop.auth.for_the_module(1) == 3


def test_nothing():
    shop.auth.idle(1)


def test_checks_nothing_is_replaced():
    with mock.patch("shop.auth.idle", return_value=3):
        assert shop.auth.idle(1) == 3


def test_mapping(monkeypatch):
    monkeypatch.setitem(orders.OTHERS, "sign", lambda a: 2)
    with mock.patch.dict(orders.HANDLERS, {"pay": lambda a: 1}):
        assert orders.HANDLERS["pay"](3) + orders.OTHERS["sign"](3) == 3


def test_wraps():
    with mock.patch("shop.auth.real", wraps=shop.auth.real) as real:
        assert shop.auth.real(1) == 2
"""
BLIND = {
    "Base.inherited", "Gateway.balance", "Gateway.charge", "Gateway.make", "Gateway.of_instance", "Gateway.rate",
    "Gateway.static", "Unused.work", "behind_a_closure", "behind_a_partial", "by_hand", "by_setattr", "cached", "fetch",
    "for_the_module", "hidden.<locals>.wrapper", "in_fixture", "numbers", "one_line", "pay", "sign", "verify_token", "wrapped",
}  # fmt: skip
#: Before Python 3.12 what ran is known by lines.
BY_LINES = sys.version_info < (3, 12)
REPLACED = len(BLIND | {"real", "at_import", "idle"})
EVERYTHING = ["--secaudit", "--secaudit-blindspots", "--secaudit-report=json:audit.json"]

COVERED = {
    "cov": ["-m", "pytest", "--cov=shop"],
    "cov-bare": ["-m", "pytest", "--cov"],
    "cov-branch": ["-m", "pytest", "--cov=shop", "--cov-branch"],
    "cov-contexts": ["-m", "pytest", "--cov=shop", "--cov-context=test"],
    "cov-relative": ["-m", "pytest", "--cov=shop", "--cov-config=relative.ini"],
    "coverage-run": ["-m", "coverage", "run", "-m", "pytest"],
    "coverage-run-branch": ["-m", "coverage", "run", "--branch", "--source=shop", "-m", "pytest"],
    "cov-n2": ["-m", "pytest", "--cov=shop", "-n2"],
}
ALONE = {
    "alone": ["-m", "pytest"],
    "n0": ["-m", "pytest", "-n0"],
    "n2": ["-m", "pytest", "-n2"],
    "n4": ["-m", "pytest", "-n4"],
}


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    package = pytester.mkpydir("shop")
    package.joinpath("auth.py").write_text(AUTH, "utf-8")
    package.joinpath("orders.py").write_text(ORDERS, "utf-8")
    pytester.makefile(".ini", relative="[run]\nrelative_files = true\nbranch = true\n", pytest="[pytest]\n")
    pytester.makepyfile(test_orders=TESTS)
    monkeypatch.delenv("COVERAGE_FILE", raising=False)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.run(sys.executable, *arguments, "-p", "no:cacheprovider", "-p", "no:randomly")


def report(pytester: pytest.Pytester, *arguments: str) -> dict[str, Any]:
    result = run(pytester, *arguments, *EVERYTHING)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    data: dict[str, Any] = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    jsonschema.validate(
        data, json.loads(files("pytest_secaudit.reports").joinpath("report.schema.json").read_text("utf-8"))
    )
    assert data["evidence"]["not_audited"] == []
    return data


def names(spots: list[dict[str, Any]]) -> set[str]:
    return {spot["qualname"] for spot in spots}


@pytest.mark.parametrize("mode", [*ALONE, *COVERED])
def test_the_answer_is_the_same_whoever_measures(shop: pytest.Pytester, mode: str) -> None:
    data = report(shop, *{**ALONE, **COVERED}[mode])
    by_lines = BY_LINES and mode in COVERED
    undecided = {"one_line"} if by_lines and "branch" not in mode and "relative" not in mode else set()
    assert names(data["blind_spots"]) == BLIND - undecided
    assert names(data["replaced_and_not_measured"]) == undecided
    assert data["functions_replaced"] == REPLACED
    knows_imports = not by_lines or "contexts" in mode
    knows_tests = not BY_LINES or "contexts" in mode
    half = ({"at_import"} if knows_imports else set()) | ({"idle"} if knows_tests else set())
    assert {spot["qualname"]: spot["ran"] for spot in data["half_blind"]}.keys() == half
    verify = next(spot for spot in data["blind_spots"] if spot["qualname"] == "verify_token")
    assert verify["replaced_in"] == ["test_orders.py::test_order", "test_orders.py::test_refused"]
    assert (verify["path"], verify["line"], verify["security"], verify["word"]) == ("shop/auth.py", 5, True, "verify")
    assert verify["places"] == ["test_orders.py:11", "test_orders.py:17"]
    assert names([spot for spot in data["blind_spots"] if spot["with_class"]]) == {"Unused.work"}


def measured(folder: Path) -> dict[str, Any]:
    """Everything that the user's coverage has written."""
    data = coverage.CoverageData(str(folder / ".coverage"))
    data.read()
    assert data.measured_files()
    return {
        name: (sorted(data.lines(name) or ()), sorted(data.arcs(name) or ()), data.contexts_by_lineno(name))
        for name in data.measured_files()
        if "secaudit" not in name  # of an editable install
    }


@pytest.mark.parametrize("mode", COVERED)
def test_what_the_user_measures_stays_as_it_is(shop: pytest.Pytester, mode: str) -> None:
    seen = []
    for options in ([], EVERYTHING):
        result = run(shop, *COVERED[mode], *options)
        assert result.ret == 0
        warned = [line for line in result.outlines + result.errlines if "Warning" in line]
        table = [" ".join(line.split()) for line in result.outlines if line.startswith(("shop", "test_orders"))]
        seen.append((measured(shop.path), warned, [line for line in table if "%" in line]))
        Path(shop.path, ".coverage").unlink()
    assert seen[0] == seen[1]


def test_the_section(shop: pytest.Pytester) -> None:
    result = run(shop, "-m", "pytest", *EVERYTHING[:2])
    result.stdout.fnmatch_lines(
        [
            "mock blind spots: 23 of 26 replaced functions are run by no test, 23 of them",
            "about security; ? hardly run",
            "security   for_the_module   shop/auth.py:*",
            "          replaced in 6 tests: test_orders.py:*",
            "security   verify_token   shop/auth.py:5",
            "          replaced in 2 tests: test_orders.py:11, test_orders.py:17",
            "1? more blind spots: -v",
        ]
    )
    assert "PSA810 mock-blind-spot" not in result.stdout.str()


@pytest.mark.parametrize("options", [["-k", "refused"], ["-x", "--deselect=test_orders.py::test_real"]])
def test_a_partial_run_calls_nothing_blind(shop: pytest.Pytester, options: list[str]) -> None:
    result = run(shop, "-m", "pytest", *EVERYTHING, *options)
    assert "mock blind spots: not judged: a partial run" in result.stdout.str()
    data = json.loads(Path(shop.path, "audit.json").read_text("utf-8"))
    assert (data["blind_spots"], data["half_blind"]) == ([], [])
    assert not any(finding["code"] == "PSA810" for finding in data["findings"])


@pytest.mark.parametrize("options", [["--continue-on-collection-errors"], ["-n2"]])
def test_a_file_that_could_not_be_imported_makes_a_partial_run(shop: pytest.Pytester, options: list[str]) -> None:
    shop.makepyfile(test_zz="import gone\n\ndef test_pay():\n    assert shop.auth.pay(1)\n")
    result = run(shop, "-m", "pytest", *EVERYTHING, *options)
    assert "mock blind spots: not judged: a partial run" in result.stdout.str()
    first = json.loads(Path(shop.path, "audit.json").read_text("utf-8"))
    assert (first["run"]["complete"], first["blind_spots"]) == (False, [])
    shop.makepyfile(test_zz="def test_a():\n    assert 1 + 1 == 2\n")
    Path(shop.path, "audit.json").rename(shop.path / "first.json")
    report(shop, "-m", "pytest", "test_zz.py")
    Path(shop.path, "audit.json").rename(shop.path / "second.json")
    assert run_merge(shop, "first.json", "second.json")["blind_spots"] == []


def test_a_lost_worker_is_a_partial_run(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_zz="import os\n\ndef test_dies():\n    os._exit(1)\n")
    run(shop, "-m", "pytest", "-n2", *EVERYTHING)
    data = json.loads(Path(shop.path, "audit.json").read_text("utf-8"))
    assert data["run"]["workers_lost"]
    assert data["blind_spots"] == []


def test_the_gate_the_baseline_and_ignores(shop: pytest.Pytester) -> None:
    options = ["-m", "pytest", *EVERYTHING, "--secaudit-fail-on=advisory"]
    result = run(shop, *options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*tests passed; the audit failed the run: 23 new findings at or above advisory"])
    assert run(shop, *options, "--secaudit-ignore=PSA810").ret == 0
    meant = run(shop, *options, "-o", "secaudit_expected=PSA810 shop/auth.py:*  others test them")
    assert meant.ret == 0
    meant.stdout.fnmatch_lines(["*expected 23*"])
    known = ["--secaudit-baseline=known.json"]
    assert run(shop, *EVERYTHING[:0], "-m", "pytest", *EVERYTHING, *known, "--secaudit-write-baseline").ret == 0
    quiet = run(shop, *options, *known)
    assert quiet.ret == 0
    assert "verify_token" not in quiet.stdout.str()


def test_shards_know_together_what_ran(shop: pytest.Pytester) -> None:
    """One shard only mocks what the other runs."""
    shop.makepyfile(test_other="import shop.auth\n\ndef test_pay():\n    assert shop.auth.pay(1) == 1\n")
    for number, file in enumerate(("test_orders.py", "test_other.py")):
        run(shop, "-m", "pytest", *EVERYTHING[:2], f"--secaudit-report=json:{number}.json", file)
    first = json.loads(Path(shop.path, "0.json").read_text("utf-8"))
    assert "pay" in names(first["blind_spots"])
    for shards in (["0.json", "1.json"], ["1.json", "0.json"]):
        done = run_merge(shop, *shards)
        assert names(done["blind_spots"]) == BLIND - {"pay"}
        found = {finding["subject"] for finding in done["findings"] if finding["code"] == "PSA810"}
        assert found == {f"shop/auth.py:{name}" for name in BLIND - {"pay"}}


def run_merge(pytester: pytest.Pytester, *shards: str) -> dict[str, Any]:
    result = pytester.run(
        sys.executable, "-m", "pytest_secaudit", "merge", *shards, "--report=json:all.json", "--report=html:all.html"
    )
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert "Mock blind spots" in Path(pytester.path, "all.html").read_text("utf-8")
    data: dict[str, Any] = json.loads(Path(pytester.path, "all.json").read_text("utf-8"))
    return data


def test_the_review_says_it_of_the_file_that_mocks(shop: pytest.Pytester) -> None:
    run(shop, "-m", "pytest", *EVERYTHING[:2], "--secaudit-report=markdown:review.md", "-v")
    text = Path(shop.path, "review.md").read_text("utf-8")
    assert "| security | `verify_token` | `shop/auth.py:5` | replaced in 2 tests" in text
    mine = text.partition("# test\\_orders.py")[2] or text.partition("# test_orders.py")[2]
    [section] = [line for line in mine.splitlines() if "Mocking of critical functions" in line]
    assert "Replaced here, and run by no test: `for_the_module` (shop/auth.py:" in section
    assert "`verify_token` (shop/auth.py:5) at 11, 17;" in section
    assert "17 more. *(m)*" in section
    assert "Replaced here, and run only at import: `at_import` (shop/auth.py:" in section
    assert "# shop/auth.py" not in text


# --- what nobody measured is unknown


CHILD = {
    "names it": "subprocess.run([sys.executable, '-c', 'import shop.auth'], check=True)",
    "is a script": "path = tmp_path / 'a.py'; path.write_text('import shop'); subprocess.run([sys.executable, str(path)], check=True)",
    "by a shell": "os.system(f'{sys.executable} -c \"import shop\"')",
    "runs tests": "subprocess.run([sys.executable, '-m', 'pytest', '--version'], check=True)",
    "reads it": "subprocess.run([sys.executable], input=b'', check=True)",
    "another program": "subprocess.run([*true, 'shop'], check=True)",
    "looks at an interpreter": "__import__('platform').architecture()",
    "another script": "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)",
}


@pytest.mark.parametrize("child", CHILD)
def test_what_a_child_process_may_have_run_is_unknown(pytester: pytest.Pytester, child: str) -> None:
    pytester.mkpydir("shop").joinpath("auth.py").write_text(AUTH, "utf-8")
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(
        "import os, subprocess, sys\nfrom unittest import mock\nimport shop.auth\n\n"
        "@mock.patch('shop.auth.pay')\ndef test_a(pay, tmp_path):\n"
        "    true = ['cmd.exe', '/c', 'rem'] if os.name == 'nt' else ['true']\n"
        f"    {CHILD[child]}\n    assert shop.auth.pay() is pay()\n"
    )
    data = report(pytester, "-m", "pytest")
    blind = {"pay"} if child.startswith(("another", "looks")) else set()
    assert (names(data["blind_spots"]), names(data["replaced_and_not_measured"])) == (blind, {"pay"} - blind)


@pytest.mark.parametrize("options", [[], ["--cov=shop", "--cov-branch", "--cov-context=test"]])
def test_what_begins_in_the_same_line_is_another(pytester: pytest.Pytester, options: list[str]) -> None:
    first = "def pay(a=1):\n    return a\n\ndef fee(value):\n    return lambda function: function\n\n"
    second = "@fee((lambda: 1)())\ndef sign(a=1):\n    return a\n"
    pytester.mkpydir("shop").joinpath("auth.py").write_text(first + second, "utf-8")
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(
        "from unittest import mock\nimport shop.auth\n\n"
        "@mock.patch('shop.auth.pay')\n@mock.patch('shop.auth.sign')\ndef test_a(sign, pay):\n    assert shop.auth.pay is pay\n"
    )
    data = report(pytester, "-m", "pytest", *options)
    assert (names(data["blind_spots"]), names(data["half_blind"])) == ({"pay", "sign"}, set())


@pytest.mark.parametrize(("child", "is_blind"), [("trade.other", True), ("trade.shop", False)])
def test_a_namespace_is_everybodys(pytester: pytest.Pytester, child: str, is_blind: bool) -> None:
    shop = pytester.mkdir("trade") / "shop"
    shop.mkdir()
    shop.joinpath("__init__.py").write_text(AUTH, "utf-8")
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(
        "import subprocess, sys\nfrom unittest import mock\nimport trade.shop\n\n"
        "@mock.patch('trade.shop.pay')\ndef test_a(pay):\n"
        f"    subprocess.run([sys.executable, '-m', {child!r}], check=False)\n    assert trade.shop.pay() is pay()\n"
    )
    data = report(pytester, "-m", "pytest")
    assert names(data["blind_spots" if is_blind else "replaced_and_not_measured"]) == {"pay"}


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="nobody forks here")
def test_what_a_forked_child_runs_is_run(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("shop").joinpath("auth.py").write_text(AUTH, "utf-8")
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(
        "import os\nfrom unittest import mock\nimport shop.auth\n\n"
        "def test_a():\n    child = os.fork()\n    if not child:\n        shop.auth.pay(1)\n        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n\n"
        "@mock.patch('shop.auth.pay')\n@mock.patch('shop.auth.sign')\ndef test_b(sign, pay):\n    assert shop.auth.pay is pay\n"
    )
    data = report(pytester, "-m", "pytest")
    if BY_LINES:
        assert names(data["replaced_and_not_measured"]) == {"pay", "sign"}
    else:
        assert names(data["blind_spots"]) == {"sign"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--secaudit-depth=static"], "nothing was watched"),
        (["--collect-only"], "nothing was watched"),
        (["-o", "secaudit_watch_skip=patches"], "nothing was watched"),
    ],
)
def test_where_nobody_looks_nothing_is_blind(shop: pytest.Pytester, options: list[str], why: str) -> None:
    result = run(shop, "-m", "pytest", *EVERYTHING, *options)
    assert f"mock blind spots: not judged: {why}" in result.stdout.str()
    data = json.loads(Path(shop.path, "audit.json").read_text("utf-8"))
    assert data["blind_spots"] == []


def test_by_the_ini_file_and_only_where_it_is_asked_for(shop: pytest.Pytester) -> None:
    plain = run(shop, "-m", "pytest", "--secaudit")
    assert "blind" not in plain.stdout.str()
    shop.makefile(".ini", pytest="[pytest]\nsecaudit_blindspots = true\n")
    assert "mock blind spots: 23" in run(shop, "-m", "pytest", "--secaudit").stdout.str()
    assert "blind" not in run(shop, "-m", "pytest").stdout.str()
    refused = run(shop, "-m", "pytest", "--secaudit-blindspots")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*--secaudit-blindspots has no effect without --secaudit*"])


def test_a_suite_that_replaces_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a():\n    assert 1 + 1 == 2\n")
    result = run(pytester, "-m", "pytest", *EVERYTHING)
    result.stdout.fnmatch_lines(["mock blind spots: tests replace no function of the project"])


def test_what_fails_in_the_end_loses_nothing_else(shop: pytest.Pytester) -> None:
    shop.makeconftest(
        "import pytest_secaudit.blind_log as log\n\n"
        "def fails(self):\n    raise RuntimeError('gone')\n\nlog.BlindLog.told = fails\n"
    )
    shop.makepyfile(test_leaves="import os\n\ndef test_it():\n    os.environ['LEFT'] = '1'\n")
    result = run(shop, "-m", "pytest", *EVERYTHING)
    assert "mock blind spots: not judged: the audit failed here: RuntimeError: gone" in result.stdout.str()
    assert "PSA101" in result.stdout.str()


def test_what_fails_at_the_start_loses_nothing_else(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        broken="import pytest_secaudit.blind_log as log\n\n"
        "def fails(self, *args):\n    raise RuntimeError('gone')\n\nlog.BlindLog.__init__ = fails\n"
    )
    shop.makepyfile(test_leaves="import os\n\ndef test_it():\n    os.environ['LEFT'] = '1'\n")
    result = run(shop, "-m", "pytest", "-p", "broken", *EVERYTHING, "-v")
    assert "mock blind spots: not judged: nothing was watched" in result.stdout.str()
    assert "blind spots: the audit failed here: RuntimeError: gone" in result.stdout.str()
    assert "PSA101" in result.stdout.str()
