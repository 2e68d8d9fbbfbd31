"""The ledger: debts, payments, claims and weights, by example and against a simple model."""

from __future__ import annotations

import gc
import itertools
import weakref

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_secaudit.model import Owner, Place
from pytest_secaudit.watch.ledger import OUTSIDE, Actor, Ledger
from pytest_secaudit.watch.record import Claimed
from pytest_secaudit.watch.state import Change, Held, Site
from pytest_secaudit.watch.weights import Weight, weigh


def a_test(name: str, group: str = "test_a.py") -> Actor:
    return Actor("test", name, group)


SESSION = Actor("fixture", "session_fixture", "session")
MODULE = Actor("fixture", "module_fixture", "test_a.py")
SET_UP = Actor("setup", "setUp", "test_a.py::A")


class World:
    """A value per subject, and the ledger that is told of each change as a look would find it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.values: dict[str, object] = {}

    def write(self, value: object, subject: str = "TZ", line: int | None = None) -> None:
        before = self.values.get(subject)
        self.values[subject] = value
        if before != value:
            site = Site(Place("test_a.py", line), Place("test_a.py", line)) if line else None
            self.ledger.note("environ", [Change(subject, before, value, site)])

    def act(self, actor: Actor, *values: object) -> None:
        self.ledger.setting_up = actor.kind == "setup"
        self.ledger.enter(actor)
        if actor.kind == "test":
            self.ledger.body_begins(actor)
        for value in values:
            self.write(value)
        self.ledger.leave(actor)

    def claims(self) -> list[tuple[str, object, object]]:
        return [(claim.owner.id, claim.change.before, claim.change.after) for claim in self.ledger.claims]


def test_a_clean_up_that_goes_back_beyond_the_repair_owes_nothing() -> None:
    """A plugin's variable; a fixture sets it with `monkeypatch`, its test deletes it, and `monkeypatch` puts it back."""
    world = World()
    world.write("of the plugin")
    monkeypatch, sets = (SET_UP._replace(kind="fixture", id=name, scope="function") for name in ("monkeypatch", "sets"))
    world.act(sets, "mine")
    world.act(a_test("test_1")._replace(scope="function"), None)
    world.act(monkeypatch, "of the plugin")
    assert not any(world.ledger.owes(actor) for actor in (monkeypatch, sets))
    world.ledger.close(OUTSIDE)
    assert world.claims() == [(OUTSIDE.id, None, "of the plugin")]


def test_a_repair_is_for_good_once_its_test_is_over() -> None:
    """A tearDown that takes away what setUp set: who sets it again later owes it, and nothing of it is kept alive."""
    world = World()
    set_up = SET_UP._replace(scope="function")
    first, later = (a_test(name)._replace(scope="function") for name in ("test_1", "test_2"))
    value = Held(world)
    world.act(set_up, value)
    world.act(first, None)
    assert not world.ledger.owes(first)  # so nobody closes it
    world.ledger.set_up_begins()
    assert all(value not in gc.get_referents(one) for one in gc.get_objects() if type(one).__name__ == "_Repair")
    world.act(later, value)
    assert [claim.owner for claim in world.ledger.close(later)] == [later]


def test_a_repair_of_a_wider_fixture_outlives_a_test() -> None:
    world = World()
    module = MODULE._replace(scope="module")
    session = SESSION._replace(scope="session")
    world.act(session, "UTC")
    world.act(module, None)
    world.ledger.set_up_begins()
    world.act(module, "UTC")
    assert world.ledger.close(module) == []
    assert [claim.owner for claim in world.ledger.close(session)] == [session]


def test_a_repair_of_a_wider_fixture_is_for_good_once_its_own_scope_is_over() -> None:
    world = World()
    module = MODULE._replace(scope="module")
    world.act(SESSION, "UTC")
    world.act(module, None)
    assert not world.ledger.owes(module)
    assert not world.ledger.is_even(())
    world.ledger.over(module)
    assert world.ledger.is_even(())
    later = a_test("test_2")
    world.act(later, "UTC")
    assert [claim.owner for claim in world.ledger.close(later)] == [later]


def test_what_is_put_back_is_no_claim() -> None:
    world = World()
    test = a_test("test_1")
    world.act(test, "UTC", None)
    assert world.ledger.close(test) == []


def test_what_is_left_is_claimed_from_its_owner_once() -> None:
    world = World()
    first, second = a_test("test_1"), a_test("test_2")
    world.act(first, "UTC")
    world.ledger.close(first)
    world.ledger.close(first)
    world.act(second)
    world.ledger.close(second)
    assert world.claims() == [("test_1", None, "UTC")]


def test_session_fixture_that_sets_and_later_removes_is_silent() -> None:
    world = World()
    test = a_test("test_1")
    world.act(SESSION, "UTC")
    world.act(test, "CET", "UTC")
    world.ledger.close(test)
    world.act(SESSION, None)
    world.ledger.close(SESSION)
    assert world.claims() == []


def test_leaking_fixture_is_named_once_not_once_per_test() -> None:
    world = World()
    world.act(MODULE, "UTC")
    for name in ("test_1", "test_2", "test_3"):
        world.act(a_test(name))
        world.ledger.close(a_test(name))
    world.ledger.close(MODULE)
    assert world.claims() == [("module_fixture", None, "UTC")]


def test_anyone_may_pay() -> None:
    world = World()
    test = a_test("test_1")
    world.act(test, "UTC")
    assert world.ledger.owes(test)
    world.act(Actor("fixture", "cleaner", "test_a.py"), None)
    assert not world.ledger.owes(test)
    assert world.ledger.close(test) == []


def test_test_that_removes_the_leak_of_another_is_not_named() -> None:
    world = World()
    first, second = a_test("test_1"), a_test("test_2")
    world.act(first, "UTC")
    world.ledger.close(first)
    world.act(second, None)
    world.ledger.close(second)
    assert [claim.owner.id for claim in world.ledger.claims] == ["test_1"]
    assert world.ledger.claims[0].paid_by == second


def test_one_who_takes_it_away_for_a_while_owes_nothing() -> None:
    """A session fixture sets a variable; a test removes it with monkeypatch, which sets it again at its end."""
    world = World()
    patcher = Actor("fixture", "monkeypatch", "test_a.py::test_1")
    test = a_test("test_1")
    world.act(SESSION, "UTC")
    world.act(test, None)
    world.act(patcher, "UTC")
    assert world.ledger.close(test) == world.ledger.close(patcher) == []
    assert world.ledger.owes(SESSION)
    world.act(SESSION, None)
    assert world.ledger.close(SESSION) == []


def test_a_claim_that_was_only_paid_for_a_while_stands() -> None:
    world = World()
    first, second = a_test("test_1"), a_test("test_2")
    world.act(first, "UTC")
    world.ledger.close(first)
    world.act(second, None, "CET", "UTC")
    assert world.ledger.close(second) == []
    (claim,) = world.ledger.claims
    assert (claim.paid_by, claim.until) == (None, None)


def test_what_was_put_back_for_good_is_owed_by_who_sets_it_anew() -> None:
    world = World()
    first, second, third = (a_test(f"test_{n}") for n in (1, 2, 3))
    world.act(first, "UTC")
    world.ledger.close(first)
    world.act(second, None)
    world.ledger.close(second)
    world.act(third, "UTC")
    world.ledger.close(third)
    assert [claim.owner.id for claim in world.ledger.claims] == ["test_1", "test_3"]


def test_change_on_top_of_a_leak_has_its_own_owner() -> None:
    world = World()
    first, second = a_test("test_1"), a_test("test_2")
    world.act(first, "UTC")
    world.ledger.close(first)
    world.act(second, "CET")
    world.ledger.close(second)
    assert world.claims() == [("test_1", None, "UTC"), ("test_2", "UTC", "CET")]


def test_going_back_below_several_debts_pays_them_all() -> None:
    world = World()
    test = a_test("test_1")
    world.act(MODULE, "UTC")
    world.act(test, "CET")
    world.act(MODULE, None)
    assert world.ledger.close(test) == []
    assert world.ledger.close(MODULE) == []


def test_last_writing_line_is_kept() -> None:
    world = World()
    test = a_test("test_1")
    world.ledger.enter(test)
    world.write("UTC", line=3)
    world.write("CET", line=4)
    world.write("EST")
    (claim,) = world.ledger.close(test)
    assert claim.change.site is not None
    assert claim.change.site.edit == Place("test_a.py", 4)
    assert (claim.change.before, claim.change.after) == (None, "EST")


def test_what_nobody_on_stage_did_is_outside() -> None:
    world = World()
    world.write("UTC")
    world.ledger.close(OUTSIDE)
    assert world.claims() == [("outside", None, "UTC")]


def test_what_a_thread_wrote_is_of_its_starter() -> None:
    ledger = Ledger()
    starter = a_test("test_1")
    ledger.enter(a_test("test_2"))
    ledger.note("environ", [Change("TZ", None, "UTC", Site(by=starter))])
    assert ledger.owes(starter)


def test_same_subject_of_two_areas_is_two_debts() -> None:
    ledger = Ledger()
    ledger.enter(MODULE)
    ledger.note("environ", [Change("X", 0, 1)])
    ledger.note("patches", [Change("X", 0, 1)])
    ledger.note("environ", [Change("X", 1, 0)])
    assert [area for area, _ in ledger.owed(MODULE)] == ["patches"]


def test_things_of_one_name_are_told_apart_by_their_key() -> None:
    ledger = Ledger()
    ledger.enter(MODULE)
    ledger.note(
        "threads", [Change("thread worker", "", "running", key="1"), Change("thread worker", "", "running", key="2")]
    )
    ledger.note("threads", [Change("thread worker", "running", "", key="1")])
    assert len(ledger.close(MODULE)) == 1


def test_debt_that_turned_out_to_be_none_is_forgiven() -> None:
    ledger = Ledger()
    ledger.enter(MODULE)
    ledger.note("patches", [Change("X", 0, 1)])
    ((area, change),) = ledger.owed(MODULE)
    ledger.forgive(MODULE, area, change)
    assert ledger.close(MODULE) == []
    ledger.note("patches", [Change("X", 1, 0)])
    assert ledger.owes(MODULE)


def test_forgotten_actor_leaves_with_the_one_around_it() -> None:
    ledger = Ledger()
    ledger.enter(SESSION)
    ledger.enter(MODULE)
    ledger.leave(SESSION)
    assert ledger.acting == OUTSIDE
    ledger.leave(MODULE)
    assert ledger.acting == OUTSIDE


def test_claimed_object_is_let_go() -> None:
    class Handler:
        pass

    ledger = Ledger()
    ledger.enter(MODULE)
    old, new = Handler(), Handler()
    ledger.note("logging", [Change("h", Held(old), Held(new))])
    gone = weakref.ref(old)
    ledger.close(MODULE)
    del old
    gc.collect()
    assert gone() is None
    ledger.note("logging", [Change("h", Held(new), Held(Handler()))])


def test_a_user_s_eq_is_never_called() -> None:
    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = object.__hash__

    thing = Hostile()
    assert Held(thing) == Held(thing)
    assert Held(thing) != Held(Hostile())


def test_later_tests_see_it_and_failed_ones_are_victims() -> None:
    world = World()
    polluter, second, third = (a_test(f"test_{n}") for n in (1, 2, 3))
    world.act(polluter, "UTC")
    world.ledger.close(polluter)
    world.act(second)
    world.ledger.test_failed("test_2")
    world.act(third)
    world.act(SESSION, None)
    world.act(a_test("test_4"))
    (claim,) = world.ledger.claims
    assert [(body.test, body.failed) for body in world.ledger.seen(claim)] == [("test_2", True), ("test_3", False)]


# --- weights


def weights(world: World, parts: frozenset[int] = frozenset()) -> list[Weight]:
    owner = Owner("test", "", "", 1)
    claims = [
        Claimed(
            source="",
            serial=claim.serial,
            code="PSA101",
            area=claim.area,
            subject=claim.change.subject,
            said="",
            fix="",
            owner=owner,
            group=claim.owner.group,
            after_failure=claim.after_failure,
            paid_by=claim.paid_by.kind if claim.paid_by else "",
            remade=claim.remade,
            seen_in_group=any(body.group == claim.owner.group for body in world.ledger.seen(claim)),
            is_part=claim.serial in parts,
        )
        for claim in world.ledger.claims
    ]
    return [weight for _, weight in weigh(claims)]


def test_never_put_back_is_full() -> None:
    world = World()
    world.act(a_test("test_1"), "UTC")
    world.ledger.close(a_test("test_1"))
    assert weights(world) == [Weight.FULL]


def test_put_back_by_a_wider_scope_is_one_lower() -> None:
    world = World()
    test = a_test("test_1")
    world.act(test, "UTC")
    world.ledger.close(test)
    world.act(SESSION, None)
    assert weights(world) == [Weight.LOWER]


def test_put_back_by_another_test_is_full() -> None:
    world = World()
    test = a_test("test_1")
    world.act(test, "UTC")
    world.ledger.close(test)
    world.act(a_test("test_2"), None)
    assert weights(world) == [Weight.FULL]


def test_left_by_a_test_that_failed_is_one_lower() -> None:
    world = World()
    test = a_test("test_1")
    world.act(test, "UTC")
    world.ledger.close(test, failed=True)
    assert weights(world) == [Weight.LOWER]


def test_remade_by_every_following_set_up_is_silent_the_last_too() -> None:
    world = World()
    for name in ("test_1", "test_2", "test_3"):
        world.act(SET_UP, None)
        test = a_test(name, "test_a.py::A")
        world.act(test, name)
        world.ledger.close(test)
    assert weights(world) == [Weight.SILENT] * 3


def test_one_body_that_saw_it_makes_all_of_the_group_count() -> None:
    world = World()
    for name in ("test_1", "test_2", "test_3"):
        if name != "test_2":
            world.act(SET_UP, None)
        test = a_test(name, "test_a.py::A")
        world.act(test, name)
        world.ledger.close(test)
    assert Weight.SILENT not in weights(world)


def test_parts_of_what_was_replaced_as_a_whole_went_with_it() -> None:
    """A test changes something in what another made; the next set-up makes the whole anew, and nobody puts parts back."""
    world = World()
    for name in ("test_1", "test_2", "test_3"):
        world.act(SET_UP, None)
        test = a_test(name, "test_a.py::A")
        world.ledger.enter(test)
        world.ledger.body_begins(test)
        change = Change("TZ", "before", "after", None, key="TZ.name")
        if name == "test_1":
            world.ledger.note("environ", [change])
        else:
            world.write(name)
        world.ledger.leave(test)
        world.ledger.close(test)
    assert weights(world) == [Weight.FULL, Weight.LOWER, Weight.FULL]
    assert weights(world, parts=frozenset((0,))) == [Weight.SILENT] * 3
    assert weights(world, parts=frozenset((0, 2))) == [Weight.SILENT] * 3


def test_parts_alone_are_weighed_as_wholes_are() -> None:
    world = World()
    for name in ("test_1", "test_2"):
        world.act(SET_UP, None)
        test = a_test(name, "test_a.py::A")
        world.act(test, name)
        world.ledger.close(test)
    assert weights(world, parts=frozenset((0, 1))) == [Weight.SILENT] * 2
    world.act(a_test("test_3", "test_a.py::A"))
    assert weights(world, parts=frozenset((0, 1))) != [Weight.SILENT] * 2


# --- against a model


class Model:
    """The same bookkeeping, said plainly: the writes that are still in force, and who made each."""

    def __init__(self) -> None:
        self.layers: list[tuple[str, object, object, int]] = []  # owner, before, after, number
        self.claimed: set[int] = set()
        self.claims: list[str] = []
        self.ids = itertools.count()
        self.repair: tuple[str, object, int, list[tuple[str, object, object, int]]] | None = None

    def write(self, owner: str, before: object, after: object) -> None:
        for index, layer in enumerate(self.layers):
            if layer[1] == after:
                paid = self.layers[index:]
                del self.layers[index:]
                if owner != "outside" and {one[0] for one in paid} != {owner}:
                    self.repair = (owner, before, index, paid)
                return
        again = self._again(after)
        if self.repair is not None and again and len(self.layers) >= self.repair[2]:
            self.layers[self.repair[2] :] = again
            self.repair = None
            return
        if self.layers and self.layers[-1][0] == owner and self.layers[-1][3] not in self.claimed:
            self.layers[-1] = (owner, self.layers[-1][1], after, self.layers[-1][3])
        else:
            self.layers.append((owner, before, after, next(self.ids)))

    def _again(self, value: object) -> list[tuple[str, object, object, int]]:
        if self.repair is None:
            return []
        _, before, _, paid = self.repair
        below = [number for number, layer in enumerate(paid) if layer[1] == value]
        return paid if before == value else paid[: below[0]] if below else []

    def close(self, owner: str) -> None:
        for layer in self.layers:
            if layer[0] == owner and layer[3] not in self.claimed:
                self.claimed.add(layer[3])
                self.claims.append(owner)
        if self.repair is not None and self.repair[0] == owner:
            self.repair = None


OWNERS = [Actor("test", name, "g") for name in "abcd"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sampled_from(OWNERS)),
        st.tuples(st.just("leave"), st.sampled_from(OWNERS)),
        st.tuples(st.just("close"), st.sampled_from(OWNERS)),
        st.tuples(st.just("write"), st.integers(0, 3)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_nesting_of_scopes_writers_and_payers_agrees_with_the_model(steps) -> None:
    world, model, stage = World(), Model(), []
    world.values["TZ"] = 0
    for what, argument in steps:
        if what == "enter":
            world.ledger.enter(argument)
            stage.append(argument)
        elif what == "leave":
            world.ledger.leave(argument)
            while argument in stage:
                if stage.pop() == argument:
                    break
        elif what == "close":
            world.ledger.close(argument)
            model.close(argument.id)
        else:
            before = world.values["TZ"]
            world.write(argument)
            if before != argument:
                model.write(stage[-1].id if stage else "outside", before, argument)
        assert world.ledger.acting == (stage[-1] if stage else OUTSIDE)
        for owner in OWNERS:
            owed = [layer for layer in model.layers if layer[0] == owner.id and layer[3] not in model.claimed]
            assert world.ledger.owes(owner) is bool(owed)
    assert [claim.owner.id for claim in world.ledger.claims] == model.claims


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whoever_restores_everything_owes_nothing(steps) -> None:
    world = World()
    world.values["TZ"] = 0
    for what, argument in steps:
        if what == "write":
            world.write(argument)
    world.write(0)
    for owner in (*OWNERS, OUTSIDE):
        assert world.ledger.close(owner) == []
