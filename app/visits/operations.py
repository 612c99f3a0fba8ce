"""Recording and correcting visits."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import rows
from app.children.deps import ChildNotFound
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.jobs import events
from app.core.problems import Problem
from app.visits import queries, schemas
from app.visits.events import AbnormalFinding, VisitCorrected, VisitRecorded


class VisitDiffers(Problem, status=409):
    """The id is taken by a visit that says something else."""

    title = "This id belongs to a visit with other content; correct that one, or use a new id"
    title_zh = "该编号已用于内容不同的走访记录;请更正原记录或使用新编号"


class VisitInFuture(Problem, status=422):
    """A visit cannot be recorded before it happens."""

    title = "The visit lies in the future"
    title_zh = "走访日期晚于今天"


class VisitBeforeBirth(Problem, status=422):
    """The child was not born yet."""

    title = "The visit lies before the child's birth"
    title_zh = "走访日期早于儿童出生日期"


class VisitStartOnOtherDay(Problem, status=422):
    """The beginning contradicts the day."""

    title = "The visit began on another day than it took place"
    title_zh = "走访开始时间与走访日期不在同一天"


async def record_visit(
    tx: Tx, principal: Principal, new: schemas.VisitCreate
) -> tuple[schemas.Visit, bool]:
    """Store a visit and announce it. Returns it, and whether it is new.

    The same visit sent again is answered with what is stored. Raises ChildNotFound, VisitInFuture,
    VisitStartOnOtherDay, VisitBeforeBirth, VisitDiffers.
    """
    values = {
        "id": new.id,
        "visitor": principal.staff_id,
        "content_mac": tx.keyring.blind_index("visit", new.model_dump_json()),
        "recorded_at": new.recorded_at,
        **_stored(tx, new.id, new.model_dump()),
    }
    put = await rows.put(
        tx, principal, "visits", new.child_id, values, on=new.visited_on, lived_in="visited_in"
    )
    if put is not None:
        _check_birth(new.visited_on, put.birth_date)
    if put is not None and put.row is not None:
        _check_days(new.visited_on, new.started_at, tx)
        visit = queries.visit_of(tx, principal, put.row)
        await _announce(tx, VisitRecorded, visit, put.row, news=visit.abnormal)
        return visit, True
    return await _sent_before(tx, principal, new, values, child_known=put is not None), False


async def _sent_before(
    tx: Tx,
    principal: Principal,
    new: schemas.VisitCreate,
    values: Mapping[str, Any],
    *,
    child_known: bool,
) -> schemas.Visit:
    """Recognise a visit sent again: as it stands, or as it was sent if its child is out of sight
    by now.
    """
    row = await rows.find(tx, principal, new.id, table="visits")
    sent = row or await rows.sent_before(tx, principal, new.id, table="visits")
    if sent is None and not child_known:
        raise ChildNotFound
    # A visit the caller may not know of is answered like one that says something else.
    if sent is None or sent["content_mac"] != values["content_mac"]:
        raise VisitDiffers
    if row is not None:
        return queries.visit_of(tx, principal, row)
    first = {"version": 1, "updated_at": sent["received_at"], **values}
    findings = orjson.loads(values["findings"])
    return queries.visit_of(tx, principal, {**sent, **first, "findings": findings})


async def correct_visit(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    correction: schemas.VisitCorrection,
    *,
    if_match: int,
) -> schemas.Visit:
    """Change a locked visit and keep what it said before. Raises PreconditionFailed, VisitInFuture,
    VisitStartOnOtherDay, VisitBeforeBirth.
    """
    check_version(row["version"], if_match)
    before = queries.visit_of(tx, principal, row)
    merged = {**before.model_dump(), **correction.changes()}
    _check_days(merged["visited_on"], merged["started_at"], tx)
    _check_birth(merged["visited_on"], row["birth_date"])
    said, values = before.model_dump_json(exclude={"permitted"}), _stored(tx, row["id"], merged)
    changed = await rows.correct(tx, principal, "visits", row, said, values)
    visit = queries.visit_of(tx, principal, changed)
    news = visit.abnormal and not before.abnormal
    await _announce(tx, VisitCorrected, visit, row, news=news)
    return visit


_PLAIN: Final = (
    *("visited_on", "started_at", "visitor_type", "place", "channel", "guardian_present"),
    "policies_explained",
)


def _stored(tx: Tx, visit_id: UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of what a visit says, its words sealed apart from its codes."""
    codes = [{**finding} for finding in said["findings"]]
    words = {"note": said["note"], "findings": [finding.pop("note") for finding in codes]}
    sealed = None
    if words["note"] is not None or any(words["findings"]):
        sealed = tx.keyring.seal(queries.WORDS, visit_id, orjson.dumps(words))
    return {
        **{name: said[name] for name in _PLAIN},
        "abnormal": any(finding["abnormal"] for finding in codes),
        "findings": orjson.dumps(codes).decode(),
        "words_sealed": sealed,
    }


async def _announce(
    tx: Tx,
    kind: type[VisitRecorded | VisitCorrected],
    visit: schemas.Visit,
    row: Mapping[str, Any],
    *,
    news: bool,
) -> None:
    about = {**rows.announced(row), "visited_on": visit.visited_on}
    announced: list[events.Event] = [
        kind(
            **about, visitor_type=visit.visitor_type, channel=visit.channel, abnormal=visit.abnormal
        )
    ]
    if news:
        abnormal = [finding for finding in visit.findings if finding.abnormal]
        announced.append(
            AbnormalFinding(
                **about,
                types=sorted({str(finding.type) for finding in abnormal}),
                refer_to=sorted({str(to) for finding in abnormal for to in finding.refer_to}),
            )
        )
    await events.publish(tx, *announced)


def _check_days(visited_on: date, started_at: datetime | None, tx: Tx) -> None:
    if visited_on > tx.today:
        raise VisitInFuture.at("#/visited_on", "date_in_future", "The day has not come.")
    if started_at is not None and local_date(started_at) != visited_on:
        detail = "Give an instant of that day."
        raise VisitStartOnOtherDay.at("#/started_at", "visit_start_on_other_day", detail)


def _check_birth(visited_on: date, birth_date: date) -> None:
    if visited_on < birth_date:
        detail = "The child was not born yet."
        raise VisitBeforeBirth.at("#/visited_on", "visit_before_birth", detail)
