"""What a review notes of a file by reading it, dimension by dimension."""

from __future__ import annotations

import textwrap
from dataclasses import asdict

import pytest

from pytest_secaudit.endings import with_endings
from pytest_secaudit.notes import Note, from_plain
from pytest_secaudit.noting import notes
from pytest_secaudit.source import TestModule


def noted(source: str, *kinds: str) -> list[tuple[object, ...]]:
    """Kind, lines and text of the notes, with what else they say."""
    module = TestModule("tests/test_it.py", textwrap.dedent(source).lstrip("\n"))
    return [
        (note.kind, note.lines, note.text, *filter(None, (note.subject, note.ends)), *note.marks)
        for note in notes(module)
        if not kinds or note.kind in kinds
    ]


def test_what_tests_stand_on() -> None:
    source = """
        import unittest
        import fixtures
        from shop.tests import base

        class Helper(object):
            pass

        class TestA(base.ShopTest, unittest.TestCase):
            def setUp(self):
                self.db = self.useFixture(base.DatabaseFixture(self))
                self.useFixture(fixtures.MockPatch("shop.pay"))

            def test_it(self):
                with base.ClockFixture(5):
                    pass
    """
    assert noted(source, "base", "plain base", "fixture") == [
        ("base", (8, 8), "TestA", "shop.tests.base.ShopTest"),
        ("plain base", (8, 8), "TestA", "unittest.TestCase"),
        ("fixture", (10, 10), "DatabaseFixture", "shop.tests.base.DatabaseFixture"),
        ("fixture", (14, 14), "ClockFixture", "shop.tests.base.ClockFixture"),
    ]


def test_fixtures_that_are_asked_for() -> None:
    source = """
        import pytest
        from unittest import mock

        @pytest.fixture
        def shop(tmp_path): return tmp_path

        @pytest.mark.parametrize("number, text", [(1, "a")])
        def test_a(shop, number, text): pass

        @mock.patch("shop.pay")
        def test_b(pay): pass

        def test_c(shop): pass
    """
    assert noted(source, "asked for") == [
        ("asked for", (5, 5), "tmp_path", "1"),
        ("asked for", (8, 13), "shop", "2"),
    ]


def test_failures() -> None:
    source = """
        import pytest
        from unittest import mock
        from shop import exceptions

        def test_a(self):
            with pytest.raises(KeyError):
                find("x")
            for one in find():
                if one.is_good:
                    break
            else:
                self.fail("none is good")

        def test_b(pay):
            error = exceptions.Refused("no")
            with mock.patch("shop.pay", side_effect=error):
                buy()
            pay.side_effect = [TimeoutError, 5]
            try:
                buy()
            except OSError:
                pass
    """
    assert noted(source, "required", "guard", "simulated", "handler") == [
        ("required", (6, 6), "KeyError"),
        ("guard", (12, 12), "self.fail('none is good')"),
        ("simulated", (15, 16), "Refused", "shop.pay"),
        ("simulated", (18, 18), "TimeoutError", "pay"),
        ("handler", (21, 22), "OSError"),
    ]


def test_inputs() -> None:
    source = """
        import copy, json, os, random

        def test_a(self, tmp_path):
            data = json.load(open("data.json"))
            os.getenv("HOME")
            random.choice(data)
            open(tmp_path / "out", "w").write("x")
            self.shop.items["a"] = self.shop.first
            self.shop.items["b"] = copy.copy(self.shop.first)
            with self.assertLogs("shop"):
                pass
    """
    assert noted(source, "input", "uncopied", "copied", "logs") == [
        ("input", (4, 4), "json.load(open('data.json'))", "a file"),
        ("input", (4, 4), "open('data.json')", "a file"),
        ("input", (5, 5), "os.getenv('HOME')", "the environment"),
        ("input", (6, 6), "random.choice(data)", "chance"),
        ("uncopied", (8, 8), "self.shop.first"),
        ("copied", (9, 9), "self.shop.first"),
        ("logs", (10, 10), "self.assertLogs('shop')"),
    ]


def test_settings() -> None:
    source = """
        class TestA(Base):
            def setUp(self):
                self.flags(workers=1, group="api")
                super().setUp()
                self.flags(auth_strategy="noauth")
                CONF.set_override("timeout", 5)
                self.policy.set_rules({rules.DELETE: "@"})

            def test_it(self, monkeypatch):
                monkeypatch.setenv("TOKEN", "x")
    """
    keyword = "the configuration fixture of the base class"
    assert noted(source, "setting") == [
        ("setting", (3, 3), "workers", "self.flags", keyword, "before super().setUp()"),
        ("setting", (5, 5), "auth_strategy", "self.flags", keyword, "security"),
        ("setting", (6, 6), "timeout", "CONF.set_override"),
        ("setting", (7, 7), "DELETE", "self.policy.set_rules", "security"),
        ("setting", (10, 10), "TOKEN", "monkeypatch.setenv", "monkeypatch", "security"),
    ]


def test_patches_and_their_ends() -> None:
    source = """
        import time
        import fixtures
        from unittest import mock
        from shop import orders

        @mock.patch("shop.orders.a")
        def test_decorated(a): pass

        def test_all(self, monkeypatch, mocker):
            with mock.patch("shop.orders.b"): pass
            monkeypatch.setattr(orders, "c", None)
            mocker.patch("shop.orders.d")
            self.useFixture(fixtures.MockPatch("shop.orders.e"))
            p = mock.patch.object(self.api, "f")
            p.start()
            self.addCleanup(p.stop)
            q = mock.patch("shop.auth.check_token")
            q.start()

        def test_slow(self):
            original = orders.pay
            def slow(*args):
                time.sleep(2)
                return original(*args)
            with mock.patch("shop.orders.pay", new=slow): pass
    """
    assert noted(source, "patch", "delay") == [
        ("patch", (6, 6), "shop.orders.a", "shop.orders.a", "decorator"),
        ("patch", (10, 10), "shop.orders.b", "shop.orders.b", "with"),
        ("patch", (11, 11), "shop.orders.c", "shop.orders.c", "monkeypatch"),
        ("patch", (12, 12), "shop.orders.d", "shop.orders.d", "mocker"),
        ("patch", (13, 13), "shop.orders.e", "shop.orders.e", "useFixture"),
        ("patch", (14, 14), "self.api.f", "self.api.f", "addCleanup at 16"),
        ("patch", (17, 17), "shop.auth.check_token", "shop.auth.check_token", "security"),
        ("patch", (25, 25), "shop.orders.pay", "shop.orders.pay", "with"),
        ("delay", (25, 25), "shop.orders.pay waits for 2 s in slow()", "23", "calls the original at 24"),
    ]


def test_resources_and_their_ends() -> None:
    source = """
        import socket, subprocess, threading

        def test_it(self):
            with open("a") as file: pass
            process = subprocess.Popen(["x"])
            process.wait()
            thread = threading.Thread(target=print)
            self.addCleanup(thread.join)
            socket.socket()
            open("b", "w").close()
    """
    assert noted(source, "resource") == [
        ("resource", (4, 4), "open('a')", "file", "with"),
        ("resource", (5, 5), "subprocess.Popen(['x'])", "process", "wait at 6"),
        ("resource", (7, 7), "threading.Thread(target=print)", "thread", "addCleanup at 8"),
        ("resource", (9, 9), "socket.socket()", "socket"),
        ("resource", (10, 10), "open('b', 'w')", "file", "close"),
    ]


def test_services() -> None:
    source = """
        class TestA(Base):
            def setUp(self):
                self.api = self.admin_api
                self.server = self.start_server("a")
                self.timer.start()

            def test_it(self):
                self.server.stop()
                self.admin_api.put_service("x", {})
                self.start_time = 5
    """
    assert noted(source, "start", "stop", "changed", "as admin") == [
        ("as admin", (3, 3), "self.api = self.admin_api", "self.api"),
        ("start", (4, 4), "self.start_server('a')", "self.server", "self.start_server"),
        ("stop", (8, 8), "self.server.stop()", "self.server"),
        ("changed", (9, 9), "self.admin_api.put_service('x', {})"),
    ]


# --- who ends what a method starts


class _Base:
    def start_server(self, name: str) -> None:
        self._begin(name)

    def _begin(self, name: str) -> None:
        self.addCleanup(print, name)

    def addCleanup(self, *_: object) -> None:  # noqa: N802 - as unittest has it
        pass

    def start_other(self) -> None:
        pass


class _Test(_Base):
    pass


@pytest.mark.parametrize(("method", "ends"), [("start_server", True), ("start_other", False), ("start_unknown", False)])
def test_the_live_class_tells_who_ends_it(method: str, *, ends: bool) -> None:
    import sys

    note = Note(9, "start", (1, 1), "x", ends=f"self.{method}")
    (settled,) = with_endings([note], sys.modules[__name__], lambda path: path.replace("\\", "/").rpartition("/")[2])
    line = _Base._begin.__code__.co_firstlineno
    assert settled.ends == (f"addCleanup in test_noting.py:{line}" if ends else "")


def test_without_a_module_nothing_is_known() -> None:
    (settled,) = with_endings([Note(9, "start", (1, 1), "x", ends="self.start")], None, str)
    assert settled.ends == ""


def test_notes_travel() -> None:
    note = Note(4, "setting", (1, 2), "a", subject="b", ends="c", marks=("d", "e"))
    assert from_plain({**asdict(note), "lines": [1, 2], "marks": ["d", "e"]}) == note
