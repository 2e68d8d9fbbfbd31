"""The cache of readings: it saves time when everything fits, and does no harm when nothing does."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_secaudit import cache as cache_module
from pytest_secaudit import rules as rules_module
from pytest_secaudit.cache import ReadingCache, catalogue_key, content_hash
from pytest_secaudit.checks import built_in
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.reading import Reading
from pytest_secaudit.rules import read

CHECKS = built_in()
TEXT = """\
import time
import pytest


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr("shop.jobs.pause", None)


def test_it():
    time.sleep(3)  # secaudit: ignore[PSA701] the broker needs it
    assert 200, "status"
"""
DATA = TEXT.encode()
READING = read(DATA, "tests/test_a.py", CHECKS)


def stored(folder: Path, *readings: Reading, key: str = "key", part: str = "") -> None:
    cache = ReadingCache(folder, key, part)
    for reading in readings or (READING,):
        cache.put("digest", reading)
    cache.save()


def known(folder: Path, path: str = "tests/test_a.py", key: str = "key", digest: str = "digest") -> Reading | None:
    return ReadingCache(folder, key).get(path, digest)


# --- the file


def test_a_reading_comes_back_as_it_was(tmp_path):
    assert READING.hits
    assert READING.suppressions
    assert READING.fixtures
    stored(tmp_path)
    assert known(tmp_path) == READING


def test_the_folder_is_made(tmp_path):
    stored(tmp_path / "a" / "b")
    assert known(tmp_path / "a" / "b") == READING


def test_what_could_not_be_read_is_remembered_too(tmp_path):
    stored(tmp_path, Reading("tests/test_a.py", error="not utf-8 text"))
    assert known(tmp_path) == Reading("tests/test_a.py", error="not utf-8 text")


@pytest.mark.parametrize("other", [{"path": "tests/test_b.py"}, {"key": "other"}, {"digest": "other"}])
def test_another_path_key_or_content_is_not_known(tmp_path, other):
    stored(tmp_path)
    assert known(tmp_path, **other) is None


def test_readings_of_earlier_runs_stay(tmp_path):
    stored(tmp_path)
    stored(tmp_path, replace(READING, path="tests/test_b.py"))
    assert known(tmp_path) == READING
    assert known(tmp_path, "tests/test_b.py") is not None


def test_a_new_key_starts_an_empty_cache(tmp_path):
    stored(tmp_path)
    stored(tmp_path, replace(READING, path="tests/test_b.py"), key="new")
    assert known(tmp_path) is None
    assert known(tmp_path, "tests/test_b.py", key="new") is not None
    assert known(tmp_path, key="new") is None


def test_nothing_is_written_when_nothing_is_new(tmp_path):
    stored(tmp_path)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns, file.stat().st_ino
    cache = ReadingCache(tmp_path, "key")
    assert cache.get("tests/test_a.py", "digest") == READING
    cache.save()
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_what_rests_is_read_again(tmp_path):
    """Nobody keeps in memory what is not asked for; what is new is written beside the rest of the file all the same."""
    stored(tmp_path)
    cache = ReadingCache(tmp_path, "key")
    assert cache.get("tests/test_a.py", "digest") == READING
    cache.rest()
    assert cache.get("tests/test_a.py", "digest") == READING
    cache.put("digest", replace(READING, path="tests/test_b.py"))
    cache.rest()
    cache.save()
    assert known(tmp_path) == READING
    assert known(tmp_path, "tests/test_b.py") is not None


def test_no_scratch_file_stays(tmp_path):
    stored(tmp_path)
    stored(tmp_path, part="gw0")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_parts_of_workers_are_joined(tmp_path):
    stored(tmp_path)
    stored(tmp_path, replace(READING, path="tests/test_b.py"), part="gw0")
    stored(tmp_path, replace(READING, path="tests/test_c.py"), part="gw1")
    ReadingCache(tmp_path, "key").save()
    assert all(known(tmp_path, f"tests/test_{letter}.py") for letter in "abc")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_part_that_comes_late_is_known_next_time(tmp_path):
    """A worker may still be writing when the main process is done."""
    stored(tmp_path)
    stored(tmp_path, replace(READING, path="tests/test_b.py"), part="gw0")
    assert known(tmp_path, "tests/test_b.py") is not None


def test_a_part_of_another_key_is_thrown_away(tmp_path):
    stored(tmp_path, part="gw0", key="old")
    ReadingCache(tmp_path, "key").save()
    assert list(tmp_path.iterdir()) == []


# --- damage


def the_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


@pytest.mark.parametrize("damage", ["empty", "cut", "binary", "one byte", "appended", "deep"])
def test_a_damaged_file_is_an_empty_cache(tmp_path, damage):
    stored(tmp_path)
    file = the_file(tmp_path)
    data = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "cut": data[:-20],
            "binary": b"\xff\x00" * 100,
            "one byte": data.replace(b"defect", b"defecT").replace(b'"line":11', b'"line":"1"'),
            "appended": data + b"x",
            "deep": b"[" * 100_000,
        }[damage]
    )
    assert known(tmp_path) is None
    stored(tmp_path)
    assert known(tmp_path) == READING


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [1, 2], {"key": "key"}, {"key": "key", "readings": [1]}])
def test_other_json_is_an_empty_cache(tmp_path, value):
    stored(tmp_path)
    the_file(tmp_path).write_text(json.dumps(value))
    assert known(tmp_path) is None


PLAIN = json.dumps(cache_module.to_plain(READING))


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "x",
        [],
        ["digest"],
        ["digest", None],
        ["digest", {}],
        ["digest", []],
        ["digest", {"path": 5}],
        ["digest", {**json.loads(PLAIN), "hits": 5}],
        ["digest", {**json.loads(PLAIN), "hits": [5]}],
        ["digest", {**json.loads(PLAIN), "hits": [{"line": 1}]}],
        ["digest", {**json.loads(PLAIN), "suppressions": [{"codes": 3}]}],
        ["digest", {**json.loads(PLAIN), "fixtures": [{"nonsense": []}]}],
        ["digest", {**json.loads(PLAIN), "examined": [1, 2]}],
        ["digest", {**json.loads(PLAIN), "path": "tests/test_b.py"}],
        [5, json.loads(PLAIN)],
    ],
)
def test_an_entry_of_a_wrong_form_is_not_known(tmp_path, entry):
    """As a version of ours that forgot to change the key might have left."""
    cache = ReadingCache(tmp_path, "key")
    cache._new["tests/test_a.py"] = entry
    cache.save()
    assert known(tmp_path) is None


def test_a_folder_in_the_place_of_the_file_does_no_harm(tmp_path):
    stored(tmp_path)
    name = the_file(tmp_path).name
    the_file(tmp_path).unlink()
    (tmp_path / name / "x").mkdir(parents=True)
    stored(tmp_path)
    assert known(tmp_path) is None


def test_a_file_in_the_place_of_the_folder_does_no_harm(tmp_path):
    (tmp_path / "cache").write_text("")
    stored(tmp_path / "cache")
    assert known(tmp_path / "cache") is None


@pytest.mark.parametrize("method", ["mkdir", "write_bytes", "replace", "unlink", "glob"])
@pytest.mark.parametrize("part", ["", "gw0"])
def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch, method, part):
    stored(tmp_path, part="gw1")

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, method, denied)
        stored(tmp_path, part=part)
        assert known(tmp_path) in (None, READING)


def test_no_folder_is_no_cache():
    cache = ReadingCache(None, "key")
    cache.put("digest", READING)
    assert cache.get("tests/test_a.py", "digest") == READING
    cache.save()


# --- the key


def test_the_key_is_the_same_for_the_same(tmp_path):
    assert catalogue_key(CHECKS, Conventions()) == catalogue_key(CHECKS, Conventions())


def test_the_key_hangs_on_the_checks_and_the_conventions():
    keys = {
        catalogue_key(CHECKS, Conventions()),
        catalogue_key(CHECKS[:-1], Conventions()),
        catalogue_key(CHECKS, Conventions(("check",))),
    }
    assert len(keys) == 3


@pytest.mark.parametrize("function", ["python_version", "python_implementation"])
def test_the_key_hangs_on_the_python(monkeypatch, function):
    before = catalogue_key(CHECKS, Conventions())
    monkeypatch.setattr(platform, function, lambda: "other")
    assert catalogue_key(CHECKS, Conventions()) != before


def test_the_key_hangs_on_our_own_code(monkeypatch, tmp_path):
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "psa000.py").write_text("a")
    monkeypatch.setattr(cache_module, "__file__", str(tmp_path / "cache.py"))
    before = catalogue_key(CHECKS, Conventions())
    os.utime(tmp_path / "checks" / "psa000.py", ns=(1, 1))
    assert catalogue_key(CHECKS, Conventions()) != before


def test_the_content_hash_hangs_on_every_byte():
    assert content_hash(b"a") != content_hash(b"a\n")


# --- in a run


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A project of one test file, and a way to audit it that counts the files really read."""
    pytester.makepyfile(test_a='def test_it():\n    assert 200, "status"\n')

    def counted(data: bytes, path: str, *args: object):
        project.really_read.append(path)
        return read(data, path, *args)

    def run(*args: str):
        project.really_read = []
        out = pytester.path / "out.json"
        out.unlink(missing_ok=True)
        with monkeypatch.context() as patched:
            patched.setattr(rules_module, "read", counted)
            result = pytester.runpytest_inprocess("--secaudit", f"--secaudit-report=json:{out}", *args)
        result.assert_outcomes(passed=1)
        project.report = json.loads(out.read_text())
        assert not [item for item in project.report["evidence"]["not_audited"] if "the audit failed" in item["reason"]]
        return [(finding["code"], finding["path"], finding["line"]) for finding in project.report["findings"]]

    project = SimpleNamespace(
        run=run, really_read=[], report={}, folder=pytester.path / ".pytest_cache", path=pytester.path
    )
    return project


FOUND = [("PSA004", "test_a.py", 2)]


def test_the_second_run_reads_nothing_and_finds_the_same(project):
    assert project.run() == FOUND
    assert project.really_read == ["test_a.py"]
    first = project.report["findings"]
    assert project.run() == FOUND
    assert project.really_read == []
    assert project.report["findings"] == first


def test_a_changed_file_is_read_again(project):
    project.run()
    (project.path / "test_a.py").write_text('\n\ndef test_it():\n    assert 200, "status"\n')
    assert project.run() == [("PSA004", "test_a.py", 4)]
    assert project.really_read == ["test_a.py"]


def test_a_touched_file_is_not(project):
    project.run()
    os.utime(project.path / "test_a.py", (1, 1))
    assert project.run() == FOUND
    assert project.really_read == []


def test_a_renamed_file_is_reported_under_its_new_name(project):
    project.run()
    (project.path / "test_a.py").rename(project.path / "test_b.py")
    assert project.run() == [("PSA004", "test_b.py", 2)]


def test_another_selection_of_checks_uses_the_same_readings(project):
    assert project.run("--secaudit-select=PSA7") == []
    assert project.run() == FOUND
    assert project.really_read == []


def test_python_functions_are_part_of_the_key(project):
    project.run()
    project.run("-o", "python_functions=test check")
    assert project.really_read == ["test_a.py"]


@pytest.mark.parametrize("args", [("-p", "no:cacheprovider"), ("--cache-clear",)])
def test_without_a_cache_everything_is_read(project, args):
    for _ in range(2):
        assert project.run(*args) == FOUND
        assert project.really_read == ["test_a.py"]


def test_without_a_cache_nothing_is_written(project):
    project.run("-p", "no:cacheprovider")
    assert not project.folder.exists()


@pytest.mark.filterwarnings("ignore")
def test_a_cache_folder_that_is_a_file_does_no_harm(project):
    project.folder.write_text("")
    assert project.run() == FOUND
    project.folder.unlink()
    project.folder.mkdir()
    (project.folder / "d").write_text("")
    assert project.run() == FOUND


def test_a_cache_with_rubbish_in_it_does_no_harm(project):
    project.run()
    files = list((project.folder / "d" / "secaudit").glob("static*"))
    assert files
    for path in files:
        text = path.read_text()
        path.write_text(text.replace('"line":2', '"line":"two"'))
        assert path.read_text() != text
    assert project.run() == FOUND
    assert project.really_read == ["test_a.py"]


def test_the_cache_holds_no_secret(project):
    token = "ghp_" + "a" * 36
    (project.path / "test_a.py").write_text(
        "import pytest\n"
        f'@pytest.mark.secaudit(ignore=["PSA004"], reason="as in {token}", until="{token}", {token}=1)\n'
        f"def test_it():  # secaudit: ignore[PSA004,{token}] like {token}\n"
        f"    # {token}\n"
        f'    assert 200, "{token}"\n'
    )
    project.run()
    assert token not in json.dumps(project.report)
    for path in project.folder.rglob("*"):
        if path.is_file() and "secaudit" in path.parts:
            assert token not in path.read_text()


def test_a_run_with_nothing_new_to_read_loads_no_rules(pytester: pytest.Pytester) -> None:
    """A third of our code, and nothing but memory where every file is known."""
    pytester.makepyfile("def test_it():\n    assert 1 == 1\n")
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure():
            ours = [name for name in sys.modules if name.startswith("pytest_secaudit.")]
            print("LOADED", sorted({name.split(".")[1] for name in ours} & {"rules", "source"}))
            print("CHECKS", sum(".psa" in name for name in ours))
        """
    )
    pytester.runpytest_subprocess("--secaudit").stdout.fnmatch_lines(["LOADED ?'rules', 'source'?"])
    pytester.runpytest_subprocess("--secaudit").stdout.fnmatch_lines(["LOADED ??", "CHECKS 0"])


def test_a_run_that_leaves_nothing_looks_for_no_line(pytester: pytest.Pytester) -> None:
    """What plugins set when they were configured (pytest's own switches faulthandler on) is no module's doing."""
    pytester.makepyfile("def test_it():\n    assert 1 == 1\n")
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure():
            print("LOADED", "pytest_secaudit.watch.writing_lines" in sys.modules)
        """
    )
    pytester.runpytest_subprocess("--secaudit").stdout.fnmatch_lines(["LOADED False"])
