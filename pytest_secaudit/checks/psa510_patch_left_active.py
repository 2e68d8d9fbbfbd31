"""A patch is still in force when the scope of whoever made it is over.

A `mock.patch` that was started and not stopped, a `pytest.MonkeyPatch()` that nobody undid, a `fixtures.MonkeyPatch`
that was never cleaned up: from there on every later test runs with the replacement. A password check that always
says yes, a clock that stands still, a client that sends nothing: those tests pass without having tested anything, or
fail for no reason of their own, and only in this order.

Instead: `with mock.patch(...)` or the decorator; where `start()` is needed, `self.addCleanup(patcher.stop)` in the next
line, so that a failure in between cannot skip it; in pytest `monkeypatch`, pytest-mock's `mocker`, or a fixture that
patches in a `with` around its `yield`. For a wider scope: `with pytest.MonkeyPatch.context() as mp:`.

Two patchers of the same attribute must stop in reverse order. Otherwise the last one puts back what it found: the mock
of the other. That is *still replaced*, though every patcher was stopped.

Only a run can tell, and it does for `unittest.mock` and its backport, pytest-mock, `pytest.MonkeyPatch` and the
`fixtures` package. Silent: whatever is put back before the scope ends, by whomever (`mock.patch.stopall()` in a base
class counts); patches of objects that end with the test; patches that were in force before the tests began. An
assignment by hand is no patch: PSA501 reads those.
"""

from __future__ import annotations

from pytest_secaudit.model import DEFECT, Check

BAD = (
    """
import contextlib
import getpass
import hmac
import os
import secrets
import smtplib
from unittest import mock
import pytest

def test_started_and_forgotten():
    mock.patch("hmac.compare_digest", return_value=True).start()  # PSA510
    assert hmac.compare_digest("right", "wrong")

def test_environment():
    patcher = mock.patch.dict(os.environ, {"SHOP_MODE": "test"})
    patcher.start()  # PSA510
    assert os.environ["SHOP_MODE"] == "test"

@pytest.fixture
def token():
    patcher = mock.patch("secrets.token_hex", return_value="00")
    yield patcher.start()  # PSA510

def test_token(token):
    assert secrets.token_hex(8) == "00"

def test_monkeypatch_by_hand():
    patched = pytest.MonkeyPatch()
    patched.setattr(getpass, "getpass", lambda: "secret")  # PSA510
    assert getpass.getpass() == "secret"

def test_wrong_order():
    first, second = mock.patch("smtplib.SMTP"), mock.patch("smtplib.SMTP")
    first.start()
    second.start()  # PSA510
    first.stop()
    second.stop()

def test_stack_that_is_never_closed():
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch("getpass.getuser", return_value="root"))  # PSA510
    assert getpass.getuser() == "root"
""",
    """
import hmac
import smtplib
import unittest
from unittest import mock

class TestMail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        mock.patch.object(smtplib.SMTP, "login").start()  # PSA510

    def setUp(self):
        self.patcher = mock.patch("hmac.new")
        self.new = self.patcher.start()  # PSA510

    def tearDown(self):
        self.new.stop()

    def test_login(self):
        smtplib.SMTP.login()

    def test_new(self):
        self.assertIs(hmac.new, self.new)
""",
    """
import secrets
from unittest import mock
import pytest

@pytest.fixture(scope="module")
def choice():
    patcher = mock.patch("secrets.choice")
    yield patcher.start()  # PSA510
    mock.patch("secrets.choice").stop()

def test_choice(choice):
    assert secrets.choice is choice
""",
)
GOOD = (
    """
# ended by itself: with, decorator, stack, context, fixture
import contextlib
import os
import secrets
import smtplib
from unittest import mock
import pytest

def test_with():
    with mock.patch("smtplib.SMTP") as server, mock.patch.dict(os.environ, SHOP_MODE="test"):
        assert smtplib.SMTP is server

@mock.patch("secrets.token_hex", return_value="00")
def test_decorator(token_hex):
    assert secrets.token_hex() == "00"

@mock.patch.dict(os.environ, {"SHOP_MODE": "test"})
@mock.patch.multiple("secrets", token_hex=str, choice=max)
def test_several():
    assert secrets.choice([1, 2]) == 2

def test_stack():
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("smtplib.SMTP"))

def test_context():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("smtplib.SMTP", None)

def test_monkeypatch(monkeypatch, tmp_path):
    monkeypatch.setattr("smtplib.SMTP", None)
    monkeypatch.setenv("SHOP_MODE", "test")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

def test_finally():
    patcher = mock.patch("smtplib.SMTP")
    patcher.start()
    try:
        assert smtplib.SMTP()
    finally:
        patcher.stop()

@pytest.fixture
def server():
    with mock.patch("smtplib.SMTP") as server:
        yield server

@pytest.fixture(scope="module")
def token():
    patcher = mock.patch("secrets.token_hex", return_value="00")
    yield patcher.start()
    patcher.stop()

@pytest.fixture(scope="session", autouse=True)
def patched():
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SHOP_MODE", "test")
        yield patched

def test_fixtures(server, token):
    assert secrets.token_hex() == "00"

def test_nested(server):
    with mock.patch("smtplib.SMTP") as other:
        assert smtplib.SMTP is other
    assert smtplib.SMTP is server
""",
    """
# ended by unittest: clean-up, tear-down, stopall
import secrets
import smtplib
import unittest
from unittest import mock

class TestCleanUp(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("smtplib.SMTP")
        self.server = patcher.start()
        self.addCleanup(patcher.stop)

    def test_it(self):
        self.assertIs(smtplib.SMTP, self.server)

class TestOfAClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.patcher = mock.patch("secrets.token_hex", return_value="00")
        cls.patcher.start()

    @classmethod
    def tearDownClass(cls):
        cls.patcher.stop()

    def test_it(self):
        self.assertEqual(secrets.token_hex(), "00")

class Base(unittest.TestCase):
    def tearDown(self):
        mock.patch.stopall()

class TestStopAll(Base):
    def setUp(self):
        mock.patch("smtplib.SMTP").start()
        mock.patch.object(secrets, "choice").start()

    def test_it(self):
        mock.patch.dict("os.environ", SHOP_MODE="test").start()

@mock.patch("smtplib.SMTP")
class TestDecorated(unittest.IsolatedAsyncioTestCase):
    @mock.patch("secrets.choice")
    async def test_it(self, choice, server):
        self.assertIs(smtplib.SMTP, server)
""",
    """
# what is patched ends with the test
from unittest import mock
import pytest

class Shop:
    name = "shop"

    def charge(self):
        return 1

def test_instance():
    shop = Shop()
    mock.patch.object(shop, "charge").start()
    assert shop.charge() != 1

def test_class():
    class Local(Shop):
        pass

    mock.patch.object(Local, "charge").start()
    mock.patch.dict({"a": 1}, {"a": 2}).start()
    pytest.MonkeyPatch().setattr(Local(), "name", "other")
""",
)

CHECK = Check("PSA510", "patch-left-active", DEFECT, __doc__, BAD, GOOD, cwe=459)
