"""How customers and drivers are told: by mail, by text message, by letter."""

from __future__ import annotations


def mail(customer: str, words: str) -> None:
    _send("mail", customer, words)


def text(customer: str, words: str) -> None:
    _send("text message", customer, words)


def letter(customer: str, words: str) -> None:
    _send("letter", customer, words)


def ring(customer: str) -> None:
    """The bell at the door: there is nothing to say."""
    _send("ring", customer, "")


def parcel_left(customer: str) -> None:
    text(customer, "your parcel is on the road")


def bill_is_due(customer: str) -> None:
    mail(customer, "your bill is due")


def bill_is_overdue(customer: str) -> None:
    letter(customer, "your bill is overdue")


def _send(kind: str, customer: str, words: str) -> None:
    raise ConnectionError(f"no gateway: a {kind} for {customer} was not sent")
