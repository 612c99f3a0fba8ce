"""Open files and change them: whole sections checked, written with their history, derived anew."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.children import (
    below,
    checks,
    derivation,
    duplicates,
    enrolments,
    evaluations,
    events,
    history,
    indexes,
    merging,
    names,
    numbers,
    queries,
    schemas,
    sealing,
    situations,
)
from app.children.completeness import completion, part_of, parts_lacking
from app.children.queries import ChildRef
from app.children.rules import ADULT, Derived, age_on
from app.children.sections import File
from app.children.told import Told
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import preconditions
from app.core.http.wire import region_text
from app.core.ids import new_id, standing_for
from app.core.jobs import events as announcements
from app.core.problems import FieldError, Problem
from app.regions import queries as regions
from app.regions.rules import lies_in_a_county


class ChildInvalid(Problem, status=422):
    """The file would break a rule."""

    title = "The file breaks a rule"
    title_zh = "档案内容不符合规则"


class FieldGroupForbidden(Problem, status=403, denies=True):
    """The role does not write a section that was sent (AZ-5)."""

    title = "Your role may not write this section"
    title_zh = "您的角色无权填写该部分"


class OutsideRemit(Problem, status=403, denies=True):
    """The child would leave, or never be in, the caller's remit.

    A move across remits is recorded by the next level up, whose remit holds both places.
    """

    title = "The place or school lies outside your remit"
    title_zh = "该地点或学校不在您的管辖范围内"


async def change_child(
    tx: Tx, principal: Principal, child: ChildRef, change: schemas.ChildChange, *, if_match: int
) -> duplicates.Referred | None:
    """Change sections of a file. What changes nothing makes no new version. Raises
    FieldGroupForbidden, PreconditionFailed, ChildInvalid, OutsideRemit, DuplicateChild,
    AnsweredAlready.
    """
    refuse_unwritable(principal, merging.named(change))
    row = await tx.connection.fetchrow(
        "SELECT c.id, c.version, c.region_code, c.school_id, c.categories, c.priority_flags,"
        " c.undecided, c.counted, c.lacking, c.told,"
        f" c.next_change_on, c.as_sent_sealed, {queries.STORED} FROM children c"
        " WHERE c.home_county = $1 AND c.id = $2 FOR NO KEY UPDATE",
        child.home_county,
        child.id,
    )
    if row is None:  # moved out of the remit between the look-up and the lock
        raise preconditions.PreconditionFailed
    preconditions.check_version(row["version"], if_match)
    child = ChildRef(child.id, child.home_county, row["region_code"], row["school_id"])
    before = sealing.whole(tx.keyring, row)
    after = merging.begun(before, merging.merged(before, change), change, tx.today)
    after, unknown = await placed(tx, after, merging.named(change))
    after = merging.elsewhere(before, after, change)
    different = merging.differing(before, after)
    if not different:
        return None
    errors = await wrong(tx, after, different, unknown, new=False)
    refuse_wrong(principal, after, different, errors)
    try:
        async with tx.connection.transaction():
            await _write(
                tx,
                principal,
                child,
                row,
                before,
                after,
                different,
                enrolled_since=merging.enrolled_since(before, change),
            )
    except numbers.Taken as taken:
        await duplicates.refuse_visible(
            tx, principal, after.identity, region_code=None, others=[child.id]
        )
        return await duplicates.refer(
            tx, principal, str(taken), child, after, different, known=True
        )
    return None


async def _write(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    row: Mapping[str, Any],
    before: File,
    after: File,
    different: Sequence[str],
    *,
    enrolled_since: date | None,
) -> None:
    if after.identity.resident_id != before.identity.resident_id:
        await duplicates.refuse_visible(
            tx, principal, after.identity, region_code=None, others=[child.id]
        )
        await numbers.refuse_many(tx, principal)
        await numbers.claim(tx, child, after.identity)
    await store_numbers(tx, child, after, different)
    moved = ChildRef(child.id, child.home_county, lives_in(after), after.education.school_id)
    outcome = derivation.derive(after, moved.region_code, tx.today, Told.all_of(row["told"]))
    version = row["version"] + 1
    aside = await history.remember(
        tx,
        principal,
        child,
        "changeChild",
        version,
        before=before,
        after=after,
        sections=different,
        aside=sealing.kept_aside(tx.keyring, row),
    )
    if "education" in different:
        await _keep_enrolments(tx, principal, child, before, after, enrolled_since)
    if moved != child:
        await history.leave(tx, child)
    kept = {"version": version, "as_sent_sealed": sealing.keep_aside(tx.keyring, child.id, aside)}
    columns = kept | columns_of(tx, moved, after, different, outcome)
    where = Where("home_county = {} AND id = {}", child.home_county, child.id)
    values = ", ".join(f"{column} = {where.bind(value)}" for column, value in columns.items())
    await tx.connection.execute(f"UPDATE children SET {values} WHERE {where}", *where.arguments)
    if moved != child:
        await below.follow(tx, "c.home_county = $1 AND c.id = $2", child.home_county, child.id)
    if "identity" in different or moved.region_code != child.region_code:
        await names.keep(tx, [(moved, after.identity.name or "")])
    said = {"version": version, "sections": sorted(different)}
    await tell_anew(tx, principal, moved, before, after)
    news = derivation.announced(moved, row, before, outcome, tx.today)
    await _announce(tx, principal, child, moved, row, outcome, said, news)


async def _announce(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    moved: ChildRef,
    row: Mapping[str, Any],
    outcome: Derived,
    said: Mapping[str, Any],
    follows: Sequence[announcements.Event],
) -> None:
    about = {
        "subject_id": child.id,
        "region_code": moved.region_code,
        "home_county": child.home_county,
    }
    left = None if child.region_code == moved.region_code else child.region_code
    news: list[announcements.Event] = [
        events.ChildChanged(**about, **said, previous_region_code=left),
        *follows,
    ]
    if left is not None:
        news.append(events.ChildLeft(**about | {"region_code": left}))
    if row["undecided"] and not outcome.undecided:
        news.append(events.FactsDecided(**about))
    if row["lacking"] and not outcome.lacking:
        done = completion(child.id, tx.today)
        news.append(events.FileCompleted(**about, completion_id=done))
    for part in sorted(parts_lacking(row["lacking"]) - parts_lacking(outcome.lacking)):
        named = {"part": part, "part_id": part_of(child.id, part)}
        by = {"as_role": principal.role.code, "told_to": ()}
        news.append(events.PartCompleted(**about, **named, **by))
    await announcements.publish(tx, *news)


async def tell_anew(
    tx: Tx, principal: Principal, child: ChildRef, before: File | None, after: File
) -> None:
    """Announce what a file says anew that whoever wrote it must report to the police (REP-01), and
    how well the child is looked after (RSK-03).
    """
    await _tell_evaluation(tx, principal, child, before, after)
    birth_date = after.identity.birth_date
    age = 0 if birth_date is None else age_on(birth_date, tx.today)
    found = situations.told_anew(before, after, age)
    if found and age < ADULT:
        about = {"subject_id": child.id, "change_id": new_id(), "agency_id": principal.agency_id}
        place = {"region_code": child.region_code, "home_county": child.home_county}
        told = events.SituationFound(**about, **place, found=found, told_to=())
        await announcements.publish(tx, told)


async def _tell_evaluation(
    tx: Tx, principal: Principal, child: ChildRef, before: File | None, after: File
) -> None:
    told = evaluations.told_anew(before, after, tx.today)
    place = {"region_code": child.region_code, "home_county": child.home_county}
    news: list[announcements.Event] = []
    for kind, day in ((events.EvaluationVoid, told.void), (events.GuardianEvaluated, told.new)):
        if day is not None:
            one = standing_for("evaluation", [str(child.id), str(day)])
            about = {"subject_id": one, "child_id": child.id, "evaluated_on": day}
            news.append(kind(**about, **place, as_role=principal.role.code))
    await announcements.publish(tx, *news)


async def _keep_enrolments(
    tx: Tx, principal: Principal, child: ChildRef, before: File, after: File, since: date | None
) -> None:
    was, become = before.education, after.education
    if (
        principal.school_id is not None
        and since is not None
        and await enrolments.days_of_another(tx, child, was, become, since)
    ):
        raise _outside("#/education/since")  # no school moves the days of another
    await enrolments.keep(tx, principal, child, was, become, since=since)


def refuse_unwritable(principal: Principal, names: Iterable[str]) -> None:
    errors = [
        FieldError(f"#/{name}", "section_not_writable", "Your role does not write this section.")
        for name in names
        if name not in principal.role.writes
    ]
    if errors:
        raise FieldGroupForbidden(errors=errors)


async def wrong(
    tx: Tx, file: File, sent: Collection[str], unknown: Iterable[FieldError], *, new: bool
) -> list[FieldError]:
    """Return every rule that the sections sent break. One statement if they name a school."""
    errors = [*checks.broken(file, sent, on=tx.today, new=new), *unknown]
    school_id = file.education.school_id
    if "education" in sent and school_id is not None:
        school = await agencies.find(tx, school_id)
        if school is None or school.kind != "school" or not school.active:
            errors.append(
                FieldError("#/education/school_id", "school_unknown", "There is no such school.")
            )
    return errors


def refuse_wrong(
    principal: Principal, file: File, sent: Collection[str], errors: Sequence[FieldError]
) -> None:
    """Raise ChildInvalid, or OutsideRemit."""
    if errors:
        raise ChildInvalid(errors=errors)
    inside = principal.region_lo <= lives_in(file) < principal.region_hi
    if "residence" in sent and not inside:
        raise _outside("#/residence/region_code")
    if "education" in sent and principal.school_id not in {None, file.education.school_id}:
        raise _outside("#/education/school_id")


def _outside(pointer: str) -> OutsideRemit:
    return OutsideRemit.at(
        pointer, "outside_remit", "Let somebody record it whose remit holds both."
    )


async def placed(tx: Tx, file: File, sent: Collection[str]) -> tuple[File, Sequence[FieldError]]:
    """Put the codes of today into the sections sent that name a place; tell the codes that are no
    place's. Where a child is registered stays as it was sent, if nobody knows what became of that.
    One statement, none if no such section was sent; one more for a code that is no place's now.
    """
    codes = {
        section: int(code)
        for section in ("residence", "hukou")
        if section in sent and (code := getattr(file, section).region_code) is not None
    }
    if not codes:
        return file, ()
    stands = await regions.current_of(tx, codes.values(), tx.today)
    errors, sections = [], {}
    for section, code in codes.items():
        now = stands.get(code)
        if now is None and section == "hukou":
            now = await regions.ever(tx, code, tx.today)
        if now is None or (section == "residence" and not lies_in_a_county(now)):
            detail = "No such region."
            errors.append(FieldError(f"#/{section}/region_code", "region_unknown", detail))
        else:
            update = {"region_code": region_text(now)}
            sections[section] = getattr(file, section).model_copy(update=update)
    return file.model_copy(update=sections), errors


def lives_in(file: File) -> int:
    return int(file.residence.region_code or 0)  # no file without one passes the checks


def columns_of(
    tx: Tx, child: ChildRef, file: File, written: Iterable[str], outcome: Derived
) -> dict[str, object]:
    columns: dict[str, object] = {}
    for section in written:
        columns |= sealing.keep(tx.keyring, child.id, section, getattr(file, section))
    return {
        **columns,
        "region_code": child.region_code,
        "school_id": child.school_id,
        "categories": list(outcome.categories),
        "priority_flags": list(outcome.priority_flags),
        "undecided": list(outcome.undecided),
        "counted": list(outcome.counted),
        "lacking": list(outcome.lacking),
        "next_change_on": outcome.next_change_on,
        "derived_on": tx.today,
        "updated_at": tx.now,
    }


async def store_numbers(tx: Tx, child: ChildRef, file: File, written: Collection[str]) -> None:
    numbers = {"education": file.education.student_numbers, "external": file.external.numbers}
    for section, entries in numbers.items():
        if section not in written:
            continue
        await tx.connection.execute(
            "DELETE FROM child_external_ids"
            " WHERE home_county = $1 AND child_id = $2 AND section = $3",
            child.home_county,
            child.id,
            section,
        )
        await tx.connection.execute(
            "INSERT INTO child_external_ids (index, child_id, home_county, region_code, pupil_of,"
            " section) SELECT u.index, c.id, c.home_county, c.region_code, c.school_id, $4"
            " FROM children c, UNNEST($1::bytea[]) AS u (index)"
            " WHERE c.home_county = $2 AND c.id = $3 ON CONFLICT DO NOTHING",
            [indexes.external_index(tx.keyring, each.system, each.number) for each in entries],
            child.home_county,
            child.id,
            section,
        )
