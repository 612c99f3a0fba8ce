"""What of a report's statements can be followed. Nothing in them refuses it: what names no place,
file, situation or agency we know is kept as sent, and told in the report's `doubts`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from unicodedata import normalize
from uuid import UUID

from app.access import queries as access
from app.access.principal import Principal, acting_on
from app.children import queries as children
from app.children.queries import ChildRef
from app.core.clock import local_date
from app.core.data import keys
from app.core.data.db import Tx
from app.core.problems import Problem
from app.core.text import canonical_name
from app.police_reports import meaning, models, queries, rules
from app.police_reports.area import FILE
from app.police_reports.operations import home, shields
from app.police_reports.rules import CLOCK_SKEW
from app.police_reports.schemas.filing import ReportCreate, in_words
from app.police_reports.unread import accused_in, ids_in
from app.policy import queries as policy
from app.regions import queries as regions
from app.regions.rules import (
    BadRegionCode,
    county_of,
    is_valid_code,
    lies_in_a_county,
    lineage,
    subtree,
)

_CODE_LENGTH: Final = 12
_DRESS: Final = re.compile(r"[\s\W_]+")
"""Spaces, dashes and dots that people write between the digits of a code."""
_SITUATIONS_SHOWN: Final = 14
_REGISTERED: Final = "SELECT id FROM agencies WHERE id = ANY ($1::uuid[])"
_NAMED: Final = """
SELECT a.id, a.name, a.name_en FROM agencies a
WHERE a.id = $4 OR a.region_code = ANY ($3::bigint[]) OR EXISTS (
    SELECT FROM unnest($1::bigint[], $2::bigint[]) AS span (lo, hi)
    WHERE a.region_code >= lo AND a.region_code < hi)
"""
_situations: Final = policy.lookup("report.situations")
_duty_bearers: Final = policy.lookup("report.duty_bearers")


class ReportInvalid(Problem, status=422):
    """The report or the step leaves out what it cannot be without, or contradicts itself."""

    title = "What was sent contradicts itself or names something unknown"
    title_zh = "提交的内容自相矛盾或引用了不存在的对象"


@dataclass(frozen=True, slots=True)
class Accused:
    """Whom a report speaks against: the agency, if it is clear which; all that must learn
    nothing of it; how many codes the remit of an office must hold to be told, 0 for any, and that
    of police; the other agencies it may mean. `beside`: those of `hidden_from` whose ids stand in
    fields nobody knows alone, in their order: see `shields`.
    """

    agency_id: UUID | None = None
    hidden_from: frozenset[UUID] = frozenset()
    hidden_below: int = 0
    police_below: int = 0
    meant: frozenset[UUID] = frozenset()
    beside: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Understood:
    """What a report says, as far as we can follow it.

    `child`: the file it names, whether or not its reporter may see it: `seen` tells. `as_sent`: by
    field, what could not be followed. `bound_as`: as which bearer of the duty they had to report.
    """

    child: ChildRef | None
    seen: bool
    region_code: int
    situations: list[str]
    accused: "Accused"
    bound_as: str | None
    found_at: datetime
    doubts: list[str]
    as_sent: dict[str, Any]

    @property
    def home_county(self) -> int:
        """The county that opened the file, if its reporter sees it (else it would tell that there
        is one), or where it happened; a larger place if no more is known.
        """
        if self.child is not None and self.seen:
            return self.child.home_county
        try:
            return county_of(self.region_code)
        except BadRegionCode:
            return self.region_code


def require_place(new: ReportCreate) -> None:
    """Raise ReportInvalid of what says neither a child nor a place, nor anything else of it."""
    if new.child_id is None and new.region_code is None and not new.unread:
        raise ReportInvalid.at("#/region_code", "region_missing", "Say where it happened.")


async def understood(
    tx: Tx, principal: Principal, new: ReportCreate, report_id: UUID
) -> Understood:
    """Follow a report's statements. Raises ReportInvalid without a child or a place."""
    require_place(new)
    seen, child = await _child(tx, principal, new.child_id)
    found_at = new.found_at or tx.now
    place, exact = await _place(tx, principal, new.region_code, seen, found_at)
    aside = new.unread.get("situations")
    stated = [*new.situations, *map(in_words, aside if isinstance(aside, list) else ())]
    situations, others = _known_situations(stated, _situations(place, tx.today))
    apart = new.of_who_reports.get("situations") or ()
    shown = [each for each in others if each not in map(in_words, apart)]
    against = new.suspect_agency_id or new.unread.get("suspect_agency_id")
    words = str(against) if against else None
    accused = await _accused(tx, principal, words, new.unread, place, seen, child)
    doubts: dict[str, tuple[bool, str, Any]] = {
        "found_at_ahead": (found_at > tx.now + CLOCK_SKEW, "found_at", None),
        "place_unknown": (not exact, "region_code", new.region_code),
        "child_unconfirmed": (bool(new.child_id and not seen), "child_id", new.child_id),
        "situation_unknown": (bool(others), "situations", shown[:_SITUATIONS_SHOWN]),
        "agency_unknown": (
            accused.hidden_below > 0,
            "suspect_agency_id",
            new.suspect_agency_id,
        ),
        "id_taken": (new.id not in {None, report_id}, "id", new.id),
        "field_unread": (bool(new.unread), "unread", _of_the_case(new)),
    }
    return Understood(
        child=child,
        seen=seen is not None,
        region_code=place,
        situations=situations,
        accused=accused,
        # What could not be followed may be one of those the text does not leave out.
        bound_as=rules.bound_as(
            principal.agency_kind, [*situations, *others], _duty_bearers(place, tx.today)
        ),
        found_at=found_at,
        doubts=[code for code, (doubted, _, _) in doubts.items() if doubted],
        as_sent={
            field: sent for doubted, field, sent in doubts.values() if doubted and sent is not None
        },
    )


def _of_the_case(new: ReportCreate) -> dict[str, Any] | None:
    """Leave out what may say who reports, which is kept apart (AZ-9)."""
    apart = new.of_who_reports
    return {field: said for field, said in new.unread.items() if field not in apart} or None


async def carried_over(
    tx: Tx, said: Understood, before: Mapping[str, Any], child_id: UUID | None
) -> Understood:
    """Let a correction keep what was reported before it: a colleague does not take harm back. The
    child that it names is in doubt if a person took what it corrects off that file.
    """
    if said.child is not None and await home.taken_off(tx, before["id"], said.child.id):
        said = replace(
            said,
            child=None,
            seen=False,
            doubts=list(dict.fromkeys([*said.doubts, "child_unconfirmed"])),
            as_sent={**said.as_sent, "child_id": child_id},
        )
    kept = replace(said, situations=sorted({*said.situations, *before["situations"]}))
    if "situation_unknown" not in before["doubts"]:
        return kept
    await keys.of_rows(tx, [before])
    sent = unsealed(tx, before)
    others = dict.fromkeys([*sent.get("situations", ()), *said.as_sent.get("situations", ())])
    return replace(
        kept,
        doubts=list(dict.fromkeys([*said.doubts, "situation_unknown"])),
        as_sent={**said.as_sent, "situations": [*others][:_SITUATIONS_SHOWN]},
    )


def unsealed(tx: Tx, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return, by field, what of a stored report, whose key is open, could not be followed."""
    return queries.said_in(tx, models.AS_SENT, report["id"], report["as_sent_sealed"])


async def _child(
    tx: Tx, principal: Principal, stated: UUID | None
) -> tuple[ChildRef | None, ChildRef | None]:
    """Return the file named, if the caller sees it, and if anybody does. It is held. The id may be
    the caller's own name for it.
    """
    if stated is None:
        return None, None
    seen = (await children.find_many(tx, principal, [stated])).get(stated)
    held = seen or await home.hold(tx, stated, named_by=[principal.agency_id])
    if held is not None and held.id != stated:
        seen = (await children.find_many(tx, principal, [held.id])).get(held.id)
    return seen, held


async def _place(
    tx: Tx, principal: Principal, stated: str | None, child: ChildRef | None, found_at: datetime
) -> tuple[int, bool]:
    """Return the place to act for, and whether it is the one stated: today's code of it; else the
    nearest above that exists; else the code itself, if it could be one and nobody has loaded the
    province; else where the child lives, or the region of the reporter's post on the day it was
    found.
    """
    if stated is None and child is not None:
        return child.region_code, True
    if (said := code_in(stated)) is not None:
        code, whole = said
        found = await regions.nearest(tx, code, tx.today)
        if found is not None:
            place, exact = found
            return place, exact and whole
        if is_valid_code(code):
            return code, False
    if child is not None:
        return child.region_code, False
    posts = await access.postings(tx, principal, FILE.code)
    then = acting_on(posts, principal, local_date(min(found_at, tx.now)))
    return then.region_code, False


def code_in(stated: str | None) -> tuple[int, bool] | None:
    """Read the 12-digit code in what was stated as a place, and whether that is all it says; None
    if it is no number.
    """
    digits = _DRESS.sub("", normalize("NFKC", stated or ""))
    if not (digits.isascii() and digits.isdigit()):
        return None
    code = int(digits[:_CODE_LENGTH].ljust(_CODE_LENGTH, "0"))
    return code, len(digits) <= _CODE_LENGTH


def _known_situations(
    stated: Iterable[str], listed: Iterable[Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Sort what was stated into codes of the list, also told by their whole names, and the rest: of
    that the police say what it is.
    """
    codes = {
        _folded(word): each["code"]
        for each in listed
        for word in (each["code"], each["zh"], each["en"])
    }
    found = [(codes.get(_folded(said)), said) for said in dict.fromkeys(stated) if said]
    known = {code for code, _ in found if code is not None}
    return sorted(known), [said for code, said in found if code is None]


def _folded(word: str) -> str:
    return normalize("NFKC", word).strip().casefold()


async def _accused(
    tx: Tx,
    principal: Principal,
    stated: str | None,
    unread: Mapping[str, Any],
    place: int,
    seen: ChildRef | None,
    child: ChildRef | None,
) -> Accused:
    """Return whom the report speaks against: an agency by its id in any spelling, else whom the
    words mean. Without words, those whose ids stand in what could not be read, whatever the field,
    or whose names do where it says that somebody is accused; with them, these learn nothing of the
    report either. In a field of their own, systems say who sends: that accuses nobody.
    """
    ids = {*ids_in(stated)[: shields.MOST]}
    beside = [each for each in ids_in(unread) if each not in {principal.agency_id, *ids}]
    said = [*ids, *beside]
    rows = await tx.connection.fetch(_REGISTERED, said) if said else []
    called = accused_in(unread)
    meant = await _named(tx, called, child, place, principal.agency_id) - {principal.agency_id}
    openly = meant if seen == child else await _named(tx, called, seen, place, principal.agency_id)
    registered = frozenset(row["id"] for row in rows) | (meant & openly)
    named = registered if stated is None else registered & ids
    if len(named) == 1 and len(ids) <= 1:
        found = Accused(next(iter(named)), named)
    elif ids or named:
        found = Accused(hidden_below=meaning.told_from(None))
    elif stated is None:
        found = Accused()
    else:
        found = await _in_words(tx, principal, stated, place, seen, child)
    others = registered - {found.agency_id}
    apart = frozenset() if stated is None else found.hidden_from
    shielded = [each for each in dict.fromkeys((*beside, *sorted(meant))) if each not in apart]
    return replace(
        found,
        hidden_from=found.hidden_from | registered | meant,
        meant=found.meant | others,
        beside=tuple(each for each in shielded if each in registered | meant),
    )


async def _in_words(
    tx: Tx,
    principal: Principal,
    words: str,
    place: int,
    seen: ChildRef | None,
    child: ChildRef | None,
) -> Accused:
    """Return whom words mean: an agency by its name among those of the counties of the place and of
    the child's home, and the reporter's own. Of a file its reporter does not see, where the child
    lives hides the report only, and tells nothing.
    """
    meant = await _named(tx, {words}, child, place, principal.agency_id)
    openly = meant if seen == child else await _named(tx, {words}, seen, place, principal.agency_id)
    if len(meant) == 1 and openly:
        return Accused(next(iter(meant)), meant)
    own = meaning.may_mean_own(words, principal.agency_kind)
    return Accused(
        None,
        meant | ({principal.agency_id} if own else set()),
        meaning.told_from(words),
        meaning.police_from(words),
        meant,
    )


async def _named(
    tx: Tx, stated: Collection[str], child: ChildRef | None, place: int, own: UUID
) -> frozenset[UUID]:
    """Find the agencies of these names: of the counties of these places, of what lies above, and
    own.
    """
    if not stated:
        return frozenset()
    places = {place, *([child.region_code] if child else [])}
    spans = [
        subtree(county_of(code)) if lies_in_a_county(code) else (code, code + 1) for code in places
    ]
    rows = await tx.connection.fetch(
        _NAMED,
        [lo for lo, _ in spans],
        [hi for _, hi in spans],
        list({above for code in places for above in lineage(code)}),
        own,
    )
    names = {canonical_name(each) for each in stated}
    return frozenset(
        row["id"]
        for row in rows
        if names & {canonical_name(each) for each in (row["name"], row["name_en"]) if each}
    )
