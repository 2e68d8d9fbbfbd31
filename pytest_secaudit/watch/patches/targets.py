"""What is patched, looked at without touching it: names, raw values, and whether an object outlives its test.

The targets are strangers: lazy proxies that run their set-up when asked, mocks that lie about their class, classes
whose metaclass answers for them. None of their code runs here.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import repeat
from operator import is_
from typing import Any, Final

from pytest_secaudit.strangers import bases_of, home_of_class, is_class, is_module, names_of, type_name
from pytest_secaudit.watch import real

#: Stands for what an object does not hold.
NOTHING: Final = object()

#: An attribute as it is patched: the object, the name, and what the object itself held there before.
Slot = tuple[object, str, object]

_QUALNAME_OF_A_CLASS: Any = vars(type)["__qualname__"]
_ENVIRON = os.environ

#: How often an object that is found nowhere may be looked for from one line: each time costs milliseconds.
_TRIES = 8
_REMEMBERED = 1000


def raw(target: object, name: str) -> object:
    """What the object itself holds under the name, or `NOTHING`."""
    return names_of(target).get(name, NOTHING)


def a_type(value: object) -> str:
    """The kind of a value, with its article: ``a MagicMock``, ``an AsyncMock``, ``None``."""
    if value is None:
        return "None"
    name = "class" if is_class(value) else type_name(value)
    return f"{'an' if name[:1] in 'AEIOaeio' else 'a'} {name}"


def title(target: object) -> str:
    """The full name of a module or class; empty for anything else."""
    if is_module(target):
        name = raw(target, "__name__")
        return name if type(name) is str else ""
    if is_class(target):
        return _class_title(target)
    return ""


def _class_title(cls: type) -> str:
    name: str = _QUALNAME_OF_A_CLASS.__get__(cls)
    home = home_of_class(cls)
    return name if home in ("", "builtins") else f"{home}.{name}"


def along(path: str) -> object:
    """What a dotted path leads to, as far as plain values lead; else `NOTHING`."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        found = real.modules.get(".".join(parts[:end]), NOTHING)
        if found is not NOTHING:
            for part in parts[end:]:
                found = _step(found, part)
            return found
    return NOTHING


def _step(target: object, name: str) -> object:
    found = raw(target, name)
    if found is not NOTHING or target is NOTHING or is_module(target):
        return found
    bases = bases_of(target if is_class(target) else type(target))
    return next((value for base in bases if (value := raw(base, name)) is not NOTHING), NOTHING)


def is_environ(target: object) -> bool:
    return target is _ENVIRON or target is vars(os).get("environ")


def is_process_wide(target: object) -> bool:
    return is_environ(target) or target is sys.modules


def attribute_subject(target: object, attribute: str, name: str) -> str:
    """The name of an attribute, also of an object that has none itself: ``shop.Cart().total``."""
    return f"{name or title(type(target)) + '()'}.{attribute}"


def item_subject(container: object, key: object, name: str) -> str:
    """The name of what is patched when a container's item is: of the item for two that everybody knows."""
    base = "os.environ" if is_environ(container) else "sys.modules" if container is sys.modules else ""
    if not base:
        return name
    return f"{base}[{key!r}]" if type(key) is str else base


class Places:
    """Finds objects that outlive a test: in module globals, and in the attributes of classes in them."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._missed: Counter[Hashable] = Counter()

    def name(self, target: object, given: str, hint: Hashable) -> str:
        """The name of an object, as reports write it; empty if it has none.

        Args:
            target: the object.
            given: the dotted path by which the user named it, if that is known.
            hint: where it was patched; from one place it is not looked for again and again in vain.
        """
        known = title(target)
        if known or not self.is_found(target, given, hint):
            return known
        return given if given and along(given) is target else self._known[id(target)]

    def is_lasting(self, target: object, given: str, hint: Hashable) -> bool:
        """Whether the object will be there for later tests."""
        known = title(target)
        return bool(known and along(known) is target) or self.is_found(target, given, hint)

    def is_found(self, target: object, given: str, hint: Hashable) -> bool:
        return bool(given and along(given) is target) or bool(self._search(target, hint))

    def _search(self, target: object, hint: Hashable) -> str:
        known = self._known.get(id(target), "")
        if known and along(known) is target:
            return known
        asked = (hint, type(target))
        if self._missed[asked] >= _TRIES:
            return ""
        found = _best(_holders(target))
        if found:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[id(target)] = found
        else:
            self._missed[asked] += 1
        return found


def _holders(target: object) -> list[str]:
    """The paths of the module globals that hold the object; of the class attributes if no global does."""
    spaces = [(name, names_of(module)) for name, module in list(real.modules.items()) if is_module(module)]
    return [f"{name}.{key}" for name, space in spaces for key in _keys_of(target, space)] or [
        f"{name}.{holder}.{key}"
        for name, space in spaces
        for holder, cls in _classes_of(name, space)
        for key in _keys_of(target, names_of(cls))
    ]


def _keys_of(target: object, space: Mapping[str, object]) -> list[str]:
    if any(map(is_, tuple(space.values()), repeat(target))):
        return [key for key, value in list(space.items()) if value is target]
    return []


def _classes_of(module: str, space: Mapping[str, object]) -> list[tuple[str, object]]:
    """The classes that were defined there, as far as names tell."""
    return [(name, value) for name, value in tuple(space.items()) if is_class(value) and home_of_class(value) == module]


def _best(paths: list[str]) -> str:
    """The shortest path, test modules last: they import what others define."""
    return min(paths, key=lambda path: (_is_of_tests(path), path.count("."), path), default="")


def _is_of_tests(path: str) -> bool:
    return any(part.startswith(("test", "conftest")) for part in path.split("."))
