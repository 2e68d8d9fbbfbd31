"""Importing a test module or a conftest changes the process: the environment, `sys.path`, the locale, a handler.

pytest imports every test module before the first test runs. What one of them changes holds for all the others, also
when none of its own tests is selected, and nothing ever puts it back; which value wins depends on the order of imports.

Instead: an autouse fixture of the module with `monkeypatch` (or one of the session, in a conftest), so that the change
has a beginning and an end; for `sys.path` the ini value `pythonpath`.

In a conftest or the `__init__.py` of a package it is *info*: there it is often meant for the whole run. Only what the
test-side file itself writes is reported; what a dependency sets up when it is first imported is not.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import os
os.environ["SHOP_MODE"] = "test"  # PSA113

def test_mode():
    assert os.environ["SHOP_MODE"] == "test"
""",
    """
import sys
sys.path.insert(0, "/srv/shop/lib")  # PSA113

def test_path():
    assert sys.path[0] == "/srv/shop/lib"
""",
)

GOOD = (
    # read only; changed by a fixture; put back by the module's own tear-down
    """
import os
import pytest

MODE = os.environ.get("SHOP_MODE")

@pytest.fixture(autouse=True)
def mode(monkeypatch):
    monkeypatch.setenv("SHOP_MODE", "test")

def test_mode():
    assert os.environ["SHOP_MODE"] == "test"
""",
    """
import os

os.environ["SHOP_STAGE"] = "test"

def teardown_module():
    del os.environ["SHOP_STAGE"]

def test_stage():
    assert os.environ["SHOP_STAGE"] == "test"
""",
    # what a library sets up when it is first imported
    """
import decimal
import logging.config
import multiprocessing
import urllib.request

def test_imports():
    assert decimal.Decimal(1) == 1
""",
)

CHECK = Check("PSA113", "import-time-change", ADVISORY, __doc__, BAD, GOOD, cwe=459)
