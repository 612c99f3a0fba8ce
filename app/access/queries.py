"""What the database says about a caller, and the one statement that also opens their reach."""

from typing import Any

from app.access.tokens import Claims
from app.core.db import Tx

NIL = "00000000-0000-0000-0000-000000000000"
"""A school no child is enrolled at: a role without children's files sees none (DB-2)."""

_OPEN_REACH = """
SELECT who.*, set_config('tonghu.lo', who.remit_lo::text, true),
       set_config('tonghu.hi', who.remit_hi::text, true),
       set_config('tonghu.agency', who.agency_id::text, true),
       set_config('tonghu.school', CASE $4::text WHEN 'enrolled' THEN who.agency_id::text
                                                 WHEN 'region' THEN '' ELSE $5::text END, true),
       set_config('tonghu.caller', $6::text, true)
FROM who
"""

_STAFF = (
    """
WITH who AS MATERIALIZED (
    SELECT p.remit_lo, p.remit_hi, p.region_code, p.agency_id, p.role, a.kind AS agency_kind
    FROM post_holdings h
    JOIN posts p ON p.id = h.post_id AND p.active
    JOIN agencies a ON a.id = p.agency_id AND a.active
    JOIN sign_ins s ON s.id = $2 AND s.staff_id = h.staff_id AND s.revoked_at IS NULL
    WHERE h.id = $1 AND h.since <= $7::date AND (h.until IS NULL OR h.until > $7::date)
      AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.id IN ($2, $3))
)"""
    + _OPEN_REACH
)

_MACHINE = (
    """
WITH who AS MATERIALIZED (
    SELECT c.remit_lo, c.remit_hi, c.region_code, c.agency_id, c.role, a.kind AS agency_kind
    FROM clients c JOIN agencies a ON a.id = c.agency_id AND a.active
    WHERE c.id = $1 AND c.kind = 'machine' AND c.active AND $7::date IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.id IN ($2, $3))
)"""
    + _OPEN_REACH
)


async def open_reach(tx: Tx, claims: Claims, *, relation: str) -> Any:
    """Read the caller's authority as it is now and set row-level security to it, in one trip.

    Returns remit_lo, remit_hi, region_code, agency_id, role, agency_kind; None if the post was
    left, the client or agency suspended, or the token or sign-in revoked (TOK-4).
    """
    statement = _STAFF if claims.subject.startswith("staff:") else _MACHINE
    return await tx.connection.fetchrow(
        statement,
        claims.grant_id,
        claims.session_id,
        claims.token_id,
        relation,
        NIL,
        claims.subject,
        tx.today,
    )
