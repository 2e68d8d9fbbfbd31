"""From what was left and done to findings: codes, levels, owners, fingerprints; and the join with what was suspected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_secaudit.acts import contacts_of, findings_of_acts, sleep_of
from pytest_secaudit.carrying import Cargo, joined, pack, unpack
from pytest_secaudit.checks import built_in
from pytest_secaudit.claims import findings_of_claims, lasting
from pytest_secaudit.evidence import join, run_subject
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Finding, Owner, Place
from pytest_secaudit.watch.record import Claimed, Contacted, Slept, Watched

CHECKS = {check.code: check for check in built_in()}
TEST = Owner("test", "tests/test_a.py::test_x", "tests/test_a.py", 7, scope="function")
OTHER = Owner("test", "tests/test_a.py::test_y[b]", "tests/test_a.py", 9, scope="function")
CLAIM = Claimed(
    source="",
    serial=0,
    code="PSA101",
    area="environ",
    subject="os.environ['TZ']",
    said="set",
    fix="monkeypatch.setenv",
    owner=TEST,
    group="tests/test_a.py",
    site=Place("tests/test_a.py", 8),
    written_at=Place("shop/clock.py", 3),
)


def only(*claims: Claimed) -> Finding:
    (finding,) = findings_of_claims(claims, CHECKS)
    return finding


def test_claim_becomes_a_confirmed_finding_at_the_line_to_edit() -> None:
    finding = only(CLAIM)
    assert (finding.code, finding.severity, finding.evidence) == ("PSA101", DEFECT, "confirmed")
    assert finding.message == "test_x left os.environ['TZ'] set"
    assert (finding.path, finding.line, finding.written_at) == ("tests/test_a.py", 8, Place("shop/clock.py", 3))


def test_unknown_line_is_the_owner_s_definition() -> None:
    finding = only(replace(CLAIM, site=None, written_at=None))
    assert (finding.path, finding.line, finding.written_at) == ("tests/test_a.py", 7, None)


def test_one_finding_per_code_and_subject_with_all_its_owners_sorted() -> None:
    finding = only(replace(CLAIM, owner=OTHER, serial=1), CLAIM)
    assert [owner.id for owner in finding.owners] == [TEST.id, OTHER.id]
    assert finding.owner.id == TEST.id


FILE = replace(
    CLAIM, code="PSA605", area="files", subject="left.txt", said="behind, a file", site=None, written_at=None
)


def test_a_file_that_all_processes_see_was_made_by_who_names_it() -> None:
    by_name = replace(FILE, source="gw1", owner=OTHER, site=Place(OTHER.path, 9))
    finding = only(replace(FILE, source="gw0"), by_name)
    assert [owner.id for owner in finding.owners] == [OTHER.id]


def test_a_file_that_nobody_names_was_made_by_one_of_those_who_ran_then() -> None:
    (owner,) = only(replace(FILE, source="gw1", owner=OTHER), replace(FILE, source="gw0")).owners
    assert (owner.kind, owner.id, owner.ids) == ("window", f"{TEST.id} ... {OTHER.id}", (TEST.id, OTHER.id))
    (owner,) = only(replace(FILE, source="gw1"), replace(FILE, source="gw0")).owners
    assert owner.kind == "test"


def test_in_one_process_each_file_has_its_own_owner() -> None:
    owners = only(FILE, replace(FILE, serial=1, owner=OTHER, site=Place(OTHER.path, 9))).owners
    assert [owner.id for owner in owners] == [TEST.id, OTHER.id]


def test_who_is_known_stands_before_one_of_several() -> None:
    window = replace(OTHER, kind="window", id="a", path="tests/test_0.py")
    finding = only(replace(CLAIM, owner=window, site=None), replace(CLAIM, serial=1))
    assert [owner.id for owner in finding.owners] == [TEST.id, "a"]
    assert (finding.path, finding.line) == ("tests/test_a.py", 8)


def test_fingerprint_holds_neither_owner_nor_line_nor_value() -> None:
    other = replace(CLAIM, owner=OTHER, site=None, said="changed")
    assert only(CLAIM).fingerprint == only(other).fingerprint
    assert only(CLAIM).fingerprint != only(replace(CLAIM, subject="os.environ['TZ2']")).fingerprint


@pytest.mark.parametrize(
    ("code", "one", "another"),
    [
        ("PSA111", "sys.path['/tmp/tmpab12cd_x/lib']", "sys.path['/tmp/tmpzz99qq_y/lib']"),
        ("PSA604", "<tmp>/shop01fszistcart", "<tmp>/shop9_bzq1aacart"),
        ("PSA111", "sys.path['<tmp>/pytest-of-me/pytest-3/a']", "sys.path['<tmp>/pytest-of-you/pytest-14/a']"),
        ("PSA111", "sys.path['/tmp/pytest-of-me/pytest-3/test_a0']", "sys.path['/tmp/pytest-of-me/pytest-41/test_a0']"),
        ("PSA103", "signal X at 0x7f01", "signal X at 0x9e22"),
        ("PSA604", "listening socket on 127.0.0.1:4711", "listening socket on 127.0.0.1:999"),
        ("PSA601", "thread Thread-12 (run)", "thread Thread-3 (run)"),
        ("PSA604", "<tmp>/tmpv6kvx1ab/api-ib8xlyac.sqlite-wal", "<tmp>/tmpq2w3e4r5/api-k_2xl9ac.sqlite-wal"),
    ],
)
def test_what_differs_from_run_to_run_is_not_in_the_fingerprint(code: str, one: str, another: str) -> None:
    assert lasting(code, one) == lasting(code, another)


def test_numbers_in_names_of_variables_stay() -> None:
    assert lasting("PSA101", "os.environ['A1']") != lasting("PSA101", "os.environ['A2']")


def test_weights_lower_the_level_and_remade_state_is_silent() -> None:
    assert only(replace(CLAIM, after_failure=True)).severity is ADVISORY
    assert only(replace(CLAIM, paid_by="fixture")).severity is ADVISORY
    assert only(replace(CLAIM, paid_by="test")).severity is DEFECT
    assert not findings_of_claims([replace(CLAIM, remade=True, paid_by="setup")], CHECKS)
    assert only(replace(CLAIM, level="info")).severity is INFO


def test_left_after_its_failure_is_said_and_never_gates() -> None:
    finding = only(replace(CLAIM, after_failure=True))
    assert finding.message.endswith(", after its failure")
    assert finding.detail["after_failure"] is True
    assert only(replace(CLAIM, after_failure=True), replace(CLAIM, serial=1)).detail["after_failure"] is False


def test_imports_have_codes_of_their_own() -> None:
    importer = Owner("import", "tests/test_a.py", "tests/test_a.py", 1)
    assert only(replace(CLAIM, owner=importer)).code == "PSA113"
    assert only(replace(CLAIM, owner=importer)).severity is ADVISORY
    conftest = Owner("import", "tests/conftest.py", "tests/conftest.py", 1)
    assert only(replace(CLAIM, owner=conftest)).severity is INFO
    assert only(replace(CLAIM, owner=importer, subject="sys.modules['x']", code="PSA111")).code == "PSA107"


def test_patch_names_the_hazard_better_than_what_it_changed() -> None:
    if "PSA510" not in CHECKS:
        pytest.skip("PSA510 is not there yet")
    patch = replace(CLAIM, code="PSA510", area="patches", serial=1)
    assert [f.code for f in findings_of_claims([CLAIM, patch], CHECKS)] == ["PSA510"]
    assert len(findings_of_claims([CLAIM, replace(patch, owner=OTHER)], CHECKS)) == 2


def test_two_tests_that_show_it() -> None:
    finding = only(replace(CLAIM, victims=("tests/test_b.py::test_z[a b]",), seen_by=("t",), seen=412))
    assert finding.try_command == "pytest tests/test_a.py::test_x 'tests/test_b.py::test_z[a b]'"
    assert finding.detail["later_tests"] == 412
    assert finding.seen_by == ("tests/test_b.py::test_z[a b]", "t")


def test_checks_that_are_off_say_nothing() -> None:
    assert findings_of_claims([CLAIM], {}) == []


# --- acts

SLEPT = Slept(Place("tests/test_a.py", 4), Place("tests/test_a.py", 4), TEST, 3, 0.6, "sleep", "f1")


def test_sleeps_of_one_line_are_one_finding_with_its_figures() -> None:
    (finding,) = findings_of_acts(
        Watched(slept=(SLEPT, replace(SLEPT, owner=OTHER, calls=1, seconds=0.2))), CHECKS, None
    )
    assert (finding.code, finding.line, finding.severity) == ("PSA701", 4, ADVISORY)
    assert finding.detail == {"calls": 4, "in_thread": False, "seconds": 0.8, "tests": 2}


def test_short_sleeps_and_those_of_product_code_are_info() -> None:
    product = replace(SLEPT, written_at=Place("shop/retry.py", 9), seconds=0.05)
    for slept in (replace(SLEPT, seconds=0.005), product):
        (finding,) = findings_of_acts(Watched(slept=(slept,)), CHECKS, None)
        assert finding.severity is INFO


def test_sleeps_of_the_same_words_at_two_lines_are_told_apart() -> None:
    lines = [replace(SLEPT, place=Place("tests/test_a.py", line), under_mock=True) for line in (9, 4, 6)]
    for code in ("PSA701", "PSA801"):
        by_line = {
            f.line: f.fingerprint for f in findings_of_acts(Watched(slept=tuple(lines)), CHECKS, None) if f.code == code
        }
        assert len(set(by_line.values())) == 3
        (alone,) = (f for f in findings_of_acts(Watched(slept=(lines[1],)), CHECKS, None) if f.code == code)
        assert by_line[4] == alone.fingerprint


def test_sleeps_in_threads_are_shown_apart() -> None:
    watched = Watched(slept=(replace(SLEPT, in_thread=True),), slept_in_threads_s=0.6)
    assert join([], findings_of_acts(watched, CHECKS, None), watched, {}, ()).findings == ()
    assert [(site.line, site.in_threads) for site in sleep_of(watched, 10).sites] == [(4, True)]
    assert sleep_of(watched, 10).total_s == 0


def test_total_and_share() -> None:
    sleep = sleep_of(Watched(slept=(SLEPT,), slept_s=0.5), 10)
    assert (sleep.total_s, sleep.share, sleep.sites[0].seconds) == (0.5, 0.05, 0.6)


def test_budget() -> None:
    if "PSA704" not in CHECKS:
        pytest.skip("PSA704 is not there yet")
    watched = Watched(slept=(SLEPT,), slept_s=0.6)
    assert [f.code for f in findings_of_acts(watched, CHECKS, 0.5)] == ["PSA701", "PSA704"]
    assert [f.code for f in findings_of_acts(watched, CHECKS, 0.7)] == ["PSA701"]


def test_contacts_are_one_per_target() -> None:
    there = Contacted("host", "example.org:443", TEST, Place("tests/test_a.py", 5))
    watched = Watched(contacts=(there, replace(there, owner=OTHER)))
    assert [(c.what, len(c.owners)) for c in contacts_of(watched)] == [("example.org:443", 2)]


def test_whatever_port_it_was_it_is_one_finding() -> None:
    there = Contacted("listen", "[::]:46801", TEST, Place("tests/test_a.py", 5))
    watched = Watched(contacts=(there, replace(there, what="[::]:38901", owner=OTHER), replace(there, what="[::]:1")))
    (finding,) = findings_of_acts(watched, CHECKS, None)
    assert (finding.code, [owner.id for owner in finding.owners]) == ("PSA903", [TEST.id, OTHER.id])


# --- the join

READ = Finding(
    code="PSA101",
    name="environ-not-restored",
    severity=ADVISORY,
    message="os.environ['TZ'] is changed and nothing here puts it back",
    path="tests/test_a.py",
    line=8,
    column=5,
    end_line=8,
    owner=TEST,
    fingerprint="static",
    subject="os.environ['TZ']",
    fix="monkeypatch.setenv, or ...",
    security="tz",
)
ON = Watched(watchers={"environ": "on", "sleep": "on", "cwd": "on"})
PASSED = {TEST.id: "passed", OTHER.id: "passed"}


def test_confirmed_is_one_finding_of_full_level() -> None:
    result = join([READ], [only(CLAIM)], ON, PASSED, ())
    (finding,) = result.findings
    assert (finding.evidence, finding.severity, finding.security) == ("confirmed", DEFECT, "tz")
    assert finding.fingerprint == only(CLAIM).fingerprint
    assert result.cleared == ()


def test_cleared_when_its_owner_ran_and_the_place_was_as_before() -> None:
    result = join([READ], [], ON, PASSED, ())
    assert result.findings == ()
    assert [finding.evidence for finding in result.cleared] == ["cleared"]


@pytest.mark.parametrize(
    ("watched", "outcomes", "failing"),
    [
        (Watched(watchers={"environ": "off: by secaudit_watch_skip"}), PASSED, ()),
        (Watched(), PASSED, ()),
        (ON, {}, ()),
        (ON, {TEST.id: "skipped"}, ()),
        (ON, {TEST.id: "failed"}, ()),
        (ON, PASSED, ("static",)),
    ],
    ids=["skipped watcher", "no watcher", "not run", "skipped", "failed", "failing path"],
)
def test_not_cleared_without_having_been_watched(watched, outcomes, failing) -> None:
    assert join([READ], [], watched, outcomes, failing).findings == (READ,)


def test_claim_of_another_owner_does_not_confirm_it() -> None:
    result = join([READ], [only(replace(CLAIM, owner=OTHER))], ON, PASSED, ())
    assert len(result.findings) == 1
    assert len(result.cleared) == 1


def test_sleep_is_confirmed_at_its_line_and_stays_acknowledged() -> None:
    read = replace(READ, code="PSA701", name="real-sleep", line=4, subject=None, acknowledged="3: the broker needs it")
    slept = findings_of_acts(Watched(slept=(SLEPT,)), CHECKS, None)
    (finding,) = join([read], slept, ON, PASSED, ()).findings
    assert (finding.evidence, finding.severity, finding.fingerprint) == ("confirmed", INFO, "static")
    assert finding.detail["calls"] == 3


def test_a_sleep_that_took_no_time_is_none() -> None:
    read = replace(READ, code="PSA701", name="real-sleep", line=4, subject=None, message="sleeps 10 s of real time")
    cancelled = findings_of_acts(Watched(slept=(replace(SLEPT, seconds=0.0),)), CHECKS, None)
    watched = Watched(watchers={"sleep": "on"})
    assert [finding.evidence for finding in join([read], cancelled, watched, PASSED, ()).cleared] == ["cleared"]
    assert join([read], cancelled, watched, PASSED, ()).findings == ()
    assert join([read], cancelled, watched, {TEST.id: "failed"}, ()).findings == (read,)
    assert join([], cancelled, watched, PASSED, ()).findings == ()


@pytest.mark.parametrize("seen", ["os.environ['TZ']", "os.environ"])
def test_a_variable_whose_name_only_the_run_knows(seen: str) -> None:
    read = replace(READ, subject="os.environ")
    result = join([read], [only(replace(CLAIM, subject=seen))], ON, PASSED, ())
    assert [(finding.evidence, finding.subject) for finding in result.findings] == [("confirmed", seen)]
    assert result.cleared == ()
    elsewhere = join([read], [only(replace(CLAIM, subject=seen, owner=OTHER))], ON, PASSED, ())
    assert [finding.subject for finding in elsewhere.cleared] == ["os.environ"]


# --- several places of one lasting subject

FOLDER = replace(
    CLAIM,
    code="PSA602",
    area="temporary paths",
    subject="/tmp/tmp0sa0au6c",
    said="behind, a folder",
    site=Place("tests/test_a.py", 8),
    written_at=Place("tests/test_a.py", 8),
)
OTHER_FOLDER = replace(
    FOLDER,
    serial=1,
    subject="/tmp/tmpabcdefgh",
    owner=OTHER,
    site=Place("tests/test_a.py", 10),
    written_at=Place("tests/test_a.py", 10),
)


def folder_read(line: int, owner: Owner, identity: str) -> Finding:
    message = "the folder made by mkdtemp() is never removed"
    return replace(
        READ,
        code="PSA602",
        line=line,
        owner=owner,
        owners=(owner,),
        subject=None,
        message=message,
        fingerprint=identity,
    )


def test_each_place_that_was_read_is_confirmed_where_it_stands() -> None:
    here, there = folder_read(8, TEST, "here"), folder_read(10, replace(OTHER, id="tests/test_a.py::test_y"), "there")
    nowhere = folder_read(20, OTHER, "nowhere")
    found = only(FOLDER, OTHER_FOLDER)
    first, second, third = join([here, there, nowhere], [found], ON, PASSED, ()).findings
    assert (first.evidence, first.line, first.fingerprint) == ("confirmed", 8, found.fingerprint)
    assert [owner.id for owner in first.owners] == [TEST.id]
    assert (second.evidence, second.line, second.fingerprint) == ("confirmed", 10, "there")
    assert [owner.id for owner in second.owners] == [OTHER.id]
    assert second.written_at == Place("tests/test_a.py", 10)
    assert third == nowhere
    assert "places" not in first.detail


def test_a_place_that_nobody_read_stays_with_the_finding_of_the_run() -> None:
    there = folder_read(10, OTHER, "there")
    second, first = join([there], [only(FOLDER, OTHER_FOLDER)], ON, PASSED, ()).findings
    assert (first.line, [owner.id for owner in first.owners]) == (8, [TEST.id])
    assert (second.line, second.evidence) == (10, "confirmed")
    alone = join([], [only(FOLDER, OTHER_FOLDER)], ON, PASSED, ()).findings
    assert [[owner.id for owner in one.owners] for one in alone] == [[TEST.id, OTHER.id]]
    assert "places" not in alone[0].detail


def test_each_place_has_the_level_of_what_was_left_there() -> None:
    there = folder_read(10, OTHER, "there")
    lower = replace(OTHER_FOLDER, after_failure=True)
    (one, _) = join([there], [only(FOLDER, lower)], ON, PASSED, ()).findings
    assert (one.severity, one.detail["after_failure"]) == (INFO, True)
    (one, _) = join([there], [only(replace(FOLDER, after_failure=True), OTHER_FOLDER)], ON, PASSED, ()).findings
    assert (one.severity, one.detail["after_failure"]) == (ADVISORY, False)


def test_a_thread_that_was_seen_running_is_not_cleared() -> None:
    fixture = Owner("fixture", "tests/conftest.py::server", "tests/conftest.py", 60, scope="function")
    ours = replace(
        CLAIM, code="PSA601", area="threads", subject="thread Thread-2 (_run)", site=Place("tests/test_a.py", 8)
    )
    theirs = replace(
        ours, serial=1, owner=fixture, subject="thread Thread-252 (_run)", site=Place("tests/conftest.py", 68)
    )
    read = replace(READ, code="PSA601", line=8, subject=None)
    result = join([read], [only(ours, theirs)], Watched(watchers={"threads": "on"}), PASSED, ())
    assert result.cleared == ()
    assert sorted((one.path, one.line, one.evidence) for one in result.findings) == [
        ("tests/conftest.py", 68, "confirmed"),
        ("tests/test_a.py", 8, "confirmed"),
    ]


def test_what_one_owner_did_to_one_name_is_not_two_hazards() -> None:
    stub = replace(CLAIM, area="namespaces", code="PSA501", subject="shop.parser", paid_by="fixture")
    other = replace(stub, serial=1, code="PSA110", paid_by="")
    of_other = replace(stub, serial=2, owner=OTHER)
    assert [one.code for one in findings_of_claims([stub, other], CHECKS)] == ["PSA110"]
    assert [one.code for one in findings_of_claims([stub, other, of_other], CHECKS)] == ["PSA110", "PSA501"]
    assert [one.code for one in findings_of_claims([stub], CHECKS)] == ["PSA501"]


def test_rules_and_run_call_places_alike() -> None:
    assert run_subject("os.getcwd()") == "the working directory"
    assert run_subject("signal.getsignal(signal.SIGALRM)") == "signal SIGALRM"
    assert run_subject("os.environ['TZ']") == "os.environ['TZ']"


def test_a_limit_that_was_read_is_whichever_the_run_knows() -> None:
    read = replace(READ, code="PSA103", subject="resource.getrlimit()")
    claim = replace(CLAIM, code="PSA103", area="limits", subject="the resource limit RLIMIT_CORE")
    (finding,) = join([read], [only(claim)], ON, PASSED, ()).findings
    assert (finding.evidence, finding.subject) == ("confirmed", "the resource limit RLIMIT_CORE")
    elsewhere = replace(claim, area="umask", subject="the umask")
    watched = Watched(watchers={"limits": "on"})
    result = join([read], [only(elsewhere)], watched, PASSED, ())
    assert [finding.subject for finding in result.findings] == ["the umask"]
    assert [finding.subject for finding in result.cleared] == ["resource.getrlimit()"]


# --- on the way home


def test_cargo_survives_the_way() -> None:
    watched = Watched(
        claims=(CLAIM,), slept=(SLEPT,), contacts=(Contacted("host", "x", TEST),), watchers={"a": "on"}, slept_s=1.5
    )
    assert unpack(pack(Cargo(watched=watched))).watched == watched
    assert pack(Cargo(watched=watched)).isascii()


def test_later_record_of_a_claim_replaces_the_earlier() -> None:
    later = replace(CLAIM, paid_by="fixture")
    other = replace(CLAIM, source="gw1")
    whole = joined(
        [
            Watched(claims=(CLAIM, other)),
            Watched(claims=(later,), watchers={"x": "off: no"}),
            Watched(watchers={"x": "on"}),
        ]
    )
    assert whole.claims == (later, other)
    assert whole.watchers == {"x": "off: no"}


def test_what_a_watcher_of_its_own_names_is_no_matter_of_namespaces() -> None:
    same = replace(CLAIM, subject="os.environ", area="namespaces", code="PSA110", serial=1)
    other = replace(same, subject="shop.LIMIT", serial=2)
    found = findings_of_claims([replace(CLAIM, subject="os.environ"), same, other], CHECKS)
    assert [(one.code, one.subject) for one in found] == [("PSA101", "os.environ"), ("PSA110", "shop.LIMIT")]
