"""Label lists and tables of a source, line by line, with errors that name the line."""

from __future__ import annotations

import csv
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain

from fer_bench.data.archive import Source
from fer_bench.errors import UserError, near

# What a bad file may cost is bounded, and every published set fits: the largest has 450,000 labelled faces, some 30 MB
# of list. Tables hold more a line: fer2013.csv its pixels (300 MB), others landmarks.
MOST_LINES = 600_000
MOST_CHARACTERS = 2**16  # of a line
MOST_CELLS = 1000  # of a line of a table
MOST_LIST = 2**26  # bytes
MOST_TABLE = 2**29  # bytes
DELIMITERS = ",;\t|"


def read_lines(source: Source, name: str, most: int, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """(line, text) of a file in UTF-8, with its line end. UserError naming the file where it is not there, is not
    readable as text, or is larger than ``most`` bytes, and the line that is too many or too long."""
    place = source.where(name)
    try:
        with io.TextIOWrapper(source.open(name, most), "utf-8-sig", errors, newline="") as file:
            line = 0
            while text := file.readline(MOST_CHARACTERS + 1):
                line += 1
                if line > MOST_LINES or len(text) > MOST_CHARACTERS:
                    what = "a line too many" if line > MOST_LINES else "the line is too long"
                    raise UserError(f"{place}:{line}: {what}, expected at most {MOST_LINES:,} lines of "
                                    f"{MOST_CHARACTERS:,} characters; get a clean copy, or split the data")
                yield line, text
    except (UnicodeDecodeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UserError(f"{place}: not readable as text in UTF-8 ({error}); get a clean copy") from None
    except (OSError, KeyError):
        raise UserError(f"{place}: no such file, or not readable; put it there") from None


def read_words(source: Source, name: str, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """(line, words) of a list, empty lines left out; errors as ``read_lines``."""
    return ((line, words) for line, text in read_lines(source, name, MOST_LIST, errors) if (words := text.split()))


def read_cells(source: Source, name: str, delimiter: str = "") -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a CSV, empty lines left out; separated by the delimiter or, where none is given, by what
    separates the first line, which is a header then. Errors as ``read_lines``, also for what is no CSV or has no
    header."""
    place = source.where(name)
    texts = (text for _, text in read_lines(source, name, MOST_TABLE))
    first = next(texts, "")
    if not delimiter and not any(map(str.isalnum, first)):
        raise UserError(f"{place}: its first line is empty, expected a CSV with a header; get a clean copy")
    rows = csv.reader(chain([first], texts), delimiter=delimiter or max(DELIMITERS, key=first.count))
    try:
        for row in rows:
            if len(row) > MOST_CELLS:
                raise UserError(f"{place}:{rows.line_num}: {len(row):,} values, expected {MOST_CELLS:,} at most; get a "
                                "clean copy, or leave columns out")
            if any(cell.strip() for cell in row):
                yield rows.line_num, row
    except csv.Error as error:
        raise UserError(f"{place}:{rows.line_num}: not readable as a CSV ({error}); get a clean copy") from None


def read_table(source: Source, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """(line, values of the asked columns) for every row of a CSV with a header.

    UserError naming the file for a missing column (with its near match), a short row, or broken text.
    """
    place, rows = source.where(name), read_cells(source, name)
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
