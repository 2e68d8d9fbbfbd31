"""The limits that the system sets to the process (`resource.setrlimit`), each for itself; not on Windows.

Nothing is asked until somebody sets one: what it was is read right before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change, Site
from pytest_secaudit.watch.tapping import Taps


class Limits:
    """Watches how much the process may use: open files, memory, processor time."""

    name = "limits"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._stack = stack
        self._seen: dict[int, Hashable] = {}
        self._sites: dict[int, Site] = {}
        self._names: dict[int, str] = {}
        try:
            resource: Any = importlib.import_module("resource")
        except ImportError:
            self.off = "not on this platform"
            return
        self.off = ""
        self._get: Callable[[int], Hashable] = real.own(resource.getrlimit)
        names = sorted((name for name in vars(resource) if name.startswith("RLIMIT_")), reverse=True)
        self._names = {getattr(resource, name): name for name in names}  # NOFILE also has an old name, OFILE
        taps.put(resource, "setrlimit", self._around)
        taps.put(resource, "prlimit", self._around)

    def _around(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        before = self._before(args)
        result = original(*args, **kwargs)
        try:
            for number, limits in before.items():
                self._seen.setdefault(number, limits)
                self._sites[number] = self._stack.site()
        except Exception:  # the call is the user's, and it succeeded
            return result
        return result

    def _before(self, args: tuple[Any, ...]) -> dict[int, Hashable]:
        """The limit that is about to be set, as it is: an argument of `setrlimit`, the one before the last of `prlimit`."""
        try:
            return {args[-2]: self._get(args[-2])} if args[-2] in self._names else {}
        except Exception:  # the call itself will say what is wrong with it
            return {}

    @property
    def stirred(self) -> Sequence[object]:
        return (self._sites,)

    def look(self) -> Iterable[Change]:
        if not self._sites:
            return ()
        sites, self._sites = self._sites, {}
        return list(self._changes(dict(sites)))

    def _changes(self, sites: Mapping[int, Site]) -> Iterable[Change]:
        for number, site in sites.items():
            before, now = self._seen[number], self._get(number)
            if before != now:
                self._seen[number] = now
                yield Change(f"the resource limit {self._names[number]}", before, now, site)

    def said(self, change: Change) -> str:
        return f"at {change.after} (it was {change.before})"

    def fix(self, change: Change) -> str:
        name = change.subject.rpartition(" ")[2]
        return f"resource.setrlimit(resource.{name}, saved) in a finally"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Nothing to end."""
