"""The SARIF report: what GitHub needs of it, its limits, and that no name can break it.

Two judges are programs of others, from npm: the schema in ``@microsoft/jest-sarif`` and the multitool with GitHub's own
rules in ``@microsoft/sarif-multitool-linux``. Where ``SECAUDIT_SARIF_TOOLS`` names the folder that holds their
``node_modules``, they judge, too.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.conclusion import conclude
from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    INFO,
    Audit,
    Check,
    EvidenceSummary,
    Finding,
    Gate,
    NotAudited,
    Owner,
    Place,
    Run,
)
from pytest_secaudit.reports import sarif
from pytest_secaudit.reports.in_repository import in_repository, shortened
from pytest_secaudit.reports.line_hash import line_hashes
from pytest_secaudit.reports.sarif import as_data, is_about_security, render

RUN = Run("3.12.1", "9.2.0", "deep", 0, (), 20.0, 0.5, complete=True, exit_status=0, collect_only=False)
EVIDENCE = EvidenceSummary(2, 3, 3, 0, 3, 1, ("PSA101",), {"environ": "on"}, ())
CHECKS = built_in()
A, B = "tests/test_a.py", "tests/test_b.py"
SOURCES = {
    A: "import os\n\n\ndef test_x():\n    os.environ['TZ'] = 'UTC'\n    assert True\n",
    B: "def test_y():\r\n    assert f()\r\n",
}


def source_of(path: str) -> str:
    if path not in SOURCES:
        raise FileNotFoundError(path)
    return SOURCES[path]


def finding(code: str = "PSA101", **more: Any) -> Finding:
    owner = Owner("test", f"{A}::test_x", A, 4, "function")
    values: dict[str, Any] = {
        "code": code, "name": "environ-not-restored", "severity": DEFECT, "message": "test_x left os.environ['TZ'] set",
        "path": A, "line": 5, "column": 5, "end_line": 5, "owner": owner, "owners": (owner,), "fingerprint": "f00d",
        "evidence": "confirmed", "fix": "monkeypatch.setenv('TZ', 'UTC')",
    }  # fmt: skip
    return Finding(**{**values, **more})


def audit(*findings: Finding, run: Run = RUN, evidence: EvidenceSummary = EVIDENCE, gate: Gate = Gate()) -> Audit:
    told = conclude(findings, (), evidence, {}, collect_only=False)
    return Audit(version="0.1.0", run=run, evidence=evidence, gate=gate, findings=findings, conclusion=told)


def run_of(result: Audit, *, checks: tuple[Check, ...] = CHECKS, root: str = "") -> dict[str, Any]:
    (run,) = as_data(result, checks, source_of, root=root)["runs"]
    assert isinstance(run, dict)
    return run


def result_of(one: Finding, root: str = "") -> dict[str, Any]:
    (result,) = run_of(audit(one), root=root)["results"]
    assert isinstance(result, dict)
    return result


def region_of(one: Finding) -> dict[str, int]:
    return result_of(one)["locations"][0]["physicalLocation"]["region"]


def uri_of(location: dict[str, Any]) -> str:
    artifact = location["physicalLocation"]["artifactLocation"]
    assert artifact["uriBaseId"] == "%SRCROOT%"
    assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", artifact["uri"])
    return artifact["uri"]


def notes_of(result: Audit) -> list[tuple[str, str]]:
    (invocation,) = run_of(result)["invocations"]
    return [(one["level"], one["message"]["text"]) for one in invocation["toolExecutionNotifications"]]


# --- a result


def test_a_confirmed_finding() -> None:
    other = Owner("fixture", "tests/conftest.py::zone", "tests/conftest.py", 12, "module", written_at=Place(B, 2))
    one = finding(
        owners=(finding().owner, other), written_at=Place("tests/helpers.py", 88), victims=(f"{B}::test_y",), cwe=459
    )
    result = result_of(one)
    assert result == {
        "ruleId": "PSA101",
        "ruleIndex": [check.code for check in CHECKS].index("PSA101"),
        "level": "error",
        "rank": 90.0,
        "message": {
            "text": "test_x left os.environ['TZ'] set. Fix: monkeypatch.setenv('TZ', 'UTC'). "
            "Owners: [tests/test_a.py::test_x](1), [tests/conftest.py::zone](2). "
            "Written at: [tests/helpers.py:88](3), [tests/test_b.py:2](4). "
            "Failed while it was in force: tests/test_b.py::test_y."
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": A, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 5, "startColumn": 5, "endLine": 5, "endColumn": 29},
                }
            }
        ],
        "relatedLocations": [
            related(1, A, 4, "the test"),
            related(2, "tests/conftest.py", 12, "the fixture"),
            related(3, "tests/helpers.py", 88, "written here"),
            related(4, B, 2, "written here"),
        ],
        "partialFingerprints": {"secaudit/v1": "f00d", "primaryLocationLineHash": line_hashes(SOURCES[A])[4]},
        "properties": {"evidence": "confirmed", "precision": "very-high"},
    }


def related(number: int, path: str, line: int, said: str) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": path, "uriBaseId": "%SRCROOT%"}, "region": {"startLine": line}}
    return {"id": number, "message": {"text": said}, "physicalLocation": place}


def test_what_was_only_read_says_so_and_ranks_below_what_was_seen() -> None:
    seen, read, missed = (result_of(finding(evidence=one)) for one in ("confirmed", "suspected", "not-reached"))
    assert seen["rank"] > read["rank"] > missed["rank"]
    assert [one["properties"]["precision"] for one in (seen, read, missed)] == ["very-high", "medium", "low"]
    assert "no run has confirmed it" in read["message"]["text"]
    assert "did not get there" in missed["message"]["text"]
    assert "uspected" not in seen["message"]["text"]


@pytest.mark.parametrize(("severity", "level"), [(DEFECT, "error"), (ADVISORY, "warning"), (INFO, "note")])
def test_levels(severity: Any, level: str) -> None:
    assert result_of(finding(severity=severity))["level"] == level


def test_a_comment_that_explains_a_sleep_is_told_in_place_of_the_fix() -> None:
    text = result_of(finding(acknowledged="3-4: the race", severity=INFO))["message"]["text"]
    assert "Acknowledged at 3-4: the race." in text
    assert "Fix" not in text


def test_of_many_owners_three_are_named() -> None:
    owners = tuple(Owner("test", f"{A}::test_{number}", A, number) for number in range(1, 8))
    result = result_of(finding(owners=owners, owner=owners[0]))
    assert "Owners: [tests/test_a.py::test_1](1), " in result["message"]["text"]
    assert "[tests/test_a.py::test_3](3) and 4 more." in result["message"]["text"]
    assert len(result["relatedLocations"]) == 7


def test_the_line_to_edit_is_not_named_as_the_line_that_wrote() -> None:
    text = result_of(finding(written_at=Place(A, 5)))["message"]["text"]
    assert "Written at" not in text


def test_what_lies_outside_the_repository_is_named_without_a_link() -> None:
    result = result_of(finding(written_at=Place("<site-packages>/dotenv/main.py", 3)))
    assert "Written at: <site-packages>/dotenv/main.py:3." in result["message"]["text"]
    assert len(result["relatedLocations"]) == 1


def test_what_nobody_on_stage_did_has_no_owner() -> None:
    nobody = Owner("outside", "outside", "", 0)
    result = result_of(finding(owner=nobody, owners=(nobody,)))
    assert "Owner" not in result["message"]["text"]
    assert "relatedLocations" not in result


def test_only_new_findings_are_in_it_and_the_others_are_counted() -> None:
    hidden = [replace(finding(), status=status) for status in ("ignored", "ignored", "expected", "baselined")]
    result = audit(finding(), *hidden)
    assert len(run_of(result)["results"]) == 1
    assert ("note", "findings that are left out: 1 baselined, 1 expected, 2 ignored.") in notes_of(result)


def test_the_worst_come_first_whatever_order_they_are_given_in() -> None:
    some = [finding(severity=INFO), finding(severity=DEFECT, evidence="suspected"), finding(severity=DEFECT)]
    results = run_of(audit(*some))["results"]
    assert [(one["level"], one["properties"]["evidence"]) for one in results] == [
        ("error", "confirmed"),
        ("error", "suspected"),
        ("note", "confirmed"),
    ]


def test_results_of_several_files_keep_their_order_and_each_file_is_read_once() -> None:
    read: list[str] = []

    def reading(path: str) -> str:
        read.append(path)
        return source_of(path)

    some = audit(finding(path=B, line=1, severity=INFO), finding(severity=ADVISORY), finding(path=B, line=2))
    results = as_data(some, CHECKS, reading)["runs"][0]["results"]
    found = [(uri_of(one["locations"][0]), one["partialFingerprints"]["primaryLocationLineHash"]) for one in results]
    assert found == [(B, line_hashes(SOURCES[B])[1]), (A, line_hashes(SOURCES[A])[4]), (B, line_hashes(SOURCES[B])[0])]
    assert sorted(read) == [A, B]


# --- the place


@pytest.mark.parametrize("line", [0, -3, 8, 10_000])
def test_a_finding_without_a_usable_line_is_pinned_to_line_one(line: int) -> None:
    one = finding(line=line, end_line=line, column=90)
    assert region_of(one) == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 10}
    assert result_of(one)["partialFingerprints"]["primaryLocationLineHash"] == line_hashes(SOURCES[A])[0]


@pytest.mark.parametrize(
    ("line", "column", "end_line", "region"),
    [
        (4, 1, 6, (4, 1, 6, 16)),
        (4, 1, 99, (4, 1, 7, 1)),  # the file has become shorter
        (5, 99, 5, (5, 1, 5, 29)),
        (5, 0, 2, (5, 1, 5, 29)),
        (3, 1, 3, (3, 1, 3, 1)),
    ],
)
def test_a_region_is_one_that_the_file_has(line: int, column: int, end_line: int, region: tuple[int, ...]) -> None:
    found = region_of(finding(line=line, column=column, end_line=end_line))
    assert (found["startLine"], found["startColumn"], found["endLine"], found["endColumn"]) == region


@pytest.mark.parametrize(
    "error", [FileNotFoundError("gone"), UnicodeDecodeError("ascii", b"", 0, 1, "no"), SyntaxError("unknown encoding")]
)
def test_of_a_file_that_cannot_be_read_the_line_is_believed_and_not_hashed(error: Exception) -> None:
    def failing(path: str) -> str:
        raise error

    one = finding(path="gone.py", line=30, end_line=31, column=0)
    (result,) = as_data(audit(one), CHECKS, failing)["runs"][0]["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 30, "startColumn": 1, "endLine": 31}
    assert result["partialFingerprints"] == {"secaudit/v1": "f00d"}


@pytest.mark.parametrize(
    ("path", "root", "uri"),
    [
        ("tests/test_a.py", "", "tests/test_a.py"),
        ("tests/test_a.py", "services/api", "services/api/tests/test_a.py"),
        ("tests/test_a.py", "./services\\api/", "services/api/tests/test_a.py"),
        ("../shared/test_a.py", "services/api", "services/shared/test_a.py"),
        ("./tests/a b#?%é.py", "", "tests/a%20b%23%3F%25%C3%A9.py"),
        ("a:b.py", "", "a%3Ab.py"),
        ("a\\b[1].py", "", "a%5Cb%5B1%5D.py"),
    ],
)
def test_uris_are_relative_to_the_root_of_the_repository_and_encoded(path: str, root: str, uri: str) -> None:
    result = result_of(finding(path=path), root)
    assert uri_of(result["locations"][0]) == uri
    assert not uri.startswith("/")


@pytest.mark.parametrize(
    "path", ["../x.py", "../../x.py", "<site-packages>/x.py", "/abs/x.py", "C:/x.py", "<string>", "..", "a/../../x"]
)
def test_what_lies_outside_is_pinned_to_the_owner(path: str) -> None:
    assert in_repository(path, "") is None
    (location,) = result_of(finding(path=path))["locations"]
    assert (uri_of(location), location["physicalLocation"]["region"]) == (A, {"startLine": 4})


@pytest.mark.parametrize(("root", "uri"), [("", "."), ("services/api", "services/api")])
def test_what_has_no_place_at_all_is_pinned_to_the_folder(root: str, uri: str) -> None:
    nobody = Owner("outside", "outside", "", 0)
    one = finding(path="", line=0, owner=nobody, owners=(nobody,))
    assert uri_of(result_of(one, root)["locations"][0]) == uri


# --- rules


def test_every_check_is_a_rule_whatever_was_found() -> None:
    rules = run_of(audit())["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [check.code for check in CHECKS]


def test_a_rule_holds_the_page_of_its_check() -> None:
    rule = next(rule for rule in run_of(audit())["tool"]["driver"]["rules"] if rule["id"] == "PSA101")
    page = next(check for check in CHECKS if check.code == "PSA101")
    assert rule["shortDescription"]["text"] == page.summary
    assert rule["fullDescription"]["text"].startswith(page.summary)
    assert page.page.strip() in rule["help"]["text"]
    assert page.page.strip() in rule["help"]["markdown"]
    assert "cwe.mitre.org/data/definitions/459.html" in rule["help"]["markdown"]
    assert "ignore[PSA101]" in rule["help"]["markdown"]
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule["properties"] == {
        "precision": "medium",
        "problem.severity": "error",
        "tags": ["test-suite", "mock-and-test-environment", "external/cwe/cwe-459"],
    }


def test_rules_that_are_about_security_and_their_scores() -> None:
    """A score makes security alerts of all results: only checks that are about security by themselves have one."""
    rules = run_of(audit())["tool"]["driver"]["rules"]
    scores = {rule["id"]: rule["properties"].get("security-severity") for rule in rules}
    assert {code: score for code, score in scores.items() if score} == {
        "PSA205": "7.0",
        "PSA301": "7.0",
        "PSA302": "7.0",
        "PSA303": "4.0",
        "PSA401": "4.0",
        "PSA802": "0.1",
        "PSA903": "0.1",
    }
    assert all(("security" in rule["properties"]["tags"]) == bool(scores[rule["id"]]) for rule in rules)


def test_a_word_in_the_page_or_the_place_makes_no_rule_about_security() -> None:
    check = replace(CHECKS[0], page="Security, token and password.", name="insecurity-feared")
    assert not is_about_security(check)
    assert run_of(audit(finding("PSA001", security="token")))["tool"] == run_of(audit())["tool"]
    assert result_of(finding(security="token"))["properties"]["security"] == "token"


def test_the_precision_of_a_rule_is_that_of_its_evidence_not_of_this_run() -> None:
    rules = run_of(audit(finding("PSA101", evidence="suspected")))["tool"]["driver"]["rules"]
    precision = {rule["id"]: rule["properties"]["precision"] for rule in rules}
    assert (precision["PSA510"], precision["PSA004"], precision["PSA101"]) == ("very-high", "high", "medium")


def test_a_check_of_somebody_else_keeps_the_limits_too() -> None:
    check = Check("PSA999", "n" * 300, ADVISORY, page=f"{'word ' * 400}\n\n{'more ' * 400}", cwe=89)
    empty = Check("PSA998", "no-page", INFO, page="")
    rules = run_of(audit(finding("PSA999"), finding("ZZZ1")), checks=(check, empty, check))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["PSA998", "PSA999"]
    for rule in rules:
        assert len(rule["name"]) <= 255
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
        assert len(rule["properties"]["tags"]) <= 20
    assert rules[1]["properties"]["security-severity"] == "4.0"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_descriptions_end_with_a_sentence(check: Check) -> None:
    rule = next(rule for rule in run_of(audit())["tool"]["driver"]["rules"] if rule["id"] == check.code)
    assert len(rule["fullDescription"]["text"]) <= 1024
    assert rule["fullDescription"]["text"].endswith((".", ":", ")"))
    assert "..." not in rule["fullDescription"]["text"][-3:]


def test_a_finding_of_a_check_that_is_not_given_has_no_index() -> None:
    (result,) = run_of(audit(finding()), checks=())["results"]
    assert result["ruleId"] == "PSA101"
    assert "ruleIndex" not in result


# --- the run


@pytest.mark.parametrize(
    ("status", "successful"), [(0, True), (1, True), (2, False), (3, False), (4, False), (5, True)]
)
def test_the_invocation(status: int, successful: bool) -> None:
    gate = Gate("defect", failed=True, reason="the audit failed the run: 1 new finding at or above defect")
    (invocation,) = run_of(audit(finding(), run=replace(RUN, exit_status=status), gate=gate))["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (status, successful)
    assert invocation["exitCodeDescription"] == gate.reason


def test_what_was_not_audited_is_said() -> None:
    evidence = replace(
        EVIDENCE,
        not_audited=(
            NotAudited("tests/a b.py", "not valid Python"),
            NotAudited("pytest_hook", "the audit failed here"),
        ),
        watchers={"environ": "on", "threads": "failed: boom", "descriptors": "off: not on this platform"},
    )
    result = audit(run=replace(RUN, workers_lost=("gw1",)), evidence=evidence)
    assert notes_of(result) == [
        ("note", "no defects found in 3 tests of 2 modules."),
        ("warning", "worker gw1 was lost; what its tests did is not known."),
        ("warning", "watcher threads: failed: boom."),
        ("warning", "not audited: tests/a b.py: not valid Python."),
        ("warning", "not audited: pytest_hook: the audit failed here."),
    ]
    notes = run_of(result)["invocations"][0]["toolExecutionNotifications"]
    assert [uri_of(place) for one in notes for place in one.get("locations", ())] == ["tests/a%20b.py"]


def test_nothing_audited_is_a_warning() -> None:
    assert notes_of(audit(evidence=replace(EVIDENCE, modules=0))) == [
        ("warning", "nothing was audited: no test module was read.")
    ]


def test_a_part_of_a_repository_has_an_id_of_its_own() -> None:
    assert run_of(audit(), root="services/api/")["automationDetails"] == {"id": "pytest-secaudit/services/api/"}
    assert "automationDetails" not in run_of(audit())


def test_the_tool() -> None:
    driver = run_of(audit())["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("pytest-secaudit", "0.1.0")


# --- limits


def test_the_limits_are_those_of_github() -> None:
    assert (sarif.MAX_RESULTS, sarif.SHOWN_RESULTS, sarif.MAX_LOCATIONS) == (25_000, 5_000, 1_000)


def test_the_least_severe_results_are_left_out_and_counted() -> None:
    mild, bad = finding(severity=INFO), finding(severity=DEFECT)
    result = audit(*[mild] * 20_000, *[bad] * 5_002)
    run = run_of(result)
    assert len(run["results"]) == 25_000
    assert [one["level"] for one in run["results"][5_000:5_004]] == ["error", "error", "note", "note"]
    said = [text for level, text in notes_of(result) if level == "warning"]
    assert said == [
        "2 of 25,002 findings are left out, the least severe: GitHub takes 25,000.",
        "GitHub shows 5,000 of 25,002 findings, the most severe.",
    ]


def test_a_result_has_no_more_locations_than_github_takes() -> None:
    owners = tuple(Owner("test", f"{A}::test_{number}", A, number) for number in range(1_200))
    one = finding(owners=owners, written_at=Place(B, 1))
    result = result_of(one)
    assert len(result["relatedLocations"]) + len(result["locations"]) == 1_000
    assert "Written at: tests/test_b.py:1." in result["message"]["text"]  # nothing to link to
    assert ("warning", "202 locations of owners left out: GitHub takes 1,000 for a result.") in notes_of(audit(one))


def test_notifications_are_not_without_end() -> None:
    unread = tuple(NotAudited(f"t{number}.py", "no") for number in range(1_500))
    notes = notes_of(audit(evidence=replace(EVIDENCE, not_audited=unread)))
    assert len(notes) == 1_002
    assert notes[-1] == ("warning", "not audited: 500 more files.")


# --- hostile names


LONG = "tests/test_a.py::test_x[" + "x" * 10_000 + "]"
HOSTILE = (
    "\x1b[31mred\x1b[0m \x00\x07\x7f\x9b31m",
    "\u202etset_x\u2066\u200b\u2028\u2029\u0085",
    "\n::error file=a.py::pwned\r\n##[error]pwned",
    "%0A::error::pwned%25%0D {0} {{1}} %SRCROOT% %(x)s %s",
    "[x](1) [click](https://evil.example) ![i](javascript:alert(1))",
    "a]b[c \\ \\[ \\\\ x](1",
    "</script><img src=x onerror=alert(1)> & &lt;",
    "\ud800 \udcff",
    "# title\n\n* **x** `y` | z | ~~s~~ $(id) `id` ${{ secrets.X }} 'q' \"q\"",
    "語 \U0001f600 \u0301",
    "../../../etc/passwd",
    "C:\\x\\y.py",
    "\t ",
    "",
    LONG,
)


def random_texts(count: int) -> Iterator[str]:
    chance = random.Random(0)
    pieces = [*"[]()\\1{}%:,\n\r\x00\x1b\u202e\ud800<>&/.#`'\" ab", "::error", "](1)", "%0A", "..", "é", "\U0001f600"]
    for _ in range(count):
        yield "".join(chance.choices(pieces, k=chance.randrange(1, 30)))


def named(text: str) -> Finding:
    """A finding in which every word of the user is this one."""
    owner = Owner("fixture", text, text, 3, "session", text, (text,), Place(text, 7))
    return finding(
        message=text, path=text, owner=owner, owners=(owner, finding().owner), subject=text, fix=text, security=text,
        written_at=Place(text, 9), victims=(text,), acknowledged=None, reason=text, try_command=text, seen_by=(text,),
    )  # fmt: skip


def links_of(message: str) -> list[tuple[str, str]]:
    """The links that a viewer sees in a plain text message (SARIF 2.1.0, 3.11.6), and what they say."""
    found = re.finditer(r"\\.|\[((?:\\.|[^\\\[\]])*)\]\(([^)]+)\)", message, re.DOTALL)
    return [(unescaped(match[1]), match[2]) for match in found if match[1] is not None]


def unescaped(text: str) -> str:
    return re.sub(r"\\([\[\]\\])", r"\1", text)


@pytest.mark.parametrize("text", [*HOSTILE, *random_texts(200)], ids=lambda text: ascii(text[:20]))
def test_no_name_breaks_out_of_its_field(text: str) -> None:
    (result,) = run_of(audit(named(text)))["results"]
    said = result["message"]["text"]
    assert said.isprintable()
    inside = bool(text and in_repository(text, ""))
    owner = shortened(text, 200)
    wanted = [(owner, "1"), (f"{A}::test_x", "2")] if inside else [(f"{A}::test_x", "1")]
    if inside:
        wanted += [(f"{owner}:9", "3"), (f"{owner}:7", "4")]
    assert links_of(said) == wanted
    assert len(result.get("relatedLocations", ())) == len(wanted)
    for location in (*result["locations"], *result["relatedLocations"]):
        uri = uri_of(location)
        assert ".." not in uri.split("/")
        assert unquote(uri) in (A, in_repository(text, ""))
    assert unescaped(said).startswith(shortened(text) or "environ-not-restored")


@pytest.mark.parametrize("text", ["os.environ['TZ'] set", "f() == [] and x[1][2]", r"\d+ \x1b", "globals['x']()", "[]"])
def test_ordinary_code_is_told_as_it_is(text: str) -> None:
    """Not every viewer knows the escapes."""
    assert result_of(finding(message=text))["message"]["text"].startswith(f"{text}. ")


@pytest.mark.parametrize("text", ["[x](1)", "call['x'](event)", "x[", "]", r"\[x", "\\\\", "[[x]](1)"])
def test_what_a_viewer_may_take_for_a_link_is_escaped(text: str) -> None:
    said = result_of(finding(message=text, fix=""))["message"]["text"]
    assert links_of(said) == [(f"{A}::test_x", "1")]
    assert unescaped(said).startswith(f"{text}. ")


def test_long_texts_are_cut() -> None:
    said = result_of(finding(message=LONG, fix=LONG))["message"]["text"]
    assert len(said) < 3_000
    assert unescaped(said).startswith(LONG[:900])


def test_the_text_is_ascii_sorted_and_the_same_each_time() -> None:
    result = audit(*map(named, HOSTILE), evidence=replace(EVIDENCE, not_audited=(NotAudited(HOSTILE[0], HOSTILE[7]),)))
    text = render(result, CHECKS, source_of)
    assert text.isascii()
    assert "\\u0000" not in text.replace("\\\\", "")
    assert json.dumps(json.loads(text), ensure_ascii=False).encode()  # half of a character would be no text
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
    assert text == render(result, CHECKS, source_of)


# --- judged by others


MADE = {
    "empty": audit(),
    "ordinary": audit(
        finding(written_at=Place("tests/helpers.py", 88), cwe=459),
        finding("PSA701", severity=ADVISORY, evidence="suspected", line=0),
        finding("PSA802", severity=INFO, evidence="not-reached", path="<site-packages>/x.py", security="token"),
        finding("PSA704", path="", owner=Owner("outside", "outside", "", 0), owners=()),
        finding(status="ignored"),
        run=replace(RUN, workers_lost=("gw0",), exit_status=1),
        evidence=replace(EVIDENCE, not_audited=(NotAudited("tests/c.py", "not valid Python"),)),
        gate=Gate("defect", failed=True, reason="the audit failed the run"),
    ),
    "nothing-audited": audit(evidence=replace(EVIDENCE, modules=0), run=replace(RUN, exit_status=4)),
    "many-owners": audit(finding(owners=tuple(Owner("test", f"{A}::t{n}", A, n) for n in range(1_200)))),
    "hostile": audit(
        *map(named, (*HOSTILE, *random_texts(100))),
        evidence=replace(EVIDENCE, not_audited=tuple(NotAudited(text, text) for text in HOSTILE)),
    ),
}


@pytest.fixture(scope="session")
def tools() -> Path:
    folder = os.environ.get("SECAUDIT_SARIF_TOOLS")
    if not folder:
        pytest.skip("SECAUDIT_SARIF_TOOLS names no folder with the npm packages that judge SARIF")
    return Path(folder, "node_modules", "@microsoft")


@pytest.fixture(scope="session")
def schemas(tools: Path) -> list[jsonschema.protocols.Validator]:
    found = [*tools.glob("*/lib/schemas/sarif-2.1.0*.json"), *tools.glob("*/sarif-2.1.0.json")]
    if not found:
        pytest.skip("the schema of @microsoft/jest-sarif is not there")
    loaded = [json.loads(path.read_text("utf-8")) for path in found]
    return [jsonschema.validators.validator_for(schema)(schema) for schema in loaded]


def test_the_schema_finds_what_is_wrong(schemas: list[jsonschema.protocols.Validator]) -> None:
    data = as_data(audit(finding()), CHECKS, source_of)
    data["runs"][0]["results"][0]["level"] = "bogus"
    assert not any(schema.is_valid(data) for schema in schemas)


@pytest.mark.parametrize("name", MADE)
def test_the_schema_holds(name: str, schemas: list[jsonschema.protocols.Validator]) -> None:
    data = json.loads(render(MADE[name], CHECKS, source_of, root="services/api"))
    for schema in schemas:
        schema.validate(data)


def judged(tools: Path, folder: Path) -> list[tuple[str, str, str]]:
    """What the multitool says of the reports in a folder: rule, level, file. Its exit status says nothing."""
    program = tools / "sarif-multitool-linux" / "Sarif.Multitool"
    if not os.access(program, os.X_OK):
        pytest.skip("@microsoft/sarif-multitool-linux is not there, or may not be executed")
    said = folder / "said.json"
    command = [
        program,
        "validate",
        folder / "*.sarif",
        "--rule-kind",
        "Sarif;Ghas",
        "-o",
        said,
        "--log",
        "ForceOverwrite",
    ]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300)
    assert said.exists(), done.stdout + done.stderr
    (run,) = json.loads(said.read_text("utf-8-sig"))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"].get("rules", ())]
    files = [item["location"]["uri"] for item in run.get("artifacts", ())]
    assert all(one["executionSuccessful"] for one in run["invocations"])
    return [
        (
            one.get("ruleId") or rules[one["ruleIndex"]],
            one.get("level", "warning"),
            str(one["locations"][0]["physicalLocation"]["artifactLocation"].get("uri") or files),
        )
        for one in run["results"]
    ]


def test_githubs_own_rules_find_what_is_wrong(tools: Path, tmp_path: Path) -> None:
    data = as_data(audit(finding()), CHECKS, source_of)
    del data["runs"][0]["results"][0]["locations"]
    (tmp_path / "wrong.sarif").write_text(json.dumps(data), encoding="utf-8")
    assert any(rule.startswith("GH") and level == "error" for rule, level, _ in judged(tools, tmp_path))


def test_githubs_own_rules_find_nothing(tools: Path, tmp_path: Path) -> None:
    for name, result in MADE.items():
        (tmp_path / f"{name}.sarif").write_text(render(result, CHECKS, source_of), encoding="utf-8")
        text = render(result, CHECKS, source_of, root="services/api")
        (tmp_path / f"{name}-in-part.sarif").write_text(text, encoding="utf-8")
    assert judged(tools, tmp_path) == []


class Taken:
    """Takes the result of a run from the audit, as the session has it."""

    result: Audit | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.result = config.pluginmanager.get_plugin("secaudit-session").result  # type: ignore[union-attr]


def test_the_report_of_a_real_run(
    tools: Path, schemas: list[jsonschema.protocols.Validator], pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(
        """
        import os, time
        import pytest

        @pytest.fixture(params=["a b", "[x](1)", "::error::%0A"])
        def zone(request):
            os.environ["SHOP_ZONE"] = request.param

        def test_zone(zone):
            time.sleep(0.05)
            assert os.environ["SHOP_ZONE"]

        def test_nothing():
            len("x") == 1
        """
    )
    taken = Taken()
    pytester.runpytest_inprocess("--secaudit", "-p", "no:cacheprovider", plugins=[taken])
    assert taken.result is not None
    text = render(taken.result, CHECKS, lambda path: (pytester.path / path).read_text("utf-8"))
    results = json.loads(text)["runs"][0]["results"]
    assert {"PSA006", "PSA101", "PSA701"} <= {one["ruleId"] for one in results}
    assert all("primaryLocationLineHash" in one["partialFingerprints"] for one in results)
    for schema in schemas:
        schema.validate(json.loads(text))
    (tmp_path / "real.sarif").write_text(text, encoding="utf-8")
    assert judged(tools, tmp_path) == []
