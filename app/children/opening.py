"""Open files: once, by whoever looked after the place then, also after others had to be asked."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.access import queries as access
from app.access.principal import Principal
from app.children import (
    again,
    checks,
    child_keys,
    derivation,
    duplicates,
    enrolments,
    events,
    history,
    merging,
    names,
    numbers,
    operations,
    queries,
    schemas,
    sealing,
)
from app.children.area import WRITE
from app.children.queries import ChildRef
from app.children.referred import ASIDE, sections_of, sender_of
from app.children.sections import SECTIONS, File
from app.core.clock import local_date
from app.core.data import sql
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.core.problems import FieldError, Problem, pointer_again
from app.regions.rules import county_of

OFFLINE: Final = timedelta(days=90)
"""How long after leaving a post somebody may send what they opened in it, whatever day they say."""


class FileDiffers(Problem, status=409, points=True):
    """The id is that of a file, in the caller's remit, that was opened with other content: nothing
    of what was sent now is kept, its sender has it still. Location names the file, `errors` each
    field in which the two differ, so that whoever sees both says it there.
    """

    title = "This id's file was opened with other content; change it, or send a new id"
    title_zh = "该编号的档案以其他内容建立;请更改该档案,另一名儿童请使用新编号"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was opened, now or when the same was sent before (`is_new`). `as_sent`: it as it
    was opened (`schemas.Child`), for whoever does not see what has become of it.
    """

    child_id: UUID
    is_new: bool
    as_sent: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent: the file that is opened of it, with which sections; what breaks a rule; what
    of it is not in the file, by field; what it is known by when it comes again; and the ids of
    `others`, found to be other children.
    """

    id: UUID | None
    others: Sequence[UUID]
    file: File
    sections: Sequence[str]
    errors: Sequence[FieldError]
    aside: dict[str, Any]
    content: history.Content
    contents: Sequence[bytes]


async def create_child(
    tx: Tx, principal: Principal, new: schemas.ChildCreate
) -> Opened | duplicates.Referred:
    """Open a file (REG-02). The same again under its `id` is answered with the file it opened, or
    with the one it was refused for, whoever sees that by now and whatever post its sender holds;
    other content under it is not, unless it stands in fields nobody knows: that is kept beside it.

    Raises FieldGroupForbidden, ChildInvalid, OutsideRemit, DuplicateChild, FileDiffers,
    AnsweredAlready.
    Referred means that a child the caller may not know of may be meant: nothing but the referral is
    stored.
    """
    called = new.called
    if called is not None:
        new = new.model_copy(update={"id": await again.own_id(tx, principal, called)})
    it = await _read(tx, principal, new)
    try:
        outcome = await _create(tx, principal, new, it)
    except duplicates.DuplicateChild as duplicate:
        if called is not None:
            names = (called, it.id)
            duplicate.keep(again.adopt, principal.agency_id, names, duplicate.children[0])
        raise
    if isinstance(outcome, Opened):
        if called is not None:
            await duplicates.adopt(tx, principal.agency_id, called, outcome.child_id)
        if not outcome.is_new:
            await again.keep(tx, outcome.child_id, new.strange)
    return outcome


async def _create(
    tx: Tx, principal: Principal, new: schemas.ChildCreate, it: _Sent
) -> Opened | duplicates.Referred:
    acting, told = await _acting(tx, principal, new, operations.lives_in(it.file))
    if not told:
        it.aside["recorded_at"] = new.recorded_at
    if new.id is not None:
        before = await _before(tx, principal, acting, it)
        if before is not None:
            return before
    operations.refuse_unwritable(acting, it.sections)
    operations.refuse_wrong(acting, it.file, it.sections, it.errors)
    if acting is principal:
        await _refuse_visible(tx, principal, it)
        return await _open(tx, principal, it, sees=True)
    async with tx.as_system():
        opened = await _open(tx, acting, it, sees=False)
    if isinstance(opened, duplicates.Referred):
        return opened
    return Opened(
        opened.child_id, opened.is_new, _as_opened(tx, principal, opened.child_id, it, tx.now)
    )


async def _read(tx: Tx, principal: Principal, new: schemas.ChildCreate) -> _Sent:
    as_sent, sections = merging.opened(new)
    placed, unknown = await operations.placed(tx, as_sent, sections)
    errors = await operations.wrong(tx, placed, sections, unknown, new=True)
    file, untold, errors = checks.set_aside(placed, errors, offline=new.id is not None)
    aside = {**new.unread, **untold}
    strange = new.strange
    contents = duplicates.contents_of(tx, as_sent, placed, sections, new.unread, strange)
    content = history.Content(placed, sections, contents, len(new.unread) > len(strange))
    others = await duplicates.named(tx, principal.agencies, new.not_the_same_as)
    return _Sent(new.id, others, file, sections, errors, aside, content, contents)


async def _acting(
    tx: Tx, principal: Principal, new: schemas.ChildCreate, place: int
) -> tuple[Principal, bool]:
    """Return as whom the caller opens a file, and whether the clock of its device agrees with that:
    if the place lies outside of the present post, in the one there that was held when it was opened
    on the device, or else in one left not long ago. A clock may be wrong by days; that the place
    was theirs is in the register.
    """
    if new.id is None or principal.region_lo <= place < principal.region_hi:
        return principal, True
    said = None if new.recorded_at is None else local_date(new.recorded_at)
    there = [
        posting
        for posting in await access.postings(tx, principal, WRITE.code)
        if posting.who.school_id is None and posting.who.region_lo <= place < posting.who.region_hi
    ]
    then = [each.who for each in there if said is not None and each.held_on(said)]
    lately = [each.who for each in there if tx.today - OFFLINE <= (each.until or tx.today)]
    return next(iter([*then, *lately]), principal), said is None or bool(then)


async def _before(tx: Tx, principal: Principal, acting: Principal, it: _Sent) -> Opened | None:
    """Recognise a file that was sent before. Raises DuplicateChild if it was refused so then, and
    FileDiffers.
    """
    child_id = it.id or new_id()
    if await queries.find_itself(tx, principal, child_id):
        operations.refuse_unwritable(acting, it.sections)
        return await _itself(tx, principal, child_id, it)
    opened_at = await history.opened_with(tx, principal.agencies, child_id, it.content)
    if opened_at is not None:
        return Opened(child_id, False, _as_opened(tx, principal, child_id, it, opened_at))
    identity = it.file.identity
    await duplicates.refuse_again(tx, principal.agencies, child_id, identity, others=it.others)
    return None


async def _itself(tx: Tx, principal: Principal, child_id: UUID, it: _Sent) -> Opened:
    """Recognise a file the caller sees as opened with just what is sent, by whomever, or as that
    for which the same was referred. Raises FileDiffers: whoever sends it can look and say more.
    """
    if await history.opened_with(tx, None, child_id, it.content) is not None:
        return Opened(child_id, False)
    opened = await duplicates.opened_of(tx, principal, child_id, it.contents)
    if opened is None:
        raise await _differs(tx, child_id, it)
    return await _opened_since(tx, principal, opened, it)


async def _differs(tx: Tx, child_id: UUID, it: _Sent) -> FileDiffers:
    fields = await history.differing(tx, child_id, it.file, it.sections)
    beside = [f"/{field.replace('.', '/')}" for field in it.aside]  # or nothing that can be read
    return FileDiffers(
        "Keep what you sent until it stands in the file or under another id.",
        errors=[
            FieldError(pointer_again(field), "differs", "The file was opened with something else.")
            for field in fields or beside or [""]
        ],
        headers={"location": f"/v1/children/{child_id}"},
        children=[child_id],
    )


def _as_opened(
    tx: Tx, principal: Principal, child_id: UUID, it: _Sent, opened_at: datetime
) -> dict[str, Any]:
    """Show a file as it was when it was opened, whatever has become of it."""
    place = ChildRef(child_id, 0, operations.lives_in(it.file), it.file.education.school_id)
    on = local_date(opened_at)
    outcome = derivation.derive(it.file, place.region_code, on)
    ring = tx.keyring
    tx.keyring = replace(
        ring, opened={of_child(child_id).named: None}
    )  # sealed for the moment only
    columns = operations.columns_of(tx, place, it.file, SECTIONS, outcome)
    at = {"created_at": opened_at, "updated_at": opened_at, "derived_on": on}
    aside = {"as_sent_sealed": sealing.keep_aside(tx.keyring, child_id, it.aside)}
    row = {"id": child_id, "version": 1, "told": (), **columns, **at, **aside}
    shown = queries.shown(tx, principal, row)
    tx.keyring = ring
    return {**shown, "permitted": []}


async def _refuse_visible(tx: Tx, principal: Principal, it: _Sent) -> None:
    try:
        await duplicates.refuse_visible(
            tx,
            principal,
            it.file.identity,
            region_code=operations.lives_in(it.file),
            # Sent twice at one moment, it may be there by now: it is no duplicate of itself.
            others=[*it.others, *([it.id] if it.id else ())],
        )
    except duplicates.DuplicateChild as duplicate:
        if it.id is not None:  # what its app goes on sending under this id is about that file
            duplicate.keep(duplicates.adopt, principal.agency_id, it.id, duplicate.children[0])
        raise


async def _open(
    tx: Tx, principal: Principal, it: _Sent, *, sees: bool
) -> Opened | duplicates.Referred:
    """`sees`: the caller may be told of a file that is in the way; else others are asked."""
    child = _ref(it.file, it.id or new_id())
    if it.file.identity.resident_id is not None:
        await numbers.refuse_many(tx, principal)
    try:
        async with tx.connection.transaction():
            if it.id is not None:
                await duplicates.claim_id(tx, child.id)
            await _store(tx, principal, child, it.file, it.sections, it.aside, it.contents[0])
    except numbers.Taken as taken:
        tx.keyring.opened.pop(of_child(child.id).named, None)  # it went with what was taken back
        # Whoever was in the way may have been committed since we looked: look again.
        if sees and await queries.find_itself(tx, principal, child.id):
            return await _itself(tx, principal, child.id, it)
        if await history.opened_with(tx, principal.agencies, child.id, it.content) is not None:
            return Opened(child.id, False)  # pragma: no cover  two at one moment
        if sees:
            await _refuse_visible(tx, principal, it)
        referred = await duplicates.refer(
            tx,
            principal,
            str(taken),
            child,
            it.file,
            it.sections,
            known=False,
            contents=it.contents,
            aside=it.aside,
            own_id=it.id is not None,
        )
        if referred.opened is None:
            return referred
        return await _opened_since(tx, principal, referred.opened, it)
    return Opened(child.id, True)


async def _opened_since(tx: Tx, principal: Principal, child_id: UUID, it: _Sent) -> Opened:
    """Answer with the file that was opened of what was referred, whoever sees it by now."""
    if await queries.find_itself(tx, principal, child_id):
        return Opened(child_id, False)
    opened_at = await history.opened_with(tx, principal.agencies, child_id, it.content)
    if opened_at is None:  # pragma: no branch  it had been sent with a number
        it = replace(it, file=_unnumbered(it.file))
        content = replace(it.content, file=_unnumbered(it.content.file))
        opened_at = await history.opened_with(tx, principal.agencies, child_id, content)
    return Opened(child_id, False, _as_opened(tx, principal, child_id, it, opened_at or tx.now))


def _unnumbered(file: File) -> File:
    identity = file.identity.model_copy(update={"resident_id": None})
    return file.model_copy(update={"identity": identity})


def _ref(file: File, child_id: UUID) -> ChildRef:
    region_code = operations.lives_in(file)
    return ChildRef(child_id, county_of(region_code), region_code, file.education.school_id)


async def _store(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    file: File,
    sent: Sequence[str],
    aside: Mapping[str, Any],
    content_mac: bytes,
) -> None:
    """Store a file with all that follows from it, and what of `sent` is not in it. Raises Taken."""
    outcome = derivation.derive(file, child.region_code, tx.today)
    wrapped = await child_keys.made(tx, child.id)
    columns = {
        "id": child.id,
        "home_county": child.home_county,
        "version": 1,
        "created_at": tx.now,
        "as_sent_sealed": sealing.keep_aside(tx.keyring, child.id, aside),
        **operations.columns_of(tx, child, file, SECTIONS, outcome),
    }
    await sql.insert(tx.connection, "children", columns)
    await child_keys.store(tx, child.home_county, child.id, wrapped)
    await numbers.claim(tx, child, file.identity)
    await names.keep(tx, [(child, file.identity.name or "")])
    await operations.store_numbers(tx, child, file, sent)
    await history.remember(
        tx,
        principal,
        child,
        "createChild",
        1,
        before=None,
        after=file,
        sections=sent,
        content_mac=content_mac if aside else None,
    )
    if "education" in sent:
        learnt = file.education
        await enrolments.keep(tx, principal, child, None, learnt, since=learnt.since)
    await operations.tell_anew(tx, principal, child, None, file)
    await announcements.publish(
        tx,
        events.ChildRegistered(
            subject_id=child.id,
            region_code=child.region_code,
            home_county=child.home_county,
            categories=list(outcome.categories),
            priority_flags=list(outcome.priority_flags),
            undecided=list(outcome.undecided),
        ),
    )


async def open_referred(
    tx: Tx, found: Mapping[str, Any], *, number_wrong: bool
) -> tuple[UUID, bool] | None:
    """Open the file that was referred (`referred.referral`), as whoever sent it would have, under
    the id its phone made, unless that is another file's: for jobs and who answered. Its resident
    number is left out if it is wrong, or on another file still. Returns the file's id and whether
    it has all that was sent; None if nothing was to be opened, or its sender did so meanwhile.
    """
    if found["child_id"] is not None or found["submitted_sealed"] is None:
        return None
    sections = sections_of(tx, found)
    aside = sections.pop(ASIDE, {})
    file = File.model_validate(sections, extra="ignore")
    file, _ = await operations.placed(tx, file, [*sections])
    sent, content = found["submitted_id"], found["content_mac"]
    there = await duplicates.disown(tx, sent)
    taken = await history.opened_by_another(tx, sent, found["agency_id"])
    child = _ref(file, new_id() if taken or found["reason"] == "id" else sent)
    if there and child.id == sent:
        return None
    for opened in [_unnumbered(file)] if number_wrong else [file, _unnumbered(file)]:
        with contextlib.suppress(numbers.Taken):
            async with tx.connection.transaction():
                await _store(tx, sender_of(found), child, opened, [*sections], aside, content)
            return child.id, opened.identity == file.identity
    return None  # pragma: no cover  two files took both at this moment
