"""The rim: options, verbosity, exit status, final line, and what happens when nothing is asked."""

from __future__ import annotations

import importlib
import json
import re

import pytest

from pytest_secaudit.watch import credentials

SLEEPY = "import time\n\ndef test_sleepy():\n    time.sleep(0.002)\n"
DEFECT = "def test_defect():\n    assert 'always true'\n"
CLEAN = "def test_clean():\n    assert 1 + 1 == 2\n"


def section(result: pytest.RunResult) -> list[str]:
    """The lines of our section, without its title."""
    lines = result.outlines
    start = next(number for number, line in enumerate(lines) if "test-suite audit" in line)
    rest = lines[start + 1 :]
    end = next(number for number, line in enumerate(rest) if re.match(r"=+ .* =+$", line))
    return rest[:end]


# --- inert until asked


def test_without_the_option_nothing_but_options_is_registered(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfigure()
    plugin = config.pluginmanager.get_plugin("secaudit")
    hooks = {caller.name for caller in config.pluginmanager.get_hookcallers(plugin) or ()}
    assert hooks == {
        "pytest_addhooks",
        "pytest_addoption",
        "pytest_cmdline_main",
        "pytest_configure",
        "pytest_load_initial_conftests",
        "pytest_secaudit_checks",
    }
    assert not config.pluginmanager.has_plugin("secaudit-session")


def test_without_the_option_the_output_says_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    result = pytester.runpytest()
    assert "audit" not in "\n".join(line for line in result.outlines if not line.startswith("plugins:"))
    result.assert_outcomes(passed=1)


def test_ini_switches_it_on_and_the_option_off_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    pytester.makeini("[pytest]\nsecaudit = true\n")
    pytester.runpytest().stdout.fnmatch_lines(["*test-suite audit*"])
    pytester.runpytest("--no-secaudit").stdout.no_fnmatch_line("*test-suite audit*")


def test_marker_is_known_under_strict_markers_while_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.secaudit(ignore=['PSA701'], reason='r')\ndef test_a():\n    pass\n"
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)


def test_it_is_loaded_by_name_when_autoload_is_off(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(DEFECT)
    result = pytester.runpytest_subprocess("-p", "pytest_secaudit.plugin", "--secaudit")
    result.stdout.fnmatch_lines(["*test-suite audit*"])


# --- the section


def test_clean_suite_is_never_called_clean_but_by_reading_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLEAN)
    result = pytester.runpytest("--secaudit", "--secaudit-depth=static")
    assert section(result)[0] == "no suspicion by reading alone in 1 test of 1 module"
    assert result.ret == 0
    assert section(pytester.runpytest("--secaudit"))[0] == "no defects found in 1 test of 1 module"


def test_nothing_audited_is_said_so(pytester: pytest.Pytester) -> None:
    pytester.maketxtfile(test_doc=">>> 1 + 1\n2\n")
    result = pytester.runpytest("--secaudit")
    assert "nothing was audited: no test module was read" in section(result)
    assert result.ret == 0


def test_defect_block_names_code_place_message_and_fix(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=DEFECT)
    lines = section(pytester.runpytest("--secaudit"))
    assert lines[0] == "suspected PSA004 constant-assertion   test_shop.py:2"
    assert lines[1].startswith("          ")
    assert any(line.strip().startswith("fix: ") for line in lines)


def test_section_stands_before_the_short_summary_and_after_failures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT + "\ndef test_fails():\n    assert 1 == 2\n")
    result = pytester.runpytest("--secaudit")
    result.stdout.fnmatch_lines(["*= FAILURES =*", "*= test-suite audit =*", "*= short test summary info =*"])


def test_collect_only_reads_and_says_that_nothing_ran(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    result = pytester.runpytest("--secaudit", "--collect-only")
    assert section(result)[0] == "nothing was run: 1 test in 1 module was read, none was watched"
    assert "1 suspected defect, by reading alone" in section(result)
    assert result.ret == 0


@pytest.mark.parametrize(("flags", "places"), [([], 3), (["-v"], 5), (["--collect-only"], 0), (["--co", "-v"], 5)])
def test_verbosity_adds_all_places_of_a_group(pytester: pytest.Pytester, flags: list[str], places: int) -> None:
    pytester.makepyfile(**{f"test_{letter}": SLEEPY for letter in "abcde"})
    lines = section(pytester.runpytest("--secaudit", *flags))
    assert sum(bool(re.search(r"test_[a-e]\.py:4", line)) for line in lines) == places
    assert ("2 more: -v" in "\n".join(lines)) == (places == 3)


def test_info_findings_are_shown_at_v_only(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import time\n\ndef test_a():\n    time.sleep(0.002)  # the broker needs a moment\n")
    assert "PSA701" not in "\n".join(section(pytester.runpytest("--secaudit")))
    shown = "\n".join(section(pytester.runpytest("--secaudit", "-v")))
    assert "PSA701 real-sleep" in shown
    assert "acknowledged at 4: the broker needs a moment" in shown


def test_suppressed_findings_are_shown_at_vv(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import time\n\ndef test_a():\n    time.sleep(0.002)  # secaudit: ignore[PSA701] slow broker\n")
    assert "suppressed 1" in "\n".join(section(pytester.runpytest("--secaudit")))
    shown = "\n".join(section(pytester.runpytest("--secaudit", "-vv")))
    assert "ignored   PSA701 real-sleep" in shown
    assert "comment: slow broker" in shown


def test_q_prints_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    result = pytester.runpytest("--secaudit", "-q")
    ours = [line for line in result.outlines if "audit" in line]
    assert ours[0] == "audit: 1 defect in 1 test of 1 module"
    assert len(ours) == 2  # and pytest's own last line
    result = pytester.runpytest("--secaudit", "-q", "--secaudit-depth=static")
    assert "audit: 1 suspected defect, by reading alone in 1 test of 1 module" in result.outlines


@pytest.mark.parametrize("options", [["-qq"], ["--no-summary"]], ids=" ".join)
def test_silence_leaves_only_the_reason_of_a_failed_gate(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile(DEFECT)
    said = [line for line in pytester.runpytest("--secaudit", *options).outlines if "audit" in line]
    assert [
        line for line in said if "1 audit defect" not in line and "secaudit:" not in line and "plugins" not in line
    ] == []
    result = pytester.runpytest("--secaudit", "--secaudit-fail-on=defect", *options)
    assert "tests passed; the audit failed the run: 1 new finding at or above defect" in result.outlines
    assert result.ret == 1


# --- the gate and the final line


def test_final_line_counts_new_defects(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a=DEFECT, test_b=DEFECT)
    result = pytester.runpytest("--secaudit")
    assert re.match(r"=+ 2 passed, 2 audit defects in .*s =+", result.outlines[-1])
    assert result.ret == 0


def test_final_line_is_untouched_without_defects(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SLEEPY)
    assert re.match(r"=+ 1 passed in .*s =+", pytester.runpytest("--secaudit").outlines[-1])


def test_entries_of_the_final_line_look_like_what_other_plugins_expect(pytester: pytest.Pytester) -> None:
    """hypothesis reads ``__dict__`` of everything in the reporter's stats."""
    pytester.makepyfile(DEFECT)
    pytester.makeconftest(
        "def pytest_terminal_summary(terminalreporter):\n"
        "    for entries in terminalreporter.stats.values():\n"
        "        for entry in entries:\n"
        "            assert entry.__dict__ is not None and entry.nodeid is not None\n"
    )
    assert pytester.runpytest("--secaudit").ret == 0


@pytest.mark.parametrize(("level", "status"), [("none", 0), ("defect", 0), ("advisory", 1), ("info", 1)])
def test_gate_turns_0_into_1_at_its_level(pytester: pytest.Pytester, level: str, status: int) -> None:
    pytester.makepyfile(SLEEPY)
    assert pytester.runpytest("--secaudit", f"--secaudit-fail-on={level}").ret == status


def test_gate_reason_is_the_last_line_of_the_section(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    lines = section(pytester.runpytest("--secaudit", "--secaudit-fail-on=defect"))
    assert lines[-1] == "tests passed; the audit failed the run: 1 new finding at or above defect"


@pytest.mark.parametrize(
    ("source", "status"),
    [("def test_a():\n    assert 1 == 2, 'x'\n" + DEFECT, 1), ("import nothing_of_that_name\n", 2), ("", 5)],
    ids=["failed", "collection error", "no tests"],
)
def test_other_exit_statuses_are_never_changed(pytester: pytest.Pytester, source: str, status: int) -> None:
    pytester.makepyfile(source)
    result = pytester.runpytest("--secaudit", "--secaudit-fail-on=info")
    assert result.ret == status
    assert "tests passed" not in result.stdout.str()


def test_gate_holds_with_collect_only_and_without_a_terminal(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    assert pytester.runpytest("--secaudit", "--secaudit-fail-on=defect", "--collect-only").ret == 1
    assert pytester.runpytest("--secaudit", "--secaudit-fail-on=defect", "-p", "no:terminal").ret == 1


def test_interrupted_run_still_reports(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT + "\ndef test_stop():\n    raise KeyboardInterrupt\n")
    result = pytester.runpytest_subprocess("--secaudit")
    result.stdout.fnmatch_lines(["*test-suite audit*", "suspected PSA004*"])
    assert result.ret == 2


def test_failure_of_our_own_is_named_and_stops_nothing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args, **kwargs):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(importlib.import_module("pytest_secaudit.session"), "audit", broken)
    pytester.makepyfile(CLEAN)
    result = pytester.runpytest_inprocess("--secaudit")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*no audit was made; _judge failed with RuntimeError: on purpose"])
    result.assert_outcomes(passed=1)
    gated = pytester.runpytest_inprocess("--secaudit", "--secaudit-fail-on=defect")
    assert gated.ret == 1, "a gate that could not be read has not been passed"


# --- wrong values


WRONG = [
    (["--secaudit", "--secaudit-fail-on=defects"], "--secaudit-fail-on: 'defects' is not accepted; accepted: none"),
    (["--secaudit", "--secaudit-select=PSA7,nonsense"], "--secaudit-select: *unknown check 'nonsense'"),
    (["--secaudit", "--secaudit-ignore=real-slep"], "--secaudit-ignore: *did you mean PSA701 real-sleep"),
    (
        ["--secaudit", "--secaudit-report=pdf:a.pdf"],
        "--secaudit-report: 'pdf:a.pdf' is not accepted; accepted: json:PATH",
    ),
    (["--secaudit", "--secaudit-report=json"], "--secaudit-report: 'json' is not accepted; json needs a path"),
    (["--secaudit", "--secaudit-report=json:."], "--secaudit-report: 'json:.' is not accepted; it cannot be written"),
    (["--secaudit", "-o", "secaudit_fail_on=high"], "secaudit_fail_on: 'high' is not accepted"),
    (["--secaudit", "-o", "secaudit_select=PSA999"], "secaudit_select: 'PSA999'"),
    (["--secaudit", "-o", "secaudit_per_file_ignores=tests PSA101"], "secaudit_per_file_ignores: *glob: CODES"),
    (["--secaudit", "-o", "secaudit_expected=PSA701"], "secaudit_expected: *CODE subject-glob"),
    (["--secaudit", "-o", "secaudit_report=xml:a"], "secaudit_report: 'xml:a' is not accepted"),
    (["--secaudit-fail-on=defect"], "--secaudit-fail-on has no effect without --secaudit"),
    (["--secaudit-report=json:a.json"], "--secaudit-report has no effect without --secaudit"),
    (["--secaudit-explain=PSA10x"], "--secaudit-explain: unknown check 'PSA10x'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[" ".join(options) for options, _ in WRONG])
def test_wrong_value_is_one_usage_error_that_names_it(
    pytester: pytest.Pytester, options: list[str], message: str
) -> None:
    pytester.makepyfile(CLEAN)
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message.replace('[', '[[]')}*"])
    assert "Traceback" not in result.stderr.str()


def test_wrong_ini_bool_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLEAN)
    result = pytester.runpytest_subprocess("-o", "secaudit=maybe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "maybe" in result.stderr.str()


def test_ini_values_alone_stay_inert(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLEAN)
    pytester.makeini("[pytest]\nsecaudit_fail_on = nonsense\nsecaudit_select = nonsense\n")
    assert pytester.runpytest().ret == 0


def test_switching_off_wins_over_options_in_addopts(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    pytester.makeini("[pytest]\naddopts = --secaudit --secaudit-fail-on=defect\n")
    assert pytester.runpytest().ret == 1
    assert pytester.runpytest("--no-secaudit").ret == 0


def test_toml_settings_are_read(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a=SLEEPY, test_b=DEFECT)
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nsecaudit = true\nsecaudit_ignore = ["PSA7"]\n'
        'secaudit_per_file_ignores = ["test_b.py: PSA004"]\nsecaudit_fail_on = "advisory"\n'
    )
    result = pytester.runpytest()
    assert result.ret == 0
    assert "suppressed 2" in "\n".join(section(result))


# --- list and explain


def test_list_shows_one_line_per_check(pytester: pytest.Pytester) -> None:
    from pytest_secaudit.checks import built_in

    result = pytester.runpytest("--secaudit-list")
    assert result.ret == 0
    lines = [line for line in result.outlines if line.startswith("PSA")]
    assert [line.split()[0] for line in lines] == [check.code for check in built_in()]


@pytest.mark.parametrize("name", ["PSA701", "psa701", "real-sleep"])
def test_explain_prints_the_page_by_code_or_name(pytester: pytest.Pytester, name: str) -> None:
    result = pytester.runpytest(f"--secaudit-explain={name}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["# PSA701 real-sleep", "*Instead:*", "## Reported"])


# --- the JSON report


def test_report_path_is_relative_to_the_invocation_folder(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DEFECT)
    assert pytester.runpytest("--secaudit", "--secaudit-report=json:deep/er/audit.json").ret == 0
    data = json.loads((pytester.path / "deep" / "er" / "audit.json").read_text())
    assert data["schema_version"] == 1
    assert [finding["code"] for finding in data["findings"]] == ["PSA004"]


def test_report_path_in_a_config_file_is_relative_to_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nsecaudit = true\nsecaudit_report = json:out/audit.json\n")
    folder = pytester.mkdir("tests")
    (folder / "test_a.py").write_text(DEFECT)
    monkeypatch.chdir(folder)
    assert pytester.runpytest().ret == 0
    assert (pytester.path / "out" / "audit.json").is_file()


def test_report_that_cannot_be_written_later_is_named_and_turns_0_into_1(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import shutil\n\ndef test_a():\n    shutil.rmtree('out')\n    open('out', 'w').close()\n")
    result = pytester.runpytest("--secaudit", "--secaudit-report=json:out/audit.json")
    assert result.ret == 1
    assert "was not written" in result.stdout.str()
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(("ini", "reported"), [("", True), ("timeout = 0\n", True), ("timeout = 5\n", False)])
def test_poll_without_end_is_silent_where_every_test_has_a_time_limit(
    pytester: pytest.Pytester, ini: str, reported: bool
) -> None:
    """pytest-timeout registers itself as ``timeout`` and reads the ini value of that name."""
    pytester.makeconftest(
        "def pytest_addoption(parser):\n    parser.addini('timeout', 'seconds')\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(object(), 'timeout')\n"
    )
    pytester.makeini(f"[pytest]\n{ini}")
    pytester.makepyfile("import time\n\ndef test_a(job):\n    while not job.done():\n        time.sleep(0.1)\n")
    result = pytester.runpytest("--secaudit", "--collect-only")
    assert ("PSA702" in result.stdout.str()) is reported


# --- runs inside a run, for those who test a plugin with pytester


def test_inner_runs_of_one_process_do_not_mix_their_modules(pytester: pytest.Pytester) -> None:
    """Pytester forgets what an inner run imported; the package, which stays, still has the old modules as attributes."""
    pytester.makeconftest("pytest_plugins = ['pytester']")
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_inner(pytester, number):
            pytester.makepyfile(test_shop={DEFECT!r})
            result = pytester.runpytest_inprocess("--secaudit")
            result.stdout.fnmatch_lines(["suspected PSA004 *", "1 defect in 1 test of 1 module"])
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_a_run_within_a_run_hears_of_no_file_afterwards(pytester: pytest.Pytester) -> None:
    listeners = list(credentials._listeners)
    pytester.makepyfile(CLEAN)
    result = pytester.runpytest_inprocess("--secaudit", "--secaudit-depth=exact", "-v")
    result.stdout.fnmatch_lines(["no defects found in 1 test of 1 module"])
    assert credentials._listeners == listeners


FAILING = {
    "conftest": "import pytest\n\n@pytest.fixture\ndef breaks():\n    raise OSError('gone')\n\n@pytest.fixture\n"
    "def ends_badly():\n    yield\n    raise OSError('late')\n\n@pytest.fixture(scope='module')\ndef skips():\n    pytest.skip('no')\n",
    "test_it": "import unittest\nimport pytest\n\ndef test_a(breaks): pass\ndef test_b(ends_badly): assert 0\n"
    "def test_c(skips): pass\ndef test_d(request): request.getfixturevalue('breaks')\n"
    "class TestIt(unittest.TestCase):\n    def setUp(self): raise OSError\n    def test_e(self): pass\n",
    "test_broken": "import gone\n",
}


@pytest.mark.parametrize("options", [[], ["--tb=short"], ["--tb=line"]], ids=["auto", "short", "line"])
def test_failures_look_as_they_do_without_the_audit(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile(**FAILING)
    told = []
    for audit in ([], ["--secaudit", "--secaudit-fixtures"]):
        done = pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "--continue-on-collection-errors", *options, *audit
        )
        lines = done.stdout.lines
        first = next(number for number, line in enumerate(lines) if "= ERRORS =" in line)
        last = next(number for number, line in enumerate(lines) if "audit ===" in line or "short test summary" in line)
        told.append(lines[first:last])
    assert told[0] == told[1]
    assert len(told[0]) > 10
