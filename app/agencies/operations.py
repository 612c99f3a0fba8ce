"""Register agencies, set up posts, hire people and put them into posts.

Which role an agency may give is decided above, from `app/access/roles.yaml`: here a role is a word.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from stdnum.cn import uscc as credit_code

from app.agencies.models import Agency, AgencyKind, Post, PostHolding, Staff
from app.agencies.queries import PostRef
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.problems import FieldError, Problem
from app.regions import queries as regions
from app.regions import rules


class RegionUnknown(Problem, status=422):
    """The division does not exist today."""

    title = "No such division"
    title_zh = "没有这个行政区划"
    errors = (
        FieldError(
            "#/region_code",
            "region_unknown",
            "Not a division today; `tonghu regions load` loads them.",
        ),
    )


class CreditCodeInvalid(Problem, status=422):
    """The unified social credit code does not check (GB 32100)."""

    title = "The unified social credit code is not valid"
    title_zh = "统一社会信用代码无效"
    errors = (FieldError("#/uscc", "uscc_invalid", "The code does not check."),)


class AgencyAlreadyRegistered(Problem, status=409):
    """An agency with this unified social credit code exists."""

    title = "An agency with this unified social credit code is registered"
    title_zh = "该统一社会信用代码的机构已登记"


class PostOutsideAgency(Problem, status=422):
    """A post answers only for places its agency serves."""

    title = "The post must answer for a place its agency serves"
    title_zh = "岗位负责区域必须在其机构服务区域之内"
    errors = (
        FieldError("#/region_code", "outside_agency", "Outside the region the agency serves."),
    )


class StaffNotOfAgency(Problem, status=422):
    """Only people of the agency hold its posts, or who have left all those they held elsewhere."""

    title = "The post's agency employs nobody with this id, and nobody of this id is free for it"
    title_zh = "岗位所属机构没有该人员,或该人员尚未离任原岗位"
    errors = (FieldError("#/staff_id", "staff_unknown", "Not of the post's agency, nor free."),)


class PostGivenUp(Problem, status=409):
    """Nobody takes a post that is no more."""

    title = "This post was given up"
    title_zh = "该岗位已撤销"


class AlreadyHeld(Problem, status=409):
    """The person holds the post on one of these days."""

    title = "This person already holds the post at that time"
    title_zh = "该人员在此期间已担任此岗位"


class HoldingEnded(Problem, status=409):
    """The holding has an end already."""

    title = "The post was already left"
    title_zh = "该任职已经结束"


class EndBeforeBeginning(Problem, status=422):
    """Nobody leaves a post before taking it."""

    title = "A post cannot be left before it was taken"
    title_zh = "离任日期不得早于任职日期"
    errors = (FieldError("#/until", "before_since", "Not before `since`."),)


async def create_agency(
    tx: Tx,
    kind: AgencyKind,
    name: str,
    region_code: int,
    *,
    name_en: str | None = None,
    uscc: str | None = None,
    public_contact: str | None = None,
) -> Agency:
    """Register an agency. Raises RegionUnknown, CreditCodeInvalid or AgencyAlreadyRegistered."""
    region_code = await _place(tx, region_code)
    if uscc is not None and not (credit_code.is_valid(uscc) and credit_code.compact(uscc) == uscc):
        raise CreditCodeInvalid
    agency = Agency(
        kind=AgencyKind(kind).value,
        name=name,
        name_en=name_en,
        region_code=region_code,
        uscc=uscc,
        public_contact=public_contact,
        created_at=tx.now,
        updated_at=tx.now,
    )
    try:
        return await tx.add(agency)
    except IntegrityError as error:  # the code is all that a row may have in common with another
        raise AgencyAlreadyRegistered from error


async def set_public_contact(tx: Tx, agency: Agency, contact: str | None) -> Agency:
    """Let anybody reach an agency so from now on; None: by nothing it tells."""
    agency.public_contact = contact
    return await _changed(tx, agency)


async def change_agency(
    tx: Tx, agency: Agency, change: Mapping[str, Any], *, if_match: int
) -> Agency:
    """Change what is said of an agency. Whose region it is another one: its people go along; its
    posts must answer for a place of the new one. Raises PreconditionFailed, RegionUnknown,
    PostOutsideAgency.
    """
    check_version(agency.version, if_match)
    for name, value in change.items():
        setattr(agency, name, value)
    if "region_code" in change:
        agency.region_code = await _place(tx, agency.region_code)
        span = rules.subtree(agency.region_code)
        if await tx.connection.fetchval(_POSTS_OUTSIDE, agency.id, *span):
            raise PostOutsideAgency
        async with tx.as_system():
            await tx.connection.execute(
                "UPDATE staff SET region_code = $2 WHERE agency_id = $1",
                agency.id,
                agency.region_code,
            )
    return await _changed(tx, agency)


_POSTS_OUTSIDE: Final = """
SELECT true FROM posts
WHERE agency_id = $1 AND active AND NOT (region_code >= $2 AND region_code < $3) LIMIT 1
"""


async def close_agency(tx: Tx, agency: Agency) -> Agency:
    """Let an agency be no more, from today: nothing of it works from this instant."""
    await tx.connection.execute(
        "UPDATE posts SET active = false, version = version + 1 WHERE agency_id = $1 AND active",
        agency.id,
    )
    agency.active, agency.closed_on = False, tx.today
    return await _changed(tx, agency)


async def _changed(tx: Tx, agency: Agency) -> Agency:
    agency.version, agency.updated_at = agency.version + 1, tx.now
    await tx.flush()
    return agency


_TAKEN_OVER: Final = """
WITH people AS (
    UPDATE staff SET agency_id = $2, region_code = $3 WHERE agency_id = $1)
UPDATE posts SET agency_id = $2, version = version + 1 WHERE agency_id = $1 AND active
"""


# A post that is no more for each that moves, with who held it: it tells where somebody served.
_SERVED: Final = """
WITH twins AS MATERIALIZED (
    SELECT p.*, gen_random_uuid() AS twin FROM posts p WHERE p.agency_id = $1 AND p.active),
posts_then AS (
    INSERT INTO posts (id, agency_id, role, local_title, region_code, remit_lo, remit_hi, active,
                       version, created_at)
    SELECT twin, agency_id, role, local_title, region_code, remit_lo, remit_hi, false, version,
           created_at
    FROM twins)
INSERT INTO post_holdings (id, post_id, staff_id, since, until, created_at)
SELECT gen_random_uuid(), t.twin, h.staff_id, h.since, least(h.until, $2::date), h.created_at
FROM twins t JOIN post_holdings h ON h.post_id = t.id WHERE h.since <= $2::date
"""


async def take_over(tx: Tx, agency: Agency, successor: Agency) -> None:
    """Let the posts of an agency and who works for it be another's from now on. That they served
    the one before stays: what is kept from it is kept from them (AZ-8). Raises PostOutsideAgency.
    """
    span = rules.subtree(successor.region_code)
    if await tx.connection.fetchval(_POSTS_OUTSIDE, agency.id, *span):
        raise PostOutsideAgency
    await tx.flush()
    async with tx.as_system():
        await tx.connection.execute(_SERVED, agency.id, tx.today)
        await tx.connection.execute(_TAKEN_OVER, agency.id, successor.id, successor.region_code)


async def _place(tx: Tx, region_code: int) -> int:
    # The nation is served by the platform's own operator and is no row of the table.
    if region_code == rules.NATION:
        return region_code
    found = await regions.current(tx, region_code, tx.today)
    if found is None:
        raise RegionUnknown
    return found


class Remit(NamedTuple):
    """The place a post or system answers for, by the code it has now, and its range of codes."""

    region_code: int
    lo: int
    hi: int


async def remit(tx: Tx, agency: Agency, region_code: int) -> Remit:
    """Return what a post or system of an agency answers for. Raises RegionUnknown or
    PostOutsideAgency.
    """
    place = await _place(tx, region_code)
    lo, hi = rules.subtree(agency.region_code)
    if not lo <= place < hi:
        raise PostOutsideAgency
    return Remit(place, *rules.subtree(place))


async def add_post(tx: Tx, agency: Agency, role: str, local_title: str, region_code: int) -> Post:
    """Set up a post that answers for a region; whether the agency may give the role is the caller's
    to decide. Raises RegionUnknown or PostOutsideAgency.
    """
    place = await remit(tx, agency, region_code)
    return await tx.add(
        Post(
            agency_id=agency.id,
            role=role,
            local_title=local_title,
            region_code=place.region_code,
            remit_lo=place.lo,
            remit_hi=place.hi,
            created_at=tx.now,
        )
    )


async def hire(tx: Tx, agency_id: UUID, name: str, *, phone: str | None = None) -> Staff:
    """Take a person into an agency; the phone number is kept encrypted."""
    # Held, lest the agency's code changes before the person is among those who follow it.
    region_code = await tx.connection.fetchval(
        "SELECT region_code FROM agencies WHERE id = $1 FOR SHARE", agency_id
    )
    person = Staff(agency_id=agency_id, region_code=region_code, name=name, created_at=tx.now)
    if phone is not None:
        person.phone_sealed = tx.keyring.seal("staff.phone", person.id, phone)
    return await tx.add(person)


_MOVES_ON: Final = """
UPDATE staff SET agency_id = a.id, region_code = a.region_code FROM agencies a
WHERE a.id = $2 AND staff.id = $1 AND staff.active
  AND EXISTS (SELECT FROM post_holdings h WHERE h.staff_id = $1)
  AND NOT EXISTS (SELECT FROM post_holdings h
                  WHERE h.staff_id = $1 AND (h.until IS NULL OR h.until > least($3::date, $4)))
"""


_STANDS: Final = "SELECT true FROM agencies WHERE id = $1 AND closed_on IS NULL FOR SHARE"


async def hold_post(tx: Tx, post: Post | PostRef, staff_id: UUID, since: date) -> PostHolding:
    """Put a person into a post from a day on. Whoever has left every post of another agency, by
    that day and today, moves on to this one, as the same person: what they saw in those posts stays
    theirs to tell.
    Raises PostGivenUp, StaffNotOfAgency or AlreadyHeld.
    """
    # Held, lest the agency closes before it is seen that somebody has a post there.
    if await tx.connection.fetchval(_STANDS, post.agency_id) is None:
        raise PostGivenUp
    # Locking the person makes two holdings of one person wait for each other.
    employer = await tx.connection.fetchval(
        "SELECT agency_id FROM staff WHERE id = $1 AND active FOR UPDATE", staff_id
    )
    if employer != post.agency_id and (
        employer is None
        or await tx.connection.execute(_MOVES_ON, staff_id, post.agency_id, since, tx.today)
        == "UPDATE 0"
    ):
        raise StaffNotOfAgency
    held = await tx.connection.fetchval(
        "SELECT true FROM post_holdings WHERE post_id = $1 AND staff_id = $2"
        " AND (until IS NULL OR until > $3::date)",
        post.id,
        staff_id,
        since,
    )
    if held:
        raise AlreadyHeld
    return await tx.add(
        PostHolding(post_id=post.id, staff_id=staff_id, since=since, created_at=tx.now)
    )


async def leave_post(tx: Tx, holding: PostHolding, until: date) -> PostHolding:
    """End a holding: `until` is the first day the person no longer holds the post. Their authority
    ends with that day (TOK-4). An end that lies ahead may be brought forward. Raises HoldingEnded
    or EndBeforeBeginning.
    """
    if holding.until is not None and holding.until <= max(until, tx.today):
        raise HoldingEnded
    if until < holding.since:
        raise EndBeforeBeginning
    holding.until = until
    await tx.flush()
    return holding


async def hand_over(
    tx: Tx, post: Post | PostRef, holding: PostHolding, successor_id: UUID, on: date
) -> PostHolding:
    """Let a person take a post from another on a day: what the post owes is never nobody's. Raises
    HoldingEnded, EndBeforeBeginning, and what `hold_post` raises.
    """
    try:
        await leave_post(tx, holding, on)
        return await hold_post(tx, post, successor_id, on)
    except (EndBeforeBeginning, StaffNotOfAgency) as refused:  # each names the field it is in here
        named = "#/since" if isinstance(refused, EndBeforeBeginning) else "#/successor_id"
        (wrong,) = refused.errors
        raise type(refused).at(named, wrong.code, wrong.detail) from None


async def change_post(
    tx: Tx, post: Post, agency: Agency, change: Mapping[str, Any], *, if_match: int
) -> Post:
    """Change what a post is called and for which place it answers. Raises PreconditionFailed,
    RegionUnknown, PostOutsideAgency.
    """
    check_version(post.version, if_match)
    post.local_title = change.get("local_title", post.local_title)
    if "region_code" in change:
        post.region_code, post.remit_lo, post.remit_hi = await remit(
            tx, agency, change["region_code"]
        )
    post.version += 1
    await tx.flush()
    return post


_ALL_LEAVE: Final = """
UPDATE post_holdings SET until = greatest(since, $2::date)
WHERE post_id = $1 AND (until IS NULL OR until > $2::date)
"""


async def close_post(tx: Tx, post: Post) -> Post:
    """Give a post up: whoever holds it leaves it today."""
    await tx.connection.execute(_ALL_LEAVE, post.id, tx.today)
    post.active, post.version = False, post.version + 1
    await tx.flush()
    return post


_LEAVES: Final = """
UPDATE post_holdings h SET until = greatest(h.since, $3::date)
FROM posts p JOIN agencies a ON a.id = p.agency_id
WHERE h.staff_id = $1 AND p.id = h.post_id AND a.kind = ANY ($2::text[])
  AND (h.until IS NULL OR h.until > $3::date)
"""


async def leave_all(tx: Tx, staff_id: UUID, kinds: Sequence[str]) -> None:
    """Let a person leave today whatever they hold at agencies of some kinds."""
    await tx.connection.execute(_LEAVES, staff_id, kinds, tx.today)
