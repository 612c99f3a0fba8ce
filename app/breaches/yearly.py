"""The figures that are reported each year of minors' personal data (MNP-37)."""

from datetime import date
from typing import Any, Final

from app.core.clock import beginning
from app.core.data.db import Tx

_FILES: Final = """
SELECT count(*) FILTER (WHERE birth_date > $1::date) AS under_14,
    count(*) FILTER (WHERE birth_date > $2::date) AS under_18, count(*) AS all
FROM children WHERE created_at < $3
"""
_LOOKED: Final = """
SELECT count(*) FILTER (
        WHERE decision = 'denied' AND (purpose IS NOT NULL OR child_ids <> '{}')) AS denied,
    count(*) FILTER (WHERE decision = 'partly' AND child_ids <> '{}') AS partly,
    count(*) FILTER (WHERE decision = 'allowed' AND child_ids <> '{}') AS allowed
FROM audit_entries WHERE at >= $1 AND at < $2
"""
_GRANTS: Final = """
SELECT count(*) FILTER (WHERE since >= $1 AND since <= $2) AS begun,
    count(*) FILTER (WHERE until >= $1 AND until <= $2) AS ended,
    count(*) FILTER (WHERE since <= $2 AND (until IS NULL OR until > $2)) AS standing
FROM post_holdings
"""
_ASKED: Final = """
SELECT kind, coalesce(outcome, state) AS became, count(*) AS requests,
    count(*) FILTER (WHERE copied_at IS NOT NULL) AS copies
FROM rights_requests WHERE opened_at >= $1 AND opened_at < $2 GROUP BY 1, 2 ORDER BY 1, 2
"""
_BREACHES: Final = """
SELECT kind, state, count(*) AS breaches, sum(children)::bigint AS children
FROM breaches WHERE found_at >= $1 AND found_at < $2 GROUP BY 1, 2 ORDER BY 1, 2
"""
_OPENED: Final = """
SELECT count(*) AS opened, count(*) FILTER (WHERE verdict = 'proper') AS proper,
    count(*) FILTER (WHERE verdict = 'misuse') AS misuse,
    count(*) FILTER (WHERE verdict IS NULL) AS unreviewed
FROM break_glass WHERE opened_at >= $1 AND opened_at < $2
"""
_EXPORTS: Final = """
SELECT count(*) FILTER (WHERE operation = 'copyChildData') AS copies,
    count(*) FILTER (WHERE operation = 'readAssessmentDocument') AS documents,
    count(*) FILTER (WHERE operation = 'printChildReaders') AS readers
FROM audit_entries
WHERE at >= $1 AND at < $2 AND decision = 'allowed'
    AND operation IN ('copyChildData', 'readAssessmentDocument', 'printChildReaders')
"""
_PROVED: Final = """
SELECT count(*) AS entries, count(l.n) AS sealed
FROM audit_entries a LEFT JOIN audit_leaves l ON l.entry_id = a.id WHERE a.at >= $1 AND a.at < $2
"""
_CHECKPOINTS: Final = """
(SELECT size, encode(root, 'base64') AS root, made_at, log_key FROM audit_checkpoints
 WHERE made_at >= $1 AND made_at < $2 ORDER BY made_at, size LIMIT 1)
UNION
(SELECT size, encode(root, 'base64'), made_at, log_key FROM audit_checkpoints
 WHERE made_at >= $1 AND made_at < $2 ORDER BY made_at DESC, size DESC LIMIT 1)
ORDER BY size
"""
_WITNESSES: Final = """
SELECT a.name AS agency, (
    SELECT count(*) FROM audit_cosignatures s
    WHERE s.witness_id = w.id AND s.received_at >= $1 AND s.received_at < $2
) AS cosigned
FROM audit_witnesses w JOIN agencies a ON a.id = w.agency_id
WHERE w.registered_at < $2 AND (w.ended_at IS NULL OR w.ended_at >= $1)
ORDER BY w.registered_at, w.id
"""


async def figures(tx: Tx, year: int) -> dict[str, Any]:
    """Count files of children under 14 and under 18 at the end of the year, apart; how often data
    of some was shown, and refused; posts given and ended; emergencies; what was given out; requests
    and copies; breaches; how many entries of the audit there are, how many of them are sealed, and
    in what. In SYSTEM's reach; it reads the audit of the year.
    """
    first, last = date(year, 1, 1), date(year, 12, 31)
    span = beginning(first), beginning(date(year + 1, 1, 1))
    born = (date(year - age, 12, 31) for age in (14, 18))
    files = await tx.connection.fetchrow(_FILES, *born, span[1])
    looked = await tx.connection.fetchrow(_LOOKED, *span)
    grants = await tx.connection.fetchrow(_GRANTS, first, last)
    opened = await tx.connection.fetchrow(_OPENED, *span)
    exports = await tx.connection.fetchrow(_EXPORTS, *span)
    return {
        "year": year,
        "files": dict(files),
        "looks": dict(looked),
        "posts": dict(grants),
        "break_glass": dict(opened),
        "exports": dict(exports),
        "requests": [dict(row) for row in await tx.connection.fetch(_ASKED, *span)],
        "breaches": [dict(row) for row in await tx.connection.fetch(_BREACHES, *span)],
        "sealed": {
            **await tx.connection.fetchrow(_PROVED, *span),
            "checkpoints": [dict(row) for row in await tx.connection.fetch(_CHECKPOINTS, *span)],
            "witnesses": [dict(row) for row in await tx.connection.fetch(_WITNESSES, *span)],
        },
    }
