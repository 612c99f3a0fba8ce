"""createChild."""

from uuid import UUID, uuid4

import pytest

from app.children import schemas
from app.core.data import db
from app.core.data.db import SYSTEM
from app.core.jobs import case_codes
from tests.access.factories import a_caller, an_agency
from tests.children.conftest import (
    COUNTY,
    OTHER_COUNTY_VILLAGE,
    OTHER_TOWNSHIP_VILLAGE,
    SIBLING,
    TOWNSHIP,
    VILLAGE,
)
from tests.children.factories import RESIDENT_ID, a_file, says, with_check_digit
from tests.jobs import run_jobs


def identity(**fields):
    return {**a_file(VILLAGE)["identity"], **fields}


class TestOpensAFile:
    async def test_shows_the_whole_file_derived(self, open_file, client, director) -> None:
        answer = await open_file(director)
        assert answer.status_code == 201, answer.text
        file = answer.json()
        schemas.Child.model_validate(file)
        assert answer.headers["location"] == f"/v1/children/{file['id']}"
        assert answer.headers["etag"] == '"1"'
        read = await client.get(answer.headers["location"], headers=director.headers)
        assert (read.json(), "location" in read.headers) == (file, False)
        assert says(file, a_file(VILLAGE)), "REG-08, REG-10: nothing that was sent is lost"
        assert file["identity"]["name_pinyin"] == "yangxiaoyi"
        assert file["identity"]["resident_id"] == RESIDENT_ID
        assert file["identity"]["resident_id_place_known"] is True
        assert file["residence"]["address"] == "样板胡同九号"
        assert file["family"]["parents"][0]["statuses"][0]["term_months"] is None
        assert file["derived"] == {
            "as_of": "2026-11-20",
            "policy_region": f"{COUNTY}",
            "categories": ["left_behind"],
            "priority_flags": [],
            "undecided": [],
            "told": [],
            "lacking": ["welfare.income_sources"],
            "counted": ["left_behind"],
        }
        assert "external" not in file

    async def test_announces_and_audits_it(self, open_file, director, database) -> None:
        file = (await open_file(director)).json()
        async with database.begin(SYSTEM) as tx:
            event = await tx.connection.fetchrow(
                "SELECT * FROM events WHERE wire_name = 'children.child_registered'"
            )
            [told] = await case_codes.with_codes(tx, [event])
            entry = await tx.connection.fetchrow(
                "SELECT * FROM audit_entries WHERE operation = 'createChild'"
            )
        assert str(event["subject_id"]) == file["id"]
        assert told["data"]["categories"] == ["left_behind"]
        assert "样" not in str(told["data"])
        assert [str(child) for child in entry["child_ids"]] == [file["id"]]
        assert {"identity", "residence", "derived"} <= {*entry["field_groups"]}
        assert entry["purpose"] == director.purpose

    async def test_stores_nothing_secret_in_the_clear(self, open_file, director, database) -> None:
        answer = await open_file(director)
        assert answer.status_code == 201
        async with database.begin(SYSTEM) as tx:
            dump = ""
            for table in (
                "children",
                "resident_ids",
                "child_external_ids",
                "child_facts",
                "child_changes",
            ):
                rows = await tx.connection.fetch(f"SELECT t::text AS line FROM {table} t")
                assert rows, table
                dump += "\n".join(row["line"] for row in rows)
        hidden = {RESIDENT_ID, "样板胡同", "样大甲", "样老丙", "5550 0101", "G-CANARY-1", "过敏"}
        for secret in hidden:
            assert secret not in dump
            assert secret.encode().hex() not in dump

    async def test_the_same_id_again_opens_no_second_file(self, open_file, director) -> None:
        chosen = str(uuid4())
        assert (await open_file(director, id=chosen)).status_code == 201
        again = await open_file(director, id=chosen)
        assert (again.status_code, again.json()["id"]) == (200, chosen)

    async def test_the_same_key_replays_the_answer_and_audits_it(
        self, client, director, database
    ) -> None:
        headers = {**director.headers, "idempotency-key": "k-1"}
        body = a_file(VILLAGE)
        first = await client.post("/v1/children", json=body, headers=headers)
        again = await client.post("/v1/children", json=body, headers=headers)
        assert first.status_code == 201
        assert again.content == first.content
        assert again.headers["idempotency-replayed"] == "true"
        async with database.begin(SYSTEM) as tx:
            rules = await tx.connection.fetch(
                "SELECT rule, purpose, child_ids, field_groups FROM audit_entries"
                " WHERE operation = 'createChild' ORDER BY id"
            )
        assert [row["rule"] for row in rules] == [None, "idempotency-replayed"]
        assert tuple(rules[0])[1:] == tuple(rules[1])[1:]
        assert (rules[1]["purpose"], rules[1]["child_ids"]) == (
            str(director.purpose),
            [UUID(first.json()["id"])],
        )

    async def test_a_kept_answer_is_given_for_a_purpose_only(self, client, director) -> None:
        """But for what its sender said: that is taken whatever stands beside it."""
        body, bare = a_file(VILLAGE), dict(director.headers)
        bare.pop("purpose-of-use")
        opened = await client.post("/v1/children", json=body, headers=bare)
        assert opened.status_code == 201
        url, key = opened.headers["location"], {"idempotency-key": "k-1"}
        key["if-match"] = opened.headers["etag"]
        said = {"health": {"status": "healthy"}}
        first = await client.patch(url, json=said, headers=director.headers | key)
        assert first.is_success, first.text
        for purpose, refusal in (({}, 400), ({"purpose-of-use": "supervision"}, 403)):
            again = await client.patch(url, json=said, headers=bare | key | purpose)
            assert again.status_code == refusal

    async def test_every_statement_counts(self, open_file, director, queries) -> None:
        queries.clear()
        assert (await open_file(director)).status_code == 201
        assert len(queries) <= 35, queries.statements


@pytest.mark.parametrize(
    ("sections", "pointer", "code"),
    [
        (
            {"identity": identity(birth_date="2026-11-21", resident_id=None)},
            "birth_date",
            "date_in_future",
        ),
        (
            {"identity": identity(birth_date="2008-11-20", resident_id=None)},
            "birth_date",
            "not_a_minor",
        ),
        ({"residence": {"region_code": "120119999999"}}, "region_code", "region_unknown"),
        ({"residence": {"region_code": "120000000000"}}, "region_code", "region_unknown"),
        ({"hukou": {"region_code": "990119999999"}}, "region_code", "region_unknown"),
        ({"education": {"school_id": str(uuid4())}}, "school_id", "school_unknown"),
        (
            {"family": {"parents": [{"role": "father"}, {"role": "father"}]}},
            "parents",
            "parent_repeated",
        ),
        ({"guardianship": {"since": "2026-11-21"}}, "since", "date_in_future"),
        (
            {
                "family": {
                    "parents": [
                        {
                            "role": "mother",
                            "statuses": [
                                {"status": "away", "since": "2020-02-01", "until": "2020-01-01"}
                            ],
                        }
                    ]
                }
            },
            "until",
            "period_ends_before_it_starts",
        ),
        (
            {
                "welfare": {
                    "hardships": [
                        {
                            "kind": "other",
                            "since": "2026-02-01",
                            "review_on": "2026-12-01",
                            "until": "2026-01-31",
                        }
                    ]
                }
            },
            "until",
            "period_ends_before_it_starts",
        ),
    ],
)
async def test_refuses_what_breaks_a_rule(
    sections, pointer, code, open_file, director, database
) -> None:
    answer = await open_file(director, **sections)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"] == "/problems/child-invalid"
    assert [(e["pointer"].split("/")[-1], e["code"]) for e in problem["errors"]] == [
        (pointer, code)
    ]
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM children") == 0


@pytest.mark.parametrize(
    "sections",
    [
        {"identity": identity(name="样\x00")},
        {"identity": identity(birth_date="春天", resident_id=None)},
        {"identity": identity(surprise=1)},
        {"residence": {}},
        {"hukou": {"registered": "yes"}},
    ],
)
async def test_refuses_what_its_schema_refuses(sections, open_file, director) -> None:
    answer = await open_file(director, **sections)
    assert answer.status_code in {400, 422}
    assert "样" not in answer.text


class TestWhoMayOpen:
    async def test_outside_the_remit_is_refused(self, open_file, director) -> None:
        answer = await open_file(director, SIBLING)
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/outside-remit"

    async def test_sections_the_role_does_not_write_are_refused(
        self, open_file, director, database
    ) -> None:
        answer = await open_file(director, external={"numbers": []})
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["pointer"] == "#/external"
        async with database.begin(SYSTEM) as tx:
            denied = await tx.connection.fetchval(
                "SELECT rule FROM audit_entries WHERE decision = 'denied'"
            )
        assert denied == "field-group-forbidden"

    async def test_schools_open_no_files(self, open_file, database, settings) -> None:
        teacher = await a_caller(database, settings, "school", TOWNSHIP)
        assert (await open_file(teacher)).status_code == 403


class TestDuplicates:
    async def test_same_number_in_the_remit(self, open_file, director) -> None:
        first = (await open_file(director)).json()
        answer = await open_file(director, identity=identity(name="样另名"))
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/duplicate-child")
        assert answer.headers["location"] == f"/v1/children/{first['id']}"
        assert RESIDENT_ID not in answer.text

    async def test_same_name_birth_date_and_sex_in_the_county(self, open_file, township) -> None:
        first = (await open_file(township)).json()
        answer = await open_file(township, SIBLING, identity=identity(resident_id=None))
        assert answer.status_code == 409
        apart = await open_file(
            township,
            SIBLING,
            identity=identity(resident_id=None),
            not_the_same_as=[first["id"]],
        )
        assert apart.status_code == 201

    async def test_a_number_now_of_a_child_known_without_one(self, open_file, director) -> None:
        first = (await open_file(director, identity=identity(resident_id=None))).json()
        answer = await open_file(director)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/duplicate-child")
        assert answer.headers["location"] == f"/v1/children/{first['id']}"

    async def test_two_numbers_are_two_children(self, open_file, director) -> None:
        await open_file(director)
        other = with_check_digit("12000020160301902")
        answer = await open_file(director, identity=identity(resident_id=other))
        assert answer.status_code == 201, answer.text

    async def test_a_strangers_child_is_not_revealed(
        self, open_file, director, database, settings
    ) -> None:
        stranger = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
        there = await open_file(stranger, OTHER_COUNTY_VILLAGE)
        assert there.status_code == 201
        answer = await open_file(director)
        assert answer.status_code == 202
        assert answer.json().keys() == {"referral_id", "status"}
        referral_id = answer.json()["referral_id"]
        assert answer.headers["location"] == f"/v1/unresolved/{referral_id}"
        assert there.json()["id"] not in answer.text
        async with database.begin(SYSTEM) as tx:
            referral = await tx.connection.fetchrow("SELECT * FROM duplicate_referrals")
            assert await tx.connection.fetchval("SELECT count(*) FROM children") == 1
        assert str(referral["id"]) == answer.json()["referral_id"]
        assert referral["region_code"] == VILLAGE
        assert referral["child_id"] is None
        assert RESIDENT_ID.encode() not in referral["submitted_sealed"]

    async def test_a_strangers_id_is_not_revealed(
        self, open_file, director, database, settings
    ) -> None:
        stranger = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
        taken = (await open_file(stranger, OTHER_COUNTY_VILLAGE)).json()["id"]
        number = with_check_digit("12000020160301904")
        answer = await open_file(director, id=taken, identity=identity(resident_id=number))
        assert answer.status_code == 202
        assert answer.json().keys() == {"referral_id", "status"}

    async def test_namesakes_across_remits_are_referred_afterwards(
        self, open_file, director, database, settings
    ) -> None:
        neighbour = await a_caller(database, settings, "village_director", OTHER_TOWNSHIP_VILLAGE)
        unnumbered = identity(resident_id=None)
        first = await open_file(neighbour, OTHER_TOWNSHIP_VILLAGE, identity=unnumbered)
        await run_jobs(database)
        second = await open_file(director, identity=unnumbered)
        assert (first.status_code, second.status_code) == (201, 201)
        assert "children.look_for_namesakes" in await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            (referral,) = await tx.connection.fetch("SELECT * FROM duplicate_referrals")
        assert referral["child_id"] == UUID(second.json()["id"])
        assert referral["other_child_id"] == UUID(first.json()["id"])
        assert referral["region_code"] == COUNTY


async def test_row_level_security_repeats_the_remit(open_file, director, database) -> None:
    assert (await open_file(director)).status_code == 201
    tables = (
        "children",
        "resident_ids",
        "child_external_ids",
        "child_facts",
        "child_changes",
    )
    for lo, hi, visible in ((SIBLING, SIBLING + 1, False), (VILLAGE, VILLAGE + 1, True)):
        async with database.begin(db.Reach(lo, hi)) as tx:
            for table in tables:
                rows = await tx.connection.fetchval(f"SELECT count(*) FROM {table}")
                assert (rows > 0) is visible, table


async def test_a_school_that_closed_is_none(open_file, director, database) -> None:
    school = await an_agency(database, "school", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", school)
    answer = await open_file(director, education={"school_id": str(school)})
    assert [error["code"] for error in answer.json()["errors"]] == ["school_unknown"]


async def test_a_school_at_another_place_is_still_a_school(open_file, director, database) -> None:
    school = await an_agency(database, "school", OTHER_COUNTY_VILLAGE)
    answer = await open_file(director, education={"school_id": str(school)})
    assert answer.status_code == 201
    assert answer.json()["education"]["school_id"] == str(school)
