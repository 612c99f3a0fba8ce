"""What takes two people, over HTTP: proposed, decided, withdrawn; and what one did, reviewed."""

from typing import Annotated, Any

import asyncpg
from fastapi import Header, Query, Request

from app.access.acts import Act, PersonRequired, asked, permitted
from app.access.approvals import operations, queries, schemas
from app.access.approvals.acts import (
    ACTS,
    REVIEW_ACTS,
    AnotherPersonNeeded,
    ApprovalClosed,
    ApprovalNotFound,
    NotGuarded,
    NotYoursToDecide,
    NotYoursToPropose,
    NotYoursToWithdraw,
    ProposalUnsound,
    ReviewDone,
    ReviewNotFound,
)
from app.access.approvals.models import ApprovalState, ReviewState
from app.access.area import APPROVALS, READ_APPROVALS, WRITE_APPROVALS
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.access.roles import Purpose
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import documented

router = routing.v1(APPROVALS.tag)
ReadsApprovals = Annotated[Principal, needs(READ_APPROVALS)]
WritesApprovals = Annotated[Principal, needs(WRITE_APPROVALS)]
UsesPower = Annotated[Principal, needs(WRITE_APPROVALS, step_up=True)]
_APPROVAL = ("approval_id", "The approval's id.", queries.approval, ApprovalNotFound)
_REVIEW = ("review_id", "The review's id.", queries.review, ReviewNotFound)
ApprovalInPath = Annotated[asyncpg.Record, named_in_path(*_APPROVAL)]
ApprovalToChange = Annotated[asyncpg.Record, named_in_path(*_APPROVAL, for_update=True)]
ReviewInPath = Annotated[asyncpg.Record, named_in_path(*_REVIEW)]
ReviewToFinish = Annotated[asyncpg.Record, named_in_path(*_REVIEW, for_update=True)]
Why = Annotated[
    Purpose | None,
    Header(
        alias="purpose-of-use",
        description="Why personal data is used, if the request proposed opens it (AZ-6).",
    ),
]


@router.post(
    "/approvals",
    status_code=201,
    responses=documented(PersonRequired, NotGuarded, NotYoursToPropose, ProposalUnsound),
)
async def propose_approval(
    request: Request,
    principal: UsesPower,
    new: schemas.ApprovalCreate,
    tx: Transaction,
    _: Why = None,
) -> Shown[schemas.Approval]:
    """Propose a request that takes two people, as a person. It is tried at once, with your own
    authority, and taken back; another person decides; then send the request itself, with the header
    `Approval`.
    """
    identity, tried = await operations.propose(tx, request, principal, new)
    row = await queries.approval(tx, principal, identity)
    return Shown(_approval(tx, principal, row), children=tried.children, subject=identity)


@router.get("/approvals")
async def list_approvals(
    principal: ReadsApprovals,
    tx: ReadTransaction,
    window: Paged,
    state: Annotated[ApprovalState | None, Query(description="Only where it stands so.")] = None,
    act: Annotated[Act | None, asked(ACTS)] = None,
) -> Shown[Page[schemas.ApprovalSummary]]:
    """List the approvals your agency proposed, that concern it, or that you may decide, latest
    first.
    """
    page = await queries.approvals(tx, principal, window, state=state, act=act)
    return Shown(
        page.shown(
            lambda row: schemas.ApprovalSummary(
                **row, permitted=permitted(ACTS, principal, row, tx.today)
            )
        )
    )


@router.get("/approvals/{approval_id}")
async def read_approval(
    principal: ReadsApprovals, found: ApprovalInPath, tx: Transaction
) -> Shown[schemas.Approval]:
    """Read an approval, with the whole request it is for, and why. That you did is recorded."""
    return Shown(_approval(tx, principal, found), groups=["approval"])


@router.post(
    "/approvals/{approval_id}/decision",
    responses=documented(
        PersonRequired,
        NotYoursToDecide,
        AnotherPersonNeeded,
        ApprovalClosed,
        ProposalUnsound,
        NotGuarded,
    ),
)
async def decide_approval(
    request: Request,
    principal: UsesPower,
    found: ApprovalToChange,
    said: schemas.Decision,
    tx: Transaction,
    _: Why = None,
) -> Shown[schemas.Approval]:
    """Approve or refuse, as another person than who proposed it, who could do the same over the
    same object: it is tried with your authority, too, and taken back.
    """
    children = await operations.decide(tx, request, principal, found, said)
    row = await queries.approval(tx, principal, found["id"])
    return Shown(_approval(tx, principal, row), children=children)


@router.post(
    "/approvals/{approval_id}/withdrawal", responses=documented(NotYoursToWithdraw, ApprovalClosed)
)
async def withdraw_approval(
    principal: WritesApprovals, found: ApprovalToChange, tx: Transaction
) -> Shown[schemas.Approval]:
    """Take back what you proposed, or approved, before it is used."""
    await operations.withdraw(tx, principal, found)
    row = await queries.approval(tx, principal, found["id"])
    return Shown(_approval(tx, principal, row))


@router.get("/reviews")
async def list_reviews(
    principal: ReadsApprovals,
    tx: ReadTransaction,
    window: Paged,
    state: Annotated[ReviewState | None, Query(description="Only where it stands so.")] = None,
    act: Annotated[Act | None, asked(REVIEW_ACTS)] = None,
) -> Shown[Page[schemas.ReviewSummary]]:
    """List what one person did alone and another reviews: of your agency, about it, or yours to
    review, latest first. `late`: nobody looked in time.
    """
    page = await queries.reviews(tx, principal, window, state=state, act=act)
    return Shown(
        page.shown(
            lambda row: schemas.ReviewSummary(
                **row, permitted=permitted(REVIEW_ACTS, principal, row, tx.today)
            )
        )
    )


@router.get("/reviews/{review_id}")
async def read_review(
    principal: ReadsApprovals, found: ReviewInPath, tx: Transaction
) -> Shown[schemas.Review]:
    """Read what one person did alone, and what another found. That you did is recorded."""
    return Shown(_review(tx, principal, found), groups=["approval"])


@router.post(
    "/reviews/{review_id}/finding",
    responses=documented(PersonRequired, NotYoursToDecide, AnotherPersonNeeded, ReviewDone),
)
async def finish_review(
    principal: WritesApprovals, found: ReviewToFinish, said: schemas.ReviewFinding, tx: Transaction
) -> Shown[schemas.Review]:
    """Say whether what one person did alone was in order, as another who could have done it."""
    await operations.finish_review(tx, principal, found, said)
    row = await queries.review(tx, principal, found["id"])
    return Shown(_review(tx, principal, row))


def _approval(tx: Tx, principal: Principal, row: Any) -> schemas.Approval:
    may = permitted(ACTS, principal, row, tx.today)
    return schemas.Approval(**operations.shown(tx, row), permitted=may)


def _review(tx: Tx, principal: Principal, row: Any) -> schemas.Review:
    may = permitted(REVIEW_ACTS, principal, row, tx.today)
    return schemas.Review(**operations.shown_review(tx, row), permitted=may)
