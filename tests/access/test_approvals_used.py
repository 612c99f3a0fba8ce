"""An approval lets one request through, once, in time, for who asked (AZ-11)."""

import asyncio
from datetime import date
from functools import partial

from app.access.accounts import set_active
from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import (
    PATH,
    STATION,
    TOWNSHIP,
    a_machine_of,
    approved,
    code,
    create,
    decide,
    problem,
    propose,
    states,
)
from tests.access.factories import a_caller, a_new_post
from tests.agencies.factories import a_person, a_post
from tests.at_once import at_once
from tests.conftest import calling
from tests.regions.factories import some_regions


class TestUse:
    async def test_once(self, client, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        assert (await create(client, one, approval=approval)).status_code == 201
        assert code(await create(client, one, approval=approval)) == "approval_used"

    async def test_once_by_two_at_a_moment(self, app, settings, patient) -> None:
        await some_regions(patient, TOWNSHIP)
        one = await a_caller(patient, settings, "operator", 0)
        two = await a_caller(patient, settings, "operator", 0, agency_id=one.agency_id)
        async with calling(app, settings, patient) as client:
            approval = await approved(client, one, two, "createAgency", PATH, STATION)
            answers = await asyncio.gather(
                *(create(client, one, approval=approval) for _ in range(8))
            )
            assert sorted(answer.status_code for answer in answers) == [201, *[403] * 7]
            listed = await client.get(PATH, params={"kind": "police"}, headers=one.headers)
            assert len(listed.json()["items"]) == 1

    async def test_of_two_who_decide_at_a_moment_one_does(
        self, app, settings, patient, database_urls
    ) -> None:
        await some_regions(patient, TOWNSHIP)
        one = await a_caller(patient, settings, "operator", 0)
        others = [
            await a_caller(patient, settings, "operator", 0, agency_id=one.agency_id)
            for _ in range(2)
        ]
        async with calling(app, settings, patient) as client:
            proposed = await propose(client, one, "createAgency", PATH, STATION)
            told = [
                partial(decide, client, each, proposed.json()["id"], verdict)
                for each, verdict in zip(others, ("refused", "approved"), strict=True)
            ]
            answers = await at_once(patient, database_urls.owner, *told)
        assert [answer.status_code for answer in answers] == [200, 409]

    async def test_a_key_gives_the_answer_again(self, client, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        key = {"idempotency-key": "the-same", "approval": approval}
        once = await create(client, one, **key)
        again = await create(client, one, **key)
        assert (once.status_code, again.json()) == (201, once.json())
        assert again.headers["idempotency-replayed"] == "true"

    async def test_spaces_in_the_body_say_nothing(self, client, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        spaced = b' {"region_code": "120119101000", "kind":"police" , "name":"%s"}' % (
            STATION["name"].encode()
        )
        headers = {**one.headers, "approval": approval, "content-type": "application/json"}
        answer = await client.post(PATH, content=spaced, headers=headers)
        assert answer.status_code == 201, answer.text

    async def test_not_for_a_body_changed_by_a_byte(self, client, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        for changed in ({"name": "测试派出听"}, {"region_code": str(TOWNSHIP + 1000)}):
            answer = await create(client, one, {**STATION, **changed}, approval=approval)
            if "name" in changed:
                assert code(answer) == "approval_for_another_request"
        assert (await create(client, one, approval=approval)).status_code == 201

    async def test_not_at_another_path(self, client, database, operators) -> None:
        one, two = operators
        first, second = [await a_post(database, "police", TOWNSHIP, "police") for _ in range(2)]
        person = await a_person(database, first.agency_id)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE posts SET agency_id = $1 WHERE id = $2", first.agency_id, second.id
            )
        body = {"staff_id": str(person), "since": "2026-11-20"}
        path, other = (f"/v1/posts/{post.id}/holdings" for post in (first, second))
        approval = await approved(client, one, two, "holdPost", path, body)
        headers = {**one.headers, "approval": approval}
        answer = await client.post(other, json=body, headers=headers)
        assert code(answer) == "approval_for_another_request"
        answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text

    async def test_not_for_another_operation(self, client, database, operators) -> None:
        one, two = operators
        made = await a_machine_of(client, database, one, two)
        path = f"/v1/clients/{made}/suspension"
        await client.post(path, headers=one.headers)
        approval = await approved(client, one, two, "resumeClient", path)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE approvals SET operation = 'replaceClientKeys'")
        answer = await client.delete(path, headers={**one.headers, "approval": approval})
        assert code(answer) == "approval_for_another_request"

    async def test_not_a_moment_after_its_time(self, client, database, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE approvals SET expires_at = clock_timestamp() - interval '1 second'"
            )
        assert code(await create(client, one, approval=approval)) == "approval_expired"
        assert await states(client, one) == [("createAgency", "expired")]

    async def test_nor_is_it_decided_then(self, client, database, operators) -> None:
        one, two = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE approvals SET expires_at = clock_timestamp() - interval '1 second'"
            )
        answer = await decide(client, two, proposed.json()["id"])
        assert problem(answer) == (409, "approval-closed")
        assert await states(client, two, permitted="decideApproval") == []

    async def test_not_once_the_second_person_has_left(self, client, database, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE post_holdings SET until = $1 WHERE staff_id = $2",
                date(2026, 11, 20),
                two.subject_id,
            )
        assert code(await create(client, one, approval=approval)) == "approver_left"

    async def test_nor_once_they_work_at_another_agency(
        self, client, database, settings, operators
    ) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE post_holdings SET until = $1 WHERE staff_id = $2",
                date(2026, 11, 20),
                two.subject_id,
            )
        await a_new_post(database, settings, two, "operator", 0, date(2026, 11, 20))
        assert code(await create(client, one, approval=approval)) == "approver_left"

    async def test_nor_once_they_are_known_to_be_the_proposer(
        self, client, database, operators
    ) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await note_same_person(tx, one.subject_id, two.subject_id)
        assert code(await create(client, one, approval=approval)) == "approver_left"

    async def test_nor_once_they_are_suspended(self, client, database, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await set_active(tx, two.subject_id, active=False)
        assert code(await create(client, one, approval=approval)) == "approver_left"

    async def test_not_once_the_proposer_has_left(self, client, database, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE post_holdings SET until = $1 WHERE staff_id = $2",
                date(2026, 11, 20),
                one.subject_id,
            )
        answer = await create(client, one, approval=approval)
        assert problem(answer) == (401, "unauthenticated")

    async def test_not_by_another_agency_or_person(
        self, client, database, settings, operators
    ) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        elsewhere = await a_caller(database, settings, "operator", 0)
        machine = await a_caller(
            database, settings, "operator", 0, agency_id=one.agency_id, machine=True
        )
        colleague = await a_caller(database, settings, "operator", 0, agency_id=one.agency_id)
        for other in (two, colleague, elsewhere, machine):
            assert code(await create(client, other, approval=approval)) == "approval_unknown"
        assert code(await create(client, one, approval=str(new_id()))) == "approval_unknown"

    async def test_not_by_the_same_person_in_another_post(
        self, client, database, settings, operators
    ) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        again = await a_new_post(database, settings, one, "operator", 0, date(2026, 11, 20))
        answer = await create(client, again, approval=approval)
        assert problem(answer) == (403, "approval-unusable")

    async def test_nor_is_it_withdrawn_from_there(
        self, client, database, settings, operators
    ) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        again = await a_new_post(database, settings, one, "operator", 0, date(2026, 11, 20))
        path = f"/v1/approvals/{approval}/withdrawal"
        answer = await client.post(path, headers=again.headers)
        assert problem(answer) == (403, "not-yours-to-withdraw")

    async def test_an_approval_that_is_not_needed_stays(self, client, operators) -> None:
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        school = {**STATION, "kind": "school"}
        assert (await create(client, one, school, approval=approval)).status_code == 201
        assert await states(client, one) == [("createAgency", "approved")]
