"""What test code changes by hand: process state and attributes of what it imports.

A change is a write to a *place*. A restore is a write to the same place at a time when it puts
things right; `pytest_secaudit.source.restores` tells the two apart.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_secaudit.lean import lean
from pytest_secaudit.places import Place
from pytest_secaudit.source.module import Scope, TestModule, dotted_name, source_of, terminal_name


@lean
@dataclass(frozen=True, slots=True)
class Change:
    """One write: the place, the node, the scope it stands in, and the new value where there is one."""

    place: Place
    node: ast.AST
    scope: Scope
    value: ast.expr | None = None
    removes: bool = False

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 0)


ENVIRON = Place("environ", "os.environ", whole=True)
CWD = Place("cwd", "os.getcwd()")
MODULES = Place("sys.modules", "sys.modules", whole=True)

#: Functions of the standard library that change process state, by what they change.
_PROCESS_CALLS = {
    "faulthandler.disable": "faulthandler.is_enabled()",
    "faulthandler.enable": "faulthandler.is_enabled()",
    "gc.disable": "gc.isenabled()",
    "gc.enable": "gc.isenabled()",
    "locale.setlocale": "locale.getlocale()",
    "logging.disable": "logging.root.manager.disable",
    "multiprocessing.set_start_method": "multiprocessing.get_start_method()",
    "os.umask": "os.umask()",
    "resource.setrlimit": "resource.getrlimit()",
    "signal.alarm": "signal.alarm()",
    "signal.setitimer": "signal.getitimer()",
    "socket.setdefaulttimeout": "socket.getdefaulttimeout()",
    "sys.setrecursionlimit": "sys.getrecursionlimit()",
    "sys.setswitchinterval": "sys.getswitchinterval()",
    "time.tzset": "time.tzname",
}
_PROCESS_ATTRIBUTES = frozenset(
    (
        "sys.argv",
        "sys.breakpointhook",
        "sys.displayhook",
        "sys.excepthook",
        "sys.executable",
        "sys.platform",
        "sys.stderr",
        "sys.stdin",
        "sys.stdout",
        "sys.unraisablehook",
        "threading.excepthook",
    )
)
_ENVIRONS = ("os.environ", "os.environb")
#: Methods of a mapping that write it, and whether they name a key first.
_MAPPING_METHODS = {
    "__delitem__": True,
    "__setitem__": True,
    "clear": False,
    "pop": True,
    "popitem": False,
    "setdefault": True,
    "update": False,
}
#: Functions that write what they are given first.
_OF_FIRST_ARGUMENT = frozenset(("setattr", "delattr", "setitem", "delitem"))
_REMOVING = frozenset(("delattr", "delitem", "unsetenv", "pop", "popitem", "clear", "__delitem__"))
_CALL_NAMES = (
    "chdir",
    "fchdir",
    "putenv",
    "unsetenv",
    "signal",
    "setattr",
    "delattr",
    "setitem",
    "delitem",
    *_MAPPING_METHODS,
    *sorted({name.rpartition(".")[2] for name in _PROCESS_CALLS}),
)


def changes(module: TestModule) -> tuple[Change, ...]:
    """Every write that can be told from the text, in all scopes, in no special order."""
    return module.once(_changes)


def changes_in(module: TestModule, scope: Scope) -> tuple[Change, ...]:
    """The writes that stand in this scope directly, from top to bottom."""
    return module.once(_by_scope).get(scope, ())


def _by_scope(module: TestModule) -> dict[Scope, tuple[Change, ...]]:
    found: dict[Scope, list[Change]] = {}
    for change in changes(module):
        found.setdefault(change.scope, []).append(change)
    return {scope: tuple(sorted(mine, key=lambda change: change.line)) for scope, mine in found.items()}


def _changes(module: TestModule) -> tuple[Change, ...]:
    imported = module.once(_imported_anywhere)
    if not imported:
        return ()
    return (*_statements(module, imported), *_calls(module, imported))


def _imported_anywhere(module: TestModule) -> frozenset[str]:
    """All names that some import of the file binds: a cheap test before names are resolved scope by scope."""
    plain = [alias for node, _ in module.each(ast.Import) for alias in node.names]
    others = [alias for node, _ in module.each(ast.ImportFrom) for alias in node.names]
    return frozenset((alias.asname or alias.name).partition(".")[0] for alias in (*plain, *others))


# --- statements


def _statements(module: TestModule, imported: frozenset[str]) -> Iterator[Change]:
    for node, scope in module.each(ast.Assign):
        for target in node.targets:
            if target.__class__ is not ast.Name:
                yield from _written(module, scope, node, target, node.value, imported)
    for annotated, scope in module.each(ast.AnnAssign):
        if annotated.value is not None:
            yield from _written(module, scope, annotated, annotated.target, annotated.value, imported)
    for augmented, scope in module.each(ast.AugAssign):
        yield from _written(module, scope, augmented, augmented.target, None, imported)
    for deleted, scope in module.each(ast.Delete):
        for target in deleted.targets:
            for change in _written(module, scope, deleted, target, None, imported):
                yield replace(change, removes=True)


def _written(
    module: TestModule,
    scope: Scope,
    node: ast.stmt,
    target: ast.expr,
    value: ast.expr | None,
    imported: frozenset[str],
) -> Iterator[Change]:
    if isinstance(target, (ast.Tuple, ast.List)):
        values: Sequence[ast.expr | None] = [value] * len(target.elts)
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
            values = value.elts
        for item, part in zip(target.elts, values, strict=True):
            yield from _written(module, scope, node, item, part, imported)
        return
    if _root(target) in imported:
        place = _place_written(module, scope, target)
        if place is not None:
            key = target.slice if isinstance(target, ast.Subscript) else None
            yield from (Change(part, node, scope, value) for part in _parts(module, scope, place, key))


def _root(expression: ast.expr) -> str:
    while isinstance(expression, (ast.Attribute, ast.Subscript)):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


def _place_written(module: TestModule, scope: Scope, target: ast.expr) -> Place | None:
    """The place that an assignment to this target writes."""
    if isinstance(target, ast.Subscript):
        base = module.resolve(target.value, scope)
        return _item_place(module, scope, base, target.slice) if base else None
    if isinstance(target, ast.Attribute):
        base = module.resolve(target.value, scope)
        return attribute_place(f"{base}.{target.attr}") if base else None
    return None


def _item_place(module: TestModule, scope: Scope, base: str, key: ast.expr) -> Place:
    area, base = ("environ", "os.environ") if base in _ENVIRONS else (base, base)
    area = area if area in ("environ", "sys.modules") else "item"
    text = key_text(module, scope, key)
    return Place(area, f"{base}[{text}]") if text else Place(area, base, whole=True)


def key_text(module: TestModule, scope: Scope, key: ast.expr) -> str:
    """A key as the run will name it; empty when it is only known at run time."""
    if isinstance(key, ast.Name):
        key = module.value(key.id, scope) or key
    if isinstance(key, ast.Constant):
        value = key.value
        return repr(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    return dotted_name(key) if terminal_name(key).isupper() else ""


def environ_place(module: TestModule, scope: Scope, key: ast.expr) -> Place:
    """The place of an environment variable."""
    return _item_place(module, scope, "os.environ", key)


def item_places(module: TestModule, scope: Scope, base: str, key: ast.expr) -> Iterator[Place]:
    """The items that a call which is given this key replaces: each literal that a loop gives it.

    A key that only the run knows is one item of that unknown name: it stands for no other.
    """
    looped = tuple(looped_over(module, scope, key))
    for literal in looped or (key,):
        place = _item_place(module, scope, base, literal)
        yield Place(place.area, f"{place.name}[{source_of(key, 40)}]") if place.whole else place


def looped_over(module: TestModule, scope: Scope, key: ast.expr) -> Sequence[ast.Constant]:
    """The literals that a loop over a written list gives to a name; none where anything else is possible."""
    binder = module.binder(key.id, scope) if isinstance(key, ast.Name) else None
    if binder is None or not isinstance(key, ast.Name):
        return ()
    loops: list[ast.For | ast.comprehension] = [*binder.of(ast.For), *binder.of(ast.comprehension)]
    found: list[ast.Constant] = []
    for loop in loops:
        if _binds(loop.target, key.id):
            literals = _literals(module, binder, loop, key.id)
            if not literals:
                return ()
            found += literals
    return found


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _literals(module: TestModule, scope: Scope, loop: ast.For | ast.comprehension, name: str) -> list[ast.Constant]:
    """What a loop gives to this name: the items of a display, or their parts; the keys of a dictionary."""
    over, target = loop.iter, loop.target
    if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr == "items":
        over, target = over.func.value, target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
    if isinstance(over, ast.Name):
        over = module.value(over.id, scope) or over
    items = over.keys if isinstance(over, ast.Dict) else getattr(over, "elts", [])
    if isinstance(target, ast.Tuple):
        position = next((n for n, part in enumerate(target.elts) if isinstance(part, ast.Name) and part.id == name), -1)
        items = [_part(item, position) for item in items]
    found = [item for item in items if isinstance(item, ast.Constant)]
    return found if len(found) == len(items) else []


def _part(item: ast.expr | None, position: int) -> ast.expr | None:
    parts = item.elts if isinstance(item, (ast.Tuple, ast.List)) else []
    return parts[position] if 0 <= position < len(parts) else None


def attribute_place(full: str) -> Place:
    """The place of an attribute by its full name."""
    if full in _ENVIRONS:
        return ENVIRON
    if full == "sys.modules":
        return MODULES
    if full in _PROCESS_ATTRIBUTES:
        return Place("process", full)
    return Place("attribute", full)


# --- calls


def _calls(module: TestModule, imported: frozenset[str]) -> Iterator[Change]:
    for call, scope in module.calls(*_CALL_NAMES):
        function = call.func
        name = terminal_name(function)
        named = call.args[0] if call.args and name in _OF_FIRST_ARGUMENT else function
        if _root(named) not in imported and name != "chdir":
            continue
        place = place_called(module, scope, function, call.args)
        if place is not None:
            removes = name in _REMOVING
            value = None if removes or not call.args else call.args[-1]
            key = call.args[-1 if name == "delitem" else 0] if call.args else None
            yield from (Change(part, call, scope, value, removes) for part in _parts(module, scope, place, key))


def _parts(module: TestModule, scope: Scope, place: Place, key: ast.expr | None) -> Iterator[Place]:
    """The place, or each item of it where a loop over a written list gives the key."""
    keys = looped_over(module, scope, key) if key is not None and place.whole else ()
    if place.area not in ("environ", "sys.modules", "item") or not keys:
        yield place
    else:
        yield from (_item_place(module, scope, place.name, literal) for literal in keys)


def place_called(module: TestModule, scope: Scope, function: ast.expr, args: Sequence[ast.expr]) -> Place | None:
    """The place that a call of ``function`` with ``args`` writes; also for calls handed to a clean-up."""
    full = module.resolve(function, scope)
    if full in _PROCESS_CALLS:
        return Place("process", _PROCESS_CALLS[full]) if not _only_asks(full, args) else None
    if full == "signal.signal" and args:
        return _handler(module, scope, args[0])
    if full in ("os.chdir", "os.fchdir") or _is_folder_chdir(function, args):
        return CWD
    if full in ("os.putenv", "os.unsetenv") and args:
        return environ_place(module, scope, args[0])
    if full in ("operator.delitem", "operator.setitem") and len(args) >= 2:
        base = module.resolve(args[0], scope)
        return _item_place(module, scope, base, args[1]) if base else None
    if full in ("builtins.setattr", "builtins.delattr") and len(args) >= 2:
        return named_attribute(module, scope, args[0], args[1])
    if isinstance(function, ast.Attribute) and function.attr in _MAPPING_METHODS:
        return _method_place(module, scope, function, args)
    return None


def _only_asks(full: str, args: Sequence[ast.expr]) -> bool:
    """``locale.setlocale(category)`` is a question."""
    last = args[-1] if args else None
    return full == "locale.setlocale" and (len(args) < 2 or (isinstance(last, ast.Constant) and last.value is None))


def _handler(module: TestModule, scope: Scope, number: ast.expr) -> Place:
    if isinstance(number, ast.Name):
        number = module.value(number.id, scope) or number
    full = module.resolve(number, scope)
    return Place("process", f"signal.getsignal({full})") if full else Place("process", "signal.getsignal", whole=True)


def _is_folder_chdir(function: ast.expr, args: Sequence[ast.expr]) -> bool:
    """``tmpdir.chdir()``: the folders of py.path go there themselves."""
    return isinstance(function, ast.Attribute) and function.attr == "chdir" and not args


def named_attribute(module: TestModule, scope: Scope, owner: ast.expr, name: ast.expr) -> Place | None:
    """The attribute that ``setattr(owner, name, ...)`` writes; all of the owner when the name is not in the text."""
    base = module.resolve(owner, scope)
    if not base:
        return None
    if isinstance(name, ast.Name):
        name = module.value(name.id, scope) or name
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return attribute_place(f"{base}.{name.value}")
    return Place("attribute", base, whole=True)


def _method_place(module: TestModule, scope: Scope, function: ast.Attribute, args: Sequence[ast.expr]) -> Place | None:
    base = module.resolve(function.value, scope)
    if base not in _ENVIRONS and base != "sys.modules":
        return None
    if _MAPPING_METHODS[function.attr] and args:
        return _item_place(module, scope, base, args[0])
    return MODULES if base == "sys.modules" else ENVIRON
