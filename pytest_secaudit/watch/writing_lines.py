"""The line that wrote, found by reading: the one statement of the owner that can have changed the thing.

For what is seen only afterwards (``sys.argv``, a builtin). Helpers of the same file that the owner calls count as its
own. Several candidates, or none (code elsewhere wrote), and the line stays unknown.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_secaudit.lean import lean
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


@lean
@dataclass(frozen=True, slots=True)
class Write:
    """What a statement may write to.

    Attributes:
        line: where it stands.
        names: in the chain that it writes to, or calls: ``sys.path.insert`` gives insert, path, sys.
        called: the last name of what it calls; empty where it assigns or deletes.
        is_part: it is an item or attribute that is assigned to or deleted, not a name.
        is_within: it changes what is there: an item is assigned to or deleted, or something is added to it.
        key: the item that is assigned to or deleted, or the first argument of the call, where that is a text in quotes.
        value: type and value of the constant that is assigned; None if it is none.
    """

    line: int
    names: frozenset[str]
    called: str = ""
    is_part: bool = False
    is_within: bool = False
    key: str | None = None
    value: tuple[str, Hashable] | None = None


#: What a key of these is called in a statement is what it is called in the subject.
_KEYED = re.compile(r"(?:sys\.modules|os\.environ)\[(['\"])(.*)\1\]$")


def writing_lines(text: str, first: int, area: str, subject: str) -> set[int]:
    """The lines of the statements that can have written.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        area: the name of the watcher that saw the change.
        subject: what was changed.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    words = _words(area, subject)
    keyed = _KEYED.match(subject)

    def fits(write: Write) -> bool:
        is_another = keyed is not None and write.key is not None and write.key != keyed[2]
        return not is_another and not words.isdisjoint(write.names)

    return _lines(text, first, words, fits)


def lines_of_attribute(
    text: str,
    first: int,
    holder: Collection[str],
    name: str,
    *,
    in_place: bool,
    alone: bool,
    value: Callable[[tuple[str, Hashable] | None], bool] | None = None,
) -> set[int]:
    """The lines of the statements that can have changed what is under a name.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        holder: the names on the way to it, of which one must be there, too.
        name: its own.
        in_place: it was not set but changed, which its methods can do, too.
        alone: the name may also stand alone, as that of a module does; what a class holds never does.
        value: asked whether a statement fits that assigns this constant, or none.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """

    def fits(write: Write) -> bool:
        if name not in write.names or (in_place and not (write.called or write.is_within)):
            return False
        if write.called and (not in_place or write.called == name):
            return False
        if value is not None and not value(write.value):
            return False
        others = write.names - {name, write.called}
        return (alone and not others) or not others.isdisjoint(holder)

    return _lines(text, first, (name,), fits)


def lines_of_call(text: str, first: int, start: str) -> set[int]:
    """The lines of the calls of something whose name begins so.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        start: ``reload``, for `importlib.reload` and what others call it.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    return _lines(text, first, (start,), lambda write: write.called.startswith(start))


#: What changes a container in place.
_MUTATORS = frozenset(
    "add append appendleft clear delattr discard extend insert pop popleft popitem remove reverse setattr setdefault sort"
    " update".split()
)


def lines_of_value(text: str, first: int, name: str) -> set[int]:
    """The lines of the statements that can have changed what a name stands for.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        name: of the value, an argument of the function.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """

    def fits(write: Write) -> bool:
        is_change = not write.called or write.called in _MUTATORS
        return name in write.names and is_change and (len(write.names) > 1 or write.is_part)

    return _lines(text, first, (name,), fits)


def lines_with(text: str, first: int, word: str) -> set[int]:
    """The lines in a function, or in those of its file that it calls, where a word stands in a string.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        word: what to look for.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    if word not in text:
        return set()
    return {line for line, said in _source(text).strings(first) if word in said}


def says(text: str, first: int, word: str) -> bool:
    """Whether a string in a function, or in those of its file that it calls, is just this.

    Args:
        text: the source of the owner's file.
        first: the first line of the owner's function, decorators included; 0 for the module's own level.
        word: what to look for.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    return word in text and word in _source(text).said(first)


#: What runs before each test of a class.
_SET_UPS = ("setUp", "asyncSetUp", "setup_method")


def set_up_of(text: str, first: int) -> int | None:
    """The first line of the set-up that runs before the test in whose function this line is; None if there is none.

    Args:
        text: the source of the test's file.
        first: the first line of the test's function, decorators included.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    if not any(name in text for name in _SET_UPS):
        return None
    return _source(text).set_up_of(first)


def _lines(text: str, first: int, words: Iterable[str], fits: Callable[[Write], bool]) -> set[int]:
    if not any(word in text for word in words):  # a word search is a hundred times quicker than parsing
        return set()
    return {write.line for write in _source(text).writes(first) if fits(write)}


@functools.lru_cache(maxsize=4)
def _source(text: str) -> _Source:
    with no_gc():
        return _Source(ast.parse(text))


class _Source:
    """A parsed file, and what its functions write to."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._functions = _by_name(tree.body)
        self._methods = _by_name(node for cls in tree.body if isinstance(cls, ast.ClassDef) for node in cls.body)
        self._known: dict[int, list[Write]] = {}
        self._said: dict[int, frozenset[str]] = {}

    def writes(self, first: int) -> list[Write]:
        """What the function there may write to, and those that it calls."""
        known = self._known.get(first)
        if known is None:
            known = self._known[first] = [write for one in self._reached(first) for write in _own_writes(one)]
        return known

    def strings(self, first: int) -> Iterator[tuple[int, str]]:
        """The strings in that function and in those that it calls, with their lines."""
        for one in self._reached(first):
            for node in _own_nodes(one):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.lineno, node.value

    def said(self, first: int) -> frozenset[str]:
        """All strings in them."""
        known = self._said.get(first)
        if known is None:
            known = self._said[first] = frozenset(said for _, said in self.strings(first))
        return known

    def set_up_of(self, first: int) -> int | None:
        for cls in ast.walk(self._tree):
            methods = _by_name(cls.body) if isinstance(cls, ast.ClassDef) else {}
            if any(node is not None and _starts_at(node, first) for node in methods.values()):
                found = next((methods[name] for name in _SET_UPS if methods.get(name) is not None), None)
                return None if found is None else _first_line(found)
        return None

    def _reached(self, first: int) -> list[ast.AST]:
        owner = self._tree if first == 0 else _function_at(self._tree, first)
        return [] if owner is None else self._with_helpers(owner)

    def _with_helpers(self, owner: ast.AST) -> list[ast.AST]:
        """The owner, and the functions and methods of its file that it calls, and those that they call."""
        reached = [owner]
        for one in reached:  # it grows meanwhile
            for node in _own_nodes(one):
                called = node.func if isinstance(node, ast.Call) else None
                helper = self._functions.get(called.id) if isinstance(called, ast.Name) else None
                if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                    helper = self._methods.get(called.attr) if called.value.id in ("self", "cls") else None
                if helper is not None and helper not in reached:
                    reached.append(helper)
        return reached


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
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _starts_at(node, first):
            return node
    return None


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _first_line(node: _Function) -> int:
    return min((node.lineno, *(decorator.lineno for decorator in node.decorator_list)))


def _starts_at(node: _Function, first: int) -> bool:
    return _first_line(node) <= first <= node.lineno


def _by_name(body: Iterable[ast.stmt]) -> dict[str, _Function | None]:
    """The functions of these statements; None for a name that several have."""
    found: dict[str, _Function | None] = {}
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


#: What reads a container.
_READERS = frozenset("copy count get index items keys values".split())


def _own_writes(owner: ast.AST) -> Iterator[Write]:
    """Calls, assignments and deletions; ``self.x = 1`` and ``x.get()`` change nothing that others see."""
    for node in _own_nodes(owner):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, (ast.Assign, ast.Delete, ast.AugAssign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else [node.target]
            value = _constant(node.value) if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
            parts = [
                part for one in targets for part in (one.elts if isinstance(one, (ast.Tuple, ast.List)) else [one])
            ]
            yield from (
                Write(
                    node.lineno,
                    frozenset(_names(part)),
                    is_part=isinstance(part, (ast.Attribute, ast.Subscript)),
                    is_within=isinstance(part, ast.Subscript) or isinstance(node, ast.AugAssign),
                    key=_text(part.slice) if isinstance(part, ast.Subscript) else None,
                    value=value,
                )
                for part in parts
                if not _is_of_self(part)
            )


def _of_call(node: ast.Call) -> Iterator[Write]:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    name = node.args[1] if len(node.args) > 1 else None
    if called in ("setattr", "delattr") and isinstance(name, ast.Constant) and isinstance(name.value, str):
        value = _constant(node.args[2]) if len(node.args) > 2 else None
        yield Write(node.lineno, frozenset((*_names(node.args[0]), name.value)), value=value)
    elif called not in _READERS:
        key = _text(node.args[0]) if node.args else None
        yield Write(node.lineno, frozenset(_names(node.func)), called or " ", key=key)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _constant(node: ast.expr | None) -> tuple[str, Hashable] | None:
    return (type(node.value).__name__, node.value) if isinstance(node, ast.Constant) else None


def _is_of_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


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
