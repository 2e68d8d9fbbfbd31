"""Whole sections, as a reader sees them: a clean suite and a legacy one, at three widths.

To look at a change: run with ``UPDATE_GOLDEN=1``, and read the diff of `tests/golden`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_secaudit.conclusion import conclude
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
    Severity,
    Sleep,
)
from pytest_secaudit.reports.terminal import summary

FOLDER = Path(__file__).parent / "golden"
RUN = Run("3.12.1", "9.2.0", "deep", 0, (), 386.12, 6.1, complete=True, exit_status=0, collect_only=False)
EVIDENCE = EvidenceSummary(
    modules=1204,
    tests_collected=20000,
    tests_run=19912,
    tests_skipped=88,
    tests_with_a_check=19733,
    fixtures=12,
    checks=("PSA101",),
    watchers={"environ": "on"},
    not_audited=(),
)


def finding(code: str, name: str, place: str, message: str, fix: str, severity: Severity = DEFECT, **more) -> Finding:
    path, _, line = place.partition(":")
    owner = Owner("test", f"{path}::test_x", path, int(line), "function")
    return Finding(
        code=code,
        name=name,
        severity=severity,
        message=message,
        fix=fix,
        path=path,
        line=int(line),
        column=5,
        end_line=int(line),
        owner=owner,
        owners=(owner,),
        evidence="confirmed",
        cause=f"{code}{message}",
        fingerprint=f"{code}{place}",
        **more,
    )


def slept(place: str, seconds: float, calls: int, tests: int) -> Finding:
    detail = {"seconds": seconds, "calls": calls, "tests": tests}
    fix = "wait for the event, or inject the clock"
    return finding("PSA701", "real-sleep", place, "slept", fix, ADVISORY, detail=detail)


LEFT = [
    finding(
        "PSA510",
        "patch-left-active",
        "tests/test_orders.py:8",
        "test_place left shop.orders.charge replaced by a MagicMock",
        'p = mocker.patch("shop.orders.charge")',
        detail={"later_tests": 412},
        victims=("tests/test_cart.py::test_sum",),
        try_command="pytest tests/test_orders.py::test_place tests/test_cart.py::test_sum",
    ),
    finding(
        "PSA101",
        "environ-not-restored",
        "tests/conftest.py:31",
        "fixture clock [module] left os.environ['TZ'] set",
        'monkeypatch.setenv("TZ", "UTC")',
        detail={"later_tests": 3},
    ),
    finding(
        "PSA202",
        "assertion-only-in-except",
        "tests/test_tls.py:74",
        "test_bad_host passed, nothing was raised, lines 76-77 never ran",
        "with pytest.raises(SSLError): connect(host)",
    ),
]
SLEEPS = [
    slept("tests/jobs/test_retry.py:31", 41.0, 41, 1),
    slept("tests/helpers.py:88", 18.5, 37, 22),
    slept("tests/test_queue.py:12", 6.0, 3, 3),
    *(slept(f"tests/test_{number % 14}.py:{number + 1}", 0.83, 1, 1) for number in range(37)),
]


def made(findings: list[Finding], evidence: EvidenceSummary, slept_s: float) -> Audit:
    return Audit(
        version="0.1.0",
        run=RUN,
        evidence=evidence,
        conclusion=conclude(findings, (), evidence, {0: 20000}, collect_only=False),
        gate=Gate(),
        findings=tuple(sorted(findings, key=lambda finding: finding.order)),
        cleared=tuple(replace(LEFT[0], line=line) for line in range(31)),
        sleep=Sleep(slept_s, slept_s / RUN.duration_s),
        tests_judged_for_checks=19912,
    )


UNREAD = (NotAudited("tests/a.py", "not valid"), NotAudited("tests/b.py", "not valid"))
SUITES: Mapping[str, Audit] = {
    "clean": made([], replace(EVIDENCE, not_audited=UNREAD), 4.7),
    "legacy": made([*LEFT, *SLEEPS], replace(EVIDENCE, tests_with_a_check=19374), 96.3),
}


@pytest.mark.parametrize("width", [60, 76, 120])
@pytest.mark.parametrize("suite", SUITES)
def test_the_section_is_the_golden_one(suite: str, width: int) -> None:
    text = "".join(f"{line.text}\n" for line in summary(SUITES[suite], 0, width))
    file = FOLDER / f"{suite}-{width}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    assert text == file.read_text(encoding="utf-8")
    assert all(len(line) <= width for line in text.splitlines())
