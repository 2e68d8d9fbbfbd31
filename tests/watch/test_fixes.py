"""Fixes that can be typed in where the owner stands."""

from __future__ import annotations

import unittest

import pytest

from pytest_secaudit.watch.fixes import fitting, for_unittest, gets_no_fixtures, name_in
from pytest_secaudit.watch.ledger import Actor


@pytest.mark.parametrize(
    ("fix", "instead"),
    [
        ('monkeypatch.setattr(shop, "LIMIT", ...)', 'mock.patch.object(shop, "LIMIT", ...)'),
        ('monkeypatch.setattr("shop.cart.LIMIT", ...)', 'mock.patch("shop.cart.LIMIT", ...)'),
        ("monkeypatch.setenv('TZ', ...)", "mock.patch.dict(os.environ, {'TZ': ...})"),
        ("monkeypatch.delenv('TZ', raising=False)", "mock.patch.dict(os.environ)"),
        ("monkeypatch.setitem(sys.modules, 'x', ...)", "mock.patch.dict(sys.modules, {'x': ...})"),
        ("monkeypatch.delitem(sys.modules, 'x')", "mock.patch.dict(sys.modules)"),
        ("work on a copy of TABLE, or monkeypatch.setitem(TABLE, ...)", "work on a copy of TABLE, or mock.patch.dict(TABLE, ...)"),
        ("work on a copy of ROW, or make it anew in a fixture", "work on a copy of ROW, or make it anew in setUp"),
        ("monkeypatch.chdir(...), or contextlib.chdir from Python 3.11 on", "self.addCleanup(os.chdir, os.getcwd()), or contextlib.chdir from Python 3.11 on"),
        ("monkeypatch.syspath_prepend('/x')", "mock.patch.object(sys, \"path\", ['/x', *sys.path])"),
        ("monkeypatch.syspath_prepend(pytestconfig.rootpath / 'x')", 'mock.patch.object(sys, "path", [..., *sys.path])'),
        ("caplog.set_level(logging.DEBUG, logger='a')", "self.addCleanup(logging.getLogger('a').setLevel, saved)"),
        ("caplog.set_level(logging.DEBUG, logger=...)", "self.addCleanup(logging.getLogger(...).setLevel, saved)"),
        ("caplog.set_level(logging.DEBUG)", "self.addCleanup(logging.getLogger().setLevel, saved)"),
        ("atexit.unregister(f) in a finally, or after the fixture's yield", "atexit.unregister(f) in a finally, or by addCleanup"),
        ("write below tmp_path, not to x", "write below a tempfile.TemporaryDirectory(), not to x"),
    ],
)  # fmt: skip
def test_what_unittest_offers(fix: str, instead: str) -> None:
    assert for_unittest(fix) == instead


class Case(unittest.TestCase):
    """Nobody runs it."""

    __test__ = False


class Plain:
    """No class of unittest's."""


@pytest.mark.parametrize(
    ("kind", "identity", "expected"),
    [
        ("test", "watch/test_fixes.py::Case::test_it", True),
        ("window", "watch/test_fixes.py::Case::test_a ... watch/test_fixes.py::Case::test_b", True),
        ("setup", "watch/test_fixes.py::Case::setUp", True),
        ("setup", "no/such/file.py::Case::setUpClass", True),
        ("setup", "watch/test_fixes.py::Plain::setup_method", False),
        ("test", "watch/test_fixes.py::Plain::test_it[Case::a]", False),
        ("test", "watch/test_fixes.py::test_it", False),
        ("test", "watch/test_fixes.py::NoSuch::test_it", False),
        ("fixture", "watch/test_fixes.py::Case::fixture", False),
        ("outside", "outside", False),
    ],
)
def test_who_gets_no_fixtures(kind: str, identity: str, expected: bool) -> None:
    actor = Actor(kind, identity)  # type: ignore[arg-type]
    assert gets_no_fixtures(actor) is expected
    wanted = "mock.patch.object(a, 'b', 1)" if expected else "monkeypatch.setattr(a, 'b', 1)"
    assert fitting("monkeypatch.setattr(a, 'b', 1)", actor) == wanted
    assert fitting("put it back", actor) == "put it back"


@pytest.mark.parametrize(
    ("text", "module", "name"),
    [
        ("import asyncio", "tornado.asyncio", ""),
        ("import tornado.asyncio", "tornado.asyncio", "tornado.asyncio"),
        ("import tornado.asyncio as a", "tornado.asyncio", "a"),
        ("from tornado import (\n  asyncio,\n  web as w)", "tornado.asyncio", "asyncio"),
        ("def f():\n  from tornado import web as w", "tornado.web", "w"),
        ("from . import web", "tornado.web", ""),
        ("def web(", "tornado.web", ""),
    ],
)
def test_what_a_file_calls_a_module(text: str, module: str, name: str) -> None:
    assert name_in(text, module) == name
