"""Names from the suite that try to break out of a report, through a whole run and every format."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

NAMES = {
    "html": "</script><img src=x onerror=alert(1)>",
    "command": "x\n::error file=a.py::owned%0A::warning::too",
    "bidi": "\u202egnp.exe\u2066\u2069\u200b",
    "controls": "\x1b[31mred\x07\x00\x9b2J",
    "percent": "%s%0d%0a%25%n{0}{name}$(id)`id`",
    "markdown": "[x](javascript:alert(1)) ![y](http://example.invalid/z) | <!-- # `",
    "surrogate": "\ud800 lone",
    "long": "n" * 10_000,
}

MODULE = """
import os
import pytest

NAMES = {names!r}

@pytest.mark.parametrize("name", list(NAMES.values()), ids=list(NAMES.values()))
def test_each(name):
    os.environ["LEFT_" + str(len(name))] = "1"
    assert name

@pytest.fixture(params=list(NAMES.values()), ids=str)
def hostile(request):
    os.environ["OF_" + request.param[:3].strip("\\x00=").encode("ascii", "replace").decode()] = "1"
    return request.param

def test_fixture(hostile):
    assert hostile
"""


class Page(HTMLParser):
    """What elements and text a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def hidden(text: str) -> list[str]:
    return sorted(
        {f"{ord(one):#x}" for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs") and one not in "\n\t"}
    )


@pytest.fixture
def reports(pytester: pytest.Pytester) -> tuple[pytest.RunResult, Path]:
    """A run of the hostile suite, and the folder of its reports."""
    pytester.makepyfile(**{"test_<img src=x>": MODULE.format(names=NAMES)})
    formats = ("json", "sarif", "html", "gitlab", "github", "markdown")
    options = [f"--secaudit-report={kind}:out/audit.{kind}" for kind in formats]
    result = pytester.runpytest_subprocess(
        "--secaudit", "-v", "-p", "no:cacheprovider", "--junitxml=out/junit.xml", "-o", "secaudit_junit=true", *options
    )
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert "the audit failed" not in result.stdout.str()
    assert result.ret == 0
    return result, pytester.path / "out"


def test_no_name_breaks_out_of_any_report(reports: tuple[pytest.RunResult, Path]) -> None:
    result, folder = reports
    section = result.stdout.str().partition("test-suite audit")[2]
    assert hidden(re.sub(r"\x1b\[\d+m", "", section)) == []
    assert not re.search(r"^::", section, re.MULTILINE)

    audit = json.loads((folder / "audit.json").read_text("utf-8"))
    assert len(audit["findings"]) >= len(NAMES)
    sarif = json.loads((folder / "audit.sarif").read_text("utf-8"))
    assert len(sarif["runs"][0]["results"]) == sum(one["status"] == "new" for one in audit["findings"])
    assert json.loads((folder / "audit.gitlab").read_text("utf-8"))

    page = Page()
    text = (folder / "audit.html").read_text("utf-8")
    page.feed(text)
    assert page.elements.isdisjoint(("script", "img", "iframe", "object", "link"))
    assert "test_<img src=x>.py" in page.text
    assert hidden(text) == []

    annotations = (folder / "audit.github").read_text("utf-8").splitlines()
    assert all(re.match(r"::(error|warning|notice)( [^:\n]*)?::", line) for line in annotations)
    assert len(annotations) <= 30

    review = (folder / "audit.markdown").read_text("utf-8")
    assert hidden(review) == []
    assert not re.search(r"(?<!\\)<img|(?<!\\)\]\(javascript", re.sub(r"`[^`]*`", "", review))

    for case in ElementTree.parse(folder / "junit.xml").iter("testcase"):
        for one in case.iter("property"):
            assert re.fullmatch(r"(PSA\d{3}:\w+ ?)+", one.get("value") or "")
    for file in folder.iterdir():
        assert file.stat().st_size < 3_000_000, file
