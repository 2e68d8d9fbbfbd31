"""A test or fixture leaves a name of a module, a class or an instance other than it found it.

What a module holds lasts as long as the process: a setting that is switched, a class attribute that is set, an object
that is made once and then changed. The next test finds it as this one left it; it passes alone and fails after this
one, or passes only because of it. Where the name decides about rights, limits or keys, tests run under rules that
their own code does not show.

Instead: `monkeypatch.setattr` or `mock.patch.object`, which put it back whatever happens; or an object of its own for
each test, made by a fixture.

Only a run can tell. It looks at the modules of the project and of its tests, two steps below the product's (a class
attribute, what is in a container of an instance), four below those of tests. It is an *advisory* when no statement of
the owner wrote it and the name is private, as of an object that is made at the first use; *info* when a container has
only grown, or a number that counts went up. Silent: what a set-up makes in its own test module or class, what was made
anew with equal contents, caches of `functools`, submodules, and what libraries note on the classes they look after.
"""

from __future__ import annotations

from pytest_secaudit.model import DEFECT, Check

BAD = (
    """
import decimal
import pytest

class Cart:
    limit = 10
    known = None

class Session:
    def __init__(self):
        self.user = None

SESSION = Session()
RATE = decimal.Decimal(1)

def test_class():
    Cart.limit = 100  # PSA110
    assert Cart.limit == 100

def test_instance():
    SESSION.user = "ann"  # PSA110
    assert SESSION.user

def test_module():
    global RATE
    RATE = decimal.Decimal(2)  # PSA110
    assert RATE == 2

class Shop:
    open = True

@pytest.fixture
def closed():
    Shop.open = False  # PSA110
    yield

def test_closed(closed):
    assert not Shop.open

def test_new_name():
    Shop.owner = "bob"  # PSA110
    assert Shop.owner

def test_gone():
    del Cart.known  # PSA110
    assert not hasattr(Cart, "known")
""",
)
GOOD = (
    """
import unittest
import pytest

class Cart:
    limit = 10

class Session:
    def __init__(self):
        self.user = None

SESSION = Session()
client = None

def setup_module():
    global client
    client = object()

@pytest.fixture
def small():
    old, Cart.limit = Cart.limit, 1
    yield
    Cart.limit = old

def test_small(small, monkeypatch):
    monkeypatch.setattr(SESSION, "user", "ann")
    assert Cart.limit == 1 and client

def test_made_anew():
    global SESSION
    SESSION = Session()
    assert SESSION.user is None

def test_with_try():
    Cart.limit = 3
    try:
        assert Cart.limit == 3
    finally:
        Cart.limit = 10

class TestCart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cart = Cart()

    def setUp(self):
        type(self).now = Cart()

    def test_cart(self):
        self.assertTrue(self.cart and self.now)
""",
)

CHECK = Check("PSA110", "module-state-left", DEFECT, __doc__ or "", BAD, GOOD, cwe=459)
