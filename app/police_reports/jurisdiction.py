"""Who is in charge of a report, by its place and by where the child lives and lived."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.police_reports import rules
from app.regions.rules import SPANS, lineage, subtree

_OFFICE_KINDS: Final = ("police", "township_government", "civil_affairs")


def above(code: str) -> str:
    """Write, in SQL, the list of a place and everything above it. `code`: of a column."""
    return ", ".join([*(f"{code} - {code} % {span}" for span in SPANS), "0"])


def told_police(code: str, below: str) -> str:
    """Write, in SQL, that police of a place hold as many codes as they must to be told."""
    return f"({below} = 0 OR {code} % nullif({below}, 0) = 0)"


async def offices(tx: Tx, report: Mapping[str, Any]) -> rules.Offices:
    """Return who is in charge of a report: of its place, of where the child lives and lived; the
    agencies reported left out. One statement, and one more for a place that no police are in charge
    of: then those of the reporter's own region are, else those below the place.
    """
    path = lineage(report["region_code"])
    home = lineage(report["home_region"]) if report["home_region"] is not None else ()
    former = report["former_homes"]
    rows = await tx.connection.fetch(
        "SELECT id, kind, region_code FROM agencies"
        " WHERE active AND kind = ANY($1::text[]) AND region_code = ANY($2::bigint[])",
        _OFFICE_KINDS,
        list({*path, *home, *former}),
    )
    found = [rules.Office(**row) for row in rows]
    hidden, police_below = report["hidden_from"], report["police_below"]
    chosen = rules.offices(
        found,
        path,
        hidden=hidden,
        below=report["hidden_below"],
        police_below=police_below,
        home=home,
        former=former,
    )
    if chosen.police:
        return chosen
    lo, hi = subtree(report["region_code"])
    others = await tx.connection.fetch(
        _OTHER_POLICE, report["reporter_agency_id"], hidden, lo, hi, police_below
    )
    nearest = [row for row in others if row["above_reporter"]] or others
    return replace(chosen, police=tuple(row["id"] for row in nearest))


_OTHER_POLICE: Final = f"""
SELECT a.id, a.region_code IN ({above("r.region_code")}) AS above_reporter
FROM agencies r, agencies a
WHERE r.id = $1 AND a.active AND a.kind = 'police' AND a.id <> ALL ($2::uuid[])
  AND {told_police("a.region_code", "$5::bigint")}
  AND (a.region_code IN ({above("r.region_code")}) OR (a.region_code >= $3 AND a.region_code < $4))
ORDER BY above_reporter DESC, a.region_code DESC, a.id LIMIT 10
"""


async def may_get(tx: Tx, report: Mapping[str, Any], agency_id: UUID) -> bool:
    """Tell whether an agency is police to whom a report may be passed on."""
    found = await tx.connection.fetchval(_MAY_GET, agency_id, report["police_below"])
    return bool(found) and agency_id not in report["hidden_from"]


_MAY_GET: Final = f"""
SELECT true FROM agencies
WHERE id = $1 AND active AND kind = 'police' AND {told_police("region_code", "$2::bigint")}
"""


async def nearer(tx: Tx, report: Mapping[str, Any], agency_id: UUID) -> bool:
    """Tell whether an agency of the same kind, none reported, stands nearer to the place of a
    report, by the divisions above it.
    """
    path = lineage(report["region_code"])
    return bool(await tx.connection.fetchval(_NEARER, agency_id, path, report["hidden_from"]))


_NEARER: Final = """
SELECT true FROM agencies a JOIN agencies chosen ON chosen.kind = a.kind
WHERE chosen.id = $1 AND a.active AND a.id <> ALL ($3::uuid[])
  AND a.region_code = ANY ($2::bigint[])
  AND array_position($2::bigint[], a.region_code)
      < coalesce(array_position($2::bigint[], chosen.region_code), 99)
LIMIT 1
"""


async def had(
    tx: Tx, report: Mapping[str, Any], corrects: Mapping[str, Any] | None
) -> tuple[list[UUID], list[UUID]]:
    """Return which police handle what a report corrects, and which were told of it, as far as they
    may get the report. They handle it if they accepted it, or other police passed it on to them,
    and the correction speaks of the same county. One statement for each of these, mostly none.
    """
    if corrects is None:
        return [], []
    county = SPANS[2]
    same = report["region_code"] // county == corrects["region_code"] // county
    passed_on = corrects["forwarded_by_id"] or corrects["former_police"]
    taken = same and (corrects["acknowledged_at"] or passed_on)
    handling = [corrects["police_agency_id"]] if taken else []
    told = [*handling, *corrects["also_told"]]
    may = {each for each in told if await may_get(tx, report, each)}
    return [each for each in handling if each in may], [each for each in told if each in may]
