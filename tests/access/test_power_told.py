"""Who is told of what takes two people, and what stands in the record."""

from app.core.data.db import SYSTEM
from tests.access.approving import (
    COUNTY,
    OTHER,
    PATH,
    STATION,
    a_machine_of,
    approved,
    create,
    decide,
    problem,
    propose,
    states,
)
from tests.access.factories import a_caller
from tests.jobs import hand_out


class TestTold:
    async def test_who_is_concerned_is_told_in_ids_codes_and_times(
        self, client, database, operators
    ) -> None:
        one, two = operators
        await a_machine_of(client, database, one, two)
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT wire_name, data, told_to FROM events WHERE wire_name LIKE 'approvals.%'"
                " ORDER BY n"
            )
            agency = await tx.connection.fetchval("SELECT id FROM agencies WHERE kind = 'police'")
        assert [row["wire_name"].partition(".")[2] for row in rows] == [
            "proposed",
            "decided",
            "used",
        ]
        for row in rows:
            assert set(row["told_to"]) == {str(agency), str(one.agency_id)}
            assert "接警" not in str(row["data"])
            assert row["data"]["concerns_agency_id"] == str(agency)

    async def test_the_police_of_a_place_learn_that_others_are_to_be_set_before_them(
        self, client, database, settings, operators
    ) -> None:
        """The operator became the police in two requests."""
        one, _ = operators
        bureau = await a_caller(database, settings, "police", COUNTY)
        await propose(client, one, "createAgency", PATH, STATION)
        page = await client.get("/v1/approvals", headers=bureau.headers)
        [seen] = page.json()["items"]
        assert (seen["operation"], seen["concerns_id"]) == ("createAgency", str(bureau.agency_id))
        assert seen["permitted"] == []
        read = await client.get(f"/v1/approvals/{seen['id']}", headers=bureau.headers)
        assert read.json()["body"] == STATION
        answer = await decide(client, bureau, seen["id"])
        assert problem(answer) == (403, "not-yours-to-decide")

    async def test_their_systems_are_told_by_webhook(
        self, client, database, settings, operators
    ) -> None:
        one, _ = operators
        bureau, other = [
            await a_caller(database, settings, "police", place) for place in (COUNTY, OTHER)
        ]
        for caller, place in ((bureau, COUNTY), (other, OTHER)):
            endpoint = {
                "url": "https://police.example/hook",
                "description": "接警平台",
                "event_types": ["approvals.*"],
                "region_code": str(place),
            }
            answer = await client.post(
                "/v1/webhook-endpoints", json=endpoint, headers=caller.headers
            )
            assert answer.status_code == 201, answer.text
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        await hand_out(database)
        async with database.begin(SYSTEM) as tx:
            [sent] = await tx.connection.fetch(
                "SELECT * FROM webhook_deliveries WHERE wire_name = 'approvals.proposed'"
            )
        assert sent["agency_id"] == bureau.agency_id
        assert proposed.json()["id"] in sent["body"].decode()
        assert STATION["name"] not in sent["body"].decode()

    async def test_others_learn_nothing(self, client, database, settings, operators) -> None:
        one, _ = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        stranger = await a_caller(database, settings, "police", COUNTY)
        await propose(client, one, "createAgency", PATH, {**STATION, "kind": "supervision"})
        place = proposed.headers["location"]
        lone = await a_caller(database, settings, "police", OTHER)
        assert (await client.get(place, headers=lone.headers)).status_code == 404
        assert await states(client, lone) == []
        assert await states(client, stranger) == []

    async def test_both_stand_in_the_audit(self, client, database, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        made = await create(client, one, approval=approval)
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT operation, actor, subject_id, beside_ids FROM audit_entries ORDER BY id"
            )
        said = [(row["operation"], row["actor"], str(row["subject_id"])) for row in rows]
        first, second = f"staff:{one.subject_id}", f"staff:{two.subject_id}"
        assert said == [
            ("proposeApproval", first, approval),
            ("decideApproval", second, approval),
            ("createAgency", first, made.json()["id"]),
        ]
        assert [str(each) for each in rows[-1]["beside_ids"]] == [approval]


class TestLists:
    async def test_page_by_page_by_state(self, client, operators) -> None:
        one, two = operators
        for name in ("甲", "乙", "丙"):
            await propose(client, one, "createAgency", PATH, {**STATION, "name": name})
        query = {"state": "proposed", "limit": "2"}
        first = (await client.get("/v1/approvals", params=query, headers=two.headers)).json()
        query["cursor"] = first["next_cursor"]
        second = (await client.get("/v1/approvals", params=query, headers=two.headers)).json()
        assert [len(page["items"]) for page in (first, second)] == [2, 1]
        assert second["next_cursor"] is None
        assert await states(client, two, state="used") == []
        assert len(await states(client, two, permitted="decideApproval")) == 3
        assert await states(client, one, permitted="decideApproval") == []
