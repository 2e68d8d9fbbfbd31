"""Overrides in settings objects: of frameworks that look like the real ones, and of the real ones where they are."""

from __future__ import annotations

import gc
import os
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.areas import applications
from pytest_secaudit.watch.areas.applications import DependencyOverrides, FlaskConfig
from pytest_secaudit.watch.areas.settings_objects import DjangoSettings, OsloConfig
from pytest_secaudit.watch.areas.settings_values import MISSING, Setting, differences, setting, shown
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Area, Change, Held
from pytest_secaudit.watch.tapping import Taps

Make = Callable[..., Any]


class Hostile:
    """Nobody may ask it anything."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("nobody asks")

    __hash__ = None  # type: ignore[assignment]
    __repr__ = __bool__ = __len__ = __str__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"nobody asks for {name}")


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make an area, and take its taps back."""
    monkeypatch.setattr(applications, "_ENVIRON", {})  # no test runs yet, unless one is named
    taps = Taps()
    made: list[Area] = []

    def make_it(area: type, *arguments: object) -> Any:
        stack = Stack(lambda path: path, lambda path: path == __file__)
        made.append(area(taps, stack, *arguments))
        return made[-1]

    yield make_it
    for area in made:
        area.stop()
    taps.take_back()


def module(monkeypatch: pytest.MonkeyPatch, name: str, code: str = "", **names: object) -> types.ModuleType:
    """A module that is imported from now on."""
    made = types.ModuleType(name)
    vars(made).update(names)
    exec(code, vars(made))
    monkeypatch.setitem(sys.modules, name, made)
    return made


def is_project(found: types.ModuleType) -> bool:
    return vars(found)["__name__"].startswith(("shop", "test_"))


def told(changes: Any) -> list[tuple[str, str, str]]:
    return [(change.subject, shown(change.before), shown(change.after)) for change in changes]


def reverse(changes: list[Change]) -> list[tuple[str, object, object]]:
    return sorted((change.subject, change.after, change.before) for change in changes)


def forward(changes: list[Change]) -> list[tuple[str, object, object]]:
    return sorted((change.subject, change.before, change.after) for change in changes)


# --- values


def test_plain_values_are_compared_with_their_types() -> None:
    assert setting(1) != setting(True)
    assert setting([1, {"a": {2}}]) == setting([1, {"a": {2}}])
    assert setting([1]) != setting((1,))
    assert setting({"a": 1}) != setting({"a": 1.0})
    assert setting(MISSING) == ABSENT


def test_objects_are_compared_by_identity_and_held_no_longer_than_they_live() -> None:
    class Thing:
        pass

    one, other = Thing(), Thing()
    assert setting(one) == setting(one) == Held(one)
    assert setting([one]) == setting([one])
    assert setting([one]) != setting([other])
    assert setting(Hostile()) != setting(Hostile())
    value, gone = setting([one, Hostile()]), weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
    assert value != setting([other, Hostile()])


def test_a_value_that_may_be_secret_is_not_shown() -> None:
    assert [shown(setting(value)) for value in (True, 3, None, "hunter2", ["hunter2"], Hostile(), MISSING)] == [
        "True",
        "3",
        "None",
        "a str",
        "a list",
        "a Hostile",
        "not there",
    ]
    assert "hunter2" not in repr(setting("hunter2"))


def test_what_was_made_anew_is_no_difference() -> None:
    assert differences({"A": [1], "B": 1, "C": 2}, {"A": [1], "B": True, "D": 2}) == [
        ("B", setting(1), setting(True)),
        ("C", setting(2), ABSENT),
        ("D", ABSENT, setting(2)),
    ]
    assert isinstance(setting(1), Setting)


# --- Django

CONF = """
empty = object()

class LazySettings:
    def __init__(self):
        self.__dict__["_wrapped"] = empty
    def __getattribute__(self, name):
        if name not in ("_wrapped", "__dict__"):
            raise RuntimeError("the settings were set up by us")
        return object.__getattribute__(self, name)
    @property
    def __class__(self):
        raise RuntimeError("the settings were set up by us")
    def __setattr__(self, name, value):
        if name == "_wrapped":
            self.__dict__.clear()
            self.__dict__["_wrapped"] = value
        else:
            setattr(self._wrapped, name, value)
    def __delattr__(self, name):
        delattr(self._wrapped, name)

class Settings:
    def __init__(self, **names):
        self.SETTINGS_MODULE = "shop.settings"
        self._explicit_settings = set(names)
        for name, value in names.items():
            setattr(self, name, value)

class UserSettingsHolder:
    def __init__(self, default_settings):
        self.__dict__["_deleted"] = set()
        self.default_settings = default_settings
    def __setattr__(self, name, value):
        self._deleted.discard(name)
        super().__setattr__(name, value)
    def __delattr__(self, name):
        self._deleted.add(name)
        self.__dict__.pop(name, None)

class override_settings:
    def __init__(self, **options):
        self.options = options
    def enable(self):
        override = UserSettingsHolder(settings._wrapped)
        for name, value in self.options.items():
            setattr(override, name, value)
        self.wrapped = settings._wrapped
        settings._wrapped = override
    def disable(self):
        settings._wrapped = self.wrapped
        del self.wrapped

settings = LazySettings()
"""


@pytest.fixture
def conf(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = module(monkeypatch, "django.conf", CONF)
    found.settings._wrapped = found.Settings(DEBUG=False, HOSTS=["a"], SECRET_KEY="hunter2", ODD=Hostile())
    return found


@pytest.fixture
def django(conf: Any, make: Make) -> DjangoSettings:
    area: DjangoSettings = make(DjangoSettings)
    assert not area.look()
    assert not area.look()
    return area


def test_nothing_of_django_is_watched_before_it_is_loaded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "django.conf", raising=False)
    area = make(DjangoSettings)
    assert not area.look()
    assert "django.conf" not in sys.modules


def test_an_assignment_and_its_return(conf: Any, django: DjangoSettings) -> None:
    settings = conf.settings
    settings.DEBUG = True  # the line
    changes = list(django.look())
    assert told(changes) == [("django.conf.settings.DEBUG", "False", "True")]
    assert django.said(changes[0]) == "at True (it was False)"
    assert "override_settings(DEBUG=...)" in django.fix(changes[0])
    assert django.is_lasting(changes[0])
    site = changes[0].site
    assert site is not None
    assert site.edit is not None
    assert Path(__file__).read_text("utf-8").splitlines()[site.edit.line - 1].endswith("# the line")
    assert site.written_at == site.edit
    assert not django.look()
    settings.DEBUG = False
    assert forward(list(django.look())) == reverse(changes)


def test_each_setting_is_a_subject_of_its_own(conf: Any, django: DjangoSettings) -> None:
    conf.settings.NEW = "hunter3"
    conf.settings.HOSTS = ["a", "b"]
    del conf.settings.SECRET_KEY
    changes = list(django.look())
    assert [django.said(change) for change in changes] == ["changed (a list as before)", "removed", "set to a str"]
    assert "hunter" not in repr(changes)
    conf.settings.HOSTS = ["a"]
    del conf.settings.NEW
    conf.settings.SECRET_KEY = "hunter2"
    assert forward(list(django.look())) == reverse(changes)


def test_equal_values_and_names_in_small_letters_are_no_settings(conf: Any, django: DjangoSettings) -> None:
    conf.settings.HOSTS = list("a")
    conf.settings.cached = 1
    assert not django.look()


def test_an_override_that_is_not_disabled(conf: Any, django: DjangoSettings) -> None:
    override = conf.override_settings(DEBUG=True, HOSTS=["a"], ODD=Hostile())
    override.enable()
    changes = list(django.look())
    assert told(changes) == [
        ("django.conf.settings.DEBUG", "False", "True"),
        ("django.conf.settings.ODD", "a Hostile", "a Hostile"),
    ]
    assert all(map(django.is_lasting, changes))
    override.disable()
    assert forward(list(django.look())) == reverse(changes)
    assert not any(map(django.is_lasting, changes))


def test_assignments_under_an_override_go_with_it(conf: Any, django: DjangoSettings) -> None:
    override = conf.override_settings(DEBUG=True)
    override.enable()
    first = list(django.look())
    conf.settings.PAGE = 3
    del conf.settings.SECRET_KEY
    second = list(django.look())
    assert told(second) == [
        ("django.conf.settings.SECRET_KEY", "a str", "not there"),
        ("django.conf.settings.PAGE", "not there", "3"),
    ]
    override.disable()
    assert forward(list(django.look())) == reverse([*first, *second])


def test_a_deletion_alone_is_seen(conf: Any, django: DjangoSettings) -> None:
    conf.override_settings(DEBUG=True).enable()
    assert len(list(django.look())) == 1
    del conf.settings.SECRET_KEY
    assert told(django.look()) == [("django.conf.settings.SECRET_KEY", "a str", "not there")]


def test_an_override_between_two_looks_is_nothing(conf: Any, django: DjangoSettings) -> None:
    for _ in range(2):
        override = conf.override_settings(DEBUG=True)
        override.enable()
        conf.settings.HOSTS = []
        override.disable()
    assert not django.look()


def test_settings_are_never_set_up_by_us(conf: Any, make: Make) -> None:
    conf.settings._wrapped = conf.empty
    area = make(DjangoSettings)
    assert not area.look()
    conf.settings._wrapped = conf.Settings(DEBUG=True)
    assert not area.look()
    conf.settings._wrapped = conf.empty
    assert not area.look()
    conf.settings._wrapped = conf.UserSettingsHolder(types.ModuleType("global_settings"))
    conf.settings.DEBUG = 1
    assert not area.look()
    conf.settings.DEBUG = 2
    assert told(area.look()) == [("django.conf.settings.DEBUG", "1", "2")]


def test_a_default_that_is_written_back_is_as_good_as_none(conf: Any, make: Make) -> None:
    defaults = types.ModuleType("global_settings")
    defaults.HOSTS = ["a"]  # type: ignore[attr-defined]
    conf.settings._wrapped = conf.UserSettingsHolder(defaults)
    area = make(DjangoSettings)
    assert not area.look()
    conf.settings.HOSTS = ["b"]
    changes = list(area.look())
    assert [area.said(change) for change in changes] == ["changed (a list as before)"]
    conf.settings.HOSTS = ["a"]
    assert forward(list(area.look())) == reverse(changes)


def test_overrides_over_settings_that_were_set_up_since_are_seen(conf: Any, make: Make) -> None:
    conf.settings._wrapped = conf.empty
    area = make(DjangoSettings)
    assert not area.look()
    conf.settings._wrapped = conf.Settings(DEBUG=False)
    override = conf.override_settings(DEBUG=True)
    override.enable()
    changes = list(area.look())
    assert told(changes) == [("django.conf.settings.DEBUG", "False", "True")]
    override.disable()
    assert forward(list(area.look())) == reverse(changes)


def test_odd_things_as_settings_survive(conf: Any, django: DjangoSettings) -> None:
    front = conf.settings.__dict__
    before = front["_wrapped"]
    for odd in (None, 1, "x", Hostile(), Hostile):
        front["_wrapped"] = odd
        assert not list(django.look())
        front["_wrapped"] = before
        assert not list(django.look())


def test_pytest_django_may_switch_migrations_off(conf: Any, django: DjangoSettings) -> None:
    conf.settings.MIGRATION_MODULES = type("DisableMigrations", (), {"__module__": "pytest_django.fixtures"})()
    (change,) = django.look()
    assert not django.is_lasting(change)


@pytest.fixture
def real_settings() -> Iterator[Any]:
    pytest.importorskip("django")
    from django.conf import settings
    from django.utils.functional import empty

    was_configured = settings.configured
    if not was_configured:
        settings.configure()
    yield settings
    if not was_configured:
        settings._wrapped = empty


def test_the_real_django(real_settings: Any, make: Make) -> None:
    from django.test import override_settings

    area = make(DjangoSettings)
    assert not area.look()
    with override_settings(DEBUG=True, PAGE_SIZE=3):
        changes = list(area.look())
        assert sorted(change.subject.rpartition(".")[2] for change in changes) == ["DEBUG", "PAGE_SIZE"]
    assert forward(list(area.look())) == reverse(changes)
    real_settings.PAGE_SIZE = 3
    assert told(area.look()) == [("django.conf.settings.PAGE_SIZE", "not there", "3")]
    del real_settings.PAGE_SIZE
    assert told(area.look()) == [("django.conf.settings.PAGE_SIZE", "3", "not there")]
    assert real_settings.LANGUAGES  # only read and cached
    assert not area.look()


# --- oslo.config

CFG = """
class Opt:
    def __init__(self, dest, name=None):
        self.dest = dest

class OptGroup:
    def __init__(self, name):
        self.name = name
        self._opts = {}

class ConfigOpts:
    def __init__(self):
        self._opts = {}
        self._groups = {}
    def __getattr__(self, name):
        raise RuntimeError("nobody asks")
    def register_opt(self, opt, group=None):
        opts = self._groups.setdefault(group, OptGroup(group))._opts if group else self._opts
        opts[opt.dest] = {"opt": opt, "cli": False}
    def _get_opt_info(self, name, group):
        if isinstance(group, OptGroup):
            group = group.name
        return (self._groups[group]._opts if group else self._opts)[name.replace("-", "_")]
    def set_override(self, name, override, group=None):
        opt_info = self._get_opt_info(name, group)
        opt_info["override"] = self._get_enforced_type_value(opt_info["opt"], override)
    def set_default(self, name, default, group=None):
        opt_info = self._get_opt_info(name, group)
        opt_info["default"] = self._get_enforced_type_value(opt_info["opt"], default)
    def _get_enforced_type_value(self, opt, value):
        if value == "wrong":
            raise ValueError(value)
        return list(value) if isinstance(value, list) else value
    def clear_override(self, name, group=None):
        self._get_opt_info(name, group).pop("override", None)
    def reset(self):
        for opts in (self._opts, *(group._opts for group in self._groups.values())):
            for info in opts.values():
                info.pop("override", None)
                info.pop("default", None)

CONF = ConfigOpts()
for group in (None, "api", "vnc"):
    for name in ("debug", "workers"):
        CONF.register_opt(Opt(name), group)
"""


@pytest.fixture
def cfg(monkeypatch: pytest.MonkeyPatch) -> Any:
    return module(monkeypatch, "oslo_config.cfg", CFG)


@pytest.fixture
def oslo(cfg: Any, make: Make) -> OsloConfig:
    area: OsloConfig = make(OsloConfig, is_project)
    assert not area.look()
    return area


def test_nothing_of_oslo_is_watched_before_it_is_loaded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "oslo_config.cfg", raising=False)
    assert not make(OsloConfig, is_project).look()


def test_an_override_and_its_reset(cfg: Any, oslo: OsloConfig) -> None:
    cfg.CONF.set_override("workers", 2, "api")  # the override
    cfg.CONF.set_override("debug", True)
    changes = list(oslo.look())
    assert told(changes) == [
        ("oslo_config.cfg.CONF.api.workers", "not there", "2"),
        ("oslo_config.cfg.CONF.debug", "not there", "True"),
    ]
    assert oslo.said(changes[0]) == "overridden with 2"
    assert oslo.fix(changes[0]).startswith(
        'useFixture(oslo_config.fixture.Config(CONF)).config(workers=..., group="api")'
    )
    assert oslo.fix(changes[1]).startswith("useFixture(oslo_config.fixture.Config(CONF)).config(debug=...)")
    assert [oslo.level(change) for change in changes] == ["", ""]
    assert all(map(oslo.is_lasting, changes))
    site = changes[0].site
    assert site is not None
    assert site.edit is not None
    assert Path(__file__).read_text("utf-8").splitlines()[site.edit.line - 1].endswith("# the override")
    assert not oslo.look()
    cfg.CONF.reset()
    back = list(oslo.look())
    assert forward(back) == reverse(changes)
    assert not any(map(oslo.is_lasting, [*changes, *back]))
    assert not oslo._slots


def test_a_default_weighs_less(cfg: Any, oslo: OsloConfig) -> None:
    cfg.CONF.set_default("workers", "hunter2", group=cfg.CONF._groups["vnc"])
    cfg.CONF.set_override("workers", 3, group="vnc")
    default, override = sorted(oslo.look(), key=lambda change: change.key)
    assert (default.subject, oslo.level(default)) == (override.subject, "advisory")
    assert oslo.said(default) == "with the default a str"
    assert oslo.said(override) == "overridden with 3"
    cfg.CONF.clear_override("workers", group="vnc")
    assert [change.key for change in oslo.look()] == [override.key]
    assert oslo.is_lasting(default)


def test_set_and_cleared_or_refused_or_made_anew_is_nothing(cfg: Any, oslo: OsloConfig) -> None:
    cfg.CONF.set_override("workers", 2)
    cfg.CONF.clear_override("workers")
    with pytest.raises(ValueError, match="wrong"):
        cfg.CONF.set_override("debug", "wrong")
    assert not oslo.look()
    assert not oslo._slots
    hosts = ["a"]
    cfg.CONF.set_override("debug", hosts)
    assert len(list(oslo.look())) == 1
    cfg.CONF.set_override("debug", hosts)
    assert not oslo.look()


def test_what_was_there_before_and_vanishes_is_not_reported(cfg: Any, make: Make) -> None:
    cfg.CONF.set_override("workers", 1)
    cfg.CONF.set_default("debug", True)
    area = make(OsloConfig, is_project)
    assert not area.look()
    cfg.CONF.set_override("workers", 2)
    (change,) = area.look()
    assert told([change]) == [("oslo_config.cfg.CONF.workers", "1", "2")]
    cfg.CONF.reset()
    (gone,) = area.look()
    assert gone.after == ABSENT
    assert not area.is_lasting(gone)


def test_options_by_an_older_name(cfg: Any, oslo: OsloConfig) -> None:
    cfg.CONF._groups["old"] = cfg.CONF._groups["api"]
    cfg.CONF.set_override("workers", 2, group="old")
    assert [change.subject for change in oslo.look()] == ["oslo_config.cfg.CONF.old.workers"]
    cfg.CONF._get_opt_info = lambda name, group: cfg.CONF._groups["vnc"]._opts["debug"]
    cfg.CONF.set_override("verbose", 2, group="old")
    assert [change.subject for change in oslo.look()] == ["oslo_config.cfg.CONF.vnc.debug"]


def test_options_that_are_unregistered_are_no_leak(cfg: Any, oslo: OsloConfig) -> None:
    cfg.CONF.set_override("workers", 2, group="api")
    (change,) = oslo.look()
    del cfg.CONF._groups["api"]
    assert not oslo.is_lasting(change)


def test_options_of_one_test_go_with_it_and_those_of_a_module_count(
    cfg: Any, oslo: OsloConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = cfg.ConfigOpts()
    mine.register_opt(cfg.Opt("quota"), "orders")
    mine.set_override("quota", 1, "orders")
    assert not oslo.look()
    gone = weakref.ref(mine)
    home = module(monkeypatch, "shop.conf", OPTIONS=mine)
    mine.set_override("quota", 2, "orders")
    assert [change.subject for change in oslo.look()] == ["shop.conf.OPTIONS.orders.quota"]
    mine.reset()
    assert list(oslo.look())
    del home.OPTIONS, mine
    gc.collect()
    assert gone() is None


def test_the_real_oslo_config(make: Make) -> None:
    cfg = pytest.importorskip("oslo_config.cfg")
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.IntOpt("quota", default=1), cfg.ListOpt("hosts")], group="orders")
    conf.register_opt(cfg.StrOpt("name", deprecated_name="title"))
    area = make(OsloConfig, lambda found: vars(found)["__name__"] == "shop.conf")
    with pytest.MonkeyPatch.context() as patch:
        module(patch, "shop.conf", CONF=conf)
        assert not area.look()
        conf.set_override("quota", "2", group="orders")
        conf.set_default("hosts", ["a"], group=cfg.OptGroup("orders"))
        changes = list(area.look())
        assert told(changes) == [
            ("shop.conf.CONF.orders.quota", "not there", "2"),
            ("shop.conf.CONF.orders.hosts", "not there", "a list"),
        ]
        assert all(map(area.is_lasting, changes))
        assert all(change.site.edit == change.site.written_at is not None for change in changes)
        conf.set_override("title", "x")
        (change,) = area.look()
        assert change.subject == "shop.conf.CONF.name"
        conf.reset()
        assert forward(list(area.look())) == reverse([*changes, change])


# --- applications


class Config(dict):  # type: ignore[type-arg]
    __getitem__ = __iter__ = __len__ = items = values = copy = None  # type: ignore[assignment]


class Flask:
    def __init__(self, import_name: str = "") -> None:
        self.import_name = import_name
        self.config = Config(DEBUG=False, TESTING=False, SECRET=Hostile())

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("nobody asks")


class FastAPI:
    def __init__(self) -> None:
        self.dependency_overrides: Any = {}


@pytest.fixture
def flask(make: Make, monkeypatch: pytest.MonkeyPatch) -> FlaskConfig:
    module(monkeypatch, "flask.app", Flask=Flask)
    area: FlaskConfig = make(FlaskConfig, is_project)
    assert not area.look()
    return area


@pytest.fixture
def app(flask: FlaskConfig, monkeypatch: pytest.MonkeyPatch) -> Flask:
    made = Flask("shop.web")
    module(monkeypatch, "test_shop", app=made, Flask=Flask, odd=Hostile())
    module(monkeypatch, "shop.web", app=made)
    module(monkeypatch, "shop", application=made)
    assert not flask.look()
    assert not flask.look()
    return made


def test_a_config_that_is_left_and_put_back(flask: FlaskConfig, app: Flask) -> None:
    dict.update(app.config, PAGE_SIZE=3, DEBUG=True, small=1)
    changes = list(flask.look())
    assert told(changes) == [
        ("shop.web.app.config['DEBUG']", "False", "True"),
        ("shop.web.app.config['PAGE_SIZE']", "not there", "3"),
    ]
    assert flask.said(changes[1]) == "set to 3"
    assert flask.fix(changes[1]) == "monkeypatch.setitem(app.config, 'PAGE_SIZE', ...)"
    assert all(map(flask.is_lasting, changes))
    dict.pop(app.config, "PAGE_SIZE")
    dict.update(app.config, DEBUG=False)
    assert forward(list(flask.look())) == reverse(changes)


def test_another_config_object_counts_by_its_entries(flask: FlaskConfig, app: Flask) -> None:
    before = app.config
    app.config = Config(dict.items(before))
    assert not list(flask.look())
    app.config = None  # type: ignore[assignment]
    assert len(list(flask.look())) == 3
    app.config = before
    assert len(list(flask.look())) == 3


def test_another_key_with_the_same_value(flask: FlaskConfig, app: Flask) -> None:
    value = dict.pop(app.config, "SECRET")
    dict.update(app.config, HIDDEN=value)
    assert told(flask.look()) == [
        ("shop.web.app.config['SECRET']", "a Hostile", "not there"),
        ("shop.web.app.config['HIDDEN']", "not there", "a Hostile"),
    ]


def test_testing_is_info(flask: FlaskConfig, app: Flask) -> None:
    dict.update(app.config, TESTING=True, DEBUG=True)
    assert {change.subject: flask.level(change) for change in flask.look()} == {
        "shop.web.app.config['TESTING']": "info",
        "shop.web.app.config['DEBUG']": "",
    }


def test_applications_of_a_test_and_of_others_are_not_watched(
    flask: FlaskConfig, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, theirs = Flask("x"), Flask("x")
    module(monkeypatch, "elsewhere", app=theirs)
    for one in (made, theirs):
        dict.update(one.config, DEBUG=True)
    assert not list(flask.look())


def test_another_application_in_its_place(flask: FlaskConfig, app: Flask) -> None:
    dict.update(app.config, DEBUG=True)
    (change,) = flask.look()
    space = vars(sys.modules["shop.web"])
    space["app"] = other = Flask("shop.web")
    dict.update(other.config, DEBUG=3)
    assert not flask.is_lasting(change)
    assert not list(flask.look())
    dict.update(other.config, DEBUG=4)
    assert told(flask.look()) == [("shop.web.app.config['DEBUG']", "3", "4")]
    space["app"] = Hostile()
    assert not list(flask.look())
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None
    space["app"] = app
    assert not list(flask.look())
    assert flask.is_lasting(change)
    dict.update(app.config, DEBUG=False)
    assert [back.after for back in flask.look()] == [change.before]


def test_what_the_importing_test_had_changed_already_is_not_taken_for_the_rule(
    flask: FlaskConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(applications._ENVIRON, "PYTEST_CURRENT_TEST", "test_a.py::test_a (call)")
    made = Flask("shop.late")
    dict.update(made.config, DEBUG=True)
    module(monkeypatch, "shop.late", app=made)
    assert not list(flask.look())
    monkeypatch.setitem(applications._ENVIRON, "PYTEST_CURRENT_TEST", "test_a.py::test_a (teardown)")
    dict.update(made.config, DEBUG=False)
    assert not list(flask.look())
    monkeypatch.setitem(applications._ENVIRON, "PYTEST_CURRENT_TEST", "test_a.py::test_b (setup)")
    assert not list(flask.look())
    dict.update(made.config, DEBUG=True)
    assert told(flask.look()) == [("shop.late.app.config['DEBUG']", "False", "True")]


def test_the_module_that_makes_it_is_its_home(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module(monkeypatch, "flask.app", Flask=Flask)
    area = make(FlaskConfig, is_project, lambda file: Path(file).name if "test_shop" in file else "")
    texts = {
        "shop": "from shop.main import app\n",
        "shop.main": "app: Flask = Flask()\n",
        "shop.asgi": "application = app\n",
        "test_shop": "app = get_app()\n",
    }
    made = Flask()
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
        module(monkeypatch, name, app=made, application=made, __file__=str(tmp_path / f"{name}.py"))
    assert not area.look()
    dict.update(made.config, DEBUG=True)
    assert [change.subject for change in area.look()] == ["shop.main.app.config['DEBUG']"]
    module(monkeypatch, "shop.late", app=made)
    assert not area.look()
    dict.update(made.config, DEBUG=False)
    assert [change.subject for change in area.look()] == ["shop.main.app.config['DEBUG']"]


def test_an_application_of_the_tests_is_named_by_their_path(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "flask.app", Flask=Flask)
    area = make(FlaskConfig, is_project, lambda file: "tests/web/test_shop.py" if file == "/x/test_shop.py" else "")
    made = Flask("test_shop")
    module(monkeypatch, "test_shop", app=made, __file__="/x/test_shop.py")
    assert not area.look()
    dict.update(made.config, DEBUG=True)
    assert [change.subject for change in area.look()] == ["tests.web.test_shop.app.config['DEBUG']"]


def get_user() -> None: ...


class Auth:
    def get_user(self) -> None: ...


@pytest.fixture
def fastapi(make: Make, monkeypatch: pytest.MonkeyPatch) -> DependencyOverrides:
    module(monkeypatch, "fastapi.applications", FastAPI=FastAPI)
    area: DependencyOverrides = make(DependencyOverrides, is_project, lambda file: file)
    assert not area.look()
    return area


def test_overrides_are_seen_from_the_first_on(fastapi: DependencyOverrides, monkeypatch: pytest.MonkeyPatch) -> None:
    app = FastAPI()
    module(monkeypatch, "shop.main", app=app)
    app.dependency_overrides[get_user] = lambda: "admin"
    changes = list(fastapi.look())
    assert [change.subject for change in changes] == ["shop.main.app.dependency_overrides[get_user]"]
    assert fastapi.said(changes[0]).startswith(f"in place: {__name__}.test_overrides_are_seen_from_the_first_on.")
    assert fastapi.fix(changes[0]) == "monkeypatch.setitem(app.dependency_overrides, get_user, ...)"
    assert fastapi.is_lasting(changes[0])
    app.dependency_overrides = {}
    (back,) = fastapi.look()
    assert (back.key, back.before, back.after) == (changes[0].key, changes[0].after, ABSENT)
    assert fastapi.said(back) == "removed"


def test_what_the_tests_own_application_is_made_with_is_no_change(
    fastapi: DependencyOverrides, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI()
    app.dependency_overrides[get_user] = get_user
    module(monkeypatch, "test_shop", app=app, __file__="tests/test_shop.py")
    assert not list(fastapi.look())
    app.dependency_overrides[get_user] = len
    assert [fastapi.said(change) for change in fastapi.look()] == ["in place: len"]


def test_keys_are_told_apart_by_identity_and_never_asked(
    fastapi: DependencyOverrides, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scheme:
        asked = False

        def __eq__(self, other: object) -> bool:
            Scheme.asked = True
            return False

        def __hash__(self) -> int:
            return 1

    app = FastAPI()
    bearer = Scheme()
    module(monkeypatch, "shop.main", app=app, odd=Hostile(), bearer=bearer)
    assert not list(fastapi.look())
    app.dependency_overrides.update(dict.fromkeys((Auth.get_user, Auth().get_user, Auth, bearer), Hostile()))
    Scheme.asked = False
    subjects = [change.subject.rpartition("[")[2] for change in fastapi.look()]
    assert subjects == ["Auth.get_user]", "Auth.get_user]", "Auth]", "bearer]"]
    assert not fastapi.look()
    assert not Scheme.asked
    app.dependency_overrides = Hostile()
    assert len(list(fastapi.look())) == 4


def test_nothing_is_imported_and_modules_are_gone_through_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("flask.app", "quart.app", "fastapi.applications"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    asked: list[str] = []

    def is_ours(found: types.ModuleType) -> bool:
        asked.append(vars(found)["__name__"])
        return False

    area = make(FlaskConfig, is_ours)
    module(monkeypatch, "shop.main")
    assert not area.look()
    assert asked == []
    module(monkeypatch, "flask.app", Flask=Flask)
    assert not area.look()
    assert {"flask.app", "shop.main"} <= set(asked)
    asked.clear()
    assert not area.look()
    module(monkeypatch, "shop.other")
    assert not area.look()
    assert asked == ["shop.other"]
    monkeypatch.setitem(sys.modules, "shop.none", None)  # type: ignore[arg-type]
    assert not area.look()


def test_the_real_flask_and_fastapi(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real_flask, real_fastapi = pytest.importorskip("flask"), pytest.importorskip("fastapi")
    web, api = real_flask.Flask("shop.web"), real_fastapi.FastAPI()
    areas = [make(FlaskConfig, is_project), make(DependencyOverrides, is_project)]
    module(monkeypatch, "shop.web", app=web)
    module(monkeypatch, "shop.api", app=api)
    assert not [change for area in areas for change in area.look()]
    web.config["PAGE_SIZE"] = 3
    web.testing = True
    api.dependency_overrides[get_user] = len
    changes = [change for area in areas for change in area.look()]
    assert sorted(change.subject for change in changes) == [
        "shop.api.app.dependency_overrides[get_user]",
        "shop.web.app.config['PAGE_SIZE']",
        "shop.web.app.config['TESTING']",
    ]
    del web.config["PAGE_SIZE"]
    web.testing = False
    api.dependency_overrides.clear()
    assert forward([change for area in areas for change in area.look()]) == reverse(changes)


def test_the_environment_of_the_run_is_read_past_a_fake() -> None:
    with mock.patch.object(os, "environ", Hostile()):  # `MonkeyPatch` of 8.4 asks its class
        found = applications._test_running()
    assert found.endswith("::test_the_environment_of_the_run_is_read_past_a_fake")
