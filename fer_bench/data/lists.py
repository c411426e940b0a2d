"""Label lists and tables of a source, line by line, with errors that name the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from fer_bench.data.archive import Source
from fer_bench.errors import UserError, near


def read_table(source: Source, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """(line, values of the asked columns) for every row of a CSV with a header.

    UserError naming the file for a missing column (with its near match), a short row, or broken text.
    """
    place = source.where(name)
    try:
        with io.TextIOWrapper(source.open(name), "utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [cell.strip() for cell in next(rows, [])]
            for column in columns:
                if column not in header:
                    raise UserError(f"{place}: no column '{column}' in its header; {near(column, header)}")
            at = [header.index(column) for column in columns]
            for row in rows:
                if not row:
                    continue
                if len(row) <= max(at):
                    raise UserError(f"{place}:{rows.line_num}: {len(row)} values, the header has "
                                    f"{len(header)}; mend that line")
                yield rows.line_num, [row[i].strip() for i in at]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{place}: not a readable CSV in UTF-8 ({error}); get a clean copy") from None
    except (OSError, KeyError):
        raise UserError(f"{place}: no such file, or not readable; put it there") from None


def label_number(text: str, place: str, lowest: int, highest: int) -> int:
    """A label, a whole number lowest..highest; UserError with place, value and what is allowed."""
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise UserError(f"{place}: label '{text}', expected {lowest}..{highest}; mend that line")
    return value
