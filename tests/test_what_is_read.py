"""What a run reads: every file that the tests stand on, once; what it cannot read is named; nothing breaks it."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_secaudit import reader, session
from pytest_secaudit.checks import built_in

assert session  # what is imported here is not imported anew in every run below
assert built_in()

HIT = 'assert 200, "status"'
TEST = f"def test_it():\n    {HIT}\n"
#: A method with the hit, for helpers; the hit is in line 3.
BASE = f"class Base:\n    def check(self):\n        {HIT}\n"
USES_BASE = "from helpers import Base\n\n\nclass TestIt(Base):\n    def test_it(self):\n        pass\n"


@pytest.fixture
def audit(pytester: pytest.Pytester):
    """Runs the tests audited; gives what was found, what was not audited, and pytest's result."""

    def run(*args: str, subprocess: bool = False, status: int | None = 0, cache: bool = False):
        out = pytester.path / "out.json"
        out.unlink(missing_ok=True)
        options = ["-p", "no:hypothesispytest", *([] if cache else ["-p", "no:cacheprovider"])]  # slow to load
        runner = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        result = runner(*options, "--secaudit", "--secaudit-depth=static", f"--secaudit-report=json:{out}", *args)
        text = result.stdout.str() + result.stderr.str()
        assert status is None or result.ret == status, text
        assert "INTERNALERROR" not in text
        report = json.loads(out.read_text())
        aside = [(item["path"], item["reason"]) for item in report["evidence"]["not_audited"]]
        assert not [reason for _, reason in aside if "failed here" in reason or "switched off" in reason]
        assert not [reason for _, reason in aside if "worker was lost" in reason and not report["run"]["workers_lost"]]
        places = [(finding["path"], finding["line"]) for finding in report["findings"]]
        modules = report["evidence"]["modules"]
        return SimpleNamespace(result=result, report=report, aside=aside, places=places, modules=modules, text=text)

    return run


def write(folder: Path, **files: str | bytes) -> None:
    """Files by their paths, with ``__`` for ``/``."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)


# --- the files themselves


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(f"# coding: latin-1\n# caf\xe9\n{TEST}".encode("latin-1"), 4, id="latin-1"),
        pytest.param(b"\xef\xbb\xbf" + TEST.encode(), 2, id="byte-order-mark"),
        pytest.param(f"\f\n# \f \x1c \x85\n{TEST}".encode(), 4, id="form-feed"),
        pytest.param(f"\n\n{TEST}".encode().replace(b"\n", b"\r"), 4, id="carriage-returns"),
        pytest.param(f"\n\n{TEST}".encode().replace(b"\n", b"\r\n"), 4, id="windows"),
        pytest.param(f"DATA = [{'1, ' * 100_000}]\n{TEST}".encode(), 3, id="long-line"),
        pytest.param(f"DATA = [\n{'1,' * 10}\n]\nX = {'+'.join('1' * 300)}\n{TEST}".encode(), 6, id="deep"),
    ],
)
def test_files_that_python_runs_are_read(pytester, audit, data, line):
    write(pytester.path, test_a=data)
    done = audit()
    assert (done.places, done.aside) == ([("test_a.py", line)], [])


def test_a_file_that_is_gone_after_its_import_is_named(pytester, audit):
    write(pytester.path, test_a=TEST, test_b=TEST)
    pytester.makeconftest(
        "def pytest_itemcollected(item): item.name == 'test_it' and item.path.name == 'test_a.py' and item.path.unlink()"
    )
    done = audit()
    assert done.places == [("test_b.py", 2)]
    assert done.aside == [("test_a.py", "cannot be read: No such file or directory")]


def test_a_file_that_is_another_after_its_import_is_named(pytester, audit):
    write(pytester.path, test_a="with open(__file__, 'wb') as file: file.write(b'def (\\0')\ndef test_it(): pass\n")
    ((path, reason),) = audit().aside
    assert path == "test_a.py"
    assert reason


def test_files_that_cannot_be_read_are_no_verdict(pytester, audit):
    write(pytester.path, test_a=f"import os\nos.unlink(__file__)\n{TEST}")
    done = audit("--import-mode=importlib")
    assert done.modules == 0
    assert done.report["conclusion"]["verdict"] == "nothing audited"


def test_a_module_that_a_hook_of_its_own_imported_is_named(pytester, audit):
    """Source in another language, or none that this Python can parse."""
    conftest = """
        import importlib.abc, importlib.machinery, os, sys

        class Loader(importlib.abc.Loader):
            def exec_module(self, module):
                module.__file__ = os.path.join(os.path.dirname(__file__), "helpers.py")
                module.Base = type("Base", (), {"__module__": module.__name__})

        class Finder(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path, target=None):
                return importlib.machinery.ModuleSpec(name, Loader()) if name == "helpers" else None

        sys.meta_path.insert(0, Finder())
    """
    pytester.makeconftest(conftest)
    write(pytester.path, helpers="(defn test [] (assert 200))\n", test_a=USES_BASE)
    ((path, reason),) = audit().aside
    assert path == "helpers.py"
    assert reason.startswith("not valid for this Python: ")


def test_a_huge_file_is_named(pytester, audit):
    write(pytester.path, test_a=b"#" * (4 * 1024 * 1024) + b"\n" + TEST.encode())
    assert audit().aside == [("test_a.py", "larger than 4 MiB")]


# --- what could not be collected


@pytest.mark.parametrize(
    "text", ["def (", "import nothing_of_that_name", "1 / 0", b"\0", b"\xff\xfe", "# coding: klingon"]
)
def test_a_module_that_cannot_be_collected_is_named(pytester, audit, text):
    write(pytester.path, test_a=text, sub__test_b=TEST)
    done = audit("--continue-on-collection-errors", status=1)
    assert done.aside == [("test_a.py", "could not be collected")]
    assert done.places == [("sub/test_b.py", 2)]


def test_a_collection_error_that_ends_the_run_is_named_too(pytester, audit):
    write(pytester.path, test_a="1 / 0", test_b=TEST)
    done = audit(status=2)
    assert ("test_a.py", "could not be collected") in done.aside
    assert done.places == [("test_b.py", 2)]


def test_other_items_are_named(pytester, audit):
    pytester.makeconftest(
        """
        import pytest

        def pytest_collect_file(parent, file_path):
            if file_path.suffix == ".yaml":
                return File.from_parent(parent, path=file_path)

        class File(pytest.File):
            def collect(self):
                yield Yaml.from_parent(self, name="one")
                yield Yaml.from_parent(self, name="two")

        class Yaml(pytest.Item):
            def runtest(self):
                pass
        """
    )
    (pytester.path / "test_a.yaml").write_text("a: b")
    write(pytester.path, test_b=TEST)
    done = audit()
    assert done.places == [("test_b.py", 2)]
    assert done.aside == [("test_a.yaml", "items of type Yaml are not read")]


def test_only_other_items_is_nothing_audited(pytester, audit):
    (pytester.path / "test_a.txt").write_text(">>> 1 + 1\n2\n")
    done = audit()
    assert done.aside == [("test_a.txt", "doctests are not read")]
    assert done.report["conclusion"]["verdict"] == "nothing audited"


def test_doctests_of_modules_are_named_and_their_tests_are_read(pytester, audit):
    write(pytester.path, test_a=f'"""\n>>> 1 + 1\n2\n"""\n{TEST}', shop='"""\n>>> 1 + 1\n2\n"""\n')
    done = audit("--doctest-modules")
    assert done.places == [("test_a.py", 6)]
    assert done.aside == [("shop.py", "doctests are not read"), ("test_a.py", "doctests are not read")]


def test_deselected_tests_do_not_have_their_files_read(pytester, audit):
    write(pytester.path, test_a=TEST, test_b=TEST.replace("it", "other"))
    assert audit("-k", "other").places == [("test_b.py", 2)]


# --- where they are


LAYOUTS = {
    "flat": {"test_a": TEST, "test_b": TEST},
    "package": {"suite____init__": "", "suite__test_a": TEST, "suite__sub____init__": "", "suite__sub__test_b": TEST},
    "namespace": {"tests__test_a": TEST, "tests__sub__test_b": TEST},
    "same names": {"a____init__": "", "b____init__": "", "a__test_a": TEST, "b__test_a": TEST},
}


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_and_import_mode(pytester, audit, layout, mode):
    write(
        pytester.path,
        **{name.replace("____", "__/__"): text for name, text in LAYOUTS[layout].items() if "____" not in name},
    )
    for name in LAYOUTS[layout]:
        if "____init__" in name:
            (pytester.path / name.partition("____")[0].replace("__", "/") / "__init__.py").touch()
    done = audit(f"--import-mode={mode}")
    expected = sorted(f"{name.replace('__', '/')}.py" for name in LAYOUTS[layout] if "____" not in name)
    assert [path for path, _ in done.places] == expected
    assert done.aside == []


def test_same_names_without_packages_in_importlib_mode(pytester, audit):
    conftest = f"import pytest\n@pytest.fixture(autouse=True)\ndef f():\n    {HIT}\n"
    write(pytester.path, a__test_a=TEST, b__test_a=TEST, a__conftest=conftest, b__conftest="\n" + conftest)
    done = audit("--import-mode=importlib")
    assert done.places == [("a/conftest.py", 4), ("a/test_a.py", 2), ("b/conftest.py", 5), ("b/test_a.py", 2)]


def test_pyargs_inside_the_rootdir(pytester, audit, monkeypatch):
    write(pytester.path, src__shop__tests__test_a=TEST, src__shop__tests__conftest=f"def helper():\n    {HIT}\n")
    for folder in ("src/shop", "src/shop/tests"):
        (pytester.path / folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(pytester.path / "src"))
    done = audit("--pyargs", "shop")
    assert done.places == [("src/shop/tests/conftest.py", 2), ("src/shop/tests/test_a.py", 2)]


#: MainAudit._seen takes a file for lost whose path differs from the one in pytest's node id.


@pytest.mark.parametrize("folder", ["elsewhere", "venv/lib/python3/site-packages"])
def test_pyargs_outside_the_rootdir(pytester, audit, monkeypatch, tmp_path_factory, folder):
    outside = tmp_path_factory.mktemp("out") / folder
    write(outside, shop_out__tests__test_a=TEST)
    for name in ("shop_out", "shop_out/tests"):
        (outside / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(outside))
    pytester.makeini("[pytest]")
    done = audit("--pyargs", "shop_out", f"--rootdir={pytester.path}", "-c", "tox.ini")
    assert done.modules == 1
    ((path, line),) = done.places
    assert (path.endswith("shop_out/tests/test_a.py"), line) == (True, 2)
    assert "\\" not in path
    assert done.aside == []


def test_a_linked_folder_is_read_under_the_name_that_pytest_shows(pytester, audit, tmp_path_factory):
    outside = tmp_path_factory.mktemp("out")
    write(outside, test_a=TEST, conftest=f"def helper():\n    {HIT}\n")
    (pytester.path / "tests").symlink_to(outside)
    done = audit("tests")
    assert done.places == [("tests/conftest.py", 2), ("tests/test_a.py", 2)]
    assert done.aside == []


def test_a_linked_file_is_read_under_the_name_that_pytest_shows(pytester, audit, tmp_path_factory):
    outside = tmp_path_factory.mktemp("out")
    write(outside, test_a=TEST)
    (pytester.path / "test_b.py").symlink_to(outside / "test_a.py")
    assert audit().places == [("test_b.py", 2)]


def test_one_file_under_two_names_is_read_once(pytester, audit):
    write(pytester.path, real__test_a=TEST)
    (pytester.path / "link").symlink_to("real")
    done = audit("--import-mode=importlib")
    assert done.places == [("link/test_a.py", 2)]
    assert done.aside == [("real/test_a.py", "is the same file as link/test_a.py")]


def test_a_linked_rootdir_changes_no_path(pytester, audit, tmp_path_factory):
    write(pytester.path, test_a=USES_BASE, helpers=BASE)
    link = tmp_path_factory.mktemp("out") / "link"
    link.symlink_to(pytester.path)
    done = audit(f"--rootdir={link}", str(link / "test_a.py"))
    assert done.places == [("helpers.py", 3)]


def test_odd_names_are_cleaned(pytester, audit):
    token = "ghp_" + "a" * 36
    folder = pytester.path / "a\x1b[31m\u202eb"
    write(folder, **{f"test_{token}": TEST})
    done = audit("--import-mode=importlib")
    assert done.places == [("a\\x1b[31m\\u202eb/test_ghp_<redacted>.py", 2)]
    assert token not in json.dumps(done.report)
    assert not [path for path, _ in done.places if not path.isprintable()]
    assert "\u202e" not in done.text.partition("test-suite audit")[2]


# --- helpers


def test_the_module_of_a_base_class_is_read_once(pytester, audit):
    write(pytester.path, helpers=BASE, test_a=USES_BASE, test_b=USES_BASE)
    done = audit()
    assert done.places == [("helpers.py", 3)]
    assert done.modules == 3


def test_every_base_of_the_bases_is_read(pytester, audit):
    write(pytester.path, lowest=BASE, helpers="import lowest\nclass Base(lowest.Base):\n    pass\n", test_a=USES_BASE)
    assert audit().places == [("lowest.py", 3)]


def test_an_imported_test_class_or_function_has_its_module_read(pytester, audit):
    write(pytester.path, helpers=f"class TestIt:\n    def test_it(self):\n        {HIT}\n", other=TEST)
    write(pytester.path, test_a="from helpers import TestIt\n", test_b="from other import test_it\n")
    assert audit().places == [("helpers.py", 3), ("other.py", 2)]


def test_a_module_that_is_only_imported_is_not_read(pytester, audit):
    write(pytester.path, shop=TEST, test_a="import shop\ndef test_it():\n    pass\n")
    done = audit()
    assert (done.places, done.modules) == ([], 1)


def test_a_base_class_of_an_installed_package_is_not_read(pytester, audit, monkeypatch, tmp_path_factory):
    for place in (tmp_path_factory.mktemp("out"), pytester.path / ".venv/lib/python3/site-packages"):
        write(place, helpers=BASE)
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(place))
            write(pytester.path, test_a=USES_BASE)
            done = audit("test_a.py")
            assert (done.places, done.modules, done.aside) == ([], 1, [])


@pytest.mark.parametrize("inside", [True, False])
def test_a_base_class_in_a_zip_file(pytester, audit, monkeypatch, tmp_path_factory, inside):
    folder = pytester.path if inside else tmp_path_factory.mktemp("out")
    with zipfile.ZipFile(folder / "lib.zip", "w") as file:
        file.writestr("helpers.py", BASE)
    monkeypatch.syspath_prepend(str(folder / "lib.zip"))
    write(pytester.path, test_a=USES_BASE)
    done = audit()
    assert done.places == ([("lib.zip/helpers.py", 3)] if inside else [])
    assert done.aside == []


def test_a_zip_file_that_is_gone_is_named(pytester, audit, monkeypatch):
    path = pytester.path / "lib.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("helpers.py", BASE)
    monkeypatch.syspath_prepend(str(path))
    write(pytester.path, test_a=f"{USES_BASE}\nimport os\nos.unlink({str(path)!r})\n")
    ((name, reason),) = audit().aside
    assert name == "lib.zip/helpers.py"
    assert reason.startswith("cannot be read: ")


FIXTURE = f"import pytest\n\n\n@pytest.fixture\ndef thing():\n    {HIT}\n"


@pytest.mark.parametrize("way", ["pytest_plugins", "import", "-p"])
def test_the_module_of_a_fixture_in_use_is_read(pytester, audit, monkeypatch, way):
    monkeypatch.syspath_prepend(str(pytester.path))
    write(pytester.path, things=FIXTURE, test_a="def test_it(thing):\n    pass\n")
    args = ["-p", "things"] if way == "-p" else []
    if way != "-p":
        pytester.makeconftest('pytest_plugins = ["things"]' if way == "pytest_plugins" else "from things import thing")
    done = audit(*args)
    assert ("things.py", 6) in done.places
    assert done.aside == []


def test_the_module_of_a_fixture_that_nobody_uses_is_not_read(pytester, audit):
    write(pytester.path, things=FIXTURE, conftest="from things import thing\n", test_a="def test_it():\n    pass\n")
    assert audit().places == []


# --- conftests


def test_the_conftests_above_a_test_are_read_and_others_are_not(pytester, audit):
    conftest = f"def helper():\n    {HIT}\n"
    write(pytester.path, conftest=conftest, a__conftest=conftest, a__b__conftest=conftest, c__conftest=conftest)
    write(pytester.path, a__b__test_a=TEST, c__test_c=TEST.replace("it", "c"))
    expected = [("a/b/conftest.py", 2), ("a/b/test_a.py", 2), ("a/conftest.py", 2), ("conftest.py", 2)]
    assert audit("a").places == expected
    assert len(audit().places) == 6


@pytest.mark.parametrize("args", [("--noconftest",), ("--confcutdir=a/b", "a/b")])
def test_a_conftest_that_was_not_loaded_is_not_read(pytester, audit, args):
    write(pytester.path, conftest=f"def helper():\n    {HIT}\n", a__b__test_a=TEST)
    assert audit(*args).places == [("a/b/test_a.py", 2)]


def test_live_objects_of_a_conftest_below_the_rootdir_are_asked(pytester, audit):
    """``sleep`` is not what the file says it is."""
    conftest = "from time import sleep\nglobals()['sleep'] = print\ndef helper():\n    sleep(5)\n"
    write(pytester.path, a__conftest=conftest, a__test_a="def test_it():\n    pass\n")
    assert audit().places == []
    write(pytester.path, a__conftest=conftest.replace("globals()['sleep'] = print", ""))
    assert audit().places == [("a/conftest.py", 4)]


def test_a_fixture_that_replaces_sleep_counts_where_it_is_in_effect(pytester, audit):
    """Fixtures of one name in two folders are two fixtures."""
    fast = "import pytest\n@pytest.fixture\ndef world(monkeypatch):\n    monkeypatch.setattr('time.sleep', print)\n"
    slow = "import pytest\n@pytest.fixture\ndef world():\n    pass\n"
    text = "import time\ndef test_it(world):\n    0 and time.sleep(5)\n"
    write(pytester.path, a__conftest=fast, a__test_a=text, b__conftest=slow, b__test_b=text)
    assert audit().places == [("b/test_b.py", 3)]


# --- odd objects


@pytest.mark.parametrize(
    "statement", ["__file__ = None", "del __file__", "__name__ = None", "del __name__", "__spec__ = None"]
)
@pytest.mark.parametrize("where", ["test", "helper", "conftest"])
def test_modules_that_change_what_they_are(pytester, audit, monkeypatch, statement, where):
    if where == "conftest" and "__file__" in statement:
        pytest.skip("pytest itself refuses such a conftest")
    monkeypatch.syspath_prepend(str(pytester.path))
    name = {"test": "test_a", "helper": "helpers", "conftest": "conftest"}[where]
    texts = {"test_a": USES_BASE, "helpers": BASE, "conftest": "X = 1\n"}
    write(pytester.path, **{**texts, name: f"{texts[name]}\n{statement}\n"})
    done = audit("--import-mode=importlib")
    assert done.aside == []
    assert done.places == ([] if where == "helper" and "__file__" in statement else [("helpers.py", 3)])


@pytest.mark.parametrize("where", ["test_a", "helpers", "conftest"])
def test_modules_with_a_class_of_their_own(pytester, audit, where):
    swap = """
import sys
from types import ModuleType
class Odd(ModuleType):
    @property
    def __dict__(self):
        raise RuntimeError
    def __dir__(self):
        return ["test_it", "TestIt", "Base", "__file__", "__name__"]
sys.modules[__name__].__class__ = Odd
"""
    texts = {"test_a": USES_BASE, "helpers": BASE, "conftest": "X = 1\n"}
    if where != "helpers":
        swap = swap.replace("    @property\n    def __dict__(self):\n        raise RuntimeError\n", "")
    write(pytester.path, **{**texts, where: texts[where] + swap})
    done = audit()
    assert (done.places, done.aside) == ([("helpers.py", 3)], [])


def test_odd_tests_and_fixtures(pytester, audit):
    write(
        pytester.path,
        test_a=f"""
import functools, pytest
from unittest import mock

class Meta(type):
    def __getattribute__(cls, name):
        if name in ("__module__", "__mro__", "__dict__") and Meta.armed:
            raise RuntimeError(name)
        return super().__getattribute__(name)
    armed = False

class TestMeta(metaclass=Meta):
    def test_it(self):
        {HIT}

class Thing:
    def __call__(self):
        return 5
    def __getattr__(self, name):
        if name == "__name__":
            return "thing"
        raise AttributeError(name)

thing = pytest.fixture(name="thing")(Thing().__call__)
other = pytest.fixture(name="other")(lambda: 6)

def plain(a, thing=None):
    assert a

test_partial = functools.partial(plain, 1)
test_lambda = lambda: None
test_lambda_too = lambda thing, other: None

@pytest.mark.parametrize("a", [1, 2])
@mock.patch("os.getcwd")
def test_patched(cwd, a, thing):
    pass

test_partial_method = functools.partial(functools.partial(plain, 1))
""",
    )
    done = audit(status=None)
    assert done.result.parseoutcomes().get("errors", 0) == 0
    assert ("test_a.py", 14) in done.places
    assert done.aside == []


# --- once, here and in workers


PROJECT = {
    "helpers": BASE,
    "things": FIXTURE,
    "conftest": f"from things import thing\ndef helper():\n    {HIT}\n",
    "a__conftest": "import pytest\n@pytest.fixture\ndef fast(monkeypatch):\n    monkeypatch.setattr('time.sleep', print)\n",
    "a__test_a": f"import time, pytest\n{TEST}\ndef test_fast(fast):\n    time.sleep(5)\n"
    "@pytest.mark.parametrize('a', [pytest.param(1, marks=pytest.mark.secaudit(ignore=['PSA004'], reason='x'))])\n"
    f"def test_marked(a):\n    {HIT}\n",
    "a__test_b": f"{USES_BASE}\n\ndef test_thing(thing):\n    {HIT}  # secaudit: ignore[PSA004] said so\n",
    "b__test_c": "".join(f"def test_{n}():\n    {HIT}\n" for n in range(10)),
    "b__test_lazy": "import time, pytest\ndef test_first():\n    pass\n@pytest.mark.usefixtures('quick')\n"
    "def test_second():\n    0 and time.sleep(5)\n",
    "b__conftest": "from quick import quick\n",
    "quick": "import pytest\n@pytest.fixture\ndef quick(monkeypatch):\n    monkeypatch.setattr('time.sleep', print)\n",
    "b__test_broken": "def (",
}


def findings(report):
    return [{key: value for key, value in finding.items() if key != "cause"} for finding in report["findings"]]


def test_workers_find_what_one_process_finds(pytester, audit, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    write(pytester.path, **PROJECT)
    (pytester.path / "a" / "test_d.txt").write_text(">>> 1\n1\n")
    alone = audit("--continue-on-collection-errors", "--doctest-glob=*.txt", subprocess=True, status=1)
    expected = {
        "helpers.py": 1,
        "things.py": 1,
        "conftest.py": 1,
        "a/test_a.py": 2,
        "a/test_b.py": 1,
        "b/test_c.py": 10,
    }
    assert Counter(path for path, _ in alone.places) == expected
    assert Counter(finding["status"] for finding in alone.report["findings"]) == {"new": 14, "ignored": 2}
    pytest.importorskip("xdist")
    shared = audit("--continue-on-collection-errors", "--doctest-glob=*.txt", "-n", "2", subprocess=True, status=1)
    assert shared.report["run"]["workers"] == 2
    assert findings(shared.report) == findings(alone.report)
    assert shared.aside == alone.aside
    for key in ("modules", "tests_collected", "fixtures"):
        assert shared.report["evidence"][key] == alone.report["evidence"][key]


def test_workers_fill_the_cache_for_one_process(pytester, audit, monkeypatch):
    pytest.importorskip("xdist")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    write(pytester.path, **{name: text for name, text in PROJECT.items() if "broken" not in name})
    first = audit("-n", "2", subprocess=True, cache=True)
    monkeypatch.syspath_prepend(str(pytester.path))
    monkeypatch.setattr("pytest_secaudit.cache.ReadingCache.put", lambda *args: pytest.fail(str(args[2].path)))
    assert findings(audit(cache=True).report) == findings(first.report)


def test_collect_only_reads_everything(pytester, audit):
    write(pytester.path, test_a=TEST, conftest=f"def helper():\n    {HIT}\n")
    done = audit("--collect-only")
    assert done.places == [("conftest.py", 2), ("test_a.py", 2)]
    assert not done.report["run"]["complete"]


def test_no_tests_at_all_is_nothing_audited(pytester, audit):
    done = audit(status=5)
    assert done.report["conclusion"]["verdict"] == "nothing audited"


def test_only_files_of_the_run_stay_in_the_modules_count(pytester, audit):
    write(pytester.path, **{f"test_{n}": TEST for n in range(12)})
    assert audit().modules == 12


def test_a_file_is_read_once(pytester, audit, monkeypatch):
    original, seen = reader.load, []
    monkeypatch.setattr(reader, "load", lambda path: (seen.append(Path(path).name), original(path))[1])
    write(pytester.path, helpers=BASE, test_a=USES_BASE, test_b=USES_BASE, conftest="", things=FIXTURE)
    audit()
    assert sorted(seen) == sorted(set(seen)) == ["conftest.py", "helpers.py", "test_a.py", "test_b.py"]


def test_reading_emits_no_warning_into_the_run(pytester, audit):
    """Even when the user has made every warning an error."""
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    helpers = BASE + "    def more(self, x='\\\\d', y=1if 2else 3):\n        pass  # secaudit: ignore[PSA004] because\n"
    write(pytester.path, test_a=USES_BASE, helpers=helpers.replace("\\\\", "\\"))
    sys.dont_write_bytecode, before = False, sys.dont_write_bytecode
    try:
        done = audit("-W", "ignore::SyntaxWarning", "-W", "ignore::DeprecationWarning")
    finally:
        sys.dont_write_bytecode = before
    assert done.places[0] == ("helpers.py", 3)
    assert done.aside == []
