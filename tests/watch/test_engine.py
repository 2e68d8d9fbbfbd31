"""The engine: looks, claims, and a watcher that fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch import real
from pytest_secaudit.watch.engine import SAMPLE, Engine
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.state import Change, Site
from pytest_secaudit.watch.weights import Weight, weigh

TEST = Actor("test", "tests/test_a.py::test_x", "tests/test_a.py", "function", path="tests/test_a.py", line=3)
IMPORT = Actor("import", "tests/test_a.py", path="tests/test_a.py")


@dataclass
class Box:
    """A watched value."""

    name: str = "box"
    code: str = "PSA103"
    off: str = ""
    value: object = None
    last: object = None
    site: Site | None = None
    error: Exception | None = None
    settled: int = 0
    ends_by_itself: bool = False
    lasting: bool = True
    stopped: bool = False
    forgotten: list[object] = field(default_factory=list)

    def look(self) -> Iterable[Change]:
        if self.error is not None:
            raise self.error
        before, self.last = self.last, self.value
        return () if before == self.value else [Change(f"the {self.name}", before, self.value, self.site)]

    def said(self, change: Change) -> str:
        return f"at {change.after} (it was {change.before})"

    def fix(self, change: Change) -> str:
        return "put it back"

    def settle(self) -> None:
        self.settled += 1
        if self.ends_by_itself:
            self.value = None

    def is_lasting(self, change: Change) -> bool:
        return self.lasting

    def stop(self) -> None:
        self.stopped = True


def left(engine: Engine, box: Box, actor: Actor = TEST) -> None:
    engine.enter(actor)
    box.value = "open"
    engine.leave(actor)
    engine.close(actor)


def test_what_is_left_is_described_at_once() -> None:
    box = Box()
    engine = Engine([box])
    left(engine, box)
    box.value = "something else"
    (claim,) = engine.claimed()
    assert (claim.subject, claim.said, claim.fix, claim.owner.id) == (
        "the box",
        "at open (it was None)",
        "put it back",
        TEST.id,
    )


def test_what_ends_in_its_moment_of_grace_is_silent() -> None:
    box = Box(ends_by_itself=True)
    engine = Engine([box])
    left(engine, box)
    assert (engine.claimed(), box.settled) == ((), 1)


def test_nobody_waits_for_an_owner_without_debts() -> None:
    box = Box()
    engine = Engine([box])
    engine.close(TEST)
    assert box.settled == 0


def test_what_nobody_else_can_see_is_forgiven() -> None:
    box = Box(lasting=False)
    engine = Engine([box])
    left(engine, box)
    assert engine.claimed() == ()


def test_watcher_that_raises_is_switched_off_and_named_and_the_others_go_on() -> None:
    broken, box = Box(name="broken"), Box()
    engine = Engine([broken, box])
    broken.error = RuntimeError("no")
    left(engine, box)
    assert engine.watchers == {"broken": "off: it failed: RuntimeError: no", "box": "on"}
    assert len(engine.claimed()) == 1


def test_what_each_watcher_takes_is_measured_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(real, "perf_counter", lambda: now[0])

    class Slow(Box):
        def look(self) -> Iterable[Change]:
            now[0] += 1.0
            return super().look()

    slow, box = Slow("slow"), Box()
    engine = Engine([slow, box])
    for _ in range(2 * SAMPLE):
        engine.look()
    assert dict(engine.costs) == {"slow": engine.seconds, "box": 0.0}
    slow.error = RuntimeError("no")
    box.value = "open"
    for _ in range(SAMPLE):
        engine.look()
    assert engine.watchers == {"slow": "off: it failed: RuntimeError: no", "box": "on"}
    assert engine.costs["slow"] == 2 * SAMPLE, "what fails is measured no more"


def test_watcher_that_fails_to_describe_is_switched_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    monkeypatch.setattr(box, "said", lambda change: 1 / 0)
    engine = Engine([box])
    left(engine, box)
    assert "ZeroDivisionError" in engine.watchers["box"]
    assert engine.claimed()[0].said == "changed"


def test_skipped_and_impossible_watchers_do_not_look() -> None:
    skipped, impossible = Box(name="skipped"), Box(name="impossible", off="not on this platform")
    skipped.error = impossible.error = RuntimeError("looked")
    engine = Engine([skipped, impossible], skip={"skipped"})
    engine.look(closely=True)
    assert engine.watchers == {
        "impossible": "off: not on this platform",
        "skipped": "off: by secaudit_watch_skip",
    }


def test_close_look_is_only_taken_when_asked() -> None:
    box = Box()
    looked = []
    box.look_closely = lambda: looked.append(1) or ()  # type: ignore[attr-defined]
    engine = Engine([box])
    engine.look()
    assert looked == []
    engine.look(closely=True)
    assert looked == [1]


def test_what_cannot_be_afforded_is_of_a_window_of_tests() -> None:
    box = Box()
    box.seldom = True  # type: ignore[attr-defined]
    engine = Engine([box])
    engine._free = 0
    engine.look(closely=True)
    engine._next_close_look = 1e18
    for name in "abc":
        test = TEST._replace(id=f"tests/test_a.py::test_{name}")
        engine.enter(test)
        box.value = "open"
        if name == "c":
            engine._free = 1
        engine.leave(test)
        engine.close(test)
        engine.close_windows()
    (claim,) = engine.claimed()
    assert claim.owner.kind == "window"
    assert claim.owner.id == "tests/test_a.py::test_a ... tests/test_a.py::test_c"
    assert claim.owner.ids == tuple(f"tests/test_a.py::test_{name}" for name in "abc")


FIXTURE = Actor("fixture", "conftest.py::around", scope="session", path="conftest.py", line=5)


def a_window(*actors: Actor) -> Actor:
    """Who is named when these were not looked at closely, and the box is open after the last of them."""
    box = Box()
    box.seldom = True  # type: ignore[attr-defined]
    engine = Engine([box])
    engine.look(closely=True)
    engine._next_close_look, engine._free = 1e18, 0
    for actor in actors[:-1]:
        engine._unwatched.append(actor)
    box.value = "open"
    engine.ledger.enter(actors[-1])
    engine.look(closely=True)
    engine.ledger.leave(actors[-1])
    for actor in actors:
        engine.close(actor)
    engine.close_windows()
    (claim,) = engine.ledger.claims
    return claim.owner


def test_a_fixture_is_not_to_blame_for_what_the_test_within_it_did() -> None:
    window = a_window(FIXTURE, TEST, FIXTURE)
    assert (window.kind, window.id) == ("window", f"{FIXTURE.id} ... {TEST.id}")
    assert (window.path, window.line) == (TEST.path, TEST.line)
    assert window.ids == (FIXTURE.id, TEST.id)


def test_a_window_is_named_after_its_tests() -> None:
    plugin = FIXTURE._replace(id="<x>/plugin.py::mocker", plugin="plugin")
    others = [TEST._replace(id=f"tests/test_a.py::test_{number}") for number in range(30)]
    with_its_fixtures = [actor for test in others for actor in (plugin, FIXTURE, test, FIXTURE, plugin)]
    window = a_window(*with_its_fixtures)
    assert (window.id, window.plugin) == ("tests/test_a.py::test_0 ... tests/test_a.py::test_29", None)
    assert window.ids == (plugin.id, FIXTURE.id, *(test.id for test in others))
    assert a_window(plugin, FIXTURE, plugin).id == FIXTURE.id
    assert a_window(plugin, plugin) == plugin


def test_wide_owners_are_always_looked_at_closely() -> None:
    box = Box()
    box.seldom = True  # type: ignore[attr-defined]
    engine = Engine([box])
    engine.look(closely=True)
    engine._next_close_look = 1e18
    fixture = Actor("fixture", "conftest.py::server", scope="session", path="conftest.py")
    left(engine, box, fixture)
    assert engine.claimed()[0].owner.kind == "fixture"


def test_exact_looks_closely_at_every_change_of_stage() -> None:
    box = Box()
    box.seldom = True  # type: ignore[attr-defined]
    engine = Engine([box], exact=True)
    engine.look(closely=True)
    engine._next_close_look = 1e18
    left(engine, box)
    assert engine.claimed()[0].owner.kind == "test"


def test_line_is_read_where_the_act_was_not_noticed() -> None:
    box = Box(name="umask")
    engine = Engine([box])
    engine.source_of = {"tests/test_a.py": "import os\n\ndef test_x():\n    os.umask(0)\n"}.__getitem__
    left(engine, box)
    assert engine.claimed()[0].site == Place("tests/test_a.py", 4)


def test_of_an_import_only_what_the_file_itself_wrote() -> None:
    here, there = Place("tests/test_a.py", 1), Place("<site-packages>/x.py", 1)
    for site, count in ((Site(here, here), 1), (Site(there, here), 0), (None, 0), (Site(here, here, importing="x"), 0)):
        box = Box(site=site)
        engine = Engine([box])
        left(engine, box, IMPORT)
        assert len(engine.claimed()) == count


def test_nothing_is_watched_in_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    engine = Engine([box])
    monkeypatch.setattr(real, "getpid", lambda: -1)
    left(engine, box)
    assert engine.claimed() == ()


def test_stopping_ends_all_looking() -> None:
    box = Box()
    engine = Engine([box])
    engine.stop()
    box.error = RuntimeError("looked")
    engine.look(closely=True)
    assert box.stopped
    assert engine.watchers == {"box": "on"}


def test_what_was_found_far_away_is_looked_at_again_before_it_is_claimed() -> None:
    class Far(Box):
        """Only a far look sees it, and a look again."""

        def look(self) -> Iterable[Change]:
            return ()

        def look_far(self) -> Iterable[Change]:
            return super().look()

        look_again = look_far

    far = Far(last="closed", value="closed")
    engine = Engine([far])
    engine.enter(TEST)
    far.value = "open"
    engine.look_far()
    engine.leave(TEST)
    far.value = "closed"
    engine.close(TEST)
    assert engine.claimed() == ()
    far.value = "open"
    engine.enter(TEST)
    engine.look_far()
    engine.leave(TEST)
    engine.close(TEST)
    assert len(engine.claimed()) == 1


class Near(Box):
    """Only a near look sees it; where it is not near, only by chance."""

    always_near = True

    def look(self) -> Iterable[Change]:
        return ()

    def look_near(self) -> Iterable[Change]:
        return super().look()

    def is_near(self, owner: Actor, change: Change) -> bool:
        return self.always_near


SET_UP = Actor("setup", "tests/test_a.py::T::setUp", "tests/test_a.py::T", "function", path="tests/test_a.py")


@pytest.mark.parametrize(("is_looked_at", "always_near"), [(False, True), (True, True), (True, False)])
def test_what_nobody_looked_at_is_no_proof_that_a_set_up_left_it(*, is_looked_at: bool, always_near: bool) -> None:
    """The set-up closes the box before each test; before the second nobody looks, or it is left open there."""
    near = Near(last="closed", value="closed")
    near.always_near = always_near
    is_seen = is_looked_at and always_near
    engine = Engine([near])
    engine._far.share = 0
    looks = iter([True, True, is_looked_at, *[True] * 5])
    engine._near.is_affordable = lambda now: next(looks)  # type: ignore[method-assign]
    for number in range(4):
        engine.ledger.set_up_begins()
        engine.ledger.enter(SET_UP)
        if number != 1 or not is_looked_at:
            near.value = "closed"
        engine.leave(SET_UP)
        test = TEST._replace(id=f"tests/test_a.py::T::test_{number}", group=SET_UP.group)
        engine.ledger.body_begins(test)
        near.value = f"open {number}"
        engine.leave(test)
        engine.close(test)
        engine.close_windows()
    claims = engine.claimed()
    assert [claim.seen_in_group for claim in claims] == [is_seen, False, False, False]
    assert {weight for _, weight in weigh(claims)} == ({Weight.LOWER, Weight.FULL} if is_seen else {Weight.SILENT})
