"""Threads that somebody on stage started and that are still alive.

`Thread.start` is tapped: while no thread was started and none is known, a look costs next to nothing, and who started a
thread is known to those who charge it with what it does (`Threads.starter_of`). No thread is kept alive.

Silent are the threads that a library keeps in the background, workers of executors, and what ends within a moment.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.model import INFO
from pytest_secaudit.strangers import home_of, names_of
from pytest_secaudit.watch.areas.origins import QUIETLY, library
from pytest_secaudit.watch.areas.patience import Patience
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held, Site
from pytest_secaudit.watch.tapping import Taps

#: Modules whose threads are kept on purpose, by the class of the thread or by the function that it runs.
_KEEPERS = (
    "anyio.",
    "asyncio.unix_events.",
    "concurrent.futures.",
    "execnet.",
    "multiprocessing.dummy.",
    "multiprocessing.managers.",
    "multiprocessing.pool.",
    "multiprocessing.queues.",
    "multiprocessing.resource_sharer.",
    "pytest_timeout.",
    "subprocess.",
    "xdist.",
)
_NAMES = (
    "AnyIO worker",
    "IPythonHistorySavingThread",
    "QueueFeederThread",
    "QueueManagerThread",
    "ThreadPoolExecutor-",
    "Trio thread",
    "asyncio_",
    "execnet",
    "grpc",
    "pydevd.",
    "pymongo",
    "pytest_timeout",
    "tqdm",
    "waitpid-",
)
#: Modules of pools, whose workers do what others hand in, and names of such workers.
_POOLS = (
    "anyio.",
    "concurrent.futures.",
    "multiprocessing.dummy.",
    "multiprocessing.pool.",
    "trio._core._thread_cache.",
)
_WORKERS = ("AnyIO worker", "ThreadPoolExecutor-", "Trio thread", "asyncio_")
_THREADING: Mapping[str, Any] = vars(threading)
_RUNNING = "running"


@lean
@dataclass(frozen=True, slots=True)
class _Started:
    """A thread that was started, by whom and where."""

    thread: weakref.ref[threading.Thread]
    by: object
    site: Site


@lean
@dataclass(frozen=True, slots=True)
class _Alive:
    """A thread that was alive at the last look."""

    thread: weakref.ref[threading.Thread]
    subject: str
    slot: Held
    doing: str


class Threads:
    """The threads of the process.

    Attributes:
        on_start: asked who is on stage, in the thread that starts another.
    """

    name = "threads"
    code = "PSA601"
    settles_by_key = True
    off = ""

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.on_start: Callable[[], object] = _nobody
        self._stack = stack
        self._starts: dict[int, _Started] = {}
        self._fresh: list[_Started] = []
        self._alive: dict[str, _Alive] = {}
        self._patience = Patience()
        taps.put(threading.Thread, "start", self._around)

    def starter_of(self, ident: int) -> object | None:
        """What `on_start` said when the thread of this ident was started; None for one that nobody saw starting."""
        thread = _active().get(ident)
        started = self._starts.get(id(thread))
        return started.by if started is not None and started.thread() is thread else None

    def works_for_others(self, ident: int) -> bool:
        """Whether the thread of this ident is the worker of a pool: it acts for those who hand in the work."""
        thread = _active().get(ident)
        if thread is None:
            return False
        name, target = names_of(thread).get("_name"), names_of(thread).get("_target")
        homes = (f"{home_of(one)}." for one in (thread, target))
        return (type(name) is str and name.startswith(_WORKERS)) or any(home.startswith(_POOLS) for home in homes)

    def _around(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        with QUIETLY:  # before it starts: it may act at once
            self._note(args[0])
        return original(*args, **kwargs)

    def _note(self, thread: threading.Thread) -> None:
        key, starts = id(thread), self._starts
        started = _Started(
            weakref.ref(thread, lambda _: starts.pop(key, None) and None), self.on_start(), self._stack.site()
        )
        starts[key] = started
        self._fresh.append(started)

    # --- looking

    @property
    def stirred(self) -> Sequence[object]:
        return (self._fresh, self._alive)

    def look(self) -> Sequence[Change]:
        if not self._fresh and not self._alive:
            return ()
        active = _active()
        changes = [
            Change(one.subject, one.slot, ABSENT, key=key)
            for key, one in self._alive.items()
            if not _is_among(one.thread(), active)
        ]
        for change in changes:
            del self._alive[change.key]
        fresh, self._fresh = self._fresh, []
        for started in fresh:
            thread = started.thread()
            if thread is None:
                continue
            if _is_among(thread, active):
                changes += self._new(thread, started.site)
            elif any(thread is one for one in list(_THREADING.get("_limbo", ()))):
                self._fresh.append(started)  # just about to be
        return changes

    def _new(self, thread: threading.Thread, site: Site) -> list[Change]:
        names = names_of(thread)
        name, ident, daemon = names.get("_name"), names.get("_ident"), names.get("_daemonic") is True
        name = name if type(name) is str else "without a name"
        doing = names.get("_target") or names.get("function") or thread  # the latter of a Timer
        key = f"{ident} {id(thread)}"
        if key in self._alive or _is_kept(thread, name, doing) or (daemon and _is_in_the_background(site)):
            return []
        slot = Held(thread, f"{_RUNNING} (daemon)" if daemon else _RUNNING)
        slot.loosen()
        what = f"{home_of(doing)} {getattr(doing, '__name__', '') if type(doing).__name__ == 'function' else ''}"
        self._alive[key] = _Alive(weakref.ref(thread), f"thread {name}", slot, what)
        return [Change(f"thread {name}", ABSENT, slot, site, key)]

    # --- waiting

    def settle(self, keys: Collection[str] | None = None) -> None:
        """Wait a moment for those that are about to end.

        Args:
            keys: of the changes that are to be claimed; without, all that are alive.
        """
        active = _active()
        names = {key: one.doing for key, one in self._alive.items() if keys is None or key in keys}
        self._patience.wait(lambda: [key for key in names if _is_among(self._alive[key].thread(), active)], names)

    # --- words

    def said(self, change: Change) -> str:
        return change.after.said if type(change.after) is Held else "ended"

    def level(self, change: Change) -> str:
        """A daemon thread at least cannot keep the process alive."""
        return INFO.word if "daemon" in self.said(change) else ""

    def fix(self, change: Change) -> str:  # noqa: ARG002
        return "tell it to stop and join it, in a finally or after the fixture's yield"

    def stop(self) -> None:
        self._alive.clear()
        self._fresh.clear()


def _nobody() -> object:
    return None


def _active() -> dict[int, threading.Thread]:
    found = _THREADING.get("_active")
    return found if type(found) is dict else {thread.ident or 0: thread for thread in threading.enumerate()}


def _is_among(thread: threading.Thread | None, active: Mapping[int, threading.Thread]) -> bool:
    return thread is not None and active.get(names_of(thread).get("_ident")) is thread  # type: ignore[call-overload]


def _is_kept(thread: threading.Thread, name: str, doing: object) -> bool:
    """Whether somebody keeps it on purpose: a worker, a helper of pytest's plugins or of an IDE."""
    homes = [home_of(thread), home_of(doing)]
    return name.startswith(_NAMES) or any(f"{home}.".startswith(_KEEPERS) for home in homes)


def _is_in_the_background(site: Site) -> bool:
    """Whether a library, or what it runs, started it."""
    return site.written_at is None or bool(site.importing) or bool(library(site))
