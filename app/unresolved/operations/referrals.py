"""Two offices, or one, say whether two files are one child; or a township whether two visits are
one. Neither reads the other's file.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.agencies.queries import serving_in_sql
from app.children import duplicates, opening, referred
from app.core.data import sql
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.core.problems import Problem
from app.unresolved import events, models, queries, schemas
from app.unresolved.acts import ACTS, OFFICE
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
        alone = twin is None or await _asks_nobody_else(tx, twin, row["office_ids"])
        outcome = agreed(said.answer, theirs, alone=alone)
        if outcome is not None:
            await _agree(tx, row, twin, outcome, principal.subject)


async def _asks_nobody_else(tx: Tx, twin: asyncpg.Record, offices: Collection[UUID]) -> bool:
    """Tell whether the other question is one of the same offices', or of none that there is."""
    office = await _office(tx, twin["region_code"])
    return office is None or office in offices


async def _agree(
    tx: Tx,
    row: asyncpg.Record,
    twin: Mapping[str, Any] | None,
    outcome: UnresolvedAnswer,
    by: str,
) -> None:
    await settling.settle(tx, row, UnresolvedState.answered, by)
    if twin is not None:
        await settling.settle(tx, twin, UnresolvedState.answered, "system")
    await _TOLD[UnresolvedKind(row["kind"])](tx, row, outcome)


_SET: Final = 500
_ALONE: Final = f"""
SELECT u.id, EXISTS (
    SELECT FROM unresolved t WHERE t.id = u.twin_id AND t.answer IS NULL
        AND cardinality({serving_in_sql(OFFICE, "t.region_code")}) = 0) AS alone
FROM unresolved u
WHERE u.state = 'open' AND u.kind = 'referral' AND u.answer IS NOT NULL AND u.id > $1
ORDER BY u.id LIMIT $2
"""
"""By `ix_unresolved_answered`: what one office has answered and the other not yet."""


async def stand_alone(tx: Tx, after: UUID) -> UUID | None:
    """Let, of one set of answers, those stand alone where the other place has no office any more to
    give one, in SYSTEM's reach; returns after which to go on, None at the end.
    """
    answered = await tx.connection.fetch(_ALONE, after, _SET)
    for found in answered:
        if not found["alone"]:
            continue
        held = await tx.connection.fetch(f"{_BOTH} SKIP LOCKED", found["id"])
        both = {row["id"]: row for row in held}  # what another has in hand comes round again
        row = both.get(found["id"])
        twin = row and both.get(row["twin_id"])
        if row is None or twin is None or twin["answer"] is not None:
            continue
        if (
            await _office(tx, twin["region_code"]) is None
        ):  # pragma: no branch  an office came since
            outcome = UnresolvedAnswer(row["answer"])
            await _agree(tx, row, twin, outcome, row["answered_by"])
    return answered[-1]["id"] if len(answered) == _SET else None


async def _office(tx: Tx, place: int) -> UUID | None:
    """Return the office that answers for a place."""
    return await agencies.serving(tx, OFFICE, place)


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
    file lives, each under an id of its own; one question if one office answers for both.
    """
    await tx.connection.execute(_ONE_AT_A_TIME, str(referral_id))
    found = await referred.referral(tx, referral_id)
    if found is None:  # pragma: no cover  settled at this moment
        return
    here, there = await _places(tx, found)
    twin = None if there is None else new_id()
    ours = {
        "id": referral_id,
        "reason": UnresolvedReason(found["reason"]),
        "agency_id": found["agency_id"],
        "child_id": found["child_id"],
        "other_child_id": found["other_child_id"] if there is None else None,
        "twin_id": twin,
    }
    if await ask(tx, UnresolvedKind.referral, OFFICE, here, **ours) and there is not None:
        await _ask_other(tx, found, there, id=twin)


# Who opens a referral while its files move, and who follows them, see what the other has done.
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('referral/' || $1, 25))"


async def _places(tx: Tx, found: asyncpg.Record) -> tuple[int, int | None]:
    """Return the counties whose offices are asked: where the file lives or was to be opened, and
    where the other lives; None if the office of the one is that of the other.
    """
    here, there = home_of(found["lives_in"]), home_of(found["other_lives_in"] or found["lives_in"])
    if here == there:
        return here, None
    ours, theirs = await _office(tx, here), await _office(tx, there)
    return here, None if ours is not None and ours == theirs else there


async def _ask_other(tx: Tx, found: asyncpg.Record, place: int, **also: Any) -> None:
    theirs = {
        "reason": UnresolvedReason(found["reason"]),
        "child_id": found["other_child_id"],
        "twin_id": found["id"],
    }
    await ask(tx, UnresolvedKind.referral, OFFICE, place, **theirs, **also)


_BOTH: Final = """
SELECT * FROM unresolved WHERE state = 'open' AND id IN (
    SELECT UNNEST(ARRAY[id, twin_id]) FROM unresolved WHERE id = $1)
ORDER BY id FOR UPDATE
"""
_WITH: Final = """
UPDATE unresolved SET twin_id = $2, other_child_id = $3, updated_at = $4, version = version + 1
WHERE id = $1
"""


async def follow(tx: Tx, referral_ids: Iterable[UUID]) -> None:
    """Let the offices of the places where two files live now owe the answers, after one of them has
    moved or its place passed to another office, in SYSTEM's reach: by the same day, in the same
    question. What the office of the former place has answered stands.
    """
    for referral_id in referral_ids:
        await tx.connection.execute(_ONE_AT_A_TIME, str(referral_id))
        both = await tx.connection.fetch(_BOTH, referral_id)
        found = await referred.referral(tx, referral_id)
        ours = next((row for row in both if row["id"] == referral_id), None)
        if ours is None or found is None:
            continue
        here, there = await _places(tx, found)
        await _move(tx, ours, here)
        await referred.move_referral(tx, referral_id, found["lives_in"])
        twin = next((row for row in both if row is not ours), None)
        if twin is not None and there is not None:
            await _move(tx, twin, there)
        elif twin is not None:
            await _answer_alone(tx, ours, twin, found)
        elif there is not None:  # pragma: no branch  its file was opened since
            other = new_id()
            await tx.connection.execute(_WITH, referral_id, other, None, tx.now)
            await _ask_other(tx, found, there, id=other)


_MOVE: Final = """
UPDATE unresolved SET region_code = $2, updated_at = $3, version = version + 1 WHERE id = $1
"""


async def _move(tx: Tx, row: asyncpg.Record, place: int) -> None:
    """Let the office of another place owe a locked question, by the same day."""
    if row["region_code"] == place:
        return
    await tx.connection.execute(_MOVE, row["id"], place, tx.now)
    told_to = await queries.readers(tx, UnresolvedKind.referral, row["region_code"])
    about = {"region_code": row["region_code"], "home_county": home_of(row["region_code"])}
    moved = events.ReferralMoved(subject_id=row["id"], told_to=told_to, **about)
    await announcements.publish(tx, moved)
    await announce(tx, {**row, "region_code": place})


async def _answer_alone(
    tx: Tx, ours: asyncpg.Record, twin: asyncpg.Record, found: asyncpg.Record
) -> None:
    """Ask one office where two were asked; what it has answered settles it."""
    await settling.settle(tx, twin, UnresolvedState.taken_back, "system")
    await tx.connection.execute(_WITH, ours["id"], None, found["other_child_id"], tx.now)
    if ours["answer"] is not None:
        await settling.settle(tx, ours, UnresolvedState.answered, ours["answered_by"])
        await settle_referral(tx, ours, UnresolvedAnswer(ours["answer"]))


async def ask(
    tx: Tx,
    kind: UnresolvedKind,
    owner_role: str,
    place: int,
    *,
    police: UUID | None = None,
    **columns: Any,
) -> bool:
    """Ask one question that was found here, and announce it; False if it is known already.
    `police`: who is asked if no office may know of it.
    """
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
    await announce(tx, row, police=police)
    return True


async def announce(tx: Tx, row: Mapping[str, Any], *, police: UUID | None = None) -> None:
    """Tell whoever may read it, else the police, that a question is asked of its place."""
    kind, place = UnresolvedKind(row["kind"]), row["region_code"]
    event: Any = _ASKED.get(kind, events.VisitUnresolved)
    about: dict[str, Any] = {
        "region_code": place,
        "home_county": home_of(place),
        "due_at": row["due_at"],
    }
    told_to = await queries.readers(tx, kind, place, row.get("agency_id"), row.get("about_id"))
    if kind is UnresolvedKind.report:
        about["report_id"] = row["about_id"]
        if not told_to and police is not None:
            about["asked_id"], told_to = police, (police,)
    asked = event(subject_id=row["id"], reason=row["reason"], told_to=told_to, **about)
    await announcements.publish(tx, asked)


_ASKED: Final = {
    UnresolvedKind.referral: events.ReferralOpened,
    UnresolvedKind.report: events.ReportUnresolved,
    UnresolvedKind.handover: events.HandoverOwed,
}


@hears(UnresolvedKind.referral)
async def settle_referral(tx: Tx, row: asyncpg.Record, outcome: UnresolvedAnswer) -> None:
    """Do what follows from an agreement about two files. One child: the id that was refused is
    another name of the file from now on, for whoever sent it; what waited under it is stored; and
    where the two lie apart, the file is asked to be handed over. Two children: the one whose file
    was not opened gets it.
    """
    found = await referred.referral(tx, row["id"])
    if found is None and row["twin_id"] is not None:
        found = await referred.referral(tx, row["twin_id"])
    if found is None:
        return
    other, refused = found["other_child_id"], found["submitted_id"]
    if outcome is not UnresolvedAnswer.same_child or other is None:
        await _open_file(tx, found)
        return
    await referred.settle_referral(tx, found["id"])
    if (
        refused is not None and found["agency_id"] is not None
    ):  # pragma: no branch  nobody sent an id
        await duplicates.adopt(tx, found["agency_id"], refused, other, agreed=True)
        await settling.look_again(tx, other)
    place = found["other_lives_in"]
    if home_of(place) != home_of(found["lives_in"]):
        about = {"region_code": place, "home_county": home_of(place)}
        told_to = await queries.readers(tx, UnresolvedKind.referral, home_of(place))
        asked = events.HandoverAsked(
            subject_id=other, unresolved_id=row["id"], told_to=told_to, **about
        )
        await announcements.publish(tx, asked)
        owed = {"reason": UnresolvedReason.same_child, "child_id": other}
        await ask(tx, UnresolvedKind.handover, OFFICE, home_of(place), id=new_id(), **owed)


_TO_HAND_OVER: Final = """
SELECT * FROM unresolved WHERE child_id = $1 AND kind = 'handover' AND state = 'open' FOR UPDATE
"""


async def handed_over(tx: Tx, child_id: UUID, place: int) -> None:
    """Let nobody owe the hand-over of a file any more that came to another county, in SYSTEM's
    reach.
    """
    row = await tx.connection.fetchrow(_TO_HAND_OVER, child_id)
    if row is not None and row["region_code"] != home_of(place):
        await settling.settle(tx, row, UnresolvedState.answered, "system")


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
        await referred.settle_referral(tx, found["id"])
        return
    child_id, whole = opened
    await referred.settle_referral(tx, found["id"], opened=child_id)
    how = FileOpened.as_sent if whole else FileOpened.number_set_aside
    await tx.connection.execute(_OPENED, found["id"], child_id, how)
