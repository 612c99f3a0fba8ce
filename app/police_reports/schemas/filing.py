"""What callers send to report."""

from typing import Any, ClassVar, Final
from uuid import UUID

import orjson
from pydantic import Field, StrictBool

from app.core.http.as_sent import TakenAsSent
from app.core.http.wire import Day, Input, KnownMoment, Line
from app.police_reports.models import CameBy
from app.police_reports.schemas import LONGEST, AsSaid, Channel, Sex, Urgency
from app.police_reports.unread import of_who_reports, without_who_reports


class Subject(Input):
    """The child a report is about, as far as the reporter knows."""

    name: Line | None = Field(default=None, description="Name, if known.")
    sex: Sex = "unknown"
    birth_date: Day | None = Field(default=None, description="Birth date, if known.")
    approximate_age: int | None = Field(
        default=None, strict=True, ge=0, le=150, description="Age in years, if estimated."
    )
    place: Line | None = Field(default=None, description="Where the child is now.")


class Reporter(Input):
    """Who reports. Kept apart; read by the police agency in charge alone (AZ-9)."""

    name: Line | None = Field(default=None, description="Name.")
    phone: AsSaid | None = Field(
        default=None,
        description="Telephone number, in any spelling.",
        examples=["(022) 0000 0000 转 8"],
    )
    position: Line | None = Field(default=None, description="Position in the agency.")


_MOST: Final = 14
_LONGEST_SAID: Final = 200


class ReportCreate(TakenAsSent):
    """A mandatory report (REP-01, REP-02). Leave `reporter` out to stay unnamed.

    What cannot be read or followed is kept as sent and told in `doubts`; it never refuses the
    report. Only the narrative, a situation and a place are needed.
    """

    id: UUID | None = Field(
        default=None,
        description="Made by the client, so that a repeated filing is known as the same. Under the "
        "id of another report it is kept under one of its own, which the answer names.",
        examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"],
    )
    child_id: UUID | None = Field(
        default=None, description="The child's file, as you know it; the report needs none."
    )
    subject: Subject | None = Field(
        default=None, description="The child, as you know them; needed without `child_id`."
    )
    region_code: AsSaid | None = Field(
        default=None,
        description="Where it happened, the division's code, of today or before: decides which "
        "police are in charge. Of an unknown code the part that is known decides. Needed without "
        "`child_id`, else where the child lives.",
        examples=["120119101200"],
    )
    situations: list[AsSaid] = Field(
        min_length=1,
        max_length=_MOST,
        description="Codes of the list `report_situations`.",
        examples=[["living_alone"]],
    )
    urgency: Urgency = "urgent"
    channel: Channel = "app"
    came_by: CameBy | None = Field(
        default=None,
        description="How it came to the police themselves, by a code of `report_came_by`: a `call`"
        " to 110, on `patrol`, `found` at work, `in_person`.",
    )
    accepted: StrictBool | None = Field(
        default=None,
        description="Of a case in the police's own charge: they accept it as they file it, unless"
        " this is false.",
    )
    police_reference: AsSaid | None = Field(
        default=None, description="The number of the police, of a case that they accept so."
    )
    found_at: KnownMoment | None = Field(
        default=None, description="When it was found, by your clock; now, if you do not say."
    )
    narrative: str = Field(
        min_length=1,
        max_length=LONGEST,
        pattern=r"^[^\x00]*$",
        description="What was seen, in words, as many as it takes.",
    )
    reporter: Reporter | None = Field(default=None, description="Who reports.")
    suspect_agency_id: AsSaid | None = Field(
        default=None,
        description="The agency it speaks against, by id or registered name, if any: it learns "
        "nothing of it. Of words that are not clear, neither does any office below the county.",
        examples=["01995f3c-2b40-7d66-8c55-1e0f3a7b8d02"],
    )
    visit_id: UUID | None = Field(default=None, description="The visit it came from.")
    incident_id: UUID | None = Field(
        default=None,
        description="Of several reports about one event, as of several children: made by the "
        "client and the same in all of them, or the id of the first.",
    )
    needed: ClassVar[frozenset[str]] = frozenset({"narrative", "situations"})

    @property
    def of_who_reports(self) -> dict[str, Any]:
        """What could not be read and may say who reports, by field."""
        return of_who_reports(self.unread, type(self).model_fields.keys() - {"reporter"})

    @classmethod
    def prepared(
        cls, said: dict[str, Any], replaced: dict[str, Any], unread: dict[str, Any]
    ) -> dict[str, Any]:
        """Read of the situations what can be, and a narrative of whatever kind in words: what may
        say who reports is no part of them.
        """
        unread |= replaced
        if (told := said.get("narrative")) and not isinstance(told, str):
            told, apart = without_who_reports(told, "narrative")
            unread |= apart
            said["narrative"] = _words(told)
        if "situations" in said:
            said["situations"], aside = _sorted_out(said["situations"])
            unread |= {"situations": aside} if aside else {}
        return said


def _words(said: Any) -> Any:
    if isinstance(said, list) and all(isinstance(each, str) for each in said):
        return "\n".join(said)
    return orjson.dumps(said).decode()


def _sorted_out(said: Any) -> tuple[Any, list[Any]]:
    """Return what can be read of the situations as sent, in as many words as are read, and apart
    all that is not, or not wholly, among those. What says nothing at all is left as it is.
    """
    items = said if isinstance(said, list) else [said]
    if len(items) > _MOST:  # the same again says nothing more
        items = list({orjson.dumps(each): each for each in items}.values())
    kept: list[str] = []
    aside: list[Any] = []
    for each in items:
        words = in_words(each) if len(kept) < _MOST else ""
        if words:
            kept.append(words)
        if not words or words != str(each):
            aside.append(each)
    return (kept, aside) if kept else (said, [])


def in_words(said: Any) -> str:
    """Return what was sent for a situation in as many words as one has; none for nothing."""
    if said is None:
        return ""
    plain = type(said) in {str, int}
    return (str(said) if plain else orjson.dumps(said).decode())[:_LONGEST_SAID]
