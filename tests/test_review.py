"""The review in Markdown: what is in it, in which order, and that nothing in a name can break it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_secaudit.conclusion import conclude
from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    INFO,
    Audit,
    EvidenceSummary,
    FileRun,
    Finding,
    Gate,
    Observation,
    Owner,
    Run,
    Severity,
)
from pytest_secaudit.reports.markdown import render

A, B = "tests/test_a.py", "tests/test_b.py"
RUN = Run("3.12.1", "9.2.0", "deep", 0, (), 20.0, 0.5, complete=True, exit_status=0, collect_only=False)
EVIDENCE = EvidenceSummary(2, 3, 3, 0, 3, 1, ("PSA101",), {"environ": "on"}, ())


def finding(code: str, severity: Severity, path: str = A, line: int = 8, **more: object) -> Finding:
    owner = Owner("test", f"{path}::test_x", path, line)
    values: dict[str, object] = {
        "code": code, "name": "x", "severity": severity, "message": "test_x left it set", "path": path, "line": line,
        "column": 1, "end_line": line, "owner": owner, "owners": (owner,), "fingerprint": f"{code}{line}",
        "evidence": "confirmed", "fix": "monkeypatch.setenv('TZ', 'UTC')",
    }  # fmt: skip
    return Finding(**{**values, **more})  # type: ignore[arg-type]


SAID = (
    Observation(A, 1, (3,), "TestA (3) stands on shop.tests.Base", "read"),
    Observation(A, 2, (9,), "`self.fail('no')` at 9 was never reached", "measured"),
    Observation(A, 4, (), "no override and no environment variable is left", "measured"),
    Observation(A, 5, (), "no patch was in force at the end of its owner", "measured"),
    Observation(A, 6, (), "no thread, process, descriptor, temporary path or file was left", "measured"),
    Observation(A, 7, (), "real sleeps (not watched)", "not judged"),
)
FILES = (FileRun(A, 2, 2, 0, 0), FileRun(B, 1, 0, 1, 0))


def audit(*findings: Finding, observations: tuple[Observation, ...] = SAID) -> Audit:
    return Audit(
        version="1", run=RUN, evidence=EVIDENCE, gate=Gate(), findings=findings, observations=observations, files=FILES,
        conclusion=conclude(findings, (), EVIDENCE, {1: 4, 5: 2}, collect_only=False),
    )  # fmt: skip


def test_the_review_of_a_file() -> None:
    text = render(audit(finding("PSA101", DEFECT), finding("PSA701", INFO, line=12, acknowledged="10-11: the race")))
    review = text[text.index(f"# {A}") :]
    assert review == (
        "# tests/test_a.py\n\n"
        "**No security-relevant defect. 1 defect, 1 acknowledged sleep.** 2 of 2 tests ran, passed.\n\n"
        "1. **Mock and test environment.** **defect** PSA101 at 8: test_x left it set. *(m)* "
        "Fix: `monkeypatch.setenv('TZ', 'UTC')`. TestA (3) stands on shop.tests.Base. *(r)*\n"
        "2. **Exception and error handling.** `self.fail('no')` at 9 was never reached. *(m)*\n"
        "3. **Data handling, logging and input.** Nothing to say.\n"
        "4. **Configuration and settings.** No override and no environment variable is left. *(m)*\n"
        "5. **Patch and mock use.** No patch was in force at the end of its owner. *(m)*\n"
        "6. **Resource allocation and clean-up.** "
        "No thread, process, descriptor, temporary path or file was left. *(m)*\n"
        "7. **Sleep and synchronisation.** **info** PSA701 at 12: test_x left it set. *(m)* "
        "Acknowledged at 10-11. Real sleeps (not watched). *(n)*\n"
        "8. **Mocking of critical functions.** Nothing to say.\n"
        "9. **API and service handling.** Nothing to say.\n\n"
        "**Integration points:** not judged: nobody looked.\n\n"
        "**Not judged:** Real sleeps (not watched); the product's own code (a scanner such as bandit does), its "
        "dependencies, its history.\n\n"
        "**Conclusion.** 1 defect to mend first, at 8. The tests leave no patch, override, environment variable, "
        "thread, process, descriptor or file behind. The guard at 9 did not run.\n"
    )


def test_the_run_comes_first() -> None:
    lines = render(audit(finding("PSA101", DEFECT))).splitlines()
    assert lines[0] == "# Review of the test suite"
    assert lines[2].startswith("**1 defect in 3 tests of 2 modules.** No security-relevant finding; not judged here:")
    assert "| 1 mock and test environment | 4 | 1 | 0 | 0 | 0 |" in lines
    assert "| 9 API and service handling | - | 0 | 0 | 0 | 0 |" in lines


@pytest.mark.parametrize(
    ("whole", "everything", "shown"), [((), False, []), ((A,), False, [A]), ((), True, [A, B]), ((B,), False, [B])]
)
def test_which_files_are_reviewed(whole: tuple[str, ...], shown: list[str], *, everything: bool) -> None:
    text = render(audit(), whole, everything=everything)
    assert [path for path in (A, B) if f"# {path}" in text] == shown


def test_files_with_nothing_but_what_is_hidden_are_left_out() -> None:
    hidden = finding("PSA101", ADVISORY, status="ignored", reason="comment: meant")
    assert "test_a" not in render(audit(hidden))
    assert "PSA101 at 8, ignored: comment: meant" in render(audit(hidden), (A,))


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", "a|b", "**bold**", "[x](http://y)", "`", "a\\b", "# h"])
def test_nothing_in_a_name_is_markup(nasty: str) -> None:
    text = render(audit(finding("PSA101", DEFECT, message=f"left {nasty} set", fix=nasty)))
    assert "<script>" not in text.replace("`<script>alert(1)</script>`", "")
    assert "**bold**" not in text.replace("`**bold**`", "")
    assert "[x](" not in text.replace("`[x](http://y)`", "")


def test_a_suspicion_and_what_was_not_run() -> None:
    read = replace(audit(finding("PSA202", DEFECT, evidence="suspected")), run=replace(RUN, collect_only=True))
    text = render(read)
    assert "Nothing was run." in text
    assert "**suspected defect** PSA202 at 8: test_x left it set. *(r)*" in text


# --- in a run


SOURCE = """
import unittest

class TestA(unittest.TestCase):
    def test_it(self):
        if not self.id():
            self.fail("no id")
        self.assertTrue(self.id())
"""


def test_it_is_printed_after_the_last_line(pytester: pytest.Pytester) -> None:
    """A file that is named is reviewed whole, whatever was found in it."""
    pytester.makepyfile(test_a=SOURCE, test_b="def test_b(): assert 1 == 1\n")
    lines = pytester.runpytest_subprocess("--secaudit", "--secaudit-report=markdown", "test_a.py").outlines
    last = next(number for number, line in enumerate(lines) if "1 passed" in line)
    review = lines[last + 1 :]
    assert review[:2] == ["", "# Review of the test suite"]
    assert "# test_a.py" in review
    assert any("`self.fail('no id')` at 6 was never reached. *(m)*" in line for line in review)
    assert any(line.startswith("5. **Patch and mock use.** Nothing is patched. *(r)* No patch was") for line in review)


def test_folders_name_no_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a=SOURCE)
    pytester.runpytest_subprocess("--secaudit", "--secaudit-report=markdown:review.md")
    text = (pytester.path / "review.md").read_text()
    assert "# test_a.py" not in text
    pytester.runpytest_subprocess("-v", "--secaudit", "--secaudit-report=markdown:review.md")
    assert "# test_a.py" in (pytester.path / "review.md").read_text()


def test_the_review_is_the_same_from_workers(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(test_a=SOURCE, test_b=SOURCE, test_c="import time\ndef test_c(): time.sleep(0.01)\n")
    reviews = []
    for workers in ("0", "2"):
        args = ("-p", "xdist", "-n", workers, "-v", "--secaudit", "--secaudit-report=markdown:review.md")
        assert pytester.runpytest_subprocess(*args).ret == 0
        reviews.append((pytester.path / "review.md").read_text())
    assert reviews[0] == reviews[1]


def test_json_has_what_the_review_says(pytester: pytest.Pytester) -> None:
    import json

    pytester.makepyfile(test_a=SOURCE)
    pytester.runpytest_subprocess("--secaudit", "--secaudit-report=json:a.json")
    said = json.loads((pytester.path / "a.json").read_text())["observations"]
    assert {
        "path": "test_a.py",
        "dimension": 2,
        "lines": [6],
        "text": "`self.fail('no id')` at 6 was never reached",
        "basis": "measured",
    } in said
