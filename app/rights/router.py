"""Requests about a child's data: take down, copy, answer, read."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.guards import ALWAYS
from app.access.principal import Principal
from app.children.deps import ChildFilter, ChildInPath
from app.core.clock import local_date
from app.core.data import keys
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged, Rows
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import documented
from app.regions.deps import RegionSpan
from app.rights import printing, queries, schemas
from app.rights.acts import (
    ACTS,
    RESTRICTS,
    TAKEN_BACK,
    USED_AGAIN,
    ErasedAlready,
    IdentityNotChecked,
    NoCopyAsked,
    NotGranted,
    NotRestricted,
    RightsRequestEnded,
    RightsRequestNotFound,
)
from app.rights.area import ANSWER, AREA, FILE, READ
from app.rights.models import RightsKind, RightsState
from app.rights.operations import answering, erasing, filing, restricting

router = routing.v1(AREA.tag)

Reads = Annotated[Principal, needs(READ)]
Files = Annotated[Principal, needs(FILE)]
TakesBack = Annotated[Principal, needs(FILE, review=TAKEN_BACK)]
Copies = Annotated[Principal, needs(ANSWER, shows=True)]
Lifts = Annotated[Principal, needs(ANSWER, review=USED_AGAIN)]
Erases = Annotated[Principal, needs(ANSWER, approval=ALWAYS)]
GivesAnswers = Annotated[Principal, needs(ANSWER, approval=RESTRICTS)]
_REQUEST = ("request_id", "The request's id.", queries.find, RightsRequestNotFound)
InPath = Annotated[asyncpg.Record, named_in_path(*_REQUEST)]
ToChange = Annotated[asyncpg.Record, named_in_path(*_REQUEST, for_update=True)]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]
OfKind = Annotated[RightsKind | None, Query(description="Only what asks for this.")]
Stands = Annotated[RightsState | None, Query(description="Only where it stands so.")]
Late = Annotated[
    bool | None, Query(description="Only those whose answer is late; or only the others.")
]


@router.post(
    "/children/{child_id}/rights-requests",
    status_code=201,
    responses=documented(filing.RightsRequestInvalid),
)
async def file_rights_request(
    principal: Files, child: ChildInPath, new: schemas.RightsRequestCreate, tx: Transaction
) -> Shown[schemas.RightsRequest]:
    """Take down what the child, a guardian or an office for it asks about its data. The post of the
    place owes an answer by `due_at`.
    """
    row = await filing.file_request(tx, principal, child, new)
    return await _one(tx, principal, row, subject=child.id)


@router.get("/children/{child_id}/rights-requests")
async def list_child_rights_requests(
    principal: Reads, child: ChildInPath, tx: ReadTransaction, window: Paged, act: Narrowed = None
) -> Shown[Page[schemas.RightsRequest]]:
    """List what was asked about a child's data, newest first."""
    filters = queries.Filters(child_id=child.id)
    page = await queries.list_requests(tx, principal, window, filters, act)
    return await _page(tx, principal, page, children=[child.id])


@router.get("/rights-requests")
async def list_rights_requests(
    principal: Reads,
    tx: ReadTransaction,
    window: Paged,
    child_id: ChildFilter = None,
    kind: OfKind = None,
    state: Stands = None,
    overdue: Late = None,
    region: RegionSpan = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.RightsRequest]]:
    """List what was asked about the data of the children of your remit, and what your agency
    answered, newest first.
    """
    filters = queries.Filters(child_id, kind, state, overdue, region)
    page = await queries.list_requests(tx, principal, window, filters, act)
    return await _page(tx, principal, page)


@router.get("/rights-requests/{request_id}")
async def read_rights_request(
    principal: Reads, found: InPath, tx: Transaction
) -> Shown[schemas.RightsRequest]:
    """Read a request as it stands."""
    return await _one(tx, principal, found)


@router.post(
    "/rights-requests/{request_id}/copy",
    responses=documented(PersonRequired, RightsRequestEnded, NoCopyAsked, IdentityNotChecked),
)
async def copy_child_data(
    principal: Copies, found: ToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.ChildCopy]:
    """Make the copy that is asked for, of what you read: a JSON document with Chinese labels. Its
    SHA-256 is kept with the request, the copy is not.
    """
    copy, made = await answering.copy_child_data(tx, principal, found, if_match=if_match)
    groups = ["rights", *(each.code for each in copy.sections)]
    days = [row[0].value for each in copy.sections for row in each.rows]
    since = min(map(date.fromisoformat, days), default=None)
    return Shown(made, children=[copy.child_id], groups=groups, since=since)


@router.post(
    "/rights-requests/{request_id}/readers",
    responses=documented(PersonRequired, RightsRequestEnded, IdentityNotChecked),
)
async def print_child_readers(
    principal: Copies, found: InPath, tx: Transaction
) -> Shown[schemas.ReadersDocument]:
    """Print for who asked who looked at the child's data, when and why: a page in Chinese and
    English. It names no staff, and nothing that tells of a case.
    """
    ACTS["printChildReaders"].require(principal, found, tx.today)
    made = await printing.readers(tx, principal, found)
    return Shown(made, children=[made.child_id], groups=["rights"], since=made.since)


@router.post(
    "/rights-requests/{request_id}/answer",
    responses=documented(
        PersonRequired, RightsRequestEnded, IdentityNotChecked, answering.CopyNotMade
    ),
)
async def answer_rights_request(
    principal: GivesAnswers,
    found: ToChange,
    said: schemas.RightsAnswerCreate,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.RightsRequest]:
    """Answer a request, in writing and with reasons. What is to be deleted, and must be kept or
    cannot be deleted, is stored from then on and nothing else.
    """
    row = await answering.answer_request(tx, principal, found, said, if_match=if_match)
    about = {
        "restricted_at": row["restricted_at"],
        "agency_id": found["agency_id"],
        "agency_region": found["region_code"],
    }
    return await _one(tx, principal, row, about=about)


@router.post("/rights-requests/{request_id}/cancellation", responses=documented(RightsRequestEnded))
async def cancel_rights_request(
    principal: TakesBack, found: ToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.RightsRequest]:
    """Take a request back, as who asked wants it. Another person of civil affairs reviews it."""
    row = await filing.cancel_request(tx, principal, found, if_match=if_match)
    about = {"agency_id": found["agency_id"], "agency_region": found["region_code"]}
    return await _one(tx, principal, row, about=about)


@router.post(
    "/rights-requests/{request_id}/restriction-end",
    responses=documented(PersonRequired, NotRestricted, ErasedAlready),
)
async def lift_restriction(
    principal: Lifts, found: ToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.RightsRequest]:
    """Let a file that was only stored be used again, where it was. Another person of civil affairs
    reviews it.
    """
    row = await restricting.lift_restriction(tx, principal, found, if_match=if_match)
    about = {"agency_id": found["agency_id"], "agency_region": row["region_code"]}
    return await _one(tx, principal, row, about=about)


@router.post(
    "/rights-requests/{request_id}/erasure",
    responses=documented(
        PersonRequired,
        NotRestricted,
        NotGranted,
        ErasedAlready,
        erasing.StillNeeded,
        erasing.NotSealedYet,
    ),
)
async def erase_child_data(
    principal: Erases, found: ToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.RightsRequest]:
    """Erase for good a file whose erasure was granted and that is only stored: its key goes, and
    with it all that was sealed of the child, from every copy. What is counted stays.
    """
    row = await erasing.erase_child_data(tx, principal, found, if_match=if_match)
    about = {
        "id": found["id"],
        "agency_id": found["agency_id"],
        "agency_region": found["restricted_from"],  # where the file lay
    }
    return await _one(tx, principal, row, about=about)


async def _one(
    tx: Tx, principal: Principal, row: asyncpg.Record, **more: Any
) -> Shown[schemas.RightsRequest]:
    await keys.of_rows(tx, [row])
    shown = queries.request_of(tx, principal, row)
    return _shown(shown, [shown], **more)


async def _page(
    tx: Tx, principal: Principal, page: Rows, **more: Any
) -> Shown[Page[schemas.RightsRequest]]:
    await keys.of_rows(tx, page.rows)
    answer = page.shown(lambda row: queries.request_of(tx, principal, row))
    return _shown(answer, answer["items"], **more)


def _shown(answer: Any, requests: Sequence[schemas.RightsRequest], **more: Any) -> Shown[Any]:
    since = min((local_date(each.opened_at) for each in requests), default=None)
    more = {"children": [each.child_id for each in requests], **more}
    return Shown(answer, groups=["rights"], since=since, **more)
