"""Orders are written into files: the files, the folder and the command line are the whole process's."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from shop import exports, payments
from shop.orders import Order

PAID = Order("ada", {"tea": 1}, status="paid")

# --- what belongs to the process, and stays as the test leaves it


def test_the_bank_of_the_test_is_asked():
    os.environ["SHOP_BANK_URL"] = "http://localhost:8025"  # planted: PSA101
    assert payments.bank_url() == "http://localhost:8025"


def test_the_bank_of_the_test_is_asked_rightly(monkeypatch):
    monkeypatch.setenv("SHOP_BANK_URL", "http://localhost:8026")
    assert payments.bank_url() == "http://localhost:8026"


def test_a_bank_without_address():
    os.environ["SHOP_BANK_URL"] = " "  # planted: PSA101
    assert not payments.bank_url().strip()
    del os.environ["SHOP_BANK_URL"]


def test_a_bank_without_address_rightly(monkeypatch):
    monkeypatch.setenv("SHOP_BANK_URL", " ")
    assert not payments.bank_url().strip()


def test_orders_go_into_the_current_folder(tmp_path):
    os.chdir(tmp_path)  # planted: PSA102
    exports.export([PAID])
    assert Path("orders.csv").read_text() == "ada,paid\n"


def test_orders_go_into_the_current_folder_rightly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exports.export([PAID])
    assert Path("orders.csv").read_text() == "ada,paid\n"


def test_customers_are_named_on_the_command_line():
    sys.argv = ["shop-export", "ada"]  # planted: PSA103
    assert exports.customers_asked_for() == ["ada"]


def test_customers_are_named_on_the_command_line_rightly(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["shop-export", "ada"])
    assert exports.customers_asked_for() == ["ada"]


# --- what stays on the disk


def test_orders_go_into_a_folder():
    folder = tempfile.mkdtemp()  # planted: PSA602
    path = exports.export([PAID], Path(folder))
    assert path.read_text() == "ada,paid\n"


def test_orders_go_into_a_folder_rightly(tmp_path):
    path = exports.export([PAID], tmp_path)
    assert path.read_text() == "ada,paid\n"
