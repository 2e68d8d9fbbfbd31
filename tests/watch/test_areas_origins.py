"""Whose line wrote."""

from __future__ import annotations

import os
import sys
import sysconfig
import types

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch.areas.origins import library
from pytest_secaudit.watch.state import Site


def site(written: str, edit: str = "tests/test_shop.py") -> Site:
    return Site(Place(written, 1), Place(edit, 1) if edit else None)


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("<site-packages>/werkzeug/serving.py", "werkzeug"),
        ("<site-packages>/retrying.py", "retrying"),
        (".venv/lib/python3.12/site-packages/werkzeug/serving.py", "werkzeug"),
        ("env/lib/python3/dist-packages/six.py", "six"),
        ("../other/site-packages/a/site-packages/b/c.py", "b"),
        ("shop/orders.py", ""),
        ("src/shop/site-packages.py", ""),
        ("tests/test_shop.py", ""),
        (os.path.abspath(__file__), ""),
    ],
)
def test_an_installed_package_by_its_path(path: str, package: str) -> None:
    assert library(site(path)) == package


def test_nobody_is_no_library() -> None:
    assert library(None) == library(Site()) == ""


def test_where_the_rootdir_is_where_packages_are_installed() -> None:
    installed = os.path.relpath(
        os.path.join(os.path.dirname(pytest.__file__), "__init__.py"), sysconfig.get_path("purelib")
    )
    installed = installed.replace(os.sep, "/")
    assert library(site(installed, "shop/tests/test_shop.py")) == "pytest"
    assert library(site(installed, "")) == "pytest"
    assert library(site(installed, "pytest/tests/test_pytest.py")) == ""


def test_a_project_of_which_a_copy_is_installed_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install .` and the tests run beside the source, which they import."""
    installed = os.path.relpath(os.path.dirname(pytest.__file__), sysconfig.get_path("purelib")).replace(os.sep, "/")
    written = site(f"{installed}/__init__.py")
    assert library(written) == "pytest"
    beside = types.ModuleType("pytest")
    beside.__file__ = "/src/shop/pytest/__init__.py"
    monkeypatch.setitem(sys.modules, "pytest", beside)
    assert library(written) == ""
