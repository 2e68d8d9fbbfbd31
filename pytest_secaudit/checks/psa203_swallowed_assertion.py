"""A failing assertion is caught by the test's own `except`, and forgotten.

`assert`, `self.assert...` and `self.fail` raise `AssertionError`, which is an `Exception`. A handler
for that (or for everything) around them swallows the failure: the test cannot fail there, whatever
the product does. The classic is a `self.fail("not rejected")` that its own `except: pass` eats.

Instead: catch only the error of the product, or use `pytest.raises` where the error is expected.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import cast

from pytest_secaudit.model import DEFECT, Check, Hit, Proof
from pytest_secaudit.source import Role, Scope, TestModule, source_of, terminal_name
from pytest_secaudit.source.oracles import (
    assertions_in,
    call_name,
    called,
    calls_in,
    catches,
    caught_assertion,
    is_builtin_error,
    is_failure,
    is_read,
    is_standard_assertion,
    last_call,
    lines_of,
    nodes_of,
    passes_on,
    possible_checks,
    statements_after,
    stored_names,
    tries,
)
from pytest_secaudit.source.syntax import LOOPS

BAD = (
    """
import unittest

class TestFile(unittest.TestCase):
    def test_read_only(self):
        try:  # PSA203
            self.file.write("x")
            self.fail("no exception on write to a read-only file")
        except Exception:
            pass

    def test_everything(self):
        try:  # PSA203
            self.file.write("x")
            self.assertTrue(False, "no exception")
        except:
            pass
        self.file.close()

    def test_logged(self):
        try:  # PSA203
            self.assertEqual(1, self.file.read())
        except OSError:
            raise
        except (ValueError, AssertionError) as e:
            print("not equal", e)
""",
    """
import logging
import pytest

def test_each(users):
    for user in users:
        try:  # PSA203
            assert user.active
        except Exception:
            logging.exception("inactive")

def test_pytest_fail(user):
    try:  # PSA203
        user.login("wrong")
        pytest.fail("accepted")
    except BaseException:
        pass

def check(user):
    try:  # PSA203
        assert user.active
    except AssertionError:
        pass
""",
)
GOOD = (
    """
import pytest

def test_product_error_only(user):
    try:
        user.login("wrong")
        assert False, "accepted"
    except ValueError:
        pass

def test_pytest_fail_is_no_exception(user):
    try:
        user.login("wrong")
        pytest.fail("accepted")
    except Exception:
        pass

def test_passed_on(user):
    try:
        assert user.active
    except Exception:
        user.dump()
        raise

def test_fails_another_way(self, user):
    try:
        assert user.active
    except Exception as e:
        self.fail(f"failed: {e}")
    try:
        user.login("wrong")
        self.fail("accepted")
    except Exception as e:
        assert "password" in str(e)

def test_first_handler_decides(user):
    try:
        assert user.active
    except AssertionError:
        raise
    except Exception:
        pass
""",
    """
import pytest

def test_negation(self, page):
    try:
        self.assert_empty(page)
    except AssertionError:
        pass
    else:
        raise AssertionError("is empty")

def test_negation_with_return(self, page):
    try:
        self.assert_empty(page)
    except AssertionError:
        return
    pytest.fail("is empty")

def test_negation_in_the_body(self, page):
    try:
        self.assert_empty(page)
        raise RuntimeError("is empty")
    except AssertionError:
        pass

def test_negation_by_pytest(self, page):
    try:
        self.assertEqual(page, "")
        pytest.fail("is empty")
    except AssertionError:
        pass

def test_helper_is_tested_by_its_failure(self, page, client):
    try:
        self.assert_page_is_editable(page)
    except self.failureException:
        pass
    client.login.assert_called_with("x")

def test_something_must_be_raised_here(page):
    try:
        raise KeyError
    except KeyError:
        try:
            assert False, "another error"
        except Exception:
            pass
        page.look_at_context()

def test_flag(self, page):
    empty = False
    try:
        self.assert_empty(page)
        empty = True
    except AssertionError:
        pass
    assert not empty

def test_flag_in_the_handler(self, page):
    ok = True
    try:
        self.assert_empty(page)
    except AssertionError:
        ok = False
    assert not ok
""",
    """
import time

def test_first_success(pages):
    for page in pages:
        try:
            assert page.ready
            break
        except AssertionError:
            time.sleep(0.1)
    else:
        raise AssertionError("never ready")

def test_until(pages):
    while True:
        try:
            assert pages.pop().ready
        except AssertionError:
            continue
        break

def test_filter(pages):
    ready = 0
    for page in pages:
        try:
            assert page.ready
        except AssertionError:
            continue
        ready += 1
    assert ready == 3

def is_ready(page):
    try:
        assert page.ready
        return True
    except AssertionError:
        return False

def is_unready(page):
    try:
        assert page.ready
    except AssertionError:
        return True
""",
    """
import os, sys, threading

def test_twisted(self, d, page):
    def check(result):
        try:
            self.assertEqual(result, 1)
        except Exception:
            d.errback()
    page.addCallback(check)

def test_future(future, page):
    try:
        assert page.ready
    except Exception as e:
        future.set_exception(e)
    future.result()

def test_thread(page):
    errors = []
    def work():
        try:
            assert page.ready
        except BaseException as e:
            errors.append(e)
    threading.Thread(target=work).start()
    assert not errors

def test_child(page):
    if os.fork() == 0:
        try:
            assert page.ready
        except BaseException:
            os._exit(1)
        os._exit(0)

def test_child_with_finally(page):
    status = 1
    try:
        assert page.ready
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)

def test_script(page):
    try:
        assert page.ready
    except AssertionError:
        sys.exit(1)
""",
    """
import contextlib
import pytest

def test_inner_handler_decides(self, page):
    try:
        try:
            assert page.ready
        except AssertionError:
            raise KeyError
        with pytest.raises(AssertionError):
            assert page.done
        page.close()
    except Exception:
        pass

def test_assertion_in_a_nested_function(page):
    try:
        def check():
            assert page.ready
        page.close()
    except Exception:
        pass

def test_skipped(page):
    try:
        assert page.ready
    except Exception:
        pytest.skip("not ready")
    try:
        assert page.ready
    except Exception:
        pytest.xfail("not ready")

def test_own_exception_of_that_name(page):
    from page import Exception
    try:
        assert page.ready
    except Exception:
        pass

def test_something_else_is_done(page):
    try:
        assert page.ready
    except AssertionError:
        page.make_ready()
""",
)

#: Calls of a handler after which the failure is forgotten all the same.
_FORGETFUL = frozenset(
    """
    print print_exc print_exception pprint debug info warning warn error exception critical log sleep
    close remove unlink rmtree rmdir cleanup clean_up rollback quit disconnect collect
    """.split()
)


def rule(module: TestModule) -> Iterator[Hit]:
    for statement, scope in tries(module):
        caught = caught_assertion(module, scope, statement) if scope.is_function else None
        if caught is not None and _is_swallowed(module, scope, statement, *caught):
            yield _hit(module, scope, statement, *caught)


def _hit(module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler, assertion: ast.stmt) -> Hit:
    types = f"except {source_of(handler.type)}" if handler.type is not None else "except"
    return Hit(
        statement,
        f"{types} in line {handler.lineno} swallows the failure of {_described(assertion)} in line {assertion.lineno}",
        fix=_fix(statement, assertion),
        decided_by=Proof(
            "swallowed",
            tuple(
                line
                for inner in assertions_in(statement.body)
                if catches(module, scope, handler, inner)
                for line in lines_of(module, [inner])
            ),
            at=tuple(range(handler.lineno, (handler.end_lineno or handler.lineno) + 1)),
        ),
    )


def _described(assertion: ast.stmt) -> str:
    call = called(assertion)
    return "the assertion" if call is None else call_name(call)


def _fix(statement: ast.Try, assertion: ast.stmt) -> str:
    if is_failure(assertion) and assertion in statement.body:
        about = last_call(statement.body[: statement.body.index(assertion)])
        if about is not None:
            raises = "self.assertRaises" if _described(assertion).startswith("self.") else "pytest.raises"
            return f"expect the precise exception instead: with {raises}(...): {source_of(about[0])}"
    return f"catch only the error of the product, or move out of the try: {source_of(assertion)}"


def _is_swallowed(
    module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler, assertion: ast.stmt
) -> bool:
    return not (
        not _can_hold(module, scope, statement, handler, assertion)
        or not all(_is_forgetful(module, scope, node) for node in handler.body)
        or passes_on(scope, handler.body, nodes_of([handler]))
        or _decided_in_the_body(module, scope, statement, handler, assertion)
        or _decided_behind(module, scope, statement, handler)
        or _goes_round(scope, statement)
        or _is_in_a_child_process(scope, statement)
    )


def _can_hold(
    module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler, assertion: ast.stmt
) -> bool:
    """Not just a way to raise something, nor a helper that is tested by letting it fail."""
    if is_failure(assertion) and next(calls_in(statement.body[:1]), None) is None and statement.body[0] is assertion:
        return False
    expected = handler.type is not None and terminal_name(handler.type) in ("AssertionError", "failureException")
    return not expected or is_standard_assertion(assertion) or is_failure(assertion)


def _is_forgetful(module: TestModule, scope: Scope, statement: ast.stmt) -> bool:
    """Whether a statement of the handler does nothing about the failure."""
    if isinstance(statement, ast.Return):
        # In a helper, no value may be an answer too.
        return statement.value is None and module.role(scope) is Role.TEST
    if isinstance(statement, ast.If):
        return all(_is_forgetful(module, scope, inner) for inner in (*statement.body, *statement.orelse))
    if isinstance(statement, ast.Expr):
        call = called(statement)
        return isinstance(statement.value, ast.Constant) or (
            call is not None and terminal_name(call.func) in _FORGETFUL
        )
    return isinstance(statement, (ast.Pass, ast.Continue, ast.Assign, ast.AugAssign, ast.Delete))


def _decided_in_the_body(
    module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler, assertion: ast.stmt
) -> bool:
    """What follows the assertion in the body knows that it held: a flag, a return, another kind of error."""
    later = [node for node in nodes_of(statement.body) if getattr(node, "lineno", 0) > (assertion.end_lineno or 0)]
    only_assertions = is_builtin_error(module, scope, handler.type, "AssertionError")
    if any(isinstance(node, ast.Return) or (isinstance(node, ast.Raise) and only_assertions) for node in later):
        return True
    if any(is_failure(node) and not catches(module, scope, handler, cast("ast.stmt", node)) for node in later):
        return True
    return is_read(scope, stored_names(node for node in later if isinstance(node, ast.stmt)), nodes_of(statement.body))


def _decided_behind(module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler) -> bool:
    """An ``else``, or code that is only reached when the assertion held."""
    if any(isinstance(node, (ast.Raise, ast.Return, ast.Break)) for node in nodes_of(statement.orelse)):
        return True
    if next(possible_checks(module, scope, statement.orelse), None) is not None:
        return True
    if passes_on(scope, statement.orelse, nodes_of(statement.orelse)):
        return True
    leaves = any(isinstance(node, (ast.Return, ast.Continue)) for node in nodes_of(handler.body))
    return leaves and next(statements_after(scope, statement), None) is not None


def _goes_round(scope: Scope, statement: ast.Try) -> bool:
    """Tried again, or tried on the next one: a loop that the ``try`` can end."""
    in_loop = any(isinstance(node, LOOPS) for node in scope.ancestors(statement))
    if any(isinstance(node, ast.While) for node in scope.ancestors(statement)):
        return True
    return in_loop and any(isinstance(node, ast.Break) for node in nodes_of([statement]))


def _is_in_a_child_process(scope: Scope, statement: ast.Try) -> bool:
    ends = ("_exit", "exit", "kill", "abort")
    if any(terminal_name(call.func) in ends for call in calls_in(statements_after(scope, statement))):
        return True
    return any(terminal_name(call.func) in ("fork", "forkpty") for call in scope.calls)


CHECK = Check("PSA203", "swallowed-assertion", DEFECT, __doc__, BAD, GOOD, rule, cwe=390)
