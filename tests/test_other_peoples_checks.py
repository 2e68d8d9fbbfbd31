"""Checks of plugins and conftests: how they come in, what goes wrong with them, and that they work everywhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.catalogue import BadCheck, UnknownCode, codes_of, gathered, may_be_elsewhere
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.joining import _catalogue
from pytest_secaudit.model import ADVISORY, DEFECT, Check, Heading
from pytest_secaudit.reports.json import parse
from pytest_secaudit.settings import BadSetting, parse_expected, parse_per_file_ignore, selected

HOOK = "\ndef pytest_secaudit_checks():\n    return [CHECK]\n"
CHECK = """
from pytest_secaudit.model import ADVISORY, Check, Hit

def rule(module):
    for call, scope in module.calls("deliver"):
        yield Hit(call, "sends a real message", fix="ask for the outbox")

CHECK = Check("SHOP901", "real-mail", ADVISORY, "A test sends a real message.", rule=rule, cwe=1327)
"""
CONFTEST = CHECK + HOOK
SHOP = "class Mail:\n    def deliver(self, text):\n        return text\n\nmail = Mail()\n"
TEST = """
from shop import mail

def test_a():
    assert mail.deliver("a") == "a"

def test_b():
    assert mail.deliver("b") == "b"  # secaudit: ignore[SHOP901] a fake mail server listens
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with one place that the conftest's check reports, and one that is ignored."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(shop=SHOP, test_mail=TEST)
    pytester.makeini("[pytest]\npythonpath = .\n")
    return pytester


def check(code: str = "SHOP901", name: str = "real-mail", **more: Any) -> Check:
    return Check(**{"code": code, "name": name, "severity": ADVISORY, "page": "A test.", "rule": lambda m: (), **more})


def audited(project: pytest.Pytester, *options: str, apart: bool = False) -> tuple[pytest.RunResult, dict[str, Any]]:
    report = project.path / "audit.json"
    report.unlink(missing_ok=True)
    run = project.runpytest_subprocess if apart or "-n2" in options else project.runpytest_inprocess
    result = run("--secaudit", f"--secaudit-report=json:{report}", *options)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    return result, json.loads(report.read_text("utf-8"))


def found(data: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(one["code"], one["line"], one["status"]) for one in data["findings"]]


HITS = [("SHOP901", 4, "new"), ("SHOP901", 7, "ignored")]


# --- what can be a check


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (check(code="shop901"), "code: 'shop901'; accepted: capital letters and digits, as in SHOP701"),
        (check(code="SHOP"), "code: 'SHOP'; accepted"),
        (check(code="901"), "code: '901'; accepted"),
        (check(code="SHOP-901"), "code: 'SHOP-901'; accepted"),
        (check(code=901), "code: 901; accepted"),
        (check(code="PSA901"), "'PSA901' of conftest.py is not accepted; PSA is for the built-in ones"),
        (check(name="Real Mail"), "name: 'Real Mail'; accepted: small letters"),
        (check(severity="advisory"), "severity: 'advisory'; accepted: DEFECT, ADVISORY or INFO"),
        (check(suspected=1), "suspected: 1; accepted"),
        (check(page=""), "page: ''; accepted: a text"),
        (check(bad="import os"), "bad: 'import os'; accepted: a tuple of sources"),
        (check(good=(b"",)), "good: (b'',); accepted: a tuple of sources"),
        (check(rule="rule"), "rule: 'rule'; accepted: a function"),
        (check(cwe="CWE-295"), "cwe: 'CWE-295'; accepted: a number"),
        (check(revision=0), "revision: 0; accepted: a number from 1"),
        (check(since=None), "since: an object of type NoneType; accepted: a version"),
        ("SHOP901", "an object of type str of conftest.py is not accepted; accepted: objects of"),
        (Heading("SHOP901", "real-mail", ADVISORY), "an object of type Heading of conftest.py is not accepted"),
        (None, "an object of type NoneType of conftest.py"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_check_is_refused_in_words(wrong: object, said: str) -> None:
    with pytest.raises(BadCheck, match=re.escape(said)):
        gathered(HEADINGS, [("conftest.py", [wrong])])


@pytest.mark.parametrize(
    ("offers", "said"),
    [
        ([("a.py", [check()]), ("b.py", [check(name="other")])], "'SHOP901' comes from a.py and from b.py; accepted"),
        ([("a.py", [check()]), ("b.py", [check(code="SHOP902")])], "'real-mail' comes from a.py and from b.py"),
        ([("a.py", [check(), check()])], "'SHOP901' comes twice from a.py"),
        ([("a.py", [check(name="real-sleep")])], "'real-sleep' comes from pytest-secaudit and from a.py"),
        ([("a.py", [check(), check(code="SHOP902", name="shop901")])], "'shop901' comes twice from a.py"),
    ],
)
def test_two_of_one_code_or_name_are_refused_with_both_sources(offers: Any, said: str) -> None:
    with pytest.raises(BadCheck, match=re.escape(said)):
        gathered(HEADINGS, offers)


def test_all_come_by_code_and_those_without_a_rule_are_named() -> None:
    catalogue, idle = gathered(HEADINGS, [("a.py", [check("ZOO1", "zoo"), check("ACME12", "acme", rule=None)])])
    assert [one.code for one in catalogue] == ["ACME12", *(one.code for one in HEADINGS), "ZOO1"]
    assert idle == [("a.py", "ACME12")]
    assert [catalogue[0].dimension, catalogue[-1].dimension] == [1, 1]


def test_a_whole_code_means_itself_and_a_prefix_all_that_begin_so() -> None:
    some = [check("SHOP1", "one"), check("SHOP12", "two"), check("SHOPPING1", "three"), *HEADINGS]
    assert codes_of(["SHOP1"], some) == {"SHOP1"}
    assert codes_of(["shop"], some) == {"SHOP1", "SHOP12"}
    assert codes_of(["SHOPPING"], some) == {"SHOPPING1"}
    assert len(codes_of(["PSA"], some)) == len(HEADINGS)
    for wrong in ("SHO", "S", "1", ""):
        with pytest.raises(UnknownCode):
            codes_of([wrong], some)


# --- in a run


def test_it_is_one_of_the_run(project: pytest.Pytester) -> None:
    result, data = audited(project)
    assert found(data) == HITS
    assert "SHOP901" in data["evidence"]["checks"]
    assert data["findings"][0]["name"] == "real-mail"
    assert data["findings"][0]["dimension"] == 9
    result.stdout.fnmatch_lines(["suspected SHOP901 real-mail   test_mail.py:4", "*fix: ask for the outbox"])
    schema = json.loads(Path(parse.__code__.co_filename).with_name("report.schema.json").read_text("utf-8"))
    pytest.importorskip("jsonschema").validate(data, schema)


def test_it_is_the_same_with_workers(project: pytest.Pytester) -> None:
    for _ in range(2):  # the second time from the cache
        assert found(audited(project, "-n2")[1]) == HITS


@pytest.mark.parametrize(
    ("options", "hits"),
    [
        (["--secaudit-select=SHOP"], HITS),
        (["--secaudit-select=SHOP901"], HITS),
        (["--secaudit-select=real-mail"], HITS),
        (["--secaudit-select=PSA"], []),
        (["--secaudit-ignore=SHOP9"], [("SHOP901", 4, "ignored"), ("SHOP901", 7, "ignored")]),
        (["-o", "secaudit_per_file_ignores=test_mail.py: SHOP901"], [("SHOP901", 4, "ignored"), HITS[1]]),
        (["--secaudit-no-suppress"], [("SHOP901", 4, "new"), ("SHOP901", 7, "new")]),
    ],
    ids=lambda value: " ".join(one for one in value if isinstance(one, str)),
)
def test_it_is_selected_and_ignored_as_ours_are(
    project: pytest.Pytester, options: list[str], hits: list[tuple[str, int, str]]
) -> None:
    assert sorted(found(audited(project, *options)[1])) == sorted(hits)


def test_it_counts_at_the_gate_and_in_a_baseline(project: pytest.Pytester) -> None:
    gate = "--secaudit-fail-on=advisory"
    assert audited(project, gate)[0].ret == 1
    audited(project, "--secaudit-write-baseline", "--secaudit-baseline=known.json")
    known = json.loads((project.path / "known.json").read_text("utf-8"))
    assert known["catalogue"]["SHOP901"] == 1
    result, data = audited(project, gate, "--secaudit-baseline=known.json")
    assert result.ret == 0
    assert sorted(found(data)) == [("SHOP901", 4, "baselined"), ("SHOP901", 7, "ignored")]


def test_an_ignore_in_vain_and_a_wrong_code_are_reported(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_mail="def test_a():\n    assert 1 + 1 == 2  # secaudit: ignore[SHOP901] r\n\n"
        "def test_b():\n    assert 1 + 1 == 2  # secaudit: ignore[SHOP999] r\n"
    )
    assert found(audited(project)[1]) == [("PSA091", 5, "new"), ("PSA090", 2, "new")]


def test_it_is_in_every_report(project: pytest.Pytester) -> None:
    kinds = ("sarif", "html", "markdown", "github", "gitlab")
    audited(project, *(f"--secaudit-report={kind}:report.{kind}" for kind in kinds))
    texts = {kind: (project.path / f"report.{kind}").read_text("utf-8") for kind in kinds}
    assert [kind for kind in kinds if "sends a real message" not in texts[kind]] == []
    (run,) = json.loads(texts["sarif"])["runs"]
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (rule["id"], rule["shortDescription"]["text"]) == ("SHOP901", "A test sends a real message.")


def test_it_is_listed_and_explained(project: pytest.Pytester) -> None:
    listed = project.runpytest_inprocess("--secaudit-list")
    assert listed.ret == 0
    lines = listed.outlines
    assert [line.split()[0] for line in lines] == sorted([*(one.code for one in HEADINGS), "SHOP901"])
    assert len({line.index("A test") for line in lines if "  A test" in line}) == 1  # in columns
    explained = project.runpytest_inprocess("--secaudit-explain=real-mail")
    assert explained.ret == 0
    explained.stdout.fnmatch_lines(["# SHOP901 real-mail", "A test sends a real message."])
    wrong = project.runpytest_inprocess("--secaudit-explain=SHOP91")
    assert wrong.ret == 4
    wrong.stderr.fnmatch_lines(["*unknown check 'SHOP91'; did you mean SHOP901 real-mail*"])


# --- the cache


def test_a_changed_rule_is_not_answered_from_the_cache(project: pytest.Pytester) -> None:
    audited(project)
    project.makeconftest(CONFTEST.replace("sends a real message", "writes to strangers"))
    assert {one["message"] for one in audited(project)[1]["findings"]} == {"writes to strangers"}
    project.makeconftest("")
    assert "SHOP901" not in {one["code"] for one in audited(project)[1]["findings"]}


def test_a_changed_helper_of_the_rule_is_not_answered_from_the_cache(project: pytest.Pytester) -> None:
    project.makepyfile(team_words='SAID = "sends a real message"\n\ndef said():\n    return SAID\n')
    project.makeconftest(
        CONFTEST.replace('"sends a real message"', "said()").replace("\n", "\nfrom team_words import said\n", 1)
    )
    assert found(audited(project)[1]) == HITS
    project.makepyfile(team_words='SAID = "writes to strangers"\n\ndef said():\n    return SAID\n')
    assert {one["message"] for one in audited(project)[1]["findings"]} == {"writes to strangers"}


def test_where_every_file_is_known_none_of_our_rules_is_loaded(project: pytest.Pytester) -> None:
    project.makeconftest(
        CONFTEST + "\ndef pytest_unconfigure():\n    import sys\n"
        "    print('LOADED', [name for name in sys.modules if '.psa' in name or name.endswith('secaudit.rules')])\n"
    )
    assert "psa701" in audited(project, apart=True)[0].stdout.str()
    result, data = audited(project, apart=True)
    result.stdout.fnmatch_lines(["LOADED []"])
    assert found(data) == HITS


# --- what goes wrong


@pytest.mark.parametrize(
    ("conftest", "said"),
    [
        (
            "def pytest_secaudit_checks():\n    return ['SHOP901']\n",
            "*an object of type str of conftest.py is not accepted*",
        ),
        (
            CHECK + "\ndef pytest_secaudit_checks():\n    return [CHECK, CHECK]\n",
            "*'SHOP901' comes twice from conftest.py*",
        ),
        (CONFTEST.replace("SHOP901", "SHOP"), "*the check 'SHOP' of conftest.py is not accepted; code: 'SHOP'*"),
        (CONFTEST.replace("real-mail", "real-sleep"), "*'real-sleep' comes from pytest-secaudit and from conftest.py*"),
    ],
)
@pytest.mark.parametrize("option", ["--secaudit", "--secaudit-list"])
def test_what_is_no_check_stops_the_run_in_one_line(
    project: pytest.Pytester, conftest: str, said: str, option: str
) -> None:
    project.makeconftest(conftest)
    result = project.runpytest_inprocess(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: pytest_secaudit_checks: {said}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_two_sources_of_one_code_are_both_named(project: pytest.Pytester) -> None:
    project.makepyfile(shop_checks=CONFTEST)
    result = project.runpytest_inprocess("-p", "shop_checks", "--secaudit")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'SHOP901' comes from conftest.py and from plugin shop_checks; accepted: *"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('boom \\x1b[31m')", "ValueError: boom \\x1b[31m"),
        ("yield CHECK; raise OSError('late')", "OSError: late"),
        ("return 3", "TypeError: 'int' object is not iterable"),
        ("import pytest; pytest.skip('no')", "Skipped: no"),
    ],
)
def test_a_hook_that_raises_is_named_and_the_run_goes_on(project: pytest.Pytester, body: str, said: str) -> None:
    project.makeconftest(f"{CHECK}\ndef pytest_secaudit_checks(config):\n    {body}\n")
    result, data = audited(project, *(["-n2"] if "ValueError" in body else []))
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["not judged: the checks of conftest.py are not used (-v names them)*"])
    assert data["evidence"]["not_audited"] == [
        {"path": "conftest.py", "reason": f"not by its own checks: pytest_secaudit_checks raised {said}"}
    ]
    assert "PSA701" in data["evidence"]["checks"]
    assert "SHOP901" not in data["evidence"]["checks"]


def test_one_hook_that_raises_takes_no_other_with_it(project: pytest.Pytester) -> None:
    project.makepyfile(broken_checks="def pytest_secaudit_checks():\n    raise ValueError\n")
    _, data = audited(project, "-p", "broken_checks")
    assert found(data) == HITS
    assert [one["path"] for one in data["evidence"]["not_audited"]] == ["plugin broken_checks"]
    listed = project.runpytest_inprocess("-p", "broken_checks", "--secaudit-list")
    listed.stdout.fnmatch_lines(["SHOP901 *", "plugin broken_checks: not by its own checks: * raised ValueError: *"])


def test_a_code_in_the_settings_whose_hook_raised_is_refused_with_why(project: pytest.Pytester) -> None:
    project.makeconftest("def pytest_secaudit_checks():\n    raise ValueError('boom')\n")
    result = project.runpytest_inprocess("--secaudit", "--secaudit-ignore=SHOP901")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unknown check 'SHOP901'*conftest.py: *raised ValueError: boom"])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("raise ValueError('boom')", "ValueError: boom"),
        ("yield 'a hit'", "TypeError: yields an object of type str, not a Hit"),
        ("yield Hit(module.tree.body[0], 3)", "TypeError: yields a Hit whose message is of type int"),
        ("yield Hit(module.tree.body[0], 'm', fix=None)", "TypeError: yields a Hit whose fix is of type NoneType"),
        (
            "yield Hit(module.tree.body[0], 'm', severity='info')",
            "TypeError: yields a Hit whose severity is of type str",
        ),
        ("yield Hit(module.tree.body[0], 'm', subject=3)", "TypeError: yields a Hit whose subject is of type int"),
        ("yield Hit(None, 'm'); yield Hit(type('N', (), {'lineno': 999}), 'm')", "ValueError: points to line 999 of *"),
    ],
)
def test_a_rule_that_fails_is_named_and_the_others_go_on(project: pytest.Pytester, rule: str, said: str) -> None:
    project.makeconftest(f"{CHECK.replace('for call, scope in', f'{rule}{chr(10)}    for call, scope in')}{HOOK}")
    project.makepyfile(test_mail="def test_a():\n    assert 'always'\n")
    for _ in range(2):  # also from the cache
        result, data = audited(project, *(["-n2"] if "boom" in rule else []))
        result.assert_outcomes(passed=1)
        assert [one["code"] for one in data["findings"] if one["code"] != "SHOP901"] == ["PSA004"]
        reasons = {one["path"]: one["reason"] for one in data["evidence"]["not_audited"]}
        assert re.match(
            re.escape(f"not by SHOP901: the check raised {said}").replace(r"\*", ""), reasons["test_mail.py"]
        )
        result.stdout.fnmatch_lines(["not judged: SHOP901 failed in ? file*"])


def test_one_without_a_rule_is_said_to_report_nothing(project: pytest.Pytester) -> None:
    project.makeconftest(CONFTEST.replace(" rule=rule,", ""))
    _, data = audited(project)
    assert data["evidence"]["not_audited"] == [
        {"path": "conftest.py", "reason": "not by SHOP901: it has no rule, and reports nothing"}
    ]


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["alone", "workers"])
def test_a_conftest_that_is_found_too_late_is_named_with_why(pytester: pytest.Pytester, options: list[str]) -> None:
    folder = pytester.mkdir("tests") / "mail"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_mail.py").write_text("class Mail:\n    def deliver(self):\n        return 1\n\n"
                                         "def test_a():\n    assert Mail().deliver() == 1\n")  # fmt: skip
    pytester.makeini("[pytest]\n")
    result, data = audited(pytester, *options)
    assert found(data) == []
    (item,) = data["evidence"]["not_audited"]
    assert item["path"] == "tests/mail/conftest.py"
    assert item["reason"].startswith("not by its own checks: it was loaded after pytest_secaudit_checks had been asked")
    result.stdout.fnmatch_lines(["not judged: the checks of tests/mail/conftest.py are not used (-v names*"])
    _, data = audited(pytester, *options, "tests/mail")  # now it is one of the first
    assert [one[:2] for one in found(data)] == [("SHOP901", 6)]
    assert data["evidence"]["not_audited"] == []


# --- while the audit is off


@pytest.mark.parametrize("options", [[], ["--no-secaudit"]], ids=["nothing", "no"])
def test_a_conftest_with_the_hook_is_not_asked_while_the_audit_is_off(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    hook = "def pytest_secaudit_checks(config):\n    raise SystemExit('asked')\n"
    pytester.makeconftest(hook)
    below = pytester.mkdir("below") / "deep"
    below.mkdir()
    (below / "conftest.py").write_text(hook)  # loaded when the hooks have been verified
    (below / "test_a.py").write_text("def test_a():\n    pass\n")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=1)
    assert result.ret == 0


def test_an_optional_hook_works_without_us(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import pytest\n\n@pytest.hookimpl(optionalhook=True)\ndef pytest_secaudit_checks(config):\n    import missing\n"
    )
    pytester.makepyfile("def test_a():\n    pass\n")
    pytester.runpytest_subprocess("-p", "no:secaudit").assert_outcomes(passed=1)


def test_the_specification_costs_no_module_but_its_own() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import pytest_secaudit.plugin, pytest_secaudit.hookspecs;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pytest_secaudit', 'pytest_secaudit.hookspecs', 'pytest_secaudit.plugin']"


# --- without pytest running


def cli(project: pytest.Pytester, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest_secaudit", *arguments]
    return subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)


def test_check_loads_nobodys_check_and_complains_of_no_code_of_theirs(project: pytest.Pytester) -> None:
    project.makeconftest("raise SystemExit('imported')")
    text = (project.path / "test_mail.py").read_text("utf-8")
    (project.path / "test_mail.py").write_text(
        text + "    assert mail  # secaudit: ignore[real-mail] by name\n", "utf-8"
    )
    project.makeini(
        "[pytest]\nsecaudit_ignore = SHOP901, PSA701, real-mail\nsecaudit_select =\n    PSA\n    SHOP\n"
        "secaudit_per_file_ignores = test_mail.py: SHOP901\nsecaudit_expected = SHOP901 a*  why\n"
    )
    done = cli(project, "check", ".", "--fail-on=info")
    assert (done.returncode, done.stderr) == (0, "")
    assert "SHOP" not in done.stdout


@pytest.mark.parametrize(
    "options", [["--select=SHOP901"], ["--ignore=SHOP901"], ["-o"]], ids=["select", "ignore", "only theirs"]
)
def test_check_refuses_what_cannot_be_done(project: pytest.Pytester, options: list[str]) -> None:
    if options == ["-o"]:
        project.makeini("[pytest]\nsecaudit_select = SHOP901\n")
        options = []
    done = cli(project, "check", ".", *options)
    assert done.returncode == 2
    assert "SHOP901" in done.stderr


def test_what_no_check_here_has_may_be_elsewhere() -> None:
    assert all(may_be_elsewhere(one, HEADINGS) for one in ("SHOP901", "shop9", "SHOP", "real-mail"))
    assert not any(may_be_elsewhere(one, HEADINGS) for one in ("PSA999", "psa", "PSA9", "real-sleep", "", "9*", "A B"))
    assert not may_be_elsewhere("SHOP999", [check()])
    with pytest.raises(UnknownCode):
        codes_of(["PSA999"], HEADINGS, others=True)
    assert parse_per_file_ignore("s", "a.py: SHOP901, PSA701", HEADINGS, others=True).codes == {"PSA701"}
    assert parse_expected("s", "SHOP901 a  why", HEADINGS, others=True).codes == frozenset()
    with pytest.raises(BadSetting, match="none of them is a built-in check"):
        selected("s", ["SHOP901"], HEADINGS, others=True)


def test_merge_takes_what_it_knows_of_them_from_the_reports(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\npythonpath = .\n")
    options = ["--secaudit", "--secaudit-report=json:one.json", "test_mail.py::test_a"]
    project.runpytest_subprocess(*options)
    project.runpytest_subprocess("--secaudit", "--secaudit-report=json:two.json", "test_mail.py::test_b")
    done = cli(
        project,
        "merge",
        "one.json",
        "two.json",
        "--report=sarif:all.sarif",
        "--write-baseline",
        "--report=json:all.json",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "suppressed 1, baseline 1" in done.stdout
    assert sorted(found(json.loads((project.path / "all.json").read_text("utf-8")))) == [
        ("SHOP901", 4, "baselined"),
        ("SHOP901", 7, "ignored"),
    ]
    (run,) = json.loads((project.path / "all.sarif").read_text("utf-8"))["runs"]
    assert [rule["name"] for rule in run["tool"]["driver"]["rules"] if rule["id"] == "SHOP901"] == ["real-mail"]
    known = json.loads((project.path / "secaudit-baseline.json").read_text("utf-8"))
    assert known["catalogue"]["SHOP901"] == 1
    again = cli(project, "merge", "one.json", "two.json", "--baseline=secaudit-baseline.json", "--fail-on=info")
    assert again.returncode == 0
    assert "no defects found" in again.stdout
    assert cli(project, "diff", "one.json", "all.json").returncode == 0


def test_merge_gives_a_check_its_worst_level_and_keeps_its_revision(project: pytest.Pytester) -> None:
    from pytest_secaudit.baseline import Baseline

    audited(project)
    text = (project.path / "audit.json").read_text("utf-8")
    audit = parse(text.replace('"severity": "advisory"', '"severity": "defect"', 1))
    (heading,) = (one for one in _catalogue(audit, Baseline(catalogue={"SHOP901": 4})) if one.code == "SHOP901")
    assert (heading.severity, heading.revision, heading.name, heading.cwe) == (DEFECT, 4, "real-mail", 1327)
