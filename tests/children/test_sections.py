"""What a field of a file says of itself, and what follows: kept plain or sealed, codes, filters."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import orjson
import pytest
from pydantic import Field, PydanticDeprecatedSince20

from app.access.roles import FIELD_GROUPS
from app.api.reference import codelists
from app.children import sealing, search
from app.children.models import Child
from app.children.sections import CODELISTS, GROUP_OF_FILTER, SECTIONS, File, marks
from app.children.sections.health import Health
from app.children.sections.marks import BadField, Codes, Counted, FilteredBy, Part, PastDay, Section
from app.core.data import keys
from app.core.data.db import SYSTEM
from app.core.data_files import Words
from app.core.http.wire import Day, Line
from app.policy.codelists import Codelist, Entry
from app.policy.codelists import codelists as lists_of_policy
from tests.children.conftest import ONE, VILLAGE
from tests.children.factories import RESIDENT_ID, a_child, a_file

PLAIN = {
    "identity": {"sex", "birth_date", "ethnic_group", "no_resident_id_reason"},
    "hukou": {"registered", "type", "region_code", "rural_place", "since"},
    "residence": {"region_code", "lives_with", "rural_place", "rural_since", "since"},
    "family": set(),
    "adoption": set(),
    "guardianship": {
        *("kind", "since", "evaluation", "evaluated_on", "harm", "left_unwatched"),
    },
    "education": {"school_id", "stage", "grade", "class_name", "status", "boarding", "since"},
    "health": {"status", "disability_type", "disability_grade"},
    "welfare": {"poor", "income_sources", "hardships"},
    "external": set(),
}
"""What a dump shows, decided field by field. One more here is a decision, never an oversight."""


def blood(labels: Any, kind: Any = Literal["A", "B"], **words: str) -> Any:
    said = {"name": "blood_types", "zh": "血型", "en": "Blood group", "source": "test", **words}
    return Annotated[kind, Codes(labels=labels, **said)]


class Blood(StrEnum):
    a = "A"
    b = "B"


TWO = {"A": ("A型", "A"), "B": ("B型", "B")}


class Clinic(Part):
    name: Counted[str | None] = None


class Ward(Part):
    name: str | None = None


def one_field(kind: Any, default: Any = None, description: str | None = "x") -> type[Section]:
    field = Field(default=default, description=description)
    return type("Health", (Section,), {"__annotations__": {"mark": kind}, "mark": field})


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (one_field(blood({"A": ("A型", "A")}) | None), "Health.mark: the code B of blood_types"),
        (one_field(blood({**TWO, "B": ("", "B")})), "needs two labels, zh and en"),
        (one_field(blood({**TWO, "B": ("B型",)})), "needs two labels, zh and en"),
        (one_field(blood({**TWO, "B": "B型"})), "needs two labels, zh and en"),
        (
            one_field(blood({**TWO, "AB": ("AB型", "AB")})),
            "the code AB of blood_types: Input should",
        ),
        (one_field(blood({**TWO, "B": ("B", "B型")})), "its English B型 is Chinese"),
        (one_field(blood(TWO, zh="blood")), "its Chinese name blood is not Chinese"),
        (one_field(blood({**TWO, "B": ("A型", "B")})), "have one label in zh"),
        (one_field(blood({**TWO, "B": ("B型", "A")})), "have one label in en"),
        (one_field(blood(TWO, name="blood-types")), "its code list blood-types: String"),
        (one_field(blood(TWO, source=" ")), "the code list blood_types needs zh, en and a source"),
        (one_field(blood(TWO) | None, "C"), "Health.mark: its default: Input should be 'A' or 'B'"),
        (one_field(list[PastDay], ["2026-02-30"]), "Health.mark: its default: Input should be"),
        (one_field(str | None, None, None), "Health.mark: give it a description"),
        (
            one_field(blood({"?": ("问", "?")}, str) | None),
            "the code ? of blood_types: String should",
        ),
        (one_field(list[blood({"A": ("A型", "A")})], []), "Health.mark: the code B of blood_types"),
        (one_field(Literal["A", "B"] | None), "Health.mark: its codes have no names"),
        (one_field(Blood | None), "Health.mark: its codes have no names"),
        (
            one_field(blood({"A": ("A型", "A")}, Blood)),
            "Health.mark: the code B of blood_types has no label",
        ),
        (one_field(Line | str | None), "Health.mark: give it a max_length"),
        (one_field(int | None), "Health.mark: a plain int takes"),
        (one_field(list[Annotated[str, Field(min_length=1)]], []), "Health.mark: give it a max"),
        (one_field(Counted[bytes | None]), "can be kept neither plain nor sealed"),
        (one_field(dict[str, str] | None), "can be kept neither plain nor sealed"),
        (one_field(str, ...), "Health.mark: give it a default"),
        (
            one_field(Clinic | None),
            "Clinic.name: is Counted, but the field that holds it is sealed",
        ),
        (one_field(Counted[list[Ward]], []), "Ward.name: is not Counted, but the field that holds"),
        (
            one_field(Annotated[str | None, marks.Mark.past]),
            "Health.mark: is a PastDay, but no day",
        ),
        (one_field(Annotated[str | None, FilteredBy("x")]), "Health.mark: lists are filtered by"),
        (
            one_field(Counted[bool] | str | None),
            "Health.mark: is Counted in part: write Counted[…]",
        ),
        (one_field(list[Counted[bool] | str], []), "Health.mark: is Counted in part"),
        (one_field(list[Day | Counted[UUID]] | None), "Health.mark: is Counted in part"),
    ],
)
def test_a_field_that_contradicts_itself_is_refused_by_name(section, says: str) -> None:
    with pytest.raises(BadField) as refused:
        marks.check(section)
    assert says in str(refused.value)


def test_a_word_that_fields_do_not_know_is_refused() -> None:
    with pytest.warns(PydanticDeprecatedSince20):
        said: Any = Field(max_lenght=5)  # type: ignore[call-arg]
    for section in (one_field(Annotated[str | None, said]), one_field(list[Annotated[str, said]])):
        with pytest.raises(BadField, match="no argument of Field is called max_lenght; did you me"):
            marks.check(section)


@pytest.mark.parametrize(
    "section",
    [
        one_field(Annotated[str | None, Field(max_length=5)]),
        one_field(Annotated[str, Field(max_length=5)] | None),
        one_field(list[Line], []),
    ],
)
def test_a_text_has_its_length_where_one_may_write_it(section) -> None:
    marks.check(section)


@pytest.mark.parametrize(
    ("group", "section", "says"),
    [
        ("family", one_field(Counted[str | None]), "mark: is Counted, so children needs family"),
        ("identity", one_field(Counted[str | None]), "mark: is Counted, so children needs mark"),
        ("clubs", one_field(str | None), "mark: is sealed, so children needs clubs_sealed"),
    ],
)
def test_a_field_without_a_column_to_be_kept_in_is_refused(group, section, says: str) -> None:
    with pytest.raises(BadField, match=says):
        sealing.place_of(group, section)


def test_two_lists_of_one_name_are_refused() -> None:
    twice = [one_field(blood(TWO) | None), one_field(blood(TWO) | None)]
    with pytest.raises(BadField, match="another code list is named blood_types"):
        marks.codelists(twice)


def test_a_code_list_is_served_with_what_each_code_is_called() -> None:
    served = marks.codelists([one_field(blood(TWO) | None)])
    entries = (Entry(code="A", zh="A型", en="A"), Entry(code="B", zh="B型", en="B"))
    title = Words(zh="血型", en="Blood group")
    assert served == {"blood_types": Codelist(title=title, source="test", items=entries)}


def test_every_field_of_today_is_kept_as_before() -> None:
    assert {section: place.counted for section, place in sealing.PLACES.items()} == PLAIN


def test_every_section_can_seal_a_field() -> None:
    assert all(place.sealed == f"{name}_sealed" for name, place in sealing.PLACES.items())


def test_sections_are_the_groups_that_roles_know() -> None:
    assert (*SECTIONS, "derived") == FIELD_GROUPS


def test_filters_read_the_group_of_the_field_they_stand_at() -> None:
    expected = {"region_code": "residence", "school_id": "education", "category": "derived"}
    assert GROUP_OF_FILTER.items() >= {**expected, "priority_flag": "derived"}.items()


def test_a_filter_that_lists_do_not_have_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(GROUP_OF_FILTER, "schol_id", "education")
    with pytest.raises(BadField, match="no filter of lists is called schol_id; did you mean schoo"):
        search.refuse_unknown_filters({*GROUP_OF_FILTER, "school_id"} - {"schol_id"})


def test_facts_are_kept_of_the_sections_that_say_so() -> None:
    dated = {section for section, model in SECTIONS.items() if model.dated}
    assert dated == {"hukou", "residence", "family", "adoption", "guardianship", "education"}


def test_the_lists_of_a_file_are_served_before_the_others() -> None:
    assert [*codelists()] == [*CODELISTS, *lists_of_policy()]
    codes = {entry.code for entry in CODELISTS["parent_statuses"].items}
    assert codes >= {"away", "dead", "deported"}


class WithMarks(Health):
    """Health with one field more of each kind, and one whose mark was taken away."""

    donor: bool | None = None
    seen: Counted[bool | None] = None
    status: str | None = None
    notes: Counted[str | None] = None
    dated: ClassVar = False


@pytest.fixture
def with_marks(monkeypatch) -> Callable[[], None]:
    """From now on, the file's health is `WithMarks`."""

    def change() -> None:
        place = sealing.place_of("health", WithMarks)
        monkeypatch.setitem(sealing.PLACES, "health", place)

    return change


def test_an_unmarked_field_is_sealed_even_if_false(ring, with_marks) -> None:
    with_marks()
    row = sealing.keep(ring, ONE, "health", WithMarks(donor=False, seen=False))
    assert orjson.loads(row["health"]) == {
        "disability_type": None,
        "disability_grade": None,
        "seen": False,
        "notes": None,
    }
    assert b"donor" not in row["health_sealed"]
    shown = sealing.show(ring, {"id": ONE, **row}, "health")
    assert (shown["donor"], shown["seen"]) == (False, False)


def test_a_field_whose_mark_changed_is_read_from_where_the_row_has_it(ring, with_marks) -> None:
    before = Health(status="chronic", notes="对样品过敏")
    row = {"id": ONE, **sealing.keep(ring, ONE, "health", before)}
    with_marks()
    assert "chronic" in row["health"]
    shown = sealing.show(ring, row, "health")
    assert (shown["status"], shown["notes"]) == ("chronic", "对样品过敏")
    again = sealing.keep(ring, ONE, "health", WithMarks.model_validate(shown))
    assert "chronic" not in again["health"]
    assert "对样品过敏" in again["health"]
    assert sealing.show(ring, {"id": ONE, **again}, "health") == shown


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # a canary fits no type
def test_what_is_not_counted_is_in_no_plain_column(ring) -> None:
    body = a_file(
        VILLAGE,
        external={"numbers": [{"system": "child_welfare", "number": "CANARY-2"}]},
        welfare={"aids": ["样品补助"]},
    )
    body["health"]["disability_card_no"] = "1" * 20
    file = File.model_validate(body)
    for section, model in SECTIONS.items():
        value = getattr(file, section)
        sealed = model.model_fields.keys() - PLAIN[section]
        untold = sealed - value.model_fields_set
        value = value.model_copy(update={name: f"CANARY-{name}" for name in untold})
        kept = sealing.keep(ring, ONE, section, value)
        for name in sealed:
            secret = orjson.dumps(getattr(value, name), default=Part.model_dump)
            assert all(secret.decode() not in str(plain) for plain in kept.values())
            assert kept[f"{section}_sealed"] is not None


STORED = {
    "identity_sealed": {"resident_id": RESIDENT_ID, "resident_id_place_known": False},
    "hukou": {"type": "rural", "since": None, "registered": True, "region_code": f"{VILLAGE}"},
    "residence": {"since": "2020-01-01", "lives_with": ["alone"], "region_code": f"{VILLAGE}"},
    "residence_sealed": {"address": "样板胡同九号"},
    "family_sealed": {
        "parents": [
            {
                "role": "father",
                "name": "样大甲",
                "phone": None,
                "work_place": None,
                "statuses": [
                    {"status": "away", "since": "2020-01-01", "until": None, "term_months": None}
                ],
                "guardianship_capacity": None,
                "incapacity_reason": None,
                "incapacity_certificate": None,
            }
        ]
    },
    "guardianship": {
        "kind": "none",
        "harm": [],
        "since": None,
        "evaluation": "poor",
        "evaluated_on": "2026-01-31",
    },
    "guardianship_sealed": {"guardian": {"name": "样老丙", "phone": None, "relation": None}},
    "education": {
        "grade": 3,
        "since": None,
        "stage": "primary",
        "status": "enrolled",
        "boarding": False,
        "school_id": None,
    },
    "education_sealed": {"student_numbers": [{"system": "student_status", "number": "G-1"}]},
    "health": {"status": "chronic", "disability_type": None, "disability_grade": None},
    "health_sealed": {"disability_card_no": None, "notes": "对样品过敏"},
    "welfare": {
        "aids": ["样品补助"],
        "poor": True,
        "hardships": [{"kind": "other", "since": "2026-01-01", "review_on": "2027-01-01"}],
        "income_sources": ["farming"],
    },
    "external_sealed": {"numbers": [{"system": "child_welfare", "number": "7"}]},
}
"""A row as the first release stored it: what it kept plain, and what inside each sealed column."""


async def test_a_row_of_the_first_release_is_read_and_changed(
    client, database, keyring, township
) -> None:
    child = await a_child(database, VILLAGE, name="样小一", in_plain=True)
    async with database.begin(SYSTEM) as tx:
        row = await tx.session.get_one(Child, (child.home_county, child.id))
        for column, value in STORED.items():
            sealed = tx.keyring.seal(f"children.{column}", child.id, orjson.dumps(value))
            setattr(row, column, sealed if column.endswith("_sealed") else value)
    path = f"/v1/children/{child.id}"
    shown = (await client.get(path, headers=township.headers)).json()
    expected = {name: model().model_dump(mode="json") for name, model in SECTIONS.items()}
    for column, value in STORED.items():
        expected[column.removesuffix("_sealed")] |= value
    assert shown["identity"].items() >= STORED["identity_sealed"].items()
    for section in expected.keys() - {"identity", "adoption"}:
        assert shown[section] == SECTIONS[section](**expected[section]).model_dump(mode="json")
    changed = await client.patch(
        path,
        json={"health": {"status": "weak"}, "welfare": {"poor": False}},
        headers={**township.headers, "if-match": '"1"'},
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["health"] == {**shown["health"], "status": "weak"}
    assert changed.json()["guardianship"] == shown["guardianship"]
    async with database.begin(SYSTEM) as tx:
        row = await tx.session.get_one(Child, (child.home_county, child.id))
        assert row.health.items() >= {**STORED["health"], "status": "weak"}.items()
        hardships = [{**each, "until": None} for each in STORED["welfare"]["hardships"]]
        welfare = {**STORED["welfare"], "hardships": hardships, "poor": False}
        aids = welfare.pop("aids")  # which it kept plain
        assert row.welfare.items() >= welfare.items()
        assert "aids" not in row.welfare
        assert changed.json()["welfare"]["aids"] == aids
        await keys.of_values(tx, row.health_sealed)
        hidden = tx.keyring.unseal("children.health_sealed", child.id, row.health_sealed)
    assert orjson.loads(hidden).items() >= STORED["health_sealed"].items()


def test_days_that_have_come_are_marked_where_they_stand() -> None:
    found = {
        f"{each.model.__name__}.{each.name}"
        for each in marks._types_within(SECTIONS.values())
        if marks.Mark.past in each.said
    }
    assert found >= {
        "Identity.birth_date",
        "Hukou.since",
        "Residence.since",
        "ParentStatus.since",
        "Guardianship.since",
        "Guardianship.evaluated_on",
        "Education.since",
        "Hardship.since",
    }


def test_a_file_of_stored_text_has_days_and_ids() -> None:
    school = {"school_id": "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"}
    file = File.model_validate({"hukou": {"since": "2020-01-02"}, "education": school})
    assert file.hukou.since == date(2020, 1, 2)
    assert isinstance(file.education.school_id, UUID)
