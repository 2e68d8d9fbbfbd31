"""Whether a function would have taken a call, by its code alone: the number of values and the names of keywords."""

from __future__ import annotations

import types
from collections.abc import Collection
from inspect import CO_VARARGS, CO_VARKEYWORDS
from typing import Any

from pytest_secaudit.strangers import is_module, names_of

#: A plain function, and how many of its parameters are filled before those of the call; several where both are likely.
Plain = tuple[types.FunctionType, tuple[int, ...]]


def plain_function(target: object, original: object, *, is_local: bool) -> Plain | None:
    """What really runs when a replaced attribute is called; None for what is not written as a plain function.

    A function of a class is called through an instance mostly, and its replacement is not told of the instance; but it
    may as well be called through the class.
    """
    kind: type = type(original)
    inner: Any = original
    filled: tuple[int, ...] = (0,)
    if is_local and kind in (staticmethod, classmethod):
        inner = inner.__func__
        filled = (1,) if kind is classmethod else (0,)
    elif kind is types.MethodType:
        inner, filled = inner.__func__, (1,)
    elif issubclass(type(target), type):
        filled = (1, 0)
    elif not is_local and not is_module(target):
        return None  # of an instance that makes its attributes itself
    if type(inner) is not types.FunctionType or not {"__wrapped__", "__signature__"}.isdisjoint(names_of(inner)):
        return None
    return inner, filled


def refusal(plain: Plain, count: int, keywords: Collection[str]) -> str:
    """Why the function does not take so many values and these keywords: ``it has no parameter user``; else empty."""
    function, ways = plain
    found = [_refusal(function, filled, count, keywords) for filled in ways]
    return found[0] if all(found) else ""


def _refusal(function: types.FunctionType, filled: int, count: int, keywords: Collection[str]) -> str:
    code = function.__code__
    if filled > code.co_argcount:
        return ""
    everything = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    positional, only = everything[filled : code.co_argcount], everything[code.co_argcount :]
    if count > len(positional) and not code.co_flags & CO_VARARGS:
        return f"it takes at most {_many(len(positional))}"
    given, by_name = positional[:count], positional[max(code.co_posonlyargcount - filled, 0) :]
    for name in keywords:
        if name in by_name and name in given:
            return f"it is given {name} twice"
        if name not in by_name and name not in only and not code.co_flags & CO_VARKEYWORDS:
            return f"it has no parameter {name}"
    defaults = len(function.__defaults__ or ())
    needed = everything[filled : max(code.co_argcount - defaults, filled)][count:]
    needed += tuple(name for name in only if name not in (function.__kwdefaults__ or ()))
    missing = next((name for name in needed if name not in keywords or name not in (*by_name, *only)), "")
    return f"it needs {missing}" if missing else ""


def shape(count: int, keywords: Collection[str]) -> str:
    """``with 2 values and user``: a call without what it was called with."""
    said = [_many(count)] if count or not keywords else []
    said += [", ".join(keywords)] if keywords else []
    return f"with {' and '.join(said)}"


def _many(count: int) -> str:
    return f"{count or 'no'} {'value' if count == 1 else 'values'}"
