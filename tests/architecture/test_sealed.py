"""Every column of bytes says what it holds: what is sealed, under whose key (docs/keys.md)."""

import re
from pathlib import Path

from sqlalchemy import LargeBinary
from sqlmodel import SQLModel

from app.core.data import rls, sealed
from app.core.data.envelopes import SUITES, Whose
from tests import schema  # noqa: F401  every table is known

DIGESTS = re.compile(r"(^|_)(index|mac|hash|sha256|fingerprint|mark|claim|recovery|body)$")
"""Columns of digests, and of events' bodies, which hold codes and ids."""
OTHERS = {
    ("attendance_batches", "answer"): "counts and ids of a receipt, packed",
    ("audit_checkpoints", "root"): "a digest of digests, told to witnesses",
    ("key_checks", "shown"): "what a key is known by, and public keys",
    ("spooled_reports", "sealed"): "to a key of the spool, till it is filed",
}
PAGE = Path("docs/keys.md").read_text()


def of_bytes() -> set[tuple[str, str]]:
    return {
        (table.name, column.name)
        for table in SQLModel.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }


def declared() -> set[tuple[str, str]]:
    return {(each.table, column) for each in sealed.TABLES for column in each.places}


def test_a_sealed_column_is_declared() -> None:
    unsaid = {
        (table, column) for table, column in of_bytes() if not DIGESTS.search(column)
    } - declared()
    assert unsaid == OTHERS.keys()
    assert declared() <= of_bytes()


def test_what_concerns_a_child_is_under_its_key() -> None:
    """A row that names a child and is sealed under the service's outlives the child's key."""
    service = {each.table for each in sealed.TABLES if each.whose is None}
    named = {
        table.name
        for table in SQLModel.metadata.tables.values()
        if "child_id" in table.columns and table.name in service
    }
    # What a report says happened: of no file, and never erased.
    assert named == {"child_keys", "police_reports"}


def test_the_page_names_each_suite_owner_and_column() -> None:
    for number, how in SUITES.items():
        assert f"| `0x{number:02x}` | {how.partition(':')[0]} |" in PAGE
    for whose in Whose:
        assert f"| {whose.value} | {whose.name} |" in PAGE
    for each in sealed.TABLES:
        table = each.table
        assert f"`{table}`" in PAGE, table
        for column in each.places:
            assert f"`{column}`" in PAGE, (table, column)


def test_tables_of_keys_may_be_changed_by_the_app_only_as_far_as_it_must() -> None:
    assert rls.TABLES["child_keys"].privileges == "SELECT, INSERT, UPDATE"
    assert "DELETE" not in rls.TABLES["report_keys"].privileges
