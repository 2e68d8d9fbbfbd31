"""What lines that ran say of suspicions, and of tests that passed."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from pytest_secaudit.carrying import Cargo, joined, pack, unpack
from pytest_secaudit.checks import built_in
from pytest_secaudit.model import DEFECT, Proof
from pytest_secaudit.proofs import Checked, checked, evidence, interest
from pytest_secaudit.reading import Reading, TestFact, from_plain, packed, to_plain
from pytest_secaudit.rules import read
from pytest_secaudit.watch.record import LinesRan, Watched

CHECKS = built_in()
PATH = "tests/test_a.py"
TEST = f"{PATH}::test_a"


def reading(source: str, *codes: str) -> Reading:
    found = read(textwrap.dedent(source).encode(), PATH, [check for check in CHECKS if check.code in codes])
    assert (found.error, found.failures) == (None, ())
    return found


def ran(*lines: int, test: str = TEST, functions: tuple[str, ...] = (TEST,), **more: object) -> LinesRan:
    return LinesRan(PATH, test, functions, lines, **more)  # type: ignore[arg-type]


def watched(*records: LinesRan, state: str = "on") -> Watched:
    return Watched(watchers={"lines": state}, lines=records)


def verdict(
    found: Reading, *records: LinesRan, outcomes: dict[str, str] | None = None, state: str = "on"
) -> str | None:
    outcomes = outcomes if outcomes is not None else {record.test: "passed" for record in records}
    answers = list(evidence([found], watched(*records, state=state), outcomes).values())
    assert len(answers) < 2
    return answers[0] if answers else None


DEAD = reading(
    """
    import pytest
    def test_a(user):
        with pytest.raises(ValueError):
            user.login("wrong")
            assert user.failures == 1
    """,
    "PSA201",
)
ONLY_EXCEPT = reading(
    """
    def test_a(host):
        try:
            connect(host)
        except ValueError as error:
            assert "host" in str(error)
            assert error.host == host
    """,
    "PSA202",
)
CONDITIONAL = reading(
    """
    def test_a():
        for order in find():
            if order.open:
                assert order.total
    """,
    "PSA011",
)
EARLY = reading(
    """
    def test_a(data):
        if not data:
            return
        data.load()
        assert data.rows
    """,
    "PSA012",
)
SWALLOWED = reading(
    """
    def test_a(user):
        try:
            user.login("wrong")
            assert user.active
        except Exception:
            pass
    """,
    "PSA203",
)
DISCARDED = reading(
    """
    def test_a(user):
        user.login()
        user.name == "x"
    """,
    "PSA006",
)
NEVER_RAN = [(DEAD, 6), (ONLY_EXCEPT, 6), (CONDITIONAL, 5)]


@pytest.mark.parametrize(("found", "line"), NEVER_RAN, ids=["PSA201", "PSA202", "PSA011"])
class TestNeverRan:
    def test_a_test_that_passed_without_it_confirms(self, found: Reading, line: int) -> None:
        assert verdict(found, ran(4)) == "confirmed"

    def test_one_run_that_got_there_clears(self, found: Reading, line: int) -> None:
        assert verdict(found, ran(line)) == "cleared"
        assert verdict(found, ran(test=f"{TEST}[a]"), ran(line, test=f"{TEST}[b]")) == "cleared"

    def test_a_run_that_failed_there_shows_that_it_can_be_reached(self, found: Reading, line: int) -> None:
        assert verdict(found, ran(test=f"{TEST}[a]"), ran(line, test=f"{TEST}[b]", passed=False)) == "cleared"

    @pytest.mark.parametrize("outcome", ["failed", "skipped"])
    def test_what_did_not_pass_decides_nothing(self, found: Reading, line: int, outcome: str) -> None:
        assert verdict(found, ran(), outcomes={TEST: outcome}) is None
        assert verdict(found, ran(passed=False)) is None

    def test_what_was_not_started_or_not_seen_decides_nothing(self, found: Reading, line: int) -> None:
        assert verdict(found) is None
        assert verdict(found, ran(functions=(f"{PATH}::test_b",))) is None
        assert verdict(found, ran(whole=False)) is None
        assert verdict(found, ran(), state="off: no tool id") is None


@pytest.mark.parametrize(("found", "first"), [(DEAD, 4), (ONLY_EXCEPT, 3)], ids=["PSA201", "PSA202"])
def test_a_block_that_was_never_entered_proves_nothing(found: Reading, first: int) -> None:
    assert verdict(found, ran()) == "not-reached"
    assert verdict(found, ran(test=f"{TEST}[a]"), ran(first, test=f"{TEST}[b]")) == "confirmed"
    assert verdict(found, ran(test=f"{TEST}[a]"), ran(first, test=f"{TEST}[b]", passed=False)) == "not-reached"
    assert verdict(found, ran(first + 1)) == "confirmed"
    assert verdict(found, ran(first + 2)) != "confirmed"


def test_a_block_begins_with_its_keyword_and_the_head_of_its_first_statement() -> None:
    source = """
    import pytest
    def test_a(user):
        with pytest.raises(
            ValueError
        ):
            # comment
            with user.session(
                1
            ):
                user.login()
            assert user.failures == 1
    """
    (hit,) = reading(source, "PSA201").hits
    assert hit.decided_by is not None
    assert (hit.decided_by.lines, hit.decided_by.at) == ((12,), tuple(range(4, 11)))


def test_early_return() -> None:
    assert verdict(EARLY, ran(4)) == "confirmed"
    assert verdict(EARLY, ran(6)) == "cleared"
    assert verdict(EARLY, ran(4, test=f"{TEST}[a]"), ran(6, test=f"{TEST}[b]")) == "cleared"
    assert verdict(EARLY, ran()) == "not-reached"
    assert verdict(EARLY, ran(4, passed=False)) is None


def test_swallowed() -> None:
    assert verdict(SWALLOWED, ran(5, 6, 7, swallowed=(5,))) == "confirmed"
    assert verdict(SWALLOWED, ran(5)) == "cleared"
    assert verdict(SWALLOWED, ran(6, 7)) == "not-reached"
    assert verdict(SWALLOWED, ran(6, 7, swallowed=(4,))) == "not-reached"  # an AssertionError of the product
    assert verdict(SWALLOWED, ran(5, test=f"{TEST}[a]"), ran(5, 6, test=f"{TEST}[b]", swallowed=(5,))) == "confirmed"
    assert verdict(SWALLOWED, ran(5, 6, swallowed=(5,), passed=False)) is None


def test_discarded() -> None:
    assert verdict(DISCARDED, ran(4)) == "confirmed"
    assert verdict(DISCARDED, ran()) == "not-reached"
    assert verdict(DISCARDED, ran(test=f"{TEST}[a]"), ran(4, test=f"{TEST}[b]")) == "confirmed"
    assert verdict(DISCARDED, ran(4), outcomes={TEST: "failed"}) is None


def test_a_helper_is_decided_by_the_tests_of_its_file() -> None:
    found = reading(
        """
        def check(user):
            try:
                assert user.active
            except AssertionError:
                pass
        """,
        "PSA203",
    )
    assert verdict(found, ran(4, 5, swallowed=(4,), functions=())) == "confirmed"
    assert verdict(found, ran(4, functions=())) == "cleared"
    assert verdict(found, LinesRan(PATH, "", (), (4, 5), (4,)), outcomes={}) == "confirmed"  # in a set-up
    assert verdict(found) is None


# --- what rules hand over


def test_the_words_and_level_of_what_is_confirmed() -> None:
    (hit,) = ONLY_EXCEPT.hits
    assert hit.decided_by == Proof(
        "never-ran", (6, 7), at=(3, 4), said="test_a passed, nothing was raised, lines 6-7 never ran"
    )
    (hit,) = DEAD.hits
    assert hit.decided_by is not None
    assert (hit.decided_by.lines, hit.decided_by.level) == ((6,), DEFECT)
    (hit,) = EARLY.hits
    assert hit.decided_by is not None
    assert (hit.decided_by.lines, hit.decided_by.at) == ((6,), (4,))
    (hit,) = SWALLOWED.hits
    assert hit.decided_by == Proof("swallowed", (5,), at=(6, 7))


def test_a_line_that_is_shared_proves_nothing() -> None:
    found = reading(
        """
        def test_a():
            for order in find(): assert order
        def test_b(data):
            if not data: return
            assert data
        """,
        "PSA011",
        "PSA012",
    )
    assert [one.decided_by for one in (*found.hits, *found.armed)] == [None, None]


def test_a_statement_over_several_lines_is_reached_by_any_of_them() -> None:
    found = reading(
        "def test_a():\n    for order in find():\n        assert (\n            order\n        )\n", "PSA011"
    )
    assert found.armed[0].decided_by == Proof("never-ran", (3, 4, 5))


def test_what_is_followed() -> None:
    wanted = interest(SWALLOWED, own=True)
    assert (wanted.lines, wanted.handlers, dict(wanted.tests)) == ({5, 6, 7}, {6, 7}, {2: TEST})
    sure = reading("def test_a():\n    assert x\n\ndef test_b():\n    run()\n")
    assert not interest(sure, own=True)
    assert dict(interest(sure, own=False).tests) == {1: TEST, 4: f"{PATH}::test_b"}


# --- guards


def test_guards() -> None:
    found = reading(
        """
        import pytest
        def check(x):
            if x:
                raise AssertionError(x)
        class TestIt:
            def test_a(self):
                self.fail("no")
                pytest.fail(
                    "no")
                assert False, "secret"
                assert x
        """
    )
    assert [(guard.line, guard.end_line, guard.text, guard.owner) for guard in found.guards] == [
        (5, 5, "raise AssertionError(x)", f"{PATH}::check"),
        (11, 11, "assert False, 'secret'", f"{PATH}::TestIt::test_a"),
        (8, 8, "self.fail('no')", f"{PATH}::TestIt::test_a"),
        (9, 10, "pytest.fail('no')", f"{PATH}::TestIt::test_a"),
    ]
    assert dict(interest(found, own=True).tests) == {7: f"{PATH}::TestIt::test_a"}


# --- whether passing implies a check


SURE = """
def test_a():
    assert x
def test_b(self):
    self.assertEqual(1, 1)
def test_c():
    with pytest.raises(ValueError):
        run()
def test_d(lock):
    with lock:
        run()
        assert x
def test_e(called):
    called.assert_called_once_with(3)
def test_f():
    if x:
        pytest.fail("x")
def test_g():
    try:
        run()
    except ValueError:
        pytest.fail("x")
def test_h():
    helper(3)
def test_i():
    if x:
        assert x
    else:
        assert not x
def test_j():
    try:
        run()
    finally:
        assert x
def test_k():
    error = self.assertRaises(ValueError, run)
def test_l():
    for x in (1, 2):
        assert x
async def test_m():
    await later()
def test_n():
    return self.assertTrue(x)
def test_o():
    with pytest.warns(UserWarning):
        run()
def test_p():
    try:
        run()
        assert x
    except ValueError:
        raise
def helper(x):
    run()
    assert x
async def later():
    assert x
"""
MAYBE = """
def test_a():
    if x:
        assert x
def test_b():
    if x:
        return
    assert x
def test_c():
    for y in x:
        assert y
def test_d():
    try:
        run()
        assert x
    except ValueError:
        pass
def test_e():
    with suppress(ValueError):
        run()
        assert x
def test_f():
    def inner():
        assert x
    run(inner)
def test_g():
    maybe(3)
def test_h():
    later()
def test_i():
    decorated()
def test_j():
    for y in (1, 2):
        if y: continue
        assert y
def maybe(x):
    if x:
        assert x > 3
async def later():
    assert x
@contextmanager
def decorated():
    assert x
"""


def test_passing_surely_implies_a_check() -> None:
    assert [(fact.test, fact.checks) for fact in reading(SURE).facts if fact.checks != "sure"] == []


def test_passing_may_imply_a_check_and_the_lines_decide() -> None:
    facts = {fact.test[-1]: (fact.checks, fact.lines) for fact in reading(MAYBE).facts}
    assert {name: checks for name, (checks, _) in facts.items() if checks != "maybe"} == {}
    assert {name: lines for name, (_, lines) in facts.items()} == {
        "a": (4,), "b": (8,), "c": (11,), "d": (15,), "e": (21,), "f": (24,), "g": (38,), "h": (40,), "i": (43,), "j": (35,),
    }  # fmt: skip


def test_what_cannot_be_seen_from_here() -> None:
    found = reading(
        "def test_a(self):\n    self.inherited()\n    helpers.check_it(1)\ndef test_b():\n    if x: assert x\n"
    )
    assert [(fact.checks, fact.unseen) for fact in found.facts] == [
        ("unknown", ("self.inherited", "helpers.check_it")),
        ("unknown", ("",)),
    ]


def test_the_first_line_of_a_test_is_that_of_its_code() -> None:
    assert reading("@a\n@b\ndef test_a():\n    assert x\n").facts[0].line == 1


def fact(name: str, checks: str, *lines: int) -> TestFact:
    return TestFact(f"{PATH}::{name}", 1, checks, lines)  # type: ignore[arg-type]


def test_the_share_of_passed_tests_that_checked_something() -> None:
    found = Reading(
        PATH,
        **packed(
            [fact("sure", "sure"), fact("maybe", "maybe", 5), fact("unknown", "unknown"), fact("nothing", "maybe")]
        ),
    )
    names = ("sure[a]", "sure[b]", "maybe[a]", "maybe[b]", "unknown[a]", "unknown[b]", "nothing", "doctest")
    outcomes = {f"{PATH}::{name}": "passed" for name in names} | {f"{PATH}::sure[c]": "failed"}
    records = [
        ran(5, test=f"{PATH}::maybe[a]", functions=(f"{PATH}::maybe",)),
        ran(test=f"{PATH}::maybe[b]", functions=(f"{PATH}::maybe",)),
        ran(test=f"{PATH}::unknown[a]", functions=(f"{PATH}::unknown",), checked=True),
        ran(test=f"{PATH}::unknown[b]", functions=(f"{PATH}::unknown",)),
    ]
    assert checked([found], watched(*records), outcomes) == Checked(
        tests=4, judged=6, idle=(f"{PATH}::maybe[b]", f"{PATH}::nothing")
    )
    assert checked([found], watched(*records, state="off: x"), outcomes) == Checked(
        tests=2, judged=3, idle=(f"{PATH}::nothing",)
    )
    assert checked([found], watched(), {}) is None
    assert checked([], watched(), outcomes) is None


def test_an_inherited_test_is_known_by_the_function_that_was_started() -> None:
    base = Reading("tests/base.py", **packed([TestFact("tests/base.py::Base::test_a", 3, "sure")]))
    record = LinesRan("tests/base.py", f"{PATH}::TestIt::test_a", ("tests/base.py::Base::test_a",))
    outcomes = {record.test: "passed"}
    assert checked([base], watched(record), outcomes) == Checked(1, 1)
    assert checked([base], watched(), outcomes) == Checked(0, 0)


def test_a_test_that_is_inherited_in_its_own_file() -> None:
    base = fact("Base::test_a", "sure"), fact("Base::test_b", "sure"), fact("Other::test_b", "maybe", 3)
    outcomes = {f"{PATH}::TestIt::{name}": "passed" for name in ("test_a[x]", "test_b")}
    assert checked([Reading(PATH, **packed(base))], watched(), outcomes) == Checked(1, 1)


# --- as plain data


@pytest.mark.parametrize("found", [DEAD, CONDITIONAL, EARLY, SWALLOWED, reading(MAYBE)])
def test_readings_come_back(found: Reading) -> None:
    (back,) = unpack(pack(Cargo(readings=(found,)))).readings
    assert back == found == from_plain(to_plain(found))


def test_records_come_back_and_are_joined() -> None:
    one, other = ran(3, 5, swallowed=(3,)), ran(test="t[b]", passed=False, whole=False, checked=True)
    cargo = unpack(pack(Cargo(watched=watched(one, other))))
    assert cargo.watched == watched(one, other)
    assert joined([watched(one), replace(watched(other), watchers={})]).lines == (one, other)
