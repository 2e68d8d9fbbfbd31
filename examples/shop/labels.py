"""Labels for parcels, from a printer whose driver is installed at the warehouse only."""

from __future__ import annotations


def label(parcel: str, street: str) -> int:
    """Print a label, and say how many are left on the roll."""
    import label_printer  # type: ignore[import-not-found]

    left: int = label_printer.put_out(f"{parcel}\n{street}")
    return left
