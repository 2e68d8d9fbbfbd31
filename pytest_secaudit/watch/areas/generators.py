"""The global random generator once somebody seeds it, and the context of `decimal`.

A generator's state changes with every use, so it is never read: what counts are the calls that set it. Each gives the
generator a label; a state that was asked for (`random.getstate`) remembers the label it was asked under, so that setting
it again is seen as putting back.
"""

from __future__ import annotations

import contextvars
import gc
from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.origins import QUIETLY
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change, Site
from pytest_secaudit.watch.tapping import Taps

_UNSEEDED = "unseeded"
_MAX_STATES = 10_000


class Generator:
    """The generator behind `random.random`."""

    name = "random"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack, *, reseeded: bool = False) -> None:
        self.off = "a plugin seeds it anew for every test" if reseeded else ""
        self._taps = taps
        self._stack = stack
        self._is_tapped = False
        self._label = self._last = _UNSEEDED
        self._seeds = 0
        self._states: dict[int, str] = {}
        self._site: Site | None = None
        self._heard: list[str] = []
        self._tap()

    def _tap(self) -> None:
        module = real.modules.get("random")
        if module is not None and not self.off:
            self._is_tapped = True
            self._taps.put(module, "seed", self._around_seed)
            self._taps.put(module, "getstate", self._around_getstate)
            self._taps.put(module, "setstate", self._around_setstate)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._heard,)

    def look(self) -> Sequence[Change]:
        if self._heard:
            self._heard = []
        if not self._is_tapped:
            self._tap()
        if self._label == self._last:
            return ()
        before, self._last = self._last, self._label
        return (Change("the random generator", before, self._label, self._site),)

    def _around_seed(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            seed = args[0] if args else kwargs.get("a")
            self._set(_UNSEEDED if seed is None else self._new_label())
        return result

    def _around_getstate(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        state = original(*args, **kwargs)
        with QUIETLY:
            self._states[hash(state)] = self._label
            if len(self._states) > _MAX_STATES:
                del self._states[next(iter(self._states))]
        return state

    def _around_setstate(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            state = args[0] if args else kwargs["state"]
            known = self._states.get(hash(state)) if type(state) is tuple else None
            self._set(known or self._new_label())
        return result

    def _new_label(self) -> str:
        self._seeds += 1
        return f"seeded {self._seeds}"

    def _set(self, label: str) -> None:
        self._label = label
        self._heard.append(label)
        self._site = self._stack.site()

    def said(self, change: Change) -> str:
        return "without the seed that it had" if change.after == _UNSEEDED else "seeded"

    def fix(self, change: Change) -> str:  # noqa: ARG002
        return "use a generator of your own: rng = random.Random(seed)"

    def settle(self) -> None: ...

    def stop(self) -> None:
        self._states.clear()


_NUMBERS = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
_numbers = attrgetter(*_NUMBERS)


class Decimals:
    """The context of `decimal` in the main thread; never asked for by `getcontext`, which would make it."""

    name = "decimal"
    code = "PSA103"
    off = ""
    seldom = True

    def __init__(self, taps: Taps, stack: Stack) -> None:  # noqa: ARG002
        self._variable: contextvars.ContextVar[Any] | None = None
        self._variables: object = None
        self._raw: tuple[Hashable, ...] = ()
        self._trapped: Mapping[object, bool] = {}
        self._last: tuple[tuple[str, Hashable], ...] = ()
        self._has_looked = False

    def look(self) -> Sequence[Change]:
        if self._variable is None and not self._finds_variable():
            self._has_looked = True
            return ()
        context = self._variable.get(None) if self._variable is not None else None
        if context is None:
            context = real.modules["decimal"].DefaultContext
        if _numbers(context) == self._raw and context.traps == self._trapped:
            return ()
        return self._changed(context)

    def _finds_variable(self) -> bool:
        """Whether somebody has used a context by now."""
        if "decimal" not in real.modules:
            return False
        now = contextvars.copy_context()
        inner = gc.get_referents(now)
        if self._variables is not None and inner and inner[0] is self._variables:
            return False
        self._variables = inner[0] if inner else None
        self._variable = next((variable for variable in now if variable.name == "decimal_context"), None)
        return self._variable is not None

    def _changed(self, context: Any) -> Sequence[Change]:
        before = self._last or (_said_of(real.modules["decimal"].DefaultContext) if self._has_looked else ())
        self._raw, self._trapped = _numbers(context), context.traps.copy()
        self._has_looked = True
        self._last = _said_of(context)
        return (Change("the decimal context", before, self._last),) if before and before != self._last else ()

    def said(self, change: Change) -> str:
        before, after = dict(change.before), dict(change.after)  # type: ignore[call-overload]
        changed = (f"{name} {after[name]} (it was {before[name]})" for name in after if after[name] != before[name])
        return f"with {', '.join(changed)}"

    def fix(self, change: Change) -> str:  # noqa: ARG002
        return "with decimal.localcontext() as context: ..."

    def settle(self) -> None: ...

    def stop(self) -> None: ...


def _said_of(context: Any) -> tuple[tuple[str, Hashable], ...]:
    traps = ", ".join(sorted(kind.__name__ for kind, is_on in context.traps.items() if is_on))
    return (*zip(_NUMBERS, _numbers(context), strict=True), ("traps", traps or "none"))
