"""Orders: what is bought, what it costs, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from shop import payments


class OutOfStock(Exception):
    """There is not enough of an article."""


@dataclass
class Order:
    customer: str
    lines: dict[str, int] = field(default_factory=dict)
    status: str = "new"


class Desk:
    """Takes orders, charges for them, and sends the receipt."""

    def __init__(self, prices: dict[str, int], stock: dict[str, int], mailer: object) -> None:
        self.prices = prices
        self.stock = stock
        self.mailer = mailer
        self.placed: list[Order] = []

    def total(self, order: Order) -> int:
        return sum(self.prices[article] * count for article, count in order.lines.items())

    def place(self, order: Order) -> Order:
        """Charge for the order and take it from the stock.

        Raises:
            OutOfStock: when an article is missing; nothing is charged then.
        """
        for article, count in order.lines.items():
            if self.stock.get(article, 0) < count:
                raise OutOfStock(article)
        payments.charge(order.customer, self.total(order))
        for article, count in order.lines.items():
            self.stock[article] -= count
        order.status = "paid"
        self.placed.append(order)
        self.mailer.send(order.customer, "receipt")  # type: ignore[attr-defined]
        return order

    def paid_orders(self, customer: str) -> list[Order]:
        return [order for order in self.placed if order.customer == customer and order.status == "paid"]

    def cancel(self, order: Order) -> None:
        if order.status == "paid":
            payments.refund(order.customer, self.total(order))
        order.status = "cancelled"
