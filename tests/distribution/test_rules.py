"""What Citus 14 asks of a schema is true of the migrated one, before there is any Citus (ADR 36).

Each test is one of its rules, with the words in which its source (`citusdata/citus`, the file is
named) or its manual says so. What a rule is asked of is what `distribution` declares.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlmodel import SQLModel

import app
from app import wiring
from app.core.data import distribution, revisions
from tests import schema

pytestmark = pytest.mark.xdist_group("schema")

HOME = Path(app.__file__).parent


class Catalogue:
    """That of a database, asked on one connection."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        self._runner = runner
        self.connection = runner.run(asyncpg.connect(url))

    def __call__(self, query: str, *arguments: Any) -> list[Any]:
        return self._runner.run(self.connection.fetch(query, *arguments))

    def run(self, statements: str) -> None:
        self._runner.run(self.connection.execute(statements))


@pytest.fixture(scope="module")
def ask(pg: str, at_head: Callable[[], str]) -> Iterator[Catalogue]:
    """Asks the catalogue of a database that all revisions made."""
    name = f"tonghu_rules_{os.getpid()}"
    urls = schema.copy(pg, at_head(), name)
    wiring.load()

    with asyncio.Runner() as runner:
        catalogue = Catalogue(runner, urls.owner)
        yield catalogue
        runner.run(catalogue.connection.close())
        runner.run(schema.drop(pg, name))


def _spread() -> list[str]:
    return sorted(distribution.SPREAD)


def _of_citus() -> list[str]:
    """What Citus takes over: it asks the same of tables that are everywhere as of those spread."""
    return sorted({*distribution.SPREAD, *distribution.EVERYWHERE})


def _kind(table: str) -> str:
    if table in distribution.SPREAD:
        return "spread"
    return "everywhere" if table in distribution.EVERYWHERE else "in one place"


def test_every_table_says_once_where_its_rows_lie() -> None:
    wiring.load()
    tables = {name: table.columns.keys() for name, table in SQLModel.metadata.tables.items()}
    said = [*distribution.SPREAD, *distribution.EVERYWHERE, *distribution.IN_ONE_PLACE]
    assert distribution.undeclared(tables) is None, distribution.undeclared(tables)
    assert sorted(said) == sorted(tables), "of a table that is none, or twice of one"
    assert distribution.undeclared({**tables, "moods": ["code"]}) == (
        "The table moods does not say where its rows lie: beside its model, call"
        ' distribution.by("moods", "home_county") if a county owns them, distribution.everywhere if'
        " it is small and joined by everybody, or distribution.in_one_place with the reason."
    )


def test_a_table_has_the_column_that_it_is_spread_by(monkeypatch) -> None:
    monkeypatch.setitem(distribution.SPREAD, "visits", "county")
    assert revisions.undeclared() == (
        "The table visits is spread by county, which is no column of it: give it the column,"
        " required and in its primary key, or name another in distribution.by."
    )


KEYS = """
SELECT i.indrelid::regclass::text AS of, i.indexrelid::regclass::text AS name,
    ARRAY(SELECT a.attname::text FROM pg_attribute a
          WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) AS columns
FROM pg_index i WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND i.indisunique
"""


def test_every_key_and_unique_rule_holds_the_column(ask) -> None:
    """Citus: "Distributed relations cannot have UNIQUE, EXCLUDE, or PRIMARY KEY constraints that do
    not include the partition column (with an equality operator if EXCLUDE)."
    """
    rows = ask(KEYS, _spread())
    assert {row["of"] for row in rows} == set(_spread()), "a table without a key"
    without = [r["name"] for r in rows if distribution.SPREAD[r["of"]] not in r["columns"]]
    assert without == []
    excluding = "SELECT conname FROM pg_constraint WHERE contype = 'x'"
    assert ask(excluding) == [], "none so far: let one compare the column by equality"


FOREIGN = """
SELECT c.conrelid::regclass::text AS of, c.confrelid::regclass::text AS to, c.conname::text AS name,
    c.confdeltype::text AS deleted, c.confupdtype::text AS updated,
    ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (n, i)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY i) AS columns,
    ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k (n, i)
          JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY i) AS named
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
WHERE c.contype = 'f' AND NOT t.relispartition AND c.conparentid = 0
"""
MAY_POINT = {
    ("spread", "spread"),
    ("spread", "everywhere"),
    ("everywhere", "everywhere"),
    ("in one place", "everywhere"),
    ("in one place", "in one place"),
}


def test_foreign_keys_lead_where_citus_follows(ask) -> None:
    """Citus: "A distributed table can only have foreign keys if it is referencing another colocated
    hash distributed table or a reference table"; "Reference tables and local tables can only have
    foreign keys to reference tables and local tables" (foreign_constraint.c). The last, from one
    that is everywhere to one in one place, is left out: rows there are not there for the others.
    """
    rows = ask(FOREIGN)
    assert len(rows) > 40
    wrong = [r["name"] for r in rows if (_kind(r["of"]), _kind(r["to"])) not in MAY_POINT]
    assert wrong == []


def test_foreign_keys_between_spread_tables_hold_the_column_at_the_same_place(ask) -> None:
    """Citus: "Foreign keys are supported in two cases, either in between two colocated tables
    including partition column in the same ordinal in the both tables or from distributed to
    reference tables" (foreign_constraint.c). A table that names itself is no exception.
    """
    rows = [r for r in ask(FOREIGN) if _kind(r["of"]) == _kind(r["to"]) == "spread"]
    assert len(rows) > 20
    for row in rows:
        column = distribution.SPREAD[row["of"]]
        assert column == distribution.SPREAD[row["to"]], f"{row['of']} lies apart from {row['to']}"
        assert (column, column) in zip(row["columns"], row["named"], strict=True), row["name"]


def test_no_foreign_key_would_change_the_column(ask) -> None:
    """Citus: "SET NULL or SET DEFAULT is not supported in ON DELETE operation when distribution key
    is included in the foreign key constraint", and "SET NULL, SET DEFAULT or CASCADE is not
    supported in ON UPDATE operation" (foreign_constraint.c). Of ours none does anything.
    """
    assert {(r["deleted"], r["updated"]) for r in ask(FOREIGN)} == {("a", "a")}


def test_no_table_has_triggers(ask) -> None:
    """Citus: "cannot distribute relation because it has triggers" (create_distributed_table.c)."""
    assert ask("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []


def test_no_policy_has_a_subquery(ask) -> None:
    """Citus: "Subqueries are not supported in policies on distributed tables" (policy.c): of any
    form, as the tree of the expression says.
    """
    asking = ask(
        "SELECT polrelid::regclass::text AS of FROM pg_policy"
        " WHERE polqual::text LIKE '%{SUBLINK%' OR polwithcheck::text LIKE '%{SUBLINK%'"
    )
    asking = {row["of"] for row in asking}
    assert asking, "those in one place do: the test sees them"
    assert asking.intersection(_of_citus()) == set()


COLUMN = """
SELECT a.attrelid::regclass::text AS of, a.attnotnull, a.attgenerated::text, a.attidentity::text,
    a.atthasdef, a.atttypid::regtype::text AS type, coalesce(l.collisdeterministic, true) AS exact
FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
JOIN UNNEST($1::text[], $2::text[]) AS d (name, col)
    ON a.attrelid = d.name::regclass AND a.attname = d.col
"""


def _columns(ask) -> list[Any]:
    rows = ask(COLUMN, _spread(), [distribution.SPREAD[name] for name in _spread()])
    assert len(rows) == len(_spread())
    return rows


def test_the_column_is_always_there_and_of_no_other(ask) -> None:
    """Citus: "cannot perform an INSERT with NULL in the partition column"; "Distribution column
    must not use GENERATED ALWAYS AS (...) STORED"; "Hash distributed partition columns may not use
    a non deterministic collation" (create_distributed_table.c).
    """
    for row in _columns(ask):
        assert row["attnotnull"], row
        assert (row["attgenerated"], row["attidentity"], row["atthasdef"]) == ("", "", False), row
        assert row["exact"], row


def test_what_is_spread_by_one_column_lies_together(ask) -> None:
    """Tables are colocated that have "the same distribution column type, shard count, and
    replication factor" (the manual: Creating and Modifying Distributed Tables).
    """
    types: dict[str, set[str]] = {}
    for row in _columns(ask):
        types.setdefault(distribution.SPREAD[row["of"]], set()).add(row["type"])
    assert types == {"home_county": {"bigint"}, "agency_id": {"uuid"}, "index": {"bytea"}}


def test_no_number_is_drawn_on_several_machines(ask) -> None:
    """Citus: "smallint identity column can not be distributed", nor an int one
    (generated_identities). A bigint may be; ids are made by who writes the row, so there is none.
    """
    drawn = ask(
        "SELECT a.attrelid::regclass::text, a.attname FROM pg_attribute a"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE a.attrelid = ANY ($1::text[]::regclass[]) AND (a.attidentity <> ''"
        " OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%')",
        _of_citus(),
    )
    assert drawn == []


def test_tables_are_plain(ask) -> None:
    """Citus: "distributing multi-level partitioned tables is not supported"; "cannot distribute a
    temporary table" (create_distributed_table.c). Unlogged and inheriting ones, of which the source
    we read says nothing, are none either; nor do rules or views stand on any.
    """
    tables = _of_citus()
    kinds = "SELECT DISTINCT relkind::text, relpersistence::text, relispartition FROM pg_class"
    found = ask(f"{kinds} WHERE oid = ANY ($1::text[]::regclass[])", tables)
    assert {tuple(row) for row in found} <= {("r", "p", False), ("p", "p", False)}
    above = (
        "SELECT inhrelid::regclass FROM pg_inherits WHERE inhrelid = ANY ($1::text[]::regclass[])"
    )
    assert ask(above, tables) == []
    parts = (
        "SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = ANY ($1::text[]::regclass[]) AND c.relkind <> 'r'"
    )
    assert ask(parts, tables) == [], "parts of parts"
    rules = "SELECT rulename FROM pg_rewrite WHERE ev_class = ANY ($1::text[]::regclass[])"
    assert ask(rules, tables) == []


_TO_CHILDREN = "ADD COLUMN x bigint, ADD COLUMN y uuid, ADD FOREIGN KEY (x, y) REFERENCES children"
_TRIGGER = """
CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER x BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION x()
"""
PLANTED = {
    test_every_key_and_unique_rule_holds_the_column: (
        "CREATE UNIQUE INDEX x ON visits (id)",
        "ALTER TABLE duties DROP CONSTRAINT pk_duties, ADD PRIMARY KEY (id)",
        "ALTER TABLE jobs ADD EXCLUDE USING btree (id WITH =)",
    ),
    test_foreign_keys_lead_where_citus_follows: (
        f"ALTER TABLE unresolved {_TO_CHILDREN}",
        f"ALTER TABLE agencies {_TO_CHILDREN}",
        "ALTER TABLE visits ADD COLUMN x bigint REFERENCES jobs (id)",
        "ALTER TABLE posts ADD COLUMN x bigint REFERENCES jobs (id)",
    ),
    test_foreign_keys_between_spread_tables_hold_the_column_at_the_same_place: (
        (
            "CREATE UNIQUE INDEX x ON children (id);"
            " ALTER TABLE visits ADD FOREIGN KEY (child_id) REFERENCES children (id)"
        ),
        "ALTER TABLE visits ADD FOREIGN KEY (region_code, child_id) REFERENCES children",
        f"ALTER TABLE attendance_days {_TO_CHILDREN}",
    ),
    test_no_foreign_key_would_change_the_column: (
        "ALTER TABLE visits ADD COLUMN x uuid REFERENCES agencies ON DELETE SET NULL",
    ),
    test_no_table_has_triggers: (_TRIGGER,),
    test_no_policy_has_a_subquery: (
        "CREATE POLICY x ON visits USING (EXISTS (SELECT FROM agencies))",
        "CREATE POLICY x ON agencies FOR INSERT WITH CHECK (1 = (SELECT 1))",
        "CREATE POLICY x ON duties USING (region_code = ANY (ARRAY(SELECT code FROM regions)))",
    ),
    test_the_column_is_always_there_and_of_no_other: (
        "ALTER TABLE visits ALTER home_county SET DEFAULT 0",
        (
            "ALTER TABLE duty_evidence DROP CONSTRAINT pk_duty_evidence;"
            " ALTER TABLE duty_evidence ALTER home_county DROP NOT NULL"
        ),
    ),
    test_what_is_spread_by_one_column_lies_together: (
        "ALTER TABLE attendance_days ALTER agency_id TYPE text",
    ),
    test_no_number_is_drawn_on_several_machines: (
        "ALTER TABLE visits ADD COLUMN x int GENERATED ALWAYS AS IDENTITY",
    ),
    test_tables_are_plain: (
        "ALTER TABLE attendance_days SET UNLOGGED",
        "CREATE TABLE x (); ALTER TABLE attendance_days INHERIT x",
        "CREATE RULE x AS ON DELETE TO visits DO INSTEAD NOTHING",
    ),
}


@pytest.mark.parametrize(
    ("rule", "fault"), [(rule, fault) for rule, faults in PLANTED.items() for fault in faults]
)
def test_a_rule_notices_what_breaks_it(
    ask: Catalogue, rule: Callable[[Catalogue], None], fault: str
) -> None:
    try:
        ask.run(f"BEGIN; {fault}")
        with pytest.raises(AssertionError):
            rule(ask)
    finally:
        ask.run("ROLLBACK")
