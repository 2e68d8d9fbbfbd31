"""Replacements that end by themselves: what is put back by whoever made them.

``mock.patch`` in all forms, ``monkeypatch``, the fixtures of OpenStack, ``self.patch`` of twisted and testtools,
``override_settings``, and context managers and decorators that are known by their name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from pytest_secaudit.lexicon import words
from pytest_secaudit.places import Place
from pytest_secaudit.source.changes import (
    CWD,
    ENVIRON,
    MODULES,
    Change,
    attribute_place,
    changes_in,
    item_places,
    named_attribute,
)
from pytest_secaudit.source.mocks import MOCKER_FIXTURES, replacements, resolved_target
from pytest_secaudit.source.module import Role, Scope, TestModule, dotted_name, parameter_names, terminal_name
from pytest_secaudit.source.syntax import WITHS

#: Context managers, decorators and clean-ups, known by name, that put everything of an area back.
_GUARDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![a-z])env(?!elop|y)|environ|(?<!no)isolat", re.IGNORECASE), "environ"),
    (
        re.compile(
            r"ch_?dir|cwd|as_cwd|work(ing)?_?dir|(in|into|change|enter|switch)_(\w+_)?(dir|folder|path)|push_?d|^cd$|isolat",
            re.IGNORECASE,
        ),
        "cwd",
    ),
)
#: Fixtures of other packages that run a test in another folder, or with a file system of its own.
_FOLDER_FIXTURES = frozenset(("cd_tmp_path", "fs", "pytester", "testdir"))
_SETTINGS = Place("attribute", "django.conf.settings", whole=True)
_SETTINGS_GUARDS = frozenset(("modify_settings", "override_settings", "settings"))
_KEEPS_ALL = re.compile(r"^_*(conserv|isolat|keep_|preserv|restor|save)", re.IGNORECASE)
_SWAPS = re.compile(
    r"swap|patch|override|overrid|replac|preserv|restor|temp|fake|set|with|mock|stub|save|monkey", re.IGNORECASE
)


def ends_by_itself(module: TestModule, change: Change) -> bool:
    """Whether the place is replaced for a time around the change, and so put back with the replacement."""
    return (
        _in_with(module, change)
        or _by_decorator(module, change)
        or _by_fixture_asked_for(module, change)
        or _replaced_before(module, change)
    )


def _in_with(module: TestModule, change: Change) -> bool:
    inner: ast.AST = change.node
    scope: Scope | None = change.scope
    while scope is not None and scope.enclosing is not None:
        for node in scope.ancestors(inner):
            if isinstance(node, WITHS) and any(guards(module, scope, i.context_expr, change.place) for i in node.items):
                return True
        inner, scope = scope.node, scope.enclosing
    return False


def _by_decorator(module: TestModule, change: Change) -> bool:
    around: Scope | None = change.scope
    while around is not None and around is not module.root:
        outer = around.enclosing or module.root
        if any(guards(module, outer, decorator, change.place) for _, decorator in module.decorators(around)):
            return True
        around = around.enclosing
    return False


def _by_fixture_asked_for(module: TestModule, change: Change) -> bool:
    """A fixture that is known by its name runs the test in a folder of its own."""
    outer = change.scope.outermost
    return change.place == CWD and outer.is_function and not _FOLDER_FIXTURES.isdisjoint(parameter_names(outer.node))


def _replaced_before(module: TestModule, change: Change) -> bool:
    """``monkeypatch.setattr`` and the like, or a started patch, of the same place in the same function."""
    for inner in reached(module, change.scope.outermost):
        withs = _calls_in_withs(inner)
        for call in inner.calls:
            if call in withs or (inner is change.scope and call.lineno > change.line):
                continue
            if any(place.holds(change.place) for place in replaced_by(module, inner, call)):
                return True
            if inner is change.scope and _names_the_key(call, change):
                return True
    return False


def _names_the_key(call: ast.Call, change: Change) -> bool:
    """``monkeypatch.delenv(name)`` before ``os.environ[name] = "1"``: the same item, whatever its name is."""
    targets = change.node.targets if change.place.whole and isinstance(change.node, ast.Assign) else []
    keys = {ast.dump(target.slice) for target in targets if isinstance(target, ast.Subscript)}
    if not keys or terminal_name(call.func) not in ("setenv", "delenv", "setitem", "delitem"):
        return False
    return any(ast.dump(argument) in keys for argument in call.args[:2])


def _calls_in_withs(scope: Scope) -> set[ast.AST]:
    return {item.context_expr for node in scope.of(*WITHS) for item in node.items}  # type: ignore[attr-defined]


# --- one context manager, decorator or call


def guards(module: TestModule, scope: Scope, context: ast.expr, place: Place) -> bool:
    """Whether this context manager or decorator puts the place back at its end."""
    if isinstance(context, ast.Call):
        if any(replaced.holds(place) for replaced in replaced_by(module, scope, context)):
            return True
        if any(guards(module, scope, argument, place) for argument in context.args if isinstance(argument, ast.Call)):
            return True  # stack.enter_context(...), contextlib.nested(...)
    function = context.func if isinstance(context, ast.Call) else context
    return named_for(function, place) or _defined_here(module, scope, function, place)


def named_for(function: ast.expr, place: Place) -> bool:
    """Whether the name of a function, class or fixture says that it keeps this place."""
    name = terminal_name(function)
    if _KEEPS_ALL.search(name) or any(area == place.area and pattern.search(name) for pattern, area in _GUARDS):
        return True
    if place.area not in ("process", "attribute"):
        return False
    if place.area == "process" and re.search(r"captur|redirect|isolat", name, re.IGNORECASE):
        return place.name.startswith("sys.std") or "isolat" in name
    last = place.name.rpartition(".")[2].strip("()").lower()
    return len(last) > 3 and last in name.lower() and bool(_SWAPS.search(name))


def _defined_here(module: TestModule, scope: Scope, function: ast.expr, place: Place) -> bool:
    """A function or class of this file that writes the place after its ``yield``, or in ``__exit__``."""
    found = module.definition(function, scope)
    if found is None:
        return False
    return any(other.meets(place) for inner in found.within() for other in _ending(module, inner))


def _ending(module: TestModule, scope: Scope) -> Iterator[Place]:
    """What a context manager, decorator or fixture leaves as it was: its last writes, and what it replaces for a time."""
    for call in scope.calls:
        yield from replaced_by(module, scope, call)
    yields = [node.lineno for node in scope.of(ast.Yield)]
    # A decorator has no yield: it calls the function between two writes.
    first = min(yields) if yields else getattr(scope.node, "lineno", 0)
    if (
        yields
        or scope.name in ("__exit__", "__aexit__", "stop_test", "stopTest", "cleanUp")
        or module.role(scope) is Role.HELPER
    ):
        yield from (change.place for change in changes_in(module, scope) if change.line > first)


def replaced_by(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    """The places that a call replaces for a time; whoever made the replacement ends it."""
    known = _REPLACERS.get(terminal_name(call.func))
    if known is not None:
        yield from known(module, scope, call)
    if _HELPERS.search(terminal_name(call.func)) and module.definition(call.func, scope) is None:
        yield from _by_helper(module, scope, call)


def replaced_places(module: TestModule, scopes: Iterable[Scope]) -> Iterator[Place]:
    """Everything that the calls of these scopes replace for a time."""
    for scope in scopes:
        for call in scope.calls:
            yield from replaced_by(module, scope, call)


def _attribute(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    known = module.once(_replacements_by_call).get(call)
    if known:
        yield attribute_place(known)
    elif terminal_name(call.func) == "delattr" and _is_monkeypatch(call.func):
        yield from _swapped(module, scope, call)


def _by_helper(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    """``self.mock_object(shop, "charge")`` and ``self.patch("shop.charge")`` of a base class: they register a clean-up.

    A helper of this file is read instead of believed.
    """
    if dotted_name(call.func).partition(".")[0] not in ("self", "cls", "patching"):
        return
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield attribute_place(first.value)
    else:
        yield from _swapped(module, scope, call)


def _swapped(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    if len(call.args) > 1:
        place = named_attribute(module, scope, call.args[0], call.args[1])
        if place is not None:
            yield place


def _several(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    base = _base(module, scope, call)
    if base:
        yield from (attribute_place(f"{base}.{keyword.arg}") for keyword in call.keywords if keyword.arg)


def _variable(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    if call.args:
        yield from item_places(module, scope, "os.environ", call.args[0])


def _all_variables(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    yield ENVIRON


def _folder(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    full = module.resolve(call.func, scope)
    if full == "contextlib.chdir" or _is_monkeypatch(call.func):
        yield CWD


def _is_monkeypatch(function: ast.expr) -> bool:
    receiver = terminal_name(function.value).lower() if isinstance(function, ast.Attribute) else ""
    return "monkeypatch" in receiver or receiver in ("mp", "m", "monkey", "patcher")


def _mapping(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    """``patch.dict``: the whole mapping is put back, whatever is written meanwhile."""
    written = dotted_name(call.func)
    if written.endswith("patch.dict") or written.partition(".")[0] in MOCKER_FIXTURES:
        base = _base(module, scope, call)
        if base in ("os.environ", "environ"):
            yield ENVIRON
        elif base:
            yield MODULES if base == "sys.modules" else Place("item", base, whole=True)


def _item(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    base = _base(module, scope, call)
    if base and len(call.args) > 1:
        yield from item_places(module, scope, base, call.args[1])


def _base(module: TestModule, scope: Scope, call: ast.Call) -> str:
    """The object that a call names first, by a string or by itself."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant):
        return first.value if isinstance(first.value, str) else ""
    return module.resolve(first, scope) if first is not None else ""


def _settings(module: TestModule, scope: Scope, call: ast.Call) -> Iterator[Place]:
    yield _SETTINGS


_Replacer = Callable[[TestModule, Scope, ast.Call], Iterator[Place]]
_REPLACERS: dict[str, _Replacer] = {
    **dict.fromkeys(
        ("patch", "object", "setattr", "delattr", "stub_out", "MockPatch", "MockPatchObject", "MonkeyPatch"), _attribute
    ),
    **dict.fromkeys(("swap_attr", "swap_item", "replace_attribute", "temporary_mutation"), _swapped),
    **dict.fromkeys(("multiple", "MockPatchMultiple"), _several),
    **dict.fromkeys(("setenv", "delenv", "EnvironmentVariable"), _variable),
    **dict.fromkeys(("EnvironmentVarGuard", "modified_environ"), _all_variables),
    "chdir": _folder,
    "dict": _mapping,
    **dict.fromkeys(("setitem", "delitem"), _item),
    **dict.fromkeys(_SETTINGS_GUARDS, _settings),
}
#: Methods of test classes that replace something and have it put back, by their usual names.
_HELPERS = re.compile(r"mock|patch|stub|replace|override", re.IGNORECASE)


def may_replace(call_name: str) -> bool:
    """A cheap test for a whole file: whether a call of that name may replace something for a time."""
    return call_name in _REPLACERS or _HELPERS.search(call_name) is not None


def _replacements_by_call(module: TestModule) -> dict[ast.Call, str]:
    return {replacement.call: resolved_target(module, replacement) for replacement in replacements(module)}


def shares_words(function: ast.expr, place: Place) -> bool:
    """``reset_registry`` shares a word with ``shop.registry.entries``."""
    last = place.name.partition("[")[0].split(".")[-2:]
    known = {word for part in last for word in words(part) if len(word) > 3}
    return not known.isdisjoint(words(terminal_name(function)))


def reached(module: TestModule, scope: Scope, depth: int = 2) -> Iterator[Scope]:
    """The function with what is nested in it, and the functions of this file that it calls."""
    for inner in scope.within():
        yield inner
        for call in inner.calls if depth else ():
            helper = module.definition(call.func, inner)
            if helper is not None and helper.is_function and helper is not scope:
                yield from reached(module, helper, depth - 1)
