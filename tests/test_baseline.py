"""The baseline: a file of what is known, what it hides, and what it never hides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_secaudit import baseline
from pytest_secaudit.baseline import BadBaseline, Baseline, Entry, known, marked, parse, rebased, render, updated
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    Audit,
    Conclusion,
    EvidenceSummary,
    Finding,
    Gate,
    Heading,
    Owner,
    Run,
)

TEXT = "def test_a():\n    time.sleep(3)\n    time.sleep(3)\n"


def source(path: str) -> str:
    if path.startswith("tests/"):
        return TEXT
    raise FileNotFoundError(path)


class NoDisk:
    """Nothing is there."""

    def exists(self, path: str) -> bool:
        return False

    def tests_below(self, folder: str) -> tuple[str, ...]:
        return ()


def owner(name: str = "test_a", kind: str = "test", path: str = "tests/test_a.py") -> Owner:
    return Owner(kind, f"{path}::{name}", path, 1, "function")  # type: ignore[arg-type]


def found(code: str = "PSA701", line: int = 2, subject: str | None = None, *owners: Owner) -> Finding:
    owners = owners or (owner(),)
    return Finding(
        code=code,
        name="x",
        severity=ADVISORY,
        message="m",
        path=owners[0].path,
        line=line,
        column=5,
        end_line=line,
        owner=owners[0],
        owners=owners,
        subject=subject,
        fingerprint=f"{code}{line}{subject}",
    )


def written(*findings: Finding, **more: object) -> Baseline:
    """The baseline with just these."""
    entries: dict[tuple[str, ...], Entry] = {}
    for _, mine in baseline.entries_of(findings, source):
        for entry in mine:
            count = entries[entry.key].count + 1 if entry.key in entries and not entry.subject else 1
            entries[entry.key] = replace(entry, count=count)
    catalogue = {check.code: 1 for check in HEADINGS}
    return Baseline(tuple(sorted(entries.values())), **{"catalogue": catalogue, "depth": "deep", **more})  # type: ignore[arg-type]


def audited(*findings: Finding, complete: bool = True) -> Audit:
    """The result of a run at depth deep that had all checks on."""
    run = Run("3.12.1", "9.2.0", "deep", 0, (), 1.0, 0.1, complete=complete, exit_status=0, collect_only=False)
    checks = tuple(check.code for check in HEADINGS)
    evidence = EvidenceSummary(1, 2, 2, 0, None, 0, checks, {"environ": "on"}, ())
    return Audit("0.1.0", run, evidence, Conclusion("defects", "t", "s", ()), Gate(), findings)


def statuses(findings: list[Finding], base: Baseline) -> list[str]:
    return [one.status for one in known(findings, base, source)]


# --- the file


def test_a_file_is_read_as_it_was_written_an_entry_a_line() -> None:
    left = found("PSA101", 3, "os.environ['TZ']")
    base = written(found(), found(line=3), left)
    base = replace(base, entries=tuple(replace(one, reason="later: #12 \N{EURO SIGN}") for one in base.entries))
    text = render(base)
    assert parse(text) == base
    first, second = (line for line in text.splitlines() if '"code"' in line)
    assert first == (
        '  {"code": "PSA101", "path": "tests/test_a.py", "subject": "os.environ[\'TZ\']", "reason": "later: #12 \N{EURO SIGN}"},'
    )
    assert second == (
        '  {"code": "PSA701", "path": "tests/test_a.py", "in": "test_a", "text": "time.sleep(3)", "count": 2, '
        '"reason": "later: #12 \N{EURO SIGN}"}'
    )


def test_an_empty_one_is_one() -> None:
    assert parse(render(Baseline())) == Baseline()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON"),
        ("[]", "it is no baseline"),
        ('{"baseline_version": true}', "it is no baseline"),
        ('{"baseline_version": 99, "entries": []}', "it is of version 99"),
        ('{"baseline_version": 1, "depth": "deep", "entries": []}', "it is damaged: KeyError"),
        ('{"baseline_version": 1, "depth": "x", "catalogue": {}, "entries": []}', "it is damaged: ValueError"),
        ('{"baseline_version": 1, "depth": "deep", "catalogue": {}, "entries": [3]}', "it is damaged"),
        ('{"baseline_version": 1, "depth": "deep", "catalogue": {}, "entries": [{"code": "A", "line": 3}]}', "damaged"),
        (
            '{"baseline_version": 1, "depth": "deep", "catalogue": {}, "entries": [{"code": "A", "count": 0}]}',
            "damaged",
        ),
        ('{"baseline_version": 1, "depth": "deep", "catalogue": {}, "entries": [{"code": "A", "in": 3}]}', "damaged"),
    ],
)
def test_what_is_no_baseline_says_why(text: str, why: str) -> None:
    with pytest.raises(BadBaseline, match=why):
        parse(text)


def test_paths_are_relative_to_the_file() -> None:
    base = written(found())
    moved = rebased(base, Path("/repo"), Path("/repo/ci/known"))
    assert [one.path for one in moved.entries] == ["../../tests/test_a.py"]
    assert rebased(moved, Path("/repo/ci/known"), Path("/repo")) == base


# --- what it hides


def test_of_more_places_than_are_known_the_last_are_new() -> None:
    base = written(found())
    assert statuses([found(line=3), found()], base) == ["new", "baselined"]
    assert statuses([found(line=3), found()], written(found(), found())) == ["baselined", "baselined"]


def test_another_line_another_function_and_another_code_are_new() -> None:
    base = written(found())
    elsewhere = found("PSA701", 2, None, owner("test_b"))
    assert statuses([found(line=1), elsewhere, found("PSA001")], base) == ["new", "new", "new"]


def test_parameters_and_lines_do_not_count() -> None:
    assert statuses([found("PSA701", 3, None, owner("test_a[1-x]"))], written(found())) == ["baselined"]


def test_a_change_is_known_in_its_module_whoever_makes_it() -> None:
    base = written(found("PSA101", 2, "os.environ['TZ']"))
    other = owner("test_b", path="tests/test_b.py")
    assert statuses([found("PSA101", 9, "os.environ['TZ']", owner("test_z"))], base) == ["baselined"]
    assert statuses([found("PSA101", 9, "os.environ['TZ']", owner(), other)], base) == ["new"]
    assert statuses([found("PSA101", 9, "os.environ['OTHER']")], base) == ["new"]


def test_of_a_container_it_is_the_container_that_is_known() -> None:
    base = written(found("PSA104", 2, "shop.CACHE['a']"))
    assert statuses([found("PSA104", 2, "shop.CACHE['b']['c']")], base) == ["baselined"]
    assert statuses([found("PSA104", 2, "shop.CACHE")], base) == ["baselined"]
    assert statuses([found("PSA104", 2, "shop.CACHES")], base) == ["new"]
    assert statuses([found("PSA101", 2, "os.environ['b']")], written(found("PSA101", 2, "os.environ['a']"))) == ["new"]


def test_who_cannot_be_told_for_sure_is_of_any_module() -> None:
    window = owner("one of several", "window", "tests/test_b.py")
    subject = "shop.CACHE"
    assert statuses([found("PSA104", 9, subject, window)], written(found("PSA104", 2, subject))) == ["baselined"]
    assert statuses([found("PSA104", 2, subject)], written(found("PSA104", 9, subject, window))) == ["baselined"]


def test_what_differs_from_run_to_run_does_not_count() -> None:
    base = written(found("PSA601", 2, "thread Thread-3 (run)"))
    assert statuses([found("PSA601", 2, "thread Thread-7 (run)")], base) == ["baselined"]


def test_what_is_ignored_uses_up_nothing() -> None:
    ignored = replace(found(), status="ignored")
    assert statuses([ignored, found(line=3)], written(found())) == ["ignored", "baselined"]


def test_the_reason_goes_along() -> None:
    base = Baseline((replace(written(found()).entries[0], reason="ticket 4"),))
    assert [one.reason for one in known([found()], base, source)] == ["ticket 4"]


def test_new_and_stricter_checks_are_told_and_not_gated() -> None:
    catalogue = (Heading("PSA701", "x", DEFECT, revision=2), Heading("PSA101", "y", DEFECT))
    base = Baseline(catalogue={"PSA701": 1, "PSA101": 1})
    stricter, same = marked([found(), found("PSA101", 2, "s")], base, catalogue)
    assert (stricter.reason, stricter.detail["new_check"], same.reason) == ("new check, not gated", True, None)
    (unknown,) = marked([found()], Baseline(), catalogue)
    assert unknown.detail["new_check"]


# --- a run


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nsecaudit = true\nsecaudit_baseline = known/ones.json\nsecaudit_fail_on = advisory\n")
    pytester.makepyfile(
        test_env="""
            import os
            import time
            import pytest
            def test_env():
                os.environ["FIRST"] = "1"
                assert os.environ
            def test_sleep():
                time.sleep(0.6)
                assert time
            def test_read():
                with pytest.raises(ValueError):
                    int("x")
                    assert time
            """,
        test_other="def test_other():\n    assert True\n",
    )
    return pytester


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def entries(pytester: pytest.Pytester) -> list[str]:
    data = json.loads((pytester.path / "known" / "ones.json").read_text("utf-8"))
    return [f"{one['code']} {one['path']} {one.get('subject') or one['in']}" for one in data["entries"]]


ALL = [
    "PSA101 ../test_env.py os.environ['FIRST']",
    "PSA201 ../test_env.py test_read",
    "PSA701 ../test_env.py test_sleep",
]


def adopt(pytester: pytest.Pytester, *options: str) -> None:
    result = run(pytester, "--secaudit-write-baseline", *options)
    assert result.ret == 0, "what is written is known"
    result.stdout.fnmatch_lines(["baseline: 3 entries written to known/ones.json*", "no defects found in 4 tests*"])
    assert entries(pytester) == ALL


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["one process", "xdist"])
def test_the_second_run_is_silent_and_one_hazard_more_is_named_alone(
    suite: pytest.Pytester, options: tuple[str, ...]
) -> None:
    adopt(suite, *options)
    result = run(suite, *options)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["baseline 3"])
    result.stdout.no_fnmatch_line("*PSA*")
    path = suite.path / "test_env.py"
    path.write_text("# moved\n\n\n" + path.read_text("utf-8") + "\n    os.environ['SECOND'] = '2'\n", "utf-8")
    result = run(suite, *options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*PSA101 environ-not-restored   test_env.py:*",
            "*test_read left os.environ?'SECOND'? set",
            "tests passed; the audit failed the run: 1 new finding at or above advisory",
        ]
    )
    result.stdout.no_fnmatch_line("*FIRST*")


def test_what_no_longer_happens_is_named_and_dropped_only_by_a_whole_run(suite: pytest.Pytester) -> None:
    adopt(suite)
    path = suite.path / "test_env.py"
    path.write_text(path.read_text("utf-8").replace('os.environ["FIRST"] = "1"', "pass"), "utf-8")
    for options in (
        ("-k", "test_env and not sleep"),
        ("test_other.py",),
        ("--secaudit-depth=process",),
        ("-x", "--maxfail=1"),
    ):
        result = run(suite, "--secaudit-write-baseline", *options)
        if "-x" not in options:
            assert set(ALL) <= set(entries(suite)), options
    adopt_again = run(suite)
    assert adopt_again.ret == 0
    assert entries(suite) == ALL[1:], "-x that stops nowhere is a whole run"
    result = run(suite, "--secaudit-write-baseline")
    assert entries(suite) == ALL[1:]
    assert result.ret == 0


def test_stale_entries_are_named(suite: pytest.Pytester) -> None:
    adopt(suite)
    path = suite.path / "test_env.py"
    path.write_text(path.read_text("utf-8").replace('os.environ["FIRST"] = "1"', "pass"), "utf-8")
    result = run(suite)
    result.stdout.fnmatch_lines(
        [
            "baseline: 1 entry in known/ones.json no longer happens;",
            "--secaudit-write-baseline drops it",
            "*PSA101 test_env.py os.environ?'FIRST'?",
        ]
    )
    assert result.ret == 0
    for options in (("-k", "env"), ("test_other.py",), ("-o", "secaudit_watch_skip=environ"), ("--collect-only",)):
        run(suite, *options).stdout.no_fnmatch_line("*no longer*")


def test_a_test_that_was_skipped_makes_nothing_stale(suite: pytest.Pytester) -> None:
    adopt(suite)
    path = suite.path / "test_env.py"
    path.write_text(path.read_text("utf-8").replace("def test_env", "@pytest.mark.skip\ndef test_env"), "utf-8")
    run(suite).stdout.no_fnmatch_line("*no longer*")
    run(suite, "--secaudit-write-baseline")
    assert ALL[0] in entries(suite)


def test_reasons_are_kept(suite: pytest.Pytester) -> None:
    adopt(suite)
    file = suite.path / "known" / "ones.json"
    file.write_text(
        file.read_text("utf-8").replace('"text": "time.sleep(0.6)"', '"text": "time.sleep(0.6)", "reason": "#7"')
    )
    assert run(suite, "--secaudit-write-baseline").ret == 0
    assert '"reason": "#7"' in file.read_text("utf-8")
    run(suite, "-vv").stdout.fnmatch_lines(["baselined PSA701 *", "*#7"])


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "it is no JSON"), ('{"baseline_version": 7}', "it is of version 7"), (None, "there is no such file")],
)
@pytest.mark.parametrize("options", [(), ("--secaudit-write-baseline",)], ids=["read", "write"])
def test_a_file_that_cannot_be_used_stops_the_run_and_is_left_as_it_was(
    suite: pytest.Pytester, text: str | None, why: str, options: tuple[str, ...]
) -> None:
    file = suite.path / "known" / "ones.json"
    file.parent.mkdir()
    if text is not None:
        file.write_text(text)
    result = run(suite, *options)
    if text is None and options:
        assert result.ret == 0
        return
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert why in result.stderr.str()
    assert (file.read_text() if file.exists() else None) == text


def test_what_is_ignored_cannot_be_written_as_known(suite: pytest.Pytester) -> None:
    result = run(suite, "--secaudit-write-baseline", "--secaudit-no-suppress")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "not both" in result.stderr.str()


def test_no_suppress_shows_what_is_known(suite: pytest.Pytester) -> None:
    adopt(suite)
    result = run(suite, "--secaudit-no-suppress")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*PSA101 *"])


def test_new_checks_fail_the_run_only_where_that_is_wanted(suite: pytest.Pytester) -> None:
    adopt(suite)
    file = suite.path / "known" / "ones.json"
    data = json.loads(file.read_text("utf-8"))
    data["entries"] = [one for one in data["entries"] if one["code"] != "PSA101"]
    del data["catalogue"]["PSA101"]
    file.write_text(json.dumps(data))
    result = run(suite)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["defect    PSA101 *", "          new check, not gated"])
    assert run(suite, "-o", "secaudit_fail_on_new_checks=true").ret == 1


def test_an_interrupted_run_writes_nothing(suite: pytest.Pytester) -> None:
    suite.makeconftest("import pytest\ndef pytest_runtest_teardown(item):\n    pytest.exit('stop')\n")
    result = run(suite, "--secaudit-write-baseline")
    assert not (suite.path / "known" / "ones.json").exists()
    result.stdout.fnmatch_lines(["*ones.json was not written: the run did not come to its end"])


def test_the_default_file_is_written_beside_the_settings(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import os\ndef test_a():\n    os.environ['A_B'] = '1'\n    assert True\n")
    result = run(pytester, "--secaudit", "--secaudit-write-baseline")
    result.stdout.fnmatch_lines(["baseline: * written to secaudit-baseline.json*"])
    assert (pytester.path / "secaudit-baseline.json").exists()
    assert run(pytester, "--secaudit-write-baseline").ret == pytest.ExitCode.USAGE_ERROR


def test_its_path_is_told_as_the_command_line_takes_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(**{"tests/test_a": "import os\ndef test_a():\n    os.environ['A_B'] = '1'\n    assert True\n"})
    monkeypatch.chdir(pytester.path / "tests")
    result = run(pytester, "--secaudit", "--secaudit-write-baseline")
    result.stdout.fnmatch_lines(["baseline: 1 entry written to ../secaudit-baseline.json*"])
    assert (pytester.path / "secaudit-baseline.json").exists()
    assert run(pytester, "--secaudit", "--secaudit-baseline=../secaudit-baseline.json").ret == 0


def test_a_partial_run_only_adds() -> None:
    old = written(found(), found(line=3), found("PSA101", 2, "s"))
    audit = audited(found("PSA001"), complete=False)
    new = updated(old, audit, source, NoDisk(), HEADINGS)
    assert {(one.code, one.count) for one in new.entries} == {("PSA001", 1), ("PSA101", 1), ("PSA701", 2)}


def test_what_one_of_several_did_may_be_that_of_any_module() -> None:
    window = owner("one of several", "window", "tests/test_b.py")
    for before, now in ((owner(), window), (window, owner())):
        base = written(found("PSA104", 2, "shop.CACHE", before))
        assert not baseline.stale(base, audited(found("PSA104", 2, "shop.CACHE", now)), source, NoDisk())
        assert baseline.stale(base, audited(), source, NoDisk())


def test_what_a_fixture_of_a_conftest_leaves_is_judged_when_all_below_it_ran(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        """
        import os
        import pytest
        @pytest.fixture
        def wide():
            os.environ["OF_FIXTURE"] = "1"
        """
    )
    suite.makepyfile(test_other="def test_other(wide):\n    assert True\n")
    run(suite, "--secaudit-write-baseline")
    name = "PSA101 ../conftest.py os.environ['OF_FIXTURE']"
    assert name in entries(suite)
    suite.makeconftest("import pytest\n@pytest.fixture\ndef wide():\n    return 3\n")
    run(suite, "test_env.py", "--secaudit-write-baseline")
    assert name in entries(suite), "the others may use it"
    run(suite, "--secaudit-write-baseline")
    assert name not in entries(suite)


def test_what_was_in_a_file_that_is_gone_is_gone(suite: pytest.Pytester) -> None:
    adopt(suite)
    (suite.path / "test_env.py").unlink()
    run(suite, "--secaudit-write-baseline")
    assert entries(suite) == []
