"""The functions behind an object that is replaced: its own, a method's, those of a property or a class, what is wrapped.

Nobody's code runs for that: types are asked by `type`, and namespaces are read as they are.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.strangers import is_class, names_of
from pytest_secaudit.watch.tapping import original_of

_DEPTH: Final = 8
#: Of the methods with such names only these are what a class is replaced for.
_SPECIAL: Final = frozenset(
    "__init__ __new__ __call__ __enter__ __exit__ __aenter__ __aexit__ __await__ __iter__ __next__ __getitem__".split()
)
#: What a body is made of that does nothing, or only says that another class must do it.
_IDLE: Final = frozenset(
    """
    CACHE CALL CALL_FUNCTION CALL_INTRINSIC_1 COPY_FREE_VARS LOAD_COMMON_CONSTANT LOAD_CONST LOAD_GLOBAL MAKE_CELL NOP NOT_TAKEN
    POP_TOP PRECALL PUSH_NULL RAISE_VARARGS RERAISE RESUME RETURN_CONST RETURN_GENERATOR RETURN_VALUE GEN_START
    """.split()
)
#: What they make is empty if they are given nothing.
_BUILD: Final = frozenset(("BUILD_LIST", "BUILD_MAP"))
#: What is called or asked for by name in a body that is about security.
_SECURITY_NAMES: Final = frozenset(
    """
    check_call check_output chmod chown compare_digest create_default_context eval exec hashlib hmac jwt mkstemp
    pickle secrets setuid ssl subprocess tempfile wrap_socket
    """.split()
)


class Found(NamedTuple):
    """A function: its code, how it is called, and whether it is only part of a class that was meant."""

    code: CodeType
    qualname: str
    with_class: bool = False

    @property
    def identity(self) -> tuple[str, int, str]:
        """The same for the same function, also when its module is loaded twice."""
        return self.code.co_filename, self.code.co_firstlineno, self.qualname


def functions_of(original: object) -> Iterator[Found]:
    """Every function that can be told to stand behind an object, whoever's it is."""
    seen: set[int] = set()
    todo: list[tuple[Any, int, bool]] = [(original, _DEPTH, False)]
    while todo:
        found, depth, with_class = todo.pop()
        found = original_of(found)
        if id(found) in seen or not depth:
            continue
        seen.add(id(found))
        if type(found) is FunctionType and "__wrapped__" not in found.__dict__:
            yield Found(found.__code__, _qualname(found), with_class)
        with_class = with_class or is_class(found)
        todo.extend((inner, depth - 1, with_class) for inner in _inside(found))


def _inside(found: Any) -> Iterator[object]:
    kind = type(found)
    if kind is FunctionType:
        if "__wrapped__" in found.__dict__:
            yield found.__dict__["__wrapped__"]
        else:
            yield from _closed_over(found)
    elif kind in (staticmethod, classmethod, types.MethodType):
        yield found.__func__
    elif kind is property:
        yield from (found.fget, found.fset, found.fdel)
    elif kind in (functools.partial, functools.partialmethod, functools.cached_property):
        yield found.func
    elif is_class(found):
        for name, value in names_of(found).items():
            is_special = name.startswith("__") and name.endswith("__")
            if not is_class(value) and (not is_special or name in _SPECIAL):
                yield value
    else:  # what `functools.lru_cache` makes, and objects that say so
        yield names_of(found).get("__wrapped__")


def _closed_over(found: FunctionType) -> Iterator[object]:
    """The function that one made by a decorator without `functools.wraps` stands for, if it can be no other."""
    inner = [value for cell in found.__closure__ or () if type(value := _content(cell)) is FunctionType]
    if len(inner) == 1:
        yield inner[0]


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _qualname(found: FunctionType) -> str:
    code = found.__code__
    known = getattr(code, "co_qualname", "")  # since 3.11; the other may have been written by anybody
    if known:
        return str(known)
    name = found.__qualname__
    return name if type(name) is str and name.rpartition(".")[2] == code.co_name else code.co_name


def body_of(code: CodeType) -> tuple[int, ...]:
    """The lines that run when the function does, and at no other time; none of one that is a single line."""
    return tuple(sorted({line for *_, line in code.co_lines() if line} - {code.co_firstlineno}))


def is_stub(code: CodeType) -> bool:
    """Whether there is nothing in it that could be run: ``...``, ``return []``, ``raise NotImplementedError``."""
    if any(name != "NotImplementedError" for name in code.co_names):
        return False
    for step in dis.get_instructions(code):
        if step.opname in _BUILD:
            if step.arg:
                return False
        elif step.opname not in _IDLE:
            return False
        if step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval not in (None, ()) and not code.co_names:
            return False
    return True


def security_of(code: CodeType, qualname: str, module: str) -> str:
    """The word that makes it security-relevant, of its name, its module's or what it calls; empty if there is none.

    Args:
        code: of the function.
        qualname: how it is called.
        module: the last part of the module's name.
    """
    named = security_word(qualname) or security_word(module)
    return named or next((name for name in code.co_names if name in _SECURITY_NAMES), "")
