"""What a file cannot tell and the imported module can.

Strangers' objects are looked at with care: no ``isinstance``, no ``==``, no attribute access that
could run their code; modules and classes are read through their own ``__dict__``. Whatever raises
all the same leaves the question open.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Question
from pytest_secaudit.places import Place, RestoreFact
from pytest_secaudit.reading import Reading, StaticHit
from pytest_secaudit.strangers import bases_of, home_of_class, is_class, is_module, names_of


@lean
@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known about one module besides its file.

    Attributes:
        module: the imported module, or None where nothing was imported.
        fixtures_in_effect: qualified name of a function -> names of the fixtures that are in
            effect for it (from the collected items).
        fixture_replacements: fixture name -> what it replaces, of every file read.
        restores: what fixtures and classes of the files read put back, with their files.
        time_limit: whether a plugin ends every test that takes too long.
        autouse: names of the autouse fixtures whose files surround the module.
        fixture_scopes: fixture name -> the scopes of the definitions that may be in effect (`scopes_in_effect`).
    """

    module: types.ModuleType | None = None
    fixtures_in_effect: Mapping[str, Collection[str]] | None = None
    fixture_replacements: Mapping[str, Collection[str]] | None = None
    autouse: Collection[str] = ()
    time_limit: bool = False
    restores: Collection[tuple[str, RestoreFact]] = ()
    fixture_scopes: Mapping[str, Collection[str]] | None = None


def settle(reading: Reading, around: Surroundings) -> Reading:
    """The reading with every question asked: hits that live objects clear are gone."""
    hits = tuple(settled for hit in reading.hits if (settled := _settle(hit, around)) is not None)
    return replace(reading, hits=hits)


def _settle(hit: StaticHit, around: Surroundings) -> StaticHit | None:
    if not (hit.unless or hit.only_if):
        return hit
    if any(answer(question, around) for question in hit.unless):
        return None
    if not all(answer(question, around) for question in hit.only_if):
        return None
    return replace(hit, unless=(), only_if=())


def answer(question: Question, around: Surroundings) -> bool | None:
    """Yes, no, or None when nothing here can tell."""
    ask = _ANSWERS.get(question.kind)
    try:
        return ask(around, *question.args) if ask else None
    except Exception:  # a stranger's object misbehaved: the question stays open
        return None


# --- looking without touching

_MISSING = object()


def _global(module: types.ModuleType, name: str) -> object:
    return names_of(module).get(name, _MISSING)


def _class(module: types.ModuleType | None, qualname: str) -> type | None:
    if module is None:
        return None
    first, *rest = qualname.split(".")
    found = _global(module, first)
    for name in rest:
        found = names_of(found).get(name) if is_class(found) else None
    return found if is_class(found) else None


def _raw_attribute(cls: type, name: str) -> object:
    for base in bases_of(cls):
        namespace = names_of(base)
        if name in namespace:
            return namespace[name]
    return _MISSING


def _attribute(found: object, name: str) -> object:
    """Like `inspect.getattr_static`, which asks for ``__class__``: that sets up a lazy proxy."""
    if is_module(found):
        return names_of(found).get(name, _MISSING)
    if is_class(found):
        return _raw_attribute(found, name)
    names: Any = _raw_attribute(type(found), "__dict__")
    own = names.__get__(found) if type(names) in (types.GetSetDescriptorType, types.MemberDescriptorType) else {}
    value: Any = dict.get(own, name, _MISSING)
    if value is _MISSING:
        value = _raw_attribute(type(found), name)
    return value.__get__(found) if type(value) is types.MemberDescriptorType else value


# --- the questions


def _overridden(around: Surroundings, cls_name: str, method: str) -> bool | None:
    cls = _class(around.module, cls_name)
    if cls is None:
        return None
    import unittest  # only here, where a class of it is there already

    standard = vars(unittest.TestCase).get(method, _MISSING)
    found = _raw_attribute(cls, method)
    if found is _MISSING:
        return None  # a mixin: its test class is made elsewhere
    return found is not standard and not _keeps_the_contract(found)


def _keeps_the_contract(function: object) -> bool:
    """Whether it is of testtools or trial, whose assertions do what those of unittest do, and more."""
    name = getattr(function, "__module__", None) if type(function) is types.FunctionType else None
    return isinstance(name, str) and name.startswith(("testtools.", "twisted.trial."))


def _rebound(around: Surroundings, name: str, full_name: str) -> bool | None:
    if around.module is None or not name or not full_name:
        return None
    now = _global(around.module, name)
    if now is _MISSING:
        return None  # imported inside a function
    original = _imported(full_name)
    return None if original is _MISSING else now is not original


def _imported(full_name: str) -> object:
    """The object of a full name, if its module is loaded; nothing is imported."""
    parts = full_name.split(".")
    for cut in range(len(parts), 0, -1):
        found: object = sys.modules.get(".".join(parts[:cut]), _MISSING)
        if found is not _MISSING:
            break
    else:
        return _MISSING
    for name in parts[cut:]:
        found = names_of(found).get(name, _MISSING)
    return found


def _fixture_replaces(around: Surroundings, target: str, function: str, *requested: str) -> bool | None:
    known = around.fixture_replacements
    if known is None:
        return None
    names = _in_effect(around, function, requested)
    return any(_same_target(target, replaced) for name in names for replaced in known.get(name, ()))


def _in_effect(around: Surroundings, function: str, requested: Collection[str]) -> set[str]:
    """The fixtures in effect for a function: autouse ones, requested ones, and all that its items name."""
    names = {*around.autouse, *requested}
    if around.fixtures_in_effect is not None:
        names.update(around.fixtures_in_effect.get(function, ()))
    return names


def _restored_around(
    around: Surroundings, area: str, name: str, whole: str, cls_name: str, function: str, *requested: str
) -> bool:
    """Whether a fixture in effect, or a class of the live MRO, puts the place back."""
    place = Place(area, name, whole == "True")
    names = _in_effect(around, function, requested)
    bases = _bases(_class(around.module, cls_name)) if cls_name else set()
    return any(
        fact.place.meets(place)
        and ((fact.kind == "fixture" and fact.owner in names) or (_module_name(path), fact.owner) in bases)
        for path, fact in around.restores
    )


def _bases(cls: type | None) -> set[tuple[str, str]]:
    """Last part of the module name and qualified name of each class of the MRO."""
    mro = bases_of(cls) if cls is not None else ()
    return {(home_of_class(base).rpartition(".")[2], base.__qualname__) for base in mro}


def _module_name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _same_target(target: str, replaced: str) -> bool:
    """``time.sleep`` is replaced by ``time.sleep``, by ``shop.jobs.time.sleep`` and by ``time``."""
    return replaced == target or replaced.endswith(f".{target}") or target.startswith(f"{replaced}.")


def _defined_elsewhere(around: Surroundings, name: str) -> bool | None:
    """Whether a loaded class or module defines the name: then it is a real method of something."""
    loaded = hash(tuple(map(id, list(sys.modules.values()))))
    return bool(_definers(name, loaded) - {id(around.module)})


@functools.lru_cache(maxsize=256)
def _definers(name: str, loaded: int) -> frozenset[int]:
    """The loaded modules (by ``id``) that define the name, or have a class that does.

    ``loaded`` stands for what is loaded now: the answer holds until that changes.
    """
    del loaded
    return frozenset(
        id(module)
        for module_name, module in list(sys.modules.items())
        if module_name not in ("unittest.mock", "mock", "mock.mock") and _defines(module, name)
    )


def _defines(module: object, name: str) -> bool:
    names = names_of(module)
    return name in names or any(is_class(value) and name in names_of(value) for value in list(names.values()))


def _compares_oddly(around: Surroundings, name: str, path: str) -> bool | None:
    if around.module is None:
        return None
    found = _global(around.module, name)
    for part in filter(None, path.split(".")):
        found = _attribute(found, part)
    if found is _MISSING:
        return None
    own = _raw_attribute(type(found), "__eq__")
    plain = ("builtins", "collections", "datetime", "decimal")
    return own is not object.__eq__ and home_of_class(type(found)) not in plain


#: What decides how a test method of a unittest class is called.
_RUNNERS = ("__call__", "_callTestMethod", "debug", "run")


def _body_never_runs(around: Surroundings, cls_name: str, method: str) -> bool | None:
    import unittest

    cls = _class(around.module, cls_name)
    if cls is None or not issubclass(cls, unittest.TestCase):
        return None
    function = _raw_attribute(cls, method)
    lazy = inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function)
    plain = all(_raw_attribute(cls, name) is vars(unittest.TestCase).get(name) for name in _RUNNERS)
    # A class that overrides __init__ or __getattribute__ may replace the method per instance (tornado).
    plain = plain and _raw_attribute(cls, "__init__") is vars(unittest.TestCase)["__init__"]
    return (lazy or inspect.isasyncgenfunction(function)) and plain


_WIDE_SCOPES = frozenset(("class", "module", "package", "session"))


def _wide_fixture(around: Surroundings, name: str, function: str) -> bool | None:
    """Whether the function is given a fixture of this name that several tests share."""
    scopes = (around.fixture_scopes or {}).get(name)
    if not scopes:
        return None
    known = around.fixtures_in_effect
    if known is not None and name not in known.get(function, ()):
        return False  # a parameter that a mark or a decorator fills
    return _WIDE_SCOPES.issuperset(scopes)


def scopes_in_effect(path: str, readings: Iterable[Reading]) -> dict[str, frozenset[str]]:
    """Fixture name -> the scopes of its definitions: the file's own, else those of the nearest conftest and of plugins."""
    found: dict[str, dict[tuple[bool, int], set[str]]] = {}
    for reading in readings:
        conftest = reading.path.rpartition("/")[2] == "conftest.py"
        nearness = (reading.path == path, reading.path.count("/") if conftest else sys.maxsize)
        for fixture in reading.fixtures:
            found.setdefault(fixture.name, {}).setdefault(nearness, set()).add(fixture.scope)
    return {name: frozenset(_nearest(by_nearness)) for name, by_nearness in found.items()}


def _nearest(by_nearness: Mapping[tuple[bool, int], set[str]]) -> set[str]:
    nearest = max(by_nearness)
    if nearest[0] or nearest[1] != sys.maxsize:
        return by_nearness[nearest]
    # Fixtures of base classes and of plugins come on top of, or below, those of the conftests.
    return set().union(*by_nearness.values())


_PLAIN = (str, int, float, bool, type(None))


def _already_equal(around: Surroundings, target: str, literal: str) -> bool | None:
    """Whether the target has that value already: then the assignment changes nothing."""
    found = _live(around, target)
    if found is _MISSING:
        return None
    return type(found) in _PLAIN and repr(found) == literal


def _is_oslo_config(around: Surroundings, target: str) -> bool | None:
    """Whether it is a configuration of oslo.config or a group of one, which fixtures of other files reset."""
    for found in _on_the_way(around, target):
        if any(home_of_class(cls).startswith("oslo_config.") for cls in bases_of(type(found))):
            return True
    return False


def _live(around: Surroundings, dotted: str) -> object:
    """What a dotted name of the module stands for, or a full name whose module is loaded."""
    return list(_on_the_way(around, dotted))[-1]


def _on_the_way(around: Surroundings, dotted: str) -> Iterator[object]:
    """The objects that the parts of a dotted name stand for, up to the first that is not there."""
    first, *rest = dotted.split(".")
    found = names_of(around.module).get(first, _MISSING)
    if found is _MISSING and rest:
        found, rest = _loaded(dotted)
    yield found
    for name in rest:
        if found is _MISSING:
            return
        found = _attribute(found, name)
        yield found


def _loaded(full_name: str) -> tuple[object, list[str]]:
    """The innermost loaded module of a full name, and the names that are left."""
    parts = full_name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        found: object = sys.modules.get(".".join(parts[:cut]), _MISSING)
        if found is not _MISSING:
            return found, parts[cut:]
    return _MISSING, []


def _time_limit(around: Surroundings) -> bool:
    return around.time_limit


_ANSWERS: Mapping[str, Callable[..., bool | None]] = {
    "already-equal": _already_equal,
    "body-never-runs": _body_never_runs,
    "compares-oddly": _compares_oddly,
    "defined-elsewhere": _defined_elsewhere,
    "fixture-replaces": _fixture_replaces,
    "oslo-config": _is_oslo_config,
    "overridden": _overridden,
    "rebound": _rebound,
    "restored-around": _restored_around,
    "time-limit": _time_limit,
    "wide-fixture": _wide_fixture,
}
