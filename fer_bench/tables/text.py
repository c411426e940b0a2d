"""How one cell is printed, whatever the format. Read it for the rounding of numbers and of p."""

from __future__ import annotations

from typing import Any

from fer_bench.tables.model import Cell, Column

NONE = "--"


def cell_text(cell: Cell | None, column: Column) -> str:
    """What a column prints of a cell: "81.23 ± 0.45", "3", "2.0", "0.62", "+1.20 (p=.06)", or "--"."""
    if cell is None:
        return NONE
    if column.show == "n":
        return NONE if cell.n is None else str(cell.n)
    if column.show == "passes":
        return NONE if cell.passes is None else f"{cell.passes:.1f}"
    if column.show == "gap":
        return NONE if cell.gap is None else signed(cell.gap).removeprefix("+")
    if column.show == "gain":
        if cell.gain is None:
            return NONE
        return signed(cell.gain) + ("" if cell.p is None else f" ({p_text(cell.p)})")
    if column.show == "number":
        return f"{cell.value:.3f}" + ("" if cell.std is None else f" ± {cell.std:.3f}")
    return f"{100 * cell.value:.2f}" + ("" if cell.std is None else f" ± {100 * cell.std:.2f}")


def star(cell: Cell | None, column: Column) -> str:
    """The mark of the highest mean of a column; "" elsewhere."""
    return "⋆" if cell and cell.best and column.show == "value" else ""


def signed(value: float) -> str:
    """A difference of fractions in points of percent, with its sign and a true minus: "−0.50"."""
    text = f"{100 * value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def p_text(p: float) -> str:
    """A p as papers print it: "p=.06", "p=.031", "p<.001", "p=1"; three decimals below .055."""
    if p < 0.001:
        return "p<.001"
    text = f"{p:.2f}" if p >= 0.055 else f"{p:.3f}"
    return "p=1" if float(text) == 1 else f"p={text.removeprefix('0')}"


def views_in_words(views: dict[str, dict[str, Any]]) -> str:
    """What each view of a method's own does other than the recipe; what it does not do needs no words. "first (erase
    0.5, erase_scale 0.02 to 0.25), turned (mirror)"."""
    return ", ".join(f"{name} ({_changes(changes)})" for name, changes in views.items())


def _changes(changes: dict[str, Any]) -> str:
    words = []
    for key, value in changes.items():
        if isinstance(value, list | tuple):
            words.append(f"{key} " + " to ".join(f"{v:g}" for v in value))
        elif value:
            words.append(key if value is True else f"{key} {value:g}")
    return ", ".join(words) or "as the recipe, drawn again"
