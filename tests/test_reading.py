"""Reading one file: whatever stands in it, there is a reading, with the right lines or the reason why not."""

from __future__ import annotations

import codecs
import json
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pytest_secaudit import reading as reading_module
from pytest_secaudit import rules as rules_module
from pytest_secaudit.cache import ReadingCache
from pytest_secaudit.checks import built_in
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.reader import Reader
from pytest_secaudit.reading import MAX_BYTES, Reading, from_plain, to_plain
from pytest_secaudit.rules import read
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.comments import comments_between

CHECKS = built_in()

#: A line that PSA004 reports, whatever stands around it.
HIT = 'assert 200, "status"'


def a_test(before: str = "", name: str = "test_it") -> str:
    """A module whose last line is the hit, after ``before``."""
    return f"{before}def {name}():\n    {HIT}\n"


def places(result: Reading) -> list[tuple[str, int]]:
    assert result.error is None
    assert result.failures == ()
    return [(hit.code, hit.line) for hit in result.hits]


def reading_of(text: str | bytes) -> Reading:
    return read(text.encode() if isinstance(text, str) else text, "tests/test_a.py", CHECKS)


# --- encodings


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(f"# -*- coding: latin-1 -*-\n# caf\xe9\n{a_test()}".encode("latin-1"), 4, id="latin-1"),
        pytest.param(
            f"#!/usr/bin/python\n# coding=cp1252\n# \u201cx\u201d\n{a_test()}".encode("cp1252"), 5, id="second-line"
        ),
        pytest.param(f"# vim: set fileencoding=koi8-r :\n# \u044f\n{a_test()}".encode("koi8-r"), 4, id="vim"),
        pytest.param(codecs.BOM_UTF8 + a_test("# caf\xe9\n").encode(), 3, id="byte-order-mark"),
        pytest.param(codecs.BOM_UTF8 + b"# coding: utf-8\n" + a_test().encode(), 3, id="mark-and-cookie"),
        pytest.param(a_test("# \U0001f600 \u2028 caf\xe9\n").encode(), 3, id="utf-8"),
    ],
)
def test_encodings_that_python_reads_are_read(data, line):
    assert places(reading_of(data)) == [("PSA004", line)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(a_test().encode("utf-16"), id="utf-16"),
        pytest.param(a_test().encode("utf-16-le"), id="utf-16-le"),
        pytest.param(b"# coding: utf-8\n# caf\xe9\n" + a_test().encode(), id="latin-1-declared-utf-8"),
        pytest.param(b"# caf\xe9\n" + a_test().encode(), id="latin-1-undeclared"),
        pytest.param(b"# coding: ascii\n# caf\xc3\xa9\n" + a_test().encode(), id="utf-8-declared-ascii"),
        pytest.param(b"# coding: utf-16\n" + a_test().encode(), id="declared-utf-16"),
        pytest.param(b"# coding: utf-32\n" + a_test().encode(), id="declared-utf-32"),
        pytest.param(b"# coding: klingon\n" + a_test().encode(), id="unknown"),
        pytest.param(codecs.BOM_UTF8 + b"# coding: latin-1\n" + a_test().encode(), id="mark-against-cookie"),
        pytest.param(b"# coding: hex\n" + a_test().encode(), id="codec-that-is-no-text-encoding"),
        pytest.param(b"# coding: rot13\n" + a_test().encode(), id="codec-from-text-to-text"),
        pytest.param(b"# coding: zlib\n" + a_test().encode(), id="compression"),
        pytest.param(b"# coding: undefined\n" + a_test().encode(), id="codec-that-always-fails"),
        pytest.param(b"# coding: utf-7\nx = '+2AA-'\n" + a_test().encode(), id="lone-surrogate"),
        pytest.param(a_test().encode() + b"\0", id="null-byte"),
        pytest.param(b"\0" * 100, id="null-bytes-only"),
        pytest.param(bytes(range(256)) * 4, id="binary"),
    ],
)
def test_what_cannot_be_decoded_has_a_reason(data):
    result = reading_of(data)
    assert result.error
    assert result.error.isprintable()
    assert result.hits == ()


@pytest.mark.parametrize("text", ["", "\n", "\f", "# only a comment", '"""Only a docstring."""', "\ufeff"])
def test_files_with_nothing_in_them_are_read(text):
    assert places(reading_of(text)) == []


# --- lines


def test_a_form_feed_ends_no_line():
    text = f"import os\n\f\n# a \f b \v c \x1c d \x85 e \u2028 f\n{a_test()}"
    assert places(reading_of(text)) == [("PSA004", 5)]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_every_line_end_that_python_counts_is_counted(end):
    text = a_test("import os\n\n# secaudit: nothing\n").replace("\n", end)
    assert places(reading_of(text)) == [("PSA004", 5)]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_an_ignore_covers_its_line_whatever_the_line_end(end):
    text = f"def test_it():\n    {HIT}  # secaudit: ignore[PSA004] why not\n".replace("\n", end)
    (suppression,) = reading_of(text).suppressions
    assert (suppression.line, suppression.codes, suppression.reason) == (2, ("PSA004",), "why not")
    assert suppression.covers(2)


def test_an_ignore_after_a_form_feed_covers_its_line():
    text = f"import os\n\f\ndef test_it():\n    '\\f' + '\f'\n    {HIT}  # secaudit: ignore[PSA004] why not\n"
    (suppression,) = reading_of(text).suppressions
    assert suppression.covers(5)


def test_the_fingerprint_does_not_hang_on_the_line_end_or_the_line():
    plain = reading_of(a_test()).hits[0]
    other = reading_of(a_test("import os\n\n").replace("\n", "\r\n")).hits[0]
    assert plain.line != other.line
    assert plain.fingerprint == other.fingerprint


def test_equal_lines_of_one_function_have_different_fingerprints():
    hits = reading_of(f"def test_it():\n    {HIT}\n    {HIT}\n").hits
    assert len({hit.fingerprint for hit in hits}) == len(hits) == 2


# --- syntax


@pytest.mark.parametrize(
    "text",
    [
        "def test_it(:\n",
        "print 'hello'\n",
        "def test_it():\npass\n",
        "if True:\n\tx\n        y\n",
        "x = '\n",
        "(",
        "\x1a",
    ],
)
def test_what_is_no_python_has_its_line_in_the_reason(text):
    result = reading_of(text)
    assert result.error
    assert result.error.startswith("not valid for this Python: ")
    assert ", line " in result.error


def test_syntax_newer_than_this_python_is_a_reason(monkeypatch):
    """As a Python that does not know it would say."""

    def too_new(*_):
        raise SyntaxError("invalid syntax", ("<unknown>", 7, 1, "", 7, 2))

    monkeypatch.setattr(rules_module, "TestModule", too_new)
    assert reading_of("").error == "not valid for this Python: invalid syntax, line 7"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_new_syntax_is_walked_through():
    text = (
        f"type Names[T] = list[T]\ndef test_it[T: int](x: T):\n    match x:\n        case [1, *_]:\n            {HIT}\n"
    )
    assert places(reading_of(text)) == [("PSA004", 5)]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="template strings came with Python 3.14")
def test_template_strings_are_walked_through():
    assert places(reading_of(f"x = t'{{1}}'\n{a_test()}")) == [("PSA004", 3)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x = '\\d \\_'\n", id="escape"),
        pytest.param("x = 1if 2else 3\n", id="number-and-keyword"),
        pytest.param("x = 1 is 1\nassert (x, 'y')\n", id="compiler"),
    ],
)
def test_reading_emits_no_warning_of_the_code_read(text):
    """Not from the parser, and not from the tokenizer that looks for comments."""
    text += f"def test_it():\n    x = '\\d', 0x1for x in ()  # ignored\n    {HIT}  # secaudit: ignore[PSA004] because\n"
    text = text.replace("0x1for x in ()", "1or 2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = reading_of(text)
    assert ("PSA004", text.count("\n")) in places(result)
    assert [suppression.line for suppression in result.suppressions] == [text.count("\n")]


# --- depth and size

DEEP = {
    "sum": lambda n: "+".join(["a"] * n),
    "parentheses": lambda n: "(" * n + ")" * n,
    "attributes": lambda n: "a" + ".b" * n,
    "calls": lambda n: "f(" * n + ")" * n,
    "chained-calls": lambda n: "f" + "()" * n,
    "lists": lambda n: "[" * n + "]" * n,
    "lambdas": lambda n: "lambda: " * n + "0",
    "not": lambda n: "not " * n + "a",
    "minus": lambda n: "-" * n + "a",
    "strings": lambda n: "+".join(["'x'"] * n),
    "conditions": lambda n: "a if a else " * n + "a",
    "subscripts": lambda n: "a" + "[0]" * n,
    "power": lambda n: "a**" * n + "a",
    "await": lambda n: "f()" + ".g(lambda: f())" * n,
}


@pytest.mark.parametrize("depth", [60, 400, 900, 3_000, 20_000])
@pytest.mark.parametrize("kind", DEEP)
def test_deep_code_is_read_or_said_to_be_too_deep(kind, depth):
    """Never an exception, and never a check that breaks on what Python itself can read."""
    text = f"import time\nx = {DEEP[kind](depth)}\ndef test_it(a, f):\n    {DEEP[kind](depth)}\n    {HIT}\n"
    result = reading_of(text)
    if result.error is None:
        assert ("PSA004", 5) in places(result)
    else:
        assert depth > 60
        assert "too deep" in result.error or "too many nested" in result.error or "not valid" in result.error


@pytest.mark.parametrize("depth", [90, 98])
def test_deeply_nested_blocks_are_read(depth):
    """Python allows a hundred levels of indentation."""
    lines = [f"{' ' * level}{'if a:' if level % 2 else 'for a in b:'}" for level in range(1, depth)]
    text = "\n".join(["def test_it(a, b):", *lines, " " * depth + HIT]) + "\n"
    if depth > 20:  # at most twenty blocks are *statically nested* for the compiler, but the parser reads them
        assert places(reading_of(text)) == [("PSA004", depth + 1)]


def test_many_elif_are_read():
    """An ``elif`` chain is a nest of its own in the tree."""
    branches = "".join(f"    elif a == {n}:\n        {HIT}\n" for n in range(500))
    text = f"def test_it(a):\n    if a:\n        pass\n{branches}"
    result = reading_of(text)
    assert result.error or (result.failures == () and len(result.hits) == 500)


def test_a_long_data_file_is_read():
    text = "DATA = [\n" + "    1,\n" * 100_000 + "]\n" + a_test()
    start = time.process_time()
    assert places(reading_of(text)) == [("PSA004", 100_004)]
    assert time.process_time() - start < 10


def test_a_generated_file_of_many_hits_takes_no_quadratic_time():
    count = 8_000
    text = "".join(a_test(name=f"test_{number}") for number in range(count))
    start = time.process_time()
    checks = [check for check in CHECKS if check.code == "PSA004"]
    assert len(read(text.encode(), "test_a.py", checks).hits) == count
    assert time.process_time() - start < 4


def test_a_generated_file_of_many_fixtures_takes_no_quadratic_time():
    fixture = "@pytest.fixture\ndef f{0}(monkeypatch):\n    monkeypatch.setattr('shop.jobs.f{0}', 1)\n"
    text = "import pytest\n" + "".join(map(fixture.format, range(2_000)))
    start = time.process_time()
    result = read(text.encode(), "conftest.py", ())
    assert len(result.fixtures) == 2_000
    assert result.fixtures[7].replaces == ("shop.jobs.f7",)
    assert time.process_time() - start < 2


def test_a_huge_file_is_not_parsed(monkeypatch):
    monkeypatch.setattr(rules_module, "TestModule", pytest.fail)
    assert reading_of(b"#" * (MAX_BYTES + 1)).error == "larger than 4 MiB"


def test_of_a_huge_file_no_more_is_loaded_than_needed(tmp_path):
    path = tmp_path / "test_huge.py"
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES * 100)  # a hole: takes no room on the disk
    assert len(reading_module.load(path)) == MAX_BYTES + 1


# --- checks that fail


def test_a_check_that_raises_is_named_and_the_others_go_on():
    def rule(module):
        raise RuntimeError("boom \x1b[31m")

    broken = Check("PSA999", "broken", DEFECT, "Breaks.", rule=rule)
    result = read(a_test().encode(), "test_a.py", [broken, *CHECKS])
    assert result.failures == (("PSA999", "RuntimeError: boom \\x1b[31m"),)
    assert [hit.code for hit in result.hits] == ["PSA004"]


@pytest.mark.parametrize("lineno", [0, -1, 10_000])
def test_a_check_that_points_outside_the_file_is_named(lineno):
    def rule(module):
        yield Hit(SimpleNamespace(lineno=lineno, col_offset=0, end_lineno=lineno), "points nowhere")

    broken = Check("PSA999", "broken", DEFECT, "Breaks.", rule=rule)
    result = read(a_test().encode(), "test_a.py", [broken, *CHECKS])
    assert [code for code, _ in result.failures] == ["PSA999"]
    assert [hit.code for hit in result.hits] == ["PSA004"]


def test_messages_are_cleaned_of_secrets_and_control_characters():
    token = "ghp_" + "a" * 36

    def rule(module):
        yield Hit(module.tree.body[0], f"says {token}\x1b[31m", fix=f"not {token}", acknowledged=f"1: {token}")

    result = read(
        f"def test_it():  # secaudit: ignore[PSA999] {token}\n    pass\n".encode(),
        "test_a.py",
        [Check("PSA999", "told", DEFECT, "Tells.", rule=rule)],
    )
    assert token not in json.dumps(to_plain(result))
    assert "\x1b" not in result.hits[0].message


def test_the_column_counts_characters():
    (hit,) = reading_of("def test_it():\n    '\u00e9\U0001f600'; assert 200, 'x'\n").hits
    assert hit.column == 11


# --- as plain data


def test_a_reading_survives_the_way_through_json():
    text = (
        "import time, pytest\n@pytest.fixture(autouse=True, scope='module')\n"
        "def f(monkeypatch):\n    monkeypatch.setattr('a.b', 1)\n"
        f"def test_it():\n    time.sleep(3)  # secaudit: ignore[PSA701] why\n    {HIT}\n"
    )
    result = reading_of(text)
    assert result.hits
    assert result.suppressions
    assert result.fixtures
    assert result.examined
    assert from_plain(json.loads(json.dumps(to_plain(result)))) == result


# --- comments


def test_comments_are_found_and_strings_are_not():
    lines = ["x = '# no'  # yes", "'''", "# no", "'''", "y = 1  ## also "]
    assert comments_between(lines, 1, 5) == {1: "yes", 5: "also"}


@pytest.mark.parametrize(
    "text", ["x = (  # one", "'''  # no", "   x  # one\n y  # two", "if x:  # one\n  (", "$  # one", "'\n# x"]
)
def test_comments_of_a_broken_stretch_are_no_error(text):
    lines = text.split("\n")
    assert set(comments_between(lines, 1, len(lines)).values()) <= {"one", "two", "x"}


# --- the reader


def reader(folder: Path | None = None, checks=CHECKS) -> Reader:
    return Reader(checks, Conventions(), ReadingCache(folder, "key"))


def test_a_file_is_read_once(tmp_path):
    path = tmp_path / "test_a.py"
    path.write_text(a_test())
    mine = reader()
    first = mine.read(path, "test_a.py")
    path.unlink()
    assert mine.read(path, "test_a.py") is first
    assert mine.seconds > 0


def test_a_file_that_is_gone_has_a_reason(tmp_path):
    assert reader().read(tmp_path / "gone.py", "gone.py").error == "cannot be read: No such file or directory"


def test_a_folder_has_a_reason(tmp_path):
    assert (reader().read(tmp_path, "x").error or "").startswith("cannot be read: ")


def test_an_impossible_path_has_a_reason():
    assert (reader().read(Path("a\0b"), "x").error or "").startswith("cannot be read: ")


def test_a_file_that_must_not_be_read_has_a_reason(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pytest_secaudit.reader.load", denied)
    assert reader().read(tmp_path / "test_a.py", "test_a.py").error == "cannot be read: Permission denied"


class Loader:
    def __init__(self, answer):
        self.answer = answer

    def get_data(self, path):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [OSError(5, "bad disk"), ImportError("not a zip"), KeyError("x"), RuntimeError("\x1b[31m"), "text", None]
)
def test_a_loader_that_misbehaves_is_a_reason(tmp_path, answer):
    """A module that was imported from somewhere else than a file."""
    module = ModuleType("helpers")
    module.__spec__ = SimpleNamespace(loader=Loader(answer))
    error = reader().read(tmp_path / "gone.py", "gone.py", module).error
    assert error
    assert error.startswith("cannot be read: ")
    assert error.isprintable()


def test_a_loader_hands_out_what_is_no_file(tmp_path):
    module = ModuleType("helpers")
    module.__spec__ = SimpleNamespace(loader=Loader(a_test().encode()))
    assert places(reader().read(tmp_path / "lib.zip" / "helpers.py", "helpers.py", module)) == [("PSA004", 2)]


def test_a_module_without_a_spec_has_a_reason(tmp_path):
    class Odd(ModuleType):
        def __getattribute__(self, name):
            raise RuntimeError(name)

    assert (reader().read(tmp_path / "gone.py", "gone.py", Odd("odd")).error or "").startswith("cannot be read: ")


def test_a_failure_of_our_own_is_a_reason_and_stops_nothing(tmp_path, monkeypatch):
    path = tmp_path / "test_a.py"
    path.write_text(a_test())
    monkeypatch.setattr("pytest_secaudit.rules.suppressions_in", lambda module: 1 / 0)
    error = reader().read(path, "test_a.py").error
    assert error == "the audit failed here: ZeroDivisionError: division by zero"


def test_conventions_decide_what_a_test_is():
    module = TestModule("x.py", "def check_it(): pass\ndef test_it(): pass\n", Conventions(("check",)))
    assert [scope.name for scope in module.tests()] == ["check_it"]


# --- tests that never run


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.skip(reason='r')\ndef test_a():\n    time.sleep(1)\n",
        "@unittest.skip('r')\nclass TestA:\n    def test_a(self):\n        time.sleep(1)\n",
        "pytestmark = [pytest.mark.skip]\ndef test_a():\n    time.sleep(1)\n",
        "class TestA:\n    pytestmark = pytest.mark.skip('r')\n    def test_a(self):\n        time.sleep(1)\n",
    ],
    ids=["function", "class", "module", "class mark"],
)
def test_hazard_in_a_test_that_is_always_skipped_is_info(source: str) -> None:
    reading = read(f"import pytest, time, unittest\n{source}".encode(), "test_a.py", built_in())
    (hit,) = reading.hits
    assert hit.severity.word == "info"
    assert hit.message.endswith("(its test is always skipped)")


def test_conditional_skip_changes_nothing() -> None:
    source = b"import pytest, time\n@pytest.mark.skipif(True, reason='r')\ndef test_a():\n    time.sleep(1)\n"
    (hit,) = read(source, "test_a.py", built_in()).hits
    assert hit.severity.word == "advisory"
