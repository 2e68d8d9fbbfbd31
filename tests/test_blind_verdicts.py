"""Which replaced function is blind, half-blind or unknown: from what was replaced and what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_secaudit.blind import BlindSpots
from pytest_secaudit.blind_spots import (
    CHECKS_NOTHING,
    ONLY_AT_IMPORT,
    blind_spots,
    findings_of,
    said_of,
    with_blind_spots,
)
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.facts import BlindFacts, Facts, from_plain, to_plain, together
from pytest_secaudit.model import ADVISORY, INFO, Observation, Place
from pytest_secaudit.reports.blind_rows import headline, remark, word
from pytest_secaudit.watch.blind.record import AND_OTHERS, OUTSIDE_OF_TESTS, Executed, Replaced

SHOP = "shop/orders.py"
PAY = Replaced(
    path=SHOP, line=6, first=5, qualname="pay", body=(7, 8), word="", package="shop", checksum=77,
    tests=("test_a.py::test_b",), places=(Place("test_a.py", 3),),
)  # fmt: skip
NOBODY = Executed(starts={})
CHECK = next(heading for heading in HEADINGS if heading.code == "PSA810")


def verdict(*executed: Executed, one: Replaced = PAY, idle: tuple[str, ...] = ()) -> str:
    spots = blind_spots(BlindFacts((one,), executed, idle), is_complete=True)
    assert spots.replaced == 1
    if spots.half:
        return spots.half[0].ran
    return "blind" if spots.blind else "unknown" if spots.unknown else "run"


@pytest.mark.parametrize(
    ("executed", "said"),
    [
        ([], "unknown"),
        ([Executed()], "unknown"),
        ([NOBODY], "blind"),
        ([NOBODY, Executed(starts={SHOP: {6: (0,)}}, tests=("t",))], "blind"),  # of another function
        ([NOBODY, Executed(starts={SHOP: {5: (0,)}}, tests=("t",))], "run"),
        ([NOBODY, Executed(starts={SHOP: {-5: (0,)}}, tests=("t",))], "blind"),  # of a lambda in its decorator
        ([NOBODY, Executed(starts={SHOP: {5: (AND_OTHERS,)}})], "run"),
        ([Executed(starts={SHOP: {5: (OUTSIDE_OF_TESTS,)}}, knows_tests=True)], ONLY_AT_IMPORT),
        ([Executed(starts={SHOP: {5: (OUTSIDE_OF_TESTS,)}}, knows_tests=False)], "run"),
        ([Executed(starts={SHOP: {5: (OUTSIDE_OF_TESTS,)}}, knows_tests=True), NOBODY], "run"),
        ([Executed(starts={SHOP: {5: (OUTSIDE_OF_TESTS, AND_OTHERS)}}, knows_tests=True)], "run"),
        ([Executed(starts={SHOP: {5: (0,)}}, tests=("idle",), knows_tests=True)], CHECKS_NOTHING),
        ([Executed(starts={SHOP: {5: (0, 1)}}, tests=("idle", "busy"), knows_tests=True)], "run"),
        ([Executed(starts={SHOP: {5: (0, AND_OTHERS)}}, tests=("idle",), knows_tests=True)], "run"),
        ([Executed(lines={})], "unknown"),  # the file is left out
        ([Executed(lines={SHOP: {}})], "blind"),
        ([Executed(lines={SHOP: {5: (), 6: ()}})], "blind"),  # its definition ran
        ([Executed(lines={SHOP: {8: ()}})], "run"),
        ([Executed(lines={SHOP: {8: (-1,)}}, knows_tests=True)], ONLY_AT_IMPORT),
        ([Executed(lines={SHOP: {7: (0,)}}, tests=("idle",), knows_tests=True)], CHECKS_NOTHING),
        ([Executed(words=("shop",)), NOBODY], "unknown"),
        ([Executed(words=("*",)), NOBODY], "unknown"),
        ([Executed(words=("other",)), NOBODY], "blind"),
        ([replace(NOBODY, forked=(77,))], "run"),
        ([replace(NOBODY, forked=(78,))], "blind"),
    ],
)
def test_verdicts(executed: list[Executed], said: str) -> None:
    assert verdict(*executed, idle=("idle",)) == said
    assert verdict(*reversed(executed), idle=("idle",)) == said


@pytest.mark.parametrize(
    ("first", "executed", "said"),
    [
        (5, Executed(lines={SHOP: {5: ()}}), "unknown"),
        (5, Executed(lines={SHOP: {5: ()}}, entered={SHOP: (1,)}), "blind"),
        (5, Executed(lines={SHOP: {5: ()}}, entered={SHOP: (1, 5)}), "run"),
        (1, Executed(lines={SHOP: {1: ()}}, entered={SHOP: (1,)}), "unknown"),  # the module begins there
        (5, Executed(lines={SHOP: {5: (-1,)}}, entered={SHOP: (5,)}, knows_tests=True), "run"),
    ],
)
def test_a_function_of_one_line(first: int, executed: Executed, said: str) -> None:
    assert verdict(executed, one=replace(PAY, first=first, line=first, body=())) == said


def test_a_lambda_is_known_by_its_own_start() -> None:
    one = replace(PAY, qualname="Shop.<lambda>")
    assert verdict(Executed(starts={SHOP: {5: (0,)}}, tests=("t",)), one=one) == "blind"
    assert verdict(Executed(starts={SHOP: {-5: (0,)}}, tests=("t",)), one=one) == "run"


def test_a_partial_run_calls_nothing_blind() -> None:
    spots = blind_spots(BlindFacts((PAY,), (NOBODY,)), is_complete=False)
    assert (spots.blind, spots.not_run) == ((), 1)
    assert headline(spots) == (
        "mock blind spots: not judged: a partial run: tests were left out, and may run what these mock; "
        "1 of 1 replaced function did not run"
    )


VERIFY = replace(PAY, qualname="verify", line=20, first=20, body=(21,), word="verify")
OFTEN = replace(PAY, qualname="often", line=30, first=30, body=(31,), tests=("a", "b", "c"))


def all_blind() -> BlindSpots:
    again = replace(PAY, tests=("test_a.py::test_c",), places=(Place("test_a.py", 3), Place("test_c.py", 9)))
    return blind_spots(BlindFacts((PAY, OFTEN, VERIFY, again), (NOBODY,)), is_complete=True)


def test_it_is_said_what_child_processes_name() -> None:
    facts = BlindFacts((PAY,), (replace(NOBODY, words=("*", "other")), replace(NOBODY, words=("shop",))))
    assert blind_spots(facts, is_complete=True).named == ("*", "shop")
    assert blind_spots(BlindFacts((PAY,), ()), is_complete=True).named == ()


def test_what_is_about_security_comes_first_then_what_most_tests_replace() -> None:
    spots = all_blind()
    assert [one.qualname for one in spots.blind] == ["verify", "often", "pay"]
    assert spots.blind[2].replaced_in == ("test_a.py::test_b", "test_a.py::test_c")
    assert [place.line for place in spots.blind[2].places] == [3, 9]
    assert headline(spots) == "mock blind spots: 3 of 3 replaced functions are run by no test, 1 of them about security"
    assert [word(one) for one in spots.blind] == ["security", "blind", "blind"]
    assert remark(spots.blind[2]) == "replaced in 2 tests: test_a.py:3, test_c.py:9"


def unknown(*named: str) -> BlindSpots:
    return BlindSpots(replaced=3, unknown=all_blind().blind[:1], named=named)


def test_what_is_only_replaced_with_its_class_comes_behind() -> None:
    refund = replace(PAY, qualname="refund", line=40, first=40, with_class=True, tests=("a", "b"))
    again = replace(PAY, with_class=True)
    spots = blind_spots(BlindFacts((refund, PAY, again), (NOBODY,)), is_complete=True)
    assert [(one.qualname, one.with_class) for one in spots.blind] == [("pay", False), ("refund", True)]
    assert remark(spots.blind[1]) == "replaced with its class in 2 tests: test_a.py:3"
    assert [one.message for one in findings_of(spots, CHECK)] == [
        "tests replace pay, and none runs it",
        "tests replace refund with its class, and none runs it",
    ]


@pytest.mark.parametrize(
    ("spots", "said"),
    [
        (BlindSpots(), "tests replace no function of the project"),
        (BlindSpots(replaced=3), "none of 3 replaced functions"),
        (BlindSpots(replaced=3, off="no tool id"), "not judged: no tool id"),
        (unknown(), "1 of 3 replaced functions not known: nobody measured where they may have run"),
        (
            unknown("shop", "till"),
            "1 of 3 replaced functions not known: nobody measured the programs started that name shop, till",
        ),
        (
            unknown("*", "shop"),
            "1 of 3 replaced functions not known: nobody measured the programs started that name shop or may run anything",
        ),
        (
            unknown("*"),
            "1 of 3 replaced functions not known: nobody measured the programs started that may run anything",
        ),
    ],
)
def test_headlines(spots: BlindSpots, said: str) -> None:
    assert headline(spots) == f"mock blind spots: {said}"


def test_findings() -> None:
    found = list(findings_of(all_blind(), CHECK))
    assert [one.severity for one in found] == [ADVISORY, INFO, INFO]
    first = found[0]
    assert (first.path, first.line, first.security, first.subject) == (SHOP, 20, "verify", f"{SHOP}:verify")
    assert (first.owner.id, first.owner.path, first.owner.line) == ("test_a.py::test_b", "test_a.py", 3)
    assert first.message == "tests replace verify, which is about security (verify), and none runs it"
    assert len({one.fingerprint for one in found}) == 3


def test_what_a_review_says() -> None:
    many = [replace(PAY, qualname=f"f{number}", first=number, line=number) for number in range(100, 108)]
    [one] = said_of(blind_spots(BlindFacts(tuple(many), (NOBODY,)), is_complete=True))
    assert (one.path, one.dimension, one.lines, one.basis) == ("test_a.py", 8, (3,), "measured")
    assert one.text.startswith("replaced here, and run by no test: `f100` (shop/orders.py:100) at 3; ")
    assert one.text.endswith("; 2 more")
    spots = all_blind()
    before = [Observation("test_a.py", digit, (1,), "said", "read") for digit in (8, 9)]
    after = with_blind_spots(before, spots)
    assert [(one.path, one.dimension) for one in after] == [("test_a.py", 8), ("test_a.py", 8), ("test_a.py", 9)]
    assert with_blind_spots(before, None) == tuple(before)


def test_what_is_carried_is_what_was_sent() -> None:
    executed = Executed(
        ("t",), {SHOP: {5: (0, -1)}}, {SHOP: {}}, {SHOP: (1,)}, knows_tests=True, words=("a",), forked=(3,)
    )
    facts = Facts(blind=BlindFacts((PAY,), (executed,), ("t",), "no"))
    assert from_plain(to_plain(facts)) == facts
    assert together([facts, Facts()]).blind is None
    both = together([facts, facts]).blind
    assert both is not None
    assert (both.idle, len(both.replaced), both.unmeasured) == (("t",), 2, "no")
