"""Reads of notices and consents. Every one starts from the children the caller may know of."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.children import queries as children
from app.consents import grounds, schemas
from app.consents.acts import ACTS
from app.consents.models import GIVER, WITHDRAWER
from app.core.data.db import Tx
from app.core.data.envelopes import ERASED, Erased
from app.core.http import paging
from app.policy import laws

_TOLD: Final = paging.Order({"n.told_on": date, "n.id": UUID}, descending=True)
_GIVEN: Final = paging.Order({"n.given_on": date, "n.id": UUID}, descending=True)


def collection_of(code: str) -> schemas.Collection:
    """Return a collection as everybody may read it."""
    said, rights = grounds.collections()[code], grounds.rights()
    untold = said.untold
    return schemas.Collection(
        code=code,
        title_zh=said.title.zh,
        title_en=said.title.en,
        of=list(said.of),
        basis=said.basis,
        laws=[_law(each) for each in said.laws],
        why_zh=said.why.zh,
        why_en=said.why.en,
        notices=[
            schemas.NoticeText(version=version, zh=each.zh, en=each.en)
            for version, each in enumerate(said.notices, 1)
        ],
        rights_zh=rights.zh,
        rights_en=rights.en,
        untold_zh=None if untold is None else untold.zh,
        untold_en=None if untold is None else untold.en,
        agency_kinds=list(said.agency_kinds),
    )


def _law(code: str) -> schemas.CitedLaw:
    said = laws.articles()[code]
    return schemas.CitedLaw(
        id=code,
        law_zh=said.law.zh,
        law_en=said.law.en,
        article=said.article,
        says_zh=said.says.zh,
        says_en=said.says.en,
    )


async def list_notices(
    tx: Tx, principal: Principal, window: paging.Window, child_id: UUID
) -> paging.Rows:
    """Return a page of what was told of a child, latest first."""
    where = children.visible_below(principal, "n").checked().add("n.child_id = {}", child_id)
    return await paging.fetch(tx, "SELECT n.* FROM notices n", where, _TOLD, window)


async def list_consents(
    tx: Tx, principal: Principal, window: paging.Window, child_id: UUID, act: Act | None
) -> paging.Rows:
    """Return a page of the consents that concern a child, latest first."""
    where = children.visible_below(principal, "n").checked().add("n.child_id = {}", child_id)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="n")
    return await paging.fetch(tx, "SELECT n.* FROM consents n", where, _GIVEN, window)


_FIND: Final = "SELECT n.* FROM consents n"


async def find(
    tx: Tx, principal: Principal, consent_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find a consent of a visible child; hold it `for_update`, with its county: two statements."""
    where = children.visible_below(principal, "n").checked().add("n.id = {}", consent_id)
    found = await tx.connection.fetchrow(f"{_FIND} WHERE {where}", *where.arguments)
    if found is None or not for_update:
        return found
    where.add("n.home_county = {}", found["home_county"])
    return await tx.connection.fetchrow(f"{_FIND} WHERE {where} FOR UPDATE", *where.arguments)


_STANDS: Final = """
SELECT EXISTS (SELECT FROM consents WHERE home_county = $1 AND child_id = $2 AND collection = $3
    AND withdrawn_on IS NULL)
"""


async def stands(tx: Tx, home_county: int, child_id: UUID, collection: str) -> bool:
    """Tell whether a consent to a collection stands for a child now."""
    found: bool = await tx.connection.fetchval(_STANDS, home_county, child_id, collection)
    return found


def notice_of(row: Mapping[str, Any]) -> schemas.Notice:
    """Read a row as it is shown."""
    return schemas.Notice(**{name: row[name] for name in schemas.Notice.model_fields})


def consent_of(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Consent:
    """Read a row as the caller is shown it."""

    def person(place: str, sealed: bytes) -> schemas.Person:
        try:
            return schemas.Person(**orjson.loads(tx.keyring.unseal(place, row["id"], sealed)))
        except Erased:
            return schemas.Person(name=ERASED, relation=None)

    withdrawal = None
    if row["withdrawn_on"] is not None:
        withdrawal = schemas.ConsentWithdrawn(
            withdrawn_by=row["withdrawn_by"],
            person=person(WITHDRAWER, row["withdrawer_sealed"]),
            form=row["withdrawn_form"],
            withdrawn_on=row["withdrawn_on"],
            recorded_by=row["withdrawal_recorded_by"],
            withdrawn_at=row["withdrawn_at"],
        )
    return schemas.Consent(
        **{name: row[name] for name in _PLAIN},
        person=person(GIVER, row["giver_sealed"]),
        withdrawal=withdrawal,
        permitted=permitted(ACTS, principal, row, tx.today),
    )


_PLAIN: Final = tuple(schemas.Consent.model_fields.keys() - {"person", "withdrawal", "permitted"})
