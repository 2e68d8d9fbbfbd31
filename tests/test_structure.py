"""The shape of the package: who may import whom, and what costs nothing while the audit is off."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_secaudit

PACKAGE = Path(pytest_secaudit.__file__).parent

#: Each module or folder, and what of ours it may import. Arrows only point up this table.
MAY_IMPORT = {
    "model": {"blind", "facts", "source"},  # names, for the type checker
    "facts": {"notes", "watch"},
    "fixture_table": {"facts", "model", "watch"},
    "blind": {"model"},
    "blind_spots": {"blind", "facts", "model", "reading", "watch"},
    "blind_log": {
        "blind",
        "blind_spots",
        "by_hand",
        "careful",
        "model",
        "reading",
        "redact",
        "strangers",
        "testside",
        "watch",
    },
    "by_hand": {"collected", "model", "reading", "source", "static", "watch"},
    "covered": {"blind_log", "carrying", "collected", "outfit", "testside", "watch"},
    "fixture_log": {"careful", "claims", "collected", "redact", "stage", "watch"},
    "fixture_check": {
        "careful",
        "collected",
        "conclusion",
        "model",
        "policy",
        "redact",
        "settings",
        "stage",
        "static",
        "watch",
    },
    "no_gc": set(),
    "lean": set(),
    "secrets_formats": set(),
    "redact": {"secrets_formats"},
    "conventions": set(),
    "lexicon": set(),
    "mock_names": set(),
    "places": set(),
    "notes": set(),
    "suppressions": set(),
    "strangers": set(),
    "source": {"conventions", "lexicon", "mock_names", "model", "places", "suppressions"},
    "checks": {"lexicon", "mock_names", "model", "places", "secrets_formats", "source"},
    # the middle
    "catalogue": {"model"},
    "reading": {"model", "places", "redact", "suppressions"},
    "rules": {"conventions", "model", "reading", "redact", "source"},
    "made_of": {"strangers"},
    "cache": {"conventions", "made_of", "model", "reading"},
    "live": {"model", "places", "reading", "strangers"},
    "reader": {"cache", "checks", "conventions", "model", "no_gc", "reading", "redact", "rules"},
    "settings": {"catalogue", "model", "redact", "suppressions"},
    "policy": {"model", "redact", "settings", "suppressions"},
    "conclusion": {"model", "policy"},
    "watch": {"blind", "lexicon", "mock_names", "model", "no_gc", "redact", "secrets_formats", "strangers"},
    "noting": {"conventions", "lexicon", "notes", "reading", "redact", "source"},
    "endings": {"notes", "strangers", "watch"},
    "observing": {"conclusion", "facts", "model", "notes"},
    "files": {"facts", "model", "notes", "observing", "reading", "redact", "watch"},
    "claims": {"lexicon", "model", "reading", "watch"},
    "acts": {"claims", "model", "reading", "watch"},
    "evidence": {"claims", "model", "reading", "watch"},
    "proofs": {"model", "reading", "redact", "watch"},
    "audit": {
        "acts",
        "blind",
        "blind_spots",
        "catalogue",
        "claims",
        "conclusion",
        "evidence",
        "facts",
        "lifetimes",
        "model",
        "policy",
        "proofs",
        "reading",
        "redact",
        "settings",
        "watch",
    },
    "baseline": {"claims", "model", "policy", "redact", "settings"},
    "files_out": set(),
    "merging": {
        "blind",
        "blind_spots",
        "checks",
        "conclusion",
        "facts",
        "files",
        "fixture_table",
        "lifetimes",
        "model",
        "settings",
    },
    "comparing": {"conclusion", "model"},
    "testfiles": set(),
    "adopting": {"audit", "baseline", "model", "settings", "testfiles"},
    "lifetimes": {"model"},
    "reports": {
        "blind",
        "blind_spots",
        "checks",
        "conclusion",
        "facts",
        "fixture_table",
        "lifetimes",
        "model",
        "policy",
        "redact",
    },
    # the rim
    "careful": {"model", "redact"},
    "carrying": {"model", "notes", "policy", "reading", "suppressions", "watch"},
    "collected": {"model", "redact", "relative", "strangers"},
    "settling": {"collected", "live", "reading"},
    "static": {"carrying", "collected", "model", "notes", "policy", "reader", "reading", "settling", "suppressions"},
    "testside": {"strangers"},
    "stage": {"collected", "watch"},
    "watching": {
        "careful",
        "model",
        "following",
        "reading",
        "redact",
        "secrets_formats",
        "stage",
        "strangers",
        "watch",
    },
    "following": {"proofs", "static", "strangers", "watch"},
    "focus": set(),
    "outfit": {
        "blind_log",
        "collected",
        "fixture_log",
        "focus",
        "following",
        "reading",
        "redact",
        "stage",
        "testside",
        "watch",
        "watching",
    },
    "hookspecs": {"model"},
    "offered": {"catalogue", "model", "redact"},
    "options": {"model", "relative", "settings", "watch"},
    "explain": {"catalogue", "checks", "model", "offered"},
    "worker": {"careful", "carrying", "offered", "outfit", "static"},
    "output": {"model", "reports"},
    "session": {
        "__init__",
        "adopting",
        "baseline",
        "blind_spots",
        "checks",
        "audit",
        "cache",
        "careful",
        "carrying",
        "collected",
        "conclusion",
        "conventions",
        "covered",
        "endings",
        "files",
        "facts",
        "files_out",
        "fixture_check",
        "fixture_table",
        "model",
        "no_gc",
        "notes",
        "noting",
        "offered",
        "options",
        "outfit",
        "output",
        "reader",
        "reading",
        "redact",
        "relative",
        "reports",
        "settings",
        "static",
        "worker",
    },
    "plugin": {"checks", "explain", "hookspecs", "leaks", "model", "no_gc", "session"},
    "testing": {"catalogue", "live", "model", "reading", "rules"},
    "relative": set(),
    "setups": set(),
    "leaks": {"reading", "redact", "relative", "setups", "testside", "watch"},
    "joining": {
        "adopting",
        "audit",
        "baseline",
        "checks",
        "comparing",
        "files_out",
        "merging",
        "model",
        "reading",
        "reports",
        "settings",
    },
    "cli": {
        "__init__",
        "adopting",
        "files_out",
        "joining",
        "audit",
        "checks",
        "collected",
        "conventions",
        "files",
        "live",
        "model",
        "notes",
        "noting",
        "options",
        "reading",
        "redact",
        "relative",
        "reports",
        "rules",
        "settings",
        "settling",
        "testfiles",
        "watch",
    },
    "__main__": {"cli"},
    "__init__": {"leaks"},  # a name, for the type checker; the rest is loaded when it is asked for
}

#: The same within `source`, from the ground up.
IN_SOURCE = {
    "syntax": set(),
    "comments": set(),
    "names": {"syntax"},
    "module": {"comments", "names", "syntax"},
    "__init__": {"module"},
    "acknowledgement": {"module"},
    "ignores": {"comments", "module"},
    "sleeping": {"module"},
    "mocks": {"module"},
    "oracles": {"module", "syntax"},
    "mock_assertions": {"mocks", "module", "oracles"},
    "changes": {"module"},
    "temporary": {"changes", "mocks", "module", "syntax"},
    "containers": {"mocks", "module", "syntax"},
    "restores": {"changes", "containers", "module", "syntax", "temporary"},
    "left": {"changes", "module", "restores", "syntax"},
    "patchers": {"containers", "module"},
    "switches": {"containers", "module"},
}

#: Only the rim knows pytest.
RIM = {
    "blind_log",
    "by_hand",
    "cli",
    "collected",
    "covered",
    "explain",
    "fixture_check",
    "fixture_log",
    "following",
    "hookspecs",
    "offered",
    "options",
    "outfit",
    "output",
    "plugin",
    "session",
    "setups",
    "stage",
    "static",
    "testing",
    "watching",
    "worker",
}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "pytest_secaudit":
                found.update(f"pytest_secaudit.{alias.name}" for alias in node.names)
            else:
                found.add(node.module)
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_table(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("pytest_secaudit.")}
    ours = {"__init__" if name == "__version__" else name for name in ours} - {part(path)}
    assert ours - {"lean"} <= MAY_IMPORT[part(path)]  # it stands under every value class


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_the_rim_knows_pytest_and_nobody_its_private_modules(path: Path) -> None:
    foreign = {name.partition(".")[0] for name in imports(path)}
    assert "_pytest" not in foreign
    assert "pytest" not in foreign or part(path) in RIM


SOURCE_FILES = sorted((PACKAGE / "source").glob("*.py"))


@pytest.mark.parametrize("path", SOURCE_FILES, ids=lambda path: path.stem)
def test_imports_within_source_follow_their_table(path: Path) -> None:
    ours = {name.split(".")[2] for name in imports(path) if name.startswith("pytest_secaudit.source.")}
    assert ours - {path.stem} <= IN_SOURCE[path.stem]


def test_tables_name_no_module_that_is_gone() -> None:
    assert set(MAY_IMPORT) == {part(path) for path in FILES}
    assert set(IN_SOURCE) == {path.stem for path in SOURCE_FILES}


def test_the_package_holds_no_assert_and_no_utils() -> None:
    for path in FILES:
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text("utf-8")))), path
        assert "util" not in path.name


def test_entry_module_imports_nothing_of_ours_beside_itself() -> None:
    """What a run without --secaudit pays: pytest's own imports and one small module."""
    code = (
        "import sys, pytest; before = set(sys.modules); import pytest_secaudit.plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pytest_secaudit', 'pytest_secaudit.plugin']"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_is_taken_from_the_package_itself(path: Path) -> None:
    """``from pytest_secaudit import session`` would find that of an earlier run inside this process."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "pytest_secaudit":
            assert [one.name for one in node.names] == ["__version__"]
