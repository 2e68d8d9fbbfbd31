"""The watch in real runs: every kind of owner is named with its scope and line, whatever way tests are run."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

LEAK = "os.environ['LEFT_{0}'] = '1'"


class Left(NamedTuple):
    """A finding, as far as ownership goes."""

    code: str
    subject: str
    kind: str
    owner: str
    scope: str | None
    line: int


def audit(pytester: pytest.Pytester, *args: str, plugins: tuple[str, ...] = ()) -> dict:
    """The JSON report of a run in a process of its own."""
    result = pytester.run(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:audit.json", *args,
    )  # fmt: skip
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    data: dict = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    assert not any("failed" in state for state in data["evidence"]["watchers"].values()), data["evidence"]["watchers"]
    assert not [item for item in data["evidence"]["not_audited"] if "the audit failed" in item["reason"]]
    return data


def left(data: dict) -> list[Left]:
    """Who left what, of findings that the run confirmed."""
    return sorted(
        Left(f["code"], f["subject"], f["owner"]["kind"], f["owner"]["id"], f["owner"]["scope"], f["line"])
        for f in data["findings"]
        if f["evidence"] == "confirmed" and f["code"] not in ("PSA701", "PSA902")
    )


def environ(name: str, kind: str, owner: str, scope: str | None, line: int) -> Left:
    return Left("PSA101", f"os.environ['LEFT_{name}']", kind, owner, scope, line)


def module(pytester: pytest.Pytester, source: str, name: str = "test_it") -> None:
    pytester.makepyfile(**{name: textwrap.dedent(source)})


def test_every_scope_of_fixture_is_named_once(pytester: pytest.Pytester) -> None:
    scopes = ["function", "class", "module", "package", "session"]
    fixtures = "".join(
        f"@pytest.fixture(scope='{scope}')\ndef of_{scope}():\n    {LEAK.format(scope.upper())}\n    yield 1\n\n"
        for scope in scopes
    )
    pytester.makeconftest(f"import os\nimport pytest\n\n{fixtures}")
    arguments = ", ".join(f"of_{scope}" for scope in scopes)
    module(
        pytester, f"class TestIt:\n    def test_a(self, {arguments}): pass\n    def test_b(self, {arguments}): pass\n"
    )
    expected = [
        environ(scope.upper(), "fixture", f"conftest.py::of_{scope}", scope, 6 + 5 * number)
        for number, scope in enumerate(scopes)
    ]
    assert left(audit(pytester)) == sorted(expected)


def test_a_wider_fixture_that_ends_with_its_test_is_claimed_with_it(pytester: pytest.Pytester) -> None:
    """Where there is no class, a fixture of that scope is taken down with each test."""
    module(
        pytester,
        "import os\nimport pytest\n\n\n@pytest.fixture(scope='class')\ndef zone():\n    os.environ['X'] = '1'\n\n\ndef test_a(zone): pass\ndef test_b(): pass\n",
    )
    (found,) = left(audit(pytester))
    assert (found.code, found.owner, found.scope) == ("PSA101", "test_it.py::zone", "class")


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_folders_that_pytest_adds_are_not_of_the_module_that_writes_sys_path(
    pytester: pytest.Pytester, mode: str
) -> None:
    writes = "import sys\n\nsys.path.insert(0, '/left/{}')\n"
    files = {
        "tests/conftest": writes.format("conftest"),
        "tests/test_it": f"{writes.format('module')}\n\ndef test(): pass\n",
    }
    pytester.mkdir("tests")
    for name, text in files.items():
        pytester.path.joinpath(f"{name}.py").write_text(text)
    found = left(audit(pytester, f"--import-mode={mode}"))
    assert sorted(one.owner for one in found) == ["tests/conftest.py", "tests/test_it.py"]


def test_correct_fixtures_of_every_scope_are_silent(pytester: pytest.Pytester) -> None:
    scopes = ["function", "class", "module", "package", "session"]
    fixtures = "".join(
        f"@pytest.fixture(scope='{scope}')\ndef of_{scope}():\n    os.environ['X_{scope}'] = '1'\n    yield\n"
        f"    del os.environ['X_{scope}']\n\n"
        for scope in scopes
    )
    pytester.makeconftest(f"import os\nimport pytest\n\n{fixtures}")
    arguments = ", ".join(f"of_{scope}" for scope in scopes)
    module(pytester, f"def test_a({arguments}): pass\nclass TestIt:\n    def test_b(self, {arguments}): pass\n")
    assert left(audit(pytester)) == []


def test_parametrised_module_fixture_is_claimed_at_its_own_end(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture(scope="module", params=["a", "b"])
        def clean(request):
            os.environ["CLEAN"] = request.param
            yield
            del os.environ["CLEAN"]

        @pytest.fixture(scope="module", params=["a", "b"])
        def dirty(request):
            os.environ["LEFT_" + request.param] = "1"
            yield

        def test_clean(clean): pass
        def test_dirty(dirty): pass
        """,
    )
    owner = "test_it.py::dirty"
    assert left(audit(pytester)) == [
        environ("a", "fixture", owner, "module", 12),
        environ("b", "fixture", owner, "module", 12),
    ]


def test_fixture_asked_for_in_the_test_and_late_finalisers(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture
        def dirty():
            os.environ["LEFT_D"] = "1"

        @pytest.fixture
        def factory(request):
            def make(name):
                os.environ[name] = "1"
                request.addfinalizer(lambda: os.environ.pop(name))
            return make

        def test_dirty(request):
            request.getfixturevalue("dirty")
            os.environ["LEFT_T"] = "1"

        def test_factory(factory):
            factory("A")
            factory("B")
        """,
    )
    assert left(audit(pytester)) == [
        environ("D", "fixture", "test_it.py::dirty", "function", 6),
        environ("T", "test", "test_it.py::test_dirty", "function", 17),
    ]


def test_autouse_fixture_that_resets_after_the_test_pays_for_it(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture(autouse=True)
        def isolated():
            before = dict(os.environ)
            yield
            os.environ.clear()
            os.environ.update(before)

        def test_a():
            os.environ["LEFT"] = "1"
        """,
    )
    data = audit(pytester)
    assert left(data) == []
    assert not data["findings"]


def test_xunit_setups_are_owners_of_their_own(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os

        def setup_module():
            os.environ["LEFT_M"] = "1"

        def setup_function():
            os.environ["LEFT_F"] = "1"

        def test_a(): pass

        class TestIt:
            @classmethod
            def setup_class(cls):
                os.environ["LEFT_C"] = "1"

            def setup_method(self):
                os.environ["LEFT_S"] = "1"

            def test_b(self): pass
            def test_c(self): pass

        class TestClean:
            def setup_method(self):
                os.environ["CLEAN"] = "1"

            def teardown_method(self):
                del os.environ["CLEAN"]

            def test_d(self): pass
        """,
    )
    assert left(audit(pytester)) == [
        environ("C", "setup", "test_it.py::TestIt::setup_class", "class", 14),
        environ("F", "setup", "test_it.py::setup_function", "function", 7),
        environ("M", "setup", "test_it.py::setup_module", "module", 4),
        environ("S", "setup", "test_it.py::TestIt::setup_method", "function", 17),
    ]


def test_unittest_set_ups_bodies_and_cleanups(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import unittest

        def setUpModule():
            os.environ["LEFT_M"] = "1"

        class Dirty(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                os.environ["LEFT_C"] = "1"

            def setUp(self):
                os.environ["LEFT_S"] = "1"

            def test_a(self):
                os.environ["LEFT_T"] = "1"

            def test_b(self):
                with self.subTest("x"):
                    pass

        class Clean(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                os.environ["A"] = "1"

            @classmethod
            def tearDownClass(cls):
                del os.environ["A"]

            def setUp(self):
                os.environ["B"] = "1"
                self.addCleanup(os.environ.pop, "B")

            def tearDown(self):
                os.environ.pop("C", None)

            def test_a(self):
                os.environ["C"] = "1"

        class Async(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                os.environ["D"] = "1"

            async def asyncTearDown(self):
                del os.environ["D"]

            async def test_a(self):
                os.environ["LEFT_A"] = "1"
        """,
    )
    assert left(audit(pytester)) == [
        environ("A", "test", "test_it.py::Async::test_a", "function", 49),
        environ("C", "setup", "test_it.py::Dirty::setUpClass", "class", 10),
        environ("M", "setup", "test_it.py::setUpModule", "module", 5),
        environ("S", "setup", "test_it.py::Dirty::setUp", "function", 13),
        environ("T", "test", "test_it.py::Dirty::test_a", "function", 16),
    ]


def test_a_set_up_inherited_from_an_installed_package_is_placed_at_the_class(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    package = tmp_path / "site-packages" / "framework.py"
    package.parent.mkdir()
    package.write_text(
        textwrap.dedent(
            """
            import os
            import unittest

            class Base(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    os.environ["LEFT_C"] = "1"

                def setUp(self):
                    os.environ["LEFT_S"] = "1"
            """
        )
    )
    pytester.makeini(f"[pytest]\npythonpath = {package.parent}\n")
    module(
        pytester,
        """
        import framework

        class Mixin:
            def test_it(self): pass

        @(lambda cls: cls)
        class TestInherited(Mixin, framework.Base):
            pass
        """,
    )
    assert left(audit(pytester)) == [
        environ("C", "setup", "test_it.py::TestInherited::setUpClass", "class", 7),
        environ("S", "setup", "test_it.py::TestInherited::setUp", "function", 7),
    ]


def test_state_that_every_set_up_makes_anew_is_silent(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import unittest
        import pytest

        class Reset(unittest.TestCase):
            def setUp(self):
                os.environ.pop("MADE", None)

            def test_a(self): os.environ["MADE"] = "1"
            def test_b(self): os.environ["MADE"] = "1"
            def test_c(self): os.environ["MADE"] = "1"

        class TestReset:
            @pytest.fixture(autouse=True)
            def anew(self):
                os.environ.pop("OTHER", None)

            def test_a(self): os.environ["OTHER"] = "1"
            def test_b(self): os.environ["OTHER"] = "1"
        """,
    )
    assert left(audit(pytester)) == []


def test_what_a_wider_scope_puts_back_and_what_a_failed_test_leaves_is_one_level_lower(
    pytester: pytest.Pytester,
) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        def cleaner():
            yield
            os.environ.pop("LEFT_W", None)

        def test_wider():
            os.environ["LEFT_W"] = "1"

        def test_failed():
            os.environ["LEFT_F"] = "1"
            assert 0

        def test_full():
            os.environ["LEFT_X"] = "1"
        """,
    )
    data = audit(pytester, "--secaudit-fail-on=defect")
    levels = {f["subject"]: f["severity"] for f in data["findings"]}
    assert levels == {
        "os.environ['LEFT_F']": "advisory",
        "os.environ['LEFT_W']": "advisory",
        "os.environ['LEFT_X']": "defect",
    }


def test_left_by_a_failed_test_never_decides_the_gate(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        "import os\nimport pytest\n\n@pytest.mark.xfail\ndef test_a():\n    os.environ['A'] = '1'\n    assert 0\n",
    )
    data = audit(pytester, "--secaudit-fail-on=info")
    assert data["gate"]["failed"] is True  # an expected failure is no failure
    module(pytester, "import os\n\ndef test_a():\n    os.environ['A'] = '1'\n    assert 0\n")
    data = audit(pytester, "--secaudit-fail-on=info")
    assert data["gate"]["failed"] is False


def test_victims_are_named_with_the_command_that_shows_it(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os

        def test_polluter():
            os.environ["LEFT_V"] = "1"

        def test_other(): pass

        def test_victim():
            assert "LEFT_V" not in os.environ
        """,
    )
    (finding,) = audit(pytester)["findings"]
    assert finding["victims"] == ["test_it.py::test_victim"]
    assert finding["seen_by"] == ["test_it.py::test_victim", "test_it.py::test_other"]
    assert finding["try"] == "pytest test_it.py::test_polluter test_it.py::test_victim"


def test_one_who_repairs_is_not_blamed(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os

        def test_a(): os.environ["LEFT_A"] = "1"
        def test_b(): os.environ.pop("LEFT_A", None)
        def test_c(): pass
        """,
    )
    assert left(audit(pytester)) == [environ("A", "test", "test_it.py::test_a", "function", 3)]


def test_what_a_wider_fixture_repaired_is_for_good_once_it_is_over(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture(scope="module")
        def around():
            yield
            os.environ.pop("LEFT_B", None)

        @pytest.fixture(scope="module")
        def sets(around):
            os.environ["LEFT_B"] = "1"

        def test_a(sets): pass
        """,
        "test_1",
    )
    module(pytester, "import os\ndef test_b(): os.environ['LEFT_B'] = '1'\ndef test_c(): pass\n", "test_2")
    assert environ("B", "test", "test_2.py::test_b", "function", 2) in left(audit(pytester))


def test_import_time_changes(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import os\nos.environ['LEFT_C'] = '1'\n")
    pytester.makepyfile(product="import os\nos.environ['PRODUCT'] = '1'\n")
    module(pytester, "import os\nimport product\nos.environ['LEFT_M'] = '1'\ndef test_a(): pass\n")
    data = audit(pytester)
    found = {(f["code"], f["subject"], f["owner"]["id"], f["severity"], f["line"]) for f in data["findings"]}
    assert found == {
        ("PSA113", "os.environ['LEFT_C']", "conftest.py", "info", 2),
        ("PSA113", "os.environ['LEFT_M']", "test_it.py", "advisory", 3),
    }


def test_doctests_and_tests_that_never_run(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        '''
        import os
        import pytest

        def shown():
            """
            >>> os.environ["LEFT_D"] = "1"
            """

        @pytest.fixture
        def broken():
            os.environ["LEFT_B"] = "1"
            raise RuntimeError

        def test_a(broken): pass

        @pytest.mark.skip
        def test_b(): os.environ["LEFT_S"] = "1"
        ''',
    )
    found = left(audit(pytester, "--doctest-modules"))
    assert [(one.subject, one.kind, one.owner) for one in found] == [
        ("os.environ['LEFT_B']", "fixture", "test_it.py::broken"),
        ("os.environ['LEFT_D']", "test", "test_it.py::test_it.shown"),
    ]


WAYS = [
    ["-x"],
    ["--maxfail=1"],
    ["--setup-show"],
    ["-p", "no:terminal"],
    ["-p", "no:logging"],
    ["-p", "no:capture"],
    ["-s"],
    ["--tb=native"],
    ["-p", "no:warnings"],
    ["-p", "no:unraisableexception", "-p", "no:threadexception"],
]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_however_it_is_run(pytester: pytest.Pytester, way: list[str]) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture(scope="module")
        def dirty():
            os.environ["LEFT_D"] = "1"
            yield

        def test_a(dirty): os.environ["LEFT_T"] = "1"
        def test_b(dirty, monkeypatch): monkeypatch.setenv("X", "1")
        def test_c(): assert 0
        """,
    )
    assert left(audit(pytester, *way)) == [
        environ("D", "fixture", "test_it.py::dirty", "module", 6),
        environ("T", "test", "test_it.py::test_a", "function", 9),
    ]


def test_interrupted_run_claims_nothing_of_those_still_in_scope(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import os
        import pytest

        @pytest.fixture(scope="module")
        def running():
            os.environ["RUNNING"] = "1"
            yield

        def test_a(running): os.environ["LEFT_A"] = "1"
        def test_b(running): raise KeyboardInterrupt
        def test_c(running): pass
        """,
    )
    assert left(audit(pytester)) == [environ("A", "test", "test_it.py::test_a", "function", 9)]
    module(pytester, "import os, pytest\n\ndef test_a():\n    os.environ['A'] = '1'\n    pytest.exit('enough')\n")
    assert left(audit(pytester)) == []


def test_inner_runs_are_not_ours(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("pytest_plugins = ['pytester']\n")
    module(
        pytester,
        """
        import os

        INNER = "import os, time\\ndef test_inner():\\n    os.environ['INNER'] = '1'\\n    time.sleep(0.02)\\n"

        def test_outer(pytester, monkeypatch):
            monkeypatch.delenv("INNER", raising=False)
            pytester.makepyfile(INNER)
            result = pytester.runpytest_inprocess("--secaudit", "-p", "no:cacheprovider")
            result.stdout.fnmatch_lines(["*PSA101 environ-not-restored*", "*test_inner left*"])

        def test_after():
            os.environ["LEFT_O"] = "1"
        """,
    )
    data = audit(pytester)
    assert environ("O", "test", "test_it.py::test_after", "function", 12) in left(data)
    assert data["evidence"]["tests_run"] == 2
    assert not [f for f in data["findings"] if "inner" in f["owner"]["id"]]


def test_a_test_that_fakes_what_we_look_with(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import builtins
        import os
        import threading
        import time
        from unittest import mock

        def test_a():
            with mock.patch("os.getcwd", side_effect=OSError), mock.patch("time.perf_counter", return_value=0), \\
                    mock.patch("builtins.open", side_effect=OSError), mock.patch("os.listdir", return_value=[]), \\
                    mock.patch("threading.enumerate", return_value=[]), mock.patch("time.sleep"), \\
                    mock.patch("os.stat", side_effect=OSError), mock.patch("os.getpid", return_value=-1):
                os.environ["LEFT_A"] = "1"
                time.sleep(5)

        def test_b(monkeypatch):
            for name in ("getcwd", "stat", "listdir", "readlink"):
                monkeypatch.setattr(os, name, None)
            monkeypatch.setattr(threading, "Thread", None)
            os.environ["LEFT_B"] = "1"
        """,
    )
    data = audit(pytester)
    assert left(data) == [
        environ("A", "test", "test_it.py::test_a", "function", 12),
        environ("B", "test", "test_it.py::test_b", "function", 19),
    ]
    assert data["sleep"]["total_s"] == 0


def test_off_means_off(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import os, time

        def pytest_sessionfinish(session):
            names = sorted(name for name, _ in session.config.pluginmanager.list_name_plugin() if "secaudit" in str(name))
            print("REGISTERED", *names, type(time.sleep).__name__, os.putenv)
        """
    )
    module(pytester, "def test_a(): pass\n")
    result = pytester.runpytest_subprocess("-s")
    result.stdout.fnmatch_lines(["*REGISTERED secaudit builtin_function_or_method <built-in function putenv>*"])


def test_process_is_left_as_it_was(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import atexit, os, signal, socket, subprocess, threading, time
        from unittest import mock

        def places():
            return {
                "sleep": time.sleep, "putenv": os.putenv, "chdir": os.chdir, "start": threading.Thread.start,
                "popen": subprocess.Popen.__init__, "look-up": socket.getaddrinfo, "enter": mock._patch.__enter__,
                "init": mock._patch_dict.__enter__, "connect": vars(socket.socket).get("connect"),
            }

        def is_ours(found):
            return "pytest_secaudit" in type(found).__module__ or hasattr(found, "secaudit_listeners")

        def pytest_runtest_teardown():
            print("WHILE", *[name for name, found in places().items() if is_ours(found)])

        def pytest_configure():
            atexit.register(lambda: print("AFTER", *[name for name, found in places().items() if is_ours(found)], "."))
        """
    )
    module(
        pytester,
        "import time\nfrom unittest import mock\ndef test_a():\n    with mock.patch('os.getcwd'): pass\n    time.sleep(0.001)\n",
    )
    result = pytester.runpytest_subprocess("-s", "--secaudit")
    result.stdout.fnmatch_lines(["*WHILE sleep putenv*", "AFTER ."])


def test_a_task_that_is_cancelled_while_it_sleeps_was_not_waited_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop="import asyncio\nasync def ping():\n    while True:\n        await asyncio.sleep(5)\n")
    module(
        pytester,
        """
        import asyncio
        import shop

        def test_it():
            async def main():
                beat = asyncio.create_task(shop.ping())
                done = asyncio.Event()
                asyncio.get_running_loop().call_later(0.2, done.set)
                await done.wait()
                beat.cancel()
            asyncio.run(main())
        """,
    )
    data = audit(pytester)
    assert data["findings"] == []
    assert data["sleep"]["total_s"] == 0
    assert data["sleep"]["sites"] == []


def test_a_comment_explains_a_sleep_that_only_the_run_can_see(pytester: pytest.Pytester) -> None:
    module(
        pytester,
        """
        import time

        def call(function):
            function()

        def test_it():
            def later():
                time.sleep(0.02)
            def late():
                # a small delay, so that the other comes first
                time.sleep(0.02)
            call(late)
            call(later)
        """,
    )
    sleeps = [finding for finding in audit(pytester)["findings"] if finding["code"] == "PSA701"]
    said = "10: a small delay, so that the other comes first"
    assert sorted((f["line"], f["severity"], f["acknowledged"]) for f in sleeps) == [
        (8, "advisory", None),
        (11, "info", said),
    ]


def test_what_happened_counts_as_examined(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest, time\n@pytest.fixture\ndef pause():\n    return time.sleep\n")
    pytester.makepyfile("def test_a(pause):\n    for n in range(3):\n        pause(0.001)\n    assert n\n")
    of_run = {one["digit"]: one["examined"] for one in audit(pytester)["conclusion"]["dimensions"]}
    of_reading = audit(pytester, "--secaudit-depth=static")["conclusion"]["dimensions"]
    assert {digit: of_run[digit] - one["examined"] for one in of_reading if (digit := one["digit"]) in (6, 7, 9)} == {
        6: 1,
        7: 3,
        9: 0,
    }
