"""A rule in words, and why something is owed under it, or not: for who runs the service."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.duties.queries import chosen
from app.duties.rules import Evidence, Rule

_DUTIES: Final = """
SELECT d.*, a.name AS agency FROM duties d LEFT JOIN agencies a ON a.id = d.bearer_agency_id
WHERE d.rule = $1 AND $2 IN (d.child_id, d.subject_id) ORDER BY d.opened_at, d.id
"""
_HEARD: Final = """
SELECT e.*, v.wire_name, v.data FROM duty_evidence e LEFT JOIN events v ON v.id = e.event_id
WHERE e.rule = $1 AND e.match_id = ANY ($2::uuid[]) ORDER BY e.happened_on, e.event_id
"""
_SAID: Final = """
SELECT wire_name, occurred_at FROM events
WHERE subject_id = $1 AND wire_name = ANY ($2::text[]) ORDER BY id
"""


async def explain(tx: Tx, rule: Rule, about: UUID) -> list[str]:
    """Say what a rule asks, whether that is owed for a child, or for another subject of the rule,
    why, by whom, until when, and of what was heard whether it counts. Codes and ids only, a line
    each. For operators, in SYSTEM's reach.
    """
    lines = [*_in_words(rule)]
    if rule.opens.every:
        lines += await _of_child(tx, rule, about)
    duties = await tx.connection.fetch(_DUTIES, rule.code, about)
    matches = {about, *(duty[rule.evidence.match] for duty in duties)}
    heard = await tx.connection.fetch(_HEARD, rule.code, [*matches])
    for duty in duties:
        lines += _duty(duty, tx.now)
        told = [*rule.opens_on, *rule.cancelled_by, *rule.resumed_by]
        for said in await tx.connection.fetch(_SAID, duty["subject_id"], told):
            lines.append(f"  why: {said['wire_name']}, {said['occurred_at'].isoformat()}")
        matching = {duty[rule.evidence.match]}
        deeds = [deed for deed in heard if deed["match_id"] in matching]
        lines += [f"  {_weighed(rule.evidence, deed, duty, tx.today)}" for deed in deeds]
    if not duties:
        lines.append("Nothing is or was owed under it: nothing that opens it was announced.")
        lines += [f"  heard: {deed['wire_name']}, {deed['happened_on']}" for deed in heard]
    return lines


def _in_words(rule: Rule) -> Iterator[str]:
    yield f"{rule.code} {rule.title.zh} / {rule.title.en} ({', '.join(rule.carries)})"
    roles = " or ".join([rule.bearer.role, *rule.bearer.or_roles])
    named = f", the agency in {', '.join(rule.bearer.agency_fields)}"
    of_child = " of the child" if rule.owed_by_school else ""
    yield f"by: {roles}{named + of_child if rule.bearer.agency_fields else ''}"
    if rule.opens.children:
        which = _said(rule.opens.children.model_dump(exclude_none=True))
        yield f"owed: every {rule.opens.every}, for each child with {which}"
    else:
        yield f"owed: after {rule.opens.event}"
    yield f"due: {_said(rule.due.model_dump(exclude_none=True))}"
    where = f" with {_said(rule.evidence.where)}" if rule.evidence.where else ""
    yield f"discharged by: {rule.evidence.event}{where}, from {rule.evidence.counts_from}"
    if rule.evidence.of_stand_in:
        same = " and ".join(rule.evidence.of_stand_in)
        yield f"  or, while the post is empty: of who stands in, if {same} is that role"
    for title, names in (("cancelled by", rule.cancelled_by), ("resumed by", rule.resumed_by)):
        if names:
            yield f"{title}: {', '.join(names)}"
    if rule.waived_by:
        yield f"waived by: one of {' or '.join(rule.waived_by)} for a reason, and another approves"
    for step in rule.escalates:
        days = f"{step.working_days} working days" if step.working_days else step.after
        yield f"late by {days if step.time else 'any time'}, it is told to: {', '.join(step.to)}"


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in values.items())


def _word(value: Any) -> str:
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return "/".join(map(str, value)) if several else str(value)


async def _of_child(tx: Tx, rule: Rule, child_id: UUID) -> list[str]:
    """Say whether a child is one of those for whom a rule's duty is owed, and what decides it."""
    where = chosen(rule, tx.today)
    child = await tx.connection.fetchrow(
        f"SELECT c.categories, c.priority_flags, c.undecided, c.lacking, c.birth_date,"
        f" c.guardianship ->> 'kind' AS guardian,"
        f" c.school_id IS NOT NULL AS at_school, ({where}) AS owed FROM children c"
        f" WHERE c.id = {where.bind(child_id)}",
        *where.arguments,
    )
    if child is None:
        return ["No such child."]
    facts = {name: value for name, value in child.items() if name not in {"owed", "birth_date"}}
    is_one = "is" if child["owed"] else "is not"
    return [f"today the child {is_one} one of these: {_said(facts)}"]


def _duty(duty: Mapping[str, Any], now: datetime) -> Iterator[str]:
    agency = f" ({duty['agency']}, {duty['bearer_agency_id']})" if duty["agency"] else ""
    yield f"{duty['state']}: {duty['period'] or 'once'}, subject {duty['subject_id']}"
    post = f", for the empty post of {duty['stands_in_for']}" if duty["stands_in_for"] else ""
    yield f"  by: {duty['bearer_role']}{agency}{post}, place {duty['region_code']:012}"
    yield f"  from {duty['opened_at'].isoformat()} until {duty['due_at'].isoformat()}"
    if duty["state"] == "open" and duty["due_at"] <= now:
        yield "  overdue by now: not marked yet, and nobody was told"
    if duty["opened_at"] >= duty["due_at"]:
        yield "  found late: when it was opened it had been due"
    if duty["overdue_at"]:
        yield f"  overdue since {duty['overdue_at'].isoformat()}"
    if duty["waiver_at"]:
        yield f"  to be waived, says {duty['waiver_by']}, {duty['waiver_at'].isoformat()}"
    if duty["waived_at"]:
        yield f"  waived by {duty['waived_by']}, {duty['waived_at'].isoformat()}"
    if duty["told_to"] is not None:
        yield f"  told to {len(duty['told_to'])} agencies alone"


def _weighed(
    evidence: Evidence, deed: Mapping[str, Any], duty: Mapping[str, Any], today: date
) -> str:
    """Say of one deed that was heard whether it counts for a duty, or why it does not."""
    told, on = f"heard: {deed['wire_name']} {deed['evidence_id']}, {deed['happened_on']}", []
    if deed["evidence_id"] == duty["discharged_by"]:
        return f"{told}: discharged it"
    data = deed["data"] or {}
    owed = duty["stands_in_for"] and duty["state"] != "lapsed"
    by = (duty["bearer_role"],) if owed else ()
    stands_in = deed["stand_in"] in by
    for name, wanted in () if stands_in else evidence.where.items():
        if name in data and data[name] not in wanted:  # what takes it back does not say it again
            also = by if name in evidence.of_stand_in else ()
            on.append(f"{name} is {data[name]}, not {_word((*wanted, *also))}")
    if not deed["counts"] and not stands_in and not on:
        on.append("taken back, or passed on")
    if deed["happened_on"] < duty["counts_from"]:
        on.append(f"before {duty['counts_from']}")
    if duty["counts_until"] and deed["happened_on"] > duty["counts_until"]:
        on.append(f"after {duty['counts_until']}")
    if deed["happened_on"] > today:
        on.append("its day has not come")
    return f"{told}: {'does not count, ' + '; '.join(on) if on else 'counts'}"
