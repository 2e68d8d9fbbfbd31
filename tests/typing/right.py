"""How the public parts are used; mypy --strict finds nothing here."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from pytest_secaudit.model import ADVISORY, INFO, Check, Hit, Suspicion
from pytest_secaudit.source import TestModule, source_of
from pytest_secaudit.testing import assert_audit, assert_examples


def rule(module: TestModule) -> Iterator[Hit]:
    for call, scope in module.calls("sleep"):
        if module.resolve(call.func, scope) == "time.sleep":
            yield Hit(call, f"waits in {scope.qualname}", fix=source_of(call), severity=INFO)
    for handler, _ in module.each(ast.ExceptHandler):
        yield Hit(handler, f"line {handler.lineno}")


def other_rule(module: TestModule) -> Iterable[Hit | Suspicion]:
    return [Suspicion(test.node, "time.sleep", "line-not-reached", "waits") for test in module.tests()]


CHECK = Check("SHOP701", "waits", ADVISORY, "A test waits.", ("...",), ("...",), rule)
OTHER = Check("SHOP702", "waits-too", ADVISORY, "A test waits.", rule=other_rule, cwe=362, since="1.1", revision=2)


def pytest_secaudit_checks(config: pytest.Config) -> Iterable[Check]:
    return [CHECK, OTHER]


def test_examples() -> None:
    assert_examples(CHECK)


def test_in_a_run(pytester: pytest.Pytester) -> None:
    assert_audit(pytester.runpytest("--secaudit"))
    assert_audit(pytester.runpytest_subprocess("--secaudit"), defects=1, advisories=None)
    code: str = CHECK.code
    dimension: int = CHECK.dimension
    assert (code, dimension) == ("SHOP701", 7)
