"""The register of breaches: record, tell, close, read."""

from typing import Annotated, Any

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.breaches import operations, queries, schemas
from app.breaches.acts import ACTS, UNTOLD, BreachClosed, BreachNotTold, NotYourBreach
from app.breaches.area import AREA, READ, WRITE
from app.breaches.models import BreachState
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented

router = routing.v1(AREA.tag)


class BreachNotFound(Problem, status=404, denies=True):
    """No such breach, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such breach"
    title_zh = "没有这个事件"


Reads = Annotated[Principal, needs(READ)]
Writes = Annotated[Principal, needs(WRITE)]
Closes = Annotated[Principal, needs(WRITE, approval=UNTOLD)]
_BREACH = ("breach_id", "The breach's id.", queries.find, BreachNotFound)
InPath = Annotated[asyncpg.Record, named_in_path(*_BREACH)]
ToChange = Annotated[asyncpg.Record, named_in_path(*_BREACH, for_update=True)]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]
Stands = Annotated[BreachState | None, Query(description="Only where it stands so.")]


@router.post("/breaches", status_code=201, responses=documented(operations.BreachInvalid))
async def record_breach(
    principal: Writes, new: schemas.BreachCreate, tx: Transaction
) -> Shown[schemas.Breach]:
    """Record that data was leaked, altered or lost, or may have been: at once, with what is known.
    Which children are concerned, `tonghu breach` says from the audit.
    """
    row = await operations.record_breach(tx, principal, new)
    return _one(tx, principal, row, subject=row["id"])


@router.get("/breaches")
async def list_breaches(
    principal: Reads,
    tx: ReadTransaction,
    window: Paged,
    state: Stands = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.Breach]]:
    """List the breaches of your agency and of your region, newest first."""
    page = await queries.list_breaches(tx, principal, window, state, act)
    return Shown(page.shown(lambda row: queries.breach_of(tx, principal, row)))


@router.get("/breaches/{breach_id}")
async def read_breach(principal: Reads, found: InPath, tx: Transaction) -> Shown[schemas.Breach]:
    """Read a breach as it stands."""
    return _one(tx, principal, found)


@router.post(
    "/breaches/{breach_id}/told",
    responses=documented(NotYourBreach, BreachClosed, operations.BreachInvalid),
)
async def record_breach_told(
    principal: Writes,
    found: ToChange,
    said: schemas.BreachToldCreate,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.Breach]:
    """Record that the cyberspace authority, families or another were told."""
    row = await operations.record_told(tx, principal, found, said, if_match=if_match)
    return _one(tx, principal, row)


@router.post(
    "/breaches/{breach_id}/closure",
    responses=documented(PersonRequired, NotYourBreach, BreachClosed, BreachNotTold),
)
async def close_breach(
    principal: Closes,
    found: ToChange,
    said: schemas.BreachClosure,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.Breach]:
    """Close a breach, once who is to be told was."""
    row = await operations.close_breach(tx, principal, found, said, if_match=if_match)
    about = {
        "told": row["told"],
        "agency_id": row["agency_id"],
        "agency_region": row["region_code"],
    }
    return _one(tx, principal, row, about=about)


def _one(tx: Tx, principal: Principal, row: asyncpg.Record, **more: Any) -> Shown[schemas.Breach]:
    return Shown(queries.breach_of(tx, principal, row), **more)
