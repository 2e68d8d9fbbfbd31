"""Namespaces in real runs: who left what, at which line, and what is none of anybody's doing."""

from __future__ import annotations

import json
from typing import Any

import pytest

SHOP = """
HANDLERS = {}
LIMIT = 10
_client = None

class Cart:
    kind = "cart"
    lines = []

def connect():
    global _client
    _client = object()

def register(name):
    HANDLERS[name] = name
"""


def audit(pytester: pytest.Pytester, source: str, *args: str, shop: str = SHOP) -> dict[str, Any]:
    pytester.makepyfile(shop=shop, test_it=source)
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:a.json", *args)
    assert run.ret == 0, run.stdout.str()
    return json.loads(pytester.path.joinpath("a.json").read_text())  # type: ignore[no-any-return]


def found(data: dict[str, Any]) -> list[tuple[str, ...]]:
    assert data["evidence"]["watchers"]["namespaces"] == "on"
    return sorted(
        (one["code"], one["subject"], one["owner"]["id"].partition("::")[2], one["severity"], str(one["line"]))
        for one in data["findings"]
        if one["evidence"] == "confirmed"
    )


LEAKS = """\
import shop
import pytest

DATA = {"a": {"b": [1]}}

def test_attribute():
    shop.LIMIT = 100

def test_stub():
    shop.register = lambda name: None

def test_item():
    shop.HANDLERS["pdf"] = 1

def test_class():
    shop.Cart.lines.append(1)

def test_through_the_product():
    shop.connect()

def test_data():
    change(DATA)

def change(data):
    data["a"]["b"][0] = 2

@pytest.fixture
def other_kind():
    shop.Cart.kind = "other"
    yield

def test_with_fixture(other_kind):
    pass

def test_again_with_fixture(other_kind):
    pass

class TestIt:
    known = {}

    def test_class_attribute(self):
        TestIt.known["a"] = 1

class TestList:
    basket = []

    def test_list(self):
        self.basket.append("tea")
"""

LEFT = [
    ("PSA104", "shop.HANDLERS['pdf']", "test_item", "defect", "13"),
    ("PSA104", "test_it.DATA['a']['b']", "test_data", "defect", "21"),
    ("PSA105", "shop.Cart.lines", "test_class", "defect", "16"),
    ("PSA105", "test_it.TestIt.known['a']", "TestIt::test_class_attribute", "defect", "42"),
    ("PSA105", "test_it.TestList.basket", "TestList::test_list", "defect", "48"),
    ("PSA110", "shop._client", "test_through_the_product", "advisory", "18"),
    ("PSA501", "shop.Cart.kind", "other_kind", "defect", "29"),
    ("PSA501", "shop.LIMIT", "test_attribute", "defect", "7"),
    ("PSA501", "shop.register", "test_stub", "defect", "10"),
]


@pytest.mark.parametrize("args", [(), ("--secaudit-depth=exact",), ("-n", "2")])
def test_what_is_left_has_its_owner_and_line(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    assert found(audit(pytester, LEAKS, *args)) == LEFT


def test_the_order_of_the_tests_does_not_matter(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    assert found(audit(pytester, LEAKS, "--secaudit-depth=exact")) == LEFT


PUT_BACK = """
import unittest
from unittest import mock
import pytest
import shop

DATA = []
db = None

def setup_module():
    global db
    db = object()
    DATA.append("for all")

@pytest.fixture(autouse=True)
def fresh():
    DATA.clear()
    shop.HANDLERS.clear()
    yield

@pytest.fixture(scope="session", autouse=True)
def configured():
    shop.LIMIT = 5

@pytest.fixture(scope="class")
def small():
    old, shop.Cart.kind = shop.Cart.kind, "small"
    yield
    shop.Cart.kind = old

@pytest.fixture
def handlers():
    old = dict(shop.HANDLERS)
    yield
    shop.HANDLERS = old

def test_writes(monkeypatch):
    DATA.append(1)
    shop.HANDLERS["a"] = 1
    monkeypatch.setattr(shop, "LIMIT", 1)

def test_is_made_anew():
    DATA.append(2)

def test_registers(handlers):
    shop.register("x")

@mock.patch.object(shop, "connect")
def test_patched(connect):
    with mock.patch.dict(shop.HANDLERS, b=2), mock.patch("shop.Cart.kind", "x"):
        shop.connect()

@pytest.mark.usefixtures("small")
class TestSmall:
    def test_kind(self):
        assert shop.Cart.kind == "small"

class TestCase(unittest.TestCase):
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.shared = object()
        shop.Cart.lines.append(1)

    @classmethod
    def tearDownClass(cls):
        shop.Cart.lines.pop()

    def setUp(self):
        type(self).mine = object()
        self.options["a"] = 1
        old = shop.LIMIT
        shop.LIMIT = 3
        self.addCleanup(setattr, shop, "LIMIT", old)

    def test_it(self):
        self.assertTrue(self.shared and self.mine)

    def test_more(self):
        self.assertEqual(shop.LIMIT, 3)
"""


@pytest.mark.parametrize("args", [(), ("--secaudit-depth=exact",), ("-n", "2")])
def test_what_is_put_back_is_silent(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    data = audit(pytester, PUT_BACK, *args)
    assert [one for one in found(data) if one[3] != "info"] == []


def test_where_looks_are_too_dear_reading_tells_which_it_was(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "from pytest_secaudit.watch import turns\n"
        "turns.Turn.is_rich = False\n"
        "turns.Turn.is_affordable = lambda turn, now: False\n"
    )
    later = "\n\ndef test_more():\n    pass\n\ndef test_late():\n    shop.late = 1\n"
    data = audit(pytester, LEAKS + later)
    known = [one for one in LEFT if one[2] not in ("test_data", "test_through_the_product")]
    assert [one for one in found(data) if one in known] == known
    assert ("PSA501", "shop.late", "test_late", "defect", "55") in found(data)
    assert len(found(data)) == len(LEFT) + 1
    [first] = [one for one in data["findings"] if one["subject"] == "shop.LIMIT"]
    assert data["run"]["in_force"][first["fingerprint"]]["later_tests"] == 11


def test_what_a_test_left_after_its_failure_is_lower(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop=SHOP, test_it="import shop\ndef test_it():\n    shop.Cart.kind = 1\n    assert 0\n")
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:a.json")
    assert run.ret == 1
    [one] = [one for one in json.loads((pytester.path / "a.json").read_text())["findings"] if one["subject"]]
    assert (one["severity"], one["detail"]["after_failure"]) == ("advisory", True)


def test_not_at_the_depth_of_the_process(pytester: pytest.Pytester) -> None:
    data = audit(pytester, LEAKS, "--secaudit-depth=process")
    assert "namespaces" not in data["evidence"]["watchers"]
    assert [one for one in data["findings"] if one["evidence"] == "confirmed"] == []


def test_a_victim_is_named(pytester: pytest.Pytester) -> None:
    source = (
        "import shop\ndef test_a():\n    shop.Cart.kind = 1\n\ndef test_b():\n    assert shop.Cart.kind == 'cart'\n"
    )
    pytester.makepyfile(shop=SHOP, test_it=source)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:a.json")
    [one] = [one for one in json.loads((pytester.path / "a.json").read_text())["findings"] if one["subject"]]
    assert (one["victims"], one["try"]) == (["test_it.py::test_b"], "pytest test_it.py::test_a test_it.py::test_b")


def test_a_replaced_object_goes_with_its_test(pytester: pytest.Pytester) -> None:
    source = """
import gc, weakref
import shop

class Big:
    pass

shop.held = Big()
gone = weakref.ref(shop.held)

def test_a():
    shop.held = None

def test_b():
    gc.collect()
    assert gone() is None
"""
    assert found(audit(pytester, source))[0][1] == "shop.held"


def test_a_fixture_of_a_class_that_is_used_without_one_does_not_hold_windows_open(pytester: pytest.Pytester) -> None:
    source = """
import os, pytest

@pytest.fixture(scope="class", autouse=True)
def of_class():
    yield

def test_a(): pass
def test_b(): open(os.path.join(os.path.dirname(__file__), "left.txt"), "w").close()
def test_c(): pass
"""
    data = audit(pytester, source)
    assert [(one["code"], one["subject"], one["line"]) for one in data["findings"]] == [("PSA605", "left.txt", 8)]


def test_without_a_budget_the_end_of_the_module_tells(pytester: pytest.Pytester) -> None:
    source = "import shop\ndef test_a(): shop.connect()\ndef test_b(): pass\n"
    owners = [
        data["findings"][0]["owner"]["kind"]
        for data in (audit(pytester, source, "-o", f"secaudit_budget={budget}") for budget in (5, 0))
    ]
    assert owners == ["test", "window"]


def test_a_wrong_budget_stops_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = pytester.runpytest_subprocess("--secaudit", "-o", "secaudit_budget=much")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*secaudit_budget*much*per cent*"])


def test_a_folder_that_tests_share_is_looked_into(pytester: pytest.Pytester) -> None:
    """Until its clean-up begins: then it is for the fixture to end it."""
    source = """
import shutil
import pytest

@pytest.fixture(scope="module")
def user_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "config.ini").write_text("a")
    yield folder
    shutil.rmtree(folder)

def test_config(user_dir):
    (user_dir / "config.ini").write_text("changed")

def test_own(tmp_path):
    (tmp_path / "mine").write_text("x")
"""
    data = audit(pytester, source, "--secaudit-depth=exact")
    assert [(one["code"], one["severity"], one["subject"], one["owner"]["id"]) for one in data["findings"]] == [
        ("PSA605", "advisory", "user_dir/config.ini", "test_it.py::test_config")
    ]


def test_a_set_up_with_several_writing_lines_is_known_among_many(pytester: pytest.Pytester) -> None:
    """It sets up its own class anew each time, which is silent; told in a window it was everybody's."""
    pytester.makepyfile(test_before="import pytest\n@pytest.mark.parametrize('n', range(80))\ndef test_it(n): pass\n")
    source = """
import unittest

class Test(unittest.TestCase):
    options = {}

    def setUp(self):
        self.options.update(a=1)
        self.options["b"] = 2

    def test_a(self): pass
    def test_b(self): pass
    def test_c(self): pass
"""
    data = audit(pytester, source, "-o", "secaudit_budget=0.001", "test_before.py", "test_it.py")
    assert found(data) == []


def test_a_local_name_is_no_line_of_what_a_class_holds(pytester: pytest.Pytester) -> None:
    """As Django's `client`, which is made for the class anew by what sets tests up."""
    pytester.makepyfile(
        base="""
        import unittest

        class Base(unittest.TestCase):
            def run(self, result=None):
                type(self).client = object()
                return super().run(result)
        """
    )
    source = """
from base import Base

class Test(Base):
    client = object()

    def test_a(self):
        client = self.client
        assert client

    def test_b(self): pass
"""
    assert found(audit(pytester, source, "--secaudit-depth=exact")) == []


def test_a_suspicion_is_confirmed_among_however_many(pytester: pytest.Pytester) -> None:
    """The code of a finding does not hang on how many others may have been it."""
    many = "\n".join(f"    def test_{n}(self): pass" for n in range(120))
    source = f"""
import unittest
import shop

class Test(unittest.TestCase):
{many}
    def test_zz(self):
        shop.NAME = "b"
        shop.NAME = "c"
    def test_zzz(self):
        if shop is None:
            shop.NAME = "d"
"""
    shop = "NAME = 'a'\n"
    data = audit(pytester, source, "-o", "secaudit_budget=0.001", shop=shop)
    assert {one["code"] for one in data["findings"] if one["subject"] == "shop.NAME"} == {"PSA501"}
    assert all(len(owner["ids"]) <= 20 for one in data["findings"] for owner in one["owners"])


@pytest.mark.parametrize("args", [(), ("--secaudit-depth=exact",)], ids=["deep", "exact"])
def test_a_function_that_the_audit_listens_to_is_put_back(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    source = """
        import socket

        def test_with_monkeypatch(monkeypatch):
            monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [])

        def test_leaves_it():
            socket.getaddrinfo = lambda *a, **k: []
    """
    assert {owner for _, _, owner, *_ in found(audit(pytester, source, *args))} == {"test_leaves_it"}
