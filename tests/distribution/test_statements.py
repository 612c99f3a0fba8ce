"""What Citus 14 asks of statements is true of ours (ADR 36); of the schema: `test_rules.py`."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

import app
from app import wiring
from app.core.data import distribution
from tests import routed

HOME = Path(app.__file__).parent


def _texts(path: Path) -> Iterator[str]:
    """Yield each text in a module; what is put in is …."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.JoinedStr(values=parts):
                yield "".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)
            case ast.Constant(value=str(text)):
                yield text


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT * FROM children WHERE id = $1 FOR UPDATE", ("children",)),
        ("SELECT * FROM children WHERE home_county = $1 AND id = $2 FOR SHARE", ()),
        ("SELECT * FROM jobs WHERE id = $1 FOR UPDATE SKIP LOCKED", ()),
        ("SELECT * FROM visits v JOIN jobs j ON j.id = v.id FOR UPDATE OF j", ()),
        ("SELECT * FROM jobs j JOIN visits v ON j.id = v.id FOR NO KEY UPDATE OF v", ("visits",)),
        (
            "SELECT FROM (SELECT * FROM children WHERE id = $1 FOR SHARE) c WHERE home_county = $2",
            ("children",),
        ),
        (
            "SELECT * FROM duties d JOIN children c USING (home_county) FOR SHARE OF c",
            ("children",),
        ),
        ("SELECT * FROM attendance_days WHERE agency_id = $1 FOR UPDATE", ()),
    ],
)
def test_a_lock_without_the_county_is_noticed(statement: str, tables: tuple[str, ...]) -> None:
    wiring.load()
    assert routed.unrouted(statement) == tables


async def test_the_tests_run_no_statement_that_locks_without_the_county(tx) -> None:
    """Citus: "SELECT … FOR UPDATE work in single-shard queries only" (the manual: SQL Support and
    Workarounds). Every statement that a test sends on its own connection is looked at.
    """
    with pytest.raises(AssertionError, match="children"):
        await tx.connection.fetch("SELECT FROM children WHERE id = $1 FOR SHARE", UUID(int=0))


LOCKS = re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b")
NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE) (\w+)")
PUT_TOGETHER = Counter({"children/queries.py": 1, "children/rows.py": 1, "duties/owners.py": 1})
"""Texts that say the county in what is put into them, or before: which the tests send."""


def test_no_text_locks_by_an_id_alone() -> None:
    """What no test sends is in the texts."""
    found = Counter(
        str(path.relative_to(HOME))
        for path in sorted(HOME.rglob("*.py"))
        for text in _texts(path)
        if LOCKS.search(text)
        and distribution.SPREAD.keys() & set(NAMED.findall(text))
        and not re.search(r"home_county = (?:\$|\{|…)", text)
    )
    assert found == PUT_TOGETHER


CHANGED_EVERYWHERE = Counter(
    {
        "attendance/asked.py": 1,
        "attendance/presence.py": 4,
        "attendance/storing.py": 1,
        "children/duplicates.py": 3,
        "dropout_alerts/jobs.py": 4,
        "dropout_alerts/operations.py": 2,
        "referrals/operations/answering.py": 2,  # one put together
        "referrals/operations/passing.py": 1,
        "visits/jobs.py": 1,
        # Put together of several, which say the county:
        "children/operations.py": 2,
        "children/names.py": 2,
        # By what the table is spread by, a number, not.
        "children/numbers.py resident_ids": 1,
        "children/reindexing.py resident_ids": 1,
    }
)
"""Texts that change or delete rows without the county: Citus asks all machines. Done seldom: what
is doubted, taken back or called otherwise, an office that goes on for another. A text that is put
together counts with its parts.
"""
CHANGES = re.compile(r"\b(?:UPDATE|DELETE FROM) (\w+)")


def test_no_more_statements_change_rows_by_an_id_alone() -> None:
    found: Counter[str] = Counter()
    for path in sorted(HOME.rglob("*.py")):
        for text in _texts(path):
            for table in set(CHANGES.findall(text)) & distribution.SPREAD.keys():
                column = distribution.SPREAD[table]
                named = f" {table}" if column == "index" else ""
                if not re.search(rf"\b{column}\b", text):
                    found[f"{path.relative_to(HOME)}{named}"] += 1
    assert found == CHANGED_EVERYWHERE


SETS = re.compile(r"\bSET\b(.+?)(?=\bWHERE\b|\bFROM\b|\bRETURNING\b|$)", re.DOTALL)
CHANGED = re.compile(r"(?:^|[,(])\s*(?:\w+\.)?(home_county)\s*(?:=|,[^=]*\)\s*=)")


def _changing(text: str) -> bool:
    return "UPDATE" in text and any(CHANGED.search(said) for said in SETS.findall(text))


def test_no_statement_changes_the_county() -> None:
    """Citus: "modifying the partition value of rows is not allowed" (multi_router_planner.c)."""
    assert _changing("UPDATE visits v SET mood = $1, home_county = $2 WHERE v.id = $3")
    assert _changing("INSERT … ON CONFLICT (id) DO UPDATE SET home_county = excluded.home_county")
    assert _changing("UPDATE visits SET (home_county, mood) = ($1, $2)")
    assert not _changing("UPDATE visits SET mood = $1 WHERE home_county = $2")
    found = {
        str(path.relative_to(HOME))
        for path in sorted(HOME.rglob("*.py"))
        for text in _texts(path)
        if _changing(text)
    }
    assert found == set()
