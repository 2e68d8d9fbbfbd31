"""A failing assertion is caught by the test's own `except`, which skips the test.

A skip is green. The handler is meant for a missing service or tool, but it catches the
`AssertionError` of the checks in the same `try` as well: when the product breaks, the test is
skipped, and nobody looks at skips.

Instead: put only the look at the environment into the `try`, and the assertions behind it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import Scope, TestModule, source_of
from pytest_secaudit.source.oracles import assertions_in, caught_assertion, nodes_of, skips, tries

BAD = (
    """
import pytest

def test_owner(minion):
    try:  # PSA204
        result = minion.run("stat", "/run/x.pid")
        assert result.user == "root"
    except (OSError, AssertionError) as error:
        pytest.skip(f"no owner: {error}")

def test_each(minions):
    for minion in minions:
        try:  # PSA204
            assert minion.run("id").ok
        except Exception:
            print("cannot run")
            pytest.skip("cannot run")
""",
    """
import unittest
from unittest import SkipTest

class TestOwner(unittest.TestCase):
    def test_owner(self):
        try:  # PSA204
            self.assertEqual(self.owner(), "root")
        except Exception:
            self.skipTest("no owner")

    def test_owner_again(self):
        try:  # PSA204
            self.assertEqual(self.owner(), "root")
        except:
            raise SkipTest("no owner")
""",
)
GOOD = (
    """
import pytest
import unittest

@pytest.fixture
def server():
    try:
        server = connect()
        assert server.ok
    except Exception:
        pytest.skip("no server")
    return server

class TestServer(unittest.TestCase):
    def setUp(self):
        try:
            self.assertTrue(connect().ok)
        except Exception:
            self.skipTest("no server")

def test_probe(tool):
    try:
        tool.start()
    except Exception:
        pytest.skip("no tool")
    assert tool.ok
""",
    """
import os, shutil, sys
import pytest

def test_reason_is_asserted(tool):
    try:
        tool.start()
        assert tool.ok
    except Exception as error:
        assert "not installed" in str(error)
        pytest.skip("no tool")

def test_only_for_a_reason(tool):
    try:
        tool.start()
        assert tool.ok
    except Exception as error:
        if "not installed" in str(error):
            pytest.skip("no tool")
        raise

def test_product_error_only(tool):
    try:
        tool.start()
        assert tool.ok
    except OSError:
        pytest.skip("no tool")

def test_pytest_fail_is_no_exception(tool):
    try:
        tool.start()
        pytest.fail("started")
    except Exception:
        pytest.skip("no tool")

def test_version(tool):
    try:
        import yaml
        assert yaml.__version__ > "5"
    except (ImportError, AssertionError):
        pytest.skip("needs a new yaml")

def test_environment(tool):
    try:
        assert sys.platform == "linux"
        assert shutil.which("tool") and os.path.exists("/dev/x")
    except AssertionError:
        pytest.skip("not here")
    assert tool.ok
""",
)

_ENVIRONMENT = frozenset(("os", "platform", "shutil", "socket", "sys"))


def rule(module: TestModule) -> Iterator[Hit]:
    for statement, scope in tries(module):
        if any(skips(node) for handler in statement.handlers for node in handler.body) and module.in_test(scope):
            caught = caught_assertion(module, scope, statement)
            if caught is not None and _just_skips(caught[0]) and not _probes_the_environment(module, scope, statement):
                yield _hit(statement, *caught)


def _hit(statement: ast.Try, handler: ast.ExceptHandler, assertion: ast.stmt) -> Hit:
    types = f"except {source_of(handler.type)}" if handler.type is not None else "except"
    return Hit(
        statement,
        f"`{types}` in line {handler.lineno} turns a failure of the assertion in line {assertion.lineno} into a skip",
        fix=f"behind the try, where a failure counts: {source_of(assertion)}",
    )


def _just_skips(handler: ast.ExceptHandler) -> bool:
    """Skips in any case, and does not look at the reason first."""
    if not any(skips(statement) for statement in handler.body):
        return False
    if next(assertions_in(handler.body), None) is not None:
        return False
    return not any(isinstance(node, ast.Raise) and not skips(node) for node in nodes_of(handler.body))


def _probes_the_environment(module: TestModule, scope: Scope, statement: ast.Try) -> bool:
    """The assertions ask what is installed and where the test runs, not what the product does."""
    if any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes_of(statement.body)):
        return True
    return all(_is_about_the_environment(module, scope, assertion) for assertion in assertions_in(statement.body))


def _is_about_the_environment(module: TestModule, scope: Scope, assertion: ast.stmt) -> bool:
    names = [node for node in nodes_of([assertion]) if isinstance(node, ast.Name)]
    return any(module.resolve(name, scope).partition(".")[0] in _ENVIRONMENT for name in names)


CHECK = Check("PSA204", "failure-turned-into-skip", DEFECT, __doc__, BAD, GOOD, rule, cwe=390)
