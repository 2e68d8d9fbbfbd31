"""Loggers: level, handlers, filters, propagation, and the settings of `logging` as a whole.

Attributes are assigned rarely, by `setLevel` or by hand: that is tapped (``Logger.__setattr__``, which Python looks up
in the class), as are the methods that change filters; those of handlers are not, for pytest calls them for each test.
The taps tell which loggers to look at and which line wrote. The root's handlers are compared at each look as well; lists
of others that are changed in place are found by `look_closely`, which reads all loggers: some 0.1 us each.

pytest's own handlers are left out, with the level that it lowers for a phase (`log_level`), null handlers, and what a
library does to its own logger when it is first used.
"""

from __future__ import annotations

import gc
import logging
import re
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import is_, itemgetter
from types import FrameType, FunctionType
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import bases_of, called, home_of, names_of, type_name
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.origins import QUIETLY, library
from pytest_secaudit.watch.areas.values import shown, token
from pytest_secaudit.watch.lasting_paths import ROOTDIR, as_everywhere
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes, caller

_PLAIN = ("level", "propagate", "disabled")
_ATTRIBUTES = (*_PLAIN, "handlers", "filters")
#: Of a file: no code can say it like this.
_NO_NAME = re.compile(rf"(['\"])(?:{ROOTDIR}|<tmp>|<site-packages>)(?:/.*)?\1(?=\))")
_SETTINGS = {
    "_loggerClass": "logging.getLoggerClass()",
    "_logRecordFactory": "logging.getLogRecordFactory()",
    "raiseExceptions": "logging.raiseExceptions",
}
_LOGGING: dict[str, Any] = vars(logging)
_settings = itemgetter(*_SETTINGS)
_LEVEL_NAMES: dict[Hashable, str] = {number: logging.getLevelName(number) for number in range(0, 60, 10)}


@lean
@dataclass(frozen=True, slots=True)
class _Picture:
    """A logger as it was last seen; as it is here, one is born."""

    level: Hashable = logging.NOTSET
    propagate: Hashable = True
    disabled: Hashable = False
    handlers: tuple[object, ...] = ()
    filters: tuple[object, ...] = ()


_NEW = _Picture()


class Logging:
    """The loggers of the process, the root first among them."""

    name = "logging"
    code = "PSA112"
    off = ""

    def __init__(self, taps: Taps, stack: Stack, *, relative: Callable[[str], str] = str) -> None:
        self._stack = stack
        self._relative = relative
        self._root: logging.Logger = logging.root
        self._manager = logging.root.manager
        self._seen: dict[str, _Picture] = {}
        self._settings: dict[str, Hashable] = {}
        self._raw: list[object] = []
        self._last: list[object] = []
        self._lowered: list[tuple[int, int]] = []
        self._pytests: set[type] = set()
        self._touched: deque[tuple[logging.Logger, str, Site]] = deque()
        self._roots: list[object] = []
        self._values: list[object] = []
        self._known = -1
        self._modules: frozenset[str] = frozenset()
        self._libraries: set[str] = set()
        taps.put(logging.Logger, "__setattr__", self._around_setattr)
        for name in ("addFilter", "removeFilter"):
            taps.put(logging.Filterer, name, self._around_filter)

    # --- looking

    @property
    def stirred(self) -> Sequence[object]:
        return (self._touched,)

    @property
    def slots(self) -> Sequence[tuple[dict[str, Any], str]]:
        return [(_LOGGING, name) for name in _SETTINGS if name in _LOGGING]

    @property
    def sizes(self) -> Sequence[Any]:
        return [one for one in (self._root.handlers, self._root.filters) if type(one) is list]

    def look(self) -> Sequence[Change]:
        root = self._root
        try:
            raw = [*_settings(_LOGGING), *root.handlers, None, *root.filters]
        except Exception:  # a stranger in the place of a list
            raw = [root]
        if _is_same(raw, self._raw) and not self._touched:
            return ()
        self._raw = raw
        return self._look_at_root(raw)

    def _look_at_root(self, raw: Sequence[object]) -> Sequence[Change]:
        """Without pytest's handlers, which come and go with each phase of a test."""
        pytests, last = self._pytests, self._last
        self._last = now = [one for one in raw if type(one) not in pytests]
        if not last:
            return self._take_all()
        if _is_same(now, last) and not self._touched:
            return ()
        return self._look_at_what_moved()

    def look_closely(self) -> Sequence[Change]:
        """All loggers, however they were changed."""
        if not self._last:
            return self.look()
        if len(self._manager.loggerDict) == self._known and self._is_as_it_was():
            return self.look()
        changes = [change for logger in self._loggers() for change in self._changes(logger, {})]
        gone = [name for name in self._seen if name and name not in self._manager.loggerDict]
        changes += [change for name in gone for change in self._compared(name, self._seen.pop(name), _NEW, {})]
        self._remember_all()
        return changes

    def _take_all(self) -> Sequence[Change]:
        for logger in self._loggers():
            self._seen[_name(logger, self._root)] = self._picture(logger)
        self._changed_settings()
        self._remember_all()
        self._touched.clear()
        return ()

    def _look_at_what_moved(self) -> list[Change]:
        loggers = {id(self._root): self._root}
        sites: defaultdict[int, dict[str, Site]] = defaultdict(dict)
        while self._touched:
            logger, kind, site = self._touched.popleft()
            loggers[id(logger)] = logger
            sites[id(logger)][kind] = site
        changes = self._changed_settings()
        for key, logger in loggers.items():
            changes += self._changes(logger, sites[key])
        return changes

    def _loggers(self) -> list[logging.Logger]:
        named = self._manager.loggerDict.copy().values()
        return [self._root, *(logger for logger in named if issubclass(type(logger), logging.Logger))]  # type: ignore[list-item]

    def _is_as_it_was(self) -> bool:
        """Whether no logger holds another object than before; equal is as good, and an answer of their own none."""
        try:
            return gc.get_referents(*self._roots) == self._values
        except Exception:  # somebody's __eq__, of something that is new there
            return False

    def _remember_all(self) -> None:
        self._known = len(self._manager.loggerDict)
        if len(self._modules) != len(real.modules):
            self._modules = frozenset(name for name in list(real.modules) if type(name) is str)
        loggers = self._loggers()
        lists = [
            _value(logger, kind) for logger in loggers[1:] for kind in ("handlers", "filters")
        ]  # `look` has root's
        spaces = [_space(logger) for logger in loggers]
        self._roots = [*loggers, *lists, *(space for space in spaces if space is not None)]
        self._values = gc.get_referents(*self._roots)

    # --- one logger

    def _changes(self, logger: logging.Logger, sites: Mapping[str, Site]) -> list[Change]:
        name = _name(logger, self._root)
        if self._is_known(logger):
            before, now = self._seen.get(name, _NEW), self._picture(logger)
            self._seen[name] = now
        elif name in self._manager.loggerDict:  # another one has taken its place
            return []
        else:  # it was taken out: whoever asks for it next gets a new one
            before, now = self._seen.pop(name, _NEW), _NEW
        return self._compared(name, before, now, sites)

    def _compared(self, name: str, before: _Picture, now: _Picture, sites: Mapping[str, Site]) -> list[Change]:
        said = named(as_everywhere(name, self._relative))  # some call it by their file
        changes = [
            (kind, Change(f"{said}.{kind}", getattr(before, kind), getattr(now, kind)))
            for kind in _PLAIN
            if getattr(before, kind) != getattr(now, kind)
        ]
        changes += [("handlers", one) for one in _moved(f"{said}.handlers", before.handlers, now.handlers)]
        changes += [("filters", one) for one in _moved(f"{said}.filters", before.filters, now.filters)]
        return [
            replace(change, site=sites.get(kind))
            for kind, change in changes
            if not self._is_own_affair(name, sites, before, kind)
        ]

    def _is_own_affair(self, name: str, sites: Mapping[str, Site], before: _Picture, kind: str) -> bool:
        """Whether a library sets up its own logger when it is first imported or first used, or gives it a new handler.

        Its own is one of its name, or one whose name it alone knows (`_is_named_by`).

        Of a handler that is added the site is not known: what was done to the same logger at the same time tells, or
        that its module is as new as itself.
        """
        is_first = getattr(before, kind) == getattr(_NEW, kind) or (kind == "handlers" and name in self._libraries)
        if not name or not is_first:
            return False
        top = name.partition(".")[0]
        near = [sites[kind]] if kind in sites else list(sites.values())
        if near:
            if all(library(site) == top or (library(site) and name in self._libraries) for site in near):
                self._libraries.add(name)
                return True
            return all(site.importing or _is_own_filter(site, top, kind) for site in near)
        if name in self._libraries and not before.handlers:
            return True
        return before is _NEW and any(module.partition(".")[0] == top for module in self._new_modules())

    def _new_modules(self) -> list[str]:
        return [module for module in list(real.modules) if type(module) is str and module not in self._modules]

    def _picture(self, logger: logging.Logger) -> _Picture:
        level = self._level_of_root() if logger is self._root else _value(logger, "level")
        return _Picture(
            token(level),
            token(_value(logger, "propagate")),
            token(_value(logger, "disabled")),
            tuple(one for one in _items(_value(logger, "handlers")) if not self._is_pytests(one)),
            _items(_value(logger, "filters")),
        )

    def _is_pytests(self, handler: object) -> bool:
        kind = type(handler)
        if kind is logging.NullHandler:
            return True
        if home_of(handler).startswith("_pytest."):
            self._pytests.add(kind)
        return kind in self._pytests

    def _level_of_root(self) -> object:
        level = self._root.level
        if self._lowered and level == self._lowered[-1][0]:
            return self._lowered[0][1]
        return level

    # --- the settings

    def _changed_settings(self) -> list[Change]:
        changes = []
        for name, subject in _SETTINGS.items():
            now = token(_LOGGING.get(name))
            before = self._settings.get(name, now)
            self._settings[name] = now
            if before != now:
                changes.append(Change(subject, before, now))
        return changes

    # --- acts

    def _around_setattr(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        before = self._root.level
        result = original(*args, **kwargs)
        with QUIETLY:
            logger, name, _ = args
            if name in _ATTRIBUTES and self._is_known(logger):  # not while it is being made
                self._was_set(logger, name, before)
        return result

    def _is_known(self, logger: logging.Logger) -> bool:
        return logger is self._root or self._manager.loggerDict.get(_name(logger, self._root)) is logger

    def _was_set(self, logger: logging.Logger, name: str, level_before: int) -> None:
        frame = caller()
        if logger is self._root and name == "level" and (doing := _pytest_doing(frame)):
            if doing == "__enter__":
                self._lowered.append((self._root.level, level_before))
            else:
                del self._lowered[-1:]
        else:
            site = self._stack.of(frame)
            if library(site) and _is_named_by(frame, logger.name):
                self._libraries.add(logger.name)
            self._touched.append((logger, name, site))

    def _around_filter(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        self._touch(args, "filters")
        return original(*args, **kwargs)

    def _touch(self, args: tuple[Any, ...], kind: str) -> None:
        with QUIETLY:
            if issubclass(type(args[0]), logging.Logger):
                self._touched.append((args[0], kind, self._stack.of(caller())))

    # --- words

    def said(self, change: Change) -> str:
        if change.before == ABSENT:
            return "in place"
        if change.after == ABSENT:
            return "removed"
        words = _level if change.subject.endswith(".level") else shown
        verb = "set to" if type(change.after) is Held else "at"
        return f"{verb} {words(change.after)} (it was {words(change.before)})"

    def fix(self, change: Change) -> str:
        logger, _, kind = _NO_NAME.sub("...", change.subject).rpartition(")")
        name = logger.partition("(")[2]
        if kind == ".level":
            where = f", logger={name}" if name else ""
            return f"caplog.set_level({_constant(change.after)}{where})"
        if kind in (".propagate", ".disabled"):
            return f'monkeypatch.setattr({logger}), "{kind[1:]}", {change.after})'
        what = "Handler" if kind.startswith(".handlers") else "Filter"
        if kind.startswith((".handlers", ".filters")):
            act = "remove" if change.before == ABSENT else "add"
            return f"{logger}).{act}{what}(...) in a finally, or after the fixture's yield"
        return "put it back in a finally, or after the fixture's yield"

    def settle(self) -> None: ...

    def stop(self) -> None:
        self._seen, self._roots, self._values, self._raw, self._last = {}, [], [], [], []
        self._settings.clear()
        self._touched.clear()


class LoggingDisable:
    """The level up to which all logging is off."""

    name = "logging.disable"
    code = "PSA103"
    off = ""

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._manager = logging.root.manager
        self._last: object = None
        self._writes = Writes(taps, stack)
        self._writes.listen(logging, "disable", lambda *_: self.name)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites,)

    def look(self) -> Sequence[Change]:
        now, last = self._manager.disable, self._last
        if now is last:
            return ()
        self._last = now
        site = self._writes.taken().get(self.name)
        if last is None or token(last) == token(now):
            return ()
        return (Change(self.name, token(last), token(now), site),)

    look_closely = look  # finds also what was set past `logging.disable`

    def said(self, change: Change) -> str:
        return f"at {_level(change.after)} (it was {_level(change.before)})"

    def fix(self, change: Change) -> str:  # noqa: ARG002
        return "logging.disable(logging.NOTSET) in a finally, or after the fixture's yield"

    def settle(self) -> None: ...

    def stop(self) -> None: ...


def _pytest_doing(frame: FrameType | None) -> str:
    """Whether pytest lowers a level for a phase of a test (``__enter__``) or puts it back (``__exit__``)."""
    setter = frame.f_back if frame is not None and frame.f_code.co_name == "setLevel" else None
    if setter is None or setter.f_globals.get("__name__") != "_pytest.logging":
        return ""
    return setter.f_code.co_name if setter.f_code.co_name in ("__enter__", "__exit__") else ""


def _is_named_by(frame: FrameType | None, name: str) -> bool:
    """Whether the function that wrote holds the logger's name, which is that of no module: the logger is its own."""
    while frame is not None and frame.f_globals.get("__name__") == "logging":
        frame = frame.f_back
    return frame is not None and name in frame.f_code.co_consts and name.partition(".")[0] not in real.modules


# --- values and words


def _is_same(now: Sequence[object], last: Sequence[object]) -> bool:
    return len(now) == len(last) and all(map(is_, now, last))


#: Whether nothing in a class of loggers stands in the way of an instance's own values.
_PLAIN_CLASSES: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()
_read = real.own(object.__getattribute__)


def _value(logger: logging.Logger, name: str) -> object:
    """A value of the logger itself.

    Not by its ``__dict__``: an object that was asked for it is slower from then on, and pytest goes over all loggers
    several times a test.
    """
    cls = type(logger)
    is_plain = _PLAIN_CLASSES.get(cls)
    if is_plain is None:
        names = {"name", *_ATTRIBUTES}
        is_plain = _PLAIN_CLASSES[cls] = not any(names & vars(base).keys() for base in bases_of(cls))
    if not is_plain:
        return names_of(logger).get(name)
    try:
        return _read(logger, name)
    except AttributeError:
        return None


def _space(logger: logging.Logger) -> object:
    """The ``__dict__`` of a logger, if somebody has asked for it: then that holds the values."""
    cache = _value(logger, "_cache")
    return next((one for one in gc.get_referents(logger) if type(one) is dict and one is not cache), None)


def _name(logger: logging.Logger, root: logging.Logger) -> str:
    name = _value(logger, "name")
    return "" if logger is root or type(name) is not str else name


def named(name: str) -> str:
    return f"logging.getLogger({name!r})" if name else "logging.getLogger()"


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if type(value) in (list, tuple) else ()  # type: ignore[arg-type]


def _is_own_filter(site: Site, top: str, kind: str) -> bool:
    """Whether the project's own package puts a filter on its logger, as its ``get_logger`` may."""
    return (
        kind == "filters"
        and site.written_at != site.edit
        and site.written_at is not None
        and top in site.written_at.path.split("/")
    )


def _moved(subject: str, before: Iterable[object], now: Iterable[object]) -> list[Change]:
    """What came and what went; the order is no matter."""
    old, new = {id(one): one for one in before}, {id(one): one for one in now}
    moved = []
    for key, one in (old | new).items():
        if (key in old) != (key in new):
            held = Held(one)
            kind = called(one).rpartition(".")[2] if type(one) is FunctionType else type_name(one)
            name = f"{subject}[{kind}]"
            was, is_now = (held, ABSENT) if key in old else (ABSENT, held)
            moved.append(Change(name, was, is_now, key=f"{name}{key}"))
    return moved


def _level(value: Hashable) -> str:
    return _LEVEL_NAMES.get(value) or shown(value)


def _constant(value: Hashable) -> str:
    name = _LEVEL_NAMES.get(value)
    return f"logging.{name}" if name else str(value)
