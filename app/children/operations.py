"""Open files and change them: whole sections checked, written with their history, derived anew."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.access.roles import FIELD_GROUPS
from app.agencies import queries as agencies
from app.audit import operations as audit
from app.children import (
    below,
    checks,
    derivation,
    duplicates,
    events,
    history,
    queries,
    schemas,
    sealing,
    sections,
)
from app.children.queries import ChildRef
from app.children.rules import Derived
from app.core.data.db import Tx
from app.core.http import preconditions
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.core.problems import FieldError, Problem
from app.regions import queries as regions
from app.regions.rules import BadRegionCode, county_of

Sections = dict[str, dict[str, Any]]


class ChildInvalid(Problem):
    """The file would break a rule."""

    status = 422
    title = "The file breaks a rule"
    title_zh = "档案内容不符合规则"


class FieldGroupForbidden(Problem):
    """The role does not write a section that was sent (AZ-5)."""

    status = 403
    title = "Your role may not write this section"
    title_zh = "您的角色无权填写该部分"
    denies = True


class OutsideRemit(Problem):
    """The child would leave, or never be in, the caller's remit.

    A move across remits is recorded by the next level up, whose remit holds both places.
    """

    status = 403
    title = "The place or school lies outside your remit"
    title_zh = "该地点或学校不在您的管辖范围内"
    denies = True


async def create_child(
    tx: Tx, principal: Principal, new: schemas.ChildCreate
) -> tuple[UUID, bool] | duplicates.Referred:
    """Open a file (REG-02). Returns the id and whether the file is new: the same `id` again is
    answered with the file it opened.

    Raises FieldGroupForbidden, ChildInvalid, OutsideRemit, DuplicateChild. Referred means that a
    child the caller may not know of may be meant: nothing but the referral is stored.
    """
    given: Sections = new.model_dump(mode="json", exclude={"id", "not_the_same_as"})
    sent = {name: value for name, value in given.items() if value is not None}
    _refuse_unwritable(principal, sent)
    if new.id is not None and await queries.find(tx, principal, new.id):
        await _audit(tx, principal, "createChild", new.id, ())
        return new.id, False
    whole = {name: sent.get(name) or dict(sealing.BLANK[name]) for name in sections.MODELS}
    await _check(tx, principal, sent, new=True)
    region_code = int(whole["residence"]["region_code"])
    await duplicates.refuse_visible(
        tx, principal, whole["identity"], region_code=region_code, others=new.not_the_same_as
    )
    child = ChildRef(new.id or new_id(), county_of(region_code), region_code, _school_of(whole))
    try:
        async with tx.connection.transaction():
            await _open_file(tx, principal, child, whole, sent)
    except duplicates.Taken as taken:
        return await _refer(tx, principal, "createChild", taken, child, sent)
    return child.id, True


async def _open_file(
    tx: Tx, principal: Principal, child: ChildRef, whole: Sections, sent: Sections
) -> None:
    outcome = derivation.derive(whole, child.region_code, tx.today)
    columns = {
        "id": child.id,
        "home_county": child.home_county,
        "version": 1,
        "created_at": tx.now,
        **_columns(tx, child, whole, outcome),
    }
    stored = await tx.connection.execute(
        f"INSERT INTO children ({', '.join(columns)}) VALUES ({_places(columns)})"
        " ON CONFLICT DO NOTHING",
        *columns.values(),
    )
    if stored != "INSERT 0 1":
        raise duplicates.Taken("id")
    await duplicates.claim_number(tx, child, whole["identity"]["resident_id"])
    await _store_numbers(tx, child, whole, sent)
    await history.remember(tx, principal, child, "createChild", 1, before={}, after=sent)
    await announcements.publish(
        tx,
        events.ChildRegistered(
            subject_id=child.id,
            region_code=child.region_code,
            home_county=child.home_county,
            categories=list(outcome.categories),
            priority_flags=list(outcome.priority_flags),
        ),
    )
    await _audit(tx, principal, "createChild", child.id, sent)


async def change_child(
    tx: Tx, principal: Principal, child: ChildRef, change: schemas.ChildChange, *, if_match: int
) -> duplicates.Referred | None:
    """Change sections of a file. What changes nothing makes no new version.

    Raises FieldGroupForbidden, PreconditionFailed, ChildInvalid, OutsideRemit, DuplicateChild.
    """
    patch = change.model_dump(mode="json", exclude_unset=True)
    _refuse_unwritable(principal, patch)
    row = await tx.connection.fetchrow(
        "SELECT c.id, c.version, c.region_code, c.school_id, c.categories, c.priority_flags,"
        f" {queries.STORED} FROM children c WHERE c.home_county = $1 AND c.id = $2"
        " FOR NO KEY UPDATE",
        child.home_county,
        child.id,
    )
    if row is None:  # moved out of the remit between the look-up and the lock
        raise preconditions.PreconditionFailed
    preconditions.check_version(row["version"], if_match)
    child = ChildRef(child.id, child.home_county, row["region_code"], row["school_id"])
    before = {name: _wire(name, sealing.show(tx.keyring, row, name)) for name in sections.MODELS}
    merged = {name: _wire(name, _merged(before[name], patch[name])) for name in patch}
    after = {name: value for name, value in merged.items() if value != before[name]}
    if not after:
        await _audit(tx, principal, "changeChild", child.id, {})
        return None
    await _check(tx, principal, after, new=False)
    try:
        async with tx.connection.transaction():
            await _write(tx, principal, child, row, before, after)
    except duplicates.Taken as taken:
        return await _refer(tx, principal, "changeChild", taken, child, after)
    return None


async def _write(
    tx: Tx, principal: Principal, child: ChildRef, row: Any, before: Sections, after: Sections
) -> None:
    whole = {**before, **after}
    number = whole["identity"]["resident_id"]
    if number != before["identity"]["resident_id"]:
        await duplicates.refuse_visible(
            tx, principal, whole["identity"], region_code=None, others=[child.id]
        )
        await duplicates.claim_number(tx, child, number)
    await _store_numbers(tx, child, whole, after)
    region_code = int(whole["residence"]["region_code"])
    moved = ChildRef(child.id, child.home_county, region_code, _school_of(whole))
    outcome = derivation.derive(whole, region_code, tx.today)
    version = row["version"] + 1
    await history.remember(tx, principal, child, "changeChild", version, before=before, after=after)
    touched = {**after, "residence": whole["residence"], "education": whole["education"]}
    columns = {"version": version, **_columns(tx, moved, touched, outcome)}
    await tx.connection.execute(
        f"UPDATE children SET ({', '.join(columns)}) = ROW({_places(columns)})"
        f" WHERE home_county = ${len(columns) + 1} AND id = ${len(columns) + 2}",
        *columns.values(),
        child.home_county,
        child.id,
    )
    if moved != child:
        await below.follow(tx, "c.home_county = $1 AND c.id = $2", child.home_county, child.id)
    await announcements.publish(
        tx,
        events.ChildChanged(
            subject_id=child.id,
            region_code=region_code,
            home_county=child.home_county,
            version=version,
            sections=sorted(after),
            previous_region_code=child.region_code if child.region_code != region_code else None,
        ),
        *derivation.announced(moved, row, outcome),
    )
    await _audit(tx, principal, "changeChild", child.id, after)


def _refuse_unwritable(principal: Principal, names: Iterable[str]) -> None:
    forbidden = [name for name in names if name not in principal.role.writes]
    if forbidden:
        raise FieldGroupForbidden(
            errors=[
                FieldError(
                    pointer=f"#/{name}",
                    code="section_not_writable",
                    detail="Your role does not write this section.",
                )
                for name in forbidden
            ]
        )


async def _check(tx: Tx, principal: Principal, sent: Sections, *, new: bool) -> None:
    errors = checks.broken(sent, on=tx.today, new=new)
    errors += await _unknown_regions(tx, sent)
    school_id = sent.get("education", {}).get("school_id")
    if school_id is not None:
        school = await agencies.find(tx, UUID(school_id))
        if school is None or school.kind != "school" or not school.active:
            errors.append(
                FieldError(
                    pointer="#/education/school_id",
                    code="school_unknown",
                    detail="There is no such school.",
                )
            )
    if errors:
        raise ChildInvalid(errors=errors)
    if "residence" in sent:
        region_code = int(sent["residence"]["region_code"])
        if not principal.region_lo <= region_code < principal.region_hi:
            raise _outside("#/residence/region_code")
    if "education" in sent and principal.school_id not in {None, _school_of(sent)}:
        raise _outside("#/education/school_id")


def _outside(pointer: str) -> OutsideRemit:
    return OutsideRemit(
        errors=[
            FieldError(
                pointer=pointer,
                code="outside_remit",
                detail="Let somebody record it whose remit holds both.",
            )
        ]
    )


async def _unknown_regions(tx: Tx, sent: Sections) -> list[FieldError]:
    named = {
        section: int(code)
        for section in ("residence", "hukou")
        if (code := sent.get(section, {}).get("region_code")) is not None
    }
    if not named:
        return []
    known = await regions.known(tx, named.values(), tx.today)
    return [
        FieldError(
            pointer=f"#/{section}/region_code", code="region_unknown", detail="No such region."
        )
        for section, code in named.items()
        if code not in known or (section == "residence" and not _in_a_county(code))
    ]


def _in_a_county(code: int) -> bool:
    try:
        county_of(code)
    except BadRegionCode:
        return False
    return True


def _merged(stored: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396); a cleared field stays, as null."""
    if not isinstance(patch, dict):
        return patch
    base = stored if isinstance(stored, dict) else {}
    return {**base, **{name: _merged(base.get(name), value) for name, value in patch.items()}}


def _wire(section: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Complete a section with what its model says of absent fields, and drop what we add."""
    model = sections.MODELS[section]
    known = {
        name: item
        for name, item in (value or {}).items()
        if name in model.model_fields and item is not None
    }
    return model.model_validate(known).model_dump(mode="json")


def _columns(tx: Tx, child: ChildRef, whole: Sections, outcome: Derived) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for section, value in whole.items():
        columns.update(sealing.keep(tx.keyring, child.id, section, value))
    return {
        **{
            name: orjson.dumps(value).decode() if isinstance(value, dict) else value
            for name, value in columns.items()
        },
        "region_code": child.region_code,
        "school_id": child.school_id,
        "categories": list(outcome.categories),
        "priority_flags": list(outcome.priority_flags),
        "derived_on": tx.today,
        "updated_at": tx.now,
    }


def _places(columns: Mapping[str, Any]) -> str:
    return ", ".join(f"${position + 1}" for position in range(len(columns)))


def _school_of(whole: Sections) -> UUID | None:
    found = whole["education"]["school_id"]
    return None if found is None else UUID(found)


async def _store_numbers(tx: Tx, child: ChildRef, whole: Sections, changed: Sections) -> None:
    for section, field in (("education", "student_numbers"), ("external", "numbers")):
        if section not in changed:
            continue
        await tx.connection.execute(
            "DELETE FROM child_external_ids"
            " WHERE home_county = $1 AND child_id = $2 AND section = $3",
            child.home_county,
            child.id,
            section,
        )
        indexes = [
            queries.external_index(tx.keyring, entry["system"], entry["number"])
            for entry in whole[section][field]
        ]
        await tx.connection.execute(
            "INSERT INTO child_external_ids (index, child_id, home_county, region_code, pupil_of,"
            " section) SELECT u.index, c.id, c.home_county, c.region_code, c.school_id, $4"
            " FROM children c, UNNEST($1::bytea[]) AS u (index)"
            " WHERE c.home_county = $2 AND c.id = $3 ON CONFLICT DO NOTHING",
            indexes,
            child.home_county,
            child.id,
            section,
        )


async def _refer(
    tx: Tx,
    principal: Principal,
    operation: str,
    taken: duplicates.Taken,
    child: ChildRef,
    sent: Sections,
) -> duplicates.Referred:
    referred = await duplicates.refer(
        tx,
        by=principal.subject,
        region_code=child.region_code,
        reason=taken.reason,
        submitted=duplicates.as_submitted(sent),
        child_id=child.id if operation == "changeChild" else None,
    )
    await audit.record(
        tx,
        principal.actor,
        operation,
        children=[child.id] if operation == "changeChild" else [],
        subject=referred.referral_id,
        field_groups=[section for section in FIELD_GROUPS if section in sent],
        rule="possible-duplicate",
    )
    return referred


async def _audit(
    tx: Tx, principal: Principal, operation: str, child_id: UUID, written: Iterable[str]
) -> None:
    # The answer shows the file as well, so what was shown is part of the record.
    groups = {*written, *queries.readable(principal)}
    await audit.record(
        tx,
        principal.actor,
        operation,
        children=[child_id],
        subject=child_id,
        field_groups=[group for group in FIELD_GROUPS if group in groups],
    )
