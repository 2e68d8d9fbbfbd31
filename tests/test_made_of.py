"""What the key of the cache takes a stranger's rule for."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_secaudit.cache import catalogue_key
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.made_of import made_of
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Check

RULE = "import ast, re\nimport team\nfrom team import words\n\ndef rule(module):\n    return team.find(module, words.LIMIT)\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Makes a module ``rules`` anew, and its helpers ``team`` and ``team.words``."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(rule: str = RULE, team: str = "def find(module, limit):\n    return inner()\n\ndef inner():\n    return ()\n",
             words: str = "LIMIT = 3\n") -> ModuleType:  # fmt: skip
        (tmp_path / "team").mkdir(exist_ok=True)
        files = {"rules.py": rule, "team/__init__.py": team, "team/words.py": words}
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        for name in ("rules", "team", "team.words"):
            sys.modules.pop(name, None)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        importlib.invalidate_caches()
        spec = importlib.util.spec_from_file_location("rules", tmp_path / "rules.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in ("team", "team.words"):
        sys.modules.pop(name, None)


def test_it_is_the_same_for_the_same(load: Callable[..., ModuleType]) -> None:
    assert made_of(load().rule) == made_of(load().rule)


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": RULE + "\n# changed\n"},
        {"team": "def find(module, limit):\n    return [inner()]\n\ndef inner():\n    return ()\n"},
        {"words": "LIMIT = 4\n"},
    ],
    ids=["its file", "a helper's file", "a constant's file"],
)
def test_what_it_calls_counts(load: Callable[..., ModuleType], changed: dict[str, str]) -> None:
    assert made_of(load().rule) != made_of(load(**changed).rule)


def test_what_it_calls_through_a_module_counts_where_it_is_from(load: Callable[..., ModuleType]) -> None:
    rule, team = "import team\n\ndef rule(module):\n    return team.find(module)\n", "from team.words import find\n"
    words = "def find(module):\n    return {}\n"
    before = made_of(load(rule, team, words.format("()")).rule)
    assert made_of(load(rule, team, words.format("[]")).rule) != before


def test_what_it_does_not_call_does_not_count(load: Callable[..., ModuleType]) -> None:
    rule = "from team import words\n\ndef rule(module):\n    return ()\n"
    before = made_of(load(rule=rule).rule)
    assert made_of(load(rule=rule, words="LIMIT = 5\n").rule) == before


def made(limit: object) -> Callable[[object], object]:
    return lambda module: limit


def with_default(module: object, limit: object = 3) -> object:
    return limit


class Rule:
    """An object that can be called."""

    limit = 3

    def __call__(self, module: object) -> object:
        return self.limit

    def method(self, module: object) -> object:
        return self.limit


@functools.cache
def cached(module: object) -> object:
    return with_default(module)


def test_closures_and_partials_count_by_value() -> None:
    assert made_of(made(3)) == made_of(made(3)) != made_of(made(4))
    assert made_of(made([1, {"a": (2, None)}])) != made_of(made([1, {"a": (3, None)}]))
    assert made_of(functools.partial(with_default, limit=1)) != made_of(functools.partial(with_default, limit=2))


@pytest.mark.parametrize(
    "rule",
    [with_default, Rule(), Rule().method, cached, made(Rule())],
    ids=["function", "object", "method", "cached", "closure"],
)
def test_whatever_can_be_called_comes_to_its_file(rule: Callable[..., object]) -> None:
    (file,) = {mark for mark in made_of(made(0)) if mark.startswith("file ")}
    assert file in made_of(rule)


def test_what_has_no_file_counts_by_its_code() -> None:
    def run(source: str) -> Callable[..., object]:
        names: dict[str, Callable[..., object]] = {}
        exec(source, {"__name__": "made_up"}, names)
        return names["rule"]

    assert made_of(run("def rule(m): return 1")) == made_of(run("def rule(m): return 1"))
    assert made_of(run("def rule(m): return 1")) != made_of(run("def rule(m): return 2"))


def test_pythons_own_and_other_installed_packages_are_not_entered() -> None:
    def rule(module: object) -> object:
        return (importlib.util, pytest.raises, functools.cache)

    assert len([mark for mark in made_of(rule) if mark.startswith("file ")]) <= 2  # ours, and pytest's as such


def test_strangers_objects_are_only_looked_at() -> None:
    class Lazy:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

        @property
        def __class__(self) -> type:  # type: ignore[override]
            raise RuntimeError("class")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("eq")

        __hash__ = None  # type: ignore[assignment]

    assert made_of(made(Lazy()))


def test_the_key_of_the_cache_hangs_on_it() -> None:
    def key(**more: object) -> str:
        fields = {"code": "SHOP701", "name": "naps", "severity": ADVISORY, "page": "It naps.", "rule": made(3), **more}
        return catalogue_key([Check(**fields)], Conventions())  # type: ignore[arg-type]

    keys = {key(), key(rule=made(4)), key(severity=DEFECT), key(suspected=INFO), key(code="SHOP702"), key(rule=None)}
    assert len(keys) == 6
    assert key() == key(page="It still naps.")
