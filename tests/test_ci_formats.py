"""Workflow commands for GitHub and the Code Quality report of GitLab: their form, their limits, and hostile names."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from pytest_secaudit.conclusion import conclude
from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    INFO,
    Audit,
    EvidenceSummary,
    Finding,
    Gate,
    Owner,
    Run,
    Severity,
)
from pytest_secaudit.reports import github, gitlab
from pytest_secaudit.reports.in_repository import in_repository, shortened

RUN = Run("3.12.1", "9.2.0", "deep", 0, (), 20.0, 0.5, complete=True, exit_status=0, collect_only=False)
EVIDENCE = EvidenceSummary(2, 3, 3, 0, 3, 1, ("PSA101",), {"environ": "on"}, ())
A, B = "tests/test_a.py", "tests/test_b.py"


def finding(code: str = "PSA101", **more: Any) -> Finding:
    owner = Owner("test", f"{A}::test_x", A, 4, "function")
    values: dict[str, Any] = {
        "code": code, "name": "environ-not-restored", "severity": DEFECT, "message": "test_x left os.environ['TZ'] set",
        "path": A, "line": 5, "column": 5, "end_line": 5, "owner": owner, "owners": (owner,), "fingerprint": "f00d",
        "evidence": "confirmed", "fix": "monkeypatch.setenv('TZ', 'UTC')",
    }  # fmt: skip
    return Finding(**{**values, **more})


def audit(*findings: Finding) -> Audit:
    told = conclude(findings, (), EVIDENCE, {}, collect_only=False)
    return Audit(version="0.1.0", run=RUN, evidence=EVIDENCE, gate=Gate(), findings=findings, conclusion=told)


# --- how the runner of GitHub Actions reads a line


Command = tuple[str, dict[str, str], str]


def as_the_runner_reads(line: str) -> Command | None:
    """The command of a line, as ``TryParseV2`` in ``ActionCommand.cs`` of github.com/actions/runner finds it."""
    line = line.lstrip()
    if not line.startswith("::"):
        return None
    end = line.find("::", 2)
    if end < 0:
        return None
    name, _, listed = line[2:end].partition(" ")
    if name not in ("error", "warning", "notice", "add-mask", "debug", "group", "stop-commands"):
        return None
    pairs = (one.split("=", 1) for one in listed.strip().split(",") if one)
    properties = {pair[0]: unescaped(pair[1], "\r\n:,%") for pair in pairs if len(pair) == 2}
    return name, properties, unescaped(line[end + 2 :], "\r\n%")


def unescaped(text: str, escaped: str) -> str:
    for one in escaped:
        text = text.replace(f"%{ord(one):02X}", one)
    return text


def commands(text: str) -> list[Command]:
    """What the runner makes of all that was printed; every line must be a command."""
    lines = re.split("\r\n|\r|\n", text)
    assert lines.pop() == ""
    read = [as_the_runner_reads(line) for line in lines]
    assert None not in read
    return [one for one in read if one is not None]


# --- GitHub


def test_an_annotation() -> None:
    assert github.render(audit(finding())) == (
        "::error file=tests/test_a.py,line=5,endLine=5,col=5,title=PSA101 environ-not-restored"
        "::test_x left os.environ['TZ'] set%0Afix: monkeypatch.setenv('TZ', 'UTC')\n"
    )


@pytest.mark.parametrize(("severity", "kind"), [(DEFECT, "error"), (ADVISORY, "warning"), (INFO, "notice")])
def test_kinds(severity: Severity, kind: str) -> None:
    assert commands(github.render(audit(finding(severity=severity))))[0][0] == kind


def test_without_new_findings_nothing_is_printed() -> None:
    assert github.render(audit()) == ""
    assert github.render(audit(*[replace(finding(), status=one) for one in ("ignored", "expected", "baselined")])) == ""


def test_what_was_not_seen_is_called_suspected() -> None:
    for evidence in ("suspected", "not-reached"):
        ((_, _, message),) = commands(github.render(audit(finding(evidence=evidence))))
        assert message.startswith("suspected: test_x left")


def test_a_comment_that_explains_is_told_in_place_of_the_fix() -> None:
    ((_, _, message),) = commands(github.render(audit(finding(acknowledged="3: the race"))))
    assert message == "test_x left os.environ['TZ'] set\nacknowledged at 3: the race"


@pytest.mark.parametrize(
    ("line", "column", "end_line", "place"),
    [
        (5, 5, 5, {"line": "5", "endLine": "5", "col": "5"}),
        (5, 5, 9, {"line": "5", "endLine": "9"}),  # the runner drops columns of several lines
        (0, 0, 0, {"line": "1"}),
        (7, 1, 2, {"line": "7", "endLine": "7", "col": "1"}),
    ],
)
def test_the_place_is_one_that_the_runner_takes(line: int, column: int, end_line: int, place: dict[str, str]) -> None:
    ((_, properties, _),) = commands(github.render(audit(finding(line=line, column=column, end_line=end_line))))
    assert {key: value for key, value in properties.items() if key not in ("file", "title")} == place


@pytest.mark.parametrize(
    ("path", "root", "file"),
    [
        (A, "services/api", "services/api/tests/test_a.py"),
        ("../shared/a.py", "services/api", "services/shared/a.py"),
        ("a,b:c%0A=.py", "", "a,b:c%0A=.py"),
        ("<site-packages>/x.py", "", A),  # where the owner is
        ("../x.py", "services/../", A),
        ("", "services/api", "services/api/tests/test_a.py"),
    ],
)
def test_files_of_the_repository_only(path: str, root: str, file: str) -> None:
    ((_, properties, _),) = commands(github.render(audit(finding(path=path, line=9)), root=root))
    assert properties["file"] == file
    assert ("col" in properties, properties["line"]) == (
        (False, "4") if file.endswith(A) and path != A else (True, "9")
    )


@pytest.mark.parametrize(("root", "folder"), [("", "."), ("services/api", "services/api")])
def test_what_has_no_place_is_shown_at_the_folder(root: str, folder: str) -> None:
    nobody = Owner("outside", "outside", "", 0)
    one = audit(finding(path="", line=0, owner=nobody, owners=()))
    ((_, properties, _),) = commands(github.render(one, root=root))
    assert (properties["file"], properties["line"]) == (folder, "1")
    assert entries(one, root)[0]["location"] == {"path": folder, "lines": {"begin": 1}}


def kinds(*counts: tuple[Severity, int]) -> tuple[Counter[str], str]:
    """How many annotations of each kind there are, and the last message."""
    some = [finding(severity=level, line=number) for level, count in counts for number in range(1, count + 1)]
    found = commands(github.render(audit(*some)))
    return Counter(kind for kind, _, _ in found), found[-1][2]


def test_ten_of_a_kind_and_the_rest_is_counted() -> None:
    found, last = kinds((INFO, 3), (ADVISORY, 12), (DEFECT, 31))
    assert found == {"error": 10, "warning": 10, "notice": 4}
    assert last == "21 defects, 2 advisories more: GitHub shows 10 of a kind for each step"


def test_the_count_itself_is_one_of_ten_notices() -> None:
    assert kinds((INFO, 10)) == ({"notice": 10}, kinds((INFO, 10))[1])
    assert "more" not in kinds((INFO, 10))[1]
    found, last = kinds((INFO, 11))
    assert (found, last.partition(":")[0]) == ({"notice": 10}, "2 infos more")
    found, last = kinds((INFO, 10), (DEFECT, 11))
    assert (found, last.partition(":")[0]) == ({"error": 10, "notice": 10}, "1 defect, 1 info more")


def test_the_worst_are_shown() -> None:
    some = [finding(evidence="suspected", line=number) for number in range(1, 12)]
    shown = commands(github.render(audit(*some, finding(line=99))))
    assert shown[0][1]["line"] == "99"
    assert len([one for one in shown if one[0] == "error"]) == 10


# --- GitLab


#: "Code Quality" in GitLab's documentation, the section on the report format.
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": r"^(?!\./)(?!/)."},
                    "lines": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def entries(result: Audit, root: str = "") -> list[dict[str, Any]]:
    text = gitlab.render(result, root=root)
    data = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    assert text == json.dumps(data, indent=1, sort_keys=True) + "\n"
    assert text.isascii()
    assert isinstance(data, list)
    return data


def test_an_entry() -> None:
    (entry,) = entries(audit(finding()), "services/api/")
    assert len(entry.pop("fingerprint")) == 64
    assert entry == {
        "check_name": "PSA101",
        "description": "PSA101 environ-not-restored: test_x left os.environ['TZ'] set; "
        "fix: monkeypatch.setenv('TZ', 'UTC')",
        "location": {"lines": {"begin": 5}, "path": "services/api/tests/test_a.py"},
        "severity": "major",
    }


@pytest.mark.parametrize(
    ("severity", "security", "said"),
    [
        (DEFECT, None, "major"),
        (DEFECT, "token", "critical"),
        (ADVISORY, None, "minor"),
        (ADVISORY, "token", "minor"),
        (INFO, None, "info"),
        (INFO, "token", "info"),
    ],
)
def test_severities(severity: Severity, security: str | None, said: str) -> None:
    assert entries(audit(finding(severity=severity, security=security)))[0]["severity"] == said


def test_only_new_findings_the_worst_first() -> None:
    some = audit(finding(severity=INFO), finding(), finding(status="ignored"), finding(status="baselined"))
    assert [entry["severity"] for entry in entries(some)] == ["major", "info"]
    assert entries(audit()) == []


def test_the_same_finding_at_two_places_is_shown_twice() -> None:
    same = [finding(), finding(line=9), finding(path=B), finding(path=B)]
    assert len({entry["fingerprint"] for entry in entries(audit(*same))}) == 4


def test_two_suites_of_one_repository_share_no_fingerprint() -> None:
    one, other = (entries(audit(finding()), root)[0]["fingerprint"] for root in ("services/a", "services/b"))
    assert one != other


def test_a_fingerprint_stays_when_lines_move_and_others_are_mended() -> None:
    before = entries(audit(finding(fingerprint="a"), finding(fingerprint="b", line=9)))
    after = entries(audit(finding(fingerprint="b", line=30, message="said in other words")))
    assert after[0]["fingerprint"] == before[1]["fingerprint"]


def test_a_finding_without_a_usable_line_is_pinned_to_line_one() -> None:
    assert entries(audit(finding(line=0)))[0]["location"]["lines"] == {"begin": 1}


def test_what_lies_outside_is_shown_at_the_owner() -> None:
    (entry,) = entries(audit(finding(path="<site-packages>/x.py", line=9)), "a")
    assert entry["location"] == {"path": f"a/{A}", "lines": {"begin": 4}}


def test_what_was_not_seen_is_called_suspected_here_too() -> None:
    assert ": suspected: test_x" in entries(audit(finding(evidence="suspected")))[0]["description"]
    assert "fix:" not in entries(audit(finding(acknowledged="3: the race")))[0]["description"]


# --- hostile names


HOSTILE = (
    "\x1b[31mred\x1b[0m \x00\x07\x7f\x9b31m",
    "\u202etset_x\u2066\u200b\u2028\u2029\u0085\x0b\x0c",
    "::error file=a.py::pwned",
    "\n::error file=a.py::pwned\r\n##[error]pwned\r::add-mask::x",
    "%0A::error::pwned%25%0D%3A%2C%253A {0} %s",
    "a,title=pwned,line=1::pwned",
    "x=1,file=/etc/passwd",
    "</script><img src=x onerror=alert(1)> ${{ secrets.X }}",
    "\ud800 \udcff",
    "語 \U0001f600",
    "../../../etc/passwd",
    "./x.py",
    "\t ",
    "",
    "tests/test_a.py::test_x[" + "x" * 10_000 + "]",
)


def random_texts(count: int) -> Iterator[str]:
    chance = random.Random(0)
    pieces = [
        *':,=%\n\r\x00\x1b\u202e\u2028\ud800<>/.[]" ab',
        "::",
        "::error ",
        "%0A",
        "%25",
        "##[",
        "..",
        "\U0001f600",
    ]
    for _ in range(count):
        yield "".join(chance.choices(pieces, k=chance.randrange(1, 30)))


def named(text: str) -> Finding:
    """A finding in which every word of the user is this one."""
    owner = Owner("fixture", text, text, 3, "session", text, (text,))
    return finding(
        name=text, message=text, path=text, owner=owner, owners=(owner,), subject=text, fix=text, security=text,
        victims=(text,), reason=text, fingerprint=text,
    )  # fmt: skip


@pytest.mark.parametrize("text", [*HOSTILE, *random_texts(300)], ids=lambda text: ascii(text[:20]))
def test_no_name_breaks_out_of_its_field(text: str) -> None:
    printed = github.render(audit(named(text), finding()))
    assert all(line.isprintable() for line in printed.split("\n"))
    assert printed.encode()  # half of a character could not be printed
    titles = {properties["title"]: (kind, properties, message) for kind, properties, message in commands(printed)}
    title = shortened(f"PSA101 {text}", 255).rstrip()
    assert {*titles} == {"PSA101 environ-not-restored", title}
    kind, properties, message = titles[title]
    assert kind == "error"
    assert properties["file"] == ((text and in_repository(text, "")) or ".")
    assert {*properties} <= {"file", "line", "endLine", "col", "title"}
    assert message == shortened(text) + (f"\nfix: {shortened(text)}" if text else "")
    assert len(message) <= 4_096

    (entry,) = entries(audit(named(text)))
    assert entry["description"].isprintable()
    assert shortened(text) in entry["description"]
    assert entry["location"]["path"] == properties["file"]
    json.dumps(entry, ensure_ascii=False).encode()
