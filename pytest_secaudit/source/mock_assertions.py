"""The assertions of ``unittest.mock`` in a file: what is mistaken for them, and who has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.mock_names import meant as meant_by
from pytest_secaudit.source.mocks import MOCKER_FIXTURES
from pytest_secaudit.source.module import Scope, TestModule, dotted_name, own_nodes, parameter_names, terminal_name
from pytest_secaudit.source.oracles import ASSERTION_ERRORS, handler_types

#: Unknown names with such a beginning are errors on a mock (Python 3.10 to 3.13): nothing is silent there.
_REFUSED = ("assert", "assret", "asert", "aseert", "assrt")

_TRUTH_METHODS = ("assertTrue", "assertIsNotNone", "assert_", "failUnless")

_MOCK_CLASSES = frozenset(f"unittest.mock.{name}" for name in ("Mock", "MagicMock", "AsyncMock"))
_SPECS = frozenset(("spec", "spec_set", "autospec", "wraps", "new", "new_callable", None))


# --- names


def meant(name: str) -> str:
    """The assertion that a mock's user meant by ``name``, where the mock takes that name without a word."""
    return "" if name.startswith(_REFUSED) else meant_by(name)


def is_own_attribute(module: TestModule, name: str) -> bool:
    """Whether the file itself gives something an attribute of that name: a method, a flag, a configured mock."""
    if any(scope.name == name for scope in module.scopes):
        return True
    for target, scope in _targets(module):
        if terminal_name(target) == name and (isinstance(target, ast.Attribute) or scope.is_class):
            return True
    # As a string it may be given by setattr, a specification or a configuration.
    return f'"{name}"' in module.text or f"'{name}'" in module.text


def _targets(module: TestModule) -> Iterator[tuple[ast.expr, Scope]]:
    for assignment, scope in module.each(ast.Assign):
        yield from ((target, scope) for target in assignment.targets)
    for annotated, scope in module.each(ast.AnnAssign):
        yield annotated.target, scope
    for augmented, scope in module.each(ast.AugAssign):
        yield augmented.target, scope


# --- where an attribute is all that a check consists of


@lean
@dataclass(frozen=True, slots=True)
class Uncalled:
    """An attribute that is not called, but stands where its truth or its evaluation should check something."""

    node: ast.Attribute
    scope: Scope
    judged: bool  # an assertion looks at its truth; else it is a statement of its own


def uncalled(module: TestModule) -> tuple[Uncalled, ...]:
    """The attributes with ``call`` or ``await`` in their name that are a whole statement or a whole assertion."""
    return module.once(_uncalled)


def _uncalled(module: TestModule) -> tuple[Uncalled, ...]:
    return tuple(found for found in _bare_attributes(module) if "call" in found.node.attr or "await" in found.node.attr)


def _bare_attributes(module: TestModule) -> Iterator[Uncalled]:
    for statement, scope in module.each(ast.Expr):
        if isinstance(statement.value, ast.Attribute):
            yield Uncalled(statement.value, scope, judged=False)
    for assertion, scope in module.each(ast.Assert):
        for operand in conjuncts(assertion.test):
            if isinstance(operand, ast.Attribute):
                yield Uncalled(operand, scope, judged=True)
    for call, scope in module.calls(*_TRUTH_METHODS):
        if call.args and isinstance(call.args[0], ast.Attribute):
            yield Uncalled(call.args[0], scope, judged=True)


def conjuncts(test: ast.expr) -> list[ast.expr]:
    """The parts of ``a and b and c``, each of which must be true."""
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def is_judged(scope: Scope, call: ast.Call) -> bool:
    """Whether an assertion rests on the truth of what ``call`` returns."""
    parent = scope.parent(call)
    if isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.And):
        parent = scope.parent(parent)
    if isinstance(parent, ast.Assert):
        return parent.msg is not call
    return isinstance(parent, ast.Call) and terminal_name(parent.func) in _TRUTH_METHODS and parent.args[:1] == [call]


def is_statement(scope: Scope, call: ast.Call) -> bool:
    """Whether ``call``, awaited or not, is a whole statement."""
    parent = scope.parent(call)
    if isinstance(parent, ast.Await):
        parent = scope.parent(parent)
    return isinstance(parent, ast.Expr)


def expects_an_error(scope: Scope, node: ast.AST) -> bool:
    """Whether the error of a mock or of an assertion is expected or caught around the node: it is the subject there."""
    return any(_expects(around) for around in scope.ancestors(node))


def _expects(around: ast.AST) -> bool:
    if isinstance(around, (ast.With, ast.AsyncWith)):
        calls = [item.context_expr for item in around.items if isinstance(item.context_expr, ast.Call)]
        names = [terminal_name(call.func) for call in calls]
        return any("raises" in name.lower() or name == "suppress" for name in names)
    handlers: list[ast.ExceptHandler] = getattr(around, "handlers", [])
    return any(name in _OWN_ERRORS for handler in handlers for name in handler_types(handler))


#: What a mock raises for unknown names and wrong arguments, and an assertion for a failure.
_OWN_ERRORS = ASSERTION_ERRORS | {"AttributeError", "TypeError"}


# --- receivers


def is_own_object(receiver: ast.expr) -> bool:
    """``self`` and ``cls``: a method or attribute of the test class itself."""
    return isinstance(receiver, ast.Name) and receiver.id in ("self", "cls")


def is_call_record(receiver: ast.expr) -> bool:
    """``m.mock_calls[0]``, ``m.call_args`` ...: a record of a call, which takes any name and has no assertion."""
    if isinstance(receiver, ast.Subscript) and not isinstance(receiver.slice, ast.Slice):
        lists = ("mock_calls", "method_calls", "call_args_list", "await_args_list")
        return isinstance(receiver.value, ast.Attribute) and receiver.value.attr in lists
    return isinstance(receiver, ast.Attribute) and receiver.attr in ("call_args", "await_args")


def is_plain(receiver: ast.expr) -> bool:
    """Whether a receiver is made of names, attributes and subscripts only, so that it is no phrase of a matcher."""
    while isinstance(receiver, (ast.Attribute, ast.Subscript)):
        receiver = receiver.value
    return isinstance(receiver, ast.Name)


def is_bare_mock(module: TestModule, scope: Scope, receiver: ast.expr, attribute: str) -> bool:
    """Whether the receiver is, for certain, a mock that makes up any attribute it is asked for.

    It must be bound only once, in a function, to a mock without a specification; and nothing on the
    way from there to the receiver may have been set.
    """
    written = dotted_name(receiver)
    root, _, rest = written.partition(".")
    binder = module.binder(root, scope) if root else None
    if binder is None or not binder.is_function:
        return False
    options = _mock_options(module, binder, root)
    first = rest.partition(".")[0] or attribute
    return options is not None and first not in options and not _is_replaced(module, written)


def _is_replaced(module: TestModule, written: str) -> bool:
    """Whether something is put in the place of the receiver, or of what it hangs on: ``client.send = Real()``."""
    for target, _ in _targets(module):
        name = dotted_name(target) if isinstance(target, ast.Attribute) else ""
        if name and f"{written}.".startswith(f"{name}."):
            return True
    root = written.partition(".")[0]
    given = module.calls("configure_mock", "attach_mock", "mock_add_spec")
    return any(dotted_name(call.func).startswith(f"{root}.") for call, _ in given)


def _mock_options(module: TestModule, binder: Scope, name: str) -> set[str] | None:
    """The keyword names of the only call that makes ``name`` a bare mock; None when it is not known to be one."""
    stores = [node for node in own_nodes(binder.node) if isinstance(node, ast.Name) and node.id == name]
    times = sum(not isinstance(node.ctx, ast.Load) for node in stores)
    if name in parameter_names(binder.node):
        call = None if times else _patched_parameters(module, binder).get(name)
    else:
        call = _bound_call(module, binder, name) if times == 1 else None
    return None if call is None else {keyword.arg for keyword in call.keywords if keyword.arg}


def _bound_call(module: TestModule, binder: Scope, name: str) -> ast.Call | None:
    """The call of a patch or of a mock class that makes the only value of ``name``."""
    managed = _managed(binder, name)
    if managed is not None:
        return managed if _is_bare_patch(module, binder, managed) else None
    value = module.value(name, binder)
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr == "start" and isinstance(value.func.value, ast.Call):
        return value.func.value if _is_bare_patch(module, binder, value.func.value) else None
    made_here = _of_mocker(value) and _is_bare_patch(module, binder, value)  # mocker.patch is started by the call
    return value if made_here or _makes_bare_mock(module, binder, value) else None


def _managed(binder: Scope, name: str) -> ast.Call | None:
    """The call of ``with call() as name``."""
    items = [item for statement in binder.of(ast.With) for item in statement.items]
    items += [item for statement in binder.of(ast.AsyncWith) for item in statement.items]
    for item in items:
        if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name:
            return item.context_expr if isinstance(item.context_expr, ast.Call) else None
    return None


def _of_mocker(call: ast.Call) -> str:
    """``patch.object`` of ``mocker.patch.object(...)``; an empty string for everything else."""
    root, _, rest = dotted_name(call.func).partition(".")
    return rest if root in MOCKER_FIXTURES else ""


def _makes_bare_mock(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    made = _of_mocker(call)
    full = f"unittest.mock.{made}" if made else module.resolve(call.func, scope)
    if made == "stub":
        return _is_free(call, positional=1)
    return full in _MOCK_CLASSES and _is_free(call, positional=0)


def _is_bare_patch(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    """``patch("a.b")`` and ``patch.object(a, "b")`` that say nothing about the replacement."""
    made = _of_mocker(call)
    full = f"unittest.mock.{made}" if made else module.resolve(call.func, scope)
    targets = {"unittest.mock.patch": 1, "unittest.mock.patch.object": 2}.get(full)
    return targets is not None and len(call.args) == targets and _is_free(call, targets)


def _is_free(call: ast.Call, positional: int) -> bool:
    return (
        len(call.args) <= positional
        and not any(isinstance(argument, ast.Starred) for argument in call.args)
        and not any(keyword.arg in _SPECS for keyword in call.keywords)
    )


def _patched_parameters(module: TestModule, function: Scope) -> dict[str, ast.Call]:
    """The parameters that bare patch decorators fill; none when any decorator is of another kind."""
    calls: list[ast.Call] = []
    around = function.enclosing or module.root
    for name, decorator in module.decorators(function):
        if name.startswith("pytest.mark."):
            continue
        if not isinstance(decorator, ast.Call) or not _is_bare_patch(module, around, decorator):
            return {}
        calls.append(decorator)
    names = [name for name in parameter_names(function.node) if name not in ("self", "cls")]
    return dict(zip(names, reversed(calls), strict=False))
