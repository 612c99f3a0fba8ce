"""What cannot be placed yet: list, read, settle."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children import referred
from app.children.deps import ChildNotFound
from app.core.data import keys
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented
from app.regions.deps import RegionSpan
from app.unresolved import queries, schemas
from app.unresolved.acts import (
    ACTS,
    AnsweredForTheOther,
    NotForThisKind,
    NothingPlaced,
    NotYoursToSettle,
    OfficeAnswers,
    SecondPersonDismisses,
    SettledAlready,
)
from app.unresolved.area import AREA, READ, WRITE
from app.unresolved.models import UnresolvedKind, UnresolvedState
from app.unresolved.operations import referrals, settling, taking_back

router = routing.v1(AREA.tag, "/unresolved")


class UnresolvedNotFound(Problem, status=404, denies=True):
    """Nothing of this id is unresolved, or nothing the caller may know of: the same (AZ-3)."""

    title = "There is no such unresolved item"
    title_zh = "没有这条待处理事项"


ReadsUnresolved = Annotated[Principal, needs(READ)]
SettlesUnresolved = Annotated[Principal, needs(WRITE)]
_ITEM = ("unresolved_id", "The question's id.", queries.find, UnresolvedNotFound)
UnresolvedInPath = Annotated[asyncpg.Record, named_in_path(*_ITEM)]
UnresolvedToSettle = Annotated[asyncpg.Record, named_in_path(*_ITEM, for_update=True)]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]


@router.get("")
async def list_unresolved(
    principal: ReadsUnresolved,
    tx: ReadTransaction,
    window: Paged,
    kind: Annotated[UnresolvedKind | None, Query(description="Only of this kind.")] = None,
    state: Annotated[UnresolvedState | None, Query(description="Only where it stands so.")] = None,
    abnormal: Annotated[
        bool | None, Query(description="Only with or without an abnormal finding.")
    ] = None,
    sender: Annotated[UUID | None, Query(description="Only what this agency sent.")] = None,
    region: RegionSpan = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.Unresolved]]:
    """List what cannot be placed yet: in your region what your office must answer, else what your
    agency sent; in the order it falls due. Ask for `abnormal` first: another's many may be due
    before one that cannot wait.
    """
    page = await queries.list_unresolved(
        tx,
        principal,
        window,
        kind=kind,
        state=state,
        abnormal=abnormal,
        sender=sender,
        region=region,
        act=act,
    )
    await keys.of_rows(tx, page.rows)
    answer = page.shown(lambda row: queries.shown(tx, principal, row))
    return _shown(answer, answer["items"])


@router.get("/{unresolved_id}")
async def read_unresolved(
    principal: ReadsUnresolved, found: UnresolvedInPath, tx: Transaction
) -> Shown[schemas.UnresolvedDetail]:
    """Read one, with what was sent, as it was sent."""
    return await _detail(tx, principal, found)


@router.post(
    "/{unresolved_id}/attachment",
    responses=documented(
        ChildNotFound, NotForThisKind, NotYoursToSettle, PersonRequired, SettledAlready
    ),
)
async def attach_unresolved(
    principal: SettlesUnresolved,
    found: UnresolvedToSettle,
    said: schemas.UnresolvedAttachment,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.UnresolvedDetail]:
    """Say whom it is about.

    What waits is stored with its first sender, time and id; what follows from it follows, and what
    its sender still sends under this id reaches the file. `words` are required, whoever attaches
    and whatever waits: they say by what it is known, for whoever asks why the file holds it, or
    takes it back.
    """
    await settling.attach(tx, principal, found, said, if_match=if_match)
    return await _again(tx, principal, found, said.child_id)


@router.post(
    "/{unresolved_id}/correction",
    responses=documented(NotForThisKind, PersonRequired, SettledAlready),
)
async def correct_unresolved(
    principal: SettlesUnresolved,
    found: UnresolvedToSettle,
    said: schemas.UnresolvedCorrection,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.UnresolvedDetail]:
    """Say whom its sender meant, and try again. If that is nobody its sender may write about, it
    stays open; a file that appears for whom it was said to be first is found as well.
    """
    await settling.correct(tx, principal, found, said, if_match=if_match)
    return await _again(tx, principal, found)


@router.post(
    "/{unresolved_id}/withdrawal",
    responses=documented(
        ChildNotFound, NotForThisKind, NotYoursToSettle, PersonRequired, NothingPlaced
    ),
)
async def take_back_unresolved(
    principal: SettlesUnresolved,
    found: UnresolvedToSettle,
    said: schemas.UnresolvedTakeBack,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.UnresolvedDetail]:
    """Say that it was placed with the wrong child. That file loses it, with what was sent since by
    the same name; it is placed with the child you name, or asked about anew in a question of its
    own, as it was sent.
    """
    await taking_back.take_back(tx, principal, found, said, if_match=if_match)
    return await _again(tx, principal, found, *filter(None, [found["child_id"], said.child_id]))


@router.post(
    "/{unresolved_id}/dismissal",
    responses=documented(
        NotForThisKind, NotYoursToSettle, PersonRequired, SettledAlready, SecondPersonDismisses
    ),
)
async def dismiss_unresolved(
    principal: SettlesUnresolved,
    found: UnresolvedToSettle,
    said: schemas.UnresolvedDismissal,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.UnresolvedDetail]:
    """Say in words why it belongs nowhere. What was sent is kept and can be read. What holds an
    abnormal finding stays open until a second person of your office, or of one above, does the
    same; anything new withdraws what the first proposed.
    """
    await settling.dismiss(tx, principal, found, said.words, if_match=if_match)
    return await _again(tx, principal, found)


@router.post(
    "/{unresolved_id}/answer",
    responses=documented(
        referrals.AnswerDoesNotFit,
        NotForThisKind,
        NotYoursToSettle,
        PersonRequired,
        OfficeAnswers,
        SettledAlready,
        AnsweredForTheOther,
    ),
)
async def answer_unresolved(
    principal: SettlesUnresolved,
    found: UnresolvedToSettle,
    said: schemas.AnswerGiven,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.UnresolvedDetail]:
    """Say whether two files are one child, or two visits one. The other office reads your answer
    and nothing of your file; it is settled when both say the same or one finds its number wrong.
    Of two offices each answers itself, by a person. A file that was referred is opened then, unless
    its child has one: `file_opened` says how.
    """
    await referrals.answer(tx, principal, found, said, if_match=if_match)
    return await _again(tx, principal, found)


async def _again(
    tx: Tx, principal: Principal, row: asyncpg.Record, *also: UUID
) -> Shown[schemas.UnresolvedDetail]:
    settled = await queries.find(tx, principal, row["id"])
    return await _detail(tx, principal, settled or row, *also)


async def _detail(
    tx: Tx, principal: Principal, row: asyncpg.Record, *also: UUID
) -> Shown[schemas.UnresolvedDetail]:
    sent: dict[str, Any] | None = None
    if row["kind"] == UnresolvedKind.referral:  # of which each office has a question of its own
        sent = await referred.submission(tx, principal, row["id"])
    rows = await queries.evidence(tx, row["id"], most=schemas.MOST_SHOWN, waiting=False)
    await keys.of_rows(tx, [row])
    evidence = [queries.referred(sent)] if sent else [queries.waiting(tx, each) for each in rows]
    answer = {**queries.shown(tx, principal, row), "evidence": evidence}
    return _shown(answer, [answer], *also, sections=sent["sections"] if sent else ())


def _shown(
    answer: Any, items: Sequence[Any], *also: UUID, sections: Iterable[str] = ()
) -> Shown[Any]:
    children = [*queries.concerned(items), *also]
    return Shown(answer, children=children, groups=["unresolved", *sections])
