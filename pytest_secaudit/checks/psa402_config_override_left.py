"""An override is left in the settings of the application when its owner's scope is over.

Settings are one object for the whole process. What a test, a fixture or a set-up leaves in them decides how every
later test runs: `DEBUG` stays on, a limit stays lifted, a backend stays replaced, and whoever runs first is right.
Whether a test passes then hangs on the tests before it.

Instead: let something put it back on every path: `override_settings` as decorator or in a `with`, the `settings` fixture
of pytest-django; `monkeypatch.setitem(app.config, ...)`; `oslo_config.fixture.Config` with `useFixture`, or
`addCleanup(CONF.reset)`; or make the application in a fixture.

Watched once they are loaded: `django.conf.settings`; overrides and, as an *advisory*, defaults of `oslo_config.cfg.CONF`
and of other `ConfigOpts` that modules hold; keys in capitals of `app.config` of Flask and Quart applications, and
`app.dependency_overrides` of FastAPI applications, that modules of the project hold (what a factory makes for a test goes
with it). What is about security, and every dependency override, is PSA401. `TESTING = True` is *info*. What only vanishes,
and what an installed package does on its own account, is not reported. A list that is changed in place is not seen here.
"""

from __future__ import annotations

from pytest_secaudit.model import DEFECT, Check

BAD = (
    """
import pytest

flask = pytest.importorskip("flask")
app = flask.Flask("shop")

@pytest.fixture
def client():
    app.config["PAGE_SIZE"] = 3  # PSA402
    return app.test_client()

def test_pages(client):
    assert app.config["PAGE_SIZE"] == 3

class TestMail:
    def setup_method(self):
        app.config.update(MAIL_BACKEND="memory")  # PSA402

    def test_mail(self):
        assert app.config["MAIL_BACKEND"] == "memory"
""",
    """
import pytest

cfg = pytest.importorskip("oslo_config.cfg")
cfg.CONF.register_opts([cfg.IntOpt("workers", default=1)], group="api")

def test_workers():
    cfg.CONF.set_override("workers", 2, group="api")  # PSA402
    assert cfg.CONF.api.workers == 2
""",
    """
import pytest

conf = pytest.importorskip("django.conf")
conf.settings.configure() if not conf.settings.configured else None

def test_pages():
    conf.settings.PAGE_SIZE = 3  # PSA402
    assert conf.settings.PAGE_SIZE == 3
""",
)
GOOD = (
    """
# put back on every path, or made for the test
import pytest

flask = pytest.importorskip("flask")
app = flask.Flask("shop")
app.config["PAGE_SIZE"] = 20

@pytest.fixture
def small():
    before = app.config["PAGE_SIZE"]
    app.config["PAGE_SIZE"] = 3
    yield
    app.config["PAGE_SIZE"] = before

@pytest.fixture(scope="module", autouse=True)
def backend():
    app.config["MAIL_BACKEND"] = "memory"
    yield
    del app.config["MAIL_BACKEND"]

def create_app():
    made = flask.Flask("shop")
    made.config["PAGE_SIZE"] = 3
    return made

def test_small(small):
    assert app.config["PAGE_SIZE"] == 3

def test_monkeypatch(monkeypatch):
    monkeypatch.setitem(app.config, "PAGE_SIZE", 4)

def test_factory():
    assert create_app().config["PAGE_SIZE"] == 3

def test_equal():
    app.config["PAGE_SIZE"] = int("20")

class TestSetUp:
    @classmethod
    def setup_class(cls):
        app.config["PAGE_SIZE"] = 5

    @classmethod
    def teardown_class(cls):
        app.config["PAGE_SIZE"] = 20

    def test_it(self):
        assert app.config["PAGE_SIZE"] == 5
""",
    """
import unittest
import pytest

cfg = pytest.importorskip("oslo_config.cfg")
cfg.CONF.register_opts([cfg.IntOpt("quota", default=1), cfg.ListOpt("hosts", default=["a"])])

class TestQuota(unittest.TestCase):
    def setUp(self):
        self.addCleanup(cfg.CONF.reset)
        cfg.CONF.set_override("quota", 2)

    def test_quota(self):
        cfg.CONF.set_default("hosts", ["b"])
        assert cfg.CONF.quota == 2

def test_cleared():
    cfg.CONF.set_override("quota", 3)
    cfg.CONF.clear_override("quota")

def test_options_of_the_test():
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("name"))
    conf.set_override("name", "x")
""",
    """
import pytest

conf = pytest.importorskip("django.conf")
override_settings = pytest.importorskip("django.test").override_settings
conf.settings.configure() if not conf.settings.configured else None

@override_settings(DEBUG=True)
def test_decorated():
    assert conf.settings.DEBUG

def test_block():
    with override_settings(PAGE_SIZE=3):
        conf.settings.PAGE_SIZE = 4

def test_monkeypatch(monkeypatch):
    monkeypatch.setattr(conf.settings, "PAGE_SIZE", 3, raising=False)
""",
)

CHECK = Check("PSA402", "config-override-left", DEFECT, __doc__, BAD, GOOD, cwe=459)
