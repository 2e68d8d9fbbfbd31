"""Whether a change is undone: each idiom of putting things back, and what only looks like one."""

from __future__ import annotations

import json
import textwrap

import pytest

from pytest_secaudit.catalogue import one
from pytest_secaudit.checks import built_in
from pytest_secaudit.rules import read
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.changes import changes
from pytest_secaudit.source.restores import Undone, restore_facts, undone

IMPORTS = """
import contextlib, functools, importlib, operator, os, signal, sys, unittest
from unittest import mock
import fixtures, pytest
from django.test import override_settings
from django.conf import settings
from shop import orders
from shop.testing import restore_all, environ_kept, reset_orders
"""

#: Each source marks the change in question with ``# HERE``.
ALWAYS = {
    "try/finally": """
        def test(): # the change stands before the try
            old = orders.charge
            orders.charge = 1  # HERE
            try:
                run()
            finally:
                orders.charge = old
    """,
    "change inside try": """
        def test():
            try:
                os.environ["A"] = "1"  # HERE
                run()
            finally:
                os.environ.pop("A")
    """,
    "finally through a helper": """
        def put_back():
            orders.charge = None
        def test():
            try:
                orders.charge = 1  # HERE
            finally:
                put_back()
    """,
    "finally with the owner's own reset": """
        def test():
            try:
                orders.charge = 1  # HERE
            finally:
                orders.reset()
    """,
    "finally with a reload": """
        def test():
            try:
                orders.charge = 1  # HERE
            finally:
                importlib.reload(orders)
    """,
    "finally around a nested function": """
        def test():
            def enable():
                os.environ["A"] = "1"  # HERE
            try:
                enable()
            finally:
                del os.environ["A"]
    """,
    "with patch": """
        def test():
            with mock.patch("shop.orders.charge"):
                orders.charge = 1  # HERE
    """,
    "with patch of what it belongs to": """
        def test():
            with mock.patch("shop.orders.gateway") as gateway:
                orders.gateway.connect = 1  # HERE
    """,
    "with patch.dict": """
        def test():
            with mock.patch.dict(os.environ, clear=True):
                os.environ["A"] = "1"  # HERE
    """,
    "with monkeypatch context": """
        def test():
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setattr(orders, "charge", 2)
                orders.charge = 1  # HERE
    """,
    "with a context manager of this file": """
        @contextlib.contextmanager
        def kept():
            old = orders.charge
            yield
            orders.charge = old
        def test():
            with kept():
                orders.charge = 1  # HERE
    """,
    "with a context manager known by its name": """
        def test():
            with environ_kept():
                os.environ["A"] = "1"  # HERE
    """,
    "with override_settings": """
        def test():
            with override_settings(A=1):
                settings.B = 2  # HERE
    """,
    "settings of a Django class": """
        class T(unittest.TestCase):
            def test(self):
                with self.settings(A=1):
                    settings.B = 2  # HERE
    """,
    "decorator": """
        @mock.patch.object(orders, "charge")
        def test(charge):
            orders.charge = 1  # HERE
    """,
    "decorator of the class": """
        @mock.patch("shop.orders.charge")
        class T(unittest.TestCase):
            def test(self, charge):
                orders.charge = 1  # HERE
    """,
    "override_settings on the class": """
        @override_settings(A=1)
        class T(unittest.TestCase):
            def test(self):
                settings.A = 1  # HERE
    """,
    "decorator of this file": """
        def restoring(function):
            @functools.wraps(function)
            def wrapper():
                old = orders.charge
                try:
                    function()
                finally:
                    orders.charge = old
            return wrapper
        @restoring
        def test():
            orders.charge = 1  # HERE
    """,
    "after yield": """
        @pytest.fixture
        def fx():
            orders.charge = 1  # HERE
            yield
            orders.charge = None
    """,
    "after yield, through a helper": """
        def put_back():
            os.chdir("/")
        @pytest.fixture
        def fx():
            os.chdir("/tmp")  # HERE
            yield
            put_back()
    """,
    "is itself the restore after yield": """
        @pytest.fixture
        def fx():
            yield
            os.environ["A"] = "1"  # HERE
    """,
    "addCleanup of a lambda": """
        class T(unittest.TestCase):
            def test(self):
                old = orders.charge
                self.addCleanup(lambda: setattr(orders, "charge", old))
                orders.charge = 1  # HERE
    """,
    "addCleanup of setattr": """
        class T(unittest.TestCase):
            def test(self):
                self.addCleanup(setattr, orders, "charge", orders.charge)
                orders.charge = 1  # HERE
    """,
    "addCleanup of a partial": """
        class T(unittest.TestCase):
            def test(self):
                self.addCleanup(functools.partial(os.chdir, os.getcwd()))
                os.chdir("/")  # HERE
    """,
    "addCleanup of operator.delitem": """
        class T(unittest.TestCase):
            def test(self):
                os.environ["A"] = "1"  # HERE
                self.addCleanup(operator.delitem, os.environ, "A")
    """,
    "addCleanup of a method": """
        class T(unittest.TestCase):
            def put_back(self):
                orders.charge = None
            def test(self):
                self.addCleanup(self.put_back)
                orders.charge = 1  # HERE
    """,
    "addCleanup of an inner function": """
        class T(unittest.TestCase):
            def test(self):
                def put_back():
                    orders.charge = None
                self.addCleanup(put_back)
                orders.charge = 1  # HERE
    """,
    "addCleanup in setUp": """
        class T(unittest.TestCase):
            def setUp(self):
                self.addCleanup(os.environ.pop, "A", None)
            def test(self):
                os.environ["A"] = "1"  # HERE
    """,
    "addCleanup in a helper that setUp calls": """
        class T(unittest.TestCase):
            def setUp(self):
                self.arrange()
            def arrange(self):
                orders.charge = 1  # HERE
                self.addCleanup(delattr, orders, "charge")
    """,
    "addClassCleanup": """
        class T(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                os.environ["A"] = "1"  # HERE
                cls.addClassCleanup(os.environ.pop, "A")
    """,
    "addModuleCleanup": """
        def setUpModule():
            os.environ["A"] = "1"  # HERE
            unittest.addModuleCleanup(os.environ.pop, "A")
    """,
    "addCleanup of another file's function": """
        class T(unittest.TestCase):
            def test(self):
                self.addCleanup(reset_orders)
                orders.entries = 1  # HERE
    """,
    "addfinalizer": """
        @pytest.fixture
        def fx(request):
            cwd = os.getcwd()
            request.addfinalizer(lambda: os.chdir(cwd))
            os.chdir("/")  # HERE
    """,
    "ExitStack callback": """
        def test():
            with contextlib.ExitStack() as stack:
                stack.callback(os.environ.pop, "A")
                os.environ["A"] = "1"  # HERE
    """,
    "ExitStack enter_context": """
        def test():
            with contextlib.ExitStack() as stack:
                stack.enter_context(mock.patch("shop.orders.charge"))
                orders.charge = 1  # HERE
    """,
    "useFixture": """
        class T(unittest.TestCase):
            def test(self):
                self.useFixture(fixtures.MonkeyPatch("shop.orders.charge", 2))
                orders.charge = 1  # HERE
    """,
    "useFixture of a variable": """
        class T(unittest.TestCase):
            def setUp(self):
                self.useFixture(fixtures.EnvironmentVariable("A"))
            def test(self):
                os.environ["A"] = "1"  # HERE
    """,
    "stub_out": """
        class T(unittest.TestCase):
            def setUp(self):
                self.stub_out("shop.orders.charge", 2)
            def test(self):
                orders.charge.retry = 1  # HERE
    """,
    "self.patch of twisted": """
        class T(unittest.TestCase):
            def test(self):
                self.patch(orders, "charge", 2)
                orders.charge = 1  # HERE
    """,
    "a helper of a base class": """
        class T(unittest.TestCase):
            def setUp(self):
                self.mock_object(orders, "charge")
            def test(self):
                orders.charge = 1  # HERE
    """,
    "a helper of a base class that takes a path": """
        class T(unittest.TestCase):
            def test(self):
                self.patch("shop.orders.charge")
                orders.charge = 1  # HERE
    """,
    "enterContext": """
        class T(unittest.TestCase):
            def setUp(self):
                self.enterContext(mock.patch.object(orders, "charge"))
            def test(self):
                orders.charge = 1  # HERE
    """,
    "monkeypatch": """
        def test(monkeypatch):
            monkeypatch.setattr(orders, "charge", 2)
            orders.charge = 1  # HERE
    """,
    "monkeypatch.delattr": """
        def test(monkeypatch):
            monkeypatch.delattr(orders, "charge")
            orders.charge = 1  # HERE
    """,
    "monkeypatch.setenv": """
        def test(monkeypatch):
            monkeypatch.delenv("A", raising=False)
            os.environ["A"] = "1"  # HERE
    """,
    "monkeypatch.chdir": """
        def test(monkeypatch):
            monkeypatch.chdir("/")
            os.chdir("/tmp")  # HERE
    """,
    "mocker": """
        def test(mocker):
            mocker.patch.object(orders, "charge")
            orders.charge.retry = 1  # HERE
    """,
    "mocker.patch.dict": """
        def test(mocker):
            mocker.patch.dict(os.environ)
            os.environ["A"] = "1"  # HERE
    """,
    "tearDown": """
        class T(unittest.TestCase):
            def setUp(self):
                orders.charge = 1  # HERE
            def tearDown(self):
                orders.charge = self.charge
    """,
    "tearDown of a base class": """
        class Base(unittest.TestCase):
            def tearDown(self):
                os.environ.clear()
                os.environ.update(self.environ)
        class T(Base):
            def test(self):
                os.environ["A"] = "1"  # HERE
    """,
    "tearDown that calls a method": """
        class T(unittest.TestCase):
            def test(self):
                os.chdir("/")  # HERE
            def tearDown(self):
                self.back()
            def back(self):
                os.chdir(self.cwd)
    """,
    "teardown_module": """
        def test():
            orders.charge = 1  # HERE
        def teardown_module():
            del orders.charge
    """,
    "pytester's folder": """
        def test(pytester):
            os.chdir("sub")  # HERE
    """,
    "at once": """
        def test():
            old = os.umask(0)  # HERE
            os.umask(old)
    """,
    "writes what was saved elsewhere": """
        def test(self):
            os.chdir(self.old_cwd)  # HERE
    """,
    "variables that a loop over a written list takes away": """
        def test(monkeypatch):
            for name in ("A", "B"):
                monkeypatch.delenv(name, raising=False)
            os.environ["A"] = "1"  # HERE
    """,
    "the same name, whatever it is": """
        def test(monkeypatch, name):
            monkeypatch.delenv(name, raising=False)
            os.environ[name] = "1"  # HERE
    """,
    "tear-down that writes all saved variables back": """
        class T(unittest.TestCase):
            def test(self):
                os.environ["A"] = "1"  # HERE
            def tearDown(self):
                for name, value in self.env.items():
                    os.environ[name] = value
    """,
}

STRAIGHT = {
    "saved": """
        def test():
            old = orders.charge
            orders.charge = 1  # HERE
            run()
            orders.charge = old
    """,
    "saved under any name": """
        def test():
            x = orders.charge
            orders.charge = 1  # HERE
            run()
            orders.charge = x
    """,
    "removed": """
        def test():
            os.environ["A"] = "1"  # HERE
            run()
            del os.environ["A"]
    """,
    "the value that the call gave back": """
        def test():
            was = signal.signal(signal.SIGINT, run)  # HERE
            run()
            signal.signal(signal.SIGINT, was)
    """,
    "switched back": """
        def test():
            orders.ENABLED = True  # HERE
            run()
            orders.ENABLED = False
    """,
    "counted back": """
        def test():
            orders.count += 1  # HERE
            run()
            orders.count -= 1
            run()
    """,
    "the last statement sets it again": """
        def test():
            orders.limit = 1  # HERE
            run()
            orders.limit = 10
    """,
    "after yield in a test that is a generator": """
        @inlineCallbacks
        def test():
            old = orders.charge
            orders.charge = 1  # HERE
            yield run()
            orders.charge = old
    """,
}

NEVER = {
    "nothing": """
        def test():
            orders.charge = 1  # HERE
            run()
    """,
    "another value": """
        def test():
            orders.charge = 1  # HERE
            run()
            orders.charge = 2
            run()
    """,
    "a wrapper of what was saved": """
        def test():
            old = orders.charge
            orders.charge = 1  # HERE
            run()
            orders.charge = wrap(old)
            run()
    """,
    "another place is put back": """
        def test():
            try:
                orders.charge = 1  # HERE
            finally:
                orders.refund = None
    """,
    "the try is over": """
        def test():
            try:
                run()
            finally:
                orders.charge = None
            orders.charge = 1  # HERE
            run()
    """,
    "the patch is over": """
        def test():
            with mock.patch("shop.orders.charge"):
                run()
            orders.charge = 1  # HERE
            run()
    """,
    "the patch comes later": """
        def test(monkeypatch):
            orders.charge = 1  # HERE
            monkeypatch.setattr(orders, "charge", 2)
    """,
    "stopall ends patches only": """
        class T(unittest.TestCase):
            def test(self):
                self.addCleanup(mock.patch.stopall)
                orders.charge = 1  # HERE
    """,
    "a helper of this file that restores nothing": """
        class T(unittest.TestCase):
            def mock_charge(self, owner, name):
                setattr(owner, name, 2)
            def test(self):
                self.mock_charge(orders, "charge")
                orders.charge = 1  # HERE
    """,
    "a clean-up of another place": """
        class T(unittest.TestCase):
            def test(self):
                self.addCleanup(os.environ.pop, "B")
                os.environ["A"] = "1"  # HERE
    """,
    "another class's tearDown": """
        class Other(unittest.TestCase):
            def tearDown(self):
                orders.charge = None
        class T(unittest.TestCase):
            def test(self):
                orders.charge = 1  # HERE
    """,
    "a fixture without yield": """
        @pytest.fixture
        def fx():
            os.environ["A"] = "1"  # HERE
            return 1
    """,
    "with something else": """
        def test():
            with open("environment") as file:
                os.environ["A"] = file.read()  # HERE
    """,
    "other variables that a loop takes away": """
        def test(monkeypatch):
            for name in ("A", "B"):
                monkeypatch.delenv(name, raising=False)
            os.environ["C"] = "1"  # HERE
    """,
    "a variable of unknown name is no other": """
        def test(monkeypatch, name):
            monkeypatch.setenv(name, "1")
            os.environ["C"] = "1"  # HERE
    """,
}


def how(source: str) -> Undone:
    text = IMPORTS + textwrap.dedent(source)
    module = TestModule("tests/test_it.py", text)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "# HERE" in line)
    (change,) = (change for change in changes(module) if change.line == line)
    return undone(module, change)


@pytest.mark.parametrize("idiom", ALWAYS)
def test_undone_on_every_path(idiom):
    assert how(ALWAYS[idiom]) is Undone.ALWAYS


@pytest.mark.parametrize("idiom", STRAIGHT)
def test_undone_only_if_nothing_fails(idiom):
    assert how(STRAIGHT[idiom]) is Undone.STRAIGHT


@pytest.mark.parametrize("idiom", NEVER)
def test_never_undone(idiom):
    assert how(NEVER[idiom]) is Undone.NEVER


# --- what a file does for others


def facts(source: str) -> set[tuple[str, str, str]]:
    module = TestModule("tests/conftest.py", IMPORTS + textwrap.dedent(source))
    return {(fact.kind, fact.owner, fact.name) for fact in restore_facts(module) if fact.area != "set-up"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            """
            @pytest.fixture(name="clean")
            def fixture_clean():
                old = dict(os.environ)
                yield
                os.environ.clear()
            """,
            ("fixture", "clean", "os.environ"),
        ),
        (
            """
            @pytest.fixture
            def clean(monkeypatch):
                monkeypatch.delenv("A", raising=False)
            """,
            ("fixture", "clean", "os.environ['A']"),
        ),
        (
            """
            @pytest.fixture
            def clean():
                with environ_kept():
                    yield
            """,
            ("fixture", "clean", "os.environ"),
        ),
        (
            """
            def back():
                os.chdir("/")
            @pytest.fixture
            def clean(request):
                request.addfinalizer(back)
            """,
            ("fixture", "clean", "os.getcwd()"),
        ),
        (
            """
            class Base(unittest.TestCase):
                def setUp(self):
                    self.arrange()
                def arrange(self):
                    self.addCleanup(setattr, orders, "charge", orders.charge)
            """,
            ("class", "Base", "shop.orders.charge"),
        ),
        (
            """
            class Base(unittest.TestCase):
                def tearDown(self):
                    orders.charge = None
            """,
            ("class", "Base", "shop.orders.charge"),
        ),
    ],
)
def test_a_file_tells_what_it_puts_back(source, expected):
    assert expected in facts(source)


def test_a_fixture_that_only_changes_puts_nothing_back():
    assert facts("@pytest.fixture\ndef dirty():\n    os.environ['A'] = '1'\n") == set()


# --- what only other files know

FILES = {
    "conftest": """
        import os
        import pytest

        @pytest.fixture(autouse=True)
        def isolated():
            saved = dict(os.environ)
            yield
            os.environ.clear()
            os.environ.update(saved)

        @pytest.fixture
        def in_folder(monkeypatch, tmp_path):
            monkeypatch.chdir(tmp_path)
    """,
    "base": """
        import unittest
        import settings_of_app

        class Base(unittest.TestCase):
            def setUp(self):
                settings_of_app.provider = None
                self.replace("limit", 3)

            def replace(self, name, value):
                self.addCleanup(setattr, settings_of_app, name, getattr(settings_of_app, name))
                setattr(settings_of_app, name, value)

            def tearDown(self):
                settings_of_app.charge = print
    """,
    "settings_of_app": """
        charge = print
        limit = 1
        provider = None
        other = None
    """,
    "test_it": """
        import os
        from unittest import mock
        import pytest
        import base
        import settings_of_app

        class TestDerived(base.Base):
            def test_it(self):
                os.environ["A"] = "1"
                settings_of_app.charge = mock.Mock()
                settings_of_app.limit = mock.Mock()
                settings_of_app.provider = mock.Mock()

        @pytest.mark.usefixtures("in_folder")
        def test_folder():
            os.chdir("/")

        class TestPlain:
            def test_it(self):
                settings_of_app.charge = mock.Mock()  # REPORTED
                os.chdir("/")  # REPORTED
    """,
    "test_rebound": """
        from unittest import mock
        import settings_of_app

        if settings_of_app:
            settings_of_app = mock.Mock()

        def test_it():
            settings_of_app.other = mock.Mock()
    """,
}


def test_other_files_answer(pytester):
    pytester.makepyfile(**{name: source for name, source in FILES.items() if name != "conftest"})
    pytester.makeconftest(FILES["conftest"])
    pytester.runpytest("--secaudit", "--collect-only", "--secaudit-report=json:report.json")
    found = json.loads((pytester.path / "report.json").read_text())["findings"]
    lines = textwrap.dedent(FILES["test_it"]).strip().splitlines()
    marked = {("test_it.py", number) for number, line in enumerate(lines, 1) if "# REPORTED" in line}
    codes = ("PSA101", "PSA102", "PSA103", "PSA501")
    assert {(finding["path"], finding["line"]) for finding in found if finding["code"] in codes} == marked


def test_each_target_of_one_statement_has_its_own_finding_and_fix():
    source = "from shop import a, b\n\ndef test_it():\n    a.charge = b.mail = object()\n    a.run()\n"
    hits = read(source.encode(), "tests/test_it.py", [one("PSA501", built_in())]).hits
    assert [(hit.column, hit.subject, hit.fix) for hit in hits] == [
        (5, "shop.a.charge", "monkeypatch.setattr(a, 'charge', ...)"),
        (16, "shop.b.mail", "monkeypatch.setattr(b, 'mail', ...)"),
    ]


def test_what_is_emptied_is_handed_to_the_run():
    source = "from shop import orders\nimport os\ndef test_it():\n    orders.cache = None\n    os.environ.pop('A')\n"
    from pytest_secaudit.checks import built_in

    reading = read(
        source.encode(), "tests/test_it.py", [check for check in built_in() if check.code in ("PSA101", "PSA501")]
    )
    assert reading.hits == ()
    assert {(armed.code, armed.subject, armed.confirmed_by) for armed in reading.armed} == {
        ("PSA101", "os.environ['A']", "changed-at-end-of-owner"),
        ("PSA501", "shop.orders.cache", "changed-at-end-of-owner"),
    }
