"""What hits say and advise, where the obvious words would be wrong."""

from __future__ import annotations

import textwrap

import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.reading import StaticHit
from pytest_secaudit.rules import read

CHECKS = {check.code: check for check in built_in()}


def hit(code: str, source: str) -> StaticHit:
    found = read(textwrap.dedent(source).encode(), "tests/test_a.py", [CHECKS[code]])
    assert (found.error, found.failures) == (None, ())
    (only,) = found.hits
    return only


# --- PSA201


RAISES = """
import pytest, unittest
from shop import Client, Refused
class TestA(unittest.TestCase):
    def test_a(self, client):
        {before}
        with pytest.raises(Refused) as error:
            {body}
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("made = Client(-1); assert made is None", "made has no value there, as Client() raises before it is bound"),
        (
            "made = fetch('/')\n        if made.old: self.skipTest('old')\n        assert made.code == 599",
            "made may have no value there, as the block raises before it is bound",
        ),
    ],
)
def test_what_the_raising_call_would_have_bound_has_no_value_behind_the_block(body: str, said: str) -> None:
    body = body.replace("; ", "\n        ").replace("\n        ", "\n            ")
    fix = hit("PSA201", RAISES.format(before="pass", body=body)).fix
    assert fix == f"delete it, or check the error itself after the with block: {said}"


def test_a_block_around_it_binds_nothing_before() -> None:
    source = """
    import pytest
    def test_a(client):
        with client:
            with pytest.raises(OSError):
                made = open_it(client)
                assert made is None
    """
    assert "made has no value there" in hit("PSA201", source).fix


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("pass", "Client(-1)\n            assert 'x' in str(error.value)"),
        ("made = 1", "made = Client(-1)\n            assert made == 1"),
        ("pass", "client = Client(-1)\n            assert client is None"),
        ("pass", "made = make()\n            made.close()\n            assert made is None"),
    ],
    ids=["of the error", "bound before", "a parameter", "bound by an earlier call"],
)
def test_else_the_assertion_is_dedented(before: str, body: str) -> None:
    assert hit("PSA201", RAISES.format(before=before, body=body)).fix.startswith(
        "after the with block, dedented: assert"
    )


# --- PSA006


@pytest.mark.parametrize(
    "source",
    [
        """
        from unittest.mock import Mock
        def test_a():
            app = Mock()
            app.name == "main"
            assert name_of(app)
        """,
        """
        def test_a(app):
            app.name == "main"
            assert name_of(app.name)
        """,
        """
        def test_a(app):
            def check():
                if app.name:
                    app.name == "main"
            check()
            check()
        """,
    ],
    ids=["of a mock", "read later", "read when it is called again"],
)
def test_a_comparison_may_have_been_an_assignment(source: str) -> None:
    quote = "'"
    assert hit("PSA006", source).fix == (
        f"app.name = {quote}main{quote} if it was to be set, else assert app.name == {quote}main{quote}"
    )


@pytest.mark.parametrize(
    "comparison", ["app.name != 'main'", "app.name() == 'main'", "name == 'main'", "app.name == 'main'"]
)
def test_else_an_assert_is_missing(comparison: str) -> None:
    source = f"def test_a(app, name):\n    seen = app.name\n    {comparison}\n    assert seen == name\n"
    assert hit("PSA006", source).fix == f"assert {comparison}"


# --- PSA101


def test_another_value_is_no_putting_back() -> None:
    source = """
    import os
    def test_a(key="MODE"):
        os.environ[key] = "a"
        assert os.environ[key]
        os.environ[key] = "b"
        assert os.environ[key]
    """
    found = hit("PSA101", source)
    assert found.message == "os.environ is changed and nothing here puts it back"
    assert not found.if_it_fails
    restored = source.replace('os.environ[key] = "b"', "os.environ[key] = saved")
    assert "before line 6 puts it back" in hit("PSA101", restored).message


# --- PSA501, PSA103


@pytest.mark.parametrize(
    ("header", "patch"),
    [
        ("class TestA:", "monkeypatch.setattr"),
        ("class TestA(unittest.TestCase):", "mock.patch.object"),
        ("class TestA(Base):", "mock.patch.object"),
    ],
)
def test_methods_of_unittest_get_no_monkeypatch(header: str, patch: str) -> None:
    source = """
    import sys, unittest
    from shop import orders
    class Base(unittest.TestCase):
        pass
    {header}
        def test_a(self):
            {write}
            assert orders.run()
    """
    patched = hit("PSA501", source.format(header=header, write="orders.charge = lambda: 1"))
    assert patched.fix == f"{patch}(orders, 'charge', ...)"
    patched = hit("PSA501", source.format(header=header, write="setattr(orders, 'charge', lambda: 1)"))
    assert patched.fix == f"{patch}(orders, 'charge', ...)"
    assert hit("PSA103", source.format(header=header, write="sys.argv = ['x']")).fix == f"{patch}(sys, 'argv', ...)"


# --- PSA101 and PSA102


WRITES = """
import os, unittest
NAME = "APP_MODE"
class TestA{base}:
    def test_a(self, tmp_path):
        {write}
        assert self.run(tmp_path)
"""
TOKEN = "gh" + "p_9fKq2LzWc7RtY0bVxN4mJd8HsPa3GuEoTi6C"


@pytest.mark.parametrize(
    ("code", "write", "fix", "in_unittest"),
    [
        (
            "PSA101",
            "os.environ['A'] = '1'",
            "monkeypatch.setenv('A', '1')",
            "mock.patch.dict(os.environ, {'A': '1'})",
        ),
        (
            "PSA101",
            "os.environ[NAME] = str(tmp_path)",
            "monkeypatch.setenv('APP_MODE', str(tmp_path))",
            "mock.patch.dict(os.environ, {'APP_MODE': str(tmp_path)})",
        ),
        (
            "PSA101",
            "old = os.environ['A']\n        del os.environ['A']\n        self.run(tmp_path)\n        os.environ['A'] = old",
            "monkeypatch.delenv('A')",
            "mock.patch.dict(os.environ)",
        ),
        (
            "PSA101",
            "os.environ.update(A='1')",
            "mock.patch.dict(os.environ, ...) around it",
            "mock.patch.dict(os.environ, ...) around it",
        ),
        (
            "PSA101",
            "os.environ['DB_PASSWORD'] = 'tulip'",
            "monkeypatch.setenv('DB_PASSWORD', ...)",
            "mock.patch.dict(os.environ, {'DB_PASSWORD': ...})",
        ),
        (
            "PSA101",
            f"os.environ['A'] = '{TOKEN}'",
            "monkeypatch.setenv('A', ...)",
            "mock.patch.dict(os.environ, {'A': ...})",
        ),
        (
            "PSA102",
            "os.chdir(tmp_path / 'a')",
            "monkeypatch.chdir(tmp_path / 'a')",
            "self.addCleanup(os.chdir, os.getcwd()), before it",
        ),
        (
            "PSA102",
            "tmp_path.chdir()",
            "monkeypatch.chdir(tmp_path)",
            "self.addCleanup(os.chdir, os.getcwd()), before it",
        ),
    ],
)
def test_the_write_is_said_as_it_should_be(code: str, write: str, fix: str, in_unittest: str) -> None:
    assert hit(code, WRITES.format(base="", write=write)).fix == fix
    assert hit(code, WRITES.format(base="(unittest.TestCase)", write=write)).fix == in_unittest
