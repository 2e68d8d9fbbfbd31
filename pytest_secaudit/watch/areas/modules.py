"""What stands in ``sys.modules``: entries that were replaced or removed, and stand-ins that were added.

That a module was imported is never a change, nor what it does to its own entry meanwhile. Of modules that tests were
the first to import nobody minds the removal: it is the clean-up of a fixture that isolates imports.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from itertools import islice
from operator import is_
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import bases_of, called, home_of, home_of_class, is_from, is_module, names_of
from pytest_secaudit.watch.areas.values import shown, token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change, Held
from pytest_secaudit.watch.tapping import Taps

WHOLE = "sys.modules"

#: Ours, what setuptools replaces by its own when it is first imported, and what the first module of Cython brings along.
_OTHERS = frozenset(("cython_runtime", "distutils", "pytest_secaudit"))
#: What stands for something else by its nature, whoever put it there.
_STAND_INS = frozenset(("mock", "types", "unittest"))
_OF_C = "_cffi_backend"
_EMPTY_BY_PYTEST = "Empty module created by pytest"
_YOUNGEST = 64
_MISSING = object()


@lean
@dataclass(frozen=True, slots=True)
class Gone:
    """No stand-in, and not the module that was there: nothing at all, or another import of it."""

    how: str = field(default="", compare=False)


class Modules:
    """Watches what an import statement will get.

    Attributes:
        thorough: `look_closely` compares every entry (20 ns each), else the youngest only.
    """

    name = "modules"
    code = "PSA111"

    def __init__(self, taps: Taps, stack: Stack) -> None:  # noqa: ARG002 - the form of an area
        self.off = ""
        self.thorough = True
        self._sys = vars(sys)
        self._tests_run = False
        self._modules: dict[str, Any] = vars(sys)["modules"]
        self._bound: object = None
        self._seen: dict[str, object] = {}
        self._values: list[object] = []
        self._last: object = None
        #: What was there before the first test; a module that is no longer there is only loosely held.
        self._known: dict[str, object] = {}
        #: The stand-ins in place.
        self._fakes: dict[str, Hashable] = {}

    # --- looking

    def begin(self) -> None:
        """Not told from ``PYTEST_CURRENT_TEST``: a run inside a test removes that for the rest of it."""
        self._tests_run = True

    #: It is woken by a module that is loaded.
    stirred = ()

    @property
    def slots(self) -> Sequence[tuple[dict[str, Any], str]]:
        return [(self._sys, "modules")]

    def look(self) -> Iterable[Change]:
        """Tell by their number and by the youngest: what is set anew under an old name needs a closer look."""
        modules = self._modules
        if (
            len(modules) == len(self._values)
            and next(reversed(modules.values()), None) is self._last
            and self._sys.get("modules") is self._bound
        ):
            return ()
        return self._compared()

    def look_closely(self) -> Iterable[Change]:
        """Find also what was replaced under an old name."""
        if self.thorough:  # by identity: a mock would note that it was compared
            same = all(map(is_, self._modules.values(), self._values))
        else:
            same = all(map(is_, islice(reversed(self._modules.values()), _YOUNGEST), reversed(self._values)))
        return self.look() if same else self._compared(closely=True)

    def _compared(self, *, closely: bool = False) -> list[Change]:
        now = dict(self._modules)
        seen = self._seen
        names = self._different(seen, now)
        self._last = next(reversed(now.values()), None)
        if seen and self.thorough and not closely:
            names = self._without_old(names, seen, now)
        self._seen, self._values = now, list(now.values())
        if not seen:
            self._known = dict(now)
            self._bound = self._sys.get("modules")
            return []
        return [*self._rebound(), *self._changes(names, seen, now)]

    def _different(self, seen: Mapping[str, object], now: dict[str, object]) -> list[str]:
        """The names under which there is something else; nearly always those that were added at the end."""
        grown = len(now) - len(seen)
        youngest = list(islice(reversed(now), max(0, grown) + 1))
        if grown > 0 and now[youngest[-1]] is self._last and self._are_as_before():
            return youngest[-2::-1]
        gone = [name for name in seen if name not in now]
        return [*gone, *(name for name, value in now.items() if seen.get(name, _MISSING) is not value)]

    def _without_old(self, names: Iterable[str], seen: Mapping[str, object], now: dict[str, object]) -> list[str]:
        """What was replaced under an old name may have been long before: a closer look will tell, and finds it still."""
        names = list(names)
        fresh = {_top(name) for name in names if type(name) is str and name not in seen}
        youngest = next(reversed(now), None)
        old = {name for name in names if type(name) is str and name in seen and name in now and name != youngest}
        waiting = {name for name in old if _top(name) not in fresh}  # what a package makes of itself belongs together
        now.update((name, seen[name]) for name in waiting)
        return [name for name in names if name not in waiting]

    def _are_as_before(self) -> bool:
        return not self.thorough or all(map(is_, self._modules.values(), self._values))

    def _rebound(self) -> Iterable[Change]:
        bound = self._sys.get("modules")
        if bound is not self._bound:
            before, self._bound = self._bound, bound
            yield Change(WHOLE, Held(before, called(before)), Held(bound, called(bound)))

    def _changes(self, names: Iterable[str], seen: Mapping[str, object], now: Mapping[str, object]) -> Iterable[Change]:
        names = [name for name in names if type(name) is str and not _is_noise(name)]
        tops = {_top(name) for name in names if name not in seen and _is_real(name, now[name])}
        for name in names:
            before = self._before(name, seen.get(name, _MISSING))
            after = self._after(name, now.get(name, _MISSING), tops)
            if not self._tests_run and name not in self._known and type(after) is Gone and name in now:
                self._known[name] = now[name]
            elif before != after:
                yield Change(clean(f"{WHOLE}[{name!r}]"), before, after)

    def _before(self, name: str, value: object) -> Hashable:
        if name in self._fakes:
            return self._fakes[name]
        known = self._known.get(name, _MISSING)
        if known is not _MISSING and known is value:
            return Held(value, called(value))
        return Gone()

    def _after(self, name: str, value: object, tops: Collection[str]) -> Hashable:
        self._fakes.pop(name, None)
        known = self._known.get(name, _MISSING)
        if type(known) is Held:
            if known.value is value:
                self._known[name] = value
                return Held(value, called(value))
        elif known is not _MISSING:
            if known is value:
                return Held(value, called(value))
            held = self._known[name] = Held(known, called(known))
            held.loosen()
        if value is _MISSING:
            return Gone("removed")
        if _is_fake(name, value, tops):
            self._fakes[name] = token(value, _called(value))
            return self._fakes[name]
        return Gone("removed and imported anew")

    # --- telling

    def said(self, change: Change) -> str:
        if type(change.after) is Gone:
            return change.after.how
        if change.after is None:
            return "None, so that its import fails"
        return f"replaced by {shown(change.after)}" if type(change.before) is Held else f"set to {shown(change.after)}"

    def fix(self, change: Change) -> str:
        name = change.subject.removeprefix(f"{WHOLE}[").removesuffix("]")
        if name == change.subject:
            return "mock.patch.dict(sys.modules, ...)"
        if type(change.after) is Gone:
            return f"monkeypatch.delitem(sys.modules, {name})"
        return f"monkeypatch.setitem(sys.modules, {name}, ...)"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the modules."""
        self._seen, self._values, self._known, self._fakes = {}, [], {}, {}


def _top(name: str) -> str:
    return name.partition(".")[0]


def _is_noise(name: str) -> bool:
    return name.startswith(("__", "_cython_")) or name.rpartition(".")[2] == "conftest" or _top(name) in _OTHERS


def _spec_of(module: object) -> Any:
    """The spec of a module that came from somewhere, as the import system made it; else None."""
    spec: Any = names_of(module).get("__spec__")
    if type(spec) is not ModuleSpec or (spec.loader is None and spec.submodule_search_locations is None):
        return None
    return spec


def _is_real(name: str, value: object) -> bool:
    spec = _spec_of(value) if is_module(value) else None
    return spec is not None and spec.name == name


def _is_fake(name: str, value: object, tops: Collection[str]) -> bool:
    """Whether it is no module that an import made, and not what a module made of itself.

    ``tops`` are the packages of which real modules came at the same time: what these set beside themselves is theirs.
    """
    if value is None:
        return True
    top = _top(name)
    if not is_module(value):
        home = _top(home_of(value))
        return home in _STAND_INS or (home not in (top, _OF_C) and top not in tops)
    if top in tops or _is_empty_by_pytest(value) or _is_made_in_c(value):
        return False
    spec = _spec_of(value)
    if spec is not None:
        return _top(str(spec.name)) != top and not _is_short_name(name, spec)
    return not any(_top(home_of_class(base)) == top for base in bases_of(type(value)))


def _is_short_name(name: str, spec: Any) -> bool:
    """Modules of Cython enter themselves under the last part of their name, too (``_ni_label`` of SciPy)."""
    return str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES)) and str(spec.name).rpartition(".")[2] == name


def _is_empty_by_pytest(module: object) -> bool:
    text = names_of(module).get("__doc__")
    return type(text) is str and text.startswith(_EMPTY_BY_PYTEST)


def _is_made_in_c(module: object) -> bool:
    """An extension module may set others beside itself: they hold functions of their own."""
    return any(
        is_from(value, _OF_C) or (type(value) is types.BuiltinFunctionType and value.__self__ is module)
        for value in list(names_of(module).values())
    )


def _called(value: object) -> str:
    if not is_module(value):
        return called(value)
    spec = _spec_of(value)
    return f"the module {spec.name}" if spec is not None else "a module made by hand"
