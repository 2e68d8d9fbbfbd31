"""Beside other plugins: their tests run as without us, and what they set up by right is silent.

They are tried in an environment of their own, for they change every run that they are installed beside:
``python -m pip install -e '.[test,beside]'``, then ``python -m pytest -p no:randomly -p no:django ... `` as in `.ci/run`.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

LEAK = "import os\n\ndef test_a(): os.environ['LEFT'] = '1'\ndef test_b(): pass\n"


def audit(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *args: str) -> tuple[dict, pytest.RunResult]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what else is installed must not matter
    result = pytester.run(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_secaudit.plugin", "--secaudit",
        "--secaudit-report=json:audit.json", *args,
    )  # fmt: skip
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    data: dict = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    assert not any("failed" in state for state in data["evidence"]["watchers"].values()), data["evidence"]["watchers"]
    assert not [item for item in data["evidence"]["not_audited"] if "the audit failed" in item["reason"]]
    return data, result


def left(data: dict) -> list[tuple[str, str]]:
    return sorted(
        (f["subject"], f["owner"]["id"]) for f in data["findings"] if f["evidence"] == "confirmed" and f["subject"]
    )


def module(pytester: pytest.Pytester, source: str) -> None:
    pytester.makepyfile(test_it=textwrap.dedent(source))


def test_asyncio(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_asyncio")
    module(
        pytester,
        """
        import asyncio
        import contextvars
        import os
        import pytest
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def clean():
            os.environ["CLEAN"] = "1"
            yield 1
            del os.environ["CLEAN"]

        @pytest_asyncio.fixture(loop_scope="module", scope="module")
        async def dirty():
            os.environ["LEFT_F"] = "1"
            yield 1

        async def test_a(clean):
            await asyncio.sleep(0.01)
            await asyncio.to_thread(print, "x")
            await asyncio.gather(*(asyncio.sleep(0.02) for _ in range(50)))

        @pytest.mark.asyncio(loop_scope="module")
        async def test_b(dirty):
            os.environ["LEFT_T"] = "1"
        """,
    )
    data, result = audit(pytester, monkeypatch, "-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto")
    result.assert_outcomes(passed=2)
    assert left(data) == [("os.environ['LEFT_F']", "test_it.py::dirty"), ("os.environ['LEFT_T']", "test_it.py::test_b")]
    assert 0.03 <= data["sleep"]["total_s"] < 0.5  # fifty at once are as long as one


def test_anyio(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anyio")
    pytest.importorskip("trio")
    module(
        pytester,
        """
        import os
        import anyio
        import pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        async def clean():
            os.environ["CLEAN"] = "1"
            yield 1
            del os.environ["CLEAN"]

        async def test_a(clean):
            await anyio.sleep(0.01)
            await anyio.to_thread.run_sync(print, "x")

        async def test_b():
            os.environ["LEFT"] = "1"
        """,
    )
    data, result = audit(pytester, monkeypatch, "-p", "anyio.pytest_plugin")
    result.assert_outcomes(passed=4)
    assert left(data) == [("os.environ['LEFT']", "test_it.py::test_b[asyncio]")]


def test_mocker_of_every_scope(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_mock")
    pytester.makepyfile(shop="def charge(): pass\ndef refund(): pass\n")
    module(
        pytester,
        """
        import pytest
        from unittest import mock

        @pytest.fixture(scope="session")
        def refunds(session_mocker):
            return session_mocker.patch("shop.refund")

        @pytest.fixture(scope="module")
        def zone(module_mocker):
            module_mocker.patch.dict("os.environ", {"TZ": "UTC"})

        def test_a(mocker, class_mocker, refunds, zone):
            mocker.patch("shop.charge")
            mocker.patch.dict("os.environ", {"X": "1"})

        def test_b():
            mock.patch("shop.charge").start()
        """,
    )
    data, result = audit(pytester, monkeypatch, "-p", "pytest_mock")
    result.assert_outcomes(passed=2)
    assert left(data) == [("shop.charge", "test_it.py::test_b")]


def test_django(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_django")
    pytester.makepyfile(
        site_settings="SECRET_KEY = 'x'\nUSE_TZ = True\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', "
        "'NAME': ':memory:'}}\nINSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth']\n"
    )
    module(
        pytester,
        """
        import pytest
        from django.contrib.auth.models import User
        from django.test import TestCase, override_settings

        @pytest.mark.django_db
        def test_a(settings, client):
            settings.DEBUG = True
            User.objects.create(username="a")

        class TestUsers(TestCase):
            @classmethod
            def setUpTestData(cls):
                cls.user = User.objects.create(username="b")

            @override_settings(LANGUAGE_CODE="de")
            def test_b(self):
                assert User.objects.count() == 1
        """,
    )
    data, result = audit(pytester, monkeypatch, "-p", "pytest_django.plugin", "--ds=site_settings", "-p", "no:warnings")
    result.assert_outcomes(passed=2)
    assert left(data) == []


def test_randomly(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_randomly")
    module(pytester, LEAK + "\ndef test_c():\n    import random\n    random.seed(1)\n")
    data, _ = audit(pytester, monkeypatch, "-p", "pytest_randomly")
    assert left(data) == [("os.environ['LEFT']", "test_it.py::test_a")]


def test_rerunfailures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_rerunfailures")
    module(
        pytester,
        """
        import os
        import pytest

        TRIES = []

        @pytest.fixture
        def dirty():
            os.environ["LEFT_F"] = str(len(TRIES))
            yield

        def test_a(dirty):
            os.environ["LEFT_T"] = "1"
            TRIES.append(1)
            assert len(TRIES) == 3
        """,
    )
    data, result = audit(pytester, monkeypatch, "-p", "pytest_rerunfailures", "--reruns=3")
    result.stdout.fnmatch_lines(["*1 passed*2 rerun*"])
    assert left(data) == [
        ("os.environ['LEFT_F']", "test_it.py::dirty"),
        ("os.environ['LEFT_T']", "test_it.py::test_a"),
        ("test_it.TRIES", "test_it.py::test_a"),
    ]


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_timeout(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    pytest.importorskip("pytest_timeout")
    if method == "signal" and not hasattr(__import__("signal"), "SIGALRM"):
        pytest.skip("no SIGALRM here")
    module(pytester, LEAK)
    data, result = audit(pytester, monkeypatch, "-p", "pytest_timeout", "--timeout=30", f"--timeout-method={method}")
    result.assert_outcomes(passed=2)
    assert left(data) == [("os.environ['LEFT']", "test_it.py::test_a")]


def test_time_limit_that_strikes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_timeout")
    if not hasattr(__import__("signal"), "SIGALRM"):
        pytest.skip("no SIGALRM here")
    module(pytester, LEAK + "\ndef test_c():\n    import time\n    time.sleep(20)\n\ndef test_d(): pass\n")
    data, result = audit(pytester, monkeypatch, "-p", "pytest_timeout", "--timeout=1", "--timeout-method=signal")
    result.assert_outcomes(passed=3, failed=1)
    assert 0.5 < data["sleep"]["total_s"] < 5
    assert left(data) == [("os.environ['LEFT']", "test_it.py::test_a")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_tests_leave_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_forked")
    module(pytester, LEAK)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if pytester.run(sys.executable, "-m", "pytest", "-p", "pytest_forked", "--forked").ret:
        pytest.skip("pytest-forked does not work with this pytest")
    data, result = audit(pytester, monkeypatch, "-p", "pytest_forked", "--forked")
    result.assert_outcomes(passed=2)
    assert left(data) == []


def test_cov(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_cov")
    module(pytester, LEAK)
    data, result = audit(pytester, monkeypatch, "-p", "pytest_cov", "--cov=.", "--cov-report=term")
    result.stdout.fnmatch_lines(["*test_it.py*100%*"])
    assert left(data) == [("os.environ['LEFT']", "test_it.py::test_a")]


@pytest.mark.parametrize("count", ["0", "2", "4"])
@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "worksteal"])
def test_xdist(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, count: str, dist: str) -> None:
    pytest.importorskip("xdist")
    for name in "abc":
        pytester.makepyfile(
            **{
                f"test_{name}": f"import os\nimport pytest\nimport signal\n\n@pytest.fixture(scope='module')\ndef dirty():\n"
                f"    os.environ['LEFT_M{name}'] = '1'\n\ndef test_1(dirty): pass\n"
                f"def test_2(dirty): os.environ['LEFT_T{name}'] = '1'\ndef test_3(): os.umask(0o07{ord(name) - 97})\n"
            }
        )
    data, result = audit(pytester, monkeypatch, "-p", "xdist", f"-n{count}", f"--dist={dist}")
    result.assert_outcomes(passed=9)
    names = {f"os.environ['LEFT_{kind}{name}']" for kind in "MT" for name in "abc"} | {"the umask"}
    assert {subject for subject, _ in left(data)} == names
    assert data["run"]["workers"] == int(count)


def test_killed_worker_loses_only_its_running_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xdist")
    module(
        pytester,
        """
        import os

        def test_a(): os.environ["LEFT"] = "1"
        def test_b():
            os.environ["LOST"] = "1"
            os._exit(3)
        def test_c(): os.environ["AFTER"] = "1"
        """,
    )
    data, _ = audit(pytester, monkeypatch, "-p", "xdist", "-n1")
    assert ("os.environ['LEFT']", "test_it.py::test_a") in left(data)
    assert not [subject for subject, _ in left(data) if "LOST" in subject]
    assert data["run"]["workers_lost"] == ["gw0"]


@pytest.mark.parametrize("tool", ["freezegun", "time_machine"])
def test_frozen_clock(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    pytest.importorskip(tool)
    freeze = "freezegun.freeze_time('2020-01-01')" if tool == "freezegun" else "time_machine.travel(0, tick=False)"
    module(
        pytester,
        f"""
        import os
        import time
        import pytest
        import {tool}

        @pytest.fixture(scope="module", autouse=True)
        def frozen():
            with {freeze}:
                yield

        def test_a():
            os.environ["LEFT"] = "1"
            time.sleep(0.02)
        """,
    )
    data, result = audit(pytester, monkeypatch)
    result.assert_outcomes(passed=1)
    assert left(data) == [("os.environ['LEFT']", "test_it.py::test_a")]
    assert 0.015 < data["sleep"]["total_s"] < 0.5


def test_pyfakefs_in_a_wider_scope(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyfakefs")
    module(
        pytester,
        """
        import os
        import signal

        def test_a(fs_module):
            fs_module.create_file("/x")
            os.environ["LEFT"] = "1"

        def test_b(fs_module):
            os.chdir("/")
            signal.signal(signal.SIGTERM, print)
        """,
    )
    data, result = audit(pytester, monkeypatch, "-p", "pyfakefs.pytest_plugin")
    result.assert_outcomes(passed=2)
    assert ("os.environ['LEFT']", "test_it.py::test_a") in left(data)


def test_testtools_and_fixtures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("testtools")
    pytest.importorskip("fixtures")
    module(
        pytester,
        """
        import os
        import fixtures
        import testtools

        class TestIt(testtools.TestCase):
            def setUp(self):
                super().setUp()
                self.useFixture(fixtures.EnvironmentVariable("CLEAN", "1"))
                self.useFixture(fixtures.MonkeyPatch("os.getlogin", lambda: "x"))
                os.environ["LEFT_S"] = "1"

            def test_a(self):
                os.environ["LEFT_T"] = "1"
        """,
    )
    data, result = audit(pytester, monkeypatch)
    result.assert_outcomes(passed=1)
    assert left(data) == [
        ("os.environ['LEFT_S']", "test_it.py::TestIt::setUp"),
        ("os.environ['LEFT_T']", "test_it.py::TestIt::test_a"),
    ]


ASYNC_FIXTURES = """
    import os
    import pytest
    {imports}

    {marker}
    async def number(request{more}):
        os.environ["LEFT"] = "1"
        yield request.param

    {test}
    async def test_it(number):
        assert number
"""
ON_IT = """
    @pytest.fixture
    def double(number):
        return 2 * number
"""
RUNNERS = {
    "anyio": {
        "imports": "anyio_backend = pytest.fixture(lambda: 'asyncio')", "more": ", anyio_backend",
        "marker": "@pytest.fixture(params=[1, 2])", "test": "@pytest.mark.anyio",
    },
    "pytest_asyncio": {
        "imports": "import pytest_asyncio", "more": "",
        "marker": "@pytest_asyncio.fixture(params=[1, 2])", "test": "@pytest.mark.asyncio",
    },
}  # fmt: skip


@pytest.mark.parametrize("runner", RUNNERS)
def test_asynchronous_fixtures_in_the_table(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, runner: str
) -> None:
    pytest.importorskip(runner)
    module(pytester, ASYNC_FIXTURES.format(**RUNNERS[runner]))
    data, _ = audit(pytester, monkeypatch, "-p", runner.removeprefix("pytest_"), "--secaudit-fixtures")
    (row,) = [one for one in data["fixtures"] if one["name"] == "number"]
    assert (row["path"], row["line"], row["setups"], row["users"]) == ("test_it.py", 6, 2, 2)
    assert (row["left"], row["verdict"]) == (["os.environ['LEFT']"], "leaks")


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("anyio", ["-p", "anyio"]),
        ("anyio", ["-p", "anyio", "-p", "asyncio"]),
        ("pytest_asyncio", ["-p", "asyncio"]),
        ("pytest_asyncio", ["-p", "asyncio", "-p", "anyio"]),
        ("anyio", ["-p", "asyncio", "-o", "asyncio_mode=auto"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_asynchronous_fixtures_are_checked_through_their_runner(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, runner: str, options: list[str]
) -> None:
    pytest.importorskip("anyio")
    pytest.importorskip("pytest_asyncio")
    module(pytester, ASYNC_FIXTURES.format(**RUNNERS[runner]))
    data, _ = audit(pytester, monkeypatch, *options, "--secaudit-check-fixture=number")
    (row,) = data["fixtures"]
    assert (row["setups"], row["left"], row["verdict"]) == (4, ["os.environ['LEFT']"], "leaks")
    assert row["hint"] == "checked: works twice"


def test_what_stands_on_an_asynchronous_fixture_is_checked_through_anyio(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("anyio")
    names = {**RUNNERS["anyio"], "more": ""}  # it is the test that asks for the backend
    module(pytester, f"{ASYNC_FIXTURES}\n{ON_IT}".format(**names))
    data, _ = audit(pytester, monkeypatch, "-p", "anyio", "--secaudit-check-fixture=double")
    (row,) = data["fixtures"]
    assert (row["setups"], row["verdict"], row["hint"]) == (4, "clean", "checked: leaves nothing, works twice")
