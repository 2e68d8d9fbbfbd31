"""What live objects answer, and what the collector makes of odd items: no stranger's code is run, nothing raises."""

from __future__ import annotations

import abc
import collections
import enum
import os
import sys
import time
import types
import unittest
import unittest.mock
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pytest_secaudit.cache import ReadingCache
from pytest_secaudit.carrying import Cargo, readings_in
from pytest_secaudit.checks import built_in
from pytest_secaudit.collected import Collector
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.live import Surroundings, answer, settle
from pytest_secaudit.model import Question
from pytest_secaudit.reader import Reader
from pytest_secaudit.reading import FixtureFact, Reading, StaticHit
from pytest_secaudit.relative import relative_to_root
from pytest_secaudit.settling import surrounds
from pytest_secaudit.static import StaticHalf


class Boom(BaseException):
    """No Exception: whoever lets a stranger's code run gets it."""


def raises(*args, **kwargs):
    raise Boom


#: Everything that Python may ask of an object, as a mine.
MINES = dict.fromkeys(
    ("__eq__", "__getattr__", "__getattribute__", "__bool__", "__len__", "__iter__", "__call__"), raises
)
MINES |= {"__hash__": raises, "__instancecheck__": raises, "__repr__": raises, "__class__": property(raises)}


def mined(**more):
    """An object that explodes when anybody touches it."""
    cls = type("Mined", (), {**MINES, **more})
    return object.__new__(cls)


class MinedMeta(type):
    """Classes that explode when anybody asks them for an attribute, or whether something is their instance."""

    def __getattribute__(cls, name):
        raise Boom

    __instancecheck__ = __subclasscheck__ = __eq__ = __call__ = raises
    __hash__ = type.__hash__


class MinedModule(ModuleType):
    def __getattribute__(self, name):
        raise Boom


def module(**names) -> ModuleType:
    made = ModuleType("test_made")
    made.__dict__.update(names)
    return made


def ask(kind: str, *args: str, of: ModuleType | None = None, **around) -> bool | None:
    return answer(Question(kind, args), Surroundings(module=of, **around))


KINDS = {
    "overridden": ("Cls", "fail"),
    "rebound": ("name", "time.sleep"),
    "fixture-replaces": ("time.sleep", "test_it"),
    "defined-elsewhere": ("some_name_nobody_has",),
    "compares-oddly": ("name", "a.b"),
    "body-never-runs": ("Cls", "test_it"),
}


# --- asking


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "defined-elsewhere"])
def test_without_live_objects_every_question_stays_open(kind):
    assert ask(kind, *KINDS[kind]) is None


def test_an_unknown_question_stays_open():
    assert ask("what-is-love", "x", of=module()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_with_wrong_arguments_stays_open(kind):
    assert ask(kind, *(["x"] * 7), of=module()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_no_question_touches_a_stranger(kind):
    """Objects, classes and modules that explode when touched."""
    cls = MinedMeta("Cls", (), {})
    stranger = mined()
    assert ask(kind, *KINDS[kind], of=module(Cls=cls, name=stranger)) in (None, True, False)
    assert ask(kind, *KINDS[kind], of=module(Cls=stranger, name=cls)) in (None, True, False)
    swapped = module(Cls=cls, name=stranger)
    swapped.__class__ = MinedModule
    assert ask(kind, *KINDS[kind], of=swapped) in (None, True, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_in_sys_modules_is_left_alone(kind, monkeypatch):
    swapped = module(a=MinedMeta("Cls", (), {}))
    swapped.__class__ = MinedModule
    monkeypatch.setitem(sys.modules, "secaudit_swapped", swapped)
    monkeypatch.setitem(sys.modules, "secaudit_mined", mined())
    monkeypatch.setitem(sys.modules, "secaudit_none", None)
    cls = type("Cls", (unittest.TestCase,), {})
    assert ask(kind, *KINDS[kind], of=module(Cls=cls, name=1)) in (None, True, False)
    assert ask("rebound", "name", "secaudit_mined.x", of=module(name=1)) is None
    assert ask("rebound", "name", "secaudit_none.x", of=module(name=1)) is None
    assert ask("rebound", "name", "secaudit_swapped.a", of=module(name=1)) is True


# --- overridden


def test_a_method_of_the_class_or_a_base_of_it_is_overridden():
    class Base(unittest.TestCase):
        def fail(self, msg=None):
            """Not the one of unittest."""

    class Cls(Base):
        pass

    assert ask("overridden", "Cls", "fail", of=module(Cls=Cls)) is True
    assert ask("overridden", "Cls", "assertRaises", of=module(Cls=Cls)) is False
    assert ask("overridden", "Cls", "fail", of=module(Cls=unittest.TestCase)) is False


def test_a_nested_class_is_found():
    inner = type("Inner", (), {"fail": lambda self: None})
    assert ask("overridden", "Outer.Inner", "fail", of=module(Outer=type("Outer", (), {"Inner": inner}))) is True
    assert ask("overridden", "Outer.Other", "fail", of=module(Outer=type("Outer", (), {}))) is None
    assert ask("overridden", "Outer.Inner", "fail", of=module(Outer=5)) is None


# --- rebound


def test_a_name_that_means_something_else_now_is_rebound():
    assert ask("rebound", "sleep", "time.sleep", of=module(sleep=len)) is True
    assert ask("rebound", "sleep", "time.sleep", of=module(sleep=time.sleep)) is False
    assert ask("rebound", "time", "time", of=module(time=time)) is False
    assert ask("rebound", "time", "time", of=module(time=SimpleNamespace())) is True


@pytest.mark.parametrize(
    ("name", "full_name"),
    [("sleep", ""), ("", "time.sleep"), ("gone", "time.sleep"), ("sleep", "nothing.of_that"), ("sleep", "time.gone")],
)
def test_what_cannot_be_compared_stays_open(name, full_name):
    assert ask("rebound", name, full_name, of=module(sleep=time.sleep)) is None


def test_asking_imports_nothing():
    assert "antigravity" not in sys.modules
    assert ask("rebound", "fly", "antigravity.fly", of=module(fly=1)) is None
    assert "antigravity" not in sys.modules


# --- fixture-replaces


def replaces(target: str, function: str = "test_it", autouse=(), in_effect=("fast",)) -> bool | None:
    return ask(
        "fixture-replaces",
        target,
        function,
        fixtures_in_effect={"test_it": set(in_effect)},
        fixture_replacements={"fast": {"shop.jobs.time.sleep"}, "whole": {"time"}, "other": {"os.getcwd"}},
        autouse=autouse,
    )


def test_a_fixture_in_effect_that_replaces_the_target_answers_yes():
    assert replaces("time.sleep") is True
    assert replaces("asyncio.sleep") is False
    assert replaces("time.sleep", "test_other") is False
    assert replaces("time.sleep", "test_other", autouse=("fast",)) is True
    assert replaces("time.sleep", in_effect=("whole",)) is True
    assert replaces("time.sleep", in_effect=("other", "unknown")) is False
    assert replaces("sleep", in_effect=("other",)) is False
    assert replaces("timer.sleep", in_effect=("whole",)) is False


# --- defined-elsewhere


@pytest.mark.parametrize("base", [object, abc.ABC, enum.Enum, Exception, unittest.TestCase, collections.UserDict])
def test_a_method_of_a_class_of_another_module_is_defined_elsewhere(monkeypatch, base):
    def body(namespace):
        namespace["assert_shipped_to"] = plain

    cls = types.new_class("Checker", (base,), exec_body=body)
    monkeypatch.setitem(sys.modules, "secaudit_shop", module(Checker=cls))
    assert ask("defined-elsewhere", "assert_shipped_to", of=module()) is True
    assert ask("defined-elsewhere", "assert_shipped_by", of=module()) is False


def test_a_function_of_another_module_is_defined_elsewhere(monkeypatch):
    monkeypatch.setitem(sys.modules, "secaudit_shop", module(assert_shipped_to=len))
    assert ask("defined-elsewhere", "assert_shipped_to", of=module()) is True


def test_what_the_module_itself_or_mock_defines_is_not_elsewhere(monkeypatch):
    mine = module(assert_shipped_to=len)
    monkeypatch.setitem(sys.modules, "secaudit_mine", mine)
    assert ask("defined-elsewhere", "assert_shipped_to", of=mine) is False
    monkeypatch.setitem(sys.modules, "mock", module(assert_billed_to=len))
    assert ask("defined-elsewhere", "assert_billed_to", of=mine) is False


def test_odd_keys_of_a_namespace_are_no_answer(monkeypatch):
    odd = module(assert_shipped_to=len)
    odd.__dict__[5] = 1
    monkeypatch.setitem(sys.modules, "secaudit_odd", odd)
    assert ask("defined-elsewhere", "assert_shipped_to", of=module()) is True


def test_many_questions_are_answered_fast(monkeypatch):
    """The loaded modules are a big place to search."""
    for number in range(300):
        classes = {f"C{i}": type("C", (), {}) for i in range(50)}
        monkeypatch.setitem(sys.modules, f"secaudit_many_{number}", module(**classes))
    start = time.process_time()
    for number in range(200):
        assert ask("defined-elsewhere", f"assert_nothing_{number % 20}", of=module()) is False
    assert time.process_time() - start < 1.5


# --- compares-oddly


class Column:
    def __eq__(self, other):
        return "an expression"

    __hash__ = None


def test_a_comparison_of_ones_own_is_odd():
    assert ask("compares-oddly", "column", "", of=module(column=Column())) is True
    assert ask("compares-oddly", "table", "id", of=module(table=type("Table", (), {"id": Column()}))) is True
    assert (
        ask("compares-oddly", "table", "c.id", of=module(table=SimpleNamespace(c=SimpleNamespace(id=Column())))) is True
    )


@pytest.mark.parametrize("value", [5, "x", [], {}, object(), Conventions, None, len])
def test_a_plain_comparison_is_not(value):
    assert ask("compares-oddly", "value", "", of=module(value=value)) is False


def test_what_is_not_there_stays_open():
    assert ask("compares-oddly", "gone", "", of=module()) is None
    assert ask("compares-oddly", "value", "a.b", of=module(value=5)) is None


# --- body-never-runs


class Plain(unittest.TestCase):
    __test__ = False

    async def test_async(self):
        """Never awaited."""

    def test_generator(self):
        yield

    async def test_async_generator(self):
        yield

    def test_plain(self):
        """Runs."""


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    __test__ = False

    async def test_async(self):
        """Awaited."""


class WithRunner(Plain):
    def run(self, result=None):
        """Runs the tests in its own way."""


class WithInit(Plain):
    def __init__(self, name="runTest"):
        super().__init__(name)


@pytest.mark.parametrize("method", ["test_async", "test_generator", "test_async_generator"])
def test_a_lazy_body_of_a_plain_test_case_never_runs(method):
    made = module(Plain=Plain, WithRunner=WithRunner, WithInit=WithInit, Other=type("Other", (), {}))
    assert ask("body-never-runs", "Plain", method, of=made) is True
    assert ask("body-never-runs", "WithRunner", method, of=made) is False
    assert ask("body-never-runs", "WithInit", method, of=made) is False
    assert ask("body-never-runs", "Other", method, of=made) is None


def test_other_bodies_run():
    assert ask("body-never-runs", "Plain", "test_plain", of=module(Plain=Plain)) is False
    assert ask("body-never-runs", "Asynchronous", "test_async", of=module(Asynchronous=Asynchronous)) is False
    assert ask("body-never-runs", "Plain", "test_gone", of=module(Plain=Plain)) is False


# --- settling


def hit(unless=(), only_if=()) -> StaticHit:
    values = {field.name: None for field in fields(StaticHit)}
    return StaticHit(**{**values, "unless": tuple(unless), "only_if": tuple(only_if)})


def test_what_one_process_still_suspects_is_suspected() -> None:
    one, other = (replace(hit(), code="PSA501", line=line, column=1, fingerprint=str(line)) for line in (3, 7))
    readings = Reading("t.py", hits=(other,)), Reading("t.py", hits=(one,)), Reading("u.py")
    joined = readings_in(Cargo(readings=(reading,)) for reading in readings)
    assert [(reading.path, reading.hits) for reading in joined] == [("t.py", (one, other)), ("u.py", ())]


YES = Question("rebound", ("sleep", "time.sleep"))
NO = Question("rebound", ("time", "time"))
OPEN = Question("rebound", ("gone", "time.sleep"))


@pytest.mark.parametrize(
    ("unless", "only_if", "stays"),
    [
        ([], [], True),
        ([YES], [], False),
        ([NO], [], True),
        ([OPEN], [], True),
        ([NO, OPEN, YES], [], False),
        ([], [YES], True),
        ([], [NO], False),
        ([], [OPEN], False),
        ([], [YES, NO], False),
        ([YES], [YES], False),
        ([NO], [YES], True),
    ],
)
def test_unless_drops_on_yes_and_only_if_drops_on_anything_else(unless, only_if, stays):
    around = Surroundings(module=module(sleep=len, time=time))
    settled = settle(Reading("t.py", hits=(hit(unless, only_if),)), around)
    assert [(left.unless, left.only_if) for left in settled.hits] == ([((), ())] if stays else [])


# --- the collector and odd items


class Item(pytest.Function):
    """A test item without a session: only what the collector asks of it."""

    function = module = cls = path = nodeid = None


def item(path, function, *, cls=None, made=None, fixtures=(), kind=Item):
    new = object.__new__(kind)
    for name, value in {
        "path": path,
        "name": "test_it",
        "originalname": "test_it",
        "function": function,
        "obj": function,
        "parent": None,
        "cls": cls,
        "nodeid": f"{path.name}::test_it",
        "fixturenames": [definition.argname for definition in fixtures],
        "_fixtureinfo": SimpleNamespace(name2fixturedefs={definition.argname: [definition] for definition in fixtures}),
    }.items():
        setattr(new, name, value)
    if kind is Item:
        new.module = made
    return new


def fixture(function, name="thing"):
    return SimpleNamespace(argname=name, func=function)


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "test_a.py").write_text("")
    (tmp_path / "helpers.py").write_text("")
    helpers = ModuleType("secaudit_helpers")
    helpers.__file__ = str(tmp_path / "helpers.py")
    monkeypatch.setitem(sys.modules, "secaudit_helpers", helpers)
    return tmp_path


def collector(root: Path) -> Collector:
    manager = SimpleNamespace(get_plugins=set, list_name_plugin=list)
    return Collector(SimpleNamespace(rootpath=root, pluginmanager=manager))


def files_of(root: Path, *args, **kwargs) -> list[str]:
    mine = collector(root)
    mine.add([item(root / "test_a.py", *args, **kwargs)])
    assert mine.found.paths_by_test()["test_a.py::test_it"][0] == "test_a.py"
    assert not mine.found.not_audited
    return list(mine.found.files)


def made(**names) -> ModuleType:
    return module(__file__="test_a.py", **names)


def plain():
    """A test."""


class OddCallable:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __call__(self):
        """A test."""

    def __getattr__(self, name):
        raise RuntimeError(name)


class Yielding:
    """Answers every question about it with a list, which cannot be hashed."""

    def __getattr__(self, name):
        return []

    def __call__(self):
        """A test."""


class Raising:
    """Answers no question at all."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __call__(self):
        """A test."""


CALLABLES = {
    "function": lambda: plain,
    "lambda": [lambda: None].__iter__().__next__,
    "partial": lambda: partial(plain),
    "partial of a partial": lambda: partial(partial(plain)),
    "built-in": lambda: len,
    "instance": OddCallable,
    "instance with numbers for names": lambda: OddCallable(__module__=5, __qualname__=5),
    "instance with lists for names": lambda: OddCallable(__module__=[], __qualname__=[], __wrapped__=[]),
    "instance with lists for everything": Yielding,
    "mock": unittest.mock.MagicMock,
    "method": lambda: type("Cls", (), {"method": plain})().method,
    "raises": Raising,
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_any_callable_may_be_a_test_or_a_fixture(root, kind):
    function = CALLABLES[kind]()
    assert files_of(root, function, made=made()) == ["test_a.py"]
    assert files_of(root, plain, made=made(), fixtures=[fixture(function)]) == ["test_a.py"]


def test_a_test_that_wraps_itself_is_no_endless_loop(root):
    def function():
        """A test."""

    function.__wrapped__ = function
    assert files_of(root, function, made=made()) == ["test_a.py"]


@pytest.mark.parametrize("name", [None, 5, "", "secaudit_gone"])
def test_odd_module_names_are_no_error(root, name):
    odd = made()
    odd.__name__ = name
    assert files_of(root, plain, made=odd) == ["test_a.py"]


def test_a_module_without_a_name_is_no_error(root):
    odd = made()
    del odd.__name__
    assert files_of(root, plain, made=odd) == ["test_a.py"]
    assert files_of(root, plain, made=None) == ["test_a.py"]


@pytest.mark.parametrize("file", [None, 5, "", "nowhere.py", "a\0b.py", "/etc/passwd", "<string>"])
def test_a_helper_with_an_odd_file_is_no_error(root, monkeypatch, file):
    sys.modules["secaudit_helpers"].__file__ = file
    base = type("Base", (), {"__module__": "secaudit_helpers"})
    assert files_of(root, plain, made=made(), cls=type("TestIt", (base,), {})) == ["test_a.py"]


def test_a_base_class_and_the_class_itself_have_their_files_read(root):
    base = type("Base", (), {"__module__": "secaudit_helpers"})
    assert files_of(root, plain, made=made(), cls=type("TestIt", (base,), {})) == ["test_a.py", "helpers.py"]
    assert files_of(root, plain, made=made(), cls=base) == ["test_a.py", "helpers.py"]


def test_a_helper_with_a_class_of_its_own_is_read(root):
    """``sys.modules[__name__].__class__ = Lazy`` is how modules get properties."""
    sys.modules["secaudit_helpers"].__class__ = MinedModule
    base = type("Base", (), {"__module__": "secaudit_helpers"})
    assert files_of(root, plain, made=made(), cls=type("TestIt", (base,), {})) == ["test_a.py", "helpers.py"]


def test_a_test_module_with_a_class_of_its_own_is_read(root):
    swapped = made()
    swapped.__class__ = MinedModule
    assert files_of(root, plain, made=swapped) == ["test_a.py"]


def test_a_metaclass_that_raises_is_not_asked(root):
    base = MinedMeta("Base", (), {"__module__": "secaudit_helpers"})
    assert files_of(root, plain, made=made(), cls=MinedMeta("TestIt", (base,), {})) == ["test_a.py", "helpers.py"]


ODD_NAMES = {"none": None, "number": 5, "list": [], "property": property(raises), "mine": mined()}


@pytest.mark.parametrize("kind", ODD_NAMES)
def test_a_class_with_an_odd_module_name_is_no_error(root, kind):
    name = ODD_NAMES[kind]
    base = type("Base", (), {"__module__": name})
    assert files_of(root, plain, made=made(), cls=type("TestIt", (base,), {"__module__": name})) == ["test_a.py"]


def test_a_stranger_in_the_place_of_a_module_is_no_error(root):
    sys.modules["secaudit_helpers"] = mined()
    base = type("Base", (), {"__module__": "secaudit_helpers"})
    assert files_of(root, plain, made=made(), cls=type("TestIt", (base,), {})) == ["test_a.py"]


def test_a_fixture_and_a_test_function_from_a_helper_have_their_file_read(root):
    def thing():
        """From elsewhere."""

    thing.__module__ = "secaudit_helpers"
    assert files_of(root, plain, made=made(), fixtures=[fixture(thing)]) == ["test_a.py", "helpers.py"]
    mine = collector(root)
    mine.add([item(root / "test_a.py", thing, made=made())])
    assert mine.found.paths_by_test()["test_a.py::test_it"] == ("test_a.py", "helpers.py")
    assert set(mine.found.groups) == {"helpers.py"}


def test_an_item_that_raises_is_set_aside_and_the_others_are_taken(root):
    class Broken(Item):
        module = property(lambda self: 1 / 0)

    mine = collector(root)
    mine.add([item(root / "test_b.py", plain, kind=Broken), item(root / "test_a.py", plain, made=made())])
    assert "test_a.py" in mine.found.files
    (aside,) = mine.found.not_audited
    assert (aside.path, aside.reason) == ("test_b.py", "the audit failed here: ZeroDivisionError: division by zero")


def test_paths_are_relative_with_slashes_and_cleaned(root):
    mine = collector(root)
    assert mine.relative(str(root / "a" / "b.py")) == "a/b.py"
    assert mine.relative(str(root.parent / "x.py")) == "../x.py"
    assert mine.relative("/v/lib/python3/site-packages/shop/x.py") == "<site-packages>/shop/x.py"
    assert mine.relative(str(root / "a\x1b[31m.py")) == "a\\x1b[31m.py"


def test_a_real_path_below_a_linked_rootdir_is_below_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert collector(tmp_path / "link").relative(str(tmp_path / "real" / "helpers.py")) == "helpers.py"


def test_conftests_surround_what_is_below_them():
    assert surrounds("conftest.py", "a/b/test_a.py")
    assert surrounds("a/conftest.py", "a/b/test_a.py")
    assert not surrounds("a/conftest.py", "ab/test_a.py")
    assert not surrounds("a/other.py", "a/test_a.py")


# --- the static half


class Files:
    """As many files as a big suite has, none of them on the disk."""

    def __init__(self, count):
        fact = FixtureFact("fast", 1, "function", True, ("time.sleep",))
        self.readings = {
            f"t{n}/test_a.py": Reading(f"t{n}/test_a.py", fixtures=(fact,) if n == 3 else ()) for n in range(count)
        }
        self.seconds = 0.0

    def read(self, path, relative, module):
        return self.readings[relative]

    def rest(self) -> None:
        """Nothing was remembered."""


def test_many_files_are_settled_in_no_quadratic_time(tmp_path):
    mine = collector(tmp_path)
    files = Files(4_000)
    for path in files.readings:
        mine._file(str(tmp_path / path), None)
    start = time.process_time()
    cargo = StaticHalf(mine, files).everything(lambda done, total: None)
    assert len(cargo.readings) == 4_000
    assert time.process_time() - start < 3


def test_progress_is_said_when_reading_takes_more_than_a_second(tmp_path, monkeypatch):
    mine = collector(tmp_path)
    files = Files(40)
    for path in files.readings:
        mine._file(str(tmp_path / path), None)
    said: list[tuple[int, int]] = []
    now = iter(range(1_000_000))
    monkeypatch.setattr("pytest_secaudit.static._clock", lambda: next(now) * 0.05)
    StaticHalf(mine, files).everything(lambda done, total: said.append((done, total)))
    assert said[0][0] >= 19
    assert said[-1] == (40, 40)
    assert 3 <= len(said) <= 12
    said.clear()
    monkeypatch.setattr("pytest_secaudit.static._clock", lambda: 0.0)
    StaticHalf(mine, files).everything(lambda done, total: said.append((done, total)))
    assert said == []


def test_suspicions_of_a_test_are_known_before_it_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop="CACHE = {}\n")
    pytester.syspathinsert()
    (item,) = pytester.getitems("import shop\n\ndef test_a():\n    shop.CACHE = None\n")
    static = StaticHalf(Collector(item.config), Reader(built_in(), Conventions(), ReadingCache(None, "")))
    static.collect([item])
    assert static.cargo_of(item.nodeid) is not None
    ((reading, _),) = static.stood_on(item)
    (suspicion,) = reading.armed
    assert (suspicion.code, suspicion.subject) == ("PSA501", "shop.CACHE")


def test_pytest_still_has_the_private_way_from_an_item_to_its_fixtures(pytester: pytest.Pytester) -> None:
    """Without it, fixtures in other files than conftests are no longer read: time for another way."""
    (item,) = pytester.getitems("import pytest\n@pytest.fixture\ndef f(): pass\ndef test_a(f): pass\n")
    (definition,) = item._fixtureinfo.name2fixturedefs["f"]
    assert definition.func.__name__ == "f"


@pytest.mark.parametrize("tail", ["a.py", "a/b.py", "a//b.py", "./a.py", "a/./b.py", "a/../b.py", "a b/é.py", "a/b/"])
def test_paths_are_relative_to_the_root_as_pathlib_says(tmp_path, tail):
    path = f"{tmp_path}{os.sep}{tail.replace('/', os.sep)}"
    assert relative_to_root(path, tmp_path, tmp_path) == Path(path).relative_to(tmp_path).as_posix()


def test_the_root_itself_and_its_namesake_beside_it(tmp_path):
    root = tmp_path / "root"
    assert relative_to_root(str(root), root, root) == "."
    assert relative_to_root(str(tmp_path / "root2" / "a.py"), root, root) == "../root2/a.py"
