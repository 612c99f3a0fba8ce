"""Every column of bytes says what it holds: what is sealed, under whose key (docs/keys.md)."""

import re
from pathlib import Path

from sqlalchemy import LargeBinary
from sqlmodel import SQLModel

from app import wiring
from app.core.data import rls, sealed
from app.core.data.envelopes import SUITES, Whose

wiring.load()

DIGESTS = re.compile(r"(^|_)(index|mac|hash|sha256|fingerprint|mark|claim|recovery)$")
"""Columns of digests."""
OTHERS = {
    ("attendance_batches", "answer"): "counts and ids of a receipt, packed",
    ("audit_checkpoints", "root"): "a digest of digests, told to witnesses",
    ("audit_logs", "old_root"): "the same, of the log that was gone on from",
    ("audit_presented", "root"): "the same, as a witness holds it",
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
    differ = sorted(unsaid ^ OTHERS.keys())
    assert not differ, f"of bytes, and in no `sealed.…` below its model nor in OTHERS: {differ}"
    assert declared() <= of_bytes()


def test_what_concerns_a_child_is_under_its_key() -> None:
    """A row that names a child and is sealed under the service's outlives the child's key."""
    service = {each.table for each in sealed.TABLES if each.whose is None and not each.by_value}
    named = {
        table.name
        for table in SQLModel.metadata.tables.values()
        if "child_id" in table.columns and table.name in service
    }
    assert named == {"child_keys"}


def test_the_page_names_each_suite_owner_and_column() -> None:
    for number, how in SUITES.items():
        assert f"| `0x{number:02x}` | {how.partition(':')[0]} |" in PAGE
    for whose in Whose:
        assert f"| {whose.value} | {whose.name} |" in PAGE
    for each in sealed.TABLES:
        table = each.table
        assert f"`{table}`" in PAGE, f"docs/keys.md: a row for {table} under whose key it lies"
        for column in each.places:
            assert f"`{column}`" in PAGE, f"docs/keys.md: name {column} in the row of {table}"


def test_tables_of_keys_may_be_changed_by_the_app_only_as_far_as_it_must() -> None:
    assert rls.TABLES["child_keys"].privileges == "SELECT, INSERT, UPDATE"
    assert "DELETE" not in rls.TABLES["report_keys"].privileges


_WHOLE = re.compile(r"SELECT (r\.)?\*\s+FROM police_report(s|_steps)\b")
_KNOWN_AGAIN = {"counting.py", "steps.py", "queries.py", "hidden.py", "jobs.py"}
"""Steps, through `fetching.steps` or to know one again; and what reads no codes."""


def test_reports_are_fetched_in_one_way() -> None:
    """Whoever selects all of a report has codes that are sealed, and no key for them."""
    found = {
        path.name: whole[0]
        for path in Path("app").rglob("*.py")
        for whole in _WHOLE.finditer(path.read_text())
    }
    assert found.keys() <= _KNOWN_AGAIN
    assert {path for path, said in found.items() if "_steps" not in said} == {
        "hidden.py",
        "jobs.py",
    }
