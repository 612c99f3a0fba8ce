"""Deeds that were heard of discharge what is owed."""

from typing import Final

from app.core.data.db import Tx
from app.duties.rules import Rule

# A deed does not count before its day: the clock that dated it may have run ahead. For what lapsed
# nobody stands in: who did as it lapsed may not by now.
FITS: Final = """e.rule = d.rule AND e.home_county = d.home_county
    AND (e.counts OR (d.stands_in_for IS NOT NULL AND e.stand_in = d.bearer_role
                      AND d.state <> 'lapsed'))
    AND e.happened_on >= d.counts_from AND e.happened_on <= {today}::date
    AND (d.counts_until IS NULL OR e.happened_on <= d.counts_until)"""

# What may be done at any time lapses for good: not by what is done when it is owed no more.
_FOUND: Final = f"""
SELECT d.id, deed.evidence_id, deed.happened_on, d.home_county FROM {{of}} CROSS JOIN LATERAL (
    SELECT e.evidence_id, e.happened_on FROM duty_evidence e
    WHERE e.match_id = d.{{match}} AND {FITS.format(today="$2")}
      AND (d.counts_until IS NOT NULL OR d.lapsed_at IS NULL
           OR e.happened_on <= (d.lapsed_at AT TIME ZONE 'Asia/Shanghai')::date)
    ORDER BY e.happened_on, e.evidence_id LIMIT 1) AS deed
WHERE d.rule = $1 AND d.state IN ('open', 'overdue', 'lapsed') AND {{which}}
"""
_DISCHARGE: Final = """
UPDATE duties d
SET state = 'discharged', discharged_at = $1, discharged_by = found.evidence_id,
    discharged_on = found.happened_on, lapsed_at = NULL, version = d.version + 1
FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::bigint[])
    AS found (id, evidence_id, happened_on, home_county)
WHERE d.home_county = found.home_county AND d.id = found.id
  AND d.state IN ('open', 'overdue', 'lapsed')
"""


async def discharge(
    tx: Tx, rule: Rule, which: str, *arguments: object, of: str = "duties d"
) -> None:
    """Let what a rule's deeds discharge be discharged; `which`: a condition on `duties d` with
    arguments from $3 on; `of`: from where they are read.
    """
    statement = _FOUND.format(match=rule.evidence.match, which=which, of=of)
    found = await tx.connection.fetch(statement, rule.code, tx.today, *arguments)
    if found:
        await tx.connection.execute(_DISCHARGE, tx.now, *map(list, zip(*found, strict=True)))
