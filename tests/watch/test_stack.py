"""Which frames of a stack count: the exact line that wrote, and the line of the tests to edit."""

from __future__ import annotations

import concurrent.futures
import doctest
import functools
import os
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch import stack as stack_module
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site

Loaded = dict[str, Any]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """One that takes the files named ``test_*`` for those of tests."""
    return Stack(
        lambda path: path.removeprefix(str(tmp_path) + os.sep).replace(os.sep, "/"),
        lambda path: path.startswith(str(tmp_path)) and os.path.basename(path).startswith(("test_", "conftest")),
    )


def load(path: Path | str, source: str, **names: object) -> Loaded:
    """What a module of this source, compiled for this path, defines."""
    found: Loaded = {"__name__": Path(path).stem, **names}
    exec(compile(source, str(path), "exec"), found)
    return found


def looking(stack: Stack) -> Callable[[], Site]:
    """An act that is noticed: its caller's line is looked for."""

    def act() -> Site:
        return stack.site()

    return act


CALLS = "def call(act):\n    return act()\n"


def test_the_line_of_the_test_itself(stack: Stack, tmp_path: Path) -> None:
    test = load(tmp_path / "test_a.py", "def test_it():\n    pass\n    return act()\n", act=looking(stack))
    place = Place("test_a.py", 3)
    assert test["test_it"]() == Site(place, place, "test_it")


def test_product_code_that_a_test_calls(stack: Stack, tmp_path: Path) -> None:
    product = load(tmp_path / "shop.py", "def charge(act):\n    return act()\n")
    test = load(
        tmp_path / "test_a.py",
        "class TestIt:\n    def test_it(self, act):\n\n        return charge(act)\n",
        charge=product["charge"],
    )
    site = test["TestIt"]().test_it(looking(stack))
    assert (site.written_at, site.edit) == (Place("shop.py", 2), Place("test_a.py", 4))
    assert site.function == ("TestIt.test_it" if sys.version_info >= (3, 11) else "test_it")


def test_the_innermost_of_several(stack: Stack, tmp_path: Path) -> None:
    helper = load(tmp_path / "conftest.py", CALLS)["call"]
    product = load(tmp_path / "shop.py", CALLS)["call"]
    outer = load(tmp_path / "test_a.py", CALLS)["call"]
    site = outer(lambda: product(lambda: helper(lambda: product(looking(stack)))))
    assert (site.written_at, site.edit) == (Place("shop.py", 2), Place("conftest.py", 2))


@pytest.mark.parametrize(
    "through",
    [
        lambda act: functools.partial(act)(),
        lambda act: mock.Mock(side_effect=act)(),
        lambda act: functools.singledispatch(lambda _: act())(1),
        lambda act: exec("act()", {"act": act}),
        lambda act: [act() for _ in "1"],
    ],
)
def test_machinery_is_skipped(stack: Stack, tmp_path: Path, through: Callable[[Callable[[], object]], object]) -> None:
    sites = []

    def act() -> None:
        sites.append(stack.site())
        raise ZeroDivisionError

    test = load(tmp_path / "test_a.py", "def test_it():\n    through(act)\n", through=through, act=act)
    with pytest.raises(ZeroDivisionError):
        test["test_it"]()
    inside = Place(stack._relative(__file__), through.__code__.co_firstlineno)
    assert sites[0].edit == Place("test_a.py", 2)
    assert sites[0].written_at == inside


STDLIB = os.path.dirname(os.path.realpath(threading.__file__))
SITE = sysconfig.get_path("purelib")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (threading.__file__, "machinery"),
        (concurrent.futures.__file__, "machinery"),
        (pytest.__file__, "machinery"),
        (stack_module.__file__, "machinery"),
        (os.path.join(SITE, "_pytest", "python.py"), "machinery"),
        (os.path.join(SITE, "pytest_mock", "plugin.py"), "machinery"),
        (os.path.join(SITE, "mock.py"), "machinery"),
        (os.path.join(SITE, "blockbuster", "blockbuster.py"), "machinery"),
        (os.path.join(SITE, "requests", "api.py"), "other"),
        (os.path.join(SITE, "six.py"), "other"),
        ("/usr/lib/python3/dist-packages/_pytest/python.py", "machinery"),
        ("/usr/lib/python3/dist-packages/six.py", "other"),
        ("/opt/tool/site-packages/app/site-packages/pluggy/_hooks.py", "machinery"),
        ("/usr/lib/python312.zip/threading.py", "machinery"),
        ("C:\\Python312\\python312.zip\\threading.py", "machinery" if os.name == "nt" else "other"),
        (os.path.join("asyncio", "runners.py"), "machinery"),
        ("threading.py", "machinery"),
        ("shop.py", "other"),
        (os.path.join("shop", "orders.py"), "other"),
        ("/srv/shop/orders.py", "other"),
        ("/srv/shop/manage", "other"),
        ("/srv/shop/templates/order.html", "machinery"),
        ("/srv/shop/templates/order.txt.j2", "machinery"),
        ("<string>", "machinery"),
        ("<template>", "machinery"),
        ("<frozen importlib._bootstrap>", "machinery"),
        ("<attrs generated init shop.Order>", "machinery"),
        ("", "machinery"),
    ],
)
def test_kinds(stack: Stack, path: str, kind: str) -> None:
    frame = load(path or "<string>", "import sys\ndef frame():\n    return sys._getframe()\n")["frame"]
    frame.__code__ = frame.__code__.replace(co_filename=path)
    assert stack.kind(frame()) == kind
    assert stack.site().edit is None


def test_a_module_of_the_project_with_a_name_of_the_standard_library(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue.py").touch()
    call = load("queue.py", CALLS)["call"]
    assert call(looking(stack)).written_at == Place("queue.py", 2)


def test_the_case_of_a_path_on_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lower = Stack(lambda path: path, lambda path: False)
    monkeypatch.setattr(stack_module.real, "normcase", str.lower)
    monkeypatch.setattr(stack_module, "_STDLIB", ("/usr/lib/python3.12/",))
    assert lower._look_at("/USR/Lib/Python3.12/Threading.PY")[0] == "machinery"


def test_pytest_itself_from_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "src" / "pluggy"
    monkeypatch.setattr(sys.modules["pluggy"], "__file__", str(package / "__init__.py"))
    assert Stack(str, lambda path: False)._look_at(str(package / "_hooks.py"))[0] == "machinery"
    assert Stack(str, lambda path: False)._look_at(str(package) + "_like.py")[0] == "other"


def test_nothing_of_the_tests_on_the_stack(stack: Stack, tmp_path: Path) -> None:
    product = load(tmp_path / "shop.py", CALLS)["call"]
    sites = []
    thread = threading.Thread(target=product, args=(lambda: sites.append(stack.site()),))
    thread.start()
    thread.join()
    assert sites == [Site(Place("shop.py", 2))]
    assert stack.of(None) == Site()


def test_a_deep_stack(stack: Stack, tmp_path: Path) -> None:
    source = "def down(n, act):\n    return act() if n == 0 else down(n - 1, act)\n"
    product = load(tmp_path / "shop.py", source)["down"]
    test = load(tmp_path / "test_a.py", CALLS)["call"]
    assert test(lambda: product(150, looking(stack))).edit == Place("test_a.py", 2)


def test_what_is_imported_by_a_test(stack: Stack, tmp_path: Path) -> None:
    source = "def test_it():\n\n    load('keep()', keep=keep)\n"
    sites: list[Site] = []
    names = {
        "load": functools.partial(load, tmp_path / "shop.py"),
        "keep": lambda: sites.append(stack.of(sys._getframe(1))),
    }
    load(tmp_path / "test_a.py", source, **names)["test_it"]()
    assert sites == [Site(Place("shop.py", 1), Place("test_a.py", 3), "test_it", importing="shop.py")]


def test_the_innermost_import_counts(stack: Stack, tmp_path: Path) -> None:
    sites: list[Site] = []
    names = {
        "load": load,
        "inner": functools.partial(load, tmp_path / "orders.py", "keep()"),
        "keep": lambda: sites.append(stack.of(sys._getframe(1))),
    }
    load(tmp_path / "shop.py", "inner(keep=keep)", **names)
    assert sites == [Site(Place("orders.py", 1), importing="orders.py")]


def test_the_body_of_a_test_module_imports_nothing(stack: Stack, tmp_path: Path) -> None:
    found = load(tmp_path / "test_a.py", "x = 1\nsite = act()\n", act=looking(stack))
    assert found["site"] == Site(Place("test_a.py", 2), Place("test_a.py", 2), "<module>")


def test_who_started_the_thread(stack: Stack) -> None:
    stack.who = lambda: ("the test", True)
    assert stack.site().by == "the test"
    stack.who = lambda: ("the test", False)
    assert stack.site().by is None


DOCTESTED = '''
def price():
    """The price.

    >>> x = 1
    >>> def inner():
    ...     return act()

    >>> act().edit
    Place(path='shop.py', line=9)
    >>> inner().edit
    Place(path='shop.py', line=7)
    """
'''


def test_the_lines_of_a_doctest(stack: Stack, tmp_path: Path) -> None:
    test = doctest.DocTestParser().get_doctest(
        load(tmp_path / "shop.py", DOCTESTED)["price"].__doc__,
        {"act": looking(stack)},
        "shop.price",
        str(tmp_path / "shop.py"),
        2,
    )
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert said == []


def test_a_doctest_without_its_runner(stack: Stack) -> None:
    assert load("<doctest shop[9]>", CALLS)["call"](looking(stack)).edit == Place("<doctest shop[9]>", 2)


def test_the_memory_is_bounded(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "_MAX_FILES", 10)
    for number in range(50):
        load(f"/srv/shop_{number}.py", CALLS)["call"](looking(stack))
    assert len(stack._files) <= 11
