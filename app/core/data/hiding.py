"""Of what which agencies must learn nothing (AZ-8), for lists that know it by its id alone.

A report says so itself. Who looked at it, what is owed for it and what is on its way about it lie
in packages below it, which ask here: by `shown` in a query, by `hidden` in a policy. Where rows are
spread over machines (`distribution`), no policy may ask another table: such rows carry what is said
here (`HiddenRow`), and `note` writes it onto them.
"""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, Column, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core.data import distribution, rls


class HiddenSubject(SQLModel, table=True):
    """Something that some agencies must learn nothing of, by its id.

    `hidden_from`: the agencies, and with them whoever ever held a post there. `hidden_below`: nor
    any office whose remit holds fewer codes, but for `filed_by_id`, who brought it up, or is asked
    to help; 0 hides it from none by its remit. `police_below`: likewise police, to whom it is still
    to be sent.
    """

    __tablename__ = "hidden_subjects"

    subject_id: UUID = Field(primary_key=True)
    hidden_from: list[UUID] = Field(sa_column=Column(ARRAY(Uuid), nullable=False))
    hidden_below: int = Field(sa_type=BigInteger)
    police_below: int = Field(
        sa_column=Column(BigInteger, nullable=False, server_default="0"), default=0
    )
    filed_by_id: UUID | None = None


_HIDDEN: Final = "{accused} OR ({h}{below} > {codes} AND {h}filed_by_id IS DISTINCT FROM {agency})"
_OFFICES: Final = "hidden_below"
POLICE: Final = "police_below"
"""`below` of what police learn as police: words that mean some office hide nothing from them."""
_CALLER: Final[dict[str, Any]] = {"agency": rls.AGENCY, "codes": f"{rls.HI} - {rls.LO}"}

distribution.in_one_place("asked by policies of tables that lie there", "hidden_subjects")
rls.protect(
    "hidden_subjects",
    using=rls.case(
        (rls.SYSTEM, "true"),
        (
            _HIDDEN.format(h="", accused=rls.served("hidden_from"), below=_OFFICES, **_CALLER),
            "true",
        ),
    ),
    check=rls.SYSTEM,
    privileges="SELECT, INSERT, UPDATE",
)


class HiddenRow(SQLModel):
    """The columns of a table whose rows say themselves who must learn nothing of them: what
    `hidden_subjects` says of what they are about. Null: nobody.
    """

    hidden_from: list[UUID] | None = Field(default=None, sa_type=ARRAY(Uuid))
    hidden_below: int | None = Field(default=None, sa_type=BigInteger)
    police_below: int | None = Field(default=None, sa_type=BigInteger)
    filed_by_id: UUID | None = None


CARRYING: Final[dict[str, str]] = {}
"""Tables of `HiddenRow`, each with the column that names what a row is about."""


def hidden_row(table: str, column: str, *, below: str = _OFFICES) -> str:
    """Write, for the policy of a table of `HiddenRow`, that the caller must learn nothing of a row.
    `column`: it names what the row is about.
    """
    CARRYING[table] = column
    said = _HIDDEN.format(h="", accused=rls.served("hidden_from"), below=below, **_CALLER)
    return f"coalesce({said}, false)"


ONE_AT_A_TIME: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('hidden/' || id::text, 5)) FROM UNNEST($1::uuid[]) id
"""
_SAID: Final = "hidden_from, hidden_below, police_below, filed_by_id"
_NOTE: Final = """
UPDATE {table} AS t SET ({said}) = (h.hidden_from, h.hidden_below, h.police_below, h.filed_by_id)
FROM hidden_subjects h WHERE h.subject_id = ANY ($1::uuid[]) AND t.{column} = h.subject_id
    AND (t.hidden_from, t.hidden_below, t.police_below, t.filed_by_id)
        IS DISTINCT FROM (h.hidden_from, h.hidden_below, h.police_below, h.filed_by_id)
"""
# What is told of such a row later, that it is overdue, is known by the row's own id.
_BY_ITS_ID: Final = f"""
INSERT INTO hidden_subjects AS known (subject_id, {_SAID})
SELECT t.id, h.hidden_from, h.hidden_below, h.police_below, h.filed_by_id
FROM {{table}} t JOIN hidden_subjects h ON h.subject_id = t.{{column}}
WHERE t.{{column}} = ANY ($1::uuid[]) ORDER BY t.id
ON CONFLICT (subject_id) DO UPDATE
SET ({_SAID}) = (excluded.hidden_from, excluded.hidden_below, excluded.police_below,
    excluded.filed_by_id)
WHERE (known.hidden_from, known.hidden_below, known.police_below, known.filed_by_id)
    IS DISTINCT FROM (excluded.hidden_from, excluded.hidden_below, excluded.police_below,
        excluded.filed_by_id)
"""


async def note(connection: asyncpg.Connection, subject_ids: Collection[UUID]) -> None:
    """Write onto the rows about some subjects from whom these are hidden by now, and that whatever
    is said of such a row by its own id is hidden likewise, in SYSTEM's reach.
    Whoever hides a subject calls it afterwards, and whoever writes a row about one that is told to
    few: of two at one moment, the second sees what the first wrote. Two statements, if any.
    """
    if not subject_ids:
        return
    await connection.execute(ONE_AT_A_TIME, sorted(subject_ids))
    noting = [
        f"{table}_noted AS ({_NOTE.format(table=table, column=column, said=_SAID)})"
        for table, column in CARRYING.items()
    ] + [
        f"{table}_known AS ({_BY_ITS_ID.format(table=table, column=column)})"
        for table, column in CARRYING.items()
        if column != "id"
    ]
    await connection.execute(f"WITH {', '.join(noting)} SELECT", sorted(subject_ids))


def hidden(column: str, *, below: str = _OFFICES) -> str:
    """Write, for a policy, that the caller must learn nothing of what a column names. OFFSET: it is
    looked up by the key, row by row; else the planner may read all that is hidden from anybody.
    """
    also = _HIDDEN.format(h="h.", accused=rls.served("h.hidden_from"), below=below, **_CALLER)
    return (
        f"EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = {column}"
        f" AND ({also}) OFFSET 0)"
    )


def sent(column: str, kind: str, codes: str) -> str:
    """Write, for a query, that police may still be sent what a column names. `kind`: that of the
    agency, which is none of this if it is another; `codes`: how many its place holds.
    """
    return (
        f"({kind} <> 'police' OR NOT EXISTS (SELECT 1 FROM hidden_subjects h"
        f" WHERE h.subject_id = {column} AND h.police_below > {codes} OFFSET 0))"
    )


def shown(
    column: str,
    agency: str = "{0}",
    codes: str = "{1}",
    served: str = "{2}::uuid[]",
    *,
    below: str = _OFFICES,
) -> str:
    """Write, for a query, that somebody of an agency may know of what a column names. `codes`: how
    many their remit holds; `served`: all agencies of theirs, the former included. One look-up by
    the key a row.
    """
    caller = {"agency": agency, "codes": codes, "accused": f"h.hidden_from && {served}"}
    return (
        f"NOT EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = {column}"
        f" AND ({_HIDDEN.format(h='h.', below=below, **caller)}) OFFSET 0)"
    )


def row_shown(
    alias: str, agency: str = "{0}", codes: str = "{1}", served: str = "{2}::uuid[]"
) -> str:
    """Write the same as `shown`, of a row that says itself from whom it is hidden (`HiddenRow`) and
    is what is hidden: nothing is looked up.
    """
    h = f"{alias}."
    accused = f"{h}hidden_from && {served}"
    said = _HIDDEN.format(h=h, accused=accused, below=_OFFICES, agency=agency, codes=codes)
    return f"({said}) IS NOT TRUE"
