"""Field types of the wire, strict and bounded (IN-3, IN-11: the constraint comes first)."""

import re
import unicodedata
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.core.clock import EARLIEST, LATEST, within
from app.core.text import canonical_name, canonical_number

INPUT = ConfigDict(extra="forbid", frozen=True)
"""Configuration of every request body."""


class Input(BaseModel):
    """Something callers send: nothing is in it that we do not know, and it stays as it came."""

    model_config = INPUT
    evidence: ClassVar[bool] = False
    """Whether it is evidence, known again by its ids and what it says: nothing that stands beside
    it, a key, a query or a byte that is no text, refuses it.
    """
    judged_in_parts: ClassVar[bool] = False
    """Whether each of its parts is asked by itself (`strict_json.check`) what is refused."""

    @classmethod
    def takes_anything(cls, sent: Any) -> bool:
        """Tell whether what cannot be stored reaches it, too: it makes that `storable`, see
        `strict_json`.
        """
        del sent
        return False


_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
_NO_NUL = r"^[^\x00]*$"
Permitted = Annotated[
    list[Annotated[str, Field(max_length=60, pattern=r"^[a-z][A-Za-z]+$")]],
    Field(
        max_length=30,
        description="Operations you may call on it now, by operationId.",
        examples=[["readChildHistory"]],
    ),
]


PermittedByTwo = Annotated[
    list[Annotated[str, Field(max_length=60, pattern=r"^[a-z][A-Za-z]+$")]],
    Field(
        max_length=30,
        description="Operations you may call on it once another person has approved.",
        examples=[["replaceClientKeys"]],
    ),
]


_A_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_A_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


def _iso_day(value: Any) -> Any:
    if isinstance(value, str) and not _A_DAY.fullmatch(value):
        raise PydanticCustomError("date_format", "Write dates as YYYY-MM-DD.")
    if not isinstance(value, str | date) or isinstance(value, datetime):
        raise PydanticCustomError("date_type", "Write dates as YYYY-MM-DD.")
    return value


def _iso_moment(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise PydanticCustomError("moment_type", "Write instants as RFC 3339 text.")
    if isinstance(value, str) and not _A_MOMENT.fullmatch(value):
        raise PydanticCustomError("moment_format", "Write RFC 3339 with an offset.")
    return _after_leap_second(value) if isinstance(value, str) and value[17:19] == "60" else value


def _after_leap_second(value: str) -> datetime:
    # A leap second is the last of a day in UTC. It is kept as the second that follows, as clocks
    # without leap seconds count, PostgreSQL's among them.
    before = _in_utc(datetime.fromisoformat(f"{value[:17]}59{value[19:]}".upper()))
    if before != LATEST and (before.hour, before.minute) != (23, 59):
        raise PydanticCustomError("moment_format", "Only 23:59 UTC has a second 60.")
    return before + timedelta(seconds=1)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None and MINYEAR < value.year < MAXYEAR:
        raise PydanticCustomError("moment_format", "Write RFC 3339 with an offset.")
    return within(value).astimezone(UTC)


def _in_range(value: datetime) -> datetime:
    if value in {EARLIEST, LATEST}:
        raise PydanticCustomError("moment_range", "The instant is out of range.")
    return value


def _in_digits(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _in_narrow_digits(value: Any) -> Any:
    said = _in_digits(value)
    if not isinstance(said, str):
        return said
    return "".join(unicodedata.normalize("NFKC", said).split())


def _in_one_line(value: Any) -> Any:
    return re.sub(r"[\t-\r\x1c-\x1f\x85]+", " ", value) if isinstance(value, str) else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("text_blank", "The text is blank.")
    return value.strip()


def _names(value: str) -> str:
    if not canonical_name(value):
        raise PydanticCustomError("text_blank", "The text is blank.")
    return value


def _counts(value: str) -> str:
    if not canonical_number(value):
        raise PydanticCustomError("text_blank", "The text is blank.")
    return value


Day = Annotated[date, Field(examples=["2026-03-02"]), BeforeValidator(_iso_day)]
"""A plain calendar day, `YYYY-MM-DD`, Chinese calendar."""

Moment = Annotated[
    datetime,
    Field(examples=["2026-03-02T08:05:00+08:00"]),
    BeforeValidator(_iso_moment),
    AfterValidator(_in_utc),
]
"""An instant, RFC 3339 with an offset; kept in UTC, a leap second as the second after it, one that
no calendar reaches (`0001-01-01T00:00:00Z`, as systems write for none) as the nearest that it does.
"""

KnownMoment = Annotated[Moment, AfterValidator(_in_range)]
"""An instant that is refused where no calendar reaches it: for what can be told without."""

Line = Annotated[
    str, Field(min_length=1, max_length=200, pattern=_NO_CONTROL), AfterValidator(_not_blank)
]
"""One line of text."""

Name = Annotated[Line, BeforeValidator(_in_one_line), AfterValidator(_names)]
"""The name of a person: kept as it came, tabs and line breaks as spaces, compared as
`canonical_name` of it.
"""

RegisterNumber = Annotated[
    str,
    Field(min_length=1, max_length=100, pattern=_NO_CONTROL),
    BeforeValidator(_in_one_line),
    AfterValidator(_counts),
]
"""A number that a school or another register gave: kept as it came, compared without its dress."""

Prose = Annotated[str, Field(min_length=1, max_length=4000, pattern=_NO_NUL)]
"""Text of several lines."""

Phone = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=_NO_CONTROL,
        description="Telephone number, in any spelling.",
        examples=["+86 10 5550 0101"],
    ),
    BeforeValidator(_in_digits),
    AfterValidator(_not_blank),
]
"""A telephone number as people write it: spaces, brackets, full-width, an extension, or as systems
do, an integer. Nothing compares it.
"""

Code = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9_.:-]+$")]
"""A code of one of our lists."""

RegionCode = Annotated[
    str,
    Field(
        min_length=12,
        max_length=12,
        pattern=r"^[0-9]{12}$",
        description="Division code, 12 digits (GB/T 2260, statistical codes below the county).",
        examples=["120119101200"],
    ),
]
"""A division, as on the wire; `int()` of it is what the database stores."""

GivenRegion = Annotated[
    str,
    Field(
        min_length=6,
        max_length=12,
        pattern=r"^[0-9]{6}([0-9]{3}){0,2}$",
        description="Division code: 6 digits of a county (GB/T 2260), 9 of a township, or 12.",
        examples=["120119101200"],
    ),
    BeforeValidator(_in_narrow_digits),
    AfterValidator(lambda code: code.ljust(12, "0")),
]
"""A division as it is named to us, in full from then on: paper leaves the zeros behind it out, and
keyboards write digits wide.
"""


def region_text(code: int) -> str:
    return f"{code:012d}"


ShownRegion = Annotated[
    RegionCode, BeforeValidator(lambda code: region_text(code) if isinstance(code, int) else code)
]
"""A division in an answer, made of what the database stores."""

Version = Annotated[
    int, Field(ge=1, le=2_147_483_647, description="Goes up by one with every change.")
]
