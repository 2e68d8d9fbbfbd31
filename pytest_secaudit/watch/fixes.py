"""Fixes that can be typed in where the owner stands: by the names that its file has, with what its framework offers.

A test of a `unittest.TestCase` and a set-up of xunit style are handed no fixtures: there `unittest.mock` and clean-ups
do what `monkeypatch` and ``yield`` do elsewhere (documentation of pytest, "How to use unittest-based tests with pytest").
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pytest_secaudit.no_gc import no_gc
from pytest_secaudit.strangers import bases_of, home_of_class, is_class, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.ledger import Actor

_QUOTED: Final = r"(?:'[^']*'|\"[^\"]*\")"
#: What is offered to those who get fixtures, and to those who do not.
_TRANSLATED: Final = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (rf"monkeypatch\.setattr\(({_QUOTED}), ", r"mock.patch(\1, "),
        (r"monkeypatch\.setattr\(", "mock.patch.object("),
        (r"monkeypatch\.setitem\(([^(),]*), \.\.\.\)", r"mock.patch.dict(\1, ...)"),
        (rf"monkeypatch\.setitem\(([^()]*?), ({_QUOTED}|[^,()]+), \.\.\.\)", r"mock.patch.dict(\1, {\2: ...})"),
        (r"monkeypatch\.delitem\(([^()]*?), [^()]*\)", r"mock.patch.dict(\1)"),
        (rf"monkeypatch\.setenv\(({_QUOTED}), \.\.\.\)", r"mock.patch.dict(os.environ, {\1: ...})"),
        (r"monkeypatch\.delenv\([^()]*\)", "mock.patch.dict(os.environ)"),
        (r"monkeypatch\.chdir\(\.\.\.\)", "self.addCleanup(os.chdir, os.getcwd())"),
        (rf"monkeypatch\.syspath_prepend\(({_QUOTED})\)", r'mock.patch.object(sys, "path", [\1, *sys.path])'),
        (r"monkeypatch\.syspath_prepend\(.*\)", 'mock.patch.object(sys, "path", [..., *sys.path])'),
        (
            rf"caplog\.set_level\([^()]*logger=({_QUOTED}|\.\.\.)\)",
            r"self.addCleanup(logging.getLogger(\1).setLevel, saved)",
        ),
        (r"caplog\.set_level\([^()]*\)", "self.addCleanup(logging.getLogger().setLevel, saved)"),
        (r"write with monkeypatch", "write with mock.patch"),
        (r"in a finally,? or after the fixture's yield", "in a finally, or by addCleanup"),
        (r"after a fixture's yield", "by addCleanup"),
        (r"in a fixture$", "in setUp"),
        (r"below tmp_path", "below a tempfile.TemporaryDirectory()"),
    )
)
_FUNCTIONS_OF_SET_UPS: Final = ("setUp", "setUpClass", "setUpModule", "asyncSetUp")
#: A fix without any of these is the same for all.
_OF_FIXTURES: Final = ("monkeypatch", "caplog", "fixture", "tmp_path")


def fitting(fix: str, owner: Actor) -> str:
    """The fix as the owner can use it."""
    if not any(word in fix for word in _OF_FIXTURES):
        return fix
    return for_unittest(fix) if gets_no_fixtures(owner) else fix


def for_unittest(fix: str) -> str:
    """The fix without what only pytest's fixtures can do."""
    for pattern, instead in _TRANSLATED:
        fix = pattern.sub(instead, fix)
    return fix


def gets_no_fixtures(owner: Actor) -> bool:
    """Whether the owner is a set-up of unittest's, or a test in a class of it."""
    path, *names = owner.id.partition(" ... ")[0].partition("[")[0].split("::")
    if owner.kind not in ("setup", "test", "window") or not names:
        return False
    return names[-1] in _FUNCTIONS_OF_SET_UPS or (len(names) > 1 and _is_of_unittest(path, names[:-1]))


def _is_of_unittest(path: str, names: Sequence[str]) -> bool:
    found: object = real.modules.get(_module_at(path))
    for name in names:
        found = names_of(found).get(name)
    return is_class(found) and any(home_of_class(base) == "unittest.case" for base in bases_of(found))


@functools.lru_cache(maxsize=100)
def _module_at(path: str) -> str:
    """The name of the module of a test's file, as ids have it."""
    last = path.rpartition("/")[2]
    for name, module in list(real.modules.items()):
        file = names_of(module).get("__file__")
        if type(file) is str and file.endswith(last) and file.replace("\\", "/").endswith(f"/{path}"):
            return name
    return ""


def name_in(text: str, module: str) -> str:
    """What a file calls a module that it imports; empty if it does not, or cannot be parsed."""
    return _imports(text).get(module, "") if module.rpartition(".")[2] in text else ""


@functools.lru_cache(maxsize=4)
def _imports(text: str) -> Mapping[str, str]:
    try:
        with no_gc():
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.name, alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                found.setdefault(f"{node.module}.{alias.name}", alias.asname or alias.name)
    return found
