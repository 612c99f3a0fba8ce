"""What the database says about a caller, and the one statement that also opens their reach."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.access.acts import Act
from app.access.models import Client
from app.access.principal import Posting, Principal
from app.access.roles import role
from app.access.tokens import Claims
from app.agencies.models import AgencyKind
from app.core.data.db import Reach, Tx
from app.core.data.sql import Where
from app.core.http import paging

NIL = "00000000-0000-0000-0000-000000000000"
"""A school no child is enrolled at: a role without children's files sees none (DB-2)."""
_NOBODY: Final = Reach(0, 0)

_OPEN_REACH = """
SELECT who.*, set_config('tonghu.lo', who.remit_lo::text, true),
       set_config('tonghu.hi', who.remit_hi::text, true),
       set_config('tonghu.agency', who.agency_id::text, true),
       set_config('tonghu.school', CASE $4::text WHEN 'enrolled' THEN who.agency_id::text
                                                 WHEN 'region' THEN '' ELSE $5::text END, true),
       set_config('tonghu.caller', $6::text, true),
       set_config('tonghu.served', who.served::text, true)
FROM who
"""

# Accounts are seen at the door alone: whoever is nobody is left standing with no reach at all.
_STAFF = (
    """
WITH door AS MATERIALIZED (SELECT set_config('tonghu.caller', 'sign-in', true) AS opened),
who AS MATERIALIZED (
    SELECT p.remit_lo, p.remit_hi, p.region_code, p.agency_id, p.role, a.kind AS agency_kind,
        ARRAY(SELECT DISTINCT q.agency_id FROM post_holdings f JOIN posts q ON q.id = f.post_id
              WHERE f.staff_id = ANY (h.staff_id || one.also)) AS served,
        one.also,
        s.started_at AS authenticated_at, s.factors
    FROM post_holdings h JOIN posts p ON p.id = h.post_id AND p.active
    JOIN agencies a ON a.id = p.agency_id AND a.active
    JOIN sign_ins s ON s.id = $2 AND s.staff_id = h.staff_id AND s.revoked_at IS NULL
    JOIN clients app ON app.id = s.client_id AND app.active
    JOIN door ON door.opened = 'sign-in'
    JOIN LATERAL (SELECT FROM staff t JOIN staff_accounts u ON u.staff_id = t.id AND u.active
                  WHERE t.id = h.staff_id AND t.active AND door.opened <> '' OFFSET 0) AS works
        ON true
    CROSS JOIN LATERAL (SELECT ARRAY(
        SELECT o.staff_id FROM same_persons me JOIN same_persons o USING (person_id)
        WHERE me.staff_id = h.staff_id AND o.staff_id <> h.staff_id) AS also OFFSET 0) AS one
    WHERE h.id = $1 AND h.since <= $7::date AND (h.until IS NULL OR h.until > $7::date)
      AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.id IN ($2, $3))
)"""
    + _OPEN_REACH
)

_MACHINE = (
    """
WITH who AS MATERIALIZED (
    SELECT c.remit_lo, c.remit_hi, c.region_code, c.agency_id, c.role, a.kind AS agency_kind,
        ARRAY[c.agency_id] AS served, ARRAY[]::uuid[] AS also,
        NULL::timestamptz AS authenticated_at, '{}'::text[] AS factors
    FROM clients c JOIN agencies a ON a.id = c.agency_id AND a.active
    WHERE c.id = $1 AND c.kind = 'machine' AND c.active AND $7::date IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.id IN ($2, $3))
)"""
    + _OPEN_REACH
)


async def open_reach(tx: Tx, claims: Claims, *, relation: str) -> Any:
    """Read the caller's authority as it is now and set row-level security to it, in one trip.

    Returns remit_lo, remit_hi, region_code, agency_id, role, agency_kind, served, also,
    authenticated_at, factors; None if the post was left or is not what the token says, the person,
    client or agency suspended, or the token or sign-in revoked (TOK-4).
    """
    statement = _STAFF if claims.subject.startswith("staff:") else _MACHINE
    row = await tx.connection.fetchrow(
        statement,
        claims.grant_id,
        claims.session_id,
        claims.token_id,
        relation,
        NIL,
        claims.subject,
        tx.today,
    )
    if row is None:  # nor may anybody be left with what was opened to find that out
        await tx.reach(_NOBODY)
    said = (claims.role, claims.agency_id)
    return None if row is None or (row["role"], row["agency_id"]) != said else row


def reach_of(principal: Principal) -> Reach:
    """Return the reach that `open_reach` opened for a caller."""
    related = {"enrolled": principal.agency_id, "region": None}
    return Reach(
        principal.region_lo,
        principal.region_hi,
        agency=principal.agency_id,
        school=related.get(principal.role.relation, UUID(NIL)),
        caller=principal.subject,
        served=principal.served,
    )


async def usable_client(tx: Tx, client_id: str | None) -> Client | None:
    """Find a client by the id a request names; None if it is no id, or may not be used since the
    client or its agency is suspended.
    """
    try:
        identity = UUID(client_id or "")
    except ValueError:
        return None
    row = await tx.connection.fetchrow(
        """SELECT c.* FROM clients c LEFT JOIN agencies a ON a.id = c.agency_id
           WHERE c.id = $1 AND c.active AND (c.agency_id IS NULL OR a.active)""",
        identity,
    )
    return None if row is None else Client(**row)


@dataclass(frozen=True, slots=True)
class Holding:
    """A post somebody holds today, with what the post picker shows of it."""

    id: UUID
    staff_id: UUID
    role: str
    title: str
    region_code: int
    agency_id: UUID
    agency_name: str


async def holdings_today(tx: Tx, staff_id: UUID) -> list[Holding]:
    """List the posts a person who was not let go holds today at agencies that are not suspended,
    oldest first.
    """
    rows = await tx.connection.fetch(
        """SELECT h.id, h.staff_id, p.role, p.local_title AS title, p.region_code,
                  a.id AS agency_id, a.name AS agency_name
           FROM post_holdings h JOIN posts p ON p.id = h.post_id AND p.active
           JOIN agencies a ON a.id = p.agency_id AND a.active
           JOIN staff s ON s.id = h.staff_id AND s.active
           WHERE h.staff_id = $1 AND h.since <= $2 AND (h.until IS NULL OR h.until > $2)
           ORDER BY h.since, h.id""",
        staff_id,
        tx.today,
    )
    return [Holding(**row) for row in rows]


_POSTINGS: Final = """
SELECT p.agency_id, a.kind AS agency_kind, p.role, p.region_code, p.remit_lo AS region_lo,
       p.remit_hi AS region_hi, h.since, h.until
FROM post_holdings h JOIN posts p ON p.id = h.post_id JOIN agencies a ON a.id = p.agency_id
WHERE h.staff_id = $1 ORDER BY h.since DESC, h.id
"""
_OF_A_POST: Final = ("agency_id", "agency_kind", "region_code", "region_lo", "region_hi")


async def postings(tx: Tx, principal: Principal, scope: str) -> list[Posting]:
    """List the posts in which somebody may or might have used a scope, latest first, whatever has
    become of post and agency: what was seen in a post may be told after it was left. The first we
    know of was theirs since ever, as far as we know. A system has its present one. One statement.
    """
    if principal.staff_id is None:
        return [Posting(principal, date.min, None)]
    rows = await tx.connection.fetch(_POSTINGS, principal.staff_id)
    first = min((row["since"] for row in rows), default=None)
    found = []
    for row in rows:
        since, until = row["since"], row["until"]
        post = {name: row[name] for name in _OF_A_POST}
        who = replace(principal, **post, role=role(row["role"]))
        if scope in who.role.scopes:
            found.append(Posting(who, date.min if since == first else since, until))
    return found


_SERVED: Final = """
SELECT p.agency_id FROM post_holdings h JOIN posts p ON p.id = h.post_id
WHERE h.staff_id = ANY ($1::uuid[])
"""


async def served(tx: Tx, principal: Principal) -> list[UUID]:
    """List the caller's agency and every one in which the same person ever held a post: what they
    sent from there is theirs to be recognised. One statement; of a system none. Of whoever calls
    `Principal.agencies` says it; this, also of who sent what others place.
    """
    if principal.staff_id is None:
        return [principal.agency_id]
    rows = await tx.connection.fetch(_SERVED, principal.selves)
    return [*dict.fromkeys([principal.agency_id, *(row["agency_id"] for row in rows)])]


_CLIENTS: Final = """
SELECT c.* FROM (SELECT c.*, a.kind AS agency_kind, a.region_code AS agency_region,
                        to_jsonb(e) AS bearer_exception
                 FROM clients c LEFT JOIN agencies a ON a.id = c.agency_id
                 LEFT JOIN bearer_exceptions e ON e.client_id = c.id AND e.ended_at IS NULL) c
"""
_SIGN_INS: Final = """
SELECT s.id, s.client_id, c.name AS app, s.started_at, s.ends_at, s.factors
FROM sign_ins s JOIN clients c ON c.id = s.client_id"""
_LATEST: Final = paging.Order({"s.started_at": datetime, "s.id": UUID}, descending=True)


async def open_sign_ins(tx: Tx, staff_id: UUID, window: paging.Window) -> paging.Rows:
    """List where a person is signed in, latest first."""
    where = Where("s.staff_id = {} AND s.revoked_at IS NULL AND s.ends_at > {}", staff_id, tx.now)
    return await paging.fetch(tx, _SIGN_INS, where, _LATEST, window)


async def open_sign_in(tx: Tx, principal: Principal, sign_in_id: UUID) -> Any:
    """Find one of the caller's own that is open."""
    return await tx.connection.fetchrow(
        f"{_SIGN_INS} WHERE s.id = $1 AND s.staff_id = $2 AND s.revoked_at IS NULL"
        " AND s.ends_at > $3",
        sign_in_id,
        principal.staff_id,
        tx.now,
    )


_ONE_PERSON: Final = """
SELECT $1::uuid AS staff_id UNION
SELECT o.staff_id FROM same_persons me JOIN same_persons o USING (person_id) WHERE me.staff_id = $1
"""


async def one_person(tx: Tx, staff_id: UUID) -> list[UUID]:
    """Return the entries of `staff` that are known as one human being with this one, and it."""
    return [row["staff_id"] for row in await tx.connection.fetch(_ONE_PERSON, staff_id)]


_SUPERVISE: Final = (AgencyKind.supervision, AgencyKind.civil_affairs)
_LATEST_ALARM: Final = paging.Order({"t.alarmed_at": datetime, "t.id": UUID}, descending=True)


async def alarms(tx: Tx, principal: Principal, window: paging.Window) -> paging.Rows:
    """List who was shown more than is usual, newest first: of the caller's agency and, for who
    supervises a region, of every agency there.
    """
    where = Where("t.alarmed_at IS NOT NULL")
    arms = [f"t.agency_id = {where.bind(principal.agency_id)}"]
    if principal.agency_kind in _SUPERVISE:
        lo, hi = where.bind(principal.region_lo), where.bind(principal.region_hi)
        arms.append(f"t.region_code >= {lo} AND t.region_code < {hi}")
    select = "SELECT t.* FROM reading_tallies t"
    return await paging.fetch(tx, select, where, _LATEST_ALARM, window, arms)


_BY_REGISTRATION: Final = paging.Order({"c.id": UUID})


def administered(principal: Principal) -> Where:
    """Limit `clients c` to those a caller administers: its agency's own; the operator's, all."""
    if principal.agency_kind == "operator":
        return Where("true")
    return Where("c.agency_id = {}", principal.agency_id)


async def clients(
    tx: Tx, principal: Principal, window: paging.Window, *, act: Act | None
) -> paging.Rows:
    """List the clients the caller administers, in the order they were registered."""
    where = administered(principal)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="c")
    return await paging.fetch(tx, _CLIENTS, where, _BY_REGISTRATION, window)


async def bearer_exception(tx: Tx, client_id: UUID) -> Any:
    """Return the exception by which a client may have tokens bound to no key, None without one."""
    return await tx.connection.fetchval(
        "SELECT to_jsonb(e) FROM bearer_exceptions e WHERE client_id = $1 AND ended_at IS NULL",
        client_id,
    )


async def key_sets_due(tx: Tx, every: timedelta) -> list[tuple[UUID, str]]:
    """List the clients whose published keys were not read for so long, and where they are."""
    rows = await tx.connection.fetch(
        "SELECT id, jwks_uri FROM clients WHERE jwks_uri IS NOT NULL AND active"
        " AND (keys_read_at IS NULL OR keys_read_at <= $1) ORDER BY keys_read_at NULLS FIRST, id",
        tx.now - every,
    )
    return [(row["id"], row["jwks_uri"]) for row in rows]


async def client_administered(tx: Tx, principal: Principal, client_id: UUID) -> Client | None:
    client = await tx.session.get(Client, client_id)
    operates = principal.agency_kind == "operator"
    own = client is not None and client.agency_id == principal.agency_id
    return client if own or operates else None


_SYSTEMS_OUTSIDE: Final = """
SELECT true FROM clients c
WHERE c.agency_id = $1 AND c.active AND NOT (c.region_code >= $2 AND c.region_code < $3) LIMIT 1
"""


async def systems_outside(tx: Tx, agency_id: UUID, lo: int, hi: int) -> bool:
    """Tell whether a system of an agency answers for a place outside a half-open range of codes."""
    return await tx.connection.fetchval(_SYSTEMS_OUTSIDE, agency_id, lo, hi) is not None
