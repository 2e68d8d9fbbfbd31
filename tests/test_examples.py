"""Each check reports exactly the marked lines of its BAD examples, and nothing in its GOOD ones."""

from __future__ import annotations

import re

import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.model import Check
from pytest_secaudit.testing import assert_examples

CHECKS = built_in()


@pytest.mark.parametrize("check", [check for check in CHECKS if check.rule is not None], ids=lambda check: check.code)
def test_examples_are_reported_as_they_say(check: Check) -> None:
    assert_examples(check)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_check_is_documented(check: Check) -> None:
    assert re.fullmatch(r"PSA\d{3}", check.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.name)
    assert check.summary.endswith(".")
    assert check.rule is None or (check.bad and check.good)
