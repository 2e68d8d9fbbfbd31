"""Under pytest-xdist the findings are those of a single process."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("xdist")

CONFTEST = "import time\nimport pytest\n\n@pytest.fixture\ndef slow():\n    time.sleep(0.002)\n    yield 1\n"
HELPER = (
    "import time\nimport unittest\n\nclass Base(unittest.TestCase):\n    def setUp(self):\n        time.sleep(0.002)\n"
)


def suite(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(helper=HELPER)
    for number in range(6):
        pytester.makepyfile(
            **{
                f"test_{number}": "import time, pytest, helper\n\n"
                "@pytest.mark.parametrize('n', [1, 2, 3])\n"
                "def test_a(n, slow):\n    assert 'true', n\n\n"
                "def test_b():\n    time.sleep(0.002)\n\n"
                "class TestC(helper.Base):\n    def test_c(self):\n        time.sleep(0.002)  # secaudit: ignore[PSA701] r\n"
            }
        )


def audited(pytester: pytest.Pytester, *options: str) -> dict:
    pytester.runpytest_subprocess("--secaudit", "--secaudit-report=json:audit.json", *options)
    return json.loads((pytester.path / "audit.json").read_text())


def stable(data: dict) -> dict:
    """What must not depend on how the tests were run."""
    for finding in data["findings"]:
        finding["detail"].pop("seconds", None)
    return {key: data[key] for key in ("findings", "gate", "conclusion")} | {
        key: data["evidence"][key] for key in ("modules", "tests_collected", "tests_run", "fixtures", "not_audited")
    }


@pytest.mark.parametrize(
    "options", [["-n2"], ["-n4", "--dist=loadfile"], ["-n2", "--dist=loadscope"], ["-n0"]], ids=" ".join
)
def test_findings_are_those_of_one_process(pytester: pytest.Pytester, options: list[str]) -> None:
    suite(pytester)
    alone = audited(pytester, "-p", "no:xdist", "-p", "no:cacheprovider")
    assert len(alone["findings"]) == 6 * 3 + 2
    together = audited(pytester, *options)
    assert stable(together) == stable(alone)
    again = audited(pytester, *options)  # now from the cache
    assert stable(again) == stable(alone)


def test_modules_whose_tests_nobody_ran_are_read_too(pytester: pytest.Pytester) -> None:
    suite(pytester)
    alone = audited(pytester, "-p", "no:xdist", "-x")
    together = audited(pytester, "-n2", "-x")
    assert together["findings"] == alone["findings"]


def test_collect_only_needs_no_worker(pytester: pytest.Pytester) -> None:
    suite(pytester)
    alone = audited(pytester, "-p", "no:xdist", "--collect-only")
    assert stable(audited(pytester, "-n2", "--collect-only")) == stable(alone)


def test_lost_worker_is_named_and_what_it_sent_is_kept(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_a="def test_a():\n    assert 'true'\n",
        test_b="import os\n\ndef test_b():\n    os._exit(1)\n",
        test_c="def test_c():\n    assert 'true'\n",
    )
    data = audited(pytester, "-n1", "--max-worker-restart=0")
    assert data["run"]["workers_lost"] == ["gw0"]
    assert data["run"]["complete"] is False
    assert {finding["path"] for finding in data["findings"]} == {"test_a.py"}
    assert data["evidence"]["not_audited"] == [{"path": "test_c.py", "reason": "its worker was lost"}]


def test_usage_error_is_one_line_under_xdist(pytester: pytest.Pytester) -> None:
    suite(pytester)
    result = pytester.runpytest_subprocess("-n2", "--secaudit", "--secaudit-select=PSA999")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("PSA999") == 2  # the value, and what is wrong with it


def test_gate_and_final_line_hold(pytester: pytest.Pytester) -> None:
    suite(pytester)
    result = pytester.runpytest_subprocess("-n2", "--secaudit", "--secaudit-fail-on=defect")
    assert result.ret == 1
    assert "6 audit defects" in result.outlines[-1]


def test_strange_characters_survive_the_way_home(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import time\n\ndef test_a():\n    time.sleep(0.002)  # warum? 'ä\\ud800' € \U0001f40d und so\n"
    )
    data = audited(pytester, "-n1")
    assert "\U0001f40d" in data["findings"][0]["acknowledged"]
