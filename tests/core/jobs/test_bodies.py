"""What an event may say: nothing in which a name, a text or a person's number would fit."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from app import wiring
from app.access.roles import FIELD_GROUPS, roles
from app.children.models import LISTED_BY
from app.core.jobs import bodies, events
from app.policy.codelists import codelists

PERSONAL = [
    *("张三", "Zhang San", "zhang san", "13812345678", "zhang_13812345678", "120119200001011234"),
    *("12011920000101123X", "北京市", "", "he beats her", "a" * 61, "a@b.cn", "+86 138 1234 5678"),
]


class Colour(StrEnum):
    red = "red"


class Inner(BaseModel):
    name: str


def faults(said: Any) -> list[str]:
    return bodies.says_too_much(create_model("Made", of=(said, ...)))


@pytest.mark.parametrize(
    "said",
    [
        *(UUID, bool, date, datetime, Colour, Literal["a", "b"]),
        *(bodies.Code, bodies.WireName, bodies.OperationId),
        *(bodies.Place, bodies.Bound, bodies.Distance, list[bodies.Code], tuple[UUID, ...]),
        *(bodies.Code | None, UUID | None, Annotated[bodies.Code | None, events.ROLE]),
        Annotated[int, Field(ge=0, le=1_000_000)],
        Annotated[int, Field(ge=0, lt=7)] | None,
        Annotated[Colour, events.CODE],
    ],
)
def test_ids_codes_times_counts_and_places_may_be_said(said) -> None:
    assert faults(said) == []


@pytest.mark.parametrize(
    "said",
    [
        *(str, int, float, bytes, Any, dict[str, UUID], Inner, list[str], str | None, set[UUID]),
        *(list[Inner], tuple[str, ...], UUID | str, object),
        Annotated[str, Field(max_length=40)],
        Annotated[str, Field(max_length=40, pattern=r"^[^\x00]*$")],
        Annotated[str, Field(max_length=400, pattern=bodies.WORD)],
        Annotated[str, Field(pattern=bodies.WORD)],
        Annotated[list[str], Field(max_length=40, pattern=bodies.WORD)],
        Annotated[int, Field(ge=0, lt=10**12)],
        Annotated[int, Field(ge=0)],
        Annotated[str | None, events.ROLE],
    ],
)
def test_what_could_hold_more_is_no_type_of_an_events_field(said) -> None:
    assert faults(said)


def test_a_class_that_could_say_more_is_refused_as_it_is_loaded(monkeypatch) -> None:
    monkeypatch.setattr(events, "_kinds", {})
    told = {"wire_name": "tests.told", "subject": "child", "__module__": "app.tests"}
    annotations = {"wire_name": ClassVar[str], "subject": ClassVar[str]}
    with pytest.raises(events.BadEvent, match=r"tests\.told says ids, codes .* only: note: text"):
        type(events.Event)(
            "Told", (events.Event,), {**told, "__annotations__": {**annotations, "note": str}}
        )
    assert events.kinds() == {}


@pytest.mark.parametrize("said", PERSONAL)
@pytest.mark.parametrize("form", [bodies.Code, bodies.WireName, bodies.OperationId])
def test_nothing_personal_is_a_code(form, said) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(form).validate_python(said)


@pytest.mark.parametrize("said", [13812345678, 18912345678, 1, 1012345678, 120119200001011234, -1])
def test_no_number_of_a_person_or_a_telephone_is_a_place(said) -> None:
    for form in (bodies.Place, bodies.Bound):
        with pytest.raises(ValidationError):
            TypeAdapter(form).validate_python(said)
    assert TypeAdapter(bodies.Place).validate_python(120119101200) == 120119101200
    assert TypeAdapter(bodies.Bound).validate_python(10**12) == 10**12


def test_all_codes_there_are_may_be_said() -> None:
    wiring.load()
    lists = [[entry.code for entry in each.items] for each in codelists().values()]
    known = [*roles(), *FIELD_GROUPS, *(code for codes in lists for code in codes)]
    known += [code for codes in LISTED_BY.values() for code in codes]
    adapter = TypeAdapter(list[bodies.Code])
    assert adapter.validate_python(known) == known
    assert len(known) > 100


def test_every_event_says_no_more_than_it_may() -> None:
    wiring.load()
    for kind in events.kinds().values():
        assert bodies.says_too_much(kind) == [], kind.wire_name
