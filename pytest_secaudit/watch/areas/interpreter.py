"""What there is one of per interpreter: the standard streams, the hooks of `sys`, limits and switches.

pytest's own streams and hooks, and those that the interpreter began with, are one and the same here: capturing swaps
them in each phase of each test. Limits and switches are heard of when they are set, and asked for in a close look. What
a library makes for itself at first use (the opener of `urllib.request`, the start method of multiprocessing) is as if
it had been there.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import is_, itemgetter
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import home_of_class, is_from, is_module, names_of, type_name
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.values import Hidden, shown, token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes, Written

#: Attributes of `sys`, and where the interpreter keeps what it began with.
_ORIGINALS = {
    "stdin": "__stdin__",
    "stdout": "__stdout__",
    "stderr": "__stderr__",
    "excepthook": "__excepthook__",
    "displayhook": "__displayhook__",
    "unraisablehook": "__unraisablehook__",
    "breakpointhook": "__breakpointhook__",
    "__stdin__": "",
    "__stdout__": "",
    "__stderr__": "",
    "executable": "",
    "platform": "",
}
_IN_SYS = itemgetter(*_ORIGINALS, "argv")
_OFTEN_SET = ("stdin", "stdout", "stderr", "excepthook", "displayhook", "platform", "argv")
_PYTESTS = ("_pytest", "exceptiongroup", "execnet", "xdist")
OWN = "<its own>"

#: Spoken name -> how to read it.
_SETTINGS: Mapping[str, Callable[[], Hashable]] = {
    "the recursion limit": sys.getrecursionlimit,
    "the switch interval": sys.getswitchinterval,
    "the garbage collector": gc.isenabled,
    "the thresholds of the garbage collector": gc.get_threshold,
    "faulthandler": faulthandler.is_enabled,
}
_TIMEOUT = "the default socket timeout"
_OPENER = "the opener of urllib.request"
_START_METHOD = "the multiprocessing start method"
#: What is seen by a close look only, unless its setting was heard of.
_NUMBERS = (*_SETTINGS, _TIMEOUT)
_SWITCHES = ("the garbage collector", "faulthandler")
#: What sets them, in the place where programs call it.
_SETTERS = (
    (sys, "setrecursionlimit", "the recursion limit"),
    (sys, "setswitchinterval", "the switch interval"),
    (gc, "enable", "the garbage collector"),
    (gc, "disable", "the garbage collector"),
    (gc, "set_threshold", "the thresholds of the garbage collector"),
)

_FIXES = {
    "the recursion limit": "sys.setrecursionlimit(saved) in a finally",
    "the switch interval": "sys.setswitchinterval(saved) in a finally",
    "the garbage collector": "gc.enable() in a finally",
    "the thresholds of the garbage collector": "gc.set_threshold(*saved) in a finally",
    "faulthandler": "faulthandler.enable() in a finally",
    _TIMEOUT: "socket.setdefaulttimeout(saved) in a finally; better, a timeout of the one socket",
    _OPENER: 'monkeypatch.setattr(urllib.request, "_opener", None) before install_opener; better, use opener.open(...)',
    _START_METHOD: "multiprocessing.get_context(...), which changes nothing for others",
    "sys.stdout": "capsys, or contextlib.redirect_stdout",
    "sys.stderr": "capsys, or contextlib.redirect_stderr",
}

#: The handlers of an opener that `urlopen` makes for itself.
_USUAL = frozenset(
    "ProxyHandler UnknownHandler HTTPHandler HTTPDefaultErrorHandler HTTPRedirectHandler FTPHandler FileHandler"
    " HTTPErrorProcessor DataHandler HTTPSHandler".split()
)
_NO_NAMES: dict[str, Any] = {}


class Interpreter:
    """Watches the slots and settings of the interpreter."""

    name = "interpreter"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.off = ""
        self._sys = vars(sys)
        self._threading = vars(threading)
        self._first = {name: self._sys.get(spare) for name, spare in _ORIGINALS.items() if spare}
        self._first_of_threads = getattr(threading, "__excepthook__", None)
        self._writes = Writes(taps, stack)
        for module, name, subject in _SETTERS:
            self._writes.listen(module, name, _always(subject))
        self._late = _Late(self._writes)
        self._recursion, self._gc = sys.getrecursionlimit, gc.isenabled
        self._switching, self._thresholds, self._faults = (
            sys.getswitchinterval,
            gc.get_threshold,
            faulthandler.is_enabled,
        )
        self._raw: tuple[object, ...] = ()
        self._hook: object = None
        self._arguments: str | None = None
        self._numbers: tuple[Hashable, ...] = ()
        self._seen: dict[str, Hashable] = {}

    # --- looking

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites,)

    @property
    def slots(self) -> Sequence[tuple[dict[str, Any], str]]:
        late = self._late
        found = [(self._sys, name) for name in _OFTEN_SET]
        found += [(self._threading, "excepthook"), (late.requests, "_opener"), (late.contexts, "_actual_context")]
        return [(names, name) for names, name in found if name in names]

    def look(self) -> Iterable[Change]:
        names, late = self._sys, self._late
        try:
            if (
                not self._writes.sites
                and all(map(is_, _IN_SYS(names), self._raw))
                and self._threading["excepthook"] is self._hook
                and self._arguments is not None
                and "\0".join(names["argv"]) == self._arguments
                and len(real.modules) == late.loaded
                and late.requests.get("_opener") is late.opener
                and late.contexts.get("_actual_context") is late.context
            ):
                return ()
        except Exception:  # deleted, or no list of texts, or an odd one: look at each
            return self._compared()
        return self._compared()

    def look_closely(self) -> Iterable[Change]:
        """Find also what has to be asked for, and was not heard of; and the slots that hardly anybody sets."""
        return self.look() if self._numbers == self._read_numbers() else self._compared(closely=True)

    def _read_numbers(self) -> tuple[Hashable, ...]:
        """The values of `_NUMBERS`."""
        return (
            self._recursion(),
            self._switching(),
            self._gc(),
            self._thresholds(),
            self._faults(),
            self._late.timeout(),
        )

    def _compared(self, *, closely: bool = False) -> list[Change]:
        sites = self._writes.taken()
        self._late.find()
        self._note_raw()
        now = self._tokens()
        seen = self._seen
        if seen and not closely:  # what was not heard of may have been done long before: a closer look will tell
            now.update((subject, seen[subject]) for subject in _NUMBERS if subject not in sites)
        self._seen = now
        self._numbers = tuple(now[subject] for subject in _NUMBERS)
        return [
            Change(subject, seen[subject], now[subject], sites.get(subject))
            for subject in now
            if seen and seen[subject] != now[subject]
        ]

    def _note_raw(self) -> None:
        names = self._sys
        self._raw = tuple(names.get(name) for name in (*_ORIGINALS, "argv"))
        self._hook = self._threading.get("excepthook")
        arguments: Any = names.get("argv")
        plain = type(arguments) is list and all(type(argument) is str for argument in arguments)
        self._arguments = "\0".join(arguments) if plain else None

    def _tokens(self) -> dict[str, Hashable]:
        now: dict[str, Hashable] = {}
        for name in _ORIGINALS:
            found = self._sys.get(name, ABSENT)
            is_own = name in self._first and (found is self._first[name] or _is_own(found))
            now[f"sys.{name}"] = OWN if is_own else token(found)
        hook = self._threading.get("excepthook", ABSENT)
        now["threading.excepthook"] = OWN if hook is self._first_of_threads or _is_own(hook) else token(hook)
        now["sys.argv"] = _arguments(self._sys.get("argv", ABSENT))
        now.update((subject, read()) for subject, read in _SETTINGS.items())
        now[_TIMEOUT] = self._late.timeout()
        now[_OPENER] = _opener(self._late.opener)
        now[_START_METHOD] = self._late.start_method()
        return now

    # --- telling

    def said(self, change: Change) -> str:
        before, after = change.before, change.after
        if change.subject in _SWITCHES:
            return "on" if after else "off"
        if change.subject == "sys.argv":
            return "changed"
        if after == ABSENT:
            return "deleted"
        was = "pytest's or its own" if before == OWN else shown(before)
        now = "its own again" if after == OWN else shown(after)
        return clean(f"at {now} (it was {was})")

    def fix(self, change: Change) -> str:
        module, _, name = change.subject.rpartition(".")
        return _FIXES.get(change.subject) or f'monkeypatch.setattr({module}, "{name}", ...)'

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of what is held."""
        self._raw, self._seen = (), {}
        self._late = _Late(self._writes)


class _Late:
    """What only exists once its module was imported: it is found then, and never imported."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._hears = False
        self.loaded = 0
        self.requests = self.contexts = _NO_NAMES
        self.opener: object = None
        self.context: object = None
        self.timeout: Callable[[], float | None] = _no_timeout

    def find(self) -> None:
        self.loaded = len(real.modules)
        socket = names_of(real.modules.get("_socket"))
        self.timeout = socket.get("getdefaulttimeout", _no_timeout)  # type: ignore[assignment]
        users = real.modules.get("socket")
        if not self._hears and is_module(users):
            self._hears = self._writes.listen(users, "setdefaulttimeout", _always(_TIMEOUT))
        self.requests = names_of(real.modules.get("urllib.request"))  # type: ignore[assignment]
        self.opener = self.requests.get("_opener")
        default = names_of(real.modules.get("multiprocessing.context")).get("_default_context")
        self.contexts = names_of(default)  # type: ignore[assignment]
        self.context = self.contexts.get("_actual_context")

    def start_method(self) -> Hashable:
        """The name of the method that was set; None for the default of the platform, also once it is in use."""
        context, usual = self.context, self.contexts.get("_default_context")
        if context is None or context is usual:
            return None
        name = (
            getattr(type(context), "_name", None) if home_of_class(type(context)) == "multiprocessing.context" else None
        )
        return name if type(name) is str else type_name(context)


def _always(subject: str) -> Written:
    """Whatever a call gets and returns, that is what it set."""

    def written(args: object, kwargs: object, result: object) -> str:
        return subject

    return written


def _no_timeout() -> None:
    return None


def _is_own(found: object) -> bool:
    """Whether it is pytest's, or serves the interpreter's own purpose."""
    return is_from(found, *_PYTESTS) or _is_standard(found)


def _is_standard(found: object) -> bool:
    """Whether it is another way to the process's own streams: a worker of pytest-xdist has such."""
    try:
        descriptor: object = found.name if type(found) is io.TextIOWrapper else None
    except Exception:  # its buffer is a stranger's
        return False
    return type(descriptor) is int and descriptor in (0, 1, 2)


def _arguments(found: object) -> Hashable:
    if type(found) is list and all(type(argument) is str for argument in found):
        return Hidden(tuple(found))
    return token(found)


def _opener(found: object) -> Hashable:
    """None also for one like that which `urlopen` makes."""
    handlers = names_of(found).get("handlers")
    if home_of_class(type(found)) != "urllib.request" or type(handlers) is not list:
        return token(found)
    return None if all(type_name(handler) in _USUAL for handler in handlers) else token(found)
