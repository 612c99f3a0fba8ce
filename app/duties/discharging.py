"""Deeds that were heard of discharge what is owed."""

from typing import Final

from app.core.data.db import Tx
from app.duties.rules import Rule

# A deed does not count before its day: the clock that dated it may have run ahead.
FITS: Final = """e.rule = d.rule AND e.counts AND e.home_county = d.home_county
    AND e.happened_on >= d.counts_from AND e.happened_on <= {today}::date
    AND (d.counts_until IS NULL OR e.happened_on <= d.counts_until)"""

# What may be done at any time lapses for good: not by what is done when it is owed no more.
_DISCHARGE: Final = f"""
UPDATE duties
SET state = 'discharged', discharged_at = $2, discharged_by = found.evidence_id,
    discharged_on = found.happened_on, lapsed_at = NULL, version = duties.version + 1
FROM (
    SELECT d.id, deed.* FROM {{of}} CROSS JOIN LATERAL (
        SELECT e.evidence_id, e.happened_on FROM duty_evidence e
        WHERE e.match_id = d.{{match}} AND {FITS.format(today="$3")}
          AND (d.counts_until IS NOT NULL OR d.lapsed_at IS NULL
               OR e.happened_on <= (d.lapsed_at AT TIME ZONE 'Asia/Shanghai')::date)
        ORDER BY e.happened_on, e.evidence_id LIMIT 1) AS deed
    WHERE d.rule = $1 AND d.state IN ('open', 'overdue', 'lapsed') AND {{which}}
) AS found
WHERE duties.id = found.id
"""


async def discharge(
    tx: Tx, rule: Rule, which: str, *arguments: object, of: str = "duties d"
) -> None:
    """Let what a rule's deeds discharge be discharged; `which`: a condition on `duties d` with
    arguments from $4 on; `of`: from where they are read.
    """
    statement = _DISCHARGE.format(match=rule.evidence.match, which=which, of=of)
    await tx.connection.execute(statement, rule.code, tx.now, tx.today, *arguments)
