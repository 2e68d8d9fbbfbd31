"""Labels are printed, with a stand-in for the driver of the printer that no test machine has."""

from __future__ import annotations

import sys
from unittest import mock

import pytest

from shop.labels import label

sys.modules["label_printer"] = mock.Mock()  # planted: PSA107


def test_a_label_is_printed():
    sys.modules["label_printer"].put_out.return_value = 99
    assert label("tea", "Mill Lane 3") == 99


@pytest.fixture
def printer():
    driver = mock.Mock(spec_set=["put_out"])
    with mock.patch.dict(sys.modules, {"label_printer": driver}):
        yield driver


def test_a_label_is_printed_rightly(printer):
    printer.put_out.return_value = 98
    assert label("tea", "Mill Lane 3") == 98
    printer.put_out.assert_called_once_with("tea\nMill Lane 3")
