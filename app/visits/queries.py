"""Reads of visits. Every one starts from the children the caller may know of."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.children import queries as children
from app.children import rows
from app.children.child_keys import key_below
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, of_child
from app.core.data.sampling import Place
from app.core.http import paging
from app.core.http.wire import region_text
from app.visits import rules, schemas
from app.visits.acts import ACTS

WORDS: Final = "visits.words_sealed"
WITHDRAWAL: Final = "visits.withdrawal_sealed"
# Not a join: so it is looked up for the rows of the page, after they were sorted and cut.
_VISITS: Final = (
    "SELECT v.*, (SELECT c.birth_date FROM children c"
    " WHERE c.home_county = v.home_county AND c.id = v.child_id) AS birth_date,"
    f" {key_below('v')} FROM visits v"
)
_LATEST: Final = paging.Order({"v.visited_on": date, "v.id": UUID}, descending=True)


async def list_visits(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    child_id: UUID | None,
    *,
    days: tuple[date | None, date | None] = (None, None),
    abnormal: bool | None = None,
    region: tuple[int, int] | None = None,
    act: Act | None = None,
) -> paging.Rows:
    """Return a page of the visits to visible children, latest first; `days`: the first and last."""
    first, last = days
    where = children.visible_below(principal, "v")
    if child_id is not None:
        where.checked().add("v.child_id = {}", child_id)
    where.add_given({"v.visited_on >= {}": first, "v.visited_on <= {}": last})
    if abnormal is not None:
        where.add("v.abnormal" if abnormal else "NOT v.abnormal")  # spelt out: an index is of it
    if region is not None:
        where.add("v.region_code >= {} AND v.region_code < {}", *region)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="v")
    place = Place("visits v", *principal.within(region))
    return await paging.fetch(tx, _VISITS, where, _LATEST, window, place=place)


def words_of(tx: Tx, row: Any) -> dict[str, Any]:
    """Return what is sealed in a row: `note`, the `codes` of what was found and in `findings` a
    note on each, and `as_sent`, as far as there is any and its child was not erased.
    """
    keys.brought(tx.keyring, of_child(row["child_id"]), row)
    if row["words_sealed"] is None:
        return {}
    try:
        raw = tx.keyring.unseal_bytes(WORDS, row["id"], row["words_sealed"])
    except Erased:
        return {}
    words: dict[str, Any] = orjson.loads(raw)
    return words


def found(tx: Tx, row: Any) -> list[dict[str, Any]]:
    """Return what a visit in a row found, in codes."""
    return _codes(words_of(tx, row), row)


def _codes(words: Mapping[str, Any], row: Any) -> list[dict[str, Any]]:
    # The release before wrote them in the clear; what it wrote last holds.
    codes: list[dict[str, Any]] = words.get("codes", row["findings"])
    return codes


def visit_of(tx: Tx, principal: Principal, row: Any) -> schemas.Visit:
    """Read a row, with what is sealed in it, as the caller is shown it."""
    words = words_of(tx, row)
    findings = _codes(words, row)
    notes = words.get("findings") or [None] * len(findings)
    return schemas.Visit(
        **{name: row[name] for name in _PLAIN},
        region_code=region_text(row["visited_in"]),
        findings=[
            schemas.VisitFinding(**finding, note=note)
            for finding, note in zip(findings, notes, strict=True)
        ],
        note=words.get("note"),
        as_sent=words.get("as_sent"),
        doubts=rules.doubts(row, words.get("as_sent")),
        possibly_same_as=row["possibly_same_as"],
        same_as=row["same_as"],
        withdrawal=_withdrawal(tx, row),
        permitted=permitted(ACTS, principal, row, tx.today),
    )


async def to_correct(tx: Tx, principal: Principal, visit_id: UUID) -> dict[str, Any] | None:
    """Find and hold a visit to a child the caller sees; or one they made (`rows.sent_before`),
    whoever sees the child by now. `seen` says which.
    """
    row = await rows.find(tx, principal, visit_id, table="visits", for_update=True)
    if row is not None:
        return {**row, "seen": True}
    made = await rows.sent_before(tx, principal, visit_id, table="visits", for_update=True)
    return None if made is None else {**made, "birth_date": None, "seen": False}


def as_sent(principal: Principal, visit: schemas.Visit, child_id: UUID) -> schemas.Visit:
    """Show a visit to a child out of sight: under the sender's own id of the child, as made where
    the sender is, with nothing that its file alone could tell.
    """
    return visit.model_copy(
        update={
            "child_id": child_id,
            "region_code": region_text(principal.region_code),
            "doubts": [doubt for doubt in visit.doubts if doubt != "before_birth"],
            "permitted": [],
        }
    )


_KEPT: Final = """
SELECT version, replaced_by, snapshot_sealed FROM visit_versions
WHERE home_county = $1 AND visit_id = $2 ORDER BY version
"""


async def as_made(
    tx: Tx, principal: Principal, visit: schemas.Visit, row: Mapping[str, Any], said: dict[str, Any]
) -> schemas.Visit:
    """Show a corrected visit to whoever made it and does not see the child: nothing that others
    have said of it since. In SYSTEM's reach.
    """
    kept = await tx.connection.fetch(_KEPT, row["home_county"], row["id"])
    beside: dict[str, Any] = {
        "possibly_same_as": None,
        "same_as": None,
        "withdrawal": None,
        "permitted": [],
    }
    if any(each["replaced_by"] != principal.subject for each in kept):
        first = rows.unsealed(tx, "visits", row["id"], kept[0])
        content = schemas.VisitContent.model_validate({**orjson.loads(first), **said})
        beside |= {name: getattr(content, name) for name in schemas.VisitContent.model_fields}
    shown = visit.model_copy(update=beside)
    called = row["called"] or row["child_id"]
    return shown if called == row["child_id"] else as_sent(principal, shown, called)


def withdrawal(tx: Tx, row: Any) -> dict[str, Any]:
    """Return what was proposed: the `findings` that remain, and why, in `words`."""
    try:
        sealed = tx.keyring.unseal_bytes(WITHDRAWAL, row["id"], row["withdrawal_sealed"])
    except Erased:
        return {"findings": [], "words": "—"}
    said: dict[str, Any] = orjson.loads(sealed)
    return said


def _withdrawal(tx: Tx, row: Any) -> schemas.Withdrawal | None:
    if row["withdrawal_by"] is None:
        return None
    return schemas.Withdrawal(
        proposed_by=row["withdrawal_by"],
        proposed_at=row["withdrawal_at"],
        confirmed_by=row["withdrawal_confirmed_by"],
        **withdrawal(tx, row),
    )


_PLAIN: Final = tuple(
    schemas.VisitContent.model_fields.keys() - {"region_code", "findings", "note", "as_sent"}
)
