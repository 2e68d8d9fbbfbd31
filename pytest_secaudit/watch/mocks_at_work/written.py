"""How a line of a test is written: what is done with an attribute or a call that stands there.

Asked only of the few lines that are in doubt, when their test is over.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Place
from pytest_secaudit.no_gc import no_gc
from pytest_secaudit.redact import clean

#: ``called`` and its result dropped or asserted, ``judged`` by its truth, ``bare`` as a statement; else it is not known.
Use = Literal["called", "judged", "bare", ""]

_TRUTH_METHODS = frozenset(("assertTrue", "assertIsNotNone", "assert_", "failUnless"))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LONGEST = 80

#: A node with what it stands in, the module first.
_Chain = tuple[ast.AST, ...]


@lean
@dataclass(frozen=True, slots=True)
class Written:
    """A piece of source.

    Attributes:
        text: the piece itself.
        receiver: what stands before its last name.
        identity: tells it apart from all others without a line number.
        use: what is done with it.
        is_empty: it is a call with an empty list or tuple, or none.
    """

    place: Place
    text: str
    receiver: str
    identity: str
    use: Use
    is_empty: bool = False


class SourceLines:
    """Reads test files; of the last one it remembers what it is made of.

    Args:
        source_of: the text of a file by its path, as `Place` has it; empty if there is none.
    """

    def __init__(self, source_of: Callable[[str], str]) -> None:
        self._source_of = source_of
        self._path = ""
        self._tree: ast.Module | None = None

    def attribute(self, place: Place, name: str) -> Written | None:
        """The attribute of this name at the line, the first that is used in a telling way."""
        found = [
            self._written(place, chain, _use(chain))
            for chain in self._at(place)
            if isinstance(chain[-1], ast.Attribute) and chain[-1].attr == name
        ]
        return next((one for one in found if one.use), None)

    def call(self, place: Place, *names: str) -> Written | None:
        """The call of something of these names at the line; as ``bare``, if it is a statement."""
        for chain in self._at(place):
            call = chain[-1]
            if isinstance(call, ast.Call) and _last_name(call.func) in names:
                use: Use = "bare" if isinstance(_outer(chain, 2), ast.Expr) else ""
                return self._written(place, chain, use, is_empty=_is_empty(call))
        return None

    def forget(self) -> None:
        """The tree of a file is large."""
        self._path, self._tree = "", None

    def _at(self, place: Place) -> Iterator[_Chain]:
        if self._path != place.path:
            self._path, self._tree = place.path, self._parsed(place.path)
        return _around((self._tree,), place.line) if self._tree is not None else iter(())

    def _parsed(self, path: str) -> ast.Module | None:
        text = self._source_of(path)
        try:
            with no_gc():
                return ast.parse(text) if text else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def _written(self, place: Place, chain: _Chain, use: Use, *, is_empty: bool = False) -> Written:
        node = chain[-1]
        text = _source(node)
        inner = _named(node)
        names = [
            outer.name for outer in chain if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        ]
        function = next((outer for outer in reversed(chain) if isinstance(outer, _FUNCTIONS)), chain[0])
        number = _number(function, node, text)
        return Written(
            place=Place(place.path, getattr(node, "lineno", place.line)),
            text=text,
            receiver=_source(inner.value) if isinstance(inner, ast.Attribute) else "",
            identity=f"{text} in {'.'.join(names)} of {place.path}" + (f", {number}" if number > 1 else ""),
            use=use,
            is_empty=is_empty,
        )


def _around(chain: _Chain, line: int) -> Iterator[_Chain]:
    for child in ast.iter_child_nodes(chain[-1]):
        if _covers(child, line):
            inner = (*chain, child)
            yield inner
            yield from _around(inner, line)


def _covers(node: ast.AST, line: int) -> bool:
    start, end = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
    if start is None or end is None:
        return True  # an argument list and the like
    first: int = min([start, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    last: int = end
    return first <= line <= last


def _outer(chain: _Chain, steps: int) -> ast.AST | None:
    """What a node stands in, an ``await`` left out."""
    outer = [node for node in chain[:-1] if not isinstance(node, ast.Await)] + [chain[-1]]
    return outer[-steps] if len(outer) >= steps else None


def _use(chain: _Chain) -> Use:
    parent = _outer(chain, 2)
    if isinstance(parent, ast.Call) and parent.func is chain[-1]:
        return (
            "called" if isinstance(_outer(chain, 3), ast.Expr) or _is_judged(chain[: chain.index(parent) + 1]) else ""
        )
    if isinstance(parent, ast.Expr):
        return "bare"
    return "judged" if _is_judged(chain) else ""


def _is_judged(chain: _Chain) -> bool:
    """Whether an assertion rests on its truth."""
    node, above = chain[-1], list(chain[:-1])
    while above and (isinstance(above[-1], ast.Await) or _is_and(above[-1])):
        node = above.pop()
    if not above:
        return False
    parent = above[-1]
    if isinstance(parent, ast.Assert):
        return parent.test is node
    return isinstance(parent, ast.Call) and _last_name(parent.func) in _TRUTH_METHODS and parent.args[:1] == [node]


def _is_and(node: ast.AST) -> bool:
    return isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _named(node: ast.AST) -> ast.AST:
    return node.func if isinstance(node, ast.Call) else node


def _is_empty(call: ast.Call) -> bool:
    expected = next((keyword.value for keyword in call.keywords if keyword.arg == "calls"), None)
    expected = call.args[0] if call.args else expected
    if isinstance(expected, (ast.List, ast.Tuple)):
        return not expected.elts
    return isinstance(expected, ast.Call) and _last_name(expected.func) in ("list", "tuple") and not expected.args


def _source(node: ast.AST) -> str:
    text = clean(ast.unparse(node))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _number(function: ast.AST, node: ast.AST, text: str) -> int:
    """The how-manieth of those that are written alike in the function."""
    name = _last_name(_named(node))
    alike = [one for one in ast.walk(function) if type(one) is type(node) and _last_name(_named(one)) == name]
    alike = [one for one in alike if _source(one) == text]
    alike.sort(key=lambda one: (getattr(one, "lineno", 0), getattr(one, "col_offset", 0)))
    return alike.index(node) + 1 if node in alike else 1
