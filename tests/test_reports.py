"""The reports: golden terminal output, and JSON that keeps to its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from pytest_secaudit.conclusion import conclude, plural
from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    Audit,
    EvidenceSummary,
    Finding,
    Gate,
    NotAudited,
    Owner,
    Run,
    Sleep,
)
from pytest_secaudit.reports import json as json_report
from pytest_secaudit.reports.brief import one_line
from pytest_secaudit.reports.terminal import summary

RUN = Run(
    python="3.12.1",
    pytest="9.2.0",
    depth="static",
    workers=0,
    workers_lost=(),
    duration_s=41.7,
    audit_s=4.1,
    complete=False,
    exit_status=0,
    collect_only=True,
)
EVIDENCE = EvidenceSummary(
    modules=1206,
    tests_collected=20000,
    tests_run=0,
    tests_skipped=0,
    tests_with_a_check=None,
    fixtures=12,
    checks=("PSA202", "PSA701"),
    watchers={},
    not_audited=(),
)


def finding(code: str, name: str, path: str, line: int, message: str, fix: str, **more) -> Finding:
    owner = Owner("test", f"{path}::test_x", path, line - 1, "function")
    return Finding(
        code=code,
        name=name,
        severity=more.pop("severity", DEFECT),
        message=message,
        fix=fix,
        path=path,
        line=line,
        column=5,
        end_line=line,
        owner=owner,
        owners=(owner,),
        cause=f"{code}{message}",
        fingerprint=f"{code}{path}{line}",
        **more,
    )


TLS = finding(
    "PSA202",
    "assertion-only-in-except",
    "tests/test_tls.py",
    74,
    "if connect() raises nothing, lines 76-77 never run",
    "with pytest.raises(SSLError): connect(host)",
)
SLEEPS = [
    finding(
        "PSA701",
        "real-sleep",
        f"tests/jobs/test_{number % 17}.py",
        number + 1,
        "sleeps 1 s of real time",
        "wait for the event itself with a time-out, or inject the clock",
        severity=ADVISORY,
    )
    for number in range(40)
]


def made(findings: list[Finding], run: Run = RUN, evidence: EvidenceSummary = EVIDENCE, gate: Gate = Gate()) -> Audit:
    return Audit(
        version="0.1.0",
        run=run,
        evidence=evidence,
        conclusion=conclude(findings, (), evidence, {0: 20000}, collect_only=run.collect_only),
        gate=gate,
        findings=tuple(sorted(findings, key=lambda finding: finding.order)),
    )


GOLDEN = {
    76: """\
nothing was run: 20,000 tests in 1,206 modules were read, none was watched
suspected PSA202 assertion-only-in-except   tests/test_tls.py:74
          if connect() raises nothing, lines 76-77 never run
          fix: with pytest.raises(SSLError): connect(host)
suspected PSA701 real-sleep   40 places in 17 files (time not known): -v
1 suspected defect, 40 suspected advisories, by reading alone
pytest --secaudit confirms or clears them""",
    60: """\
nothing was run: 20,000 tests in 1,206 modules were read,
none was watched
suspected PSA202 assertion-only-in-except
          tests/test_tls.py:74
          if connect() raises nothing, lines 76-77 never run
          fix: with pytest.raises(SSLError): connect(host)
suspected PSA701 real-sleep
          40 places in 17 files (time not known): -v
1 suspected defect, 40 suspected advisories, by reading
alone
pytest --secaudit confirms or clears them""",
}
GOLDEN[120] = GOLDEN[76]


@pytest.mark.parametrize("width", GOLDEN)
def test_collect_only_is_the_golden_output(width: int) -> None:
    lines = summary(made([TLS, *SLEEPS]), 0, width)
    assert "\n".join(line.text for line in lines) == GOLDEN[width]


@pytest.mark.parametrize("width", [60, 76, 120])
@pytest.mark.parametrize("verbosity", [0, 1, 2])
def test_no_line_is_wider_than_the_terminal(width: int, verbosity: int) -> None:
    long = finding("PSA202", "assertion-only-in-except", "tests/a/b/test_c.py", 3, "word " * 60, "fix it " * 40)
    for line in summary(made([TLS, long, *SLEEPS]), verbosity, width):
        assert len(line.text) <= width


def test_at_most_twenty_defect_blocks_and_the_cut_is_said() -> None:
    many = [replace(TLS, line=number, cause=str(number), fingerprint=str(number)) for number in range(1, 31)]
    text = [line.text for line in summary(made(many), 0, 76)]
    assert sum(line.startswith("suspected PSA202") for line in text) == 20
    assert "10 more defects: -v" in text
    assert sum(line.text.startswith("suspected PSA202") for line in summary(made(many), 1, 76)) == 30


def test_findings_of_one_code_and_cause_are_one_block_of_three_places() -> None:
    same = [replace(TLS, line=number, fingerprint=str(number)) for number in range(1, 8)]
    text = [line.text.strip() for line in summary(made(same), 0, 76)]
    assert [line for line in text if "test_tls.py" in line] == [
        "suspected PSA202 assertion-only-in-except   tests/test_tls.py:1",
        "also tests/test_tls.py:2",
        "also tests/test_tls.py:3",
    ]
    assert "4 more places: -v" in text


def test_what_was_not_judged_and_what_was_hidden_are_counted() -> None:
    evidence = replace(EVIDENCE, tests_skipped=88, not_audited=(NotAudited("a.yaml", "not read"),))
    run = replace(RUN, collect_only=False, workers_lost=("gw1",))
    audit = made([TLS, replace(SLEEPS[0], status="ignored"), replace(SLEEPS[1], status="baselined")], run, evidence)
    text = " ".join(line.text for line in summary(audit, 0, 200))
    assert "not judged: 88 tests skipped, 1 file not read, worker gw1 was lost (-v names them)" in text
    assert "suppressed 1, baseline 1" in text
    assert "a.yaml: not read" in " ".join(line.text for line in summary(audit, 1, 76))


def test_security_comes_first_and_remarks_about_ignores_last() -> None:
    secret = replace(TLS, code="PSA301", name="live-format-secret", security="credential", cause="s", fingerprint="s")
    ignores = [replace(SLEEPS[0], code="PSA093", name="x", fingerprint=str(n), cause=str(n)) for n in range(9)]
    lines = [line.text for line in summary(made([TLS, secret, *ignores, *SLEEPS[:4]]), 0, 120)]
    codes = [line.split()[1] for line in lines if line.startswith("suspected ")]
    assert codes == ["PSA301", "PSA202", "PSA701", "PSA093"]


def test_one_line_says_the_conclusion() -> None:
    assert one_line(made([TLS])) == "audit: 1 suspected defect, by reading alone"


def test_nothing_audited_is_never_called_clean() -> None:
    audit = made([], evidence=replace(EVIDENCE, modules=0, tests_collected=0))
    assert audit.conclusion.verdict == "nothing audited"
    assert summary(audit, 0, 76)[0].text.startswith("nothing was audited")


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [(1, "advisory", "1 advisory"), (2, "advisory", "2 advisories"), (1204, "module", "1,204 modules")],
)
def test_plural(count: int, noun: str, text: str) -> None:
    assert plural(count, noun) == text


# --- JSON


SCHEMA = json.loads((files("pytest_secaudit.reports") / "report.schema.json").read_text("utf-8"))


def test_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("cleared", [False, True])
def test_json_keeps_to_its_schema_and_is_sorted_and_stable(cleared: bool) -> None:
    audit = replace(made([TLS, *SLEEPS], gate=Gate("defect", True, "r")), cleared=(replace(TLS, evidence="cleared"),))
    text = json_report.render(audit, with_cleared=cleared)
    data = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    assert ("cleared" in data) is cleared
    assert text == json.dumps(data, indent=1, sort_keys=True) + "\n"
    assert text == json_report.render(audit, with_cleared=cleared)
    assert text.isascii()


def test_schema_refuses_what_is_not_in_the_contract() -> None:
    data = json_report.as_data(made([TLS]))
    data["findings"][0]["extra"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(json.dumps(data)), SCHEMA)


def test_real_run_keeps_to_the_schema(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import time\ndef test_a():\n    time.sleep(0.01)  # warten wir ein wenig, ja?\n")
    pytester.makefile(".txt", test_doc=">>> 1\n1\n")
    pytester.runpytest("--secaudit", "--secaudit-report=json:audit.json", "-vv")
    data = json.loads((pytester.path / "audit.json").read_text())
    jsonschema.validate(data, SCHEMA)
    assert data["evidence"]["tests_run"] == 2
    assert data["evidence"]["not_audited"] == [{"path": "test_doc.txt", "reason": "doctests are not read"}]


# --- whether tests checked anything


def closing(width: int = 76, *, checked: int, judged: int, run: int = 200, slept: float = 0.0) -> list[str]:
    result = replace(
        made([]),
        run=replace(RUN, collect_only=False, depth="deep"),
        evidence=replace(EVIDENCE, tests_run=run, tests_with_a_check=checked, watchers={"environ": "on"}),
        sleep=Sleep(slept, slept / 41.7),
        tests_judged_for_checks=judged,
    )
    lines = [line.text for line in summary(result, 0, width)]
    return lines[next(number for number, line in enumerate(lines) if "audit took" in line or "checked" in line) :]


@pytest.mark.parametrize(
    ("checked", "judged", "said"),
    [
        (200, 200, "checked something: 100 % of passed tests"),
        (1999, 2000, "checked something: 99.9 % of passed tests"),
        (19999, 20000, "checked something: 99.9 % of passed tests"),
        (0, 200, "checked something: 0.0 % of passed tests"),
        (50, 100, "checked something: 50.0 % of 100 passed tests"),
        (1, 1, "checked something: 100 % of 1 passed test"),
    ],
)
def test_the_share_of_tests_that_checked_something(checked: int, judged: int, said: str) -> None:
    run = max(200, judged)
    assert closing(checked=checked, judged=judged, run=run)[0].partition(" | ")[0] == said


def test_of_which_nothing_is_known_nothing_is_said() -> None:
    assert closing(checked=0, judged=0)[0].startswith("audit took")


@pytest.mark.parametrize(
    ("verbosity", "seconds", "said"),
    [
        (1, 4.1, "audit took 4.1 s (9.8 %), most of it for namespaces"),
        (0, 4.1, "audit took 4.1 s (9.8 %)"),
        (1, 0.04, "audit took 40 ms"),
    ],
)
def test_who_took_most_is_said_to_those_who_ask(verbosity: int, seconds: float, said: str) -> None:
    run = replace(RUN, collect_only=False, audit_s=seconds, dearest="namespaces")
    assert said in [line.text for line in summary(made([TLS], run), verbosity, 76)]


def test_the_closing_lines_fit() -> None:
    lines = closing(60, checked=199, judged=200, slept=5.0)
    assert lines[:2] == [
        "checked something: 99.5 % of passed tests",
        "asleep 5.0 s of 42 s (12 %) | audit took 4.1 s (9.8 %)",
    ]
