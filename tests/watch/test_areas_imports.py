"""Where imports come from: sys.path and the hooks."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import tempfile
import types
import zipimport
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.relative import relative_to_root
from pytest_secaudit.watch.areas.imports import Imports, Order, folder_of_packages
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


class Finder:
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        return None


class Hostile(Finder):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        raise RuntimeError


class HostileText(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


@pytest.fixture
def area(monkeypatch: pytest.MonkeyPatch) -> Imports:
    for name in ("path", "meta_path", "path_hooks"):
        monkeypatch.setattr(sys, name, list(getattr(sys, name)))
    area = Imports(Taps(), STACK)
    assert not area.off
    assert not area.look()
    assert not area.look()
    return area


def said(area: Imports) -> list[tuple[str, str]]:
    return [(change.subject, area.said(change)) for change in area.look()]


def test_an_entry_that_is_left_and_one_that_is_taken_away(area: Imports) -> None:
    sys.path.insert(0, "/srv/shop")
    (change,) = area.look()
    assert (change.subject, change.before, change.after) == ("sys.path['/srv/shop']", 0, 1)
    assert area.said(change) == "added"
    assert area.fix(change) == "monkeypatch.syspath_prepend('/srv/shop')"
    assert not area.look()
    sys.path.remove("/srv/shop")
    (back,) = area.look()
    assert (back.subject, back.before, back.after, area.said(back)) == (change.subject, 1, 0, "removed")
    assert "path" in area.fix(back)
    assert not area.look()


def test_entries_are_told_apart(area: Imports) -> None:
    sys.path.append("/a")
    assert said(area) == [("sys.path['/a']", "added")]
    sys.path.insert(0, "/b")
    assert said(area) == [("sys.path['/b']", "added")]
    sys.path.append("/a")
    (change,) = area.look()
    assert area.said(change) == "2 times in it (it was 1)"
    del sys.path[-1]
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)


def test_an_entry_below_the_rootdir_is_named_from_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    area = Imports(Taps(), STACK, relative=lambda path: relative_to_root(path, tmp_path, tmp_path))
    assert not area.look()
    sys.path += [str(tmp_path), str(tmp_path / "tests" / "apps"), os.path.join(tempfile.gettempdir(), "x"), "apps"]
    assert [(change.subject, area.fix(change)) for change in area.look()] == [
        ("sys.path['<rootdir>']", "monkeypatch.syspath_prepend(pytestconfig.rootpath)"),
        ("sys.path['<rootdir>/tests/apps']", "monkeypatch.syspath_prepend(pytestconfig.rootpath / 'tests/apps')"),
        ("sys.path['<tmp>/x']", "monkeypatch.syspath_prepend(tmp_path)"),
        ("sys.path['apps']", "monkeypatch.syspath_prepend('apps')"),
    ]
    del sys.path[-3:]
    assert [change.subject for change in area.look()] == [
        "sys.path['<rootdir>/tests/apps']",
        "sys.path['<tmp>/x']",
        "sys.path['apps']",
    ]


@pytest.mark.parametrize("before", [0, 1])
def test_what_pytest_adds_is_nobodys(area: Imports, tmp_path: Path, before: int) -> None:
    """Once for each module, if the folder is not the first entry."""
    sys.path[:0] = before * [str(tmp_path)]
    area.look()
    area.expected = str(tmp_path)
    sys.path.insert(0, str(tmp_path))
    assert not area.look()
    sys.path[:0] = 2 * [str(tmp_path)]
    assert [change.after for change in area.look()] == [before + 3]
    area.expected = None
    sys.path.insert(0, str(tmp_path))
    assert [change.after for change in area.look()] == [before + 4]


def test_the_folder_that_pytest_adds_is_the_first_that_is_no_package(tmp_path: Path) -> None:
    inner = tmp_path / "tests" / "unit"
    inner.mkdir(parents=True)
    assert folder_of_packages(str(inner / "test_a.py")) == str(inner)
    (inner / "__init__.py").touch()
    assert folder_of_packages(str(inner / "test_a.py")) == str(tmp_path / "tests")
    (tmp_path / "tests" / "__init__.py").touch()
    assert folder_of_packages(str(inner / "test_a.py")) == str(tmp_path)


def test_a_replaced_list_counts_by_what_is_in_it(area: Imports) -> None:
    sys.path = list(sys.path)
    assert not area.look()
    sys.path = [*sys.path, "/a"]
    assert said(area) == [("sys.path['/a']", "added")]
    sys.path.append("/b")
    assert said(area) == [("sys.path['/b']", "added")]


def test_the_order(area: Imports) -> None:
    sys.path += ["/a", "/b", "/c"]
    assert area.look()
    sys.path.reverse()
    (change,) = area.look()
    assert (change.subject, area.said(change)) == ("the order of sys.path", "changed")
    assert area.fix(change) == 'monkeypatch.setattr(sys, "path", [...])'
    sys.path.remove("/b")
    assert [c.subject for c in area.look()] == ["sys.path['/b']"]
    sys.path.reverse()
    (back,) = area.look()
    assert change.before == back.after
    assert change.before != change.after


def test_orders_are_compared_by_what_they_share() -> None:
    assert Order("abc") == Order("acx")
    assert Order("abc") != Order("cax")
    assert Order("ab") != "ab"
    assert len({Order("ab"), Order("ab")}) == 1


def test_monkeypatch_puts_all_back(area: Imports) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend("/a")
        patch.setattr(sys, "path", ["/b"])
        patch.setattr(sys, "meta_path", [])
    assert not area.look()


def test_odd_entries(area: Imports, tmp_path: Path) -> None:
    sys.path.append(tmp_path)  # type: ignore[arg-type]
    (change,) = area.look()
    assert change.subject.startswith("sys.path['<a ")
    assert not area.look()
    sys.path.append(Hostile())  # type: ignore[arg-type]
    sys.path.append(HostileText("/x"))
    assert len(list(area.look())) == 2
    assert not area.look()
    del sys.path[-3:]
    assert len(list(area.look())) == 3
    assert not area.look()


@pytest.mark.parametrize("stand_in", [mock.MagicMock(), None, Hostile()], ids=["mock", "none", "hostile"])
def test_no_list_at_all(area: Imports, stand_in: Any) -> None:
    old = sys.path
    sys.path = stand_in
    changes = list(area.look())
    again = list(area.look())
    sys.path = old
    (change,) = changes
    assert not again
    assert change.subject == "sys.path"
    assert area.said(change).startswith("replaced by")
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    assert not area.look()
    if stand_in is not None and type(stand_in) is mock.MagicMock:
        assert stand_in.mock_calls == []


def test_a_list_of_ones_own_and_a_tuple(area: Imports) -> None:
    class Path(list):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[str]:
            raise RuntimeError

    entries = list(sys.path)
    sys.path = Path([*entries, "/a"])
    changes = said(area) + said(area)
    sys.path = tuple(entries)  # type: ignore[assignment]
    more = said(area)
    sys.path = entries
    assert changes == [("sys.path['/a']", "added")]
    assert more == [("sys.path['/a']", "removed")]


@pytest.mark.parametrize("name", ["meta_path", "path_hooks"])
def test_hooks(area: Imports, name: str) -> None:
    hooks = getattr(sys, name)
    hook = Finder()
    hooks.append(hook)
    (change,) = area.look()
    assert (change.subject, change.before, area.said(change)) == (f"sys.{name}[Finder]", ABSENT, "added")
    assert area.fix(change) == f'monkeypatch.setattr(sys, "{name}", [...])'
    other = Finder()
    hooks.insert(0, other)
    (second,) = area.look()
    assert second.key != change.key
    hooks.remove(hook)
    (back,) = area.look()
    assert (back.key, back.before, back.after, area.said(back)) == (change.key, change.after, ABSENT, "removed")
    hooks.remove(other)
    assert len(list(area.look())) == 1


def test_a_hook_of_the_interpreter_is_taken_away(area: Imports) -> None:
    sys.meta_path.remove(importlib.machinery.PathFinder)  # type: ignore[arg-type]
    (change,) = area.look()
    sys.meta_path.append(importlib.machinery.PathFinder)  # type: ignore[arg-type]
    assert (change.subject, area.said(change)) == ("sys.meta_path[PathFinder]", "removed")
    (back,) = area.look()
    assert back.after == change.before


def test_hostile_hooks_and_lists(area: Imports) -> None:
    sys.meta_path.append(Hostile())  # type: ignore[arg-type]
    assert len(list(area.look())) == 1
    assert not area.look()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path_hooks", Hostile())
        found = [change.subject for change in area.look()]
        again = list(area.look())
    assert found
    assert not again
    assert len(list(area.look())) == len(found)


def test_pytests_own_hook_is_silent(area: Imports) -> None:
    rewriting = next(hook for hook in sys.meta_path if type(hook).__module__.startswith("_pytest."))
    sys.meta_path.remove(rewriting)
    assert not area.look()
    sys.meta_path.insert(0, rewriting)
    assert not area.look()


def test_a_hook_that_came_with_its_module_is_silent(area: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    """As six does when it is first imported."""
    finder = type("LazyFinder", (Finder,), {"__module__": "secaudit_six"})()
    monkeypatch.setitem(sys.modules, "secaudit_six", types.ModuleType("secaudit_six"))
    sys.meta_path.append(finder)
    assert not area.look()
    sys.meta_path.remove(finder)
    assert not area.look()
    sys.meta_path.append(type(finder)())
    assert said(area) == [("sys.meta_path[LazyFinder]", "added")]


def test_a_hook_that_only_some_later_user_puts_in_is_seen(area: Imports) -> None:
    sys.path_hooks.insert(0, zipimport.zipimporter)
    assert not area.look()  # it was there already
    sys.path_hooks.insert(0, Finder)
    assert said(area) == [("sys.path_hooks[Finder]", "added")]


def test_secrets_and_control_characters_in_paths(area: Imports) -> None:
    sys.path.append("/x/ghp_" + "a1B2" * 9)
    sys.path.append("/x/\x1b[31m")
    for change in area.look():
        assert "a1B2" * 9 not in change.subject
        assert "\x1b" not in change.subject


def test_nothing_is_held_when_it_is_over(area: Imports) -> None:
    area.stop()
    assert not area._both
