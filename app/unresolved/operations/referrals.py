"""Two offices, or one, say whether two files are one child; or a township whether two visits are
one. Neither reads the other's file.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.children import duplicates, opening
from app.core.data import sql
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.core.problems import Problem
from app.unresolved import events, models, queries, schemas
from app.unresolved.acts import ACTS
from app.unresolved.models import (
    FileOpened,
    UnresolvedAnswer,
    UnresolvedKind,
    UnresolvedReason,
    UnresolvedState,
)
from app.unresolved.operations import settling
from app.unresolved.operations.holding import due, home_of
from app.unresolved.rules import ANSWERS, agreed

Told = Callable[[Tx, asyncpg.Record, UnresolvedAnswer], Awaitable[None]]
_TOLD: Final[dict[UnresolvedKind, Told]] = {}


class AnswerDoesNotFit(Problem, status=422):
    """A referral is not answered by what can be said of two visits, nor the other way round."""

    title = "This cannot be answered to a question of this kind"
    title_zh = "该答复不适用于此类事项"


def hears(kind: UnresolvedKind) -> Callable[[Told], Told]:
    """Let the decorated function hear what was agreed about a question, in SYSTEM's reach."""
    return lambda told: _TOLD.setdefault(kind, told)


async def answer(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.AnswerGiven,
    *,
    if_match: int,
) -> None:
    """Keep what an office answers and tell it to the other; settle what is agreed. Raises
    NotForThisKind, NotYoursToSettle, PersonRequired, OfficeAnswers, AnsweredForTheOther,
    SettledAlready, AnswerDoesNotFit, PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["answerUnresolved"].require(principal, row, tx.today)
    if said.answer not in ANSWERS[UnresolvedKind(row["kind"])]:
        raise AnswerDoesNotFit.at("#/answer", "answer_does_not_fit", "See the question's kind.")
    async with tx.as_system():
        twin = await _keep(tx, row, said, principal.subject)
        theirs = UnresolvedAnswer(row["their_answer"]) if row["their_answer"] else None
        outcome = agreed(said.answer, theirs, alone=twin is None)
        if outcome is None:
            return
        await settling.settle(tx, row, UnresolvedState.answered, principal.subject)
        if twin is not None:
            await settling.settle(tx, twin, UnresolvedState.answered, "system")
        await _TOLD[UnresolvedKind(row["kind"])](tx, row, outcome)


async def _keep(
    tx: Tx, row: asyncpg.Record, said: schemas.AnswerGiven, by: str
) -> asyncpg.Record | None:
    """Write an answer down on both questions; return the other office's, if there is one."""
    statement = (
        "UPDATE unresolved SET {0} = $2, {0}_sealed = $3, {0}ed_at = $4, {0}ed_by = $5,"
        " updated_at = $4, version = version + 1 WHERE id = $1 RETURNING *"
    )
    ours = tx.keyring.seal(models.ANSWER, row["id"], said.words)
    await tx.connection.execute(
        statement.format("answer"), row["id"], said.answer, ours, tx.now, by
    )
    if row["twin_id"] is None:
        return None
    theirs = tx.keyring.seal(models.THEIR_ANSWER, row["twin_id"], said.words)
    told = statement.format("their_answer")
    return await tx.connection.fetchrow(told, row["twin_id"], said.answer, theirs, tx.now, by)


async def open_referral(tx: Tx, referral_id: UUID) -> None:
    """Ask the offices concerned about a referral (`children.duplicates`), in SYSTEM's reach: that
    of the place where the file was to be opened or changed, and that of the place where the other
    file lives, each under an id of its own; one question if both are one county.
    """
    found = await duplicates.referral(tx, referral_id)
    if found is None:
        return
    here, there = home_of(found["region_code"]), found["other_region_code"]
    there = here if there is None else home_of(there)
    apart = here != there
    twin = new_id() if apart else None
    same: dict[str, Any] = {"reason": UnresolvedReason(found["reason"])}
    ours = {
        "id": referral_id,
        "agency_id": found["agency_id"],
        "child_id": found["child_id"],
        "other_child_id": None if apart else found["other_child_id"],
        "twin_id": twin,
    }
    if await ask(tx, UnresolvedKind.referral, "civil_affairs", here, **same, **ours) and apart:
        theirs = {"id": twin, "child_id": found["other_child_id"], "twin_id": referral_id}
        await ask(tx, UnresolvedKind.referral, "civil_affairs", there, **same, **theirs)


async def ask(tx: Tx, kind: UnresolvedKind, owner_role: str, place: int, **columns: Any) -> bool:
    """Ask one question that was found here, and announce it; False if it is known already."""
    row = {
        "kind": kind,
        "region_code": place,
        "owner_role": owner_role,
        "state": UnresolvedState.open,
        "abnormal": False,
        "due_at": due(tx, place),
        "received_at": tx.now,
        "updated_at": tx.now,
        "version": 1,
        **columns,
    }
    if not await sql.insert(tx.connection, "unresolved", row, unless_taken=True):
        return False
    event: Any = _ASKED.get(kind, events.VisitUnresolved)
    about = {"region_code": place, "home_county": home_of(place), "due_at": row["due_at"]}
    told_to = await queries.readers(tx, kind, place, row.get("agency_id"), row.get("about_id"))
    asked = event(subject_id=row["id"], reason=row["reason"], told_to=told_to, **about)
    await announcements.publish(tx, asked)
    return True


_ASKED: Final = {
    UnresolvedKind.referral: events.ReferralOpened,
    UnresolvedKind.report: events.ReportUnresolved,
}


@hears(UnresolvedKind.referral)
async def settle_referral(tx: Tx, row: asyncpg.Record, outcome: UnresolvedAnswer) -> None:
    """Do what follows from an agreement about two files. One child: the id that was refused is
    another name of the file from now on, for whoever sent it; what waited under it is stored; and
    where the two lie apart, the file is asked to be handed over. Two children: the one whose file
    was not opened gets it.
    """
    found = await duplicates.referral(tx, row["id"])
    if found is None and row["twin_id"] is not None:
        found = await duplicates.referral(tx, row["twin_id"])
    if found is None:
        return
    other, refused = found["other_child_id"], found["submitted_id"]
    if outcome is not UnresolvedAnswer.same_child or other is None:
        await _open_file(tx, found)
        return
    await duplicates.settle_referral(tx, found["id"])
    if refused is not None and found["agency_id"] is not None:
        await duplicates.adopt(tx, found["agency_id"], refused, other, agreed=True)
        await settling.look_again(tx, other)
    place = found["other_region_code"]
    if home_of(place) != home_of(found["region_code"]):
        about = {"region_code": place, "home_county": home_of(place)}
        told_to = await queries.readers(tx, UnresolvedKind.referral, home_of(place))
        asked = events.HandoverAsked(
            subject_id=other, unresolved_id=row["id"], told_to=told_to, **about
        )
        await announcements.publish(tx, asked)


_OPENED: Final = """
UPDATE unresolved SET child_id = $2, file_opened = $3, version = version + 1 WHERE id = $1
"""


async def _open_file(tx: Tx, found: asyncpg.Record) -> None:
    """Open the file that was referred, its number set aside if the office of its place finds it
    wrong or another file has it still, and say so on that office's question.
    """
    said = await tx.connection.fetchval("SELECT answer FROM unresolved WHERE id = $1", found["id"])
    number_wrong = said == UnresolvedAnswer.number_wrong
    opened = await opening.open_referred(tx, found, number_wrong=number_wrong)
    if opened is None:
        await duplicates.settle_referral(tx, found["id"])
        return
    child_id, whole = opened
    await duplicates.settle_referral(tx, found["id"], opened=child_id)
    how = FileOpened.as_sent if whole else FileOpened.number_set_aside
    await tx.connection.execute(_OPENED, found["id"], child_id, how)
