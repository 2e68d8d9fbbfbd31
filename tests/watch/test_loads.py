"""Loads that can run code: of which files they are noticed, and that nobody notices us."""

from __future__ import annotations

import _pickle
import bz2
import gzip
import io
import lzma
import marshal
import os
import pickle
import sys
import sysconfig
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.watch import loads as module
from pytest_secaudit.watch.ledger import OUTSIDE, Actor
from pytest_secaudit.watch.loads import Loads
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site
from pytest_secaudit.watch.tapping import Taps

RATES = Actor("test", "tests/test_rates.py::test_rates")


class Run:
    """A watch whose project is a folder, and for which the temporary folder is none."""

    def __init__(self, folder: Path) -> None:
        self.taps = Taps()
        self.who = RATES
        self.project = folder / "project"
        self.elsewhere = folder / "elsewhere"
        self.project.mkdir()
        self.elsewhere.mkdir()
        self.stack = Stack(lambda path: path, lambda path: path == __file__)
        root = os.path.realpath(self.project) + os.sep
        self.loads = Loads(self.taps, self.stack, lambda: (self.who, False), lambda path: path.startswith(root))

    def subjects(self) -> list[str]:
        return [
            found.subject.replace(os.path.realpath(self.elsewhere).replace("\\", "/"), "")
            for found in self.loads.drain()
        ]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(module, "_temporary", tuple)
    monkeypatch.setattr(module, "_expanduser", lambda path: path.replace("~", os.path.realpath(tmp_path / "home")))
    made = Run(tmp_path)
    yield made
    made.taps.take_back()


def dumped(path: Path, opened: Callable[..., Any] = open) -> Path:
    with opened(path, "wb") as file:
        file.write(pickle.dumps([1]))
    return path


def load(path: Path, opened: Callable[..., Any] = open) -> object:
    with opened(path, "rb") as file:
        return pickle.load(file)


def test_a_file_from_elsewhere_is_noticed_at_the_line_that_loads_it(run: Run) -> None:
    assert load(dumped(run.elsewhere / "rates")) == [1]
    (found,) = run.loads.drain()
    assert (found.code, found.owner.id, found.security) == ("PSA303", RATES.id, "deserialisation")
    assert found.subject.startswith("pickle.load of ")
    assert found.subject.endswith("/elsewhere/rates")
    assert found.place is not None
    assert (found.place.path, found.place.line) == (__file__, load.__code__.co_firstlineno + 2)


@pytest.mark.parametrize("opened", [open, gzip.open, bz2.open, lzma.open], ids=lambda opened: opened.__module__)
def test_compressed_files_too(run: Run, opened: Callable[..., Any]) -> None:
    assert load(dumped(run.elsewhere / "rates", opened), opened) == [1]
    assert run.subjects() == ["pickle.load of /rates"]


def test_by_keyword_and_unbuffered_and_by_bytes(run: Run) -> None:
    path = dumped(run.elsewhere / "rates")
    with open(os.fsencode(path), "rb", buffering=0) as raw:
        assert marshal.load(io.BytesIO(marshal.dumps(1))) == 1
        assert pickle.load(raw) == [1]
    with open(path, "r+b") as both:
        assert pickle.load(both, encoding="bytes") == [1]
    assert run.subjects() == ["pickle.load of /rates"]


def test_marshal(run: Run) -> None:
    (run.elsewhere / "code").write_bytes(marshal.dumps(1))
    with open(run.elsewhere / "code", "rb") as file:
        assert marshal.load(file) == 1
    assert run.subjects() == ["marshal.load of /code"]


def test_pickle_that_is_imported_when_the_watch_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch does not import it by itself, and misses nothing for that, not even a name taken out of it."""
    monkeypatch.setattr(module, "_temporary", tuple)
    monkeypatch.delitem(sys.modules, "pickle")
    original = _pickle.load
    run = Run(tmp_path)
    assert "pickle" not in sys.modules
    import pickle as late
    from pickle import load as taken

    for read in (taken, late.load):
        with open(dumped(run.elsewhere / "rates"), "rb") as file:
            assert read(file) == [1]
        run.loads.refresh()
    assert run.subjects() == ["pickle.load of /rates"]
    run.taps.take_back()
    assert late.load is original
    assert _pickle.load is original


@pytest.mark.parametrize("fake", [None, 5, types.ModuleType("pickle")], ids=repr)
def test_a_pickle_that_is_none(run: Run, monkeypatch: pytest.MonkeyPatch, fake: object) -> None:
    run.taps.take_back()
    monkeypatch.setitem(sys.modules, "pickle", fake)  # type: ignore[arg-type]
    run.loads = Loads(run.taps, run.stack, lambda: (run.who, False), lambda path: False)
    run.loads.refresh()


def test_each_owner_once(run: Run) -> None:
    path = dumped(run.elsewhere / "rates")
    for who in (RATES, RATES, Actor("fixture", "model")):
        run.who = who
        load(path)
    assert [found.owner.id for found in run.loads.drain()] == [RATES.id, "model"]


def test_the_projects_own_files_are_silent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    load(dumped(run.project / "rates"))
    monkeypatch.chdir(run.project)
    load(Path("rates"))
    assert run.subjects() == []


def test_a_link_in_the_project_leads_elsewhere(run: Run) -> None:
    link = run.project / "rates"
    try:
        link.symlink_to(dumped(run.elsewhere / "rates"))
    except OSError:
        pytest.skip("no links here")
    load(link)
    assert run.subjects() == ["pickle.load of /rates"]


def test_rewritten_modules_are_silent(run: Run) -> None:
    load(dumped(run.elsewhere / "test_a.cpython-312-pytest-9.2.0.pyc"))
    assert run.subjects() == []


def test_temporary_and_installed_files_are_trusted() -> None:
    assert module._is_trusted(os.path.join(os.path.realpath(tempfile.gettempdir()), "x", "y"))
    assert module._is_trusted(os.path.join(sysconfig.get_path("stdlib"), "lib2to3", "Grammar.pickle"))
    assert module._is_trusted(os.path.join(os.sep, "opt", "venv", "site-packages", "x.pickle"))
    assert not module._is_trusted(os.path.join(os.sep, "srv", "x.pickle"))


def test_asking_for_the_temporary_folder_does_not_decide_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", os.path.join(os.sep, "scratch", "tmp"))
    assert module._is_trusted(os.path.realpath(os.path.join(os.sep, "scratch", "tmp", "x")))
    assert tempfile.tempdir is None


def test_a_root_folder_trusts_nothing() -> None:
    assert module._folders([os.sep, "", None, "relative"]) == ()


def test_a_librarys_own_cache_is_silent_and_a_tests_use_of_it_is_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "home" / ".cache" / "parser"
    cache.mkdir(parents=True)
    path = dumped(cache / "grammar")
    load(path)
    assert run.subjects() == ["pickle.load of ~/.cache/parser/grammar"]
    monkeypatch.setattr(module, "library", lambda _: "parser")
    run.who = Actor("test", "other")
    load(path)
    assert run.subjects() == []


def test_what_nobody_of_the_suite_does_is_silent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.stack, "of", lambda _: Site())
    run.who = OUTSIDE
    load(dumped(run.elsewhere / "rates"))
    assert run.subjects() == []


def test_what_is_no_file_is_silent(run: Run) -> None:
    class Named(io.BytesIO):
        @property
        def name(self) -> str:
            raise AssertionError("nobody asks")

    assert pickle.load(Named(pickle.dumps(1))) == 1
    reader, writer = os.pipe()
    with open(writer, "wb") as out, open(reader, "rb") as file:
        out.write(pickle.dumps(1))
        out.flush()
        assert pickle.load(file) == 1
    with pytest.raises(TypeError):
        pickle.load()  # type: ignore[call-arg]
    assert run.subjects() == []


def test_a_raw_file_of_somebodys_own_is_not_asked(run: Run) -> None:
    class Raw(io.RawIOBase):
        name = property(lambda _: pytest.fail("nobody asks"))

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            data = pickle.dumps(1)
            buffer[: len(data)] = data
            return len(data)

    assert pickle.load(io.BufferedReader(Raw())) == 1
    assert run.subjects() == []


def test_exceptions_pass_and_functions_stay_what_they_are(run: Run) -> None:
    with pytest.raises(EOFError), open(os.devnull, "rb") as file:
        pickle.load(file)
    run.loads.drain()
    assert pickle.loads(pickle.dumps(pickle.load)) == pickle.load
    assert isinstance(pickle.load, types.BuiltinFunctionType)


# --- YAML


class FakeYaml:
    """The parts of PyYAML that matter: loaders that are made with a stream, functions that make them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        yaml = types.ModuleType("yaml")
        code = """
class SafeLoader:
    def __init__(self, stream):
        self.text = stream.read()
class Loader:
    def __init__(self, stream):
        self.text = stream.read()
class UnsafeLoader(Loader):
    def __init__(self, stream):
        Loader.__init__(self, stream)
def load(stream, Loader):
    return Loader(stream).text
def unsafe_load(stream):
    return load(stream, UnsafeLoader)
def compose(stream, Loader=Loader):
    return Loader(stream).text
"""
        exec(code, vars(yaml))
        self.functions = yaml
        loader = types.ModuleType("yaml.loader")
        loader.Loader, loader.UnsafeLoader = yaml.Loader, yaml.UnsafeLoader  # type: ignore[attr-defined]
        for found in (yaml, loader):
            monkeypatch.setitem(sys.modules, found.__name__, found)
        monkeypatch.delitem(sys.modules, "yaml.cyaml", raising=False)


@pytest.fixture
def yaml(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    run.loads._yaml = False
    fake = FakeYaml(monkeypatch)
    (run.elsewhere / "a.yaml").write_text("a")
    return fake.functions


def test_yaml_with_an_unsafe_loader(run: Run, yaml: Any) -> None:
    bound_before = yaml.load
    run.loads.refresh()
    for load_it in (lambda file: bound_before(file, yaml.Loader), yaml.unsafe_load):
        with open(run.elsewhere / "a.yaml", encoding="utf-8") as file:
            assert load_it(file) == "a"
        assert run.subjects() == ["yaml.load with an unsafe loader of /a.yaml"]
        run.who = Actor("test", "other")


def test_yaml_that_constructs_nothing_or_only_data(run: Run, yaml: Any) -> None:
    run.loads.refresh()
    for load_it in (lambda file: yaml.load(file, yaml.SafeLoader), yaml.compose):
        with open(run.elsewhere / "a.yaml", encoding="utf-8") as file:
            assert load_it(file) == "a"
    assert run.subjects() == []


def test_the_real_yaml(run: Run) -> None:
    yaml = pytest.importorskip("yaml")
    run.loads.refresh()
    path = run.elsewhere / "a.yaml"
    path.write_text("a: 1")
    unsafe = [yaml.Loader, yaml.UnsafeLoader]
    if yaml.__with_libyaml__:
        unsafe += [yaml.CLoader, yaml.CUnsafeLoader]
    for number, loader in enumerate(unsafe):
        run.who = Actor("test", str(number))
        with open(path, encoding="utf-8") as file:
            assert yaml.load(file, Loader=loader) == {"a": 1}
        assert run.subjects() == ["yaml.load with an unsafe loader of /a.yaml"]
    run.who = Actor("test", "safe")
    for act in (yaml.safe_load, yaml.full_load, yaml.compose, lambda file: list(yaml.parse(file))):
        with open(path, encoding="utf-8") as file:
            assert act(file)
    assert run.subjects() == []
