"""The line that wrote, found by reading: the one statement of the owner that can have changed the thing.

For what is seen only afterwards (``sys.argv``, a builtin). Helpers of the same file that the owner calls count as its
own. Several candidates, or none (code elsewhere wrote), and the line stays unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from pytest_secaudit.no_gc import no_gc

#: Area -> names that are called, assigned or deleted when it changes.
_WRITERS: Mapping[str, frozenset[str]] = {
    area: frozenset(words.split())
    for area, words in {
        "asyncio": "new_event_loop set_event_loop set_event_loop_policy",
        "async tasks": "create_task ensure_future",
        "atexit": "register unregister",
        "children": "Popen Process start fork popen spawn posix_spawn create_subprocess_exec create_subprocess_shell",
        "contextvars": "set",
        "cwd": "chdir fchdir cd as_cwd",
        "decimal": "setcontext getcontext prec rounding Emax Emin traps localcontext",
        "descriptors": "open socket pipe dup fdopen create_server create_connection listen mkstemp TemporaryFile"
        " NamedTemporaryFile socketpair connect accept",
        "environ": "environ putenv unsetenv",
        "locale": "setlocale",
        "logging": "setLevel addHandler removeHandler addFilter removeFilter basicConfig dictConfig fileConfig propagate"
        " disabled level handlers filters setLoggerClass setLogRecordFactory raiseExceptions captureWarnings",
        "logging.disable": "disable",
        "random": "seed setstate",
        "signals": "signal sigaction setitimer alarm set_wakeup_fd add_signal_handler",
        "threads": "start start_new_thread Thread Timer",
        "time zone": "tzset",
        "umask": "umask",
        "warnings": "filterwarnings simplefilter resetwarnings filters showwarning",
    }.items()
}

#: Where the subject itself says what to look for.
_BY_SUBJECT: Mapping[str, str] = {
    "the recursion limit": "setrecursionlimit",
    "the garbage collector": "enable disable set_threshold",
    "the default socket timeout": "setdefaulttimeout",
    "the multiprocessing start method": "set_start_method",
    "the opener of urllib.request": "install_opener _opener",
    "the order of sys.path": "path",
    "sys.settrace": "settrace",
    "sys.setprofile": "setprofile",
    "the switch interval": "setswitchinterval",
}


def writing_line(text: str, first: int, area: str, subject: str) -> int | None:
    """The line of the only statement that can have written, or None.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        area: the name of the watcher that saw the change.
        subject: what was changed.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    words = _words(area, subject)
    if not any(word in text for word in words):  # a word search is a hundred times quicker than parsing
        return None
    with no_gc():
        tree = ast.parse(text)
    owner = tree if first == 0 else _function_at(tree, first)
    if owner is None:
        return None
    lines = sorted({node.lineno for one in _with_helpers(tree, owner) for node in _own_writes(one, words)})
    return lines[0] if len(lines) == 1 else None


def _words(area: str, subject: str) -> frozenset[str]:
    if area in _WRITERS:
        return _WRITERS[area]
    known = _BY_SUBJECT.get(subject)
    if known is not None:
        return frozenset(known.split())
    dotted = subject.partition("[")[0]  # sys.path['/x'], sys.stdout, builtins.x
    return frozenset((dotted.rpartition(".")[2],)) if "." in dotted and " " not in dotted else frozenset()


def _function_at(tree: ast.Module, first: int) -> ast.AST | None:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            start = min((node.lineno, *(decorator.lineno for decorator in node.decorator_list)))
            if start <= first <= node.lineno:
                return node
    return None


def _with_helpers(tree: ast.Module, owner: ast.AST) -> list[ast.AST]:
    """The owner, and the functions and methods of its file that it calls, and those that they call."""
    functions = _by_name(tree.body)
    methods = _by_name(node for cls in tree.body if isinstance(cls, ast.ClassDef) for node in cls.body)
    reached = [owner]
    for one in reached:  # it grows meanwhile
        for node in _own_nodes(one):
            called = node.func if isinstance(node, ast.Call) else None
            helper = functions.get(called.id) if isinstance(called, ast.Name) else None
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                helper = methods.get(called.attr) if called.value.id in ("self", "cls") else None
            if helper is not None and helper not in reached:
                reached.append(helper)
    return reached


def _by_name(body: Iterable[ast.stmt]) -> dict[str, ast.AST | None]:
    """The functions of these statements; None for a name that several have."""
    found: dict[str, ast.AST | None] = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[node.name] = None if node.name in found else node
    return found


def _own_nodes(owner: ast.AST) -> Iterator[ast.AST]:
    """What stands in it; in a module, not what stands in its functions."""
    pending = list(ast.iter_child_nodes(owner))
    while pending:
        node = pending.pop()
        if isinstance(owner, ast.Module) and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        pending += ast.iter_child_nodes(node)
        yield node


def _own_writes(owner: ast.AST, words: frozenset[str]) -> Iterator[ast.expr | ast.stmt]:
    """Calls, assignments and deletions of such a name."""
    for node in _own_nodes(owner):
        if isinstance(node, ast.Call) and not words.isdisjoint(_names(node.func)):
            yield node
        elif isinstance(node, (ast.Assign, ast.Delete, ast.AugAssign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else [node.target]
            if any(not words.isdisjoint(_names(target)) for target in targets):
                yield node


def _names(node: ast.expr) -> Iterator[str]:
    """The attribute names of a chain, its items left out: ``sys.path.insert`` gives insert, path, sys."""
    while True:
        if isinstance(node, ast.Attribute):
            yield node.attr
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            if isinstance(node, ast.Name):
                yield node.id
            return
