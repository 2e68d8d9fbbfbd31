"""Is a change undone on every path, only when nothing fails, or never?

The one place that knows the ways in which tests put things back by hand: ``try/finally``, code after a
fixture's ``yield``, registered clean-ups, tear-down methods. What ends by itself (``with``, decorators,
``monkeypatch``) is in `pytest_secaudit.source.temporary`. What other files do (autouse fixtures of a conftest, tear-downs
of an imported base class) is asked as a `Question`; each file's own answers are its `RestoreFact`s.
"""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_secaudit.model import Question
from pytest_secaudit.places import SET_UP, Place, RestoreFact
from pytest_secaudit.source.changes import CWD, ENVIRON, Change, changes, changes_in, place_called
from pytest_secaudit.source.containers import emptied_places
from pytest_secaudit.source.module import (
    Role,
    Scope,
    TestModule,
    dotted_name,
    own_nodes,
    parameter_names,
    terminal_name,
)
from pytest_secaudit.source.syntax import TRIES, WITHS
from pytest_secaudit.source.temporary import (
    ends_by_itself,
    guards,
    may_replace,
    named_for,
    reached,
    replaced_places,
    shares_words,
)


class Undone(enum.Enum):
    """How surely a change is put back."""

    ALWAYS = "on every path"
    STRAIGHT = "only if nothing fails"
    NEVER = "never"


#: Methods that register something to be called when the test is over.
_CLEANUPS = frozenset(
    (
        "addAsyncCleanup",
        "addClassCleanup",
        "addCleanup",
        "addModuleCleanup",
        "addTeardown",
        "add_cleanup",
        "add_finalizer",
        "addfinalizer",
        "callback",
        "defer",
        "doCleanup",
        "on_teardown",
        "push_async_callback",
    )
)


def undone(module: TestModule, change: Change) -> Undone:
    """How surely this change is put back, as far as its own file tells."""
    if any(test(module, change) for test in _ALWAYS):
        return Undone.ALWAYS
    return Undone.STRAIGHT if straight_restore(module, change) is not None else Undone.NEVER


def question(module: TestModule, change: Change) -> Question:
    """Whether a fixture in effect, or a base class, puts the place back: only other files know."""
    return _restored_around(module, change, change.place.area)


def question_of_setup(module: TestModule, change: Change) -> Question:
    """Whether the set-up of a base class writes the place anew before each test."""
    return _restored_around(module, change, SET_UP)


def _restored_around(module: TestModule, change: Change, area: str) -> Question:
    owner = change.scope.outermost.owner_class
    where = (area, change.place.name, str(change.place.whole), owner.qualname if owner else "")
    return Question("restored-around", (*where, *fixtures_asked(module, change.scope)))


def fixtures_asked(module: TestModule, scope: Scope) -> tuple[str, ...]:
    """The function that a scope stands in, by its qualified name, and the fixtures that it asks for in the text."""
    outer = scope.outermost
    parameters = parameter_names(outer.node) if outer.is_function else []
    return (outer.qualname, *_used_fixtures(module, outer), *parameters)


def _used_fixtures(module: TestModule, scope: Scope) -> Iterator[str]:
    """The names in ``usefixtures`` marks on the function and its classes."""
    around: Scope | None = scope
    while around is not None:
        for name, decorator in module.decorators(around):
            if name.endswith("mark.usefixtures") and isinstance(decorator, ast.Call):
                yield from (a.value for a in decorator.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
        around = around.enclosing


# --- on every path


def _is_itself_the_restore(module: TestModule, change: Change) -> bool:
    """In a tear-down, a clean-up function, a ``finally`` or behind a ``yield``; or it writes what was saved elsewhere."""
    scope = change.scope
    if module.role(scope.outermost) is Role.TEARDOWN or scope in module.once(_cleanup_functions):
        return True
    if module.role(scope) is not Role.TEST and any(change.line > line for line in _yields(scope)):
        return True
    inside_finally = any(
        isinstance(node, TRIES) and node.finalbody and node.finalbody[0].lineno <= change.line  # type: ignore[attr-defined]
        for node in scope.ancestors(change.node)
    )
    return inside_finally or writes_saved(module, change)


def _in_finally(module: TestModule, change: Change) -> bool:
    """A ``try`` around or after the change puts the place back in its ``finally``."""
    scope: Scope | None = change.scope
    while scope is not None and scope.enclosing is not None:
        for attempt in scope.of(*TRIES):
            ends: list[ast.stmt] = attempt.finalbody  # type: ignore[attr-defined]
            before = ends and (scope is not change.scope or change.line < ends[0].lineno)
            if before and touches(module, scope, ends, change.place):
                return True
        scope = scope.enclosing
    return False


def _after_yield(module: TestModule, change: Change) -> bool:
    """In a fixture, the code after ``yield`` puts the place back; pytest resumes it after a failed test."""
    scope = change.scope.outermost
    yields = _yields(scope)
    if not yields or module.role(scope) is not Role.FIXTURE:
        return False
    return touches(module, scope, _statements_after(scope, min(yields)), change.place)


def _yields(scope: Scope) -> list[int]:
    return [node.lineno for node in scope.of(ast.Yield, ast.YieldFrom)]


def _by_cleanup(module: TestModule, change: Change) -> bool:
    """A clean-up that the function or a set-up of its class registers puts the place back."""
    for scope in (change.scope.outermost, *setups(module, change.scope)):
        for inner in reached(module, scope):
            if any(_cleans(module, inner, call, change.place) for call in inner.calls):
                return True
    return False


def _by_setup(module: TestModule, change: Change) -> bool:
    """A set-up of the class replaces the place for the time of each test."""
    return any(
        place.holds(change.place)
        for scope in setups(module, change.scope)
        for place in replaced_places(module, reached(module, scope))
    )


def set_anew(module: TestModule, change: Change) -> bool:
    """A set-up of the class writes the place before each test; what this test leaves ends there."""
    outer = change.scope.outermost
    return module.role(outer) is Role.TEST and any(
        other.place.holds(change.place)
        for scope in setups(module, change.scope)
        for inner in reached(module, scope)
        for other in changes_in(module, inner)
    )


def _by_teardown(module: TestModule, change: Change) -> bool:
    """A tear-down of the class, of a base class in this file, or of the module writes the place."""
    return any(touches(module, scope, scope.body, change.place) for scope in _teardowns(module, change.scope))


def _at_once(module: TestModule, change: Change) -> bool:
    """Nothing that may fail stands between the change and the restore."""
    later = straight_restore(module, change)
    if later is None or later.scope is not change.scope:
        return False
    return not any(
        isinstance(node, (ast.Call, ast.Assert, ast.Raise, ast.Await, ast.Yield))
        for node in own_nodes(change.scope.node)
        if change.line < getattr(node, "lineno", 0) < later.line
    )


_ALWAYS = (
    _is_itself_the_restore,
    ends_by_itself,
    _in_finally,
    _after_yield,
    _by_cleanup,
    _by_setup,
    _by_teardown,
    _at_once,
)


# --- in a straight line

_SAVED = re.compile(
    r"(?<![a-z])(orig(?!in)|old(?!er|est)|saved|prev(?!iew|ent)|backup|bak(?![a-z])|before)|original|_was(?![a-z])|__std(in|out|err)__",
    re.IGNORECASE,
)
_OPPOSITES = {ast.Add: ast.Sub, ast.Sub: ast.Add}


def straight_restore(module: TestModule, change: Change) -> Change | None:
    """The later write of the same function that puts the place back, if nothing fails before it."""
    later = [
        other
        for inner in change.scope.outermost.within()
        if inner is change.scope or not isinstance(inner.node, ast.Lambda)
        for other in changes_in(module, inner)
        if other.line > change.line and other.place.meets(change.place)
    ]
    restores = (other for other in later if _puts_back(module, change, other))
    return next(restores, None) or next((other for other in later[-1:] if _ends_the_function(module, other)), None)


def _puts_back(module: TestModule, change: Change, later: Change) -> bool:
    if isinstance(change.node, ast.AugAssign) and isinstance(later.node, ast.AugAssign):
        return _OPPOSITES.get(type(change.node.op)) is type(later.node.op)
    return (later.removes and not change.removes) or is_reset(module, later) or writes_saved(module, later)


def _ends_the_function(module: TestModule, last: Change) -> bool:
    """Nothing uses what is written there: no call follows, but other writes. A variable that is set is no such end."""
    if last.place.area == "environ" and isinstance(last.value, ast.Constant) and last.value.value:
        return False
    writes = {id(node) for change in changes_in(module, last.scope) for node in ast.walk(change.node)}
    end: int = getattr(last.node, "end_lineno", 0)
    return not any(
        isinstance(node, (ast.Call, ast.Await)) and id(node) not in writes
        for node in own_nodes(last.scope.node)
        if getattr(node, "lineno", 0) > end
    )


def writes_saved(module: TestModule, change: Change) -> bool:
    """Whether a write looks like one that puts things back: its value was read from the place, or is named so."""
    if change.value is None or not _hands_through(change.value):
        return False
    names = [name for node in own_nodes(change.value) if (name := dotted_name(node))]
    if any(_SAVED.search(name) for name in names):
        return True
    kept = _kept_values(module, change)
    return any(name in kept for name in names)


_COPIES = frozenset(
    (
        "classmethod",
        "copy",
        "deepcopy",
        "dict",
        "fspath",
        "get",
        "getattr",
        "items",
        "list",
        "pop",
        "set",
        "staticmethod",
        "str",
    )
)


def _hands_through(value: ast.expr) -> bool:
    """Whether a value is what its names hold: not a wrapper around it, nor something joined with it."""
    if isinstance(value, ast.Call):
        return terminal_name(value.func) in _COPIES
    return isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.IfExp, ast.BoolOp, ast.Starred))


def _kept_values(module: TestModule, change: Change) -> set[str]:
    """``was`` of ``was = shop.charge`` and ``self.cwd`` of ``self.cwd = os.getcwd()``: what holds the value from before."""
    found: set[str] = set()
    scopes = (*change.scope.outermost.within(), *setups(module, change.scope))
    for scope in scopes:
        for node in scope.of(ast.Assign):
            targets = {dotted_name(t) for target in node.targets for t in getattr(target, "elts", [target])}
            earlier = scope is not change.scope or node.lineno < change.line
            if (
                earlier
                and not isinstance(node.value, (ast.BinOp, ast.JoinedStr))
                and _reads(module, scope, node.value, change.place)
            ):
                found |= targets - {""}
    return found


#: What is called or read to learn the state of an area.
_GETTERS = {"environ": ("environ", "getenv"), "cwd": ("getcwd", "getcwdb", "cwd", "open"), "sys.modules": ("modules",)}


def _reads(module: TestModule, scope: Scope, value: ast.expr, place: Place) -> bool:
    """Whether the value of the place goes into this expression."""
    if place.area == "process":
        getters: tuple[str, ...] = (place.name.partition("(")[0].rpartition(".")[2], place.name.rpartition(".")[2])
    else:
        getters = _GETTERS.get(place.area, ())
    for node in own_nodes(value):
        if isinstance(node, (ast.Name, ast.Attribute)) and terminal_name(node) in getters:
            return True
        if isinstance(node, ast.Attribute) and place.area == "attribute" and module.resolve(node, scope) == place.name:
            return True
        if isinstance(node, ast.Call):
            written = place_called(module, scope, node.func, node.args)
            if written is not None and written.meets(place):
                return True  # was = signal.signal(...), os.umask(...)
    return False


#: Values that stand for "as it is by itself".
_DEFAULTS = frozenset(
    (
        "logging.NOTSET",
        "signal.SIG_DFL",
        "signal.default_int_handler",
        "sys.__stdin__",
        "sys.__stdout__",
        "sys.__stderr__",
    )
)
_ENABLING = frozenset(("gc.enable", "faulthandler.enable"))


def is_reset(module: TestModule, change: Change) -> bool:
    """Whether the write empties the place, or sets it to what it is by itself."""
    if change.removes:
        return True
    if isinstance(change.node, ast.Call) and module.resolve(change.node.func, change.scope) in _ENABLING:
        return True
    value = change.value
    if isinstance(value, ast.Constant):
        return not value.value  # None, False, 0, ''
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.Call) and terminal_name(value.func) in _EMPTY and not value.args and not value.keywords:
        return True
    return value is not None and module.resolve(value, change.scope) in _DEFAULTS


_EMPTY = frozenset(
    ("set", "dict", "list", "tuple", "frozenset", "deque", "OrderedDict", "Counter", "WeakKeyDictionary")
)


# --- what puts things back


def touches(module: TestModule, scope: Scope, nodes: Iterable[ast.AST], place: Place, depth: int = 3) -> bool:
    """Whether code under ``nodes`` writes the place, also through functions of this file."""
    inside = {id(node) for root in nodes for node in own_nodes(root)}
    if any(id(change.node) in inside and change.place.meets(place) for change in changes_in(module, scope)):
        return True
    return any(_restores(module, scope, call.func, place, depth) for call in scope.calls if id(call) in inside)


def _restores(module: TestModule, scope: Scope, function: ast.expr, place: Place, depth: int) -> bool:
    """Whether calling this function puts the place back."""
    target = _function(module, scope, function)
    if target is None:
        return _may_restore(module, scope, function, place)
    return bool(depth) and any(touches(module, inner, [inner.node], place, depth - 1) for inner in target.within())


_RESTORING = re.compile(
    r"restor|reset|undo|revert|unpatch|un_?mock|clean|clear|tear_?down|unset|remov|reload|chdir|stop|leave",
    re.IGNORECASE,
)


def _may_restore(module: TestModule, scope: Scope, function: ast.expr, place: Place) -> bool:
    """A function of another file whose name says so: ``restore_environ``, ``shop.orders.reset`` for a part of ``shop.orders``."""
    name = terminal_name(function)
    if not _RESTORING.search(name):
        return False
    full = module.resolve(function, scope)
    if full == "importlib.reload":
        return place.area == "attribute"
    if full and Place("attribute", full.rpartition(".")[0]).holds(place) and place.area == "attribute":
        return True
    owned = isinstance(function, ast.Attribute) and named_for(function.value, place)
    return named_for(function, place) or owned or shares_words(function, place)


def _cleans(module: TestModule, scope: Scope, call: ast.Call, place: Place) -> bool:
    """Whether the call registers a clean-up that puts the place back."""
    if terminal_name(call.func) not in _CLEANUPS or not call.args:
        return False
    function, args = _registered(call)
    direct = place_called(module, scope, function, args)
    if direct is not None:
        return direct.meets(place)
    return _restores(module, scope, function, place, 3)


def _registered(call: ast.Call) -> tuple[ast.expr, list[ast.expr]]:
    """The function that a registration hands over, and the arguments it will be called with."""
    function, *args = call.args
    if isinstance(function, ast.Call) and terminal_name(function.func) == "partial" and function.args:
        function, *args = function.args
    return function, args


def _function(module: TestModule, scope: Scope, expression: ast.expr) -> Scope | None:
    if isinstance(expression, ast.Lambda):
        return next((child for child in scope.within() if child.node is expression), None)
    found = module.definition(expression, scope)
    return found if found is not None and found.is_function else None


def _cleanup_functions(module: TestModule) -> frozenset[Scope]:
    """The functions of this file that are handed to a clean-up registration."""
    found: set[Scope] = set()
    for call, scope in module.calls(*_CLEANUPS):
        target = _function(module, scope, _registered(call)[0]) if call.args else None
        if target is not None:
            found.update(target.within())
    return frozenset(found)


# --- where to look

_SETUP_NAMES = ("setUp", "setup", "setup_method", "setUpClass", "setup_class", "asyncSetUp")


def setups(module: TestModule, scope: Scope) -> Iterator[Scope]:
    """The set-ups of the class, its base classes in this file, and its autouse fixtures."""
    owner = scope.outermost.owner_class
    for cls in module.lineage(owner):
        yield from (child for child in cls.children if child.name in _SETUP_NAMES)


def _teardowns(module: TestModule, scope: Scope) -> Iterator[Scope]:
    owner = scope.outermost.owner_class
    classes = list(module.lineage(owner)) if owner is not None else []
    for holder in (*classes, module.root):
        yield from (child for child in holder.children if child.is_function and module.role(child) is Role.TEARDOWN)


def _statements_after(scope: Scope, line: int) -> list[ast.stmt]:
    return [node for node in own_nodes(scope.node) if isinstance(node, ast.stmt) and node.lineno > line]


# --- what this file does for others


def restore_facts(module: TestModule) -> tuple[RestoreFact, ...]:
    """What the fixtures and classes of this file put back at their end."""
    emptied = [RestoreFact(kind, owner, "attribute", name, whole=False) for kind, owner, name in emptied_places(module)]
    if not (changes(module) or any(map(_may_put_back, module.call_names())) or module.once(_has_guards)):
        return tuple(dict.fromkeys(emptied))
    return tuple(dict.fromkeys((*emptied, *_facts(module))))


def _may_put_back(call_name: str) -> bool:
    return call_name in _CLEANUPS or may_replace(call_name)


def _has_guards(module: TestModule) -> bool:
    return "fixture" in module.text and any(True for _ in module.each(*WITHS))


def _facts(module: TestModule) -> Iterator[RestoreFact]:
    for scope in module.functions(Role.FIXTURE, Role.SETUP, Role.TEARDOWN):
        role, owner = module.role(scope), scope.owner_class
        if role is Role.FIXTURE:
            name = module.fixture_name(scope)
            yield from (_fact("fixture", name, place) for place in _restored_by_fixture(module, scope))
        elif owner is not None:
            places = _restored_by_setup(module, scope) if role is Role.SETUP else _written_by(module, scope)
            yield from (_fact("class", owner.qualname, place) for place in places)
            if role is Role.SETUP:
                anew = (replace(place, area=SET_UP) for place in _written_by(module, scope))
                yield from (_fact("class", owner.qualname, place) for place in anew)


def _fact(kind: str, owner: str, place: Place) -> RestoreFact:
    return RestoreFact(kind, owner, place.area, place.name, place.whole)


def _restored_by_setup(module: TestModule, scope: Scope) -> Iterator[Place]:
    around = tuple(reached(module, scope))
    yield from replaced_places(module, around)
    yield from _cleaned_places(module, around)


def _restored_by_fixture(module: TestModule, scope: Scope) -> Iterator[Place]:
    around = tuple(reached(module, scope))
    yield from replaced_places(module, around)
    yield from _cleaned_places(module, around)
    yields = _yields(scope)
    if not yields:
        return
    yield from (change.place for change in changes_in(module, scope) if change.line > min(yields))
    for call in scope.calls:
        helper = module.definition(call.func, scope) if call.lineno > min(yields) else None
        if helper is not None and helper.is_function:
            yield from _written_by(module, helper)
    for node in scope.of(*WITHS):
        contexts: list[ast.withitem] = node.items  # type: ignore[attr-defined]
        yield from (place for i in contexts for place in (ENVIRON, CWD) if guards(module, scope, i.context_expr, place))


def _cleaned_places(module: TestModule, scopes: Iterable[Scope]) -> Iterator[Place]:
    for scope in scopes:
        for call in scope.calls:
            if terminal_name(call.func) in _CLEANUPS and call.args:
                function, args = _registered(call)
                direct = place_called(module, scope, function, args)
                if direct is not None:
                    yield direct
                target = _function(module, scope, function)
                if target is not None:
                    yield from _written_by(module, target)
                else:
                    yield from (place for place in (ENVIRON, CWD) if _may_restore(module, scope, function, place))


def _written_by(module: TestModule, scope: Scope) -> Iterator[Place]:
    for inner in reached(module, scope):
        yield from (change.place for change in changes_in(module, inner))
