"""``--secaudit-check-fixture``: a fixture is set up and torn down twice, and nothing of the suite runs."""

from __future__ import annotations

import json
import sys

import pytest

CONFTEST = """
import os
import pytest
import shop


@pytest.fixture(scope="session")
def broker():
    os.environ["BROKER"] = "on"
    yield {}


@pytest.fixture
def tidy(monkeypatch):
    monkeypatch.setenv("TIDY", "1")
    return {}


@pytest.fixture(scope="module", params=["a", "b"])
def kind(request):
    if request.param == "b":
        shop.KINDS.append("b")
    return request.param


@pytest.fixture(scope="session")
def once():
    if shop.STARTED:
        raise RuntimeError("already started")
    shop.STARTED.append(1)
    yield
    # shop.STARTED.clear() is forgotten


@pytest.fixture
def ends_badly():
    yield
    raise OSError("disk full")


@pytest.fixture
def breaks():
    raise OSError("gone")


@pytest.fixture
def skips():
    pytest.skip("not here")


@pytest.fixture
def given(request):
    return request.param


@pytest.fixture
def price():
    return 1
"""
TESTS = """
import pytest

RAN = []


@pytest.fixture
def price(price):
    return price + 1


def test_must_not_run(broker):
    open("it-ran", "w").close()


class TestCart:
    @pytest.fixture
    def cart(self):
        return []

    def test_must_not_run(self, cart):
        open("it-ran", "w").close()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(shop="STARTED = []\nKINDS = []\n", test_a=TESTS, test_b="def test_must_not_run(): assert 0\n")
    return pytester


def check(pytester: pytest.Pytester, *names: str, options: tuple[str, ...] = ()) -> tuple[pytest.RunResult, dict]:
    asked = [f"--secaudit-check-fixture={name}" for name in names]
    done = pytester.runpytest_subprocess("--secaudit", "--secaudit-report=json:a.json", *asked, *options)
    assert "INTERNALERROR" not in done.stdout.str() + done.stderr.str()
    assert not (pytester.path / "it-ran").exists()
    path = pytester.path / "a.json"
    return done, json.loads(path.read_text("utf-8")) if path.exists() else {}


def verdicts(data: dict) -> dict[str, tuple[str, str]]:
    return {f"{row['path']}::{row['name']}": (row["verdict"], row["hint"]) for row in data["fixtures"]}


def test_a_tidy_one(suite: pytest.Pytester) -> None:
    done, data = check(suite, "tidy")
    assert done.ret == 0
    assert verdicts(data) == {"conftest.py::tidy": ("clean", "checked: leaves nothing, works twice")}
    done.assert_outcomes(passed=2, deselected=3)
    done.stdout.fnmatch_lines(["*checked: leaves nothing, works twice", "1 fixture leaves nothing and works twice"])
    assert data["conclusion"]["verdict"] == "no defects found"


def test_one_that_leaves_something(suite: pytest.Pytester) -> None:
    done, data = check(suite, "broker")
    assert done.ret == 1
    (row,) = data["fixtures"]
    assert (row["verdict"], row["left"], row["setups"]) == ("leaks", ["os.environ['BROKER']"], 2)
    (finding,) = data["findings"]
    assert (finding["code"], finding["line"], finding["owner"]["id"]) == ("PSA101", 8, "conftest.py::broker")
    assert data["gate"]["reason"] == "the fixture check failed the run: broker leaves os.environ['BROKER']"
    done.stdout.fnmatch_lines(["1 of 1 fixture is not clean", "the fixture check failed the run: broker leaves *"])


def test_each_parameter(suite: pytest.Pytester) -> None:
    done, data = check(suite, "kind")
    (row,) = data["fixtures"]
    assert (row["setups"], row["left"], done.ret) == (4, ["shop.KINDS"], 1)
    done.assert_outcomes(passed=4, deselected=3)


def test_one_that_works_only_once(suite: pytest.Pytester) -> None:
    done, data = check(suite, "once")
    (row,) = data["fixtures"]
    assert row["verdict"] == "leaks"
    assert row["hint"] == "checked: does not work twice: its set-up raised RuntimeError: already started"
    assert done.ret == 1


def test_one_whose_clean_up_fails(suite: pytest.Pytester) -> None:
    done, data = check(suite, "ends_badly")
    hint = "checked: leaves nothing, its clean-up fails: its clean-up raised OSError: disk full"
    assert verdicts(data) == {"conftest.py::ends_badly": ("leaks", hint)}
    assert done.ret == 1


def test_what_cannot_be_judged_says_why_and_fails_nothing(suite: pytest.Pytester) -> None:
    done, data = check(suite, "breaks", "skips", "given")
    assert {name: verdict for name, (verdict, _) in verdicts(data).items()} == {
        "conftest.py::breaks": "not judged: its set-up raised OSError: gone",
        "conftest.py::skips": "not judged: it skips: not here",
        "conftest.py::given": "not judged: it needs request.param, which only a test can give",
    }
    assert done.ret == 0
    done.stdout.fnmatch_lines(["no fixture was judged; 3 fixtures not judged"])
    assert data["conclusion"]["verdict"] == "nothing audited"


def test_a_parameter_that_is_skipped_each_time_works_with_the_others(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        "import pytest\n@pytest.fixture(params=['a', 'b'])\ndef backend(request):\n"
        "    if request.param == 'b':\n        pytest.skip('not here')\n"
    )
    done, data = check(suite, "backend")
    said = "checked: leaves nothing, works twice, not judged: [b] it skips: not here"
    assert (verdicts(data)["conftest.py::backend"], done.ret) == (("clean", said), 0)


def test_where_it_is_overridden_each_is_one(suite: pytest.Pytester) -> None:
    _, data = check(suite, "price")
    assert set(verdicts(data)) == {"conftest.py::price", "test_a.py::price"}
    _, data = check(suite, "price@test_a.py")
    assert set(verdicts(data)) == {"test_a.py::price"}
    _, data = check(suite, "price@conftest.py")
    assert set(verdicts(data)) == {"conftest.py::price"}


def test_all_of_the_user(suite: pytest.Pytester) -> None:
    done, data = check(suite, "ALL")
    assert {name.rpartition("::")[2]: verdict.partition(":")[0] for name, (verdict, _) in verdicts(data).items()} == {
        "broker": "leaks", "tidy": "clean", "kind": "leaks", "once": "leaks", "ends_badly": "leaks",
        "breaks": "not judged", "skips": "not judged", "given": "not judged", "price": "clean", "cart": "clean",
    }  # fmt: skip
    assert len(data["fixtures"]) == 11
    assert done.ret == 1


def test_one_of_a_plugin(suite: pytest.Pytester) -> None:
    _, data = check(suite, "tmp_path")
    ((name, (verdict, hint)),) = verdicts(data).items()
    assert (name, verdict) == ("<site-packages>/_pytest/tmpdir.py::tmp_path", "clean")
    assert hint == "checked: leaves nothing, works twice"


@pytest.mark.parametrize("pattern", ["check_*", "*_spec", "t"])
def test_whatever_tests_are_called(suite: pytest.Pytester, pattern: str) -> None:
    suite.makeini(f"[pytest]\naddopts = -p no:cacheprovider\npython_functions = {pattern}\n")
    suite.makepyfile(test_c="def check_it(): pass\ndef it_spec(): pass\ndef t(): pass\n")
    done, data = check(suite, "tidy")
    assert (done.ret, len(verdicts(data))) == (0, 1)


def test_the_module_is_as_it_was(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_c="def test_must_not_run(): pass\n")
    suite.inline_run("--secaudit", "--secaudit-check-fixture=tidy", "test_c.py")
    assert not any("secaudit" in name for name in vars(sys.modules.get("test_c", pytest)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--secaudit", "--secaudit-check-fixture=brokr"], "*'brokr' is not accepted; *similar: broker*"),
        (["--secaudit", "--secaudit-check-fixture=broker@test_a.py"], "*there is no 'broker' there; defined in: conftest.py"),
        (["--secaudit", "--secaudit-check-fixture=@x"], "*accepted: NAME, NAME@PATH or ALL"),
        (["--secaudit", "--secaudit-check-fixture=tidy", "-n2"], "*it runs in one process: add -n0"),
        (["--secaudit", "--secaudit-check-fixture=tidy", "--collect-only"], "*--collect-only runs nothing"),
        (["--secaudit", "--secaudit-check-fixture=tidy", "--secaudit-depth=static"], "*nothing is watched at the depth static"),
        (["--secaudit-check-fixture=tidy"], "*has no effect without --secaudit*"),
    ],
)  # fmt: skip
def test_wrong_values_stop_the_run(suite: pytest.Pytester, options: list[str], said: str) -> None:
    done = suite.runpytest_subprocess(*options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([said])


def test_a_parameter_that_never_stands_says_nothing_of_the_others(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_c="import pytest\n@pytest.fixture(params=['v4', 'v6'])\ndef door(request):\n    yield request.param\n"
        "    if request.param == 'v6': raise OSError('never opened')\n"
        "@pytest.fixture(params=['v4', 'v6'])\ndef gate(request):\n    if request.param == 'v6': raise OSError('no v6')\n"
        "def test_must_not_run(): pass\n"
    )
    _, data = check(suite, "gate", "door")
    assert verdicts(data) == {
        "test_c.py::gate": ("clean", "checked: leaves nothing, works twice, not judged: [v6] its set-up raised OSError: no v6"),
        "test_c.py::door": (
            "leaks", "checked: leaves nothing, its clean-up fails: [v6] its clean-up raised OSError: never opened"
        ),
    }  # fmt: skip


def test_two_of_one_name_in_a_file_are_each_judged(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_c="""
        import os
        import pytest

        class TestReading:
            @pytest.fixture
            def path(self):
                return "in"

            def test_must_not_run(self, path):
                raise AssertionError

        class TestWriting:
            @pytest.fixture
            def path(self):
                os.environ["OUT"] = "1"

            def test_must_not_run(self, path):
                raise AssertionError
        """
    )
    done, data = check(suite, "path")
    assert [(row["line"], row["setups"], row["verdict"]) for row in data["fixtures"]] == [
        (6, 2, "clean"),
        (14, 2, "leaks"),
    ]
    assert done.ret == 1


def test_what_is_not_checked_has_no_verdict_of_a_namesake(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_c="""
        import unittest
        import pytest

        @pytest.fixture
        def path():
            return "in"

        def test_must_not_run(path):
            raise AssertionError

        class TestWriting(unittest.TestCase):
            @pytest.fixture
            def path(self):
                return "out"

            def test_must_not_run(self):
                raise AssertionError
        """
    )
    _, data = check(suite, "path")
    assert [(row["line"], row["setups"], row["verdict"]) for row in data["fixtures"]] == [(5, 2, "clean")]


def test_what_a_failed_set_up_leaves_is_not_warned_of_under_the_next(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_c="""
        import gc
        import warnings
        import pytest

        gc.disable()  # it comes when it is called

        class Door:
            def __init__(self):
                self.itself = self

            def __del__(self):
                warnings.warn("never closed", ResourceWarning)

        @pytest.fixture
        def a_door():
            door = Door()
            raise OSError("no v6")

        @pytest.fixture
        def gate():
            gc.collect()

        def test_must_not_run(a_door, gate):
            raise AssertionError
        """
    )
    suite.makeini("[pytest]\naddopts = -p no:cacheprovider\nfilterwarnings = error\n")
    done, data = check(suite, "a_door", "gate")
    assert verdicts(data) == {
        "test_c.py::a_door": ("not judged: its set-up raised OSError: no v6", ""),
        "test_c.py::gate": ("clean", "checked: leaves nothing, works twice"),
    }
    assert done.ret == 0
