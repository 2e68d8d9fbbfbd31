"""One process, several and shards give equal reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("equal_reports.py")

CONFTEST = """
import os
import subprocess
import sys
import time

import pytest


@pytest.fixture(scope="session")
def broker():
    os.environ["BROKER"] = "on"
    yield {"sent": []}


@pytest.fixture
def slow():
    time.sleep(0.02)


@pytest.fixture
def program():
    subprocess.run([sys.executable, "-c", ""], check=True)


def refuse(answer):
    if answer is None:
        pytest.fail("no answer")
    return answer
"""
SHOP = """
REGISTRY = {}
CURRENCY = "EUR"


class Cart:
    limit = 3


def pay():
    return "paid"


def send():
    raise OSError
"""
TESTS = {
    "a": """
import logging
import os
import time
from unittest import mock

import shop
from conftest import refuse


def test_leaves(broker):
    os.environ["LEFT_BY_A"] = "1"
    shop.REGISTRY["a"] = 1
    assert refuse(1)


def test_shares():
    os.environ["SHARED"] = "a"
    assert os.environ


def test_sleeps(slow):
    time.sleep(0.03)
    assert time


def test_clears():
    try:
        int("x")
    except ValueError as error:
        assert "x" in str(error)


def test_simulates():
    with mock.patch("shop.pay", side_effect=OSError):
        assert shop.CURRENCY == "EUR"


def test_checks_nothing():
    shop.pay()
""",
    "b": """
import os
import socket
import threading

import pytest

import shop


@pytest.fixture(scope="module")
def cart():
    shop.Cart.limit = 5


@pytest.mark.parametrize("number", range(6))
def test_shares(number, cart, program):
    os.environ["SHARED"] = f"b{number}"
    assert shop.Cart.limit == 5


def test_listens():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert server


def test_starts_a_thread():
    gate = threading.Event()
    threading.Thread(target=gate.wait, args=(2,), daemon=True, name="waits").start()
    assert gate


def test_logs():
    import logging
    logging.getLogger("shop").setLevel("DEBUG")
    assert logging
""",
    "c": """
import os
import unittest
from unittest import mock

import shop


class TestShop(unittest.TestCase):
    def setUp(self):
        self.patcher = mock.patch("shop.CURRENCY", "USD")
        self.patcher.start()
        os.environ["SHARED"] = "c"

    def test_currency(self):
        self.assertEqual(shop.CURRENCY, "USD")

    def test_guard(self):
        if shop.CURRENCY == "EUR":
            self.fail("not patched")

    @unittest.skip("later")
    def test_later(self):
        pass


def test_program(program, slow):
    assert shop.pay()


def test_leaves(broker):
    with open("left.txt", "w") as file:
        file.write("x")
    assert broker
""",
}


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\nsecaudit_depth = exact\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(shop=SHOP, **{f"test_{name}": source for name, source in TESTS.items()})
    return pytester


def run(pytester: pytest.Pytester, name: str, *options: str) -> None:
    done = pytester.runpytest_subprocess(
        "--secaudit", "--secaudit-fixtures", f"--secaudit-report=json:{name}.json", *options
    )
    assert done.ret == 0, done.stdout.str()
    (pytester.path / "left.txt").unlink(missing_ok=True)


def merge(pytester: pytest.Pytester, name: str, *shards: str) -> None:
    files = [f"{shard}.json" for shard in shards]
    subprocess.run(
        [sys.executable, "-m", "pytest_secaudit", "merge", *files, f"--report=json:{name}.json"],
        cwd=pytester.path, check=True, capture_output=True,
    )  # fmt: skip


def compare(folder: Path, *names: str) -> list[str]:
    """What the script says of the differences."""
    paths = [f"{name}.json" for name in names]
    done = subprocess.run([sys.executable, SCRIPT, *paths], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == (done.stdout != "equal\n")
    return done.stdout.splitlines()


def test_processes_and_shards_find_the_same(suite: pytest.Pytester) -> None:
    run(suite, "one")
    run(suite, "two", "-n2")
    run(suite, "four", "-n4")
    for name in TESTS:
        run(suite, name, f"test_{name}.py")
    run(suite, "by_test", "-k", "leaves or shares or guard")
    run(suite, "the_rest", "-k", "not (leaves or shares or guard)", "-n2")
    merge(suite, "in_order", *"abc")
    merge(suite, "in_reverse", *"cba")
    merge(suite, "by_keyword", "the_rest", "by_test")
    one = json.loads((suite.path / "one.json").read_text("utf-8"))
    found = {finding["code"] for finding in one["findings"]}
    assert found >= {"PSA101", "PSA104", "PSA112", "PSA510", "PSA601", "PSA605", "PSA701", "PSA902"}
    assert one["conclusion"]["dimensions"][2]["cleared"] == 1
    assert compare(suite.path, "one", "two", "four", "in_order", "in_reverse", "by_keyword") == ["equal"]


def test_the_script_names_what_differs(tmp_path: Path) -> None:
    for name, report in (
        ("a", {"run": 1, "sleep": {"total_s": 1.0}, "findings": [{"message": "slept 0.21 s"}], "contacts": [1]}),
        ("b", {"run": 2, "sleep": {"total_s": 2.0}, "findings": [{"message": "slept 3 s"}], "contacts": [1]}),
        ("c", {"sleep": {}, "findings": [{"message": "slept"}], "contacts": [1, 2], "more": 1}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    assert compare(tmp_path, "a", "b") == ["equal"]
    assert compare(tmp_path, "a", "b", "c") == [
        "c.json: .contacts: only in the first [], only in the other [2]",
        "c.json: .findings[0].message: 'slept N s' != 'slept'",
        "c.json: .more: only in the other",
    ]
