"""What of a report's statements can be followed. Nothing in them refuses it: what names no place,
file, situation or agency we know is kept as sent, and told in the report's `doubts`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from unicodedata import normalize
from uuid import UUID

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.children import queries as children
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.problems import Problem
from app.police_reports import rules
from app.police_reports.operations import home
from app.police_reports.rules import CLOCK_SKEW
from app.police_reports.schemas.filing import ReportCreate
from app.policy import queries as policy
from app.regions import queries as regions
from app.regions.rules import BadRegionCode, county_of, is_valid_code

_CODE_LENGTH: Final = 12
_DRESS: Final = re.compile(r"[\s\W_]+")
"""Spaces, dashes and dots that people write between the digits of a code."""
_situations: Final = policy.lookup("report.situations")
_duty_bearers: Final = policy.lookup("report.duty_bearers")


class ReportInvalid(Problem, status=422):
    """The report or the step leaves out what it cannot be without, or contradicts itself."""

    title = "What was sent contradicts itself or names something unknown"
    title_zh = "提交的内容自相矛盾或引用了不存在的对象"


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
    suspect_agency_id: UUID | None
    bound_as: str | None
    found_at: datetime
    doubts: list[str]
    as_sent: dict[str, Any]

    @property
    def home_county(self) -> int:
        """The county that opened the file, or where it happened; a larger place if no more is
        known.
        """
        if self.child is not None:
            return self.child.home_county
        try:
            return county_of(self.region_code)
        except BadRegionCode:
            return self.region_code


async def understood(tx: Tx, principal: Principal, new: ReportCreate) -> Understood:
    """Follow a report's statements. Raises ReportInvalid without a child or a place."""
    if new.child_id is None and new.region_code is None and not new.unread:
        raise ReportInvalid.at("#/region_code", "region_missing", "Say where it happened.")
    seen, child = await _child(tx, principal, new.child_id)
    place, exact = await _place(tx, principal, new.region_code, seen)
    situations, others = _known_situations(new.situations, _situations(place, tx.today))
    suspect = await _agency(tx, new.suspect_agency_id)
    found_at = new.found_at or tx.now
    doubts: dict[str, tuple[bool, str, Any]] = {
        "found_at_ahead": (found_at > tx.now + CLOCK_SKEW, "found_at", None),
        "place_unknown": (not exact, "region_code", new.region_code),
        "child_unconfirmed": (bool(new.child_id and not seen), "child_id", new.child_id),
        "situation_unknown": (bool(others), "situations", others),
        "agency_unknown": (
            bool(new.suspect_agency_id and not suspect),
            "suspect_agency_id",
            new.suspect_agency_id,
        ),
        "field_unread": (bool(new.unread), "unread", _of_the_case(new.unread)),
    }
    return Understood(
        child=child,
        seen=seen is not None,
        region_code=place,
        situations=situations,
        suspect_agency_id=suspect,
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


def _of_the_case(unread: Mapping[str, Any]) -> dict[str, Any] | None:
    """Leave out what was said of the reporter, which is kept apart (AZ-9)."""
    kept = {field: said for field, said in unread.items() if field.partition(".")[0] != "reporter"}
    return kept or None


async def _child(
    tx: Tx, principal: Principal, stated: UUID | None
) -> tuple[ChildRef | None, ChildRef | None]:
    """Return the file named, if the caller sees it, and if anybody does. It is held. The id may be
    the caller's own name for it.
    """
    if stated is None:
        return None, None
    seen = (await children.find_many(tx, principal, [stated])).get(stated)
    held = seen or await home.hold(tx, stated)  # the file itself comes before any other name
    if held is None and (named := await children.named_by(tx, principal.agency_id, stated)):
        stated = named.child_id
        seen = (await children.find_many(tx, principal, [stated])).get(stated)
        held = seen or await home.hold(tx, stated)
    return seen, held


async def _place(
    tx: Tx, principal: Principal, stated: str | None, child: ChildRef | None
) -> tuple[int, bool]:
    """Return the place to act for, and whether it is the one stated: today's code of it; else the
    nearest above that exists; else the code itself, if it could be one and nobody has loaded the
    province; else where the child lives, or the reporter's own region.
    """
    if stated is None and child is not None:
        return child.region_code, True
    digits = _DRESS.sub("", normalize("NFKC", stated or ""))
    if digits.isascii() and digits.isdigit():
        code = int(digits[:_CODE_LENGTH].ljust(_CODE_LENGTH, "0"))
        found = await regions.nearest(tx, code, tx.today)
        if found is not None:
            place, exact = found
            return place, exact and len(digits) <= _CODE_LENGTH
        if is_valid_code(code):
            return code, False
    return child.region_code if child is not None else principal.region_code, False


def _known_situations(
    stated: Iterable[str], listed: Iterable[Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Sort what was stated into codes of the list, also told by their names, and the rest."""
    codes = {
        _folded(word): each["code"]
        for each in listed
        for word in (each["code"], each["zh"], each["en"])
    }
    known, others = set[str](), []
    for said in stated:
        word = _folded(said)
        # A name of the list that the words are a part of, or the words of it.
        near = {code for name, code in codes.items() if word and (word in name or name in word)}
        found = {codes[word]} if word in codes else near
        known |= found
        if not found:
            others.append(said)
    return sorted(known), others


def _folded(word: str) -> str:
    return normalize("NFKC", word).strip().casefold()


async def _agency(tx: Tx, stated: str | None) -> UUID | None:
    if stated is None:
        return None
    try:
        agency_id = UUID(stated)
    except ValueError:
        return None
    return agency_id if await agencies.find(tx, agency_id) else None
