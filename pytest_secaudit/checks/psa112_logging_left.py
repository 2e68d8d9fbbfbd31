"""A logger's level, handlers, filters, propagation or switch is changed and stays so.

Loggers are shared by the whole process. What stays changed decides which records later tests see: a handler too many
writes each record twice or into a closed stream, a logger that was silenced hides the warning that a test waits for,
and a security log that no longer propagates reaches nobody, `caplog` included.

Instead: `caplog.set_level` and `caplog.at_level` put the level back by themselves; `monkeypatch.setattr` does so for
`propagate` and `disabled`; remove a handler or filter in a `finally`, after a fixture's `yield` or in a registered
clean-up.

Watched are the root logger and all named ones, and the settings of `logging` itself (`raiseExceptions`, the classes of
loggers and records; `logging.disable` is PSA103). A new logger is taken to have had its defaults. Silent are pytest's
own handlers and levels, null handlers, what a library does to its own logger when it is imported or first used, a
filter that a package puts on its own logger, and what is put back by anybody before the owner's scope is over.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import logging
import pytest

def test_level():
    logging.getLogger("shop").setLevel(logging.ERROR)  # PSA112

def test_root_handler():
    logging.getLogger().addHandler(logging.StreamHandler())  # PSA112

def test_silenced():
    logging.getLogger("shop.audit").propagate = False  # PSA112

@pytest.fixture(scope="module")
def quiet():
    logging.getLogger("shop.orders").disabled = True  # PSA112
    yield

def test_quiet(quiet):
    assert not logging.getLogger("shop.orders").isEnabledFor(logging.INFO)
""",
    """
import logging
import unittest

class TestOrders(unittest.TestCase):
    def setUp(self):
        self.log = logging.getLogger("shop.cart")
        self.log.addFilter(lambda record: False)  # PSA112

    def test_one(self):
        self.assertTrue(self.log.filters)
""",
)
GOOD = (
    # put back by pytest
    """
import logging
import pytest

LOG = logging.getLogger("shop")

def test_caplog(caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="shop")
    LOG.debug("x")
    with caplog.at_level(logging.ERROR, logger="shop.cart"):
        LOG.error("y")
    assert "x" in caplog.text

def test_monkeypatch(monkeypatch):
    monkeypatch.setattr(LOG, "propagate", False)
    monkeypatch.setattr(LOG, "handlers", [logging.StreamHandler()])
    monkeypatch.setattr(logging, "raiseExceptions", False)

@pytest.fixture(scope="module")
def verbose():
    handler = logging.StreamHandler()
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    yield
    LOG.removeHandler(handler)
    LOG.setLevel(logging.NOTSET)

def test_verbose(verbose):
    assert LOG.isEnabledFor(logging.DEBUG)

def test_finally():
    LOG.disabled = True
    try:
        LOG.error("x")
    finally:
        LOG.disabled = False

def test_only_used():
    logging.getLogger("shop.new").warning("x")
    logging.getLogger("shop.library").addHandler(logging.NullHandler())
""",
    """
import logging
import unittest

LOG = logging.getLogger("shop.cart")

class TestCart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        LOG.setLevel(logging.DEBUG)

    @classmethod
    def tearDownClass(cls):
        LOG.setLevel(logging.NOTSET)

    def setUp(self):
        self.handler = logging.StreamHandler()
        LOG.addHandler(self.handler)
        self.addCleanup(LOG.removeHandler, self.handler)

    def test_logs(self):
        with self.assertLogs("shop.cart") as logs:
            LOG.warning("x")
        self.assertEqual(len(logs.records), 1)
""",
)

CHECK = Check("PSA112", "logging-left", ADVISORY, __doc__ or "", BAD, GOOD, cwe=459)
