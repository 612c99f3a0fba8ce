"""What callers send to record a visit, and how it is read whatever stands beside a finding."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Final, Self
from uuid import UUID

import orjson
from pydantic import Field, StrictBool, TypeAdapter, ValidationError

from app.core.http.as_sent import TakenAsSent
from app.core.http.days import read_day
from app.core.http.wire import Moment
from app.core.ids import is_id, standing_for
from app.visits.models import Channel, Place, VisitorType
from app.visits.schemas import (
    ID,
    MOST,
    AbnormalType,
    ChildId,
    Domain,
    Finding,
    Findings,
    Policies,
    Policy,
    ReferTo,
    VisitDay,
    Words,
)
from app.visits.schemas.hinted import hinted

_DAY: Final = TypeAdapter(VisitDay)
_TRUTH: Final = TypeAdapter(bool)
NO_ID: Final = "id (none)"
"""Told beside a visit that came without an id: it has one of ours, made of all that was sent."""
AGAIN: Final = "sent_again"
"""Where that is kept beside a visit which differed, in fields nobody knows, when it came again."""


class VisitCreate(TakenAsSent):
    """A visit as the visitor records it, possibly days before it reaches the service.

    What of it cannot be read is kept as sent and told in `doubts`; nothing beside it refuses what
    was found.
    """

    id: UUID = Field(
        description="Made by the client (UUID, version 7 preferred): sent again, it is one visit."
        " One in use by another visit is answered by an id of ours; so is none at all, of the very"
        " same body the same.",
        examples=[ID],
    )
    child_id: ChildId
    visited_on: VisitDay | None = Field(
        default=None,
        description="Day of the visit, in China, by the device: one that cannot be is taken and"
        " told in `doubts`; of one that cannot be read the day it is received stands, and no"
        " quarter counts as visited.",
    )
    started_at: Moment | None = Field(default=None, description="When it began, if noted.")
    visitor_type: VisitorType = Field(description="Who visited.")
    place: Place = Field(default=Place.home, description="Where the child was seen.")
    channel: Channel = Field(default=Channel.in_person, description="How.")
    guardian_present: StrictBool | None = Field(
        default=None, description="Whether a guardian was there; null if not noted."
    )
    findings: Findings = Field(default=[])
    policies_explained: Policies = Field(default=[])
    note: Words | None = None
    recorded_at: Moment | None = Field(
        default=None, description="When the device stored it, by its own clock."
    )
    needed: ClassVar[frozenset[str]] = frozenset({"id"})

    @classmethod
    def prepared(
        cls, said: dict[str, Any], replaced: dict[str, Any], unread: dict[str, Any]
    ) -> dict[str, Any]:
        """Read what can be: `unread` and the fields read are together what was sent."""
        if replaced:
            unread["characters"] = replaced
        rest = {name: each for name, each in said.items() if each is not None and each != ""}
        _name(rest, said, unread)
        for name in ("child_id", "visited_on", "visitor_type"):
            rest.setdefault(name)
        for name, codes in (("visitor_type", VisitorType), ("place", Place), ("channel", Channel)):
            if name in rest and not _is_of(codes, rest[name]):
                unread[name], rest[name] = rest[name], codes["other"]
        for name in ("id", "child_id"):
            if name in rest and not is_id(rest[name]):
                unread[name] = rest[name]
                named = rest[name] or rest.get("id")  # of no child at all it is a question apart
                rest[name] = standing_for(name, named)
        if not _reads(_DAY, rest["visited_on"]):
            unread["visited_on"] = rest["visited_on"]
            rest["visited_on"] = day_of(rest["visited_on"])
        if "findings" in rest:
            rest["findings"] = _findings(rest["findings"], unread)
        if "policies_explained" in rest and not _reads(_POLICIES, rest["policies_explained"]):
            unread["policies_explained"] = rest["policies_explained"]
            rest["policies_explained"] = _known(Policy, rest["policies_explained"])
        _heed(rest, unread)
        return rest

    def said(self) -> bytes:
        """Return the JSON of what was sent: read, it is the same visit again."""
        if not self.unread:
            return self.model_dump_json().encode()
        return orjson.dumps({**self.model_dump(mode="json"), **self.unread})

    def known(self) -> dict[str, Any]:
        """Return what was sent without what stands in fields nobody knows."""
        return known_of({**self.model_dump(mode="json"), **self.unread})

    def understood(self) -> dict[str, Any]:
        """Return what was understood of that, whatever its dress."""
        return understood_of({**self.model_dump(mode="json"), **self.unread})

    def known_as(self, own: UUID) -> Self:
        """Return it under an id of ours."""
        if own == self.id:
            return self
        beside = {**({} if NO_ID in self.unread else {"id": str(self.id)}), **self.unread}
        return self.model_copy(update={"id": own}).setting_aside(beside)


def _name(rest: dict[str, Any], said: Mapping[str, Any], unread: dict[str, Any]) -> None:
    """Give a visit that came without an id one that is made of all it says, if it says anything."""
    if "id" not in rest and rest.keys() & VisitCreate.model_fields.keys():
        rest["id"] = standing_for("visit", {**said, "id": None})
        unread[NO_ID] = True


def known_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the JSON of a visit (`VisitCreate.said`) what does not stand in fields nobody
    knows, its findings without them as well.
    """
    fields = VisitCreate.model_fields
    kept = {name: each for name, each in said.items() if name in fields}
    if isinstance(kept["findings"], list):
        kept["findings"] = [_known_finding(each) for each in kept["findings"]]
    characters = said.get("characters")
    replaced = characters.items() if isinstance(characters, dict) else ()
    ours = {field: was for field, was in replaced if field.partition(".")[0] in fields}
    return {**kept, "characters": ours}


def understood_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the JSON of a visit what was understood, to know it again in another dress: its day
    in whatever spelling, its lists in whatever order, and not when a device stored it.
    """
    kept = known_of(said)
    del kept["recorded_at"]
    kept["visited_on"] = day_of(kept["visited_on"]) or kept["visited_on"]
    if isinstance(kept["findings"], list):
        kept["findings"] = sorted(map(_in_order, kept["findings"]), key=_text)
    kept["policies_explained"] = _sorted(kept["policies_explained"])
    return kept


def _in_order(finding: Any) -> Any:
    if not isinstance(finding, dict):
        return finding
    return {**finding, "refer_to": _sorted(finding.get("refer_to", []))}


def _sorted(said: Any) -> Any:
    return sorted(said, key=_text) if isinstance(said, list) else said


def _known_finding(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    ours = {name: each for name, each in said.items() if name in Finding.model_fields}
    return (
        _FINDING.validate_python(ours).model_dump(mode="json") if _reads(_FINDING, ours) else ours
    )


_POLICIES: Final = TypeAdapter[list[Policy]](Policies)


def _text(said: Any) -> str:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def _reads(kind: TypeAdapter[Any], said: Any) -> bool:
    try:
        kind.validate_python(said)
    except ValidationError:
        return False
    return True


def _is_of(codes: type[StrEnum], said: Any) -> bool:
    return isinstance(said, str) and said in {*map(str, codes)}


def _known(codes: type[StrEnum], said: Any) -> list[str]:
    items = said if isinstance(said, list) else [said]
    return [*dict.fromkeys(each for each in items if _is_of(codes, each))]


def day_of(said: Any) -> date | None:
    """Return the day that was said in whatever spelling (`read_day`), if a visit can be of it."""
    day = read_day(said)
    return day if _reads(_DAY, day) else None


def _findings(said: Any, unread: dict[str, Any]) -> list[dict[str, Any]]:
    """Return findings as they can be read, in `unread` all as sent if one cannot be. Of more than
    are kept apart the same counts once, and what is abnormal comes first.
    """
    items = [each for each in (said if isinstance(said, list) else [said]) if each is not None]
    found = [each if _reads(_FINDING, each) else _finding(each) for each in items]
    if found == said and len(found) <= MOST:
        return found
    unread["findings"] = said
    if len(found) > MOST:
        found = [*{_text(each): each for each in found}.values()]
        found = sorted(found, key=lambda each: not each["abnormal"])[:MOST]
    return found


def _heed(rest: dict[str, Any], unread: dict[str, Any]) -> None:
    """Count a visit as abnormal until a person has looked, if nothing in it is said to be, and what
    of it could not be read speaks of something wrong.
    """
    found = rest.get("findings", [])
    if any(each["abnormal"] for each in found):
        return
    unknown = {name: said for name, said in rest.items() if name not in VisitCreate.model_fields}
    kind = hinted({**unknown, **{name: unread[name] for name in unread if name != "characters"}})
    if kind is not None:
        unread.setdefault("findings", found)
        rest["findings"] = [heeded(kind), *found][:MOST]


def heeded(kind: AbnormalType) -> dict[str, Any]:
    """Return the finding that counts until a person has looked at what could not be read."""
    said = {"domain": Domain.other, "abnormal": True, "type": kind}
    return {**said, "refer_to": [], "note": None}


def _finding(said: Any) -> dict[str, Any]:
    """Read of a finding what can be read. It is abnormal unless it plainly says that it is not."""
    if not isinstance(said, dict):
        said = {"note": said}
    kind, note, wrong = said.get("type"), said.get("note"), said.get("abnormal")
    plainly_not = _reads(_TRUTH, wrong) and not _TRUTH.validate_python(wrong)
    abnormal = not plainly_not or (kind is not None and kind != "")
    words = note if note is None or isinstance(note, str) else _text(note)
    return {
        "domain": said.get("domain") if _is_of(Domain, said.get("domain")) else Domain.other,
        "abnormal": abnormal,
        "type": (kind if _is_of(AbnormalType, kind) else AbnormalType.other) if abnormal else None,
        "refer_to": _known(ReferTo, said.get("refer_to")),
        "note": words or None,
    }


_FINDING: Final = TypeAdapter(Finding)
