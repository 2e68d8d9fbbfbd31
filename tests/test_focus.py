"""What the last run found is looked at first by the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_secaudit.focus import Focus


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    Focus(tmp_path).write({"shop", "shop.orders"})
    Focus(tmp_path, "gw0").write({"test_it"})
    assert Focus(tmp_path).read() == {"shop", "shop.orders", "test_it"}
    Focus(tmp_path).write(())
    assert Focus(tmp_path).read() == {"test_it"}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"3", b"[1, null]", b'{"a": 1}'])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "focus.json").write_bytes(content)
    assert Focus(tmp_path).read() <= {"a"}


def test_where_it_cannot_be_kept_the_next_run_does_without(tmp_path: Path) -> None:
    Focus(tmp_path / "missing").write({"shop"})
    assert Focus(tmp_path / "missing").read() == frozenset()


SLOW_LOOKS = """
from pytest_secaudit.watch import turns
turns.Turn.is_rich = False
turns.Turn.is_affordable = lambda turn, now: any("near" in look.__name__ for look in turn.looks) and bool(turn.share)
"""

TESTS = """
import shop

def test_a():
    pass

def test_b():
    helper(shop)

def helper(module):
    module.LIMIT = 3

def test_c():
    pass
"""


def test_a_second_run_knows_the_owner_that_the_first_did_not(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SLOW_LOOKS)
    pytester.makepyfile(shop="LIMIT = 1", test_it=TESTS.replace("helper(shop)", "vars(shop)['LI' + 'MIT'] = 3"))
    owners = []
    for _ in range(2):
        run = pytester.runpytest_subprocess("--secaudit", "--secaudit-report=json:a.json")
        assert run.ret == 0
        [one] = json.loads((pytester.path / "a.json").read_text())["findings"]
        owners.append((one["owner"]["kind"], one["owner"]["id"]))
    assert owners == [("window", "test_it.py::test_a ... test_it.py::test_c"), ("test", "test_it.py::test_b")]


def test_it_is_kept_in_pytests_cache(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop="LIMIT = 1", test_it=TESTS)
    pytester.runpytest_subprocess("--secaudit", "-n", "2")
    found = [json.loads(path.read_text()) for path in pytester.path.glob(".pytest_cache/d/secaudit/focus*.json")]
    assert sorted(name for names in found for name in names) == ["shop"]
