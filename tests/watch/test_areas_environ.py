"""Environment variables: each is seen once, with its line, and its value never."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.environ import Environ
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)
NAME = "SECAUDIT_EXAMPLE"
SUBJECT = f"os.environ['{NAME}']"


@pytest.fixture
def area(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environ]:
    monkeypatch.setenv(f"{NAME}_THERE", "old")
    with mock.patch.dict(os.environ):
        os.environ.pop(NAME, None)
        taps = Taps()
        area = Environ(taps, STACK)
        assert not area.off
        assert not area.look()
        assert not area.look()
        assert not area.look_closely()
        yield area
        taps.take_back()
        os.unsetenv(NAME)


def line_of(change: Change) -> int:
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.path == __file__
    return change.site.edit.line


def here() -> int:
    return sys._getframe(1).f_lineno


def test_a_variable_that_is_left_and_one_that_is_put_back(area: Environ) -> None:
    os.environ[NAME] = "secret-value"
    wrote = here() - 1
    (change,) = area.look()
    assert (change.subject, change.before, area.said(change)) == (SUBJECT, ABSENT, "set")
    assert line_of(change) == wrote
    assert area.fix(change) == f"monkeypatch.setenv('{NAME}', ...)"
    assert "secret-value" not in repr(change)
    assert not area.look()
    del os.environ[NAME]
    (back,) = area.look()
    assert (back.subject, back.before, back.after) == (SUBJECT, change.after, change.before)
    assert area.said(back) == "removed"
    assert area.fix(back) == f"monkeypatch.delenv('{NAME}', raising=False)"
    assert not area.look()


def test_a_change_is_not_a_removal(area: Environ) -> None:
    os.environ[f"{NAME}_THERE"] = "new"
    (change,) = area.look()
    assert area.said(change) == "changed"
    os.environ[f"{NAME}_THERE"] = "newer"
    (next_change,) = area.look()
    assert next_change.before == change.after
    os.environ[f"{NAME}_THERE"] = "old"
    (back,) = area.look()
    assert back.after == change.before


def test_variables_are_told_apart(area: Environ) -> None:
    os.environ.update({f"{NAME}_A": "1", f"{NAME}_B": "2"})
    os.environ.pop(f"{NAME}_THERE")
    found = {change.subject: area.said(change) for change in area.look()}
    assert found == {
        f"os.environ['{NAME}_A']": "set",
        f"os.environ['{NAME}_B']": "set",
        f"os.environ['{NAME}_THERE']": "removed",
    }


def test_what_is_undone_before_the_next_look_is_no_change(area: Environ) -> None:
    with mock.patch.dict(os.environ, {NAME: "1"}, clear=True):
        assert NAME in os.environ
    os.environ[NAME] = "1"
    del os.environ[NAME]
    os.environ[f"{NAME}_THERE"] = "new"
    os.environ[f"{NAME}_THERE"] = "old"
    assert not area._sites  # so that there is not even a reason to look
    assert not area.look()
    assert not area.look_closely()


def test_the_last_write_is_the_line(area: Environ) -> None:
    os.environ[NAME] = "1"
    del os.environ[NAME]
    os.environ[NAME] = "2"
    wrote = here() - 1
    (change,) = area.look()
    assert line_of(change) == wrote


def test_clear_has_one_line_for_all_and_not_for_what_comes_next(area: Environ) -> None:
    os.environ[NAME] = "1"
    assert area.look()
    os.environ.clear()
    cleared = here() - 1
    os.environ[NAME] = "2"
    wrote = here() - 1
    lines = {change.subject: line_of(change) for change in area.look()}
    assert len(lines) > 1
    assert lines.pop(SUBJECT) == wrote
    assert set(lines.values()) == {cleared}


def test_what_popitem_took_away_here_and_there(area: Environ) -> None:
    names = list(os.environ)
    os.environ.popitem()
    first = here() - 1
    os.environ[f"{NAME}_THERE"] = "new"
    os.environ.popitem()
    second = here() - 1
    lines = {change.subject: line_of(change) for change in area.look()}
    assert lines[f"os.environ[{names[0]!r}]"] == first
    assert lines[f"os.environ[{names[1]!r}]"] == second


@pytest.mark.parametrize(
    "name",
    ["PYTEST_CURRENT_TEST", "PYTEST_VERSION", "COV_CORE_SOURCE", "PYTEST_XDIST_WORKER", "COVERAGE_PROCESS_START"],
)
def test_what_pytest_and_coverage_set_for_themselves_is_silent(area: Environ, name: str) -> None:
    with mock.patch.dict(os.environ, {name: "other"}):
        assert not area.look()
        assert not area.look_closely()
        os.environ.pop(name)
        assert not area.look()
        assert not area.look_closely()
    assert not area.look_closely()


def test_putenv_past_the_mapping(area: Environ) -> None:
    os.putenv(NAME, "1")
    wrote = here() - 1
    (change,) = area.look()
    assert (change.subject, area.said(change)) == (SUBJECT, "set past os.environ")
    assert line_of(change) == wrote
    assert not area.look_closely()
    os.unsetenv(NAME)
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)


def test_putenv_then_the_mapping_is_an_ordinary_variable(area: Environ) -> None:
    os.putenv(NAME, "1")
    os.environ[NAME] = "2"
    (change,) = area.look()
    assert area.said(change) == "set"
    os.unsetenv(NAME)
    (change,) = area.look()
    assert area.said(change) == "removed past os.environ"
    os.putenv(NAME, "2")
    (back,) = area.look()
    assert back.after == change.before


def test_the_mapping_pays_for_putenv(area: Environ) -> None:
    os.putenv(f"{NAME}_THERE", "new")
    (change,) = area.look()
    os.environ[f"{NAME}_THERE"] = "old"
    os.environ[f"{NAME}_THERE"] = "old"
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)


def test_putenv_of_what_is_there_already_is_silent(area: Environ) -> None:
    os.putenv(f"{NAME}_THERE", "old")
    assert not area.look()


@pytest.mark.skipif(os.name == "nt", reason="bytes are for POSIX")
def test_bytes_are_the_same_variables(area: Environ) -> None:
    os.environb[NAME.encode()] = b"\xff"
    (change,) = area.look()
    assert change.subject == SUBJECT
    os.putenv(NAME.encode(), b"\xff")
    assert not area.look()


def test_a_replaced_mapping(area: Environ, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", {"PATH": ""})
        (change,) = area.look()
        assert change.subject == "os.environ"
        assert area.said(change) == "replaced by a dict, which programs that are started do not see"
        assert not area.look()
    (back,) = area.look()
    assert back.after == change.before


def test_a_deleted_mapping(area: Environ, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(os, "environ")
        (change,) = area.look()
        assert change.subject == "os.environ"
    assert area.look()


def test_what_was_written_past_everything_is_found_on_close_inspection(area: Environ) -> None:
    inside = os.environ._data  # type: ignore[attr-defined]
    raw = next(iter(inside))
    old = inside[raw]
    inside[raw] = old + old[:1] * 2
    assert not area.look()
    (change,) = area.look_closely()
    assert area.said(change) == "changed"
    inside[raw] = old
    (back,) = area.look_closely()
    assert back.after == change.before


def test_os_that_is_mocked_while_we_look(area: Environ) -> None:
    with mock.patch("os.putenv"), mock.patch("os.fsencode", side_effect=RuntimeError), mock.patch("os.environ", {}):
        assert [change.subject for change in area.look()] == ["os.environ"]
    assert [change.subject for change in area.look()] == ["os.environ"]


def test_writes_that_fail_fail_as_ever_and_are_no_change(area: Environ) -> None:
    with pytest.raises(ValueError, match="null"):
        os.environ[NAME] = "a\0b"
    with pytest.raises(TypeError):
        os.environ[NAME] = 1  # type: ignore[assignment]
    with pytest.raises(TypeError):
        os.putenv(NAME)  # type: ignore[call-arg]
    assert not area.look()


def test_a_thread_may_write(area: Environ) -> None:
    threads = [threading.Thread(target=os.environ.update, args=({f"{NAME}_{n}": "1"},)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(area.look()) == 8


def test_programs_see_what_was_set(area: Environ) -> None:
    os.putenv(NAME, "for the child")
    code = f"import os; print(os.environ['{NAME}'])"
    environment = {**os.environ, NAME: "for the child"}
    assert (
        "for the child"
        in subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout
    )


def test_our_trouble_is_not_the_users(area: Environ) -> None:
    with mock.patch.object(Stack, "of", side_effect=RuntimeError):
        os.environ[NAME] = "1"
    assert os.environ[NAME] == "1"
    assert [change.subject for change in area.look()] == [SUBJECT]
    with mock.patch.object(Stack, "of", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        os.environ[NAME] = "2"


def test_without_the_private_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    taps = Taps()
    area = Environ(taps, STACK)
    monkeypatch.setattr(area, "_environ", dict(os.environ))
    assert not area.look()
    area._environ[NAME] = "1"
    assert [change.subject for change in area.look_closely()] == [SUBJECT]
    taps.take_back()


def test_nothing_is_left_of_the_taps() -> None:
    before = os.putenv, os.unsetenv
    taps = Taps()
    Environ(taps, STACK)
    taps.take_back()
    assert os.putenv is before[0]
    assert os.unsetenv is before[1]
