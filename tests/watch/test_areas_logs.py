"""Loggers: what is left is seen with its line; what pytest, libraries and imports do to them is not."""

from __future__ import annotations

import logging
import logging.config
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.watch.areas.logs import Logging, LoggingDisable
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

NAME = "secaudit_tests.logs"
ROOT = logging.root


def look(area: Any) -> list[Change]:
    """Quick and close at once."""
    return [*area.look(), *area.look_closely()] if hasattr(area, "look_closely") else list(area.look())


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Everything in the folder `site-packages` of the test is an installed library."""

    def relative(path: str) -> str:
        return f"<site-packages>/{path.rpartition('/')[2]}" if "site-packages" in path else path.rpartition("/")[2]

    return Stack(relative, lambda path: path == __file__)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    one = logging.getLogger(NAME)
    one.setLevel(logging.WARNING)
    yield one
    one.handlers.clear()
    one.filters.clear()
    one.level, one.propagate, one.disabled = logging.NOTSET, True, False
    logging.root.manager.loggerDict.pop(NAME)


@pytest.fixture
def area(stack: Stack, logger: logging.Logger) -> Iterator[Logging]:
    taps = Taps()
    area = Logging(taps, stack)
    assert not look(area)
    yield area
    taps.take_back()
    area.stop()


def seen(changes: object) -> list[tuple[str, object, object]]:
    return [(change.subject, change.before, change.after) for change in changes]  # type: ignore[attr-defined]


def line() -> int:
    return sys._getframe(1).f_lineno


def test_nothing_is_seen_where_nothing_changed(area: Logging) -> None:
    assert not look(area)
    assert not area.look_closely()
    assert not look(area)


def test_a_level_is_seen_at_once_with_its_line_and_its_way_back_too(area: Logging, logger: logging.Logger) -> None:
    logger.setLevel(logging.DEBUG)
    wrote = line() - 1
    (change,) = look(area)
    assert (change.subject, change.before, change.after) == (f"logging.getLogger('{NAME}').level", 30, 10)
    assert change.site is not None
    assert change.site.edit is not None
    assert (change.site.edit.line, change.site.written_at) == (wrote, change.site.edit)
    assert area.said(change) == "at DEBUG (it was WARNING)"
    assert area.fix(change) == f"caplog.set_level(logging.DEBUG, logger='{NAME}')"
    logger.setLevel("WARNING")
    (back,) = look(area)
    assert (back.subject, back.before, back.after) == (change.subject, 10, 30)
    assert not area.look_closely()


def test_what_was_put_back_before_anybody_looked_is_not_seen(area: Logging, logger: logging.Logger) -> None:
    logger.setLevel(logging.DEBUG)
    logger.setLevel(logging.WARNING)
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    logger.removeHandler(handler)
    assert not look(area)
    assert not area.look_closely()


def test_a_handler_is_one_subject_by_its_type_and_gone_when_removed(area: Logging, logger: logging.Logger) -> None:
    one, other = logging.StreamHandler(), logging.StreamHandler()
    logger.addHandler(one)
    logger.addHandler(other)
    first, second = look(area)
    assert first.subject == second.subject == f"logging.getLogger('{NAME}').handlers[StreamHandler]"
    assert (first.before, first.after) == (ABSENT, Held(one))
    assert first.key != second.key
    assert area.said(first) == "in place"
    assert area.fix(first).startswith(f"logging.getLogger('{NAME}').removeHandler(")
    logger.removeHandler(one)
    (gone,) = look(area)
    assert (gone.key, gone.before, gone.after) == (first.key, Held(one), ABSENT)
    assert area.said(gone) == "removed"


def only_mine(record: logging.LogRecord) -> bool:
    return record.name == NAME


def test_filters_of_loggers_count_those_of_handlers_do_not(area: Logging, logger: logging.Logger) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: True)
    assert not look(area)

    logger.addFilter(only_mine)
    (change,) = look(area)
    assert change.subject == f"logging.getLogger('{NAME}').filters[only_mine]"
    assert change.site is not None
    logger.removeFilter(only_mine)
    assert [change.after for change in look(area)] == [ABSENT]


@pytest.mark.parametrize(
    ("attribute", "value", "was"), [("propagate", False, True), ("disabled", True, False), ("level", 10, 30)]
)
def test_what_is_assigned_by_hand_is_seen_at_once_with_its_line(
    area: Logging, logger: logging.Logger, attribute: str, value: object, was: object
) -> None:
    setattr(logger, attribute, value)
    wrote = line() - 1
    (change,) = look(area)
    assert seen([change]) == [(f"logging.getLogger('{NAME}').{attribute}", was, value)]
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    setattr(logger, attribute, was)
    assert seen(look(area)) == [(f"logging.getLogger('{NAME}').{attribute}", value, was)]
    assert not area.look_closely()


def test_what_is_written_past_the_attributes_is_seen_closely(area: Logging, logger: logging.Logger) -> None:
    vars(logger)["propagate"] = False
    assert not area.look()
    assert seen(area.look_closely()) == [(f"logging.getLogger('{NAME}').propagate", True, False)]
    vars(logger)["propagate"] = True
    assert len(area.look_closely()) == 1
    assert not area.look_closely()


def test_a_list_changed_in_place_or_replaced_is_seen_closely(area: Logging, logger: logging.Logger) -> None:
    handler = logging.StreamHandler()
    logger.handlers[:] = [handler]
    assert [change.after for change in area.look_closely()] == [Held(handler)]
    logger.handlers = [handler]
    assert not area.look_closely()
    logger.handlers = []
    assert [change.before for change in area.look_closely()] == [Held(handler)]


def test_the_root_logger_is_compared_at_each_look(area: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.StreamHandler()
    with monkeypatch.context() as patch:
        patch.setattr(ROOT, "level", 5)
        patch.setattr(ROOT, "handlers", [*ROOT.handlers, handler])
        found = look(area)
    subjects = ["logging.getLogger().level", "logging.getLogger().handlers[StreamHandler]"]
    assert [change.subject for change in found] == subjects
    assert area.fix(found[0]) == "caplog.set_level(5)"
    assert [change.subject for change in look(area)] == subjects
    assert not look(area)


def test_basic_config_names_the_line_that_called_it(
    area: Logging, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ROOT, "handlers", [])
    look(area)
    monkeypatch.setattr(ROOT, "level", ROOT.level)
    logging.basicConfig(level=logging.ERROR)
    wrote = line() - 1
    found = look(area)
    assert {change.subject: change.site.edit.line for change in found if change.site and change.site.edit} == {
        "logging.getLogger().level": wrote,
    }


def test_a_configuration_changes_all_loggers_at_once(area: Logging, logger: logging.Logger) -> None:
    look(area)
    others = {one: one.disabled for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)}
    try:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
        found = [change for change in look(area) if NAME in change.subject]
    finally:
        for one, disabled in others.items():
            one.disabled = disabled
    assert seen(found) == [(f"logging.getLogger('{NAME}').disabled", False, True)]
    assert found[0].site is not None
    assert found[0].site.edit is not None
    assert all(change.after is False for change in area.look_closely() if change.subject.endswith("disabled"))


def test_a_new_logger_was_born_with_its_defaults(area: Logging) -> None:
    name = f"{NAME}.born"
    one = logging.getLogger(name)
    try:
        assert not look(area)
        assert not area.look_closely()
        one.setLevel(logging.INFO)
        assert seen(look(area)) == [(f"logging.getLogger('{name}').level", 0, 20)]
        one.setLevel(logging.NOTSET)
        assert seen(look(area)) == [(f"logging.getLogger('{name}').level", 20, 0)]
    finally:
        logging.root.manager.loggerDict.pop(name)


@pytest.mark.parametrize("is_touched", [True, False])
def test_a_logger_that_is_taken_out_takes_its_state_along(
    area: Logging, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, *, is_touched: bool
) -> None:
    with monkeypatch.context() as patch:
        patch.delitem(logging.root.manager.loggerDict, NAME)
        if is_touched:
            logger.setLevel(logging.ERROR)
            logger.level = logging.WARNING
            assert not area.look()
        assert seen(area.look_closely()) == [(f"logging.getLogger('{NAME}').level", 30, 0)]
    assert seen(area.look_closely()) == [(f"logging.getLogger('{NAME}').level", 0, 30)]


def test_a_touched_logger_that_is_taken_out_is_missed_at_once(area: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    one = logging.getLogger(f"{NAME}.out")
    one.setLevel(logging.ERROR)
    assert len(area.look()) == 1
    one.setLevel(logging.INFO)
    del logging.root.manager.loggerDict[one.name]
    assert seen(area.look()) == [(f"logging.getLogger('{NAME}.out').level", 40, 0)]
    assert not area.look_closely()


# --- noise


def test_null_handlers_caches_and_pytests_own_handlers_are_silent(
    area: Logging, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.addHandler(logging.NullHandler())
    logger.addHandler(caplog.handler)
    logger.isEnabledFor(logging.INFO)
    ROOT.removeHandler(caplog.handler)
    try:
        assert not look(area)
        assert not area.look_closely()
    finally:
        ROOT.addHandler(caplog.handler)
    assert not look(area)
    assert not area.look_closely()


def test_caplog_puts_back_what_it_sets(area: Logging, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.INFO, logger=NAME):
        assert len(look(area)) == 2
    assert len(look(area)) == 2
    assert not area.look_closely()


def test_the_level_that_pytest_lowers_for_a_phase_is_not_seen(area: Logging) -> None:
    from _pytest.logging import LogCaptureHandler, catching_logs

    with catching_logs(LogCaptureHandler(), level=1):
        assert not look(area)
        assert not area.look_closely()
        with catching_logs(LogCaptureHandler(), level=0):
            assert not look(area)
        was = ROOT.level
        ROOT.setLevel(logging.CRITICAL)
        assert [change.after for change in look(area)] == [logging.CRITICAL]
        ROOT.setLevel(was)
        assert [change.before for change in look(area)] == [logging.CRITICAL]
    assert not look(area)
    assert not area.look_closely()


def library(tmp_path: Path, text: str) -> types.ModuleType:
    path = tmp_path / "site-packages" / "secaudit_tests.py"
    path.parent.mkdir()
    module = types.ModuleType("secaudit_tests")
    exec(compile(text, str(path), "exec"), vars(module))
    return module


def test_a_library_may_set_up_its_own_logger_when_it_is_first_used(area: Logging, tmp_path: Path) -> None:
    text = f"import logging\ndef use(level): logging.getLogger({NAME + '.own'!r}).setLevel(level)"
    used = library(tmp_path, text)
    try:
        used.use(logging.ERROR)
        assert not look(area)
        assert not area.look_closely()
        used.use(logging.DEBUG)
        assert seen(look(area)) == [(f"logging.getLogger('{NAME}.own').level", 40, 10)]
    finally:
        logging.root.manager.loggerDict.pop(f"{NAME}.own")


def test_a_library_may_add_a_handler_where_it_sets_the_level(area: Logging, tmp_path: Path) -> None:
    text = (
        f"import logging\nlog = logging.getLogger({NAME + '.own'!r})\n"
        "def use(): log.setLevel(30); log.addHandler(logging.StreamHandler())"
    )
    try:
        library(tmp_path, text).use()
        assert not look(area)
        logging.getLogger(f"{NAME}.own").handlers.clear()
        assert len(look(area)) == 1
        logging.getLogger(f"{NAME}.own").addHandler(logging.StreamHandler())  # by the same, in a thread
        assert not look(area)
    finally:
        logging.root.manager.loggerDict.pop(f"{NAME}.own")


def test_a_library_may_give_its_logger_a_new_handler_and_a_test_may_not(area: Logging, tmp_path: Path) -> None:
    text = f"import logging\ndef use(): logging.getLogger({NAME + '.own'!r}).handlers = [logging.StreamHandler()]"
    used = library(tmp_path, text)
    try:
        used.use()
        assert not look(area)
        used.use()
        assert not look(area)
        logging.getLogger(f"{NAME}.own").handlers = []
        assert [area.said(change) for change in look(area)] == ["removed"]
        logging.getLogger(f"{NAME}.own").handlers = [logging.StreamHandler()]
        assert [area.said(change) for change in look(area)] == ["in place"]
    finally:
        logging.root.manager.loggerDict.pop(f"{NAME}.own")


def test_a_module_and_its_loggers_handler_may_come_together(area: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "secaudit_fresh.log", types.ModuleType("secaudit_fresh.log"))
    try:
        for name in ("secaudit_fresh.log", "secaudit_stale.log"):
            logging.getLogger(name).addHandler(logging.StreamHandler())
        assert [change.subject for change in look(area)] == [
            "logging.getLogger('secaudit_stale.log').handlers[StreamHandler]"
        ]
    finally:
        for name in ("secaudit_fresh.log", "secaudit_fresh", "secaudit_stale.log", "secaudit_stale"):
            logging.root.manager.loggerDict.pop(name, None)


def test_a_package_may_put_a_filter_on_its_own_logger_and_a_test_may_not(area: Logging) -> None:
    product = types.ModuleType("secaudit_shop")
    text = "import logging\ndef get(name, one): logging.getLogger(name).addFilter(one)"
    exec(compile(text, "/src/secaudit_shop/log.py", "exec"), vars(product))
    area._stack._relative = str  # type: ignore[attr-defined, method-assign]
    try:
        product.get("secaudit_shop.cart", only_mine)
        assert not look(area)
        product.get("secaudit_other", only_mine)
        logging.getLogger("tests.mine").addFilter(only_mine)
        assert [change.subject for change in look(area)] == [
            "logging.getLogger('secaudit_other').filters[only_mine]",
            "logging.getLogger('tests.mine').filters[only_mine]",
        ]
    finally:
        for name in ("secaudit_shop.cart", "tests.mine", "secaudit_shop", "secaudit_other"):
            logging.root.manager.loggerDict.pop(name, None)


def test_a_library_may_name_its_own_logger_as_it_likes(area: Logging, tmp_path: Path) -> None:
    text = (
        "import logging\n"
        "def use(level):\n"
        "    log = logging.getLogger('secaudit_other')\n"
        "    log.setLevel(level)\n"
        "    log.addHandler(logging.StreamHandler())\n"
        "def make(name): logging.getLogger(name).setLevel(10)\n"
    )
    used = library(tmp_path, text)
    try:
        used.use(20)
        assert not look(area)
        assert not area.look_closely()
        used.make("secaudit_application")
        assert seen(look(area)) == [("logging.getLogger('secaudit_application').level", 0, 10)]
        logging.getLogger("secaudit_other").setLevel(30)
        assert seen(look(area)) == [("logging.getLogger('secaudit_other').level", 20, 30)]
    finally:
        logging.root.manager.loggerDict.pop("secaudit_other")
        logging.root.manager.loggerDict.pop("secaudit_application")


def test_a_library_that_sets_up_somebody_elses_logger_is_seen(
    area: Logging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "secaudit_other", types.ModuleType("secaudit_other"))
    area.look_closely()
    text = "import logging\ndef use(): logging.getLogger('secaudit_other').setLevel(10)"
    try:
        library(tmp_path, text).use()
        assert seen(look(area)) == [("logging.getLogger('secaudit_other').level", 0, 10)]
    finally:
        logging.root.manager.loggerDict.pop("secaudit_other")


def test_a_logger_of_its_own_is_no_logger_of_the_process(area: Logging) -> None:
    logging.Logger("private").setLevel(logging.ERROR)  # noqa: LOG001
    assert not look(area)


# --- settings


class Strict(logging.Logger): ...


def make_record(*args: object) -> logging.LogRecord:
    return logging.LogRecord(*args)  # type: ignore[arg-type]


def test_the_settings_of_logging_itself(area: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(logging, "raiseExceptions", False)
        patch.setattr(logging, "_loggerClass", Strict)
        patch.setattr(logging, "_logRecordFactory", make_record)
        found = {change.subject: area.said(change) for change in look(area)}
    assert found == {
        "logging.raiseExceptions": "at False (it was True)",
        "logging.getLoggerClass()": f"set to {__name__}.Strict (it was logging.Logger)",
        "logging.getLogRecordFactory()": f"set to {__name__}.make_record (it was logging.LogRecord)",
    }
    assert len(look(area)) == 3
    assert not look(area)


# --- odd objects


class Hostile(logging.Handler):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> object:
        if name in ("level", "handle", "close", "acquire", "release", "lock"):
            return super().__getattribute__(name)
        raise RuntimeError(name)


def test_objects_with_a_mind_of_their_own_survive(area: Logging, logger: logging.Logger) -> None:
    one, other = (Hostile.__new__(Hostile) for _ in range(2))
    logger.handlers = [one]
    assert [change.subject for change in area.look_closely()] == [f"logging.getLogger('{NAME}').handlers[Hostile]"]
    logger.handlers = [other]
    assert sorted(map(area.said, area.look_closely())) == ["in place", "removed"]
    logger.level = other  # type: ignore[assignment]
    (change,) = area.look_closely()
    assert (change.before, change.after) == (30, Held(other))
    logger.handlers = None  # type: ignore[assignment]
    del logger.filters
    assert [area.said(change) for change in area.look_closely()] == ["removed"]
    logger.handlers, logger.filters, logger.level = [], [], 30
    assert [area.said(change) for change in area.look_closely()] == ["at WARNING (it was a Hostile)"]


def test_a_stranger_in_the_place_of_a_logger_survives(area: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(logging.root.manager.loggerDict, "secaudit_stranger", object())  # type: ignore[misc]
    assert not area.look_closely()


def test_a_stranger_in_the_place_of_the_roots_handlers_survives(area: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ROOT, "handlers", object())
        area.look()
        area.look_closely()
    area.look()
    assert not look(area)


# --- logging.disable


@pytest.fixture
def disabling(stack: Stack) -> Iterator[LoggingDisable]:
    taps, was = Taps(), logging.root.manager.disable
    area = LoggingDisable(taps, stack)
    assert not look(area)
    assert not look(area)
    yield area
    taps.take_back()
    logging.disable(was)


def test_logging_switched_off_and_on(disabling: LoggingDisable) -> None:
    logging.disable(logging.CRITICAL)
    wrote = line() - 1
    (change,) = disabling.look()
    assert change == Change("logging.disable", 0, 50, change.site)
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert disabling.said(change) == "at CRITICAL (it was NOTSET)"
    assert not disabling.look()
    logging.disable(logging.NOTSET)
    (back,) = disabling.look()
    assert (back.before, back.after) == (50, 0)
    assert (disabling.code, Logging.code) == ("PSA103", "PSA112")
