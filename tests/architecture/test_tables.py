"""Every table says who may see it, and the database agrees (DB-1…DB-3, D14)."""

import re
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, String
from sqlmodel import SQLModel

from app import wiring
from app.children import below
from app.core.data import retention, revisions, rls
from tests import schema

FORCED = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
  AND NOT c.relispartition
"""


def test_every_table_is_declared_and_every_declaration_is_a_table() -> None:
    wiring.load()
    assert revisions.undeclared() is None, revisions.undeclared()


@schema.whole_tables
async def test_the_database_forces_what_is_declared(tx) -> None:
    rows = await tx.connection.fetch(FORCED)
    assert {row["relname"] for row in rows} == set(rls.TABLES)
    for row in rows:
        declared = rls.TABLES[row["relname"]]
        protected = declared.using is not None
        assert row["relrowsecurity"] == row["relforcerowsecurity"] == protected, row["relname"]
    granted = {tuple(row) for row in await tx.connection.fetch(schema.GRANTED)}
    assert granted - {("alembic_version", "SELECT", None)} == schema.declared()


async def test_no_trigger_of_ours(tx) -> None:
    found = await tx.connection.fetch("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    assert found == []


KEPT_PLAIN = {
    *(
        "actor",
        "address",
        "agency_kind",
        "looked_by",
        "subject",
        "answered_by",
        "as_role",
        "bearer_role",
        "bound_as",
        "caller",
    ),
    *("class_key", "class_name", "closed_because", "codes", "decision", "description"),
    *("dismissal_by", "end_reason", "error", "ethnic_group", "event_id", "failure", "found_by"),
    *(
        "ip",
        "key",
        "kind",
        "made_by",
        "parameter",
        "tally",
        "value",
        "no_resident_id_reason",
        "number",
        "opened_by",
        "operation",
        "order_number",
        "path",
        "scope",
    ),
    *("ordered_by", "outcome", "owner_role", "password_hash", "period", "police_reference"),
    *("purpose", "reason", "received_by", "recorded_by", "reference", "replaced_by"),
    *("request_id", "return_kind", "role", "rule", "section", "sender", "sender_ref", "sent_by"),
    *(
        "settled_by",
        "sought",  # marks by a key, nothing that was searched for
        "source",
        "stand_in",
        "stands_in_for",
        "stated_by",
        "submitted_by",
        "submitted_role",
    ),
    *("taken_back_by", "taken_by", "their_answer", "their_answered_by", "to_kind", "url"),
    *(
        "closed_by",
        "collection",
        "copied_by",
        "erased_by",
        "restriction_ended_by",
        "withdrawal_recorded_by",
    ),
    *("cancelled_by", "username", "waived_by", "waiver_by", "webhook_id", "wire_name"),
    *("withdrawal_by", "withdrawal_confirmed_by"),
    *("categories", "counted", "differs", "changed", "disposed_as", "doubts", "event_types"),
    *("field_groups", "findings", "found", "incomplete_as", "key_ids", "lacking", "needs"),
    *("policies_explained", "priority_flags", "sections", "situations", "told", "undecided"),
    *("hukou", "residence", "guardianship", "education", "health", "welfare"),  # what is Counted
    *("name", "name_canonical", "name_reversed", "name_pinyin", "name_initials"),
    *("name_pinyin_2", "name_initials_2", "name_pinyin_3", "name_initials_3"),
}
"""Columns of protected tables with text in clear: codes, and names to search by. One more is a
decision, no oversight: what people write is sealed.
"""


def _holds_text(column: Column[Any]) -> bool:
    kind = getattr(column.type, "item_type", column.type)
    return isinstance(getattr(kind, "impl", kind), String | JSON)


def test_text_is_sealed_unless_it_was_decided_otherwise() -> None:
    wiring.load()
    for table in SQLModel.metadata.tables.values():
        columns = {each.name for each in table.columns if _holds_text(each)}
        if rls.TABLES[table.name].using is None:
            about = "child_id" in table.columns and table.name not in NOT_BELOW
            assert not about, f"{table.name} is about children: protect it"
            continue
        rules = [
            str(each.sqltext) for each in table.constraints if isinstance(each, CheckConstraint)
        ]
        closed = {name for name in columns if re.search(rf"\b{name}\b", " ".join(rules))}
        assert columns - closed <= KEPT_PLAIN, f"{table.name}: {columns - closed - KEPT_PLAIN}"


def test_every_policy_compares_the_row_with_the_caller() -> None:
    wiring.load()
    for table in rls.TABLES.values():
        if table.using is not None and table.name not in ASKS_ANOTHER_TABLE:
            assert "current_setting('tonghu." in table.using, f"{table.name} is open to everybody"


NOT_BELOW: dict[str, str] = {
    "child_keys": "a key opens nothing without the file of keys, and everything that whoever still"
    " sees a row of a child that moved on may read (ADR 63)",
}
"""Tables with a child that does not follow it, each with its reason."""

ASKS_ANOTHER_TABLE = {
    "police_report_steps": "visible when the report is, whose parties are a set",
    "police_reporters": "visible to the agency in charge of the report",
    **dict.fromkeys(
        ("approvals", "audit_entries", "reviews", "unresolved", "webhook_deliveries"),
        "whom a report speaks against may be known long after the row was written",
    ),
}

NATIONWIDE = {
    "pk_resident_ids": "one number, one child, in the whole nation",
}
"""Unique rules without the county, each with its reason."""


def _following() -> set[str]:
    return {table for level in below.FOLLOWING for table in level}


async def test_whatever_belongs_to_a_child_lies_below_it(tx) -> None:
    owned = await tx.connection.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'child_id' AND is_nullable = 'NO'"
    )
    assert {row["table_name"] for row in owned} == _following() | set(NOT_BELOW)


async def test_what_lies_below_a_child_carries_its_place(tx) -> None:
    for table in sorted(_following()):
        columns = await tx.connection.fetch(
            "SELECT column_name, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = $1",
            table,
        )
        nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in columns}
        carried = {name: nullable[name] for name in below.BelowChild.model_fields}
        assert carried == {
            "home_county": False,
            "child_id": False,
            "region_code": False,
            "pupil_of": True,
        }, table
        led = await tx.connection.fetch(
            "SELECT 1 FROM pg_index i JOIN pg_attribute a"
            " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " WHERE i.indrelid = $1::text::regclass AND a.attname = 'child_id'"
            " AND i.indpred IS NULL",
            table,
        )
        assert led, f"no index of {table} begins with child_id: every move would read all of it"


async def test_keys_of_children_and_below_name_a_row_within_its_county(tx) -> None:
    tables = ["children", *sorted(_following())]
    unique = await tx.connection.fetch(
        "SELECT i.indexrelid::regclass::text AS name FROM pg_index i"
        " WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND i.indisunique AND NOT EXISTS ("
        " SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
        " AND a.attname = 'home_county')",
        tables,
    )
    assert {row["name"] for row in unique} == set(NATIONWIDE)
    foreign = await tx.connection.fetch(
        "SELECT c.conrelid::regclass::text AS name, pg_get_constraintdef(c.oid) AS says"
        " FROM pg_constraint c WHERE c.contype = 'f'"
        " AND c.confrelid = ANY ($1::text[]::regclass[])",
        tables,
    )
    assert foreign
    for row in foreign:
        assert row["says"].startswith("FOREIGN KEY (home_county, "), row


async def test_no_policy_looks_at_another_table(tx) -> None:
    policies = await tx.connection.fetch(
        "SELECT tablename, coalesce(qual, '') || coalesce(with_check, '') AS says FROM pg_policies"
    )
    looking = {row["tablename"] for row in policies if "SELECT" in row["says"].upper()}
    assert looking == set(ASKS_ANOTHER_TABLE)
    # A range stands in a CASE: bare, the planner takes it for the caller of the moment's.
    bare = [
        r["tablename"] for r in policies if "region_code" in r["says"] and "CASE" not in r["says"]
    ]
    assert bare == []


OTHERWISE = {
    "event_named": "goes with the event",
    "spooled_reports": "goes when it is filed",
    "revocations": "goes when the token would have expired",
    "used_assertions": "goes when it could not be used again anyway",
    "used_proofs": "goes when it could not be used again anyway",
    "pushed_requests": "goes when it is used, or when it counts no more",
    "resident_ids": "one row a child and number, deleted with either",
    "child_external_ids": "one row a child and number, deleted with either",
    "child_names": "what belongs to a name, written anew with it",
    "child_aliases": "what a file was called before, deleted when files are parted",
}
"""Tables of rows that never change, of which each is somebody's to delete."""


def test_what_only_grows_is_kept_for_a_time_or_for_ever_with_a_reason() -> None:
    wiring.load()
    never_change = {
        name
        for name, table in rls.TABLES.items()
        if "UPDATE" not in re.sub(r"UPDATE \([^)]*\)", "", table.privileges)
    }
    kinds, for_ever = set(retention.KINDS), set(retention.FOR_EVER)
    unsaid = sorted(never_change - kinds - for_ever - set(OTHERWISE))
    assert not unsaid, (
        f"Nothing of {unsaid} is ever changed: beside the model, call retention.keep if its rows go"
        " after a time, or retention.for_ever with the reason"
    )
    assert not kinds & for_ever
    assert kinds | for_ever | set(OTHERWISE) <= set(rls.TABLES)
    assert {each for each in for_ever if each.startswith("audit")} == {
        *("audit_children", "audit_entries"),
        *("audit_leaves", "audit_nodes", "audit_checkpoints", "audit_cosignatures"),
        *("audit_presented", "audit_logs"),
    }
    for name in kinds:
        assert "DELETE" in rls.TABLES[name].privileges, (
            f"rows of {name} go (retention.keep): give the app DELETE, beside its model"
        )


async def test_what_goes_is_found_by_an_index(tx) -> None:
    wiring.load()
    led = await tx.connection.fetch(
        "SELECT i.indrelid::regclass::text, a.attname FROM pg_index i"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " WHERE i.indpred IS NULL"
    )
    kinds = {(kind.table, kind.along) for kind in retention.KINDS.values()}
    assert kinds | {("event_named", "position")} <= {tuple(row) for row in led}
