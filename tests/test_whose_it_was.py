"""Whose doing it was, in real runs: what nobody did is nobody's, and what is not known is not made up."""

from __future__ import annotations

import json
from typing import Any

import pytest


def audit(pytester: pytest.Pytester, *args: str, ret: int = 0) -> list[dict[str, Any]]:
    """The findings that a run confirmed."""
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:a.json", *args)
    assert run.ret == ret, run.stdout.str()
    data = json.loads(pytester.path.joinpath("a.json").read_text())
    assert not any("failed" in state for state in data["evidence"]["watchers"].values()), data["evidence"]["watchers"]
    return [one for one in data["findings"] if one["evidence"] == "confirmed"]


#: With this nobody can afford to look after each test.
WINDOWS = """
import pytest_secaudit.watch.turns as turns

def pytest_configure():
    turns.Turn.is_rich = property(lambda self: False)
    turns.Turn.is_affordable = lambda self, now: False
"""


def test_the_modules_that_are_loaded_are_nobodys_container_under_whatever_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        shop="""
        import sys

        LOADED = sys.modules
        PATHS = [sys.path]
        COPY = dict(sys.modules)

        class Stash:
            def __init__(self, modules=sys.modules):
                self.modules = modules

        stash = Stash()
        """,
        test_it="""
        import sys
        import shop

        stash = shop.Stash()

        def test_import():
            import colorsys
            shop.COPY["pytest_secaudit.late"] = sys
            assert colorsys

        def test_after():
            shop.COPY.pop("pytest_secaudit.plugin")
        """,
    )
    assert not audit(pytester, "--secaudit-depth=exact")


POOLS = """
import multiprocessing.pool
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

pools = {}

def look_up():
    try:
        socket.getaddrinfo("example.invalid", 80)
    except OSError:
        pass

def test_innocent():
    pools["executor"] = ThreadPoolExecutor(1)
    pools["pool"] = multiprocessing.pool.ThreadPool(1)
    assert pools["executor"].submit(int).result() == pools["pool"].apply(int) == 0

def test_guilty():
    pools["executor"].submit(look_up).result()

def test_guilty_too():
    pools["pool"].apply(socket.gethostbyname, ("127.0.0.1",))
    pools["pool"].apply(look_up)
    pools.pop("executor").shutdown()
    pools.pop("pool").terminate()
"""


def test_what_a_worker_of_a_pool_does_is_of_who_handed_it_in(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=POOLS)
    (found,) = [one for one in audit(pytester) if one["code"] == "PSA901"]
    assert [owner["id"] for owner in found["owners"]] == ["test_it.py::test_guilty", "test_it.py::test_guilty_too"]


def test_what_a_thread_does_is_still_of_who_started_it(pytester: pytest.Pytester) -> None:
    source = """
    import socket
    import threading

    started, go = [], threading.Event()

    def look_up():
        go.wait(10)
        try:
            socket.getaddrinfo("example.invalid", 80)
        except OSError:
            pass

    def test_guilty():
        started.append(threading.Thread(target=look_up, daemon=True))
        started[0].start()

    def test_innocent():
        go.set()
        started.pop().join()
    """
    pytester.makepyfile(test_it=source)
    (found,) = [one for one in audit(pytester) if one["code"] == "PSA901"]
    assert [owner["id"] for owner in found["owners"]] == ["test_it.py::test_guilty"]


def test_words_line_and_owner_of_a_contact_are_of_one_test(pytester: pytest.Pytester) -> None:
    source = """
    import socket
    from concurrent.futures import ThreadPoolExecutor

    def test_b():
        try:
            socket.getaddrinfo("example.invalid", 80)
        except OSError:
            pass

    def test_a():
        with ThreadPoolExecutor(1) as pool:  # no line of the test is on the stack of the worker
            assert pool.submit(socket.getaddrinfo, "example.invalid", 80).exception()
    """
    pytester.makepyfile(test_it=source)
    (found,) = [one for one in audit(pytester) if one["code"] == "PSA901"]
    assert found["owner"]["id"] == "test_it.py::test_a"
    assert found["message"].startswith("test_a reached")
    assert found["line"] == 10


def test_a_value_that_every_set_up_makes_anew_is_nobodys_debt(pytester: pytest.Pytester) -> None:
    source = """
    import unittest

    class TestNested(unittest.TestCase):
        class Handler:
            prepared = False
            asked = 0

            def prepare(self):
                type(self).prepared = True
                type(self).asked = True

        def setUp(self):
            super().setUp()
            self.Handler.prepared = False

        def test_1(self):
            assert not self.Handler.prepared

        def test_2(self):
            self.Handler().prepare()
            assert self.Handler.prepared

    def test_after():
        pass
    """
    pytester.makepyfile(test_it=source)
    for depth in ("deep", "exact"):
        seen = audit(pytester, f"--secaudit-depth={depth}")
        assert [one["subject"] for one in seen] == ["test_it.TestNested.Handler.asked"]
    pytester.makeconftest(WINDOWS)
    (found,) = audit(pytester)
    assert found["subject"] == "test_it.TestNested.Handler.asked"
    assert found["owner"]["id"] == "test_it.py::TestNested::test_1 ... test_it.py::TestNested::test_2"


def test_a_container_that_was_borrowed_is_compared_with_what_was_in_it(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("pkg")
    pytester.path.joinpath("pkg/__init__.py").write_text("from .low import OPTIONS, OTHERS\n")
    pytester.path.joinpath("pkg/low.py").write_text("OPTIONS = ['a']\nOTHERS = ['a']\n")
    pytester.makepyfile(
        test_it="""
        import pkg.low

        def test_put_back_by_equal_ones():
            pkg.OPTIONS = pkg.low.OPTIONS = ["b"]
            pkg.OPTIONS, pkg.low.OPTIONS = ["a"], ["a"]

        def test_left():
            pkg.OTHERS = ["b"]
        """
    )
    (found,) = audit(pytester)
    assert (found["subject"], found["owner"]["id"]) == ("pkg.OTHERS", "test_it.py::test_left")
    assert found["message"] == "test_left left pkg.OTHERS with other contents, a list of 1"


def test_an_object_that_classes_of_two_modules_hold_is_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        a_memory="import shop\n\nclass Memory:\n    features = shop.Base.features\n",
        shop="class Base:\n    features = dict(a=1)\n",
        test_it="""
        import a_memory

        def test_left():
            a_memory.Memory.features["a"] = 2
        """,
    )
    (found,) = audit(pytester)
    assert (found["code"], found["subject"]) == ("PSA105", "shop.Base.features['a']")


def test_the_writer_of_an_import_is_not_the_one_that_writes_another(pytester: pytest.Pytester) -> None:
    source = """
    import sys
    import pytest

    def test_writer():
        sys.modules.pop("colorsys", None)
        sys.modules.pop("colorsys", None)
        import colorsys
        import pstats

    def test_another():
        sys.modules.pop("sndhdr_", None)

    def test_last():
        pass
    """
    windows = "import colorsys\nimport pytest_secaudit.watch.engine as engine\nengine.Engine._can_afford = lambda self: self.ledger.acting.id.endswith('last')\n"
    pytester.makepyfile(test_it=source)
    pytester.makeconftest(windows)
    (found,) = [one for one in audit(pytester) if "colorsys" in one["subject"]]
    assert (found["owner"]["id"], found["line"]) == ("test_it.py::test_writer", 4)


def test_a_file_that_a_failed_test_left_is_told_after_its_failure(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("data.txt").write_text("old")
    source = """
    import pathlib

    def test_it():
        pathlib.Path(__file__).with_name("data.txt").write_text("new")
        assert 0

    def test_after():
        pass
    """
    pytester.makepyfile(test_it=source)
    for depth in ("deep", "exact"):
        (found,) = [one for one in audit(pytester, f"--secaudit-depth={depth}", ret=1) if one["code"] == "PSA605"]
        assert found["detail"]["after_failure"] is True
        assert found["message"].endswith("after its failure")
        assert found["severity"] == "advisory"


def test_a_subject_with_the_name_of_a_file_is_the_same_everywhere(pytester: pytest.Pytester) -> None:
    source = """
    import logging

    SEEN = {}

    def test_it():
        logging.getLogger(__file__).setLevel(10)
        SEEN[__file__] = 1
        SEEN[logging.__file__] = 1
        SEEN[pytest.__file__] = 1
    """
    pytester.makepyfile(test_it=source.replace("import logging", "import logging, pytest"))
    found = {one["subject"]: one for one in audit(pytester)}
    assert {"test_it.SEEN['<rootdir>/test_it.py']", "test_it.SEEN['<site-packages>/pytest/__init__.py']"} < found.keys()
    assert (
        found["logging.getLogger('<rootdir>/test_it.py').level"]["fix"] == "caplog.set_level(logging.DEBUG, logger=...)"
    )


def test_the_line_of_a_window_is_that_of_its_first_test_or_of_the_one_that_names_the_key(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(WINDOWS)
    pytester.makepyfile(
        shop="""
        HANDLERS = {}
        SEEN = {}

        def register(name):
            HANDLERS[name] = name

        def see():
            SEEN["this"] = 1
        """,
        test_it="""
        import pytest
        import shop

        def test_first():
            shop.see()

        def test_names_it():
            shop.register("pizza")

        @pytest.fixture
        def client():
            return 1

        def test_last(client):
            assert client
        """,
    )
    found = {one["subject"]: one for one in audit(pytester)}
    pizza, this = found["shop.HANDLERS['pizza']"], found["shop.SEEN['this']"]
    assert (pizza["owner"]["kind"], pizza["line"]) == ("window", 7)
    assert (this["owner"]["kind"], this["line"]) == ("window", 4)
    assert this["message"].startswith("test_first ... test_it.py::test_last left")


def test_what_a_window_of_one_test_and_its_fixture_left_names_both(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WINDOWS)
    pytester.makepyfile(
        shop="STATE = {}\n\ndef start():\n    STATE['a'] = 1\n",
        test_it="""
        import pytest
        import shop

        @pytest.fixture
        def client():
            shop.start()

        def test_it(client):
            assert client is None
        """,
    )
    (found,) = audit(pytester)
    assert found["message"].startswith("client ... test_it.py::test_it left shop.STATE")
    assert found["line"] == 8


def test_a_parameter_is_of_the_test_that_gets_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WINDOWS)
    source = """
    import pytest

    def fill(scope):
        scope.update({"type": "http"})

    def test_before():
        pass

    @pytest.mark.parametrize("expected, scope", [(1, {"client": 1})])
    def test_client(scope, expected):
        fill(scope)
        assert scope["client"] == expected

    def test_after():
        pass
    """
    pytester.makepyfile(test_it=source)
    (found,) = audit(pytester)
    assert [owner["id"].partition("[")[0] for owner in found["owners"]] == ["test_it.py::test_client"]
    assert found["fix"] == "work on a copy: scope = copy.deepcopy(scope)"


FIXES = """
import os
import unittest
from unittest import mock

import pkg
import pkg.asyncio
import pkg.deep as below
from pkg.deep import Cart
import asyncio

sock = mock.Mock()
STATE = 1

def put(holder, name, value=2):
    setattr(holder, name, value)

def test_the_standard_librarys_name():
    put(pkg.asyncio, "mode")

def test_another_name():
    put(below, "LIMIT")

def test_a_class():
    put(Cart, "kind")

def test_no_name_for_it():
    put(pkg.hidden(), "left")

def test_of_its_own():
    global STATE
    STATE = 2

def test_child():
    assert sock.family()

class TestCase(unittest.TestCase):
    def test_environ(self):
        below.start()

    def test_attribute(self):
        put(below, "RATE")

    def test_item(self):
        below.fill()
"""


def test_fixes_can_be_typed_in(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("pkg")
    pytester.path.joinpath("pkg/__init__.py").write_text("def hidden():\n    import pkg.low\n    return pkg.low\n")
    pytester.path.joinpath("pkg/asyncio.py").write_text("import pkg.low\nmode = 'a'\n")
    pytester.path.joinpath("pkg/low.py").write_text("left = 1\n")
    pytester.path.joinpath("pkg/deep.py").write_text(
        "import os\nLIMIT = RATE = 1\nTABLE = {'a': 1}\n\nclass Cart:\n    kind = 'cart'\n\n"
        "def start():\n    os.environ['LEFT'] = '1'\n\ndef fill():\n    TABLE['a'] = 2\n"
    )
    pytester.makepyfile(test_it=FIXES)
    fixes = {one["subject"]: one["fix"] for one in audit(pytester)}
    assert fixes == {
        "pkg.asyncio.mode": 'monkeypatch.setattr(pkg.asyncio, "mode", ...)',
        "pkg.deep.LIMIT": 'monkeypatch.setattr(below, "LIMIT", ...)',
        "pkg.deep.Cart.kind": 'monkeypatch.setattr(Cart, "kind", ...)',
        "pkg.low.left": 'monkeypatch.setattr("pkg.low.left", ...)',
        "test_it.STATE": 'monkeypatch.setattr(sys.modules[__name__], "STATE", ...)',
        "test_it.sock.family": "make sock in a fixture",
        "os.environ['LEFT']": "mock.patch.dict(os.environ, {'LEFT': ...})",
        "pkg.deep.RATE": 'mock.patch.object(below, "RATE", ...)',
        "pkg.deep.TABLE['a']": "work on a copy of TABLE, or mock.patch.dict(TABLE, ...)",
    }
