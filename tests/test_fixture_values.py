"""PSA106 in a run: what tests do to values of fixtures that they share."""

from __future__ import annotations

import json
from typing import Any

import pytest

HEAD = """
import pytest

@pytest.fixture(scope="module")
def db():
    yield {"ann": 1}

@pytest.fixture(scope="session")
def names():
    return ["ann"]

"""


def audit(pytester: pytest.Pytester, source: str, *args: str) -> dict[str, Any]:
    pytester.makepyfile(test_it=HEAD + source)
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:a.json", *args)
    assert run.ret == 0, run.stdout.str()
    return json.loads(pytester.path.joinpath("a.json").read_text())  # type: ignore[no-any-return]


def found(data: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return sorted(
        (one["subject"], one["owner"]["id"].partition("::")[2], one["severity"], one["evidence"])
        for one in data["findings"]
        if one["code"] == "PSA106"
    )


WRITES = """
def helper(value):
    value["bob"] = 2

def test_through_a_helper(db):
    helper(db)

def test_later(db):
    assert db

def test_adds(names):
    names.append("bob")
"""


@pytest.mark.parametrize("args", [(), ("--secaudit-depth=exact",), ("-n", "2")])
def test_what_a_test_writes_is_confirmed_with_its_owner(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    assert found(audit(pytester, WRITES, *args)) == [
        ("fixture:db['bob']", "test_through_a_helper", "defect", "confirmed"),
        ("fixture:names", "test_adds", "advisory", "confirmed"),
    ]


def test_the_suspicion_gives_the_line(pytester: pytest.Pytester) -> None:
    data = audit(pytester, "def test_a(db):\n    assert db\n    db.update(\n        bob=2)\n")
    (one,) = [one for one in data["findings"] if one["code"] == "PSA106"]
    assert (one["evidence"], one["subject"]) == ("confirmed", "fixture:db['bob']")
    assert one["line"] == len((HEAD + "def test_a(db):\n    assert db\n    db").strip().split("\n"))


MANY = """
@pytest.mark.parametrize("number", range(150))
def test_much(number):
    pass

def write(value):
    value["bob"] = 2

def test_writes(db):
    write(db)

@pytest.mark.parametrize("number", range(150))
def test_more(number, db):
    pass

@pytest.fixture
def writer(names):
    names.clear()

def test_through_a_fixture(writer):
    pass

def test_reads(db):
    assert db
"""


def test_the_owner_is_exact_also_where_close_looks_are_too_dear(pytester: pytest.Pytester) -> None:
    assert found(audit(pytester, MANY)) == [
        ("fixture:db['bob']", "test_writes", "defect", "confirmed"),
        ("fixture:names", "writer", "defect", "confirmed"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "def test_a(db, monkeypatch):\n    monkeypatch.setitem(db, 'ann', 2)\n",
        "def test_a(db):\n    db['x'] = 1\n    del db['x']\n",
        "@pytest.fixture(autouse=True)\ndef add(doctest_namespace):\n    doctest_namespace['x'] = 1\n\ndef test_a():\n    pass\n",
        "@pytest.fixture\ndef own(db):\n    return dict(db)\n\ndef test_a(own):\n    own['x'] = 1\n",
        (
            "@pytest.fixture(autouse=True)\ndef clean(db):\n    yield\n    db.pop('x', None)\n\n"
            "def write(db):\n    db['x'] = 1\n\ndef test_a(db):\n    write(db)\n"
        ),
        (
            "@pytest.fixture(scope='module')\ndef filled(db):\n    db['x'] = 1\n    yield db\n    del db['x']\n\n"
            "def test_a(filled):\n    assert filled\n"
        ),
    ],
)
def test_correct_code_is_silent(pytester: pytest.Pytester, source: str) -> None:
    assert found(audit(pytester, source)) == []


def test_it_is_not_watched_at_depth_process(pytester: pytest.Pytester) -> None:
    data = audit(pytester, WRITES, "--secaudit-depth=process")
    assert "fixture values" not in data["evidence"]["watchers"]
    assert [one[-1] for one in found(data)] == ["suspected"]
