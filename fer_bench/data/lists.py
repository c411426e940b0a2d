"""Label lists and tables of a source, line by line, with errors that name the line."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain

from fer_bench.data.archive import Source
from fer_bench.errors import UserError, near

MOST_HEADER = 2**16  # characters of a header
DELIMITERS = ",;\t|"


def read_rows(source: Source, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a CSV, the header first, empty lines left out; separated by what separates the header. UserError
    naming the file for broken text, or where there is no header."""
    place = source.where(name)
    try:
        with io.TextIOWrapper(source.open(name), "utf-8-sig", newline="") as file:
            first = file.readline(MOST_HEADER)
            if not first.strip():
                raise UserError(f"{place}: is empty, expected a CSV with a header; get a clean copy")
            delimiter = max(DELIMITERS, key=first.count)
            rows = csv.reader(chain([first], file), delimiter=delimiter)
            for row in rows:
                if any(cell.strip() for cell in row):
                    yield rows.line_num, row
    except (UnicodeDecodeError, csv.Error, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{place}: not a readable CSV in UTF-8 ({error}); get a clean copy") from None
    except (OSError, KeyError):
        raise UserError(f"{place}: no such file, or not readable; put it there") from None


def read_table(source: Source, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """(line, values of the asked columns) for every row of a CSV with a header.

    UserError naming the file for a missing column (with its near match), a short row, or broken text.
    """
    place, rows = source.where(name), read_rows(source, name)
    _, cells = next(rows)
    header = [cell.strip() for cell in cells]
    for column in columns:
        if column not in header:
            raise UserError(f"{place}: no column '{column}' in its header; {near(column, header)}")
    at = [header.index(column) for column in columns]
    for line, row in rows:
        if len(row) <= max(at):
            raise UserError(f"{place}:{line}: {len(row)} values, the header has {len(header)}; mend that line")
        yield line, [row[i].strip() for i in at]


def label_number(text: str, place: str, lowest: int, highest: int) -> int:
    """A label, a whole number lowest..highest; UserError with place, value and what is allowed."""
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise UserError(f"{place}: label '{text}', expected {lowest}..{highest}; mend that line")
    return value
