"""Ignores in comments and markers: what they cover, and how bad ones are reported."""

from __future__ import annotations

import json

import pytest

from pytest_secaudit.source import TestModule
from pytest_secaudit.source.ignores import suppressions_in
from pytest_secaudit.suppressions import marker_suppression

SLEEP = "    time.sleep(1)"


def found(source: str):
    return suppressions_in(TestModule("tests/test_a.py", source))


@pytest.mark.parametrize(
    ("source", "first", "last"),
    [
        ("x = 1  # secaudit: ignore[PSA701] why\n", 1, 1),
        ("# secaudit: ignore[PSA701] why\nx = 1\n", 2, 2),
        ("# secaudit: ignore[PSA701] why\n\n# another comment\nx = 1\n", 4, 4),
        ("x = f(\n    1,  # secaudit: ignore[PSA701] why\n)\n", 1, 3),
        ("def test_a():  # secaudit: ignore[PSA701] why\n    a\n    b\n", 1, 3),
        ("# secaudit: ignore[PSA701] why\n@decorated\ndef test_a():\n    a\n", 2, 4),
        ("@decorated  # secaudit: ignore[PSA701] why\ndef test_a():\n    a\n", 1, 3),
        ("class TestA:  # secaudit: ignore[PSA701] why\n    def test_a(self):\n        a\n", 1, 3),
        ("with a:  # secaudit: ignore[PSA701] why\n    b\n", 1, 1),
    ],
    ids=[
        "trailing",
        "above",
        "above others",
        "inside a statement",
        "def",
        "above decorator",
        "decorator",
        "class",
        "with",
    ],
)
def test_comment_covers_its_statement_or_body(source: str, first: int, last: int) -> None:
    (suppression,) = found(source)
    assert (suppression.first, suppression.last) == (first, last)
    assert suppression.codes == ("PSA701",)
    assert suppression.reason == "why"
    assert suppression.problem is None


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("# secaudit: ignore[PSA701]", "gives no reason"),
        ("# secaudit: ignore[] because", "names no code"),
        ("# secaudit: ignore PSA701 because", "is not of the form"),
        ("# secaudit: off", "is not of the form"),
    ],
)
def test_malformed_comment_covers_nothing_and_says_why(comment: str, problem: str) -> None:
    (suppression,) = found(f"x = 1  {comment}\n")
    assert suppression.problem is not None
    assert suppression.problem.startswith(problem)
    assert not suppression.covers(1)


def test_several_codes_may_be_listed() -> None:
    (suppression,) = found("x = 1  # secaudit: ignore[PSA701, real-sleep PSA801] both are meant\n")
    assert suppression.codes == ("PSA701", "real-sleep", "PSA801")


def test_text_in_a_string_is_no_comment() -> None:
    assert found("x = '# secaudit: ignore[PSA701] why'\n") == ()


def test_other_comments_that_mention_it_are_left_alone() -> None:
    assert found("x = 1  # see the docs of secaudit: it is a plugin\n") == ()


@pytest.mark.parametrize(
    ("source", "first", "last"),
    [
        ("@pytest.mark.secaudit(ignore=['PSA701'], reason='why')\ndef test_a():\n    a\n", 1, 3),
        (
            "@pytest.mark.secaudit(ignore='PSA701', reason='why')\nclass TestA:\n    def test_a(self):\n        a\n",
            1,
            4,
        ),
        ("pytestmark = pytest.mark.secaudit(ignore=['PSA701'], reason='why')\na = 1\nb = 2\n", 1, 5),
        ("pytestmark = [pytest.mark.x, pytest.mark.secaudit(ignore=['PSA701'], reason='why')]\n", 1, 3),
    ],
    ids=["function", "class", "module", "list"],
)
def test_marker_covers_what_it_decorates(source: str, first: int, last: int) -> None:
    (suppression,) = found("import pytest\n" + source)
    shift = 0 if "pytestmark" in source else 1
    assert (suppression.first, suppression.last) == (first + shift, last + shift)
    assert suppression.problem is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"ignore": ["PSA701"]}, "gives no reason"),
        ({"reason": "why"}, "names no code"),
        ({"ignore": 701, "reason": "why"}, "names no code"),
        ({"ignore": ["PSA701"], "reason": "why", "until": "soon"}, "has an `until`"),
        ({"ignore": ["PSA701"], "reason": "why", "unitl": "2027-01-01"}, "has an unknown argument `unitl`"),
    ],
)
def test_malformed_marker_says_why(arguments, problem: str) -> None:
    suppression = marker_suppression(arguments, 1, 1, 9, None)
    assert suppression.problem is not None
    assert suppression.problem.startswith(problem)


# --- in a run


def audited(pytester: pytest.Pytester, source: str, *options: str) -> dict[str, list[str]]:
    """Status -> ``CODE:line`` of the findings of a run over ``source``."""
    pytester.makepyfile(test_it="import pytest, time\n" + source)
    pytester.runpytest("--secaudit", "--secaudit-report=json:audit.json", *options)
    data = json.loads((pytester.path / "audit.json").read_text())
    by_status: dict[str, list[str]] = {}
    for finding in data["findings"]:
        by_status.setdefault(finding["status"], []).append(f"{finding['code']}:{finding['line']}")
    return by_status


def test_comment_ignores_and_gives_its_reason(pytester: pytest.Pytester) -> None:
    result = audited(pytester, f"def test_a():\n{SLEEP}  # secaudit: ignore[PSA701] slow broker\n")
    assert result == {"ignored": ["PSA701:3"]}


def test_name_ignores_like_its_code(pytester: pytest.Pytester) -> None:
    assert audited(pytester, f"def test_a():\n{SLEEP}  # secaudit: ignore[real-sleep] slow\n") == {
        "ignored": ["PSA701:3"]
    }


def test_other_code_does_not_ignore_and_is_unused(pytester: pytest.Pytester) -> None:
    result = audited(pytester, f"def test_a():\n{SLEEP}  # secaudit: ignore[PSA801] slow\n")
    assert result == {"new": ["PSA701:3", "PSA090:3"]}


def test_unknown_code_is_reported(pytester: pytest.Pytester) -> None:
    assert audited(pytester, "def test_a():\n    pass  # secaudit: ignore[PSA999] slow\n") == {"new": ["PSA091:3"]}


def test_reasonless_ignore_suppresses_nothing(pytester: pytest.Pytester) -> None:
    result = audited(pytester, f"def test_a():\n{SLEEP}  # secaudit: ignore[PSA701]\n")
    assert result == {"new": ["PSA701:3", "PSA093:3"]}


def test_expired_ignore_still_holds_and_is_reported(pytester: pytest.Pytester) -> None:
    source = f"@pytest.mark.secaudit(ignore=['PSA701'], reason='r', until='2020-01-31')\ndef test_a():\n{SLEEP}\n"
    assert audited(pytester, source) == {"ignored": ["PSA701:4"], "new": ["PSA092:2"]}


def test_unused_ignore_is_not_reported_when_its_test_did_not_run(pytester: pytest.Pytester) -> None:
    source = "def test_a():\n    pytest.skip('not here')  # secaudit: ignore[PSA701] slow\n"
    assert audited(pytester, source) == {}
    assert audited(pytester, source, "--collect-only") == {}
    assert audited(pytester, source.replace("pytest.skip('not here')", "pass"), "-k", "nothing") == {}


def test_unused_ignore_outside_a_test_needs_a_complete_run(pytester: pytest.Pytester) -> None:
    source = "def helper():\n    pass  # secaudit: ignore[PSA701] slow\n\ndef test_a():\n    pass\n\ndef test_b():\n    pass\n"
    assert audited(pytester, source) == {"new": ["PSA090:3"]}
    assert audited(pytester, source, "-k", "test_a") == {}


def test_marker_on_every_parameter_set_holds_for_the_function(pytester: pytest.Pytester) -> None:
    mark = "marks=pytest.mark.secaudit(ignore=['PSA701'], reason='r')"
    source = (
        f"@pytest.mark.parametrize('n', [pytest.param(1, {mark}), pytest.param(2, {mark})])\ndef test_a(n):\n{SLEEP}\n"
    )
    assert audited(pytester, source) == {"ignored": ["PSA701:4"]}


def test_marker_on_one_parameter_set_is_not_enough(pytester: pytest.Pytester) -> None:
    mark = "marks=pytest.mark.secaudit(ignore=['PSA701'], reason='r')"
    source = f"@pytest.mark.parametrize('n', [pytest.param(1, {mark}), 2])\ndef test_a(n):\n{SLEEP}\n"
    assert audited(pytester, source) == {"new": ["PSA701:4"]}


def test_marker_added_by_a_hook_holds(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import pytest\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker(pytest.mark.secaudit(ignore=['PSA701'], reason='r'))\n"
    )
    assert audited(pytester, f"def test_a():\n{SLEEP}\n") == {"ignored": ["PSA701:3"]}


@pytest.mark.parametrize(
    "marker",
    ["secaudit", "secaudit()", "secaudit(1, 2)", "secaudit(ignore=object(), reason=3)", "secaudit(**{'x': 1})"],
)
def test_malformed_marker_never_stops_a_run(pytester: pytest.Pytester, marker: str) -> None:
    assert audited(pytester, f"@pytest.mark.{marker}\ndef test_a():\n    pass\n") == {"new": ["PSA093:2"]}


def test_no_suppress_shows_everything_as_new(pytester: pytest.Pytester) -> None:
    source = f"def test_a():\n{SLEEP}  # secaudit: ignore[PSA701] slow broker\n"
    assert audited(pytester, source, "--secaudit-no-suppress") == {"new": ["PSA701:3"]}


def test_expected_and_per_file_and_settings_hide_in_this_order(pytester: pytest.Pytester) -> None:
    source = f"def test_a():\n{SLEEP}\n"
    assert audited(pytester, source, "-o", "secaudit_expected=PSA701 * *::test_a  meant") == {"expected": ["PSA701:3"]}
    assert audited(pytester, source, "-o", "secaudit_expected=PSA701 * *::test_b  meant") == {"new": ["PSA701:3"]}
    assert audited(pytester, source, "-o", "secaudit_per_file_ignores=test_*.py: PSA7") == {"ignored": ["PSA701:3"]}
    assert audited(pytester, source, "--secaudit-ignore=PSA7") == {"ignored": ["PSA701:3"]}
    assert audited(pytester, source, "--secaudit-select=PSA8") == {}
