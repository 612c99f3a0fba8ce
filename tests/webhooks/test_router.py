"""Endpoints and deliveries over HTTP: one's own agency only."""

import base64
from uuid import UUID

import pytest

from app.children.events import ChildRegistered
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs.events import Event, publish
from app.duties.events import DutyOverdue
from app.webhooks.models import CLOSED_PLACE, RESPONSE_PLACE, WebhookAttempt
from app.webhooks.operations import deliveries
from tests.access.factories import a_caller
from tests.at_once import behind
from tests.children.factories import a_child
from tests.conftest import NOW, calling
from tests.jobs import run_jobs
from tests.webhooks.workshop import HOME, TOWNSHIP, an_event, row_of

ENDPOINTS = "/v1/webhook-endpoints"
DELIVERIES = "/v1/webhook-deliveries"
NEW = {
    "url": "https://receiver.example.org/in",
    "description": "案件系统",
    "event_types": ["police_reports.*", "webhooks.delivery_overdue"],
}

PLACE = {"region_code": TOWNSHIP + 200, "home_county": HOME}


@pytest.fixture
async def police(database, settings):
    return await a_caller(database, settings, "police", HOME)


@pytest.fixture
async def stranger(database, settings):
    """Another police agency of the same county."""
    return await a_caller(database, settings, "police", HOME)


async def registered(client, caller, **changes):
    answer = await client.post(ENDPOINTS, json={**NEW, **changes}, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    return answer


async def queued(database, agency_id, event=None) -> str:
    async with database.begin(SYSTEM) as tx:
        (made,) = await deliveries.tell(tx, event or an_event(), agency_id=agency_id)
    return str(made)


class TestRegister:
    async def test_gives_out_the_secret_once(self, client, police, database) -> None:
        answer = await registered(client, police)
        made = answer.json()
        assert made["secret"].startswith("whsec_")
        assert len(base64.b64decode(made["secret"][6:])) == 32
        assert (made["mandatory"], made["active"], made["version"]) == (True, True, 1)
        assert made["region_code"] == str(HOME)
        assert answer.headers["location"] == f"{ENDPOINTS}/{made['id']}"
        again = await client.get(answer.headers["location"], headers=police.headers)
        assert again.headers["etag"] == answer.headers["etag"] == '"1"'
        assert again.json() == {name: made[name] for name in made if name != "secret"}
        async with database.begin(SYSTEM) as tx:
            sealed = await tx.connection.fetchval("SELECT secret_sealed FROM webhook_endpoints")
            audited = await tx.connection.fetchval(
                "SELECT count(*) FROM audit_entries WHERE operation = 'registerWebhookEndpoint'"
            )
        assert base64.b64decode(made["secret"][6:]) not in sealed
        assert audited == 1

    async def test_same_key_same_secret(self, client, police) -> None:
        headers = {**police.headers, "idempotency-key": "one"}
        first = await client.post(ENDPOINTS, json=NEW, headers=headers)
        second = await client.post(ENDPOINTS, json=NEW, headers=headers)
        assert first.json() == second.json()

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"url": "https://10.0.0.1/"}, "address_not_allowed"),
            ({"url": "http://receiver.example.org/"}, "address_not_allowed"),
            ({"url": "https://receiver.example.org:9443/"}, "address_not_allowed"),
            ({"event_types": ["visits.visit_recorded"]}, "event_type_not_granted"),
            ({"region_code": "120110000000"}, "region_outside_remit"),
            ({"region_code": "120225000000"}, "region_outside_remit"),
            ({"region_code": "990000000000"}, "region_outside_remit"),
            ({"event_types": ["*"]}, "string_pattern_mismatch"),
            ({"event_types": []}, "too_short"),
            ({"event_types": ["police_reports.*"] * 2}, "items_repeated"),
            ({"secret": "x"}, "extra_forbidden"),
            ({"description": "  "}, "text_blank"),
        ],
    )
    async def test_refuses(self, client, police, changes, code) -> None:
        answer = await client.post(ENDPOINTS, json={**NEW, **changes}, headers=police.headers)
        assert answer.status_code == 422, answer.text
        assert [error["code"] for error in answer.json()["errors"]] == [code]
        by_rule = code in {"address_not_allowed", "event_type_not_granted", "region_outside_remit"}
        kind = "endpoint-invalid" if by_rule else "validation-failed"
        assert answer.json()["type"] == f"/problems/{kind}"

    async def test_needs_the_scope(self, client, database, settings) -> None:
        director = await a_caller(database, settings, "village_director", 120119101200)
        answer = await client.post(ENDPOINTS, json=NEW, headers=director.headers)
        assert answer.status_code == 403

    async def test_only_police_endpoints_are_mandatory(self, client, database, settings) -> None:
        county = await a_caller(database, settings, "civil_affairs", HOME)
        made = (await registered(client, county, event_types=["visits.*"])).json()
        assert not made["mandatory"]


class TestChange:
    async def test_needs_the_version(self, client, police) -> None:
        path = (await registered(client, police)).headers["location"]
        change = {"description": "新系统"}
        bare = await client.patch(path, json=change, headers=police.headers)
        assert bare.status_code == 428
        good = await client.patch(path, json=change, headers={**police.headers, "if-match": '"1"'})
        assert (good.status_code, good.headers["etag"]) == (200, '"2"')
        assert good.json()["description"] == "新系统"
        assert good.json()["url"] == NEW["url"]
        late = await client.patch(path, json=change, headers={**police.headers, "if-match": '"1"'})
        assert late.status_code == 412

    async def test_vets_a_new_address_and_new_events(self, client, police) -> None:
        path = (await registered(client, police)).headers["location"]
        headers = {**police.headers, "if-match": '"1"'}
        for change in ({"url": "https://127.0.0.1/"}, {"event_types": ["children.*"]}):
            assert (await client.patch(path, json=change, headers=headers)).status_code == 422

    async def test_cannot_switch_off_with_reports_under_way(self, client, police, database) -> None:
        path = (await registered(client, police, event_types=["webhooks.*"])).headers["location"]
        delivery = await queued(database, police.agency_id)
        headers = {**police.headers, "if-match": '"1"'}
        off = await client.patch(path, json={"active": False}, headers=headers)
        assert (off.status_code, off.json()["type"]) == (409, "/problems/deliveries-open")
        closed = await client.post(
            f"{DELIVERIES}/{delivery}/closure",
            json={"reason": "已电话告知"},
            headers=police.headers,
        )
        assert closed.status_code == 201, closed.text
        off = await client.patch(path, json={"active": False}, headers=headers)
        assert (off.status_code, off.json()["active"]) == (200, False)

    async def test_is_switched_on_whatever_is_under_way(self, client, police, database) -> None:
        path = (await registered(client, police, event_types=["webhooks.*"])).headers["location"]
        await queued(database, police.agency_id)
        headers = {**police.headers, "if-match": '"1"'}
        on = await client.patch(path, json={"active": True}, headers=headers)
        assert (on.status_code, on.json()["active"]) == (200, True)

    async def test_rotates_the_secret(self, client, police) -> None:
        answer = await registered(client, police)
        path, old = f"{answer.headers['location']}/secret-rotations", answer.json()["secret"]
        first = await client.post(path, json={}, headers={**police.headers, "if-match": '"1"'})
        assert first.status_code == 201, first.text
        assert first.json()["secret"] != old
        assert first.json()["previous_secret_until"].startswith("2026-11-21T02:00:00")
        late = await client.post(path, json={}, headers={**police.headers, "if-match": '"1"'})
        assert late.status_code == 412
        second = await client.post(
            path, json={"overlap_hours": 0}, headers={**police.headers, "if-match": '"2"'}
        )
        assert second.json()["previous_secret_until"] is None


class TestList:
    async def test_pages_through_own_endpoints(self, client, police, stranger) -> None:
        await registered(client, stranger)
        ids = [(await registered(client, police)).json()["id"] for _ in range(3)]
        seen, cursor = [], {}
        while True:
            page = await client.get(
                ENDPOINTS, params={"limit": 2, **cursor}, headers=police.headers
            )
            seen += [item["id"] for item in page.json()["items"]]
            if page.json()["next_cursor"] is None:
                break
            cursor = {"cursor": page.json()["next_cursor"]}
        assert seen == ids[::-1]

    async def test_filters_deliveries(self, client, police, database, queries) -> None:
        made = (await registered(client, police, event_types=["webhooks.*"])).json()
        delivery = await queued(database, police.agency_id)
        for filters, expected in (
            ({}, [delivery]),
            ({"endpoint_id": made["id"], "state": "pending"}, [delivery]),
            ({"state": "succeeded"}, []),
            ({"event_id": str(new_id())}, []),
        ):
            queries.clear()
            page = await client.get(DELIVERIES, params=filters, headers=police.headers)
            assert [item["id"] for item in page.json()["items"]] == expected
            assert len(queries) == 2, queries.statements


class TestDelivery:
    async def test_shows_the_bytes_and_the_attempts(self, client, police, database) -> None:
        await registered(client, police, event_types=["webhooks.*"])
        event = an_event()
        delivery = await queued(database, police.agency_id, event)
        answer = await client.get(f"{DELIVERIES}/{delivery}", headers=police.headers)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert f'"subject_id":"{event.subject_id}"' in shown["body"]
        assert (shown["attempt_log"], shown["attempts"]) == ([], 0)
        assert shown["next_attempt_at"] is not None

    async def test_a_look_at_one_about_no_child_on_file_stands_in_the_record(
        self, client, police, database
    ) -> None:
        await registered(client, police, event_types=["webhooks.*"])
        delivery = await queued(database, police.agency_id)
        await client.get(f"{DELIVERIES}/{delivery}", headers=police.headers)
        async with database.begin(SYSTEM) as tx:
            (row,) = await tx.connection.fetch(
                "SELECT child_ids, subject_id FROM audit_entries"
                " WHERE operation = 'readWebhookDelivery'"
            )
        assert (row["child_ids"], row["subject_id"]) == ([], UUID(delivery))

    @pytest.mark.parametrize(
        ("status", "error"),
        [(503, "status_not_2xx"), (None, "name_not_resolved"), (None, "address_not_allowed")],
    )
    async def test_shows_why_an_attempt_failed(
        self, client, police, database, status, error
    ) -> None:
        await registered(client, police, event_types=["webhooks.*"])
        delivery = await queued(database, police.agency_id)
        attempt, said = new_id(), b"no \0 such \xff host"
        async with database.begin(SYSTEM) as tx:
            tx.session.add(
                WebhookAttempt(
                    delivery_id=UUID(delivery),
                    agency_id=police.agency_id,
                    number=1,
                    trigger="auto",
                    started_at=tx.now,
                    duration_ms=12,
                    id=attempt,
                    status=status,
                    error=error,
                    response_sealed=status and tx.keyring.seal(RESPONSE_PLACE, attempt, said),
                    response_truncated=False,
                    key_ids=["0123456789ab"],
                )
            )
        answer = await client.get(f"{DELIVERIES}/{delivery}", headers=police.headers)
        assert answer.status_code == 200, answer.text
        (shown,) = answer.json()["attempt_log"]
        assert (shown["status"], shown["error"]) == (status, error)
        assert shown["response"] == (status and "no \ufffd such \ufffd host")

    async def test_closing_takes_a_person(
        self, client, police, database, settings, keyring
    ) -> None:
        await registered(client, police, event_types=["webhooks.*"])
        delivery = await queued(database, police.agency_id)
        machine = await a_caller(
            database, settings, "police", HOME, agency_id=police.agency_id, machine=True
        )
        path, body = f"{DELIVERIES}/{delivery}/closure", {"reason": "已电话告知"}
        refused = await client.post(path, json=body, headers=machine.headers)
        assert refused.json()["type"] == "/problems/person-required"
        closed = await client.post(path, json=body, headers=police.headers)
        assert (closed.status_code, closed.json()["state"]) == (201, "closed")
        again = await client.post(path, json=body, headers=police.headers)
        assert again.json()["type"] == "/problems/delivery-not-open"
        row = await row_of(database, UUID(delivery))
        assert (row["closed_at"], row["closed_by"]) == (NOW, police.subject_id)
        sealed = row["closed_because_sealed"]
        assert keyring.unseal(CLOSED_PLACE, row["id"], sealed) == body["reason"]
        assert row["closed_because"] is None

    async def test_what_arrives_meanwhile_is_not_closed(self, app, settings, live_database) -> None:
        police = await a_caller(live_database, settings, "police", HOME)
        async with calling(app, settings, live_database) as client:
            await registered(client, police, event_types=["webhooks.*"])
            path = f"{DELIVERIES}/{await queued(live_database, police.agency_id)}/closure"

            async def close():
                return await client.post(path, json={"reason": "x"}, headers=police.headers)

            arrives = "UPDATE webhook_deliveries SET state = 'succeeded'"
            [answer] = await behind(live_database, arrives, close)
        assert answer.json()["type"] == "/problems/delivery-not-open"

    async def test_closing_ends_the_replays_asked_for(self, client, police, database) -> None:
        await registered(client, police, event_types=["webhooks.*"])
        delivery = await queued(database, police.agency_id)
        steps = ("replays", "closure", "replays")
        for step in steps:
            body = {"reason": "已电话告知"} if step == "closure" else None
            path = f"{DELIVERIES}/{delivery}/{step}"
            answer = await client.post(path, json=body, headers=police.headers)
            assert answer.is_success, answer.text
        row = await row_of(database, UUID(delivery))
        assert (row["state"], row["replays_due"]) == ("pending", 1)


class TestWhoIsNamed:
    """A delivery may name a child: as what it is about, or in the bytes sent."""

    @pytest.fixture
    async def township(self, database, settings):
        return await a_caller(database, settings, "township_supervisor", TOWNSHIP)

    async def looked_at(self, client, database, caller, path: str, method: str = "GET"):
        """Whom the audit says was seen by asking."""
        async with database.begin(SYSTEM) as tx:
            before = await tx.connection.fetchval("SELECT count(*) FROM audit_entries")
        answer = await client.request(method, f"{DELIVERIES}{path}", headers=caller.headers)
        assert answer.is_success, answer.text
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT child_ids FROM audit_entries ORDER BY at, id OFFSET $1", before
            )
        return answer.json(), [row["child_ids"] for row in rows]

    async def test_what_is_about_a_child_is_recorded_wherever_it_is_shown(
        self, client, database, township
    ) -> None:
        await registered(client, township, event_types=["children.*"])
        child = await a_child(database, TOWNSHIP + 200)
        told = {"subject_id": child.id, "categories": ["orphan"], "priority_flags": []}
        await announced(database, ChildRegistered(**told, **PLACE))
        page, seen = await self.looked_at(client, database, township, "")
        assert seen == [[child.id]]
        (item,) = page["items"]
        assert item["subject_id"] == str(child.id)
        for path, method in ((f"/{item['id']}", "GET"), (f"/{item['id']}/replays", "POST")):
            _, seen = await self.looked_at(client, database, township, path, method)
            assert seen == [[child.id]], path

    async def test_what_names_a_child_in_its_body_is_recorded_when_read(
        self, client, database, township
    ) -> None:
        await registered(client, township, event_types=["duties.*"])
        child = await a_child(database, TOWNSHIP + 200)
        owed = {"rule": "VIS-01", "bearer_role": "village_director", "agency_id": None}
        more = {"escalates_to": [], "due_at": NOW, "child_id": child.id}
        await announced(database, DutyOverdue(subject_id=new_id(), **owed, **more, **PLACE))
        page, seen = await self.looked_at(client, database, township, "")
        assert seen == [], "the list names the duty alone"
        _, seen = await self.looked_at(client, database, township, f"/{page['items'][0]['id']}")
        assert seen == [[child.id]]


async def announced(database, event: Event) -> None:
    async with database.begin(SYSTEM) as tx:
        await publish(tx, event)
    await run_jobs(database)


class TestOtherAgency:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", ENDPOINTS + "/{endpoint}", None),
            ("PATCH", ENDPOINTS + "/{endpoint}", {"active": False}),
            ("POST", ENDPOINTS + "/{endpoint}/secret-rotations", {}),
            ("GET", DELIVERIES + "/{delivery}", None),
            ("POST", DELIVERIES + "/{delivery}/replays", None),
            ("POST", DELIVERIES + "/{delivery}/closure", {"reason": "x"}),
        ],
    )
    async def test_looks_absent(
        self, client, police, stranger, database, method, path, body
    ) -> None:
        made = (await registered(client, police, event_types=["webhooks.*"])).json()
        delivery = await queued(database, police.agency_id)
        answers = []
        for endpoint_id, delivery_id in ((made["id"], delivery), (new_id(), new_id())):
            answer = await client.request(
                method,
                path.format(endpoint=endpoint_id, delivery=delivery_id),
                json=body,
                headers={**stranger.headers, "if-match": '"1"'},
            )
            answers.append((answer.status_code, answer.json()["type"], answer.json()["title"]))
        kind = "endpoint-not-found" if path.startswith(ENDPOINTS) else "delivery-not-found"
        assert answers[0] == answers[1]
        assert answers[0][:2] == (404, f"/problems/{kind}")

    async def test_lists_nothing(self, client, police, stranger, database) -> None:
        await registered(client, police, event_types=["webhooks.*"])
        await queued(database, police.agency_id)
        for path in (ENDPOINTS, DELIVERIES):
            page = await client.get(path, headers=stranger.headers)
            assert page.json() == {"items": [], "next_cursor": None}
