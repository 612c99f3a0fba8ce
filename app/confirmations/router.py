"""Confirmations of files: confirm, read."""

from collections.abc import Iterable
from typing import Annotated, Any

import asyncpg

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children import rows
from app.children.deps import ChildFilter, ChildInPath, ChildNotFound
from app.confirmations import operations, queries, schemas
from app.confirmations.area import AREA, READ, WRITE
from app.core.data import keys
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged, Rows
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.problems import Problem, documented
from app.regions.deps import RegionSpan

router = routing.v1(AREA.tag)


class ConfirmationNotFound(Problem, status=404, denies=True):
    """No such confirmation, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such confirmation"
    title_zh = "没有这条档案确认"


Reads = Annotated[Principal, needs(READ)]
Writes = Annotated[Principal, needs(WRITE, evidence=True)]
InPath = Annotated[
    asyncpg.Record,
    named_in_path(
        "confirmation_id",
        "The confirmation's id.",
        rows.find,
        ConfirmationNotFound,
        table="confirmations",
    ),
]


@router.post(
    "/confirmations",
    status_code=201,
    responses={**REPEATED, **documented(ChildNotFound, operations.ConfirmationDiffers)},
)
async def confirm_file(
    principal: Writes, new: schemas.ConfirmationCreate, tx: Transaction
) -> Shown[schemas.Confirmation]:
    """Confirm that a child's file says how it is (REG-03): what had changed is entered before. Or
    say in which sections it does not, also if you may not change them (REG-11).

    Sent again with same id and content, it is stored once.
    """
    confirmation, is_new = await operations.confirm_file(tx, principal, new)
    return _shown(confirmation, [confirmation], subject=confirmation.id, is_new=is_new)


@router.get("/confirmations")
async def list_confirmations(
    principal: Reads,
    tx: ReadTransaction,
    window: Paged,
    child_id: ChildFilter = None,
    region: RegionSpan = None,
) -> Shown[Page[schemas.Confirmation]]:
    """List who confirmed the files of the children of your remit, latest first."""
    return await _page(
        tx, principal, await queries.list_confirmations(tx, principal, window, child_id, region)
    )


@router.get("/children/{child_id}/confirmations")
async def list_child_confirmations(
    principal: Reads, child: ChildInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Confirmation]]:
    """List who confirmed a child's file, latest first."""
    return await _page(
        tx, principal, await queries.list_confirmations(tx, principal, window, child.id)
    )


@router.get("/confirmations/{confirmation_id}")
async def read_confirmation(
    principal: Reads, found: InPath, tx: Transaction
) -> Shown[schemas.Confirmation]:
    """Read a confirmation."""
    await keys.of_rows(tx, [found])
    confirmation = queries.confirmation_of(tx, principal, found)
    return _shown(confirmation, [confirmation])


async def _page(tx: Tx, principal: Principal, page: Rows) -> Shown[Page[schemas.Confirmation]]:
    await keys.of_rows(tx, page.rows)
    answer = page.shown(lambda row: queries.confirmation_of(tx, principal, row))
    return _shown(answer, answer["items"])


def _shown(answer: Any, said: Iterable[schemas.Confirmation], **more: Any) -> Shown[Any]:
    about = [(each.child_id, each.confirmed_on) for each in said]
    since = min((day for _, day in about), default=None)
    children = [child for child, _ in about]
    return Shown(answer, children=children, groups=["confirmations"], since=since, **more)
