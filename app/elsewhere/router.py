"""Looks from elsewhere over HTTP."""

from typing import Annotated

from app.access.deps import needs
from app.access.principal import Principal
from app.children.deps import ChildFilter
from app.core.clock import local_date
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import documented
from app.elsewhere import operations, queries, schemas
from app.elsewhere.area import AREA, LOOK, READ

router = routing.v1(AREA.tag, "/looks-elsewhere")
LooksElsewhere = Annotated[Principal, needs(LOOK)]
ReadsLooks = Annotated[Principal, needs(READ)]


@router.post("", responses=documented(operations.DeskOff))
async def look_elsewhere(
    principal: LooksElsewhere, sought: schemas.LookElsewhereCreate, tx: Transaction
) -> Shown[schemas.LookAnswer]:
    """Ask, as a hospital, a shelter or the police anywhere in the nation, whether the child at your
    desk is known, and whom to call. The child's own worker is told who asked, from where and why.
    """
    answer, found = await operations.look_elsewhere(tx, principal, sought)
    return Shown(answer, children=found, groups=["elsewhere"], subject=answer.id)


@router.get("")
async def list_looks_elsewhere(
    principal: ReadsLooks, tx: ReadTransaction, window: Paged, child_id: ChildFilter = None
) -> Shown[Page[schemas.LookElsewhere]]:
    """List what your agency asked and, for who looks after the children of a region, who asked for
    these. Newest first.
    """
    page = await queries.looks(tx, principal, window, child_id=child_id)
    told = [row for row in page.rows if queries.looks_after(principal, row)]
    return Shown(
        page.shown(lambda row: queries.shown(principal, row)),
        children=[child_id, *(row["child_id"] for row in told)],
        groups=["elsewhere"],
        since=min((local_date(row["looked_at"]) for row in page.rows), default=None),
    )
