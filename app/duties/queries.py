"""Reads of the ledger. Every one starts from `visible`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.agencies.queries import PostRef, lineage_in_sql
from app.children.enrolments import class_key
from app.core.clock import local_date, years_before
from app.core.data import hiding, keys
from app.core.data.db import Tx
from app.core.data.keys import text_of
from app.core.data.sampling import Place
from app.core.data.sql import Where
from app.core.http import paging
from app.core.http.wire import region_text
from app.duties import schemas
from app.duties.acts import ACTS
from app.duties.events import DutyEscalated, DutyOverdue
from app.duties.models import DONE_BY_HIDDEN, REASON
from app.duties.rulebook import oversees, rules, rules_seen_by
from app.duties.rules import Rule
from app.regions.rules import SPANS, county_of, lies_in_a_county, subtree

_BY_DEED: Final = [code for code, rule in rules().items() if rule.evidence.deed]
"""Rules whose deeds may be hidden from some who see the duty."""


def state_of(where: Where, principal: Principal, now: datetime) -> str:
    """Write where a duty stands for the caller now. What is owed and was due is overdue, whether or
    not the worker has marked it; from whom the deed is hidden that discharged it, to them it is not
    done (AZ-8).
    """
    codes, agency = where.bind(_codes(principal)), where.bind(principal.agency_id)
    caller = (agency, codes, f"{where.bind(principal.agencies)}::uuid[]")
    return f"""CASE WHEN d.state = 'open'
            OR (d.state = 'discharged' AND d.rule = ANY ({where.bind(_BY_DEED)}::text[])
                AND NOT {hiding.shown("d.discharged_by", *caller)})
        THEN CASE WHEN d.due_at <= {where.bind(now)}::timestamptz THEN 'overdue' ELSE 'open' END
        ELSE d.state END"""


def _stored(where: Where, state: str, at: datetime, *, wide: bool) -> list[str]:
    """Write how what stands so is stored, a condition an arm: what is overdue may not be marked
    yet. Spelt out, since indexes are of what is owed: up to a county one holds both in the order of
    the list; of what is `wide` one holds each.
    """
    if state not in {"open", "overdue"}:
        return [f"d.state = '{state}'"]
    now = where.bind(at)
    if state == "open":
        return [f"d.state = 'open' AND d.due_at > {now}"]
    unmarked = f"d.state = 'open' AND d.due_at <= {now}"
    if wide:
        return ["d.state = 'overdue'", unmarked]
    return [f"d.state IN ('open', 'overdue') AND (d.state = 'overdue' OR d.due_at <= {now})"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of duties is narrowed to; None means any."""

    state: str | None = None
    rule: str | None = None
    due_before: datetime | None = None
    child_id: UUID | None = None
    priority: bool | None = None
    region: tuple[int, int] | None = None
    class_name: str | None = None
    act: Act | None = None


_SHOWN: Final = f"""CASE WHEN d.bearer_role = 'police' AND d.bearer_agency_id = {{0}}
    THEN {hiding.shown("d.subject_id", below=hiding.POLICE)}
    ELSE {hiding.shown("d.subject_id")} END"""
"""What police owe, they learn as police."""
_MAY_KNOW: Final = f"d.told_to IS NULL OR {_SHOWN}"
_COUNTY: Final = SPANS[2]


def _codes(principal: Principal) -> int:
    return principal.region_hi - principal.region_lo


def visible(principal: Principal) -> Where:
    """Limit `duties d` to what the caller may know of.

    A role with a region sees its region's duties under the rules its role sees (`seen_by`), unless
    the duty names the agencies that may know (AZ-8); also those of the agencies it looks after,
    wherever the child lives. Others see what their own agency owes. Nobody sees what is owed for
    something they must learn nothing of by now.
    """
    if principal.role.relation != "region":
        where = Where(_MAY_KNOW, principal.agency_id, _codes(principal), principal.agencies)
        return where.add("d.bearer_agency_id = {}", principal.agency_id)
    where = Where(
        "d.region_code >= {} AND d.region_code < {}", principal.region_lo, principal.region_hi
    )
    where.or_else("d.bearer_agency_id = {}", principal.agency_id)
    if oversees(principal.role.code):
        where.or_else("d.overseer_id = {}", principal.agency_id)  # an index each
    return known(where, principal)


def known(where: Where, principal: Principal) -> Where:
    """Limit them, for a role with a region, to what is told to the caller and not hidden."""
    where.add(_MAY_KNOW, principal.agency_id, _codes(principal), principal.agencies)
    return where.add(
        "d.bearer_agency_id = {1}"
        " OR ((d.rule = ANY ({0}::text[])) IS TRUE"
        " AND (d.told_to IS NULL OR {1} = ANY (d.told_to)))",
        rules_seen_by(principal.role.code),
        principal.agency_id,
    )


def chosen(rule: Rule, on: date) -> Where:
    """Limit `children c` to those for whom a rule's duty is owed in each period."""
    said = rule.opens.children
    if said is None:
        raise ValueError(f"{rule.code} is not owed in periods")
    where = Where("true")
    for column, codes in (
        ("categories", said.category),
        ("priority_flags", said.flag),
        ("undecided", said.undecided),
        ("lacking", said.lacks),
    ):
        if codes == "any":
            where.add(f"c.{column} <> '{{{{}}}}'")
        elif codes is not None:
            where.add(f"c.{column} && {{}}::text[]", list(codes))
    if said.guardian is not None:
        where.add("c.guardianship ->> 'kind' = ANY ({}::text[])", list(said.guardian))
    if rule.owed_by_school:
        where.add("c.school_id IS NOT NULL")
    if said.at_school is not None:
        where.add(f"c.school_id IS {'NOT ' * said.at_school}NULL")
    if said.from_age is not None:
        where.add("c.birth_date <= {}", years_before(on, said.from_age))
    if said.under_age is not None:
        where.add("c.birth_date > {}", years_before(on, said.under_age))
    return where


_OF_CLASS: Final = """EXISTS (
    SELECT FROM child_enrolments e
    WHERE e.child_id = d.child_id AND e.until IS NULL
        AND e.school_id = d.bearer_agency_id AND e.class_key = {} OFFSET 0)"""
"""What a school owes for those who are in a class of it now, as far as the caller sees them."""
_BY_DUE: Final = paging.Order({"d.due_at": datetime, "d.id": UUID})


async def list_duties(
    tx: Tx, principal: Principal, filters: Filters, window: paging.Window
) -> paging.Rows:
    where = Where(_MAY_KNOW, principal.agency_id, _codes(principal), principal.agencies)
    if filters.region is not None:
        where.add("d.region_code >= {} AND d.region_code < {}", *filters.region).checked()
    where.add_given(
        {
            "d.due_at < {}": filters.due_before,
            "d.child_id = {}": filters.child_id,
        }
    )
    if filters.priority is not None:
        where.add("d.priority" if filters.priority else "NOT d.priority")  # an index is of it
    if filters.class_name is not None:
        where.add(_OF_CLASS, class_key(filters.class_name))
    if filters.act is not None:
        filters.act.narrow(where, principal, tx.today, alias="d")
        where.add("d.due_at > {}", tx.now)  # each is of what is owed and in time
    arms = _arms(where, principal, filters)
    state = state_of(where, principal, tx.now)
    if filters.state is not None:
        lo, hi = principal.within(filters.region)
        stored = _stored(where, filters.state, tx.now, wide=hi - lo > _COUNTY)
        arms = [f"({arm}) AND {so}" for arm in arms for so in stored]
        if kept := await _kept(tx, principal):
            where.add(f"{state} = {{}}", filters.state)
            arms.append(f"d.id = ANY ({where.bind(kept)}::uuid[])")
    select = f"SELECT d.*, {state} AS stands FROM duties d"
    place = Place("duties d", *principal.within(filters.region))
    return await paging.fetch(tx, select, where, _BY_DUE, window, arms, place)


def _arms(where: Where, principal: Principal, filters: Filters) -> list[str]:
    """Say in what way a duty may be the caller's to know of, as `visible` does: each served by an
    index in the order of the list.
    """
    agency = where.bind(principal.agency_id)
    rule = None if filters.rule is None else where.bind(filters.rule)
    of_rule = "" if rule is None else f" AND (d.rule = {rule}) IS TRUE"
    own = [f"d.bearer_agency_id = {agency}{of_rule}"]
    seen = rules_seen_by(principal.role.code)
    if principal.role.relation != "region" or (filters.rule and filters.rule not in seen):
        return own
    # No index is searched for the rules: most of what there is is of some.
    told = (
        f"(d.rule = ANY ({where.bind(seen)}::text[])) IS TRUE"
        f" AND (d.told_to IS NULL OR {agency} = ANY (d.told_to))"
    )
    if oversees(principal.role.code):
        own.append(f"d.overseer_id = {agency} AND {told}{of_rule}")
    lo, hi = principal.within(filters.region)
    if lo >= hi:
        return own
    if rule is not None and hi - lo >= _COUNTY:
        of_rule = f' AND d.rule COLLATE "C" = {rule}'
    if hi - lo == _COUNTY:
        place = f"d.county_code = {where.bind(lo)}"
    else:
        place = f"d.region_code >= {where.bind(lo)} AND d.region_code < {where.bind(hi)}"
    return [*own, f"{place} AND {told}{of_rule}"]


async def find_duty(
    tx: Tx, principal: Principal, duty_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find one the caller may know of, and where it stands for it; hold it `for_update`, with
    its county: then two statements.
    """
    where = visible(principal).add("d.id = {}", duty_id)
    select = f"SELECT d.*, {state_of(where, principal, tx.now)} AS stands FROM duties d"
    found = await tx.connection.fetchrow(f"{select} WHERE {where}", *where.arguments)
    if found is None or not for_update:
        return found
    where.add("d.home_county = {}", found["home_county"])
    return await tx.connection.fetchrow(f"{select} WHERE {where} FOR UPDATE", *where.arguments)


_TOLD: Final = """
SELECT occurred_at AS at, data ->> 'due_at' AS due_at, data -> 'escalates_to' AS "to" FROM events
WHERE subject_id = $1 AND wire_name = ANY ($2::text[]) ORDER BY id LIMIT 1000
"""


_PLACE: Final = lineage_in_sql("$2::bigint")
_HELD_THEN: Final = f"""
SELECT p.id AS post_id, h.staff_id, h.since, h.until
FROM posts p JOIN post_holdings h ON h.post_id = p.id
WHERE p.role = $1 AND h.since <= $3 AND (h.until IS NULL OR h.until > $3)
  AND p.region_code = (SELECT max(n.region_code) FROM posts n
                       WHERE n.role = $1 AND n.region_code IN ({_PLACE}))
ORDER BY h.since, h.id LIMIT 100
"""


async def record_of(tx: Tx, principal: Principal, row: asyncpg.Record) -> schemas.DutyRecord:
    """Show a row with who was told of it; to whom must not know that it is done, also those who
    would have been by now.
    """
    names = [DutyOverdue.wire_name, DutyEscalated.wire_name]
    told = [*map(dict, await tx.connection.fetch(_TOLD, row["id"], names))]
    if _is_kept(row):
        due_at, said = row["due_at"], row["escalated"] if row["overdue_at"] else 0
        steps = [(step.at(due_at), step.to) for step in rules()[row["rule"]].escalates[said:]]
        told += [{"at": at, "due_at": due_at, "to": to} for at, to in steps if at <= tx.now]
    held = await tx.connection.fetch(
        _HELD_THEN,
        row["stands_in_for"] or row["bearer_role"],
        row["region_code"],
        local_date(min(row["opened_at"], row["due_at"] - timedelta(microseconds=1))),
    )
    held = [] if row["bearer_agency_id"] else held
    await keys.of_rows(tx, [row])
    return schemas.DutyRecord.model_validate(
        {
            **duty_of(principal, row, tx.today).model_dump(),
            "waiver": _waiver(tx, row),
            "told": told,
            "held_then": [*map(dict, held)],
        }
    )


async def _kept(tx: Tx, principal: Principal) -> list[UUID]:
    """List what is done and the caller must not know that it is: mostly nothing. An index holds
    what was done by deeds that may be hidden, few among all that is done.
    """
    where = visible(principal).add(DONE_BY_HIDDEN)
    where.add(f"{state_of(where, principal, tx.now)} <> d.state")
    rows = await tx.connection.fetch(f"SELECT d.id FROM duties d WHERE {where}", *where.arguments)
    return [row["id"] for row in rows]


def _waiver(tx: Tx, row: asyncpg.Record) -> dict[str, Any] | None:
    if row["waiver_at"] is None:
        return None
    reason = text_of(tx.keyring, REASON, row["id"], row["waiver_reason_sealed"])
    proposed = {"proposed_by": row["waiver_by"], "proposed_at": row["waiver_at"]}
    approved = {"approved_by": row["waived_by"], "approved_at": row["waived_at"]}
    return {"reason": reason, **proposed, **approved}


def duty_of(principal: Principal, row: Any, on: date) -> schemas.Duty:
    """Show a row, with what its rule says must be done. `stands`: its state for the caller. Which
    report discharged it is shown to whose it was alone: it says who reported (AZ-9).
    """
    by_report = rules()[row["rule"]].evidence.deed is not None
    own = principal.agency_id == row["bearer_agency_id"]
    is_overdue = row["stands"] == "overdue"
    return schemas.Duty.model_validate(
        {
            **titled(row),
            **({"discharged_by": None} if by_report and not own else {}),
            "state": row["stands"],
            "overdue_at": row["overdue_at"] or (row["due_at"] if is_overdue else None),
            **(_as_undone(row) if _is_kept(row) else {}),
            "region_code": region_text(_place(principal, row["region_code"])),
            "bearer": {
                "role": row["bearer_role"],
                "agency_id": row["bearer_agency_id"],
                "stands_in_for": row["stands_in_for"],
            },
            "period": row["period"] or None,
            "permitted": permitted(ACTS, principal, row, on),
        }
    )


def _place(principal: Principal, code: int) -> int:
    """Return where a duty is owed: to a school the county, since in which village a pupil lives it
    does not read.
    """
    enrolled = principal.role.relation == "enrolled"
    return county_of(code) if enrolled else code


def _is_kept(row: Any) -> bool:
    """Tell whether a duty is done and the caller must not know that it is."""
    return bool(row["state"] == "discharged" and row["stands"] != "discharged")


def _as_undone(row: Any) -> dict[str, Any]:
    """Return what a duty says that is done, to whom must not know that it is."""
    overdue = row["stands"] == "overdue"
    told = dict.fromkeys(("discharged_at", "discharged_by", "discharged_on"))
    late = {} if overdue else {"overdue_at": None}
    version = row["version"] - (row["overdue_at"] is not None or not overdue)
    return {**told, **late, "version": version}


def titled(row: Any) -> dict[str, Any]:
    """Return a row with the title of its rule."""
    title = rules()[row["rule"]].title
    return {**row, "title_zh": title.zh, "title_en": title.en}


_OPEN: Final = "d.state IN ('open', 'overdue')"
_OF_POST: Final = """d.bearer_agency_id IS NULL AND d.bearer_role = {}
    AND d.county_code = {} AND d.region_code >= {} AND d.region_code < {}"""


async def owed_by_post(
    tx: Tx, principal: Principal, post: PostRef, *, most: int
) -> list[asyncpg.Record]:
    """Count by rule what a post owes: what of it the caller may know, `most` of it looked at. Above
    a county nothing is owed by a post.
    """
    if not lies_in_a_county(post.region_code):
        return []
    place = (county_of(post.region_code), *subtree(post.region_code))
    where = visible(principal).add(_OPEN).add(_OF_POST, post.role, *place)
    return await _by_rule(tx, where, most)


async def owed_by_agency(
    tx: Tx, principal: Principal, agency_id: UUID, *, most: int
) -> list[asyncpg.Record]:
    """Count by rule what an agency owes itself, likewise."""
    where = visible(principal).add(_OPEN).add("d.bearer_agency_id = {}", agency_id)
    return await _by_rule(tx, where, most)


async def _by_rule(tx: Tx, where: Where, most: int) -> list[asyncpg.Record]:
    late = where.bind(tx.now)
    rows: list[asyncpg.Record] = await tx.connection.fetch(
        "SELECT o.rule AS code, count(*) AS open, count(*) FILTER (WHERE o.late) AS overdue FROM ("
        f"SELECT d.rule, d.due_at <= {late} AS late FROM duties d WHERE {where} LIMIT {most}) o"
        " GROUP BY 1 ORDER BY 1",
        *where.arguments,
    )
    return rows


async def owes(tx: Tx, agency_id: UUID, *, passed_on: bool = True) -> bool:
    """Tell whether an agency owes something itself; without what is `passed_on` with what it is
    about. Needs the SYSTEM reach.
    """
    codes = [code for code, rule in rules().items() if passed_on or not rule.bearer.passed_on_by]
    where = Where("d.bearer_agency_id = {} AND d.rule = ANY ({}::text[])", agency_id, codes)
    sql = f"SELECT true FROM duties d WHERE {where.add(_OPEN)} LIMIT 1"
    return await tx.connection.fetchval(sql, *where.arguments) is not None
