"""Home visits: record, correct, read."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children import rows
from app.children.deps import ChildFilter, ChildInPath
from app.core.data.db import Tx
from app.core.http import partitions, routing
from app.core.http.paging import Page, Paged, Rows
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.http.wire import Day
from app.core.problems import Problem, documented
from app.regions.deps import RegionSpan
from app.unresolved.schemas import HeldForNow
from app.visits import queries, schemas
from app.visits.acts import (
    ACTS,
    FindingStays,
    NothingAbnormal,
    NothingProposed,
    NotYoursToConfirm,
    NotYourVisit,
    SecondPersonConfirms,
)
from app.visits.area import AREA, READ, WRITE
from app.visits.operations import correcting, recording
from app.visits.schemas.recording import VisitCreate

router = routing.v1(AREA.tag)


class VisitNotFound(Problem, status=404, denies=True):
    """No such visit, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such visit"
    title_zh = "没有这条走访记录"


ReadsVisits = Annotated[Principal, needs(READ)]
RecordsVisits = Annotated[Principal, needs(WRITE, evidence=True)]
WritesVisits = Annotated[Principal, needs(WRITE)]
_VISIT = ("visit_id", "The visit's id.", rows.find, VisitNotFound)
VisitInPath = Annotated[asyncpg.Record, named_in_path(*_VISIT, table="visits")]
VisitToCorrect = Annotated[
    dict[str, Any], named_in_path(*_VISIT[:2], queries.to_correct, VisitNotFound)
]
VisitToChange = Annotated[asyncpg.Record, named_in_path(*_VISIT, table="visits", for_update=True)]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]
_HELD: dict[int | str, dict[str, Any]] = {
    202: {
        "model": HeldForNow,
        "description": "Taken in: the visit names a child you neither see nor saw on that day. It"
        " is kept and stored as soon as somebody says who that is; the copy may be deleted.",
    }
}


@router.post(
    "/visits",
    status_code=201,
    responses={
        **REPEATED,
        **_HELD,
        **documented(recording.VisitDiffers, recording.TooManyUnplaced),
    },
)
async def record_visit(
    principal: RecordsVisits, new: VisitCreate, tx: Transaction
) -> Shown[schemas.Visit]:
    """Record a home visit. Sent again with the same id and content, it is stored once."""
    visit, is_new, child_id = await recording.record_visit(tx, principal, new)
    if isinstance(visit, UUID):
        return Shown(
            {"unresolved_id": visit, "status": "unresolved"},
            children=[child_id],
            groups=["visits"],
            subject=visit,
            status=202,
            headers={"location": f"/v1/unresolved/{visit}"},
            receipt=True,
        )
    # Later it may say what others did.
    return _shown(visit, [visit], is_new=is_new, receipt=is_new, children=[child_id])


@partitions.of(router, "/visits/partitions")
@router.get("/visits")
async def list_visits(
    principal: ReadsVisits,
    tx: ReadTransaction,
    window: Paged,
    child_id: ChildFilter = None,
    visited_from: Annotated[Day | None, Query(description="On this day or later.")] = None,
    visited_until: Annotated[Day | None, Query(description="On this day or earlier.")] = None,
    abnormal: Annotated[bool | None, Query(description="Only with or without findings.")] = None,
    region: RegionSpan = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.Visit]]:
    """List visits to the children of your remit, latest first."""
    days = (visited_from, visited_until)
    page = await queries.list_visits(
        tx, principal, window, child_id, days=days, abnormal=abnormal, region=region, act=act
    )
    return _page(tx, principal, page)


@router.get("/children/{child_id}/visits")
async def list_child_visits(
    principal: ReadsVisits,
    child: ChildInPath,
    tx: ReadTransaction,
    window: Paged,
    act: Narrowed = None,
) -> Shown[Page[schemas.Visit]]:
    """List the visits to a child, latest first."""
    page = await queries.list_visits(tx, principal, window, child.id, act=act)
    return _page(tx, principal, page)


@router.get("/visits/{visit_id}")
async def read_visit(
    principal: ReadsVisits, found: VisitInPath, tx: Transaction
) -> Shown[schemas.Visit]:
    """Read a visit as it stands."""
    visit = queries.visit_of(tx, principal, found)
    return _shown(visit, [visit])


@router.patch("/visits/{visit_id}", responses=documented(FindingStays))
async def correct_visit(
    principal: WritesVisits,
    found: VisitToCorrect,
    correction: schemas.VisitCorrection,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.Visit]:
    """Correct a visit. What it said before is kept and can be read; what cannot be is marked. An
    abnormal finding stays: that it was none is proposed and confirmed. Who made it may correct it
    wherever the child lives by now, and is answered with what they said.
    """
    visit = await correcting.correct_visit(tx, principal, found, correction, if_match=if_match)
    return _shown(visit, [visit])


@router.post(
    "/visits/{visit_id}/withdrawal",
    responses=documented(NotYourVisit, PersonRequired, NothingAbnormal),
)
async def propose_withdrawal(
    principal: WritesVisits,
    found: VisitToChange,
    said: schemas.WithdrawalProposed,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.Visit]:
    """Propose, as the visitor's own office, that an abnormal finding was none. The visit says what
    it said until a second person, of the township or of civil affairs, confirms it.
    """
    visit = await correcting.propose_withdrawal(tx, principal, found, said, if_match=if_match)
    return _shown(visit, [visit])


@router.post(
    "/visits/{visit_id}/withdrawal/confirmation",
    responses=documented(NotYoursToConfirm, PersonRequired, NothingProposed, SecondPersonConfirms),
)
async def confirm_withdrawal(
    principal: WritesVisits, found: VisitToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.Visit]:
    """Confirm, as a second person, that an abnormal finding was none: the findings are what was
    proposed. What the visit said before is kept and can be read.
    """
    visit = await correcting.confirm_withdrawal(tx, principal, found, if_match=if_match)
    return _shown(visit, [visit])


@router.get("/visits/{visit_id}/versions")
async def list_visit_versions(
    principal: ReadsVisits, found: VisitInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.VisitVersion]]:
    """List what a visit said before each correction, latest first."""
    page = await rows.versions(tx, "visits", found, window)
    answer = page.shown(lambda kept: _version(**kept))
    said = [version.visit for version in answer["items"]]
    return _shown(answer, said, children=[found["child_id"]])


def _version(said: bytes, **when: Any) -> schemas.VisitVersion:
    return schemas.VisitVersion(visit=schemas.VisitContent.model_validate_json(said), **when)


def _page(tx: Tx, principal: Principal, page: Rows) -> Shown[Page[schemas.Visit]]:
    answer = page.shown(lambda row: queries.visit_of(tx, principal, row))
    return _shown(answer, answer["items"])


def _shown(answer: Any, visits: Iterable[schemas.VisitContent], **more: Any) -> Shown[Any]:
    about = [(visit.child_id, visit.visited_on) for visit in visits]
    more = {"children": [child for child, _ in about], **more}
    since = min((day for _, day in about), default=None)
    subject = answer.id if isinstance(answer, schemas.Visit) else None
    return Shown(answer, groups=["visits"], since=since, subject=subject, **more)
