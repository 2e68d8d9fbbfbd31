"""A test, set-up or fixture changes an environment variable and does not put it back on every path.

The environment belongs to the whole process. A variable that stays set changes what later tests see: they pass or
fail depending on what ran before them, and a password or a switch such as "insecure transport allowed" reaches code
that was never meant to have it. A restore in a straight line works only as long as the test passes: the first failing
assertion skips it.

Instead: use `monkeypatch.setenv`, `mock.patch.dict(os.environ, ...)` or a registered clean-up.

A change that some fixture, base class or clean-up undoes is not reported, wherever that stands. Removing a variable is
not reported by itself; the run watches the name instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit, Suspicion
from pytest_secaudit.source import TestModule, source_of
from pytest_secaudit.source.changes import Change
from pytest_secaudit.source.left import gets_no_fixtures, left

BAD = (
    """
import os
from os import environ as env

def test_debug(app):
    os.environ["APP_DEBUG"] = "1"  # PSA101 advisory
    assert app.run() == 0

def test_alias(app):
    env["A"] = "1"  # PSA101 advisory
    env.update(B="2")  # PSA101 advisory
    os.environ.setdefault("C", "3")  # PSA101 advisory
    os.putenv("D", "4")  # PSA101 advisory
    assert app.run() == 0

def test_two_values_are_no_restore(app):
    os.environ["MODE"] = "fast"  # PSA101 advisory
    assert app.run() == 0
    os.environ["MODE"] = "slow"
    assert app.run() == 1
""",
    """
import os

def test_straight(client):
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # PSA101 advisory
    assert client.get() == 200
    del os.environ["OAUTHLIB_INSECURE_TRANSPORT"]

def test_straight_saved(client):
    old = os.environ["HOME"]
    os.environ["HOME"] = "/nowhere"  # PSA101 advisory
    assert client.get() == 200
    os.environ["HOME"] = old

def test_straight_after_removal(client):
    old = os.environ.get("PATH")
    joined = "/bin:" + os.environ["PATH"]
    os.environ["PATH"] = joined  # PSA101 advisory
    assert client.get() == 200
    os.environ["PATH"] = old
""",
    """
import os
import unittest
import pytest

class TestCli(unittest.TestCase):
    def setUp(self):
        os.environ["OS_PASSWORD"] = "secret"  # PSA101 advisory

    def test_it(self):
        pass

@pytest.fixture
def credentials():
    os.environ["TOKEN"] = "t"  # PSA101 advisory
    return 1

def test_helper(credentials):
    def enable():
        os.environ["FLAG"] = "1"  # PSA101 advisory
    enable()
""",
    """
import os
from unittest import mock

def test_the_patch_ended_before(app):
    with mock.patch.dict(os.environ, {"A": "1"}):
        assert app.run()
    os.environ["A"] = "2"  # PSA101 advisory
    assert app.run()
""",
    """
# a fixture that takes two other variables away for the time of each test
import os
import pytest

@pytest.fixture(autouse=True)
def no_proxies(monkeypatch, given):
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(given, "1")

def test_token(client):
    os.environ["API_TOKEN"] = "t"  # PSA101 advisory
    assert client.get()

def test_proxy(client):
    os.environ["HTTP_PROXY"] = "http://proxy"
    assert client.get()

def test_both(client):
    for name in ("ALL_PROXY", "NO_PROXY"):
        os.environ[name] = "x"  # PSA101 advisory
    assert client.get()
""",
)
GOOD = (
    """
# the names are those of a written list
import os
import pytest

NAMES = ["A", "B"]

@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"C": "1", "D": "2"}.items():
        monkeypatch.setenv(name, value)
    for name, value in (("E", "1"), ("F", "2")):
        monkeypatch.setenv(name, value)

def test_it(app):
    os.environ["A"] = os.environ["D"] = os.environ["F"] = "1"
    for name in ("B", "C", "E"):
        os.environ[name] = "3"
    assert app.run()

@pytest.mark.parametrize("variable", ["G", "H"])
def test_parameter(app, monkeypatch, variable):
    monkeypatch.delenv(variable, raising=False)
    os.environ[variable] = "1"
    assert app.run()

def test_loop(app):
    saved = dict(os.environ)
    try:
        os.environ["I"] = "1"
        assert app.run()
    finally:
        for key, value in saved.items():
            os.environ[key] = value
""",
    """
import os
import pytest

def test_finally(app):
    os.environ["A"] = "1"
    try:
        assert app.run()
    finally:
        del os.environ["A"]

def test_finally_of_all(app):
    saved = os.environ.copy()
    try:
        os.environ["A"] = "1"
        assert app.run()
    finally:
        os.environ.clear()
        os.environ.update(saved)

@pytest.fixture
def variables():
    old = dict(os.environ)
    os.environ["A"] = "1"
    yield
    os.environ.clear()
    os.environ.update(old)

def test_asks_for_it(variables):
    os.environ["B"] = "2"

@pytest.fixture
def finalized(request):
    os.environ["A"] = "1"
    request.addfinalizer(lambda: os.environ.pop("A"))
""",
    """
import operator
import os
from unittest import mock
import unittest
import fixtures

class TestCleanups(unittest.TestCase):
    def setUp(self):
        self.addCleanup(os.environ.pop, "A", None)
        os.environ["A"] = "1"

    def test_inner_function(self):
        def restore():
            os.environ["B"] = self.b
        self.addCleanup(restore)
        os.environ["B"] = "1"

    def test_fixture(self):
        self.useFixture(fixtures.EnvironmentVariable("C", "1"))
        os.environ["C"] = "2"

    def test_entered(self):
        self.enterContext(mock.patch.dict(os.environ, {"D": "1"}))
        os.environ["D"] = "2"

    def test_operator(self):
        os.environ["F"] = "1"
        self.addCleanup(operator.delitem, os.environ, "F")

    def test_helper_of_another_file(self):
        self.addCleanup(self.restore_environ)
        os.environ["E"] = "2"

@mock.patch.dict("os.environ", clear=True)
class TestPatched(unittest.TestCase):
    def test_it(self):
        os.environ["A"] = "1"

class TestTornDown(unittest.TestCase):
    def setUp(self):
        self.saved = os.environ.copy()
        os.environ["A"] = "1"

    def tearDown(self):
        os.environ.clear()
        os.environ.update(self.saved)
""",
    """
import os
import pytest

@pytest.fixture(autouse=True)
def isolated_environment():
    saved = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(saved)

def test_it(app):
    os.environ["A"] = "1"
""",
    """
import contextlib
import os
import pytest

@pytest.fixture(name="clean_env")
def fixture_clean_env(monkeypatch):
    monkeypatch.delenv("A", raising=False)

@pytest.mark.usefixtures("clean_env")
def test_used(app):
    os.environ["A"] = "1"

def test_monkeypatched(monkeypatch, app):
    monkeypatch.setenv("B", "1")
    os.environ["B"] = "2"

@contextlib.contextmanager
def kept():
    old = dict(os.environ)
    try:
        yield
    finally:
        os.environ.update(old)

def test_own_context_manager():
    with kept():
        os.environ["C"] = "1"

def test_stack():
    with contextlib.ExitStack() as stack:
        stack.callback(os.environ.pop, "D")
        os.environ["D"] = "1"

def test_restoring_context_of_another_file(support):
    with support.restore_execv_state(), support.other():
        os.environ["F"] = "1"

def test_guard_known_by_name(support):
    with support.EnvironmentVarGuard():
        os.environ["E"] = "1"
""",
    """
import os
from multiprocessing import Process
from unittest import mock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

def test_another_process(app):
    def body():
        os.environ["A"] = "1"
    Process(target=body).start()

def test_forks(app):
    if os.fork() == 0:
        os.environ["A"] = "1"
        os._exit(0)

def test_cleans_up_after_the_code(app):
    app.run()
    del os.environ["SET_BY_APP"]

def test_makes_sure(app):
    os.environ.pop("APP_DEBUG", None)
    assert app.run()

def test_shadowed(os):
    os.environ["A"] = "1"

def test_set_and_removed_at_once(app):
    os.environ["A"] = "1"
    del os.environ["A"]

def helper(value):
    os.environ["A"] = value
""",
    """
import os
import pytest

@pytest.fixture(scope="session", autouse=True)
def configured():
    os.environ["A"] = "1"
""",
)


#: So many characters of a value are shown, or none.
_LONGEST = 40


def rule(module: TestModule) -> Iterator[Hit | Suspicion]:
    for found in left(module, "environ"):
        name = found.change.place.name
        if found.weak:
            if found.restored is None:
                yield Suspicion(found.change.node, name, "changed-at-end-of-owner", f"{name} is not put back")
            continue
        yield Hit(
            found.change.node,
            found.message,
            fix=_fix(module, found.change),
            security=security_word(name),
            subject=name,
            if_it_fails=found.restored is not None,
            unless=found.unless(module),
        )


def _fix(module: TestModule, change: Change) -> str:
    """The same write, by what ends by itself."""
    variable = change.place.name.removeprefix("os.environ[").removesuffix("]")
    if change.place.whole:
        return "mock.patch.dict(os.environ, ...) around it"
    if change.removes:
        is_bare = gets_no_fixtures(module, change.scope.outermost)
        return "mock.patch.dict(os.environ)" if is_bare else f"monkeypatch.delenv({variable})"
    value = "..."
    if change.value is not None and security_word(change.place.name) is None:
        text = source_of(change.value, _LONGEST + 1)
        value = text if len(text) <= _LONGEST else "..."  # half a secret would not be known for one
    if gets_no_fixtures(module, change.scope.outermost):
        return f"mock.patch.dict(os.environ, {{{variable}: {value}}})"
    return f"monkeypatch.setenv({variable}, {value})"


CHECK = Check("PSA101", "environ-not-restored", DEFECT, __doc__, BAD, GOOD, rule, cwe=459, suspected=ADVISORY)
