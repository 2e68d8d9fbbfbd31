"""Which files are the tests' own, and which the project's."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest

from pytest_secaudit.testside import TestSide


def module(path: Path) -> ModuleType:
    made = ModuleType(path.stem)
    made.__file__ = str(path)
    return made


@pytest.mark.parametrize(
    ("name", "is_tests"),
    [
        ("conftest.py", True),
        ("test_a.py", True),
        ("a_test.py", True),
        ("tests/helper.py", True),
        ("t/unit/case.py", True),
        ("shop/orders.py", False),
        ("latest.py", False),
        ("venv/lib/site-packages/x/test_x.py", False),
    ],
)
def test_by_name(tmp_path: Path, name: str, is_tests: bool) -> None:
    assert TestSide(tmp_path)(str(tmp_path / name)) is is_tests


def test_elsewhere_is_nobodys(tmp_path: Path) -> None:
    side = TestSide(tmp_path / "root")
    elsewhere = tmp_path / "root2" / "test_a.py"
    assert not side(str(elsewhere))
    assert not side.is_project(module(elsewhere))


def test_a_test_module_of_any_name_once_it_is_imported(tmp_path: Path) -> None:
    side = TestSide(tmp_path)
    path = str(tmp_path / "check_orders.py")
    assert not side(path)
    side.learn(path)
    assert side(path)


def test_among_installed_packages_only_those_with_tests_are_the_project(tmp_path: Path) -> None:
    root = tmp_path / "site-packages"
    side = TestSide(root)
    side.learn(str(root / "shop" / "tests" / "test_a.py"))
    side.learn(str(root / "test_alone.py"))
    assert side.is_project(module(root / "shop" / "orders.py"))
    assert side.is_project(module(root / "test_alone.py"))
    assert not side.is_project(module(root / "eventlet" / "tpool.py"))
    assert not side(str(root / "oslotest" / "tests" / "base.py"))


def test_a_link_to_the_root_is_the_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    try:
        os.symlink(tmp_path / "real", tmp_path / "link")
    except OSError:
        pytest.skip("no links here")
    assert TestSide(tmp_path / "link")(str(tmp_path / "real" / "test_a.py"))


def test_the_line_in_a_test_module_with_a_name_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        shop="import os\n\n\ndef open_shop():\n    os.environ['LEFT'] = '1'\n",
        check_it="import shop\n\n\ndef test_a():\n    assert shop\n    shop.open_shop()\n",
    )
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-o", "python_files=check_*.py", "--secaudit", "-v")
    run.stdout.fnmatch_lines(["*PSA101*check_it.py:6*"])


def test_what_is_installed_from_the_rootdir_is_the_project(tmp_path: Path) -> None:
    root, installed = tmp_path / "repo", tmp_path / "lib" / "site-packages"
    for path in (root / "src" / "shop" / "__init__.py", root / "tests" / "__init__.py", root / "till.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    side = TestSide(root)
    assert side.is_project(module(installed / "shop" / "orders.py"))
    assert side.is_project(module(installed / "till.py"))
    assert not side.is_project(module(installed / "tests" / "helper.py"))  # somebody else's, installed by mistake
    assert not side.is_project(module(installed / "requests" / "api.py"))
    assert not side(str(installed / "shop" / "tests" / "test_a.py"))


def test_tests_of_an_installed_package_are_its_own(tmp_path: Path) -> None:
    side, installed = TestSide(tmp_path / "anywhere"), tmp_path / "lib" / "site-packages"
    side.learn(str(installed / "shop" / "tests" / "test_a.py"))
    assert side.is_project(module(installed / "shop" / "orders.py"))
    assert side(str(installed / "shop" / "tests" / "helper.py"))
    assert not side(str(installed / "shop" / "orders.py"))
    assert not side.is_project(module(installed / "requests" / "api.py"))
