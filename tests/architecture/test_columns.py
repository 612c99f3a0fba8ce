"""Of each column that may hold words it is said what a dump shows of it (`columns.toml`)."""

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import ARRAY, LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from app.children import naming, rows
from app.core.data import sealed
from app.police_reports import report_keys
from app.referrals import models as referrals

DECLARED: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "columns.toml").read_text()
)
KINDS = {"code", "office", "class", "hash", "digest", "packed", "former", "early"}
TO_THE_SPOOL = ("spooled_reports", "sealed")
"""Sealed so that who wrote it cannot read it."""


def holds_words(kind: TypeEngine[object]) -> bool:
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    of_each = kind.item_type if isinstance(kind, ARRAY) else kind
    return isinstance(of_each, (String, LargeBinary, JSONB))


@pytest.mark.parametrize("table", sorted(SQLModel.metadata.tables))
def test_each_column_that_may_hold_words_is_declared_once(table: str) -> None:
    columns = SQLModel.metadata.tables[table].columns
    there = sorted(column.name for column in columns if holds_words(column.type))
    declared = DECLARED.get(table, {})
    assert declared.keys() <= KINDS
    hidden = [name for of, name in _sealed() if of == table]
    said = sorted([*hidden, *(name for names in declared.values() for name in names)])
    differ = sorted({*said} ^ {*there})
    assert said == there, f"say once what each holds, in columns.toml or by `sealed.…`: {differ}"


def _sealed() -> set[tuple[str, str]]:
    declared = {(each.table, column) for each in sealed.TABLES for column in each.places}
    return declared | {TO_THE_SPOOL}


def test_what_was_plain_before_is_what_is_blanked() -> None:
    blanked = {f"children.{name}" for name in naming.BLANK}
    blanked |= {f"{table}.{column}" for table, column in rows.BLANK}
    blanked |= {f"police_reports.{name}" for name in report_keys.CODES}
    blanked |= {f"referrals.{name}" for name in referrals.CODES}
    assert _all_of("former") == blanked


def _all_of(kind: str) -> set[str]:
    return {f"{table}.{name}" for table, kinds in DECLARED.items() for name in kinds.get(kind, ())}
