"""Drives the areas and the ledger: looks at each change of stage, claims when a scope is over.

A watcher that raises is switched off and named; the run goes on. In a process forked from ours nothing is claimed:
what happens there ends with it.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Any

from pytest_secaudit.model import Owner, Place
from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.threads import Threads
from pytest_secaudit.watch.eyes import Eyes, Looks
from pytest_secaudit.watch.ledger import Actor, Claim, Ledger
from pytest_secaudit.watch.record import Claimed
from pytest_secaudit.watch.state import Area, Change, Site
from pytest_secaudit.watch.writing_lines import writing_line

MAX_NAMED = 20

#: How many close looks every run has, and the share of the tests' time that they may take from then on.
FREE_LOOKS = 100
SHARE = 0.003


class Engine:
    """The ledger of this process and the areas that tell it of changes.

    Args:
        areas: what can be watched.
        skip: the names of those that the user does not want to be.
        exact: look closely at every change of stage, whatever it costs.

    Attributes:
        source: the name of this process among several (``gw0``), or an empty string.
        seconds: what looking took so far.
        source_of: the text of a file, by its path as reports name it; raises OSError or ValueError.
        starter_of: tells who was on stage when a thread was started, by its ident.
    """

    def __init__(self, areas: Sequence[Area], skip: Container[str] = (), *, exact: bool = False) -> None:
        self.ledger = Ledger()
        self.areas = {area.name: area for area in areas}
        self.off: dict[str, str] = {area.name: area.off for area in areas if area.off}
        self.off.update({name: "by secaudit_watch_skip" for name in self.areas if name in skip})
        self.source = ""
        self.seconds = 0.0
        self.source_of: Callable[[str], str] = _nothing
        self.starter_of: Callable[[int], object] = _nobody
        self._pid = real.getpid()
        self._said: dict[int, tuple[str, str, str]] = {}
        self.exact = exact
        self._free = FREE_LOOKS
        self._looked_at = self._next_close_look = 0.0
        self._unwatched: list[Actor] = []
        self.windows: list[Actor] = []
        self._eyes = Eyes([area for area in areas if area.name not in self.off])

    # --- looking

    def look(self, *, closely: bool = False) -> None:
        """What changed since the last look was done by whoever is on stage."""
        began = real.perf_counter()
        self._look_with(self._eyes.always)
        woken = self._eyes.woken()
        if woken:
            self._eyes.close_again(has_found=self._look_with(woken))
        now = real.perf_counter()
        if closely:
            self._look_closely()
            later = real.perf_counter()
            self._next_close_look = later + (later - now) / SHARE
            now = later
        self.seconds += now - began
        self._looked_at = now

    def _look_closely(self) -> None:
        """Where nobody looked closely at those before, it may have been any of them."""
        window = None
        if self._unwatched:
            window = self._window(self._unwatched, self.ledger.acting)
            self._unwatched = []
            self.ledger.enter(window)
        if self._look_with(self._eyes.close):
            self._eyes.close_again()
        if window is not None:
            self.ledger.leave(window)
            if self.ledger.owes(window):
                self.windows.append(window)

    def _window(self, before: Sequence[Actor], last: Actor) -> Actor:
        everybody = dict.fromkeys([*before, *([last] if last.kind != "outside" else [])])
        if len(everybody) == 1:
            return next(iter(everybody))
        tests = [actor for actor in everybody if actor.kind == "test"]
        named = tests or [actor for actor in everybody if actor.plugin is None] or list(everybody)
        first, last = named[0], named[-1]
        ids = tuple(dict.fromkeys(actor.id for actor in everybody))[:MAX_NAMED]
        return last._replace(
            kind="window", id=first.id if first.id == last.id else f"{first.id} ... {last.id}", ids=ids
        )

    def _can_afford(self) -> bool:
        """A closer look may take a small share of the time that the tests take; the first ones are free."""
        self._free -= 1
        return self._free >= 0 or self._looked_at >= self._next_close_look or self.exact

    def _look_with(self, looks: Looks) -> bool:
        """Whether anything was found."""
        looked, has_found = None, False
        try:
            for looked in looks:
                found = looked()
                if found:
                    has_found = True
                    self.ledger.note(looks[looked].name, found)
        except Exception as error:
            if looked is not None:
                rest = list(looks)[list(looks).index(looked) + 1 :]
                self.switch_off(looks[looked], error)
                self._look_with({look: looks[look] for look in rest})
                return True
        return has_found

    def switch_off(self, area: Area, error: Exception) -> None:
        """A watcher failed: the report says so, the others go on."""
        self.off[area.name] = clean(f"it failed: {type(error).__name__}: {error}")[:200]
        self._eyes = self._eyes.without(area)

    @property
    def watchers(self) -> dict[str, str]:
        """Each watcher: ``on``, or ``off`` and why."""
        off = {name: self.off.get(name) or area.off for name, area in self.areas.items()}
        return {name: f"off: {why}" if why else "on" for name, why in off.items()}

    # --- the stage

    def follow_threads(self) -> None:
        """What a thread does is of whoever was on stage when it was started."""
        threads = self.areas.get("threads")
        if isinstance(threads, Threads):
            threads.on_start = lambda: self.who()[0]
            self.starter_of = threads.starter_of

    def who(self) -> tuple[Actor, bool]:
        """Whose hand acts right now, and whether it is in another thread than the one that runs the tests."""
        ident = real.get_ident()
        if ident == real.main_thread.ident:
            return self.ledger.acting, False
        starter = self.starter_of(ident)
        return (starter if type(starter) is Actor else self.ledger.acting), True

    def enter(self, actor: Actor) -> None:
        """Somebody goes on stage; what was done before is not theirs."""
        self.look()
        self.ledger.enter(actor)

    def leave(self, actor: Actor) -> None:
        """Somebody leaves the stage; what was done since they came is theirs.

        What is dear to look at waits where it cannot be afforded, but never beyond those who are gone with their test.
        """
        closely = actor.scope != "function" or self._can_afford()
        self.look(closely=closely)
        if not closely:
            self._unwatched.append(actor)
        self.ledger.leave(actor)

    # --- claims

    def close_windows(self) -> None:
        """The tests of which nobody knows which it was are over."""
        while self.windows:
            self.close(self.windows.pop())

    def close(self, actor: Actor, *, failed: bool = False) -> None:
        """The actor's scope is over: what it still owes, after a moment of grace, is claimed.

        Of an import only what a test-side file itself wrote is claimed: what a dependency sets up when it is first
        imported is no leak of whoever imports it first.
        """
        if not self.ledger.owes(actor) or self._pid != real.getpid():
            self.ledger.over(actor)
            return
        began = real.perf_counter()
        self._settle(actor)
        self.look(closely=True)
        for name, change in self.ledger.owed(actor):
            located = self._located(actor, name, change)
            if self._is_lasting(self.areas[name], change) and self._is_its_own(actor, located):
                self.ledger.amend(actor, change, located)
            else:
                self.ledger.forgive(actor, name, change)
        for claim in self.ledger.close(actor, failed=failed):
            self._describe(claim)
        self.seconds += real.perf_counter() - began

    def _settle(self, actor: Actor) -> None:
        """Nobody waits for what others owe: it may last as long as the run."""
        owed: defaultdict[str, set[str]] = defaultdict(set)
        for name, change in self.ledger.owed(actor):
            owed[name].add(change.key)
        for name, keys in owed.items():
            area: Any = self.areas[name]
            settle = functools.partial(area.settle, keys) if getattr(area, "settles_by_key", False) else area.settle
            self._careful(area, settle)

    def _is_lasting(self, area: Area, change: Change) -> bool:
        """Whether what was changed is still there for others to see."""
        ask: Callable[[Change], bool] | None = getattr(area, "is_lasting", None)
        return ask is None or self._careful(area, lambda: ask(change)) is not False

    def _located(self, actor: Actor, area: str, change: Change) -> Change:
        """The change with its line, by reading the owner's code where the act itself was not noticed."""
        if change.site is not None or actor.plugin is not None or not actor.path:
            return change
        try:
            first = 0 if actor.kind == "import" else actor.line
            line = writing_line(self.source_of(actor.path), first, area, change.subject)
        except (OSError, SyntaxError, ValueError, RecursionError):
            return change
        place = Place(actor.path, line) if line is not None else None
        return replace(change, site=Site(place, place)) if place is not None else change

    def source_line(self, place: Place) -> str:
        """The text of a line, its white space made even; empty where it cannot be read."""
        try:
            lines = self.source_of(place.path).splitlines()
        except (OSError, SyntaxError, ValueError):
            return ""
        return " ".join(lines[place.line - 1].split()) if 0 < place.line <= len(lines) else ""

    def _is_its_own(self, actor: Actor, change: Change) -> bool:
        site = change.site
        if site is not None and site.importing:
            return False
        return actor.kind != "import" or (site is not None and site.edit is not None and site.written_at == site.edit)

    def _describe(self, claim: Claim) -> None:
        """Now, while the values are at hand."""
        area = self.areas[claim.area]
        said = self._careful(area, lambda: clean(area.said(claim.change)))
        fix = self._careful(area, lambda: clean(area.fix(claim.change)))
        level = self._careful(area, lambda: getattr(area, "level", _no_level)(claim.change))
        self._said[claim.serial] = (str(said or "changed"), str(fix or ""), str(level or ""))

    def _careful(self, area: Area, act: Callable[[], object]) -> object:
        try:
            return act()
        except Exception as error:
            self.switch_off(area, error)
            return None

    def stop(self) -> None:
        """The run is over."""
        for area in self.areas.values():
            self._careful(area, area.stop)
        self._eyes = Eyes(())

    # --- what goes home

    def claimed(self, since: int = 0) -> tuple[Claimed, ...]:
        """The claims from this number on, as they stand now."""
        return tuple(self._record(claim) for claim in self.ledger.claims[since:])

    def _record(self, claim: Claim) -> Claimed:
        seen = self.ledger.seen(claim)
        failed = list(dict.fromkeys(body.test for body in seen if body.failed))
        passed = [test for test in dict.fromkeys(body.test for body in seen) if test not in set(failed)]
        said, fix, level = self._said[claim.serial]
        site = claim.change.site
        return Claimed(
            source=self.source,
            serial=claim.serial,
            code=self.areas[claim.area].code,
            area=claim.area,
            subject=clean(claim.change.subject),
            said=said,
            fix=fix,
            owner=owner_of(claim.owner),
            group=claim.owner.group,
            site=site.edit if site else None,
            written_at=site.written_at if site else None,
            level=level,
            after_failure=claim.after_failure,
            paid_by=claim.paid_by.kind if claim.paid_by else "",
            remade=claim.remade,
            seen_in_group=any(body.group == claim.owner.group for body in seen),
            seen=len(failed) + len(passed),
            seen_by=tuple(map(clean, [*failed, *passed][:MAX_NAMED])),
            victims=tuple(map(clean, failed[:MAX_NAMED])),
        )


def _nothing(path: str) -> str:
    raise FileNotFoundError(path)


def _nobody(ident: int) -> object:
    return None


def _no_level(change: Change) -> str:
    return ""


def owner_of(actor: Actor) -> Owner:
    """The actor as reports name it."""
    return Owner(
        kind=actor.kind,
        id=clean(actor.id),
        path=clean(actor.path),
        line=actor.line,
        scope=actor.scope,
        plugin=actor.plugin,
        ids=tuple(map(clean, actor.ids)),
    )
