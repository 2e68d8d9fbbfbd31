"""Settings are parsed strictly, and what they cover is what users mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_secaudit.catalogue import UnknownCode, matching, one
from pytest_secaudit.checks import built_in
from pytest_secaudit.model import ADVISORY, Finding, Owner
from pytest_secaudit.settings import (
    BadSetting,
    parse_budget,
    parse_expected,
    parse_level,
    parse_per_file_ignore,
    parse_report,
    selected,
)

CHECKS = built_in()


def finding(path: str = "tests/unit/test_a.py", subject: str | None = None) -> Finding:
    owner = Owner("test", f"{path}::test_a", path, 1)
    return Finding(
        code="PSA701",
        name="real-sleep",
        severity=ADVISORY,
        message="m",
        path=path,
        line=2,
        column=1,
        end_line=2,
        owner=owner,
        fingerprint="f",
        subject=subject,
    )


@pytest.mark.parametrize("selector", ["PSA701", "psa701", "real-sleep", " PSA701 "])
def test_code_and_name_mean_one_check(selector: str) -> None:
    assert [check.code for check in matching(selector, CHECKS)] == ["PSA701"]
    assert one(selector, CHECKS).code == "PSA701"


def test_prefix_means_its_family() -> None:
    family = matching("PSA2", CHECKS)
    assert len(family) > 1
    assert all(check.code.startswith("PSA2") for check in family)


def test_prefix_is_not_one_check() -> None:
    with pytest.raises(UnknownCode):
        one("PSA2", CHECKS)


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("real-slep", "PSA701 real-sleep"), ("PSA70", "PSA70"), ("zzz", "--secaudit-list")]
)
def test_unknown_code_names_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(UnknownCode, match=nearest):
        one(wrong, CHECKS)


def test_select_replaces_the_default_set() -> None:
    assert selected("s", [], CHECKS) == CHECKS
    assert [check.code for check in selected("s", ["PSA701, real-sleep", "PSA801"], CHECKS)] == ["PSA701", "PSA801"]


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("tests/unit/*", "tests/unit/test_a.py", True),
        ("tests/unit", "tests/unit/test_a.py", True),
        ("./tests/", "tests/unit/test_a.py", True),
        ("test_a.py", "tests/unit/test_a.py", True),
        ("unit/test_*.py", "tests/unit/test_a.py", True),
        ("tests/*.py", "tests/unit/test_a.py", True),
        ("tests/integration/*", "tests/unit/test_a.py", False),
        ("test_b.py", "tests/unit/test_a.py", False),
        ("nit/test_a.py", "tests/unit/test_a.py", False),
    ],
)
def test_per_file_ignore_covers_what_its_glob_means(glob: str, path: str, covered: bool) -> None:
    entry = parse_per_file_ignore("s", f"{glob}: PSA7", CHECKS)
    assert entry.covers(finding(path)) is covered


@pytest.mark.parametrize("line", ["tests PSA7", ": PSA7", "tests:", "tests: PSA999"])
def test_wrong_per_file_ignore_is_refused(line: str) -> None:
    with pytest.raises(BadSetting, match="s: "):
        parse_per_file_ignore("s", line, CHECKS)


@pytest.mark.parametrize(
    ("line", "subject", "owner", "reason"),
    [
        ("PSA701 os.environ['TZ']  set once for all", "os.environ['TZ']", "*", "set once for all"),
        ("PSA701 os.environ* tests/*::test_a  set  once", "os.environ*", "tests/*::test_a", "set once"),
        ("PSA701 * because it is slow", "*", "*", "because it is slow"),
        ("PSA701 * tests/* because it is slow", "*", "tests/*", "because it is slow"),
    ],
)
def test_expected_is_code_subject_owner_and_reason(line: str, subject: str, owner: str, reason: str) -> None:
    entry = parse_expected("s", line, CHECKS)
    assert (entry.subject, entry.owner, entry.reason) == (subject, owner, reason)
    assert entry.codes == {"PSA701"}


@pytest.mark.parametrize("line", ["PSA701", "PSA701 *", "PSA999 *  why", "PSA701 a b c  why"])
def test_wrong_expected_is_refused(line: str) -> None:
    with pytest.raises(BadSetting):
        parse_expected("s", line, CHECKS)


def test_expected_covers_by_subject_and_owner() -> None:
    entry = parse_expected("s", "PSA701 os.environ* *::test_a  why", CHECKS)
    assert entry.covers(finding(subject="os.environ['TZ']"))
    assert not entry.covers(finding(subject="os.getcwd()"))
    assert not entry.covers(finding())


def test_level_is_one_of_four() -> None:
    assert parse_level("s", "defect") == "defect"
    with pytest.raises(BadSetting, match="none, defect, advisory, info"):
        parse_level("s", "Defect")


def test_report_is_format_and_path() -> None:
    target = parse_report("s", "json:out/a:b.json", Path("/base"))
    assert target.path == Path("/base/out/a:b.json")
    assert parse_report("s", "json:/abs/a.json", Path("/base")).path == Path("/abs/a.json")


def test_expected_takes_a_subject_as_the_report_prints_it() -> None:
    """In a glob the brackets of ``os.environ['TZ']`` would be a set of characters."""
    entry = parse_expected("s", "PSA701 os.environ['TZ']  why", CHECKS)
    assert entry.covers(finding(subject="os.environ['TZ']"))
    assert not entry.covers(finding(subject="os.environ['LANG']"))
    any_key = parse_expected("s", "PSA701 os.environ['T*']  why", CHECKS)
    assert any_key.covers(finding(subject="os.environ['TZ']"))


@pytest.mark.parametrize(("given", "expected"), [("", 5.0), ("0", 0.0), ("2.5", 2.5), ("100", 100.0)])
def test_a_budget(given: str, expected: float) -> None:
    assert parse_budget("secaudit_budget", given) == expected


@pytest.mark.parametrize("given", ["much", "-1", "101", "nan"])
def test_a_wrong_budget_names_itself(given: str) -> None:
    with pytest.raises(BadSetting, match="secaudit_budget"):
        parse_budget("secaudit_budget", given)
