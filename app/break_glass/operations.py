"""A file is opened in an emergency, ended and reviewed (AZ-7)."""

from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg

from app.access import accounts
from app.access import queries as access
from app.access.acts import PersonRequired
from app.access.principal import Principal
from app.agencies.models import AgencyKind
from app.agencies.queries import lineage_in_sql
from app.break_glass import queries, schemas
from app.break_glass.acts import ACTS, GlassShut
from app.break_glass.events import BreakGlassEnded, BreakGlassOpened, BreakGlassReviewed
from app.break_glass.models import REASON, WORDS, Propriety
from app.children import child_keys
from app.children import queries as children
from app.children.deps import ChildNotFound
from app.core.clock import beginning, local_date
from app.core.data import hiding, keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.jobs import events, queue
from app.core.problems import Problem
from app.elsewhere import queries as elsewhere
from app.police_reports.about_child import Kept, kept_from
from app.policy import queries as policy
from app.regions.rules import NATION
from app.rights import queries as rights

_most_minutes: Final = policy.lookup("break_glass.most_minutes")
_per_day: Final = policy.lookup("break_glass.per_day")
_opens: Final = policy.lookup("break_glass.opens")
SHUT: Final = "break_glass.shut"
AnyEvent = TypeVar("AnyEvent", BreakGlassOpened, BreakGlassEnded, BreakGlassReviewed)


class InYourReach(Problem, status=409):
    """Whoever looks after a child reads the file as always."""

    title = "You see this child's file without breaking the glass"
    title_zh = "您本就可以查阅该儿童的档案,无需紧急查阅"


class TooLong(Problem, status=422):
    """An emergency lasts minutes."""

    title = "A file is not opened for so long"
    title_zh = "紧急查阅时长超过上限"


class GlassesSpent(Problem, status=429, denies=True):
    """One person opens so many files a day in emergencies, and no more."""

    title = "You opened as many files today as one person may; ask those who look after the child"
    title_zh = "您今天的紧急查阅次数已用完;请联系负责该儿童的部门"


_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 57))"
_TODAY: Final = """
SELECT statement_timestamp() AS now, count(*) FILTER (WHERE opened_at >= $2) AS today,
    (array_agg(id) FILTER (WHERE child_id = $3 AND agency_id = $4 AND staff_id = $5
        AND coalesce(ended_at, ends_at) > statement_timestamp()))[1] AS again
FROM break_glass WHERE staff_id = ANY ($1::uuid[]) AND opened_at >= $2 - interval '1 day'
"""
_BREAK: Final = """
INSERT INTO break_glass (id, home_county, child_id, region_code, pupil_of, staff_id, agency_id,
    role, asked_from, reason_sealed, field_groups, opened_at, ends_at, hidden_from, hidden_below,
    police_below, filed_by_id, stored_alone, version)
SELECT $1, c.home_county, c.id, coalesce($16, c.region_code), c.school_id, $4, $5, $6, $7, $8, $9,
    $10, $11, $12, $13, $14, $15, $16 IS NOT NULL, 1
FROM children c WHERE c.id = $2 AND c.home_county = $3 FOR SHARE OF c
RETURNING id
"""


async def break_glass(
    tx: Tx, principal: Principal, new: schemas.BreakGlassCreate
) -> tuple[asyncpg.Record, bool]:
    """Open one child's file to one person. Asked again while it is open, it is the same; also
    returns whether it is new. One that may only be stored (PIP-47) is opened as of where it lay.
    Raises PersonRequired, ChildNotFound, InYourReach, TooLong, GlassesSpent.
    """
    if principal.staff_id is None:
        raise PersonRequired
    child = await _meant(tx, principal, new)
    if await children.find_itself(tx, principal, child.id) is not None:
        raise InYourReach
    async with tx.as_system():
        kept = await kept_from(tx, [(child.home_county, child.id)])
    if kept.keeps_from(principal):
        raise ChildNotFound
    most = _most_minutes(principal.region_code, tx.today)
    if new.minutes > most:
        raise TooLong.at("#/minutes", "too_long", f"At most {most} minutes.")
    now, again = await _allowed(tx, principal, child.id)
    if again is not None:
        return await _row(tx, principal, again), False
    glass_id, of = new_id(), of_child(child.id)
    await keys.load(tx, [of], child.home_county)
    async with tx.as_system():
        lay = await rights.restricted_from(tx, child) if child.region_code == NATION else None
        await tx.connection.fetchval(
            _BREAK,
            *(glass_id, child.id, child.home_county),
            *(principal.staff_id, principal.agency_id, principal.role.code, principal.region_code),
            tx.keyring.seal(REASON, glass_id, new.reason, of),
            _opens(principal.region_code, tx.today),
            *(now, now + timedelta(minutes=new.minutes)),
            *_hidden(kept, principal),
            lay,
        )
        if kept:
            await _hide(tx, glass_id)
    row = await _row(tx, principal, glass_id)
    told = await _told(tx, row, kept)
    when = {"ends_at": row["ends_at"], "stored_alone": row["stored_alone"]}
    await events.publish(tx, _about(BreakGlassOpened, row, told, **when))
    await queue.enqueue(
        tx.connection,
        SHUT,
        [{"id": str(glass_id), "home_county": child.home_county}],
        delay=timedelta(minutes=new.minutes),
    )
    return row, True


async def _meant(tx: Tx, principal: Principal, new: schemas.BreakGlassCreate) -> children.ChildRef:
    child_id = new.child_id
    if new.look_id is not None:
        child_id = await elsewhere.found_by(tx, principal, new.look_id)
    child = None if child_id is None else await children.find_anywhere(tx, child_id)
    if child is None:
        raise ChildNotFound
    return child


async def _allowed(tx: Tx, principal: Principal, child_id: UUID) -> tuple[datetime, UUID | None]:
    """Return the database's time, and what is open to the caller of this child already. Of two
    requests at one moment the second finds the first. Raises GlassesSpent.
    """
    async with tx.as_system():
        await tx.connection.execute(_ONE_AT_A_TIME, f"break_glass/{min(principal.selves)}")
        clock = await tx.connection.fetchval("SELECT statement_timestamp()")
        midnight = beginning(local_date(clock))
        row = await tx.connection.fetchrow(
            _TODAY,
            list(principal.selves),
            midnight,
            child_id,
            principal.agency_id,
            principal.staff_id,
        )
    most = _per_day(principal.region_code, tx.today)
    if row["again"] is None and row["today"] >= most:
        until = midnight + timedelta(days=1)
        seconds = max(1, int((until - clock).total_seconds()))
        raise GlassesSpent(
            f"At most {most} a day, until {until.isoformat()}. The civil affairs office of where"
            " the child lives answers by telephone: a look-up elsewhere says which.",
            headers={"retry-after": str(seconds)},
        )
    return row["now"], row["again"]


def _hidden(kept: Kept, principal: Principal) -> tuple[Any, ...]:
    """Return what the row says of from whom it is kept; who opened it sees it all the same."""
    if not kept:
        return None, None, None, None
    return sorted(kept.agencies), kept.below, kept.police_below, principal.agency_id


_KNOWN: Final = """
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below, police_below, filed_by_id)
SELECT id, hidden_from, hidden_below, police_below, filed_by_id FROM break_glass WHERE id = $1
"""


async def _hide(tx: Tx, glass_id: UUID) -> None:
    """Let every list that knows it by its id keep it from whom the reports about the child are."""
    await tx.connection.execute(_KNOWN, glass_id)
    await hiding.note(tx.connection, [glass_id])


_OFFICES: Final = f"""
SELECT id, kind, region_code FROM agencies
WHERE active AND kind = ANY ($2::text[]) AND region_code IN ({lineage_in_sql("$1::bigint")})
"""
_LOOK_AFTER: Final = (
    AgencyKind.village_committee,
    AgencyKind.township_government,
    AgencyKind.civil_affairs,
)


async def _told(tx: Tx, row: asyncpg.Record, kept: Kept) -> tuple[UUID, ...] | None:
    """Return the only agencies that are told, where a report about the child is kept from some;
    None: who serves the place, as always.
    """
    if not kept:
        return None
    offices = await tx.connection.fetch(_OFFICES, row["region_code"], [*_LOOK_AFTER])
    told = {office["id"] for office in offices if not kept.keeps_from_office(*office)}
    return tuple(sorted({*told, row["agency_id"]}))


def _about(
    kind: type[AnyEvent], row: asyncpg.Record, told: tuple[UUID, ...] | None, **facts: Any
) -> AnyEvent:
    return kind(
        subject_id=row["id"],
        **{name: row[name] for name in ("region_code", "home_county", "child_id")},
        by_agency_id=row["agency_id"],
        by_role=row["role"],
        known_to=(row["agency_id"],),
        told_to=told,
        **facts,
    )


async def _announce(tx: Tx, kind: type[AnyEvent], row: asyncpg.Record, **facts: Any) -> None:
    async with tx.as_system():
        kept = await kept_from(tx, [(row["home_county"], row["child_id"])])
    await events.publish(tx, _about(kind, row, await _told(tx, row, kept), **facts))


async def _row(tx: Tx, principal: Principal, glass_id: UUID) -> asyncpg.Record:
    row = await queries.find(tx, principal, glass_id)
    if row is None:  # pragma: no cover  it was just stored, or found, by whose it is
        raise ChildNotFound
    return row


async def read_file(tx: Tx, principal: Principal, row: asyncpg.Record) -> dict[str, Any]:
    """Read what was opened, while it is. Raises NotOpenedByYou, GlassShut; ChildNotFound once a
    report about the child speaks against the caller's agency.
    """
    ACTS["readBreakGlassFile"].require(principal, row, tx.today)
    async with tx.as_system():
        kept = await kept_from(tx, [(row["home_county"], row["child_id"])])
    if kept.keeps_from(principal):
        raise ChildNotFound
    return await queries.file(tx, row)


_END: Final = """
UPDATE break_glass SET ended_at = statement_timestamp(), version = version + 1
WHERE home_county = $1 AND id = $2 AND ended_at IS NULL AND ends_at > statement_timestamp()
"""


async def end_break_glass(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> asyncpg.Record:
    """End it before its time. Raises PreconditionFailed, NotOpenedByYou, GlassShut."""
    check_version(row["version"], if_match)
    ACTS["endBreakGlass"].require(principal, row, tx.today)
    await tx.connection.execute(_END, row["home_county"], row["id"])
    await _announce(tx, BreakGlassEnded, row)
    return await _row(tx, principal, row["id"])


_REVIEW: Final = """
UPDATE break_glass SET verdict = $3, words_sealed = $4, reviewed_at = statement_timestamp(),
    reviewer_id = $5, version = version + 1,
    ended_at = CASE WHEN ends_at > statement_timestamp()
        THEN coalesce(ended_at, statement_timestamp()) ELSE ended_at END
WHERE home_county = $1 AND id = $2
"""
_OPEN_TO: Final = """
SELECT home_county, id FROM break_glass
WHERE staff_id = ANY ($1::uuid[]) AND ended_at IS NULL AND ends_at > statement_timestamp()
ORDER BY home_county, id
"""


async def review_break_glass(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.BreakGlassReview,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Say, as another person, whether it was proper. What is open still ends with that; misuse
    suspends the account at once, and ends all that is open to that person. Raises
    PreconditionFailed, PersonRequired, NotInYourRemit, OpenedByYou, OpenedByYourAgency,
    ReviewedAlready.
    """
    check_version(row["version"], if_match)
    ACTS["reviewBreakGlass"].require(principal, row, tx.today)
    sealed = tx.keyring.seal(WORDS, row["id"], said.words, await child_keys.of(tx, row))
    async with tx.as_system():
        await tx.connection.execute(
            _REVIEW, row["home_county"], row["id"], said.verdict, sealed, principal.staff_id
        )
        if said.verdict is Propriety.misuse:
            person = await access.one_person(tx, row["staff_id"])
            for other in await tx.connection.fetch(_OPEN_TO, person):
                await tx.connection.execute(_END, *other)
            for account in person:
                await accounts.set_active(tx, account, active=False)
    if row["live"]:
        await _announce(tx, BreakGlassEnded, row)
    await _announce(tx, BreakGlassReviewed, row, verdict=said.verdict)
    return await _row(tx, principal, row["id"])


_STAYS: Final = """
UPDATE break_glass SET region_code = $3
WHERE child_id = $1 AND home_county = $2 AND region_code = $4 AND verdict IS NULL
"""


async def stay(tx: Tx, child_id: UUID, home_county: int, place: int) -> None:
    """Let what is to be reviewed stay with a place, when its child's file lies nowhere any more:
    who restricts a file takes no review away.
    """
    await tx.connection.execute(_STAYS, child_id, home_county, place, NATION)


async def shut(tx: Tx, home_county: int, glass_id: UUID) -> asyncpg.Record | None:
    """Announce that the minutes are over, unless somebody ended it before. Nothing waits for this
    to be true: each read asks the database's clock. Raises GlassShut, for a job that came early.
    """
    row = await tx.connection.fetchrow(_OVER, home_county, glass_id)
    if row is None or row["ended_at"] is not None:
        return None
    if row["live"]:
        raise GlassShut
    await _announce(tx, BreakGlassEnded, row)
    return row


_OVER: Final = """
SELECT g.*, g.ends_at > statement_timestamp() AS live FROM break_glass g
WHERE g.home_county = $1 AND g.id = $2
"""
