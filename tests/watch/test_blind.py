"""What stands behind a replaced object, what was started, and what child processes may have run."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from pytest_secaudit.blind import ANYTHING
from pytest_secaudit.watch import tool_ids
from pytest_secaudit.watch.blind.children import Children, packages_of, words_of
from pytest_secaudit.watch.blind.functions import body_of, functions_of, is_stub, security_of
from pytest_secaudit.watch.blind.starts import Starts, checksum
from pytest_secaudit.watch.tapping import Taps

# --- functions


def plain(a: int) -> int:
    return a


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class Sly(type):
    """Answers whatever it is asked."""

    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError(name)


class Base(metaclass=Sly):
    def inherited(self) -> int:
        return 1


class Thing(Base):
    limit = 3

    def __init__(self) -> None:
        self.x = 1

    def __repr__(self) -> str:
        return "thing"

    def method(self) -> int:
        return self.x

    @staticmethod
    def static() -> int:
        return 1

    @classmethod
    def of_class(cls) -> int:
        return 1

    @property
    def prop(self) -> int:
        return self.x

    @prop.setter
    def prop(self, value: int) -> None:
        self.x = value

    @functools.cached_property
    def cached(self) -> int:
        return 1

    part = functools.partialmethod(method)

    class Inner:
        def deep(self) -> int:
            return 1


def endless(*args: Any) -> None: ...


endless.__wrapped__ = endless  # type: ignore[attr-defined]
OF_THING = {"__init__", "method", "static", "of_class", "prop", "cached"}


@pytest.mark.parametrize(
    ("original", "names"),
    [
        (plain, {"plain"}),
        (functools.partial(functools.partial(plain, 1)), {"plain"}),
        (functools.lru_cache(plain), {"plain"}),
        (traced(traced(plain)), {"plain"}),
        (hidden(plain), {"plain", "hidden.<locals>.wrapper"}),
        (Thing().method, {"Thing.method"}),
        (Thing.__dict__["static"], {"Thing.static"}),
        (Thing.__dict__["of_class"], {"Thing.of_class"}),
        (Thing.__dict__["prop"], {"Thing.prop"}),
        (Thing.__dict__["part"], {"Thing.method"}),
        (Thing, {f"Thing.{name}" for name in OF_THING}),
        (Base, {"Base.inherited"}),
        (endless, set()),
        (len, set()),
        (3, set()),
        (None, set()),
        (object(), set()),
        (os, set()),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__) if not isinstance(value, set) else "",
)
def test_what_stands_behind_an_object(original: object, names: set[str]) -> None:
    found = list(functions_of(original))
    last = {name.rpartition(".")[2] for name in names}
    assert {one.qualname for one in found} == names or {one.qualname.rpartition(".")[2] for one in found} == last


def test_a_property_has_several(tmp_path: Path) -> None:
    found = [one.code.co_firstlineno for one in functions_of(Thing.__dict__["prop"])]
    assert len(set(found)) == 2


def code(source: str) -> CodeType:
    return next(one for one in compile(source, "a.py", "exec").co_consts if isinstance(one, CodeType))


@pytest.mark.parametrize(
    "source",
    [
        "def f(): pass",
        "def f(): ...",
        "def f():\n    '''Nothing.'''",
        "def f(self):\n    '''Nothing.'''\n    raise NotImplementedError",
        "def f(self): raise NotImplementedError('later')",
        "async def f(): pass",
        "def f(): return None",
        "def f(self):\n    '''Nothing.'''\n    return []",
        "def f(): return {}",
        "def f(): return ()",
    ],
)
def test_stubs(source: str) -> None:
    assert is_stub(code(source))


@pytest.mark.parametrize(
    "source",
    [
        "def f(): return True",
        "def f(): return False",
        "def f(): return 0",
        "def f(): return [1]",
        "def f(): return [None]",
        "def f(a): return [a]",
        "def f(a): return {a: a}",
        "def f(): return ((),)",
        "def f(): return 'text'",
        "def f(a): return a",
        "def f(a): return a == 'secret'",
        "def f(): g()",
        "def f(): yield",
        "def f(a): a.x = 1",
        "def f(): raise ValueError",
        "def f(a): raise NotImplementedError(a.b)",
    ],
)
def test_no_stubs(source: str) -> None:
    assert not is_stub(code(source))


def test_the_lines_of_a_body() -> None:
    assert body_of(code("@d\ndef f(\n    a,\n    b=1,\n):\n    '''Doc.'''\n    c = a\n    return c\n")) == (7, 8)
    assert body_of(code("def f(): return 1")) == ()


@pytest.mark.parametrize(
    ("source", "qualname", "module", "word"),
    [
        ("def f(): return 1", "Shop.verify_token", "shop", "verify"),
        ("def f(): return 1", "Shop.total", "auth", "auth"),
        ("def f(): return hmac.new()", "Shop.total", "shop", "hmac"),
        ("def f(): return subprocess.run()", "Shop.total", "shop", "subprocess"),
        ("def f(): return 1", "VolumeEncryptor._get_key", "base", "encryptor"),
        ("def f(): return authors()", "Shop.total", "authority", ""),
        ("def f(): return 1", "Shop.designate", "shop", ""),
    ],
)
def test_security(source: str, qualname: str, module: str, word: str) -> None:
    assert security_of(code(source), qualname, module) == word


# --- starts


needs_monitoring = pytest.mark.skipif(tool_ids.monitoring is None, reason="sys.monitoring is new in Python 3.12")


@pytest.fixture
def starts() -> Iterator[Starts]:
    made = Starts(lambda file: file == __file__)
    assert made.off == ""
    yield made
    made.stop()


def known(starts: Starts, function: Callable[..., Any]) -> Any:
    return starts.by_code.get(id(function.__code__))


@needs_monitoring
def test_who_started_what(starts: Starts) -> None:
    plain(1)
    starts.tests_begin()
    assert known(starts, plain).outside
    assert known(starts, plain).tests == set()
    starts.test = "a"
    plain(1)
    starts.test = "b"
    thread = threading.Thread(target=plain, args=(1,))
    thread.start()
    thread.join(60)
    Thing().method()
    starts.test = ""
    assert known(starts, plain).tests == {"a", "b"}
    assert known(starts, Thing.method).tests == {"b"}
    assert not known(starts, Thing.method).outside
    assert known(starts, Thing.static) is None
    assert known(starts, subprocess.run) is None


@needs_monitoring
def test_what_begins_in_the_line_of_a_function_is_none() -> None:
    source = "def f(): return [*(x for x in (lambda: 'a')())]\nclass C: pass\nf()\n"
    if sys.version_info >= (3, 12):
        source = source.replace("f()", "f[T]()", 1)
    starts = Starts(lambda file: file == "shop.py")
    exec(compile(source, "shop.py", "exec"), {})
    starts.stop()
    assert sorted(start.code.co_name for start in starts.by_code.values()) == ["<lambda>", "f"]


@needs_monitoring
def test_it_switches_itself_off(starts: Starts) -> None:
    starts.tests_begin()
    starts.test = "a"
    for _ in range(100):
        plain(1)
    starts.test = "b"
    plain(1)
    assert known(starts, plain).tests == {"a"}
    assert not known(starts, plain).is_whole


@needs_monitoring
def test_two_at_a_time_and_one_after_the_other() -> None:
    for _ in range(2):
        first, second = (Starts(lambda file: file == __file__) for _ in range(2))
        plain(1)
        assert known(first, plain) is not known(second, plain)
        assert known(second, plain) is not None
        first.stop()
        first.stop()
        second.stop()


@needs_monitoring
def test_no_tool_id_is_free() -> None:
    taken = [tool for tool in range(6) if tool_ids.monitoring.get_tool(tool) is None]
    for tool in taken:
        tool_ids.monitoring.use_tool_id(tool, "somebody")
    try:
        made = Starts(lambda _: True)
        assert made.off == tool_ids.NONE_FREE
        made.tests_begin()
        made.stop()
    finally:
        for tool in taken:
            tool_ids.monitoring.free_tool_id(tool)


@needs_monitoring
def test_a_failure_of_ours_switches_it_off() -> None:
    def fails(file: str) -> bool:
        raise RuntimeError(file)

    made = Starts(fails)
    plain(1)
    made.stop()
    assert made.off == "the audit failed here: RuntimeError"


@needs_monitoring
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nobody forks here")
def test_a_forked_child(starts: Starts) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=60
    )  # not in this process: threads may run
    assert child.stdout == "(True, None)\n"
    assert checksum(plain.__code__) not in starts.forked


FORK = """
import os
from pytest_secaudit.watch.blind.starts import Starts, checksum
def f(): return 1
starts = Starts(lambda file: file == "<string>")
child = os.fork()
if not child:
    f()
    os._exit(0)
os.waitpid(child, 0)
print((checksum(f.__code__) in starts.forked, starts.by_code.get(id(f.__code__))))
"""

# --- children


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([sys.executable, "-c", "import shop.auth"], {"shop", "auth"}),
        ([sys.executable, "-m", "shop"], {"shop"}),
        (["sh", "-c", "shop run"], {"shop"}),
        ("shop run | cat", {"shop"}),
        (["/opt/bin/shop"], {"shop"}),
        ([b"shop"], {"shop"}),
        ([Path("bin", "shop")], {"shop"}),
    ],
)
def test_a_package_that_is_named(command: object, words: set[str]) -> None:
    found = words_of(command)
    assert words <= found
    assert ANYTHING not in found


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable],
        [sys.executable, "-"],
        [sys.executable, "gone.py"],
        [sys.executable, "-m", "pytest"],
        [sys.executable, "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"],
        ["pytest", "tests"],
        ["faketime", "now", sys.executable],
        f"ls; {sys.executable}",
        "python3 -m unittest",
    ],
)
def test_what_may_run_anything(command: object) -> None:
    assert ANYTHING in words_of(command)


@pytest.mark.parametrize(
    "command",
    [
        ["git", "clone", "/home/shop/shop"],
        [sys.executable, "-c", "print(1)"],
        [sys.executable, "-m", "pip", "--version"],
        ["/home/shop/bin/true"],
        ["file", "-b", sys.executable],
        ["/usr/bin/ls", "shop"],
        [],
        "",
        [3, None],
        None,
    ],
)
def test_what_runs_nothing_of_the_project(command: object) -> None:
    found = words_of(command)
    assert "shop" not in found
    assert ANYTHING not in found


def test_scripts_are_read(tmp_path: Path) -> None:
    script = tmp_path / "any"
    script.write_text(f"#!{sys.executable}\nfrom shop.cli import main\n")
    assert "shop" in words_of([str(script)])
    assert "shop" in words_of([sys.executable, str(script), "x"])
    assert "shop" not in words_of(["cat", str(script)])
    script.write_bytes(b"\x7fELF\0 shop")
    assert "shop" not in words_of([str(script)])


def test_a_namespace_package_is_named_with_what_the_project_has_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tmp_path / "ours" / "trade", tmp_path / "theirs" / "trade"
    for folder in (ours / "shop", ours / "till", theirs / "other"):
        folder.mkdir(parents=True)
        folder.joinpath("__init__.py").touch()
    ours.joinpath("pay.py").touch()
    for portion in (ours, theirs):
        monkeypatch.syspath_prepend(portion.parent)
    spec = importlib.util.find_spec("trade")
    assert spec is not None
    monkeypatch.setitem(sys.modules, "trade", importlib.util.module_from_spec(spec))

    def named(*words: str, root: Path = ours) -> list[str]:
        return list(packages_of(words, lambda file: file.startswith(str(root))))

    assert named("trade") == named("trade", "other") == []
    assert named("trade", "till") == named("pay", "trade") == ["trade"]
    assert named("shop") == named("gone") == []
    assert named("trade", "other", root=theirs) == ["trade"]
    assert named("sys", "json", "os") == ["json", "os", "sys"]


def test_children_are_heard_of() -> None:
    taps = Taps()
    children = Children(taps, forks=False)
    subprocess.run([sys.executable, "-c", "shop = 1"], check=True, timeout=60)
    taps.take_back()
    assert "shop" in children.words
    subprocess.run([sys.executable, "-c", "inn = 1"], check=True, timeout=60)
    assert "inn" not in children.words
