"""What outlives a test because it belongs to its module, its class or a wide fixture; and who writes it.

A *write* puts something into an object that somebody else holds too: ``CARTS["a"] = 1``,
``self.items.append(1)``, ``app.config["X"] = 1``. Whether that object is shared is for a rule to say.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_secaudit.source.mocks import replacements
from pytest_secaudit.source.module import Role, Scope, TestModule, own_nodes, parameter_names, source_of, terminal_name
from pytest_secaudit.source.syntax import TRIES, WITHS

#: Methods that put something in.
GROWING = frozenset(
    ("__setitem__", "add", "append", "appendleft", "extend", "extendleft", "insert", "setdefault", "update")
)
#: Methods that take something out: in a test they are nearly always the clean-up of what it put in.
REMOVING = frozenset(("__delitem__", "clear", "difference_update", "discard", "pop", "popitem", "popleft", "remove"))
#: Calls that build a container of the standard library.
BUILDERS = frozenset(
    """
    bytearray collections.ChainMap collections.Counter collections.OrderedDict collections.defaultdict
    collections.deque copy.copy copy.deepcopy dict list set
    """.split()
)
_CLEANUPS = frozenset(
    "addAsyncCleanup addClassCleanup addCleanup addModuleCleanup add_cleanup addfinalizer callback".split()
)
_REPLACERS = frozenset("delitem dict enter_context enterContext multiple object setattr setitem".split())
_SAVED = re.compile(r"orig|old|saved?|prev|before|backup|bak|initial|default", re.IGNORECASE)
#: Methods that add another time what is there already.
_LENGTHENING = frozenset(("append", "appendleft", "extend", "extendleft", "insert"))
#: Set-ups that run once for many tests.
_ONCE = frozenset(("setUpClass", "setUpModule", "setUpTestData", "setup_class", "setup_module"))
_WIDE = frozenset(("class", "module", "package", "session"))


class Write(NamedTuple):
    """One write to something that a name leads to.

    Attributes:
        node: the statement or call.
        scope: where it stands.
        root: the name that it starts from: ``app`` of ``app.config["X"] = 1``.
        steps: the way from there to what is written: ``("config",)``; items are ``['a']``, or ``[]`` for any key.
        how: ``item``, ``attribute``, ``grow`` or ``remove``.
        name: the attribute or method; empty for an item.
        key: the key of the item, where one is written.
        value: what is put in, where it is one expression.
    """

    node: ast.AST
    scope: Scope
    root: str
    steps: tuple[str, ...]
    how: str
    name: str = ""
    key: ast.expr | None = None
    value: ast.expr | None = None

    def is_same_place(self, other: Write) -> bool:
        """Whether both write the same key or attribute (of the same object, if the names mean the same)."""
        if (self.root, self.steps, self.name if self.how == "attribute" else "") != (
            other.root,
            other.steps,
            other.name if other.how == "attribute" else "",
        ):
            return False
        return self.key is None or other.key is None or ast.dump(self.key) == ast.dump(other.key)


def writes(module: TestModule) -> tuple[Write, ...]:
    """Every write of the file, in no special order."""
    return module.once(_writes)


def writes_within(module: TestModule, scope: Scope) -> tuple[Write, ...]:
    """The writes that stand in this function or in those nested in it."""
    return tuple(write for inner in scope.within() for write in module.once(_by_scope).get(inner, ()))


def _by_scope(module: TestModule) -> dict[Scope, list[Write]]:
    found: dict[Scope, list[Write]] = {}
    for write in writes(module):
        found.setdefault(write.scope, []).append(write)
    return found


def _writes(module: TestModule) -> tuple[Write, ...]:
    return (*_assigned(module), *_deleted(module), *_called(module))


def _assigned(module: TestModule) -> Iterator[Write]:
    for node, scope in module.each(ast.Assign):
        for target in node.targets:
            kind = target.__class__
            if kind is ast.Subscript or kind is ast.Attribute:
                yield from _stored(node, scope, target, node.value)
            elif kind is ast.Tuple:
                for part in target.elts:  # type: ignore[attr-defined]
                    yield from _stored(node, scope, part, None)
    for augmented, scope in module.each(ast.AugAssign):
        yield from _stored(augmented, scope, augmented.target, None)


def _stored(node: ast.stmt, scope: Scope, target: ast.expr, value: ast.expr | None) -> Iterator[Write]:
    if isinstance(target, ast.Subscript):
        root, steps = path_of(target.value)
        if root:
            whole = isinstance(target.slice, ast.Slice)
            yield Write(node, scope, root, steps, "remove" if whole else "item", "", target.slice, value)
    elif isinstance(target, ast.Attribute):
        root, steps = path_of(target.value)
        if root:
            yield Write(node, scope, root, steps, "attribute", target.attr, None, value)


def _deleted(module: TestModule) -> Iterator[Write]:
    for node, scope in module.each(ast.Delete):
        for target in node.targets:
            if isinstance(target, (ast.Subscript, ast.Attribute)):
                root, steps = path_of(target.value)
                key = target.slice if isinstance(target, ast.Subscript) else None
                name = target.attr if isinstance(target, ast.Attribute) else ""
                if root:
                    yield Write(node, scope, root, steps, "remove", name, key)


def _called(module: TestModule) -> Iterator[Write]:
    done_for_effect: dict[Scope, set[int]] = {}
    for names, how in ((GROWING, "grow"), (REMOVING, "remove")):
        for call, scope in module.calls(*names):
            if not isinstance(call.func, ast.Attribute):
                continue
            if how == "grow":  # ``url = base.update(...)`` is some other method of that name
                if scope not in done_for_effect:
                    done_for_effect[scope] = {id(node.value) for node in scope.of(ast.Expr)}
                if id(call) not in done_for_effect[scope]:
                    continue
            root, steps = path_of(call.func.value)
            if root:
                key = call.args[0] if call.args and call.func.attr in ("pop", "setdefault", "__setitem__") else None
                yield Write(call, scope, root, steps, how, call.func.attr, key)


def path_of(expression: ast.expr) -> tuple[str, tuple[str, ...]]:
    """Name and steps of ``app.config["a"]``: ``("app", ("config", "['a']"))``; an empty name for anything else."""
    steps: list[str] = []
    while True:
        if isinstance(expression, ast.Attribute):
            steps.append(expression.attr)
        elif isinstance(expression, ast.Subscript) and not isinstance(expression.slice, ast.Slice):
            key = expression.slice  # (a slice is a copy)
            steps.append(f"[{source_of(key, 40)}]" if isinstance(key, ast.Constant) else "[]")
        else:
            break
        expression = expression.value
    return (expression.id if isinstance(expression, ast.Name) else ""), tuple(reversed(steps))


def all_seen_through(module: TestModule) -> dict[Write, Write]:
    """Every write of the file, and what it is when names are replaced by what they stand for."""
    return {write: seen_through(module, write) for write in writes(module)}


def seen_through(module: TestModule, write: Write, depth: int = 3) -> Write:
    """The write with names replaced by what they stand for: ``cart = CARTS["a"]; cart["b"] = 1``."""
    value, steps = _stands_for(module, write) if depth else (None, ())
    root, before = path_of(value) if value is not None else ("", ())
    if not root or root == write.root:
        return write
    longer = Write(write.node, write.scope, root, (*before, *steps), write.how, write.name, write.key, write.value)
    return seen_through(module, longer, depth - 1)


def _stands_for(module: TestModule, write: Write) -> tuple[ast.expr | None, tuple[str, ...]]:
    """What the start of a write is assigned, and the steps that are left."""
    if write.root in ("self", "cls"):
        owner = write.scope.outermost.owner_class
        if owner is None or not write.steps or is_item(write.steps[0]):
            return None, ()
        return _kept(module, owner, write.steps[0]), write.steps[1:]
    binder = module.binder(write.root, write.scope)
    if binder is None or not binder.is_function or write.root in parameter_names(binder.node):
        return None, ()
    value = module.value(write.root, write.scope)
    return (None if value is None or rebinds_oddly(module, binder, write.root) else value), write.steps


def _kept(module: TestModule, cls: Scope, name: str) -> ast.expr | None:
    """The name of the module that ``self.name`` is assigned, if the class and its bases assign it only once."""
    values = [value for base in module.lineage(cls) for value in module.once(_kept_by_self).get((base, name), ())]
    root, _ = path_of(values[0]) if len(values) == 1 else ("", ())
    return values[0] if root and module.binder(root, cls) is module.root else None


def _kept_by_self(module: TestModule) -> dict[tuple[Scope, str], list[ast.expr]]:
    """What the methods of each class assign to the attributes of ``self``."""
    found: dict[tuple[Scope, str], list[ast.expr]] = {}
    for write in writes(module):
        owner = write.scope.outermost.owner_class if write.how == "attribute" and not write.steps else None
        if owner is not None and write.root in ("self", "cls") and isinstance(write.node, ast.Assign):
            found.setdefault((owner, write.name), []).append(write.node.value)
    return found


def names_leading_to(module: TestModule, wanted: Iterable[str]) -> set[str]:
    """These names, and the names and attributes that are assigned from an attribute or name of such a name."""
    found = set(wanted)
    grows = True
    while grows:
        grows = False
        for name, parts in module.once(_other_names):
            if name not in found and not found.isdisjoint(parts):
                found.add(name)
                grows = True
    return found


def _other_names(module: TestModule) -> list[tuple[str, tuple[str, ...]]]:
    """Each ``name = other.attribute["key"]``: the name, and the names on the right."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for node, _ in module.each(ast.Assign):
        if isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript)):
            root, steps = path_of(node.value)
            targets = (target for target in node.targets if isinstance(target, (ast.Name, ast.Attribute)))
            found += [(terminal_name(target), (root, *steps)) for target in targets]
    return found


def rebinds_oddly(module: TestModule, scope: Scope, name: str) -> bool:
    """Whether a loop, a ``with`` or the like binds the name too: then it may be anything."""
    counts = module.once(_stores)
    if scope not in counts:
        stored = (node for node in own_nodes(scope.node) if isinstance(node, ast.Name))
        counts[scope] = Counter(node.id for node in stored if not isinstance(node.ctx, ast.Load))
    return counts[scope][name] > 1


def _stores(_: TestModule) -> dict[Scope, Counter[str]]:
    """How often each name is bound in a scope; filled in where it is asked."""
    return {}


# --- what is a container


def is_container(module: TestModule, value: ast.expr | None, scope: Scope) -> bool:
    """Whether the expression builds a list, dict, set or the like."""
    if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)):
        return True
    if isinstance(value, ast.Call):
        return module.resolve(value.func, scope).removeprefix("builtins.") in BUILDERS
    return False


def containers_of(module: TestModule, scope: Scope) -> dict[str, ast.expr]:
    """The containers that a module or class binds by name."""
    found: dict[str, ast.expr] = {}
    for node in scope.of(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name) and is_container(module, node.value, scope):
                found[target.id] = node.value
    for annotated in scope.of(ast.AnnAssign):
        if isinstance(annotated.target, ast.Name) and annotated.value and is_container(module, annotated.value, scope):
            found[annotated.target.id] = annotated.value
    return found


def has_key(container: ast.expr, key: ast.expr | None) -> bool:
    """Whether the display names this constant key."""
    if not isinstance(container, ast.Dict) or not isinstance(key, ast.Constant):
        return False
    return any(isinstance(known, ast.Constant) and known.value == key.value for known in container.keys)


# --- who puts it right


def is_put_right(module: TestModule, write: Write, mine: Iterable[Write]) -> bool:
    """Whether the test itself resets, removes or puts back what it writes; ``mine`` are its writes to that object."""
    outer = write.scope.outermost
    mine = list(mine)
    if _resets_first(module, mine) or _asks_first(write) or _is_the_restore(module, write, mine):
        return True
    later = [other for other in mine if _line(other) > _line(write)]
    if any(other.how == "remove" or (other.is_same_place(write) and _writes_back(module, other)) for other in later):
        return True
    return _is_guarded(module, outer, write)


def _line(write: Write) -> int:
    line: int = getattr(write.node, "lineno", 0)
    return line


def _is_the_restore(module: TestModule, write: Write, mine: list[Write]) -> bool:
    """It stands in a ``finally``, or brings back what an earlier write of the test has replaced."""
    for node in write.scope.ancestors(write.node):
        if isinstance(node, TRIES) and any(write.node in own_nodes(s) for s in getattr(node, "finalbody", [])):
            return True
    earlier = any(_line(other) < _line(write) and other.is_same_place(write) for other in mine)
    return earlier and _writes_back(module, write)


def _resets_first(module: TestModule, mine: list[Write]) -> bool:
    """The test begins by emptying it, or by setting it to nothing, as tests do that share it on purpose."""
    for first in mine:
        emptied = first.how == "remove" and (first.key is None or isinstance(first.key, ast.Slice))
        if _begins_with(first) and (emptied or _is_nothing(first.value)):
            if len(mine) > 1 or any(_begins_alike(first, other) for other in writes(module)):
                return True
    return False


def _begins_with(write: Write) -> bool:
    """Whether the write stands in one of the first statements of its test."""
    return any(write.node is node for statement in write.scope.outermost.body[:3] for node in own_nodes(statement))


def _begins_alike(write: Write, other: Write) -> bool:
    """Another test begins with the same: it is how this file shares the object."""
    return (
        other.scope.outermost is not write.scope.outermost
        and other.is_same_place(write)
        and _is_nothing(other.value)
        and _begins_with(other)
    )


def _is_nothing(value: ast.expr | None) -> bool:
    """``0``, ``None``, ``""``, ``[]``, ``dict()``: what a record begins with."""
    if isinstance(value, ast.Constant):
        return not value.value
    if isinstance(value, ast.Call):
        return not (value.args or value.keywords)
    return isinstance(value, (ast.List, ast.Dict, ast.Tuple)) and not any(
        isinstance(child, ast.expr) for child in ast.iter_child_nodes(value)
    )


def _asks_first(write: Write) -> bool:
    """``if "x" not in STATE: STATE["x"] = make()``: made once, on purpose."""
    return any(
        isinstance(node, (ast.If, ast.While)) and _mentions(node.test, write.root)
        for node in write.scope.ancestors(write.node)
    )


def _writes_back(module: TestModule, write: Write) -> bool:
    """Whether the value is one that was read from there before."""
    if write.value is None:
        return False
    text = source_of(write.value, 120)
    if _SAVED.search(text):
        return True
    if not isinstance(write.value, ast.Name):
        return False
    read = module.value(write.value.id, write.scope)
    return read is not None and _mentions(read, write.root)


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _is_guarded(module: TestModule, outer: Scope, write: Write) -> bool:
    """A patch, a context manager or a registered clean-up of the test takes the object."""
    for inner in outer.within():
        for call in inner.calls:
            name = terminal_name(call.func)
            if name in _CLEANUPS or (name in _REPLACERS and isinstance(call.func, ast.Attribute)):
                if any(_mentions(argument, write.root) for argument in (*call.args, *call.keywords)):
                    return True
        for node in inner.of(*WITHS):
            items: list[ast.withitem] = getattr(node, "items", [])
            for item in items:
                manager = item.context_expr
                if isinstance(manager, ast.Call) and any(_mentions(argument, write.root) for argument in manager.args):
                    return _stands_in(write, node)
    return _is_decorated(module, outer, write.root)


def _stands_in(write: Write, block: ast.AST) -> bool:
    return block.lineno <= _line(write) <= (block.end_lineno or 0)  # type: ignore[attr-defined,no-any-return]


def _is_decorated(module: TestModule, outer: Scope, root: str) -> bool:
    around: Scope | None = outer
    while around is not None:
        for _, decorator in module.decorators(around):
            if isinstance(decorator, ast.Call) and decorator.args and _mentions(decorator.args[0], root):
                return True
        around = around.enclosing
    return False


def replaced_names(module: TestModule) -> frozenset[str]:
    """The last names of everything that this file patches."""
    return module.once(_replaced_names)


def _replaced_names(module: TestModule) -> frozenset[str]:
    return frozenset(replacement.target.rpartition(".")[2] for replacement in replacements(module))


def is_reset_elsewhere(module: TestModule, write: Write, others: Iterable[Write]) -> bool:
    """Whether code around the tests empties the object or writes the same place again; ``others`` are its writes."""
    for other in others:
        role = module.role(other.scope.outermost)
        if role in (Role.TEST, Role.MODULE, Role.CLASS):
            continue
        if other.how == "remove" or other.is_same_place(write):
            return True
    return False


def emptied_places(module: TestModule) -> Iterator[tuple[str, str, str]]:
    """What fixtures and tear-downs of this file empty at their end: kind and name of the owner, full name.

    ``app.dependency_overrides.clear()`` below the ``yield`` of a conftest's fixture puts right what tests put in.
    """
    if not any(word in module.text for word in ("fixture", "tearDown", "TearDown", "teardown")):
        return
    for scope in module.functions(Role.FIXTURE, Role.TEARDOWN):
        yields = [node.lineno for node in scope.of(ast.Yield)]
        if module.role(scope) is Role.FIXTURE and not yields:
            continue
        for write in writes_within(module, scope):
            if _line(write) > min(yields, default=0):
                name = _emptied(module, write)
                if name:
                    yield (*_owner(module, scope), name)


def _owner(module: TestModule, scope: Scope) -> tuple[str, str]:
    if module.role(scope) is Role.FIXTURE:
        return "fixture", module.fixture_name(scope)
    owner = scope.owner_class
    return ("class", owner.qualname) if owner is not None else ("module", "")


def _emptied(module: TestModule, write: Write) -> str:
    """The full name of what the write empties or takes something out of, where the root is imported."""
    if write.how == "remove" and not (write.name and isinstance(write.node, ast.Delete)):
        steps = write.steps
    elif write.how == "attribute" and _is_nothing(write.value):
        steps = (*write.steps, write.name)
    else:
        return ""
    root = module.resolve(ast.Name(write.root, ast.Load()), write.scope)
    return ".".join((root, *steps)) if root and steps and not any(map(is_item, steps)) else ""


# --- fixtures


def wide_fixture(module: TestModule, name: str, test: Scope) -> bool | None:
    """Whether the fixture that this file has for the test is of scope class or wider; None if it has none."""
    owner = test.owner_class
    holders = [*(module.lineage(owner)), module.root]
    for holder in holders:
        for scope in reversed(holder.children):
            if scope.is_function and module.fixture_name(scope) == name:
                return module.fixture_scope(scope) in _WIDE
    return None


def is_fixture_argument(module: TestModule, write: Write) -> bool:
    """Whether the write starts from a parameter of a test that pytest fills with a fixture."""
    outer = write.scope.outermost
    if write.root in ("self", "cls") or module.binder(write.root, write.scope) is not outer:
        return False
    if module.role(outer) is not Role.TEST or write.root not in fixture_parameters(outer):
        return False
    return not (_is_bound_again(outer, write.root) or _is_parametrized(module, outer, write.root))


def fixture_parameters(function: Scope) -> list[str]:
    """The parameters that pytest fills: those without a default."""
    arguments: ast.arguments = function.node.args  # type: ignore[attr-defined]
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    named = [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    return [*positional[: len(positional) - len(arguments.defaults)], *named]


def _is_bound_again(scope: Scope, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for node in own_nodes(scope.node)
    )


def _is_parametrized(module: TestModule, scope: Scope, name: str) -> bool:
    """Whether a mark or a decorator of ``mock`` gives the argument instead of a fixture."""
    around: Scope | None = scope
    while around is not None:
        for decorated_by, decorator in module.decorators(around):
            if "patch" in decorated_by:
                return True
            if decorated_by.endswith("parametrize") and isinstance(decorator, ast.Call) and decorator.args:
                written = (node.value for node in ast.walk(decorator.args[0]) if isinstance(node, ast.Constant))
                if any(name in re.split(r"[,\s]+", text) for text in written if isinstance(text, str)):
                    return True
        around = around.enclosing
    return False


# --- who writes


def is_for_each_test(module: TestModule, write: Write) -> bool:
    """Whether the write happens in a test, or makes something longer in what runs before each test."""
    outer = write.scope.outermost
    if module.role(outer) is Role.SETUP:
        return write.name in _LENGTHENING and outer.name not in _ONCE
    return module.role(outer) is Role.TEST


# --- how it is said


def first_of_each_test(found: Iterable[Write]) -> Iterator[Write]:
    """The first write of each test to each object: the rest is the same leak."""
    seen: set[tuple[Scope, str, str]] = set()
    for write in sorted(found, key=_line):
        key = (write.scope.outermost, write.root, write.steps[0] if write.root in ("self", "cls") else "")
        if key not in seen:
            seen.add(key)
            yield write


def module_path(module: TestModule) -> str:
    """``tests.test_shop`` for ``tests/test_shop.py``."""
    path = module.path.removeprefix("<site-packages>/").removesuffix(".py").removesuffix("/__init__")
    return path.replace("/", ".")


def place_name(base: str, write: Write) -> str:
    """``base['a']`` or ``base.attr``: the first item or the last attribute on the way from ``base`` that is known."""
    for step in write.steps:
        if step == "[]":
            return base
        if is_item(step):
            return f"{base}{step}"
        base = f"{base}.{step}"
    if write.how == "attribute":
        return f"{base}.{write.name}"
    return f"{base}[{source_of(write.key, 40)}]" if isinstance(write.key, ast.Constant) else base


def is_item(step: str) -> bool:
    """Whether the step is a key, not an attribute."""
    return step.startswith("[")
