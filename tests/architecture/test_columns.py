"""Of each column that may hold words it is said what a dump shows of it (`columns.toml`)."""

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import ARRAY, LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from app.children import naming, rows

DECLARED: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "columns.toml").read_text()
)
KINDS = {"code", "office", "class", "hash", "digest", "packed", "sealed", "former"}


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
    assert sorted(name for names in declared.values() for name in names) == there


def test_what_is_called_sealed_is_and_nothing_else() -> None:
    otherwise = {"idempotency_keys.answer", "spooled_reports.sealed"}
    otherwise |= {"child_keys.wrapped", "report_keys.wrapped", "report_keys.reporter_wrapped"}
    named = {
        f"{table}.{name}"
        for table, kinds in DECLARED.items()
        for names in kinds.values()
        for name in names
        if name.endswith("_sealed")
    }
    assert _all_of("sealed") == named | otherwise


def test_what_was_plain_before_is_what_is_blanked() -> None:
    blanked = {f"children.{name}" for name in naming.BLANK}
    blanked |= {f"{table}.{column}" for table, column in rows.BLANK}
    assert _all_of("former") == blanked | {"police_reports.situations"}


def _all_of(kind: str) -> set[str]:
    return {f"{table}.{name}" for table, kinds in DECLARED.items() for name in kinds.get(kind, ())}
