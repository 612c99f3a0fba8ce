"""Of what which agencies must learn nothing (AZ-8), for lists that know it by its id alone.

A report says so itself. Who looked at it, what is owed for it and what is on its way about it lie
in packages below it, which ask here: by `shown` in a query, by `hidden` in a policy.
"""

from typing import Any, Final
from uuid import UUID

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
