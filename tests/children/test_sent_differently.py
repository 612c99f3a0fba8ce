"""What comes under the id of a file and is not what opened it is never taken for a repetition."""

from typing import Any

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.regions.operations import replace_region
from tests.children.conftest import SIBLING, TOWNSHIP, VILLAGE
from tests.children.factories import a_file
from tests.jobs import run_jobs

ANOTHER_CHILD = {"name": "样乙", "sex": "male", "birth_date": "2012-02-02", "resident_id": None}


def _edited() -> dict[str, Any]:
    file = a_file(VILLAGE)
    return {
        "residence": {**file["residence"], "address": "改后地址", "lives_with": ["alone"]},
        "health": {**file["health"], "notes": "身上有伤"},
    }


def _differs(answer, file_id: str, *fields: str) -> None:
    """Nothing of it is kept: whoever sent it has it still, and is told exactly what differs."""
    told = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert told == [(f"#/{field}", "differs") for field in fields]
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/file-differs")
    assert answer.headers["location"] == f"/v1/children/{file_id}"


class TestUnderTheIdOfAFileOneSees:
    @pytest.fixture
    async def chosen(self, open_file, director) -> str:
        chosen = str(new_id())
        assert (await open_file(director, id=chosen)).status_code == 201
        return chosen

    async def test_an_edited_file_is_told_apart_and_what_opened_it_is_known(
        self, open_file, client, director, chosen
    ) -> None:
        answer = await open_file(director, id=chosen, **_edited())
        _differs(answer, chosen, "health/notes", "residence/address", "residence/lives_with")
        assert not [said for said in ("样", "改后地址", "身上有伤") if said in answer.text]
        read = await client.get(f"/v1/children/{chosen}", headers=director.headers)
        changed = await client.patch(
            f"/v1/children/{chosen}",
            json=_edited(),
            headers={**director.headers, "if-match": read.headers["etag"]},
        )
        assert changed.json()["residence"]["lives_with"] == ["alone"]
        again = await open_file(director, id=chosen)
        assert (again.status_code, again.json()["version"]) == (200, 2)
        nowhere = {**a_file(VILLAGE)["hukou"], "region_code": None}
        _differs(await open_file(director, id=chosen, hukou=nowhere), chosen, "hukou/region_code")

    @pytest.mark.parametrize(
        ("section", "fields"),
        [
            ("residence", ["residence/address", "residence/lives_with"]),
            ("health", ["health/notes"]),
        ],
    )
    async def test_one_section_is_enough(
        self, open_file, director, chosen, section, fields
    ) -> None:
        answer = await open_file(director, id=chosen, **{section: _edited()[section]})
        _differs(answer, chosen, *fields)

    @pytest.mark.parametrize(
        ("beside", "field"),
        [
            ({"not_the_same_as": ["G1"]}, "not_the_same_as/0"),
            ({"recorded_at": "昨天"}, "recorded_at"),
        ],
    )
    async def test_so_is_what_cannot_be_read(
        self, open_file, director, chosen, beside, field
    ) -> None:
        _differs(await open_file(director, id=chosen, **beside), chosen, field)

    async def test_another_child_is_not_answered_with_the_first(
        self, open_file, director, township, chosen
    ) -> None:
        for caller in (director, township):
            answer = await open_file(caller, id=chosen, identity=ANOTHER_CHILD)
            fields = ("birth_date", "ethnic_group", "name", "resident_id", "sex")
            _differs(answer, chosen, *(f"identity/{field}" for field in fields))
        under_its_own = await open_file(director, id=str(new_id()), identity=ANOTHER_CHILD)
        assert under_its_own.status_code == 201, under_its_own.text

    async def test_the_same_from_another_agency_is_the_same(
        self, open_file, township, chosen
    ) -> None:
        again = await open_file(township, id=chosen)
        assert (again.status_code, again.json()["id"]) == (200, chosen)


async def test_another_village_is_not_another_code_of_the_same(open_file, township) -> None:
    chosen = str(new_id())
    file = a_file(VILLAGE, id=chosen)
    assert (await open_file(township, id=chosen)).status_code == 201
    there = {**file["residence"], "region_code": str(SIBLING)}
    answer = await open_file(township, id=chosen, residence=there)
    _differs(answer, chosen, "residence/region_code")


async def test_a_place_with_another_code_since_is_the_same(open_file, database, director) -> None:
    chosen = str(new_id())
    assert (await open_file(director, id=chosen)).status_code == 201
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, TOWNSHIP, 120119109000, tx.today)
    await run_jobs(database)
    again = await open_file(director, id=chosen)
    assert (again.status_code, again.json()["id"]) == (200, chosen)


async def test_an_alias_in_not_the_same_as_is_the_file_it_names(open_file, director) -> None:
    identity = {**a_file(VILLAGE)["identity"], "resident_id": None}
    await open_file(director, identity=identity)
    alias = str(new_id())
    assert (await open_file(director, id=alias, identity=identity)).status_code == 409
    apart = await open_file(director, id=str(new_id()), identity=identity, not_the_same_as=[alias])
    assert apart.status_code == 201, apart.text
