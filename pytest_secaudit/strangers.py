"""Looking at strangers' objects without running their code.

No ``isinstance``, no ``==``, no attribute access that a class could answer itself: types are asked by `type`, modules,
classes and instances through the slots that the interpreter keeps for them.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Mapping
from typing import Any, TypeGuard

_NAMES_OF_A_MODULE: Any = vars(types.ModuleType)["__dict__"]
_NAMES_OF_A_CLASS: Any = vars(type)["__dict__"]
_BASES_OF_A_CLASS: Any = vars(type)["__mro__"]
_NAME_OF_A_CLASS: Any = vars(type)["__name__"]
_HOME_OF_A_CLASS: Any = vars(type)["__module__"]

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_NOTHING: Mapping[str, object] = {}


def is_module(found: object) -> bool:
    """Whether it really is a module, of whatever class."""
    return issubclass(type(found), types.ModuleType)


def is_class(found: object) -> TypeGuard[type]:
    """Whether it really is a class, of whatever metaclass."""
    return issubclass(type(found), type)


def names_of(found: object) -> Mapping[str, object]:
    """The namespace of a module or class; of anything else, its own attributes if it keeps them in a plain dict."""
    if is_module(found):
        return _NAMES_OF_A_MODULE.__get__(found) or _NOTHING
    if is_class(found):
        return _NAMES_OF_A_CLASS.__get__(found)  # type: ignore[no-any-return]
    for base in bases_of(type(found)):
        slot: Any = _NAMES_OF_A_CLASS.__get__(base).get("__dict__")
        if type(slot) in _SLOTS:
            names = slot.__get__(found)
            return names if type(names) is dict else _NOTHING
    return _NOTHING


def bases_of(cls: type) -> tuple[type, ...]:
    """The class and its bases, whatever its metaclass says."""
    return _BASES_OF_A_CLASS.__get__(cls)  # type: ignore[no-any-return]


def type_name(found: object) -> str:
    """The name of its type."""
    name: str = _NAME_OF_A_CLASS.__get__(type(found))
    return sys.intern(name) if type(name) is str else name  # that of a built-in type is made anew each time


def home_of_class(cls: type) -> str:
    """The module that a class says it is from, or an empty string."""
    try:
        home = _HOME_OF_A_CLASS.__get__(cls)
    except AttributeError:
        return ""
    return home if type(home) is str else ""


def home_of(found: object) -> str:
    """The module that it is from: a function or class by its own word, anything else by that of its class."""
    while True:
        if type(found) is functools.partial:
            found = found.func
        elif type(found) is types.MethodType:
            found = found.__func__
        else:
            break
    if type(found) in _FUNCTIONS:
        home = found.__module__
        return home if type(home) is str else ""
    return home_of_class(found) if is_class(found) else home_of_class(type(found))


def is_from(found: object, *packages: str) -> bool:
    """Whether it is from one of these packages."""
    return home_of(found).partition(".")[0] in packages


def called(found: object) -> str:
    """What to call it in a sentence: a function or class by its full name, anything else by its type."""
    if type(found) is types.MethodType:
        found = found.__func__
    if type(found) is types.FunctionType and "__wrapped__" in found.__dict__:
        return f"a wrapper of {_called(found.__dict__['__wrapped__'])}"
    return _called(found)


def _called(found: object) -> str:
    if type(found) in _FUNCTIONS or is_class(found):
        home, name = home_of(found), _own_name(found)
        return f"{home}.{name}" if home not in ("", "builtins") else name
    return with_article(type_name(found))


def with_article(name: str) -> str:
    """``an int``, ``a dict``."""
    return f"an {name}" if name[:1] in "AEIOaeio" else f"a {name}"


def _own_name(found: Any) -> str:
    name = _NAME_OF_A_CLASS.__get__(found) if is_class(found) else found.__qualname__
    return str(name).replace("<locals>.", "")
