"""Mistakes that mypy must find: each in a line that says so."""

from __future__ import annotations

import pytest

from pytest_secaudit.model import ADVISORY, Check, Hit
from pytest_secaudit.source import TestModule
from pytest_secaudit.testing import assert_audit, assert_examples


def no_hits(module: TestModule) -> list[str]:
    return [call.func for call, _ in module.calls("sleep")]  # an error


def of_text(text: str) -> list[Hit]:
    return []


Check("SHOP701", "waits", "advisory", "A test waits.")  # an error
Check("SHOP701", "waits", ADVISORY, "A test waits.", "one source")  # an error
Check("SHOP701", "waits", ADVISORY, "A test waits.", rule=no_hits)  # an error
Check("SHOP701", "waits", ADVISORY, "A test waits.", rule=of_text)  # an error
Check("SHOP701", "waits", ADVISORY)  # an error
CHECK = Check("SHOP701", "waits", ADVISORY, "A test waits.")
CHECK.code = "SHOP702"  # an error
assert_examples([CHECK])  # an error
Hit("line 3", "waits")  # an error


def test_in_a_run(pytester: pytest.Pytester) -> None:
    assert_audit(pytester.runpytest("--secaudit"), 1)  # an error
    assert_audit(pytester.runpytest("--secaudit"), defects="1")  # an error
    assert_audit("1 defect")  # an error
