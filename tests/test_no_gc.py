"""No collection while things are made that stay, and everything as it was afterwards."""

from __future__ import annotations

import gc

import pytest

from pytest_secaudit.no_gc import no_gc


def test_it_is_off_meanwhile_and_on_again_afterwards() -> None:
    with no_gc():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_on_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), no_gc():
        _ = 1 / 0
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with no_gc():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
