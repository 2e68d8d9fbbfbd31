"""Drives the areas and the ledger: looks at each change of stage, claims when a scope is over.

A watcher that raises is switched off and named; the run goes on. In a process forked from ours nothing is claimed:
what happens there ends with it.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Any

from pytest_secaudit.model import Owner, Place
from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.threads import Threads
from pytest_secaudit.watch.departures import Departures
from pytest_secaudit.watch.eyes import Eyes, Looks
from pytest_secaudit.watch.fixes import fitting
from pytest_secaudit.watch.ledger import FAR, NEAR, OUTSIDE, Actor, Claim, Ledger
from pytest_secaudit.watch.record import Claimed
from pytest_secaudit.watch.state import Area, Change, Site
from pytest_secaudit.watch.turns import MAX_NAMED, Turn, window_of

#: How many close looks every run has, and the share of the tests' time that they may take from then on.
FREE_LOOKS = 100
SHARE = 0.003
#: The shares of the budget that looks at a few namespaces, at all of them, and at files may take. They are not all of
#: it: that they are there costs something, too, and so do the looks that nobody can put off.
NEAR_SHARE, FAR_SHARE, LATE_SHARE = 0.2, 0.15, 0.05
#: In per cent of the tests' run time.
BUDGET = 5.0
#: One in so many of the usual looks, and of the close ones, is measured watcher by watcher.
SAMPLE, SAMPLE_CLOSE = 64, 8


class Engine:
    """The ledger of this process and the areas that tell it of changes.

    Args:
        areas: what can be watched.
        skip: the names of those that the user does not want to be.
        exact: look closely at every change of stage, whatever it costs.

    Attributes:
        source: the name of this process among several (``gw0``), or an empty string.
        seconds: what looking took so far.
        costs: by watcher, as far as that was measured: one look in so many.
        others_act: what runs between two stages may change something, too.
        source_of: the text of a file, by its path as reports name it; raises OSError or ValueError.
        in_scope: who acted in a scope wider than a test that is not over.
        starter_of: tells who was on stage when a thread was started, by its ident.
        works_for_others: whether the thread of an ident is the worker of a pool.
    """

    def __init__(self, areas: Sequence[Area], skip: Container[str] = (), *, exact: bool = False) -> None:
        self.ledger = Ledger()
        self.areas = {area.name: area for area in areas}
        self.off: dict[str, str] = {area.name: area.off for area in areas if area.off}
        self.off.update({name: "by secaudit_watch_skip" for name in self.areas if name in skip})
        self.source = ""
        self.seconds = 0.0
        self.costs: defaultdict[str, float] = defaultdict(float)
        self._looks = self._close_looks = self._turns = 0
        self.source_of: Callable[[str], str] = _nothing
        self.starter_of: Callable[[int], object] = _nobody
        self.works_for_others: Callable[[int], bool] = _never
        self._pid = real.getpid()
        self._said: dict[int, tuple[str, str, str, str]] = {}
        self._remarks: dict[str, str] = {}
        self.exact = exact
        self.others_act = False
        self._free = FREE_LOOKS
        self._looked_at = self._next_close_look = 0.0
        self._unwatched: list[Actor] = []
        self.windows: dict[Actor, tuple[Actor, ...]] = {}
        self.in_scope: set[Actor] = set()
        self._watched = watched = [area for area in areas if area.name not in self.off]
        self._near = Turn({area.look_near: area for area in watched if hasattr(area, "look_near")})
        self._far = Turn({area.look_far: area for area in watched if hasattr(area, "look_far")})
        self._late = Turn({area.look_late: area for area in watched if hasattr(area, "look_late")})
        self.may_take(BUDGET)
        self._left = Departures()  # since files were last looked at
        self._eyes = Eyes(watched)

    # --- looking

    def look(self, *, closely: bool = False) -> None:
        """What changed since the last look was done by whoever is on stage."""
        began = real.perf_counter()
        self._looks += 1
        times = 0 if self._looks % SAMPLE else SAMPLE
        news = self._news(self._eyes.always, times)
        if news:
            self._note(news)
        woken = self._eyes.woken()
        if woken:
            self._eyes.close_again(has_found=self._note(self._news(woken, times)))
        now = real.perf_counter()
        if closely or self.exact:
            self._look_closely()
            later = real.perf_counter()
            self._next_close_look = later + (later - now) / SHARE
            now = later
        self.seconds += now - began
        self._looked_at = now
        if self.exact and self.others_act and self._far.looks:
            self._take(self._far)

    def _look_closely(self) -> None:
        """Where nobody looked closely at those before, it may have been any of them."""
        before, self._unwatched = self._unwatched, []
        self._close_looks += 1
        if self._look_for(before, self._eyes.close, 0 if self._close_looks % SAMPLE_CLOSE else SAMPLE_CLOSE):
            self._eyes.close_again()

    def _look_for(self, before: Sequence[Actor], looks: Looks, times: int = 1) -> bool:
        """Whether anything was found that whoever is on stage did, or one of those before."""
        news = self._news(looks, times)
        if not before or not news:
            return self._note(news)
        window = window_of(before, self.ledger.acting)
        self.ledger.enter(window)
        self._note(news)
        self.ledger.leave(window)
        if self.ledger.owes(window):
            self.windows[window] = (*before, self.ledger.acting)
        return True

    def _take(self, turn: Turn) -> None:
        began = real.perf_counter()
        before, turn.unwatched = turn.unwatched, []
        self._turns += 1
        self._look_for(before, turn.looks, 0 if self._turns % SAMPLE_CLOSE else SAMPLE_CLOSE)
        now = real.perf_counter()
        turn.took(now - began, now)
        self.seconds += now - began
        self._looked_at = now

    def may_take(self, budget: float) -> None:
        """What looks into namespaces and files may add to the tests' run time, in per cent."""
        for turn, share in ((self._near, NEAR_SHARE), (self._far, FAR_SHARE), (self._late, LATE_SHARE)):
            turn.share = share * budget / 100

    def begin_tests(self) -> None:
        """What modules hold counts from here on: what they did to each other when they were imported is their affair."""
        for area in self._watched:
            self._careful(area, getattr(area, "begin", _nothing_to_do))

    @property
    def owes_a_close_look(self) -> bool:
        """Whether somebody left the stage without one."""
        return bool(self._unwatched)

    def look_far(self) -> None:
        """Look everywhere, whatever it costs."""
        if self._far.looks:
            if self._near.unwatched or self._far.unwatched:
                self._take(self._near)  # it was one of fewer
            self._take(self._far)

    def look_late(self, *, at_last: bool = False) -> None:
        """Look at what says itself when it was changed: files.

        Args:
            at_last: there will be no later occasion.
        """
        if not self._late.looks or not (at_last or self.exact or self._late.is_affordable(real.perf_counter())):
            return
        began = real.perf_counter()
        left, self._left = self._left, Departures()
        for look, area in list(self._late.looks.items()):
            before = real.perf_counter()
            found: Any = self._careful(area, look) or ()
            self.costs[area.name] += real.perf_counter() - before
            for when, change in found:
                self._note_late(area, change, when, left)
        now = real.perf_counter()
        self._late.took(now - began, now)
        self.seconds += now - began

    def _note_late(self, area: Area, change: Change, when: int, left: Departures) -> None:
        """It was done by who was on stage then."""
        if self.exact and self.ledger.acting is not OUTSIDE:
            self.ledger.note(area.name, [change])
            return
        members = left.on_stage(when)
        if not members:
            return  # pytest itself, or another program
        owner = window_of(members, OUTSIDE)
        self.ledger.enter(owner)
        self.ledger.note(area.name, [change])
        self.ledger.leave(owner)
        if owner.kind == "window":
            self.windows[owner] = tuple(members)
        elif owner not in self.in_scope:
            self.close(owner)

    def _take_turns(self, actor: Actor) -> None:
        """Look into namespaces now, or let the actor be one of several.

        While a test runs its patches are in place, which a far look would go through for nothing: where that is too
        dear, it waits for the test to be over.
        """
        if self.exact:
            self._take(self._far)
            return
        if self._far.is_rich:
            self.look_far()
            return
        is_affordable = self._near.is_affordable(self._looked_at)
        if is_affordable:
            self._take(self._near)
        else:
            self._near.unwatched.append(actor)
        if actor.kind != "test":
            self.ledger.unwatched = FAR if is_affordable else NEAR | FAR
        self._far.unwatched.append(actor)

    def test_is_over(self) -> None:
        """The test and its own fixtures have gone: what is different now is left behind."""
        if self._far.unwatched and self._far.is_affordable(real.perf_counter()):
            self.look_far()

    def _can_afford(self) -> bool:
        """A closer look may take a small share of the time that the tests take; the first ones are free."""
        if self._free:
            self._free -= 1
            return True
        return self._looked_at >= self._next_close_look or self.exact

    def _news(self, looks: Looks, times: int = 0) -> list[tuple[Area, Iterable[Change]]]:
        """What the looks find; what each took is measured and counted so many times."""
        if times:
            return self._news_measured(looks, times)
        looked, news = None, []
        try:
            for looked in looks:
                found = looked()
                if found:
                    news.append((looks[looked], found))
        except Exception as error:
            if looked is not None:
                rest = list(looks)[list(looks).index(looked) + 1 :]
                self.switch_off(looks[looked], error)
                news += self._news({look: looks[look] for look in rest})
        return news

    def _news_measured(self, looks: Looks, times: int) -> list[tuple[Area, Iterable[Change]]]:
        news = []
        for look, area in list(looks.items()):
            began = real.perf_counter()
            news += self._news({look: area})
            self.costs[area.name] += times * (real.perf_counter() - began)
        return news

    def _note(self, news: Iterable[tuple[Area, Iterable[Change]]]) -> bool:
        """Whether there was anything that whoever is on stage did."""
        has_any = False
        for area, found in news:
            has_any = True
            try:
                self.ledger.note(area.name, found)
            except Exception as error:
                self.switch_off(area, error)
        return has_any

    def switch_off(self, area: Area, error: Exception) -> None:
        """A watcher failed: the report says so, the others go on."""
        self.off[area.name] = clean(f"it failed: {type(error).__name__}: {error}")[:200]
        self._eyes = self._eyes.without(area)
        for turn in (self._near, self._far, self._late):
            turn.looks = {look: one for look, one in turn.looks.items() if one is not area}

    @property
    def watchers(self) -> dict[str, str]:
        """Each watcher: ``on``, with what it leaves out, or ``off`` and why."""
        off = {name: self.off.get(name) or area.off for name, area in self.areas.items()}
        remarks = {name: self._remarks.get(name, "") for name in off}
        return {name: f"off: {why}" if why else f"on{remarks[name]}" for name, why in off.items()}

    # --- the stage

    def follow_threads(self) -> None:
        """What a thread does is of whoever was on stage when it was started.

        What the worker of a pool does is of who hands it in: of who is on stage, for they nearly always wait for it.
        """
        threads = self.areas.get("threads")
        if isinstance(threads, Threads):
            threads.on_start = lambda: self.who()[0]
            self.starter_of = threads.starter_of
            self.works_for_others = threads.works_for_others

    def who(self) -> tuple[Actor, bool]:
        """Whose hand acts right now, and whether it is in another thread than the one that runs the tests."""
        ident = real.get_ident()
        if ident == real.main_thread.ident:
            return self.ledger.acting, False
        starter, acting = self.starter_of(ident), self.ledger.acting
        if type(starter) is not Actor or (acting is not OUTSIDE and self.works_for_others(ident)):
            return acting, True
        return starter, True

    def enter(self, actor: Actor) -> None:
        """Somebody goes on stage; what was done before is not theirs."""
        self.look()
        self.ledger.enter(actor)

    def leave(self, actor: Actor) -> None:
        """Somebody leaves the stage; what was done since they came is theirs.

        What is dear to look at waits where it cannot be afforded, but never beyond those who are gone with their test.
        """
        is_wide = actor.scope != "function"
        closely = is_wide or self._can_afford()
        self.look(closely=closely)
        if not closely:
            self._unwatched.append(actor)
        if is_wide:
            self.in_scope.add(actor)
        if self._near.looks and actor.kind != "import":
            self._take_turns(actor)
        if self._late.looks and actor.kind != "import":
            if self.exact:
                self.look_late()
            else:
                self._left.note(real.time_ns(), actor)
        self.ledger.leave(actor)

    # --- claims

    def close_windows(self, *, at_last: bool = False) -> None:
        """The tests of which nobody knows which it was are over; a fixture among them may still put it back.

        Args:
            at_last: there is no later occasion.
        """
        if at_last:
            self.in_scope.clear()
        for window in [one for one, members in self.windows.items() if self.in_scope.isdisjoint(members)]:
            self.close(window)
            del self.windows[window]

    def close(self, actor: Actor, *, failed: bool = False) -> None:
        """The actor's scope is over: what it still owes, after a moment of grace, is claimed.

        Of an import only what a test-side file itself wrote is claimed: what a dependency sets up when it is first
        imported is no leak of whoever imports it first.
        """
        self.in_scope.discard(actor)
        if not self.ledger.owes(actor) or self._pid != real.getpid():
            self.ledger.over(actor)
            return
        began = real.perf_counter()
        self._settle(actor)
        self.look(closely=True)
        if any(self.areas[name] in self._near.looks.values() for name, _ in self.ledger.owed(actor)):
            self._take(self._near)
        self._look_again({name for name, _ in self.ledger.owed(actor)})
        members = self.windows.get(actor, ())
        owners: dict[int, Actor] = {}
        for name, change in self.ledger.owed(actor):
            owner, located = self._found(actor, members, name, change)
            if self._is_lasting(self.areas[name], owner, located) and self._is_its_own(owner, located):
                self.ledger.amend(actor, change, located)
                owners[id(located)] = owner
            else:
                self.ledger.forgive(actor, name, change)
        for claim in self.ledger.close(actor, failed=failed):
            claim.owner = owners.get(id(claim.change), actor)
            if claim.owner is not actor:  # it was in force for those who ran since, too
                claim.bodies = self.ledger.bodies_since(claim.owner.id) or claim.bodies
            claim.after_failure = claim.after_failure or self.ledger.has_failed(claim.owner)
            claim.remade = claim.remade or self._is_reset(claim, members)
            self._describe(claim)
        self.seconds += real.perf_counter() - began

    def _look_again(self, names: Iterable[str]) -> None:
        """What was found at a far look may have been put back since, where no near look comes."""
        areas = [self.areas[name] for name in names if name not in self.off]
        looks = {area.look_again: area for area in areas if hasattr(area, "look_again")}
        if looks:
            self._look_for(list(self._far.unwatched), looks)

    def _settle(self, actor: Actor) -> None:
        """Nobody waits for what others owe: it may last as long as the run."""
        owed: defaultdict[str, set[str]] = defaultdict(set)
        for name, change in self.ledger.owed(actor):
            owed[name].add(change.key)
        for name, keys in owed.items():
            area: Any = self.areas[name]
            settle = functools.partial(area.settle, keys) if getattr(area, "settles_by_key", False) else area.settle
            self._careful(area, settle)

    def _is_lasting(self, area: Area, owner: Actor, change: Change) -> bool:
        """Whether what was changed is still there for others to see, and they will come."""
        ask: Callable[[Change], bool] | None = getattr(area, "is_lasting", None)
        if ask is not None and self._careful(area, lambda: ask(change)) is False:
            return False
        ask_of: Callable[[Actor, Change], bool] | None = getattr(area, "is_harm_of", None)
        return ask_of is None or self._careful(area, lambda: ask_of(owner, change)) is not False

    def _found(self, actor: Actor, members: Sequence[Actor], area: str, change: Change) -> tuple[Actor, Change]:
        """Who it was, and the line; of several those whose code can have written it.

        Where nobody's can, the place is the first test that at least names what was added.
        """
        if change.site is not None:
            return actor, change
        if not members:
            return actor, self._located(change, actor.path, self._lines(actor, area, change))
        present = [member for member in members if member.kind != "outside"]
        known = [member for member in present if self._may_reach(member, area, change)] or present
        lines = {member: self._lines(member, area, change, one_of_several=True) for member in known}
        able = [member for member in known if lines[member]] or known
        owner = actor if len(able) == len(present) else window_of(able, OUTSIDE)
        if len({member.id for member in able}) == 1:
            owner = able[-1]
        elif not lines[able[0]]:
            named = next((member for member in able if self._ask_code(member, area, "mentions", change)), owner)
            owner = owner._replace(path=named.path, line=named.line)
        paths = {member.path for member in able}
        where = {line for member in able for line in lines[member]} if len(paths) == 1 else set()
        return owner, self._located(change, owner.path, where)

    def _lines(self, actor: Actor, area: str, change: Change, *, one_of_several: bool = False) -> set[int]:
        """The lines of the actor's code that can have written, found by reading where the act itself was not noticed."""
        watcher: Any = self.areas[area]
        if one_of_several and hasattr(watcher, "lines_of_one_of_several"):
            found = self._ask_code(actor, area, "lines_of_one_of_several", change)
        elif hasattr(watcher, "writing_lines"):
            found = self._ask_code(actor, area, "writing_lines", change)
        else:
            from pytest_secaudit.watch.writing_lines import writing_lines  # loaded with the first claim

            found = self._reading(actor, lambda text, first: writing_lines(text, first, area, change.subject))
        return found if type(found) is set else set()

    def _is_reset(self, claim: Claim, members: Sequence[Actor]) -> bool:
        """Whether the set-up of the tests that may have left it puts it back before each of them."""
        owner = claim.owner
        tests = [one for one in members if one.id in owner.ids] if owner.kind == "window" else [owner]
        tests = [one for one in tests if one.kind == "test"]
        return bool(tests) and all(
            self._ask_code(one, claim.area, "is_reset_by_set_up", claim.change) is True for one in tests
        )

    def _may_reach(self, actor: Actor, area: str, change: Change) -> bool:
        ask: Callable[[Actor, Change], bool] | None = getattr(self.areas[area], "can_reach", None)
        return ask is None or self._careful(self.areas[area], lambda: ask(actor, change)) is not False

    def _ask_code(self, actor: Actor, area: str, question: str, change: Change) -> object:
        """What the area says of the actor's code; None if it cannot be read, or the area does not know the question."""
        ask: Callable[[str, int, Change], object] | None = getattr(self.areas[area], question, None)
        return None if ask is None else self._reading(actor, lambda text, first: ask(text, first, change))

    def _reading(self, actor: Actor, ask: Callable[[str, int], object]) -> object:
        if actor.plugin is not None or not actor.path or actor.kind in ("outside", "window"):
            return None
        try:
            return ask(self.source_of(actor.path), 0 if actor.kind == "import" else actor.line)
        except (OSError, SyntaxError, ValueError, RecursionError):
            return None

    def _located(self, change: Change, path: str, lines: set[int]) -> Change:
        """The change with its line, if there is but one."""
        if change.site is not None or len(lines) != 1:
            return change
        place = Place(path, min(lines))
        return replace(change, site=Site(place, place))

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
        fix = self._careful(area, lambda: clean(self._fix(area, claim)))
        level = self._careful(area, lambda: getattr(area, "level", _no_level)(claim.change))
        code = self._careful(area, lambda: getattr(area, "code_of", _no_level)(claim.change))
        self._said[claim.serial] = (str(said or "changed"), str(fix or ""), str(level or ""), str(code or area.code))

    def _fix(self, area: Area, claim: Claim) -> str:
        ask: Callable[[Actor, str, Change], str] | None = getattr(area, "fix_for", None)
        if ask is None:
            return fitting(area.fix(claim.change), claim.owner)
        try:
            text = self.source_of(claim.owner.path)
        except (OSError, ValueError):
            text = ""
        return fitting(ask(claim.owner, text, claim.change), claim.owner)

    def _careful(self, area: Area, act: Callable[[], object]) -> object:
        try:
            return act()
        except Exception as error:
            self.switch_off(area, error)
            return None

    def stop(self) -> None:
        """The run is over."""
        for name, area in self.areas.items():
            remark = self._careful(area, lambda: getattr(area, "remark", ""))  # noqa: B023 - called at once
            self._remarks[name] = f" ({clean(str(remark))})" if remark else ""
            self._careful(area, area.stop)
        self._eyes = Eyes(())
        self._near.looks, self._far.looks, self._late.looks = {}, {}, {}

    # --- what goes home

    def claimed(self, since: int = 0) -> tuple[Claimed, ...]:
        """The claims from this number on, as they stand now."""
        return tuple(self._record(claim) for claim in self.ledger.claims[since:])

    def _record(self, claim: Claim) -> Claimed:
        seen = self.ledger.seen(claim)
        failed = list(dict.fromkeys(body.test for body in seen if body.failed))
        passed = [test for test in dict.fromkeys(body.test for body in seen) if test not in set(failed)]
        in_group = [body for body in seen if body.group == claim.owner.group]
        said, fix, level, code = self._said[claim.serial]
        site, subject, key = claim.change.site, claim.change.subject, claim.change.key
        where = self._where(claim)
        return Claimed(
            source=self.source,
            serial=claim.serial,
            code=code,
            area=claim.area,
            subject=clean(subject),
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
            seen_in_group=any(not body.unwatched & where for body in in_group),
            is_part=key != subject and key.startswith(subject),
            seen=len(failed) + len(passed),
            seen_by=tuple(map(clean, [*failed, *passed][:MAX_NAMED])),
            victims=tuple(map(clean, failed[:MAX_NAMED])),
            began=0 if claim.owner.kind == "import" else claim.bodies,  # in force from the first test on
            until=claim.until,
        )

    def _where(self, claim: Claim) -> int:
        """Which dear look goes to what was changed: `NEAR` or `FAR`; 0 if it is cheap to look at."""
        area = self.areas[claim.area]
        is_near: Callable[[Actor, Change], bool] | None = getattr(area, "is_near", None)
        if is_near is None:
            return 0
        return NEAR if self._careful(area, lambda: is_near(claim.owner, claim.change)) is True else FAR


def _nothing_to_do() -> None:
    pass


def _nothing(path: str) -> str:
    raise FileNotFoundError(path)


def _nobody(ident: int) -> object:
    return None


def _never(ident: int) -> bool:
    return False


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
