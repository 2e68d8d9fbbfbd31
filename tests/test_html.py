"""The HTML report: what is on the page, that text stays text, and (in a real browser) that it looks as it should.

The tests in a browser need the package playwright, and the path of a Chromium in ``SECAUDIT_CHROMIUM``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_secaudit.conclusion import conclude
from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    INFO,
    Audit,
    BaselineUse,
    Contact,
    EvidenceSummary,
    FileRun,
    Finding,
    Gate,
    Lifetime,
    NotAudited,
    Owner,
    Place,
    Run,
    Severity,
    Sleep,
    SleepSite,
)
from pytest_secaudit.reports import html
from pytest_secaudit.reports.html.anchors import anchored
from pytest_secaudit.reports.html.style import CSS
from pytest_secaudit.reports.html.tree import document, element

A, B = "tests/test_a.py", "tests/test_b.py"
SOURCE = "".join(f"line_{number} = {number}\n" for number in range(1, 301))
RUN = Run("3.12.1", "9.2.0", "deep", 0, (), 20.0, 0.5, complete=True, exit_status=0, collect_only=False)
EVIDENCE = EvidenceSummary(
    modules=2,
    tests_collected=100,
    tests_run=98,
    tests_skipped=2,
    tests_with_a_check=90,
    fixtures=1,
    checks=("PSA101", "PSA701"),
    watchers={"environ": "on", "sleep": "on", "warnings": "off: pytest resets them after every test"},
    not_audited=(),
)


def finding(code: str = "PSA101", severity: Severity = DEFECT, path: str = A, line: int = 8, **more: object) -> Finding:
    owner = Owner("test", f"{path}::test_x", path, line, "function")
    values: dict[str, object] = {
        "code": code, "name": "environ-not-restored", "severity": severity, "message": "test_x left it set",
        "path": path, "line": line, "column": 1, "end_line": line, "owner": owner, "owners": (owner,),
        "fingerprint": f"{code}{path}{line}".replace("/", ""), "evidence": "confirmed", "fix": "use monkeypatch",
    }  # fmt: skip
    return Finding(**{**values, **more})  # type: ignore[arg-type]


def made(*findings: Finding, evidence: EvidenceSummary = EVIDENCE, run: Run = RUN, **more: object) -> Audit:
    ordered = tuple(sorted(findings, key=lambda one: one.order))
    conclusion = conclude(ordered, (), evidence, {1: 4, 7: 2}, collect_only=run.collect_only)
    return replace(Audit("1", run, evidence, conclusion, Gate(), ordered, tests_judged_for_checks=98), **more)


def source_of(path: str) -> str:
    if path.startswith("<"):
        raise FileNotFoundError(path)
    return SOURCE


# --- reading a page


@dataclass
class Page(HTMLParser):
    """The elements of a page in their order, with the stretch of its text that stands in each."""

    found: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    parents: list[int | None] = field(default_factory=list)
    stretches: list[tuple[int, int]] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    open: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parents.append(self.open[-1] if self.open else None)
        self.found.append((tag, dict(attrs)))
        self.stretches.append((len(self.pieces), len(self.pieces)))
        if tag != "meta":
            self.open.append(len(self.found) - 1)

    def handle_endtag(self, tag: str) -> None:
        number = self.open.pop()
        assert self.found[number][0] == tag, f"</{tag}> closes something else"
        self.stretches[number] = (self.stretches[number][0], len(self.pieces))

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def exact(self, number: int) -> str:
        """The text in an element as it stands there."""
        return "".join(self.pieces[slice(*self.stretches[number])])

    def shown(self, number: int) -> str:
        """The same with one space between any two things."""
        return " ".join(" ".join(self.pieces[slice(*self.stretches[number])]).split())

    @property
    def text(self) -> str:
        return self.shown(self.tags.index("body"))

    @cached_property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.found]

    def all(self, tag: str, **attributes: str) -> list[int]:
        """Numbers of the elements; ``class_`` is one of several."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            number
            for number, (name, has) in enumerate(self.found)
            if name == tag
            and all(value == has.get(key) or value in (has.get(key) or "").split() for key, value in wanted.items())
        ]

    def said(self, tag: str, **attributes: str) -> list[str]:
        return [self.shown(number) for number in self.all(tag, **attributes)]

    def within(self, number: int, tag: str, **attributes: str) -> list[int]:
        return [one for one in self.all(tag, **attributes) if number in self.above(one)]

    def above(self, number: int) -> Iterator[int]:
        parent = self.parents[number]
        while parent is not None:
            yield parent
            parent = self.parents[parent]

    def ids(self) -> list[str]:
        return [value for _, has in self.found if (value := has.get("id")) is not None]


def page(audit: Audit, read: Callable[[str], str] = source_of) -> Page:
    return parsed(html.render(audit, read))


def parsed(text: str) -> Page:
    result = Page()
    result.feed(text)
    result.close()
    assert not result.open or result.found[result.open[-1]][0] == "html"
    return result


LEFT = {"area": "environ", "later_tests": 40, "after_failure": False, "put_back_later": False}
FULL = made(
    finding(detail=LEFT, seen_by=(f"{B}::test_y", f"{B}::test_z"), victims=(f"{B}::test_y",), cwe=459),
    finding("PSA110", ADVISORY, B, 30, detail={**LEFT, "put_back_later": True}, evidence="suspected"),
    finding("PSA701", ADVISORY, B, 12, name="real-sleep", detail={"seconds": 3.0, "calls": 2, "tests": 1}),
    finding("PSA202", DEFECT, A, 44, name="assertion-only-in-except", security="tls", evidence="not-reached"),
    finding("PSA701", INFO, A, 60, name="real-sleep", acknowledged="59: the broker has no event", cwe=None),
    finding("PSA901", ADVISORY, A, 70, name="real-network", subject="db.example:5432"),
    finding("PSA502", DEFECT, A, 90, status="ignored", reason="comment: it is meant"),
    finding("PSA503", DEFECT, A, 91, status="expected", reason="until the next release"),
    finding("PSA504", DEFECT, A, 92, status="baselined", reason="known since May"),
    gate=Gate("defect", failed=True, reason="tests passed; the audit failed the run: 2 new findings"),
    cleared=(finding("PSA102", ADVISORY, B, 99, evidence="cleared"),),
    sleep=Sleep(4.0, 0.2, 1.0, (SleepSite(B, 12, 2, 3.0, ("a", "b")), SleepSite(A, 60, 1, 1.0, ("a",)),
                                SleepSite(A, 61, 1, 0.5, ("a",), in_threads=True))),
    contacts=(Contact("host", "db.example:5432", tuple(f"{A}::test_{number}" for number in range(5))),),
    files=(FileRun(A, 60, 58, 1, 1), FileRun(B, 40, 39, 0, 1), FileRun("tests/test_c.py", 9, 9, 0, 0)),
    lifetimes=(
        Lifetime(f"PSA101{A}8".replace("/", ""), "", 20),
        Lifetime(f"PSA110{B}30".replace("/", ""), "", 50, 60),
        Lifetime(f"PSA502{A}90".replace("/", ""), "", 10, 20),
    ),
    bodies={"": 100},
    baseline=BaselineUse("baseline.json", 12, ("PSA101 in tests/test_old.py",)),
    evidence=replace(EVIDENCE, not_audited=(NotAudited("tests/test_bad.py", "invalid syntax (line 3)"),)),
)  # fmt: skip


# --- the page as a whole


def test_the_page_is_one_well_formed_document_that_may_run_nothing() -> None:
    text = html.render(FULL, source_of)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    result = parsed(text)
    assert not set(result.tags) & {"script", "iframe", "img", "link", "object", "embed", "form", "input", "base"}
    for _, attributes in result.found:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset")]
    assert Counter(result.tags)["main"] == Counter(result.tags)["h1"] == Counter(result.tags)["nav"] == 1


def test_the_policy_allows_this_style_sheet_and_nothing_else() -> None:
    result = page(FULL)
    (policy,) = [has["content"] for _, has in result.found if has.get("http-equiv") == "Content-Security-Policy"]
    (sheet,) = result.all("style")
    digest = base64.b64encode(hashlib.sha256(result.exact(sheet).encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; base-uri 'none'; form-action 'none'"
    )
    assert result.tags.index("meta") < sheet


def test_the_order_is_conclusion_dimensions_pictures_findings_and_the_rest() -> None:
    result = page(FULL)
    sections = [has["id"] for tag, has in result.found if tag == "section" and has.get("class") is None]
    assert sections == [
        "figures", "dimensions", "timeline", "sleep", "modules", "findings", "hidden", "not-judged", "contacts",
    ]  # fmt: skip
    assert result.tags.index("h1") < result.all("section", id="figures")[0]


def test_headings_leave_no_level_out() -> None:
    levels = [int(tag[1]) for tag in page(FULL).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_headers_and_pictures_have_titles() -> None:
    result = page(FULL)
    tables, pictures = result.all("table"), result.all("svg")
    assert len(tables) >= 5
    assert len(pictures) >= 6
    for table in tables:
        assert result.tags[table + 1] == "caption"
        assert all(result.found[one][1].get("scope") in ("col", "row") for one in result.within(table, "th"))
    for picture in pictures:
        assert result.tags[picture + 1] == "title"
        assert result.shown(picture + 1)


def test_ids_are_unique_and_every_link_leads_somewhere() -> None:
    result = page(FULL)
    ids = result.ids()
    assert len(ids) == len(set(ids))
    links = [has["href"] or "" for tag, has in result.found if tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert [link for link in links if not link.startswith("#")] == ["https://cwe.mitre.org/data/definitions/459.html"]
    first = next(has for tag, has in result.found if tag == "a")
    assert (first["class"], first["href"]) == ("skip", "#findings")


def test_the_same_audit_gives_the_same_page() -> None:
    assert html.render(FULL, source_of) == html.render(FULL, source_of)


# --- text of the user

HOSTILE = "</script></style></title><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>&lt;`<b>`]]><!-- -->"


def with_text(value: object, text: str) -> object:
    """The value with ``text`` in the place of each of its strings."""
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(with_text(one, text) for one in value)
    if isinstance(value, (Owner, Place, NotAudited, SleepSite, Contact, FileRun, BaselineUse)):
        return replace(value, **{
            one.name: with_text(getattr(value, one.name), text) for one in fields(value) if one.name != "kind"
        })  # fmt: skip
    return value


def everywhere(text: str) -> Audit:
    """An audit in which every string that may come from a user is this one."""
    kept = {"code", "name", "evidence", "status", "fingerprint", "detail", "severity"}
    changed = [
        replace(one, **{
            each.name: with_text(getattr(one, each.name), text)
            for each in fields(Finding)
            if each.name not in kept and getattr(one, each.name) is not None
        })
        for one in (*FULL.findings, *FULL.cleared)
    ]  # fmt: skip
    owner = changed[0].owner
    changed[0] = replace(changed[0], owners=(owner, replace(owner, kind="window", ids=(text,), plugin=text)))
    evidence = replace(
        FULL.evidence, watchers={"environ": "on", text: f"off: {text}"}, not_audited=(NotAudited(text, text),)
    )
    return replace(
        FULL,
        run=replace(FULL.run, workers_lost=(text,), dearest=text, depth=text, python=text, pytest=text),
        evidence=evidence,
        gate=Gate("defect", failed=True, reason=text),
        conclusion=replace(FULL.conclusion, text=text, security=text),
        findings=tuple(changed[: len(FULL.findings)]),
        cleared=tuple(changed[len(FULL.findings) :]),
        sleep=replace(FULL.sleep, sites=tuple(with_text(site, text) for site in FULL.sleep.sites)),
        contacts=tuple(with_text(one, text) for one in FULL.contacts),
        files=tuple(with_text(one, text) for one in FULL.files),
        baseline=BaselineUse(text, 1, (text,)),
        lifetimes=tuple(replace(one, process=text) for one in FULL.lifetimes),
        bodies={text: 100},
    )


def test_hostile_text_is_shown_and_makes_no_element() -> None:
    harmless = re.sub("[<>&`'\"]", "x", HOSTILE)
    hostile = page(everywhere(HOSTILE), lambda path: f"{HOSTILE}\n" * 100)
    plain = page(everywhere(harmless), lambda path: f"{harmless}\n" * 100)
    source = {"code"}  # what stands between backticks
    tags = [tag for tag in hostile.tags if tag not in source]
    assert tags == [tag for tag in plain.tags if tag not in source]
    bodies = [one.exact(one.tags.index("body")) for one in (hostile, plain)]
    assert bodies[0].count("onerror=alert(1)") == bodies[1].count("onerror=alert(1)") > 40
    assert HOSTILE in hostile.exact(hostile.tags.index("title"))
    assert [sorted(has) for tag, has in hostile.found if tag not in source] == [
        sorted(has) for tag, has in plain.found if tag not in source
    ]


def test_what_cannot_be_seen_or_reorders_is_shown_by_its_escape() -> None:
    text = html.render(everywhere("a\u202eb\x00c\x1b[31md\ud800e\u200bf\r\nPSA\ufeff"), lambda path: "a\u202eb\x07")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\ufeff]", text)
    text.encode("utf-8")
    assert r"a\u202eb\x00c\x1b[31md\ud800e\u200bf\r" in text


def test_long_texts_are_cut_and_the_page_stays_small() -> None:
    text = html.render(everywhere("tests/test_a.py::test_x[" + "y" * 10_000 + "]"), lambda path: "z" * 50_000)
    assert len(text) < 200_000
    assert "z" * 400 not in text
    assert "y" * 300 in text


def test_text_in_backticks_is_source() -> None:
    result = page(made(finding(message="compare `a == b` with `c`", fix="an odd ` stays")))
    (message,) = result.all("span", class_="message")
    assert [result.exact(one) for one in result.within(message, "code")] == ["a == b", "c"]
    assert "an odd ` stays" in result.text


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("script", {}), ("img", {}), ("style", {}), ("a", {"onclick": "x"}), ("p", {"style": "x"}),
        ("a", {"href": "javascript:alert(1)"}), ("a", {"href": "https://evil.example/"}), ("a", {"href": "//x"}),
        ("a", {"href": "#a\njavascript:"}),
    ],
)  # fmt: skip
def test_what_could_run_or_load_cannot_be_built(tag: str, attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^no (element|attribute|link to) "):
        element(tag, **attributes)


def test_a_style_sheet_that_would_end_early_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no markup"):
        document("t", "a { } </style><p>", [])


# --- anchors


def test_an_anchor_is_code_and_fingerprint_and_stays_whatever_is_added() -> None:
    one = finding(fingerprint="96dadd625bd1068e30f8")
    moved = replace(one, line=80, end_line=80, message="in other words")
    assert "PSA101-96dadd625bd1068e30f8" in page(made(one)).ids()
    assert "PSA101-96dadd625bd1068e30f8" in page(made(finding("PSA001", line=1), moved, finding("PSA202"))).ids()


def test_findings_that_share_a_fingerprint_have_anchors_of_their_own() -> None:
    same = [finding(fingerprint=mark) for mark in ("a", "a", "a", "a-2", "a/2", "a_2", "#\"'> ")]
    anchors = [one.anchor for one in anchored(same)]
    assert len(set(anchors)) == len(anchors)
    assert anchors[:3] == ["PSA101-a", "PSA101-a-2", "PSA101-a-3"]
    assert all(re.fullmatch(r"PSA101-[\w.-]+", anchor) for anchor in anchors)


# --- the head


def test_the_head_says_conclusion_gate_and_security() -> None:
    result = page(FULL)
    assert result.said("h1") == ["2 defects, 3 advisories in 98 of 100 tests of 2 modules."]
    assert result.said("p", class_="gate") == ["Tests passed; the audit failed the run: 2 new findings."]
    assert "1 finding in tests of security functions (PSA202)" in result.said("p", class_="security")[0]


@pytest.mark.parametrize(
    ("gate", "said"),
    [(Gate(), []), (Gate("advisory"), ["The gate is passed: nothing new is at or above advisory."])],
)
def test_a_gate_that_did_not_fail(gate: Gate, said: list[str]) -> None:
    assert page(made(gate=gate)).said("p", class_="gate") == said


@pytest.mark.parametrize(
    ("audit", "look"),
    [
        (made(finding()), "defect"),
        (made(finding(severity=ADVISORY)), "advisory"),
        (made(), "clear"),
        (made(evidence=replace(EVIDENCE, modules=0)), "unsure"),
        (made(evidence=replace(EVIDENCE, watchers={})), "unsure"),
    ],
)
def test_only_a_watched_suite_without_findings_looks_clean(audit: Audit, look: str) -> None:
    result = page(audit)
    assert [has.get("class") for tag, has in result.found if tag == "h1"] == [look]


def test_figures_count_what_is_new_hidden_and_measured() -> None:
    result = page(FULL)
    tiles = {
        result.shown(term): result.shown(term + 1) for term in result.within(result.all("dl", class_="tiles")[0], "dt")
    }
    assert tiles == {
        "Defects": "2 1 of them not seen in the run",
        "Advisories": "3 1 of them not seen in the run",
        "Infos": "1",
        "Hidden": "3 1 ignored, 1 expected, 1 baselined",
        "Cleared": "1 suspected, and seen to be right",
        "Checked something": "91.8 % 90 of 98 passed tests evaluated an assertion or a check of a mock",
        "Asleep": "4.0 s 20 % of 20.0 s",
        "The audit took": "0.5 s 2 % of 20.0 s",
    }


def test_dimensions_have_a_row_each_with_what_was_examined() -> None:
    result = page(FULL)
    (table,) = result.all("table", class_="dimensions")
    rows = [result.shown(row) for row in result.within(table, "tr")]
    assert len(rows) == 11
    assert rows[2] == "1 mock and test environment 1 defect, 1 advisory 4 1 1 – –"
    assert rows[4] == "3 data handling, logging and input – – – – –"


# --- the timeline


def bars(result: Page, row: int) -> list[tuple[str | None, str | None]]:
    found = [result.found[one][1] for one in result.within(row, "rect") if result.found[one][1]["class"] != "track"]
    return [(has["x"], has["width"]) for has in found]


def lanes(result: Page) -> list[int]:
    (section,) = result.all("section", id="timeline")
    return [row for row in result.within(section, "tr") if result.within(row, "td")]


def test_a_lane_shows_when_a_change_was_left_and_for_how_long() -> None:
    result = page(FULL)
    first, second = lanes(result)  # one finding is ignored
    assert bars(result, first) == [("20%", "80%")]
    assert bars(result, second) == [("50%", "10%")]
    assert result.shown(result.within(first, "td")[0]) == "80 of 100 to the end 1 victim"
    assert result.shown(result.within(second, "td")[0]) == "10 of 100 then put back"
    links = [result.found[result.within(row, "a")[0]][1]["href"] for row in (first, second)]
    assert links == ["#PSA101-PSA101teststest_a.py8", "#PSA110-PSA110teststest_b.py30"]
    titles = [result.shown(result.within(row, "title")[0]) for row in (first, second)]
    assert titles == ["in force from test 21 to the end of 100", "in force from test 51 to test 60 of 100"]


def test_victims_and_later_tests_are_named() -> None:
    result = page(FULL)
    (first, _) = lanes(result)
    (names,) = result.within(first, "details")
    assert result.shown(result.within(names, "summary")[0]) == "1 victim, 1 of the 39 tests that ran with it"
    assert [result.shown(one) for one in result.within(result.within(names, "ul", class_="victims")[0], "li")] == [
        f"{B}::test_y"
    ]
    assert [result.shown(one) for one in result.within(names, "li")] == [f"{B}::test_y", f"{B}::test_z"]


def test_those_that_hurt_come_first_then_the_worst_then_the_longest() -> None:
    found = [
        finding("PSA110", ADVISORY, line=1, message="short"),
        finding("PSA110", ADVISORY, line=2, message="long"),
        finding("PSA110", DEFECT, line=3, message="bad"),
        finding("PSA110", INFO, line=4, message="hurting", victims=(B,)),
    ]
    lives = tuple(Lifetime(one.fingerprint, "", 0, one.line) for one in found)
    result = page(made(*found, lifetimes=lives, bodies={"": 10}))
    assert [result.shown(result.within(row, "a")[0]) for row in lanes(result)] == [
        "info: hurting",
        "defect: bad",
        "advisory: long",
        "advisory: short",
    ]


def test_stretches_that_touch_are_one_and_workers_have_lanes_of_their_own() -> None:
    mark = finding().fingerprint
    lives = tuple(
        Lifetime(mark, process, began, until)
        for process, began, until in [
            ("gw0", 10, 20), ("gw0", 20, 30), ("gw0", 60, 70), ("gw0", 62, 65), ("gw1", 0, None), ("gw1", 50, 50),
        ]
    )  # fmt: skip
    result = page(made(finding(), lifetimes=lives, bodies={"gw0": 100, "gw1": 50}))
    first, second = lanes(result)
    assert bars(result, first) == [("0%", "100%")]
    assert bars(result, second) == [("10%", "20%"), ("60%", "10%")]
    assert [result.shown(result.within(row, "td")[0]) for row in (first, second)] == [
        "50 of 50 in gw1 to the end",
        "30 of 100 in gw0 then put back",
    ]


def test_odd_lifetimes_still_fit_the_picture() -> None:
    mark = finding().fingerprint
    lives = (Lifetime(mark, "", 7, 5), Lifetime(mark, "", 900), Lifetime("of nothing", "", 3))
    result = page(made(finding(), lifetimes=lives, bodies={}))
    (row,) = lanes(result)
    assert bars(result, row) == [("0.78%", "0%"), ("100%", "0%")]


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        (made(finding()), "No change was seen to outlive its owner."),
        (made(finding(detail=LEFT)), "1 change outlived their owners; how long they did is not known."),
        (
            made(finding(), run=replace(RUN, collect_only=True)),
            "Nothing was run, so nobody saw what the tests leave behind.",
        ),
    ],
)
def test_a_timeline_without_lanes_says_why(audit: Audit, said: str) -> None:
    result = page(audit)
    assert said in result.shown(result.all("section", id="timeline")[0])
    assert not lanes(result)


# --- sleep


def test_sleep_bars_begin_where_the_one_before_ends() -> None:
    result = page(FULL)
    table, threads = result.within(result.all("section", id="sleep")[0], "table")
    rows = [row for row in result.within(table, "tr") if result.within(row, "td")]
    bars = [result.found[one][1] for one in result.within(table, "rect", class_="slept")]
    assert [(bar["x"], bar["width"]) for bar in bars] == [("0%", "75%"), ("75%", "25%")]
    assert [[result.shown(one) for one in result.within(row, "td")] for row in rows] == [
        ["3.0 s", "75 %"],
        ["1.0 s", "100 %"],
    ]
    assert result.found[result.within(rows[0], "a")[0]][1]["href"] == "#PSA701-PSA701teststest_b.py12"
    assert f"{A}:61" in result.shown(threads)
    assert "1 place in threads that tests started, 0.5 s together" in result.text


def test_few_places_that_hold_most_of_the_sleep_are_counted() -> None:
    sites = tuple(SleepSite(A, line, 1, value, ("t",)) for line, value in enumerate([50.0, 40.0, *[1.0] * 40], 1))
    result = page(made(sleep=Sleep(130.0, 0.5, 0.0, sites)))
    caption = result.said("caption")[1]
    assert "2 places of 42 hold 69 % of it" not in caption
    assert "16 places of 42 hold 80 % of it" in caption
    assert "27 places more, 27.0 s together" in result.text


@pytest.mark.parametrize(
    ("watchers", "said"),
    [({"sleep": "on"}, "No test slept for real time."), ({}, "Nobody watched whether the tests sleep.")],
)
def test_no_sleep_is_only_said_where_somebody_watched(watchers: dict[str, str], said: str) -> None:
    assert said in page(made(evidence=replace(EVIDENCE, watchers=watchers))).text


# --- the heat map


def test_a_cell_has_the_worst_level_the_count_and_the_way_there() -> None:
    more = [finding("PSA101", ADVISORY, line=2), finding("PSA103", DEFECT, line=3), finding("PSA104", INFO, line=4)]
    result = page(made(*more, finding("PSA701", INFO, B, 9), files=FULL.files))
    (table,) = result.all("table", class_="heat")
    first, second = [row for row in result.within(table, "tr") if result.within(row, "td")]
    cells = [result.shown(one) for one in result.within(first, "td")]
    assert cells == ["", "3 defect, the worst of 3", "", "", "", "", "", "", "", ""]
    assert result.found[result.within(first, "a")[0]][1]["href"] == "#PSA103-PSA103teststest_a.py3"
    assert [result.shown(one) for one in result.within(second, "td")].index("1 info") == 7
    assert result.shown(result.within(first, "th")[0]) == f"{A} 60 tests, 1 failed"
    assert "1 test file that ran has none." in result.text


def test_modules_come_worst_first_and_those_after_sixty_are_folded() -> None:
    many = [finding(path=f"tests/test_{number:03}.py", severity=ADVISORY) for number in range(70)]
    worst = [finding("PSA101", path="tests/test_z.py"), finding("PSA001", path="tests/test_y.py", line=1)]
    result = page(made(*many, *worst, finding("PSA002", path="tests/test_y.py", line=2)))
    shown, folded = result.all("table", class_="heat")
    rows = [result.shown(one) for one in result.within(shown, "th", scope="row")]
    assert rows[:3] == ["tests/test_y.py", "tests/test_z.py", "tests/test_000.py"]
    assert len(rows) == 60
    assert len(result.within(folded, "th", scope="row")) == 12
    assert result.tags[result.parents[folded] or 0] == "details"


# --- findings


def entry(result: Page, anchor: str) -> int:
    """The element that holds a finding: its summary and body."""
    (body,) = [number for number, (_, has) in enumerate(result.found) if has.get("id") == anchor]
    return next(number for number in result.above(body) if result.tags[number] == "details")


def facts(result: Page, number: int) -> dict[str, str]:
    return {result.shown(term): result.shown(term + 1) for term in result.within(number, "dt")}


def test_a_finding_in_full() -> None:
    result = page(FULL)
    number = entry(result, "PSA101-PSA101teststest_a.py8")
    summary = result.shown(result.within(number, "summary")[0])
    assert summary == f"defect: test_x left it set {A}:8 1 victim"
    assert facts(result, number) == {
        "Fix": "use monkeypatch",
        "Evidence": "confirmed: the run has seen it",
        "Owner": f"test {A}::test_x",
        "Failed with it": f"{B}::test_y",
        "Afterwards": f"In force in 40 later tests. Some of them {B}::test_z",
    }
    assert result.said("h4")[0] == "PSA101 environ-not-restored 1 , 1 defect"
    assert (
        "does not put it back on every path. CWE-459 . Why, and examples: pytest --secaudit-explain PSA101"
        in (result.said("p", class_="about")[0])
    )


def test_every_new_finding_is_in_full_and_of_each_check_the_first_is_open() -> None:
    result = page(made(*(finding("PSA202", line=line) for line in range(1, 41)), finding("PSA201", INFO)))
    new = result.all("details", class_="finding")
    assert len(new) == 41
    assert sum("open" in result.found[one][1] for one in new) == 2
    assert "15 defects more of PSA202" in result.text


def test_findings_stand_by_level_and_check() -> None:
    result = page(FULL)
    (section,) = result.all("section", id="findings")
    assert [result.shown(one) for one in result.within(section, "h3")] == ["2 defects", "3 advisories", "1 info"]
    index = [result.shown(one) for one in result.within(result.all("ul", class_="index")[0], "li")]
    assert index[0] == "defect: PSA101 environ-not-restored 1"
    assert len(index) == 6


def test_an_acknowledged_sleep_is_quoted_and_not_told_to_go() -> None:
    result = page(FULL)
    told = facts(result, entry(result, "PSA701-PSA701teststest_a.py60"))
    assert told["Acknowledged"] == "59: the broker has no event"
    assert "Fix" not in told


def test_owners_plugins_and_writing_lines_are_told() -> None:
    owner = Owner("window", "a ... b", A, 3, ids=("a", "b"))
    other = Owner("fixture", f"{A}::db", A, 5, "module", "pytest-db")
    one = finding(owner=owner, owners=(owner, other), written_at=Place("<site-packages>/db.py", 9), security="token",
                  try_command="pytest a b", detail={"seconds": 0.04, "calls": 3})  # fmt: skip
    result = page(made(one))
    told = facts(result, entry(result, f"PSA101-{one.fingerprint}"))
    assert told["Owner"] == "one of several a ... b the 2 that ran then a b"
    assert told["Also"] == f"1 other owner fixture {A}::db [module] of pytest-db"
    assert told["Written at"] == "<site-packages>/db.py:9"
    assert told["Try"] == "pytest a b"
    assert told["Measured"] == "40 ms in 3 calls"
    assert told["Security"] == "the place is about token"


def test_a_check_of_another_plugin_needs_no_page() -> None:
    result = page(made(finding("XY-9 <b>", name="of-theirs")))
    assert "XY-9 <b> of-theirs" in result.said("h4")[0]
    assert result.said("p", class_="about") == ["Why, and examples: pytest --secaudit-explain XY-9 <b>"]


# --- source


def source(result: Page) -> list[str]:
    return [result.exact(one) for one in result.all("pre")]


def test_the_lines_of_a_finding_are_shown_and_marked() -> None:
    result = page(made(finding(line=9, end_line=10)))
    assert source(result) == [
        "   7  line_7 = 7\n   8  line_8 = 8\n▸  9  line_9 = 9\n▸ 10  line_10 = 10\n  11  line_11 = 11\n  12  line_12 = 12\n"
    ]
    assert [result.exact(one) for one in result.all("mark")] == ["▸  9  line_9 = 9", "▸ 10  line_10 = 10"]


@pytest.mark.parametrize(
    ("text", "line", "end_line", "shown"),
    [
        ("\n\nx = 1\n\n\ny = 2\n", 3, 3, "▸ 3  x = 1\n"),
        ("a\r\nb\rc\n", 3, 3, "  1  a\n  2  b\n▸ 3  c\n"),
        ("a\x0cb\nc", 2, 2, "  1  a\\x0cb\n▸ 2  c\n"),
        ("\tx = 1", 1, 1, "▸ 1      x = 1\n"),
        ("a", 1, 0, "▸ 1  a\n"),
        ("x" * 500, 1, 1, f"▸ 1  {'x' * 160}…\n"),
        ("a\n" * 100, 1, 90, "".join(f"▸ {number:>2}  a\n" for number in range(1, 15))),
    ],
)
def test_excerpts(text: str, line: int, end_line: int, shown: str) -> None:
    assert source(page(made(finding(line=line, end_line=end_line)), lambda path: text)) == [shown]


def test_no_secret_of_the_source_is_shown() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    key = "\n".join(["KEY = '''-----BEGIN " + "PRIVATE KEY-----", *["MIIEvQIBADANBgkqhkiG9w0BAQ"] * 4, "-----END X'''"])
    lines = f"{key}\nvalue = '{token}'\npassword = 'hunter2 hunter2'\n"
    text = html.render(made(*(finding("PSA301", line=line) for line in range(1, 9))), lambda path: lines)
    assert "MIIE" not in text
    assert token not in text
    assert "hunter2" not in text
    assert "ghp_&lt;redacted&gt;" in text


def test_what_only_names_a_key_hides_nothing_after_it() -> None:
    text = "assert 'PRIVATE KEY-----' in text\nresult = make(1)\n"
    assert "result = make(1)" in source(page(made(finding(line=1)), lambda path: text))[0]


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, ValueError])
def test_source_that_cannot_be_read_is_said(error: type[Exception]) -> None:
    def read(path: str) -> str:
        raise error(path)

    result = page(made(finding()), read)
    assert source(result) == []
    assert "Its source could not be read here." in result.text


@pytest.mark.parametrize("line", [0, -3, 301, 10_000])
def test_a_line_that_is_not_there_shows_none(line: int) -> None:
    assert source(page(made(finding(line=line)))) == []


def test_each_file_is_read_once() -> None:
    read: list[str] = []

    def get(path: str) -> str:
        read.append(path)
        return SOURCE

    html.render(made(*(finding(line=line, path=path) for line in range(1, 20) for path in (A, B))), get)
    assert sorted(read) == [A, B]


# --- what is hidden, cleared, not judged


def test_what_is_hidden_is_folded_with_its_reason() -> None:
    result = page(FULL)
    (section,) = result.all("section", id="hidden")
    folds = [result.shown(one) for one in result.within(section, "details")]
    told = "defect PSA{} environ-not-restored " + A + ":{} test_x left it set Reason: {}"
    assert folds == [
        f"1 finding ignored by a comment, a marker or a setting {told.format(502, 90, 'comment: it is meant')}",
        f"1 finding expected by the settings {told.format(503, 91, 'until the next release')}",
        f"1 finding known in the baseline {told.format(504, 92, 'known since May')}",
        f"1 suspicion cleared by the run advisory PSA102 environ-not-restored {B}:99 test_x left it set",
        "1 of them no longer happens PSA101 in tests/test_old.py",
    ]
    assert "The baseline baseline.json has 12 entries." in result.text
    assert not [one for one in result.within(section, "details") if "open" in result.found[one][1]]
    assert "PSA502-PSA502teststest_a.py90" in result.ids()


def test_what_was_not_judged_is_said() -> None:
    run = replace(RUN, complete=False, workers=2, workers_lost=("gw1",))
    evidence = replace(FULL.evidence, tests_run=95)
    result = page(made(run=run, evidence=evidence, tests_judged_for_checks=90))
    gaps = [result.shown(one) for one in result.within(result.all("ul", class_="gaps")[0], "li")]
    assert gaps == [
        "2 tests skipped.",
        "3 tests collected and not run.",
        "Worker gw1 was lost, and what it saw with it.",
        "The run was not complete: what was deselected, stopped or lost is not judged.",
        "Of 5 tests that ran it is not known whether they checked something.",
        "The product's own code (a scanner such as bandit does), its dependencies, its history.",
    ]
    assert "tests/test_bad.py invalid syntax (line 3)" in result.text
    assert facts(result, result.all("section", id="not-judged")[0]) == {
        "warnings": "pytest resets them after every test"
    }
    assert "2 watchers on environ, sleep" in result.text


def test_a_run_that_only_read_says_so() -> None:
    result = page(made(finding(evidence="suspected"), run=replace(RUN, collect_only=True)))
    assert "Nothing was run: the tests were read" in result.text
    assert "The audit took" not in result.text


def test_contacts_are_named_with_their_owners() -> None:
    result = page(FULL)
    (table,) = result.all("table", class_="contacts")
    (row,) = [row for row in result.within(table, "tr") if result.within(row, "td")]
    assert result.shown(row).startswith(f"host db.example:5432 {A}::test_0 {A}::test_1 {A}::test_2 2 more")
    assert result.found[result.within(row, "a")[0]][1]["href"] == "#PSA901-PSA901teststest_a.py70"
    assert not page(made()).all("section", id="contacts")


# --- size


def large(count: int = 5_000) -> Audit:
    """10,000 tests in 800 modules, with thousands of everything."""
    owner = Owner("test", f"{A}::test_x", A, 8, "function")
    found = [
        finding(
            f"PSA{number % 8 + 1}{number % 3 + 1:02}",
            Severity(number % 3 + 1),
            f"tests/unit/test_{number % 800}.py",
            number % 290 + 1,
            fingerprint=f"{number:020x}",
            detail={**LEFT, "seconds": 1.5, "calls": 2},
            seen_by=tuple(f"{B}::test_{one}" for one in range(20)),
            owners=tuple(replace(owner, id=f"{owner.id}{one}") for one in range(30)),
        )
        for number in range(count)
    ]
    old = [replace(one, status="baselined", reason="known", fingerprint=f"b{one.fingerprint}") for one in found]
    sites = tuple(SleepSite(f"tests/unit/test_{number}.py", 3, 1, 9.0, ("t",) * 20) for number in range(2_000))
    return made(
        *found,
        *old,
        evidence=replace(EVIDENCE, modules=800, tests_collected=10_000, tests_run=10_000,
                         not_audited=tuple(NotAudited(f"{number}.txt", "not read") for number in range(3_000))),
        cleared=tuple(replace(one, evidence="cleared", fingerprint=f"c{one.fingerprint}") for one in found),
        lifetimes=tuple(Lifetime(one.fingerprint, f"gw{number % 4}", begun, begun + 3)
                        for number, one in enumerate(found) for begun in range(0, 30, 10)),
        bodies={f"gw{number}": 2_500 for number in range(4)},
        sleep=Sleep(600.0, 0.3, 0.0, sites),
        contacts=tuple(Contact("host", f"h{number}:80", ("a",) * 20) for number in range(2_000)),
        files=tuple(FileRun(f"tests/unit/test_{number}.py", 12, 12, 0, 0) for number in range(800)),
    )  # fmt: skip


def test_a_page_of_thousands_stays_within_what_a_browser_opens_at_once() -> None:
    """Measured in Chromium: 200,000 elements, nearly all of them folded away, are there after 1.3 s on two old cores."""
    text = html.render(large(), source_of)
    result = Counter(re.findall("<([a-z][a-z0-9]*)", text.partition("<body>")[2]))
    assert sum(result.values()) < 200_000
    assert len(text) < 12_000_000
    assert result["pre"] == 2_000
    assert result["svg"] < 1_500


def test_what_is_folded_away_is_most_of_a_large_page() -> None:
    result = page(large(600))
    folded = [number for number in result.all("details") if "open" not in result.found[number][1]]
    inside: set[int] = set()
    within = set(folded)
    for number in range(len(result.found)):
        if result.parents[number] in within or result.parents[number] in inside:
            inside.add(number)
    assert len(result.found) - len(inside) < 6_000


def test_thousands_of_findings_are_told_in_full_or_in_brief_and_none_is_missing() -> None:
    audit = large(2_500)
    text = html.render(audit, source_of)
    new = {f"{one.code}-{one.fingerprint}" for one in audit.having("new")}
    assert new <= set(re.findall(r' id="([^"]*)"', text))
    assert text.count('<p id="PSA') == 500
    assert "The first 2,000 are told in full, the worst first; the other 500 in brief." in text


# --- colours


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{([^}]*)\}", CSS)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": {**light, **dark}}


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


TEXTS = ("ink", "quiet", "link", "defect", "advisory", "info", "clear")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_a_contrast_of_at_least_four_and_a_half(scheme: str) -> None:
    colours = palettes()[scheme]
    pairs = [(text, ground) for text in TEXTS for ground in ("paper", "sheet", "sunk")]
    pairs += [(level, f"{level}-wash") for level in ("defect", "advisory", "info", "clear")]
    pairs += [("ink", ground) for ground in colours if ground.endswith("-wash") or ground == "meant"]
    low = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: value for pair, value in low.items() if value < 4.5} == {}


def test_every_colour_is_one_of_the_palette_and_all_text_colours_are_tested() -> None:
    light, dark = palettes()["light"], dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", CSS.split("}")[1]))
    assert light.keys() == dark.keys()
    rest = re.sub(r":root \{[^}]*\}", "", CSS)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=[;\s])|rgb|hsl", rest)
    assert set(re.findall(r"(?<![-\w])color: var\(--([a-z-]+)\)", rest)) <= {*TEXTS, "rule"}
    assert set(re.findall(r"var\(--([a-z-]+)\)", rest)) <= light.keys()


# --- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    path = os.environ.get("SECAUDIT_CHROMIUM")
    if not path:
        pytest.skip("SECAUDIT_CHROMIUM names no browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


#: Everything as if a reader had opened and scrolled past it.
OPEN_ALL = """() => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  for (const one of document.querySelectorAll('.check')) one.style.contentVisibility = 'visible';
}"""

#: Each text with its colour and the first ground behind it that is not clear.
COLOURS = """() => {
  const found = {}, walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, inside = text.parentElement;
    if (!text.data.trim() || inside.closest('title, .unseen')) continue;
    const style = getComputedStyle(inside);
    let ground = inside;
    while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
    const colour = inside.tagName === 'text' ? style.fill : style.color;
    found[colour + '|' + getComputedStyle(ground || document.documentElement).backgroundColor] = text.data.slice(0, 40);
  }
  return found;
}"""


@pytest.fixture
def opened(browser, tmp_path: Path) -> Iterator[Callable]:
    """Opens a page in a window of its own; it may ask for nothing and say nothing."""
    contexts = []
    told: list[str] = []

    def open_page(text: str, width: int = 1400, scheme: str = "light", height: int = 900):
        path = tmp_path / "audit.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        window = context.new_page()
        window.on("console", lambda message: told.append(f"console: {message.text}"))
        window.on("pageerror", lambda error: told.append(f"error: {error}"))
        window.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        window.on("request", lambda request: told.append(request.url) if request.url != path.as_uri() else None)
        window.goto(path.as_uri())
        return window

    yield open_page
    for context in contexts:
        context.close()
    assert told == []


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("audit", [FULL, everywhere(HOSTILE), everywhere("W" * 5_000)], ids=["full", "hostile", "long"])
def test_nothing_is_wider_than_the_window(opened, width: int, audit: Audit) -> None:
    window = opened(html.render(audit, lambda path: SOURCE + "x" * 300), width)
    window.evaluate(OPEN_ALL)
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    wide = window.evaluate(
        f"[...document.body.querySelectorAll('*')].filter(one => !one.closest('pre, svg, .unseen, .heat .name')"
        f" && one.getBoundingClientRect().right > {width} + 1).map(one => one.outerHTML.slice(0, 80))"
    )
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_lights(opened, scheme: str) -> None:
    window = opened(html.render(FULL, source_of), 1400, scheme)
    window.evaluate(OPEN_ALL)
    found = window.evaluate(COLOURS)
    assert len(found) > 8
    low = {}
    for pair, text in found.items():
        colours = ["#" + "".join(f"{int(one):02x}" for one in re.findall(r"\d+", part)[:3]) for part in pair.split("|")]
        if contrast(*colours) < 4.5:
            low[pair] = text
    assert low == {}
    ground = window.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (luminance("#" + "".join(f"{int(one):02x}" for one in re.findall(r"\d+", ground)[:3])) > 0.5) == (
        scheme == "light"
    )


def test_hostile_names_are_text_in_a_browser(opened) -> None:
    window = opened(html.render(everywhere(HOSTILE), lambda path: f"{HOSTILE}\n" * 100))
    window.evaluate(OPEN_ALL)
    assert HOSTILE.partition("`")[0] in window.inner_text("main")
    assert window.evaluate("document.querySelectorAll('img, script, b, body svg[onload]').length") == 0


def test_the_policy_stops_what_would_get_in(browser, tmp_path: Path) -> None:
    """The second wall: were there markup of somebody else's on the page, it would neither run nor load."""
    attack = (
        "<script>document.title = 'run'</script><img src='https://x.invalid/a.png' onerror=\"document.title='run'\">"
    )
    path = tmp_path / "audit.html"
    path.write_text(html.render(FULL, source_of).replace("<main>", f"<main>{attack}"), encoding="utf-8")
    window = browser.new_page()
    refused: list[tuple[str, str]] = []
    said: list[str] = []
    window.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
    window.on("console", lambda message: said.append(message.text))
    window.goto(path.as_uri())
    assert window.title().startswith("Test-suite audit: ")
    assert refused == [("https://x.invalid/a.png", "csp")]
    assert len([text for text in said if "Content Security Policy" in text]) >= 2
    window.close()


@pytest.mark.parametrize("picture", ["#timeline .lanes a", "#sleep a", ".heat td a", ".contacts a"])
def test_a_picture_leads_to_its_finding(opened, picture: str) -> None:
    """Also where the finding is folded away, in a part that the browser has not drawn yet."""
    more = [finding("PSA202", INFO, line=line, path=f"tests/test_{line}.py") for line in range(1, 200)]
    audit = replace(FULL, findings=(*FULL.findings, *more))
    window = opened(html.render(audit, source_of))
    link = window.locator(picture).last
    anchor = link.get_attribute("href").removeprefix("#")
    folds = link.evaluate(
        "one => { for (let at = one; at; at = at.parentElement) if (at.tagName == 'DETAILS') at.open = true }"
    )
    assert folds is None
    link.click()
    body = window.locator(f"[id='{anchor}']")
    window.wait_for_function("one => { const at = one.getBoundingClientRect(); return at.top >= 0 && at.top < innerHeight }",
                             arg=body.element_handle())  # fmt: skip
    assert body.is_visible()


def test_the_skip_link_is_the_first_stop_and_shows_itself(opened) -> None:
    window = opened(html.render(FULL, source_of))
    assert window.evaluate("document.querySelector('.skip').getBoundingClientRect().bottom") < 0
    window.keyboard.press("Tab")
    assert window.evaluate("document.activeElement.className") == "skip"
    assert window.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    window.keyboard.press("Enter")
    assert window.evaluate("document.activeElement.id") == "findings"


def test_on_paper_it_is_light_and_begins_with_the_conclusion_and_the_dimensions(opened) -> None:
    window = opened(html.render(FULL, source_of), 800, "dark")
    window.emulate_media(media="print")
    assert not window.is_visible("nav")
    assert luminance_of(window, "h1") < 0.1
    tops = [
        window.evaluate(f"document.querySelector('{one}').getBoundingClientRect().top")
        for one in ("h1", "#dimensions", "#timeline")
    ]
    assert tops == sorted(tops)
    assert window.pdf(format="A4").startswith(b"%PDF")


def luminance_of(window, selector: str) -> float:
    colour = window.evaluate(f"getComputedStyle(document.querySelector('{selector}')).color")
    return luminance("#" + "".join(f"{int(one):02x}" for one in re.findall(r"\d+", colour)[:3]))
