"""Environment variables, each for itself; ``os.environ`` replaced as a whole; ``os.putenv`` past it.

Every write goes through ``os.putenv`` or ``os.unsetenv``, which ``os.environ`` calls before it takes the value in. A
value is compared and never shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.values import Hidden, shown, token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import caller

#: Set by pytest, coverage and xdist for themselves.
_NOISE = ("COVERAGE_PROCESS_", "COVERAGE_RUN", "COV_CORE_", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST_")

_WHOLE = "os.environ"

#: A name or value as the process keeps it: bytes, on Windows text.
Raw = bytes | str

_upper_case = os.name == "nt"
_encoded = real.own(os.fsencode)
_decoded = real.own(os.fsdecode)


def _raw(text: Any) -> Raw:
    if _upper_case:
        return text if isinstance(text, str) else _decoded(text)
    return text if type(text) is bytes else _encoded(text)


def _raw_name(text: Any) -> Raw:
    return _raw(text).upper() if _upper_case else _raw(text)


_CURRENT = _raw_name("PYTEST_CURRENT_TEST")


class Environ:
    """Watches the environment of the process."""

    name = "environ"
    code = "PSA101"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.off = ""
        self._stack = stack
        self._namespace = vars(os)
        self._environ = os.environ
        self._own_code = _code_of(type(os.environ), "__setitem__", "__delitem__")
        self._clearing = _code_of(type(os.environ), "popitem")
        self._bound: object = None
        self._seen: dict[Raw, Raw] | None = None
        #: What `os.putenv` set past `os.environ`, now and at the last look; None where it was unset.
        self._past: dict[Raw, Raw | None] = {}
        self._past_seen: dict[Raw, Raw | None] = {}
        #: The changes since the last look, and the site of the last one if a call of `clear` made it.
        self._sites: dict[Raw, Site | None] = {}
        self._cleared_at: Site | None = None
        heard = [taps.put(os, "putenv", self._around_put), taps.put(os, "unsetenv", self._around_unset)]
        self._hears_all = all(heard)

    # --- looking

    @property
    def stirred(self) -> Sequence[object]:
        return (self._sites, not self._hears_all)

    @property
    def slots(self) -> Sequence[tuple[dict[str, Any], str]]:
        return [(self._namespace, "environ")]

    def look(self) -> Iterable[Change]:
        if not self._sites and self._hears_all and self._namespace.get("environ") is self._bound:
            return ()
        if self._seen is None or not self._hears_all:
            return self._compared()
        sites = self._taken()
        return self._changes(sites, sites)

    def look_closely(self) -> Iterable[Change]:
        """Find also what was written past everything."""
        now, seen = self._now(), self._seen
        if seen is not None and not self._sites and not self._past and not self._past_seen:
            if _CURRENT in now:
                seen[_CURRENT] = now[_CURRENT]
            else:
                seen.pop(_CURRENT, None)
            if now == seen:
                return self.look()
        return self._compared()

    def _now(self) -> Mapping[Raw, Raw]:
        inside: object = getattr(self._environ, "_data", None)
        if type(inside) is dict:
            return inside
        return {_raw_name(name): _raw(value) for name, value in self._environ.items()}

    def _taken(self) -> dict[Raw, Site | None]:
        sites, self._sites, self._cleared_at = self._sites, {}, None
        return dict(sites)  # a thread may still be writing to the other

    def _compared(self) -> list[Change]:
        sites, now = self._taken(), dict(self._now())
        if self._seen is None:
            self._seen, self._past_seen = now, dict(self._past)
            self._bound = self._namespace.get("environ")
            return []
        return self._changes([*{**self._seen, **now, **self._past_seen, **self._past}], sites)

    def _changes(self, names: Iterable[Raw], sites: Mapping[Raw, Site | None]) -> list[Change]:
        found = list(self._rebound())
        now, seen = self._now(), self._seen or {}
        for name in names:
            before, after = _state(seen, self._past_seen, name), _state(now, self._past, name)
            if before == after:
                continue
            _take_over(seen, now, name)
            _take_over(self._past_seen, self._past, name)
            text = _decoded(name)
            if not text.startswith(_NOISE):
                found.append(Change(clean(f"{_WHOLE}[{text!r}]"), before, after, sites.get(name)))
        return found

    def _rebound(self) -> Iterable[Change]:
        bound = self._namespace.get("environ")
        if bound is not self._bound:
            before, self._bound = self._bound, bound
            yield Change(_WHOLE, token(before), token(bound))

    # --- hearing

    def _around_put(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        try:
            if args[0] != _CURRENT:  # pytest's, three times for every test
                self._heard(*args)
        except Exception:  # the call is the user's, and it succeeded
            return result
        return result

    def _around_unset(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        try:
            if args[0] != _CURRENT:
                self._heard(args[0], None)
        except Exception:  # the call is the user's, and it succeeded
            return result
        return result

    def _heard(self, name: Any, value: Any) -> None:
        if not self._is_as_seen(name, value):
            self._note(_raw_name(name), None if value is None else _raw(value))

    def _is_as_seen(self, name: Any, value: Any) -> bool:
        """Whether this write leaves all as it was at the last look: `mock.patch.dict` sets every variable again."""
        if self._past or self._past_seen or self._seen is None or self._seen.get(name) != value:
            return False
        if type(name) is not type(_CURRENT):
            return False
        self._sites.pop(name, None)
        return True

    def _note(self, name: Raw, value: Raw | None) -> None:
        self._sites[name] = None  # whatever becomes of the rest
        frame = caller()
        if frame is not None and frame.f_code in self._own_code:
            self._past.pop(name, None)  # os.environ takes the value in next
            frame = frame.f_back
        elif self._now().get(name) == value:
            self._past.pop(name, None)
        else:
            self._past[name] = value
        self._sites[name] = self._site_of(frame)

    def _site_of(self, frame: FrameType | None) -> Site:
        """The site, worked out once for all that one call of `clear` takes away."""
        if frame is None or frame.f_code not in self._clearing:
            self._cleared_at = None
            return self._stack.of(frame)
        self._cleared_at = self._cleared_at or self._stack.of(frame)
        return self._cleared_at

    # --- telling

    def said(self, change: Change) -> str:
        if change.subject == _WHOLE:
            return f"replaced by {shown(change.after)}, which programs that are started do not see"
        past = " past os.environ" if _is_past(change.after) else ""
        if _value(change.after) is None:
            return f"removed{past}"
        return f"{'set' if _value(change.before) is None else 'changed'}{past}"

    def fix(self, change: Change) -> str:
        if change.subject == _WHOLE:
            return "mock.patch.dict(os.environ, ...)"
        name = change.subject.removeprefix(f"{_WHOLE}[").removesuffix("]")
        if _value(change.after) is None:
            return f"monkeypatch.delenv({name}, raising=False)"
        return f"monkeypatch.setenv({name}, ...)"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Nothing to end: the taps are taken back by whoever put them."""


def _code_of(cls: type, *methods: str) -> frozenset[object]:
    functions = (getattr(cls, name, None) for name in methods)
    return frozenset(getattr(function, "__code__", None) for function in functions)


def _state(names: Mapping[Raw, Raw], past: Mapping[Raw, Raw | None], name: Raw) -> Hashable:
    if name in past:
        return Hidden(("past", past[name]))
    value = names.get(name)
    return ABSENT if value is None else Hidden(("", value if type(value) in (bytes, str) else id(value)))


def _take_over(seen: dict[Raw, Any], now: Mapping[Raw, Any], name: Raw) -> None:
    if name in now:
        seen[name] = now[name]
    else:
        seen.pop(name, None)


def _is_past(state: Hashable) -> bool:
    return type(state) is Hidden and type(state.value) is tuple and state.value[0] == "past"


def _value(state: Hashable) -> object:
    return state.value[1] if type(state) is Hidden and type(state.value) is tuple else None
