"""The feed: what an endpoint of the caller would be told, for those who come and ask."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.access.roles import role as role_of
from app.attendance.events import PresenceDoubted
from app.children.events import ChildRegistered
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs.events import Event, publish
from app.duties.events import DutyOverdue
from app.regions.rules import NATION, subtree
from app.webhooks import feed
from tests.access.factories import Caller, callers
from tests.children.factories import a_child
from tests.jobs import hand_out
from tests.webhooks.workshop import HOME, TOWNSHIP, an_endpoint, an_event

EVENTS = "/v1/events"
VILLAGE = TOWNSHIP + 200
PROVINCE, ELSEWHERE = 120000000000, 120110000000
POSTS = {
    "province": ("civil_affairs", PROVINCE),
    "county": ("civil_affairs", HOME),
    "township": ("township_supervisor", TOWNSHIP),
    "education": ("education_authority", HOME),
    "elsewhere": ("civil_affairs", ELSEWHERE),
    "school": ("school_system", TOWNSHIP),
    "police": ("police", HOME),
    "operator": ("operator", NATION),
}


@pytest.fixture
async def offices(database, settings) -> dict[str, Caller]:
    """One of each kind, with an endpoint that takes all that its role may hear of."""
    found = await callers(database, settings, **POSTS)
    for name, caller in found.items():
        role = role_of(POSTS[name][0])
        packages = {scope.partition(":")[0] for scope in role.scopes if scope.endswith(":read")}
        await an_endpoint(
            database,
            caller.agency_id,
            f"https://{name}.example.org/",
            event_types=tuple(f"{package}.*" for package in sorted(packages)),
            relation=role.relation,
            region=subtree(POSTS[name][1]),
        )
    return found


async def said(database: Database, *what: Event) -> None:
    async with database.begin(SYSTEM) as tx:
        await publish(tx, *what)
    await hand_out(database)


async def read(client, caller: Caller, **query: Any) -> dict[str, Any]:
    answer = await client.get(EVENTS, params=query, headers=caller.headers)
    if caller.purpose is None:  # a role that uses no personal data reads no feed of it (AZ-6)
        assert answer.status_code == 400, answer.text
        return {"items": [], "next_cursor": "", "more": False}
    assert answer.status_code == 200, answer.text
    return answer.json()


async def shown(client, offices: dict[str, Caller]) -> dict[str, set[str]]:
    pages = {name: await read(client, caller) for name, caller in offices.items()}
    for name, page in pages.items():
        on = await read(client, offices[name], cursor=page["next_cursor"])
        assert on == {**page, "items": []}, "no event twice"
    found = {name: [item["id"] for item in page["items"]] for name, page in pages.items()}
    assert all(len(ids) == len({*ids}) for ids in found.values()), "each once"
    return {name: {*ids} for name, ids in found.items()}


async def told(database: Database, offices: dict[str, Caller]) -> dict[str, set[str]]:
    names = {caller.agency_id: name for name, caller in offices.items()}
    found: dict[str, set[str]] = {name: set() for name in offices}
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT agency_id, event_id FROM webhook_deliveries")
    for row in rows:
        found[names[row["agency_id"]]].add(str(row["event_id"]))
    return found


def overdue(
    known_to: tuple[UUID, ...] = (),
    told_to: tuple[UUID, ...] | None = None,
    rule: str = "VIS-01",
) -> DutyOverdue:
    return DutyOverdue(
        subject_id=new_id(),
        region_code=VILLAGE,
        home_county=HOME,
        told_to=told_to,
        rule=rule,
        child_id=None,
        bearer_role="village_director",
        agency_id=None,
        escalates_to=[],
        due_at=datetime(2026, 11, 1, tzinfo=UTC),
        known_to=known_to,
    )


def in_categories() -> ChildRegistered:
    about = {"subject_id": new_id(), "region_code": VILLAGE, "home_county": HOME}
    return ChildRegistered(**about, categories=["orphan"], priority_flags=[])


def doubted(school: UUID) -> PresenceDoubted:
    about = {"subject_id": new_id(), "region_code": ELSEWHERE + 1001, "home_county": HOME}
    day = datetime(2026, 11, 2, tzinfo=UTC).date()
    return PresenceDoubted(**about, child_id=new_id(), school_id=school, school_day=day)


@pytest.mark.parametrize("active", [True, False])
async def test_it_shows_each_what_an_endpoint_of_theirs_is_told(
    client, database, offices, active
) -> None:
    """Whatever lets somebody hear of an event: its place, its names, who alone may be told. One
    that is switched off will be told when it is on.
    """
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_endpoints SET active = $1", active)
    ids = {name: caller.agency_id for name, caller in offices.items()}
    about = an_event(region_code=VILLAGE).model_copy(update={"agency_id": ids["police"]})
    cases = [
        (about, {"province", "county", "township", "education", "police"}),
        (an_event(region_code=ELSEWHERE + 1001), {"province", "elsewhere"}),
        (an_event(region_code=TOWNSHIP + 1000), {"province", "county", "education"}),
        (an_event(region_code=PROVINCE + 10**10), set()),
        (overdue(known_to=(ids["elsewhere"],)), {"province", "county", "township", "elsewhere"}),
        (overdue(known_to=(ids["education"],)), {"province", "county", "township", "education"}),
        (overdue(rule="EDU-03"), {"province", "county", "township", "education"}),
        (in_categories(), {"province", "county", "township"}),  # which education does not read
        (
            overdue().model_copy(update={"agency_id": ids["education"]}),
            {"province", "county", "township"},
        ),
        (overdue(told_to=(ids["elsewhere"], ids["police"])), {"elsewhere", "police"}),
        (overdue(told_to=(ids["school"],)), set()),  # whose role reads no duties
        (overdue(known_to=(ids["county"],)), {"province", "county", "township"}),
        (doubted(ids["school"]), {"province", "elsewhere", "school"}),
        (doubted(ids["county"]), {"province", "elsewhere"}),
        (
            doubted(ids["school"]).model_copy(update={"told_to": (ids["elsewhere"],)}),
            {"elsewhere"},
        ),
    ]
    await said(database, *(event for event, _ in cases))
    expected = {
        name: {str(event.event_id) for event, heard in cases if name in heard} for name in offices
    }
    assert await told(database, offices) == expected
    assert await shown(client, offices) == expected


async def test_what_must_not_be_known_by_now_is_left_out(client, database, offices) -> None:
    """Police hear as police: what words about an office may mean hides nothing from them."""
    named = {"agency_id": offices["police"].agency_id}
    some, none = (an_event(region_code=VILLAGE).model_copy(update=named) for _ in range(2))
    await said(database, some, none)
    async with database.begin(SYSTEM) as tx:
        for event, below in ((some, (10**6, 0)), (none, (10**9, 10**9))):
            await tx.connection.execute(
                "INSERT INTO hidden_subjects"
                " (subject_id, hidden_from, hidden_below, police_below) VALUES ($1, $2, $3, $4)",
                event.subject_id,
                [offices["education"].agency_id],
                *below,
            )
    seen = await shown(client, offices)
    shown_some = {"county": {str(some.event_id)}, "police": {str(some.event_id)}}
    both = {str(some.event_id), str(none.event_id)}
    assert {name: ids for name, ids in seen.items() if ids} == {"province": both, **shown_some}


@pytest.mark.parametrize("looked_at", [3, 200])
async def test_who_goes_on_from_where_they_were_gets_each_once_and_misses_none(
    client, database, offices, monkeypatch, looked_at
) -> None:
    """Of places with more than a page looks at or shows, most of no kind that was asked for."""
    monkeypatch.setattr(feed, "LOOKED_AT", looked_at)
    subject = new_id()
    wanted = [an_event(subject, VILLAGE + n % 3) for n in range(5)]
    for event in wanted:
        await said(database, *(overdue() for _ in range(4)), event)
    cursor: dict[str, str] = {}
    got, pages = [], 0
    while True:
        page = await read(client, offices["township"], limit=2, event_type="webhooks.*", **cursor)
        got += page["items"]
        cursor, pages = {"cursor": page["next_cursor"]}, pages + 1
        if not page["more"]:
            break
    assert [item["id"] for item in got] == [str(event.event_id) for event in wanted]
    assert [item["sequence"] for item in got] == [1, 2, 3, 4, 5]
    assert pages >= max(25 // looked_at, 5 // 2)
    assert await read(client, offices["township"], **cursor) == {
        "items": [],
        "next_cursor": cursor["cursor"],
        "more": False,
    }
    late = an_event(subject, VILLAGE)
    await said(database, late)
    page = await read(client, offices["township"], **cursor)
    assert page["items"] == [
        {
            "id": str(late.event_id),
            "type": "webhooks.delivery_overdue",
            "timestamp": "2026-11-20T02:00:00Z",
            "subject_id": str(subject),
            "sequence": 6,
            "data": {
                **late.model_dump(mode="json"),
                "region_code": str(VILLAGE),
                "home_county": str(HOME),
                "event_id": str(late.event_id),
                "sequence": 6,
            },
        }
    ]


async def test_the_children_it_names_are_in_the_record(client, database, offices) -> None:
    child, other = await a_child(database, VILLAGE), await a_child(database, VILLAGE)
    told = {"region_code": VILLAGE, "home_county": HOME}
    about = ChildRegistered(subject_id=child.id, categories=[], priority_flags=[], **told)
    await said(database, about, overdue().model_copy(update={"child_id": other.id}))
    await read(client, offices["county"])
    async with database.begin(SYSTEM) as tx:
        seen = await tx.connection.fetch("SELECT unnest(child_ids) AS id FROM audit_entries")
    assert {row["id"] for row in seen} == {child.id, other.id}


async def test_a_cursor_of_another_list_or_reader_is_refused(client, offices) -> None:
    county, township = offices["county"], offices["township"]
    listed = await client.get("/v1/agencies?limit=1", headers=county.headers)
    theirs = (await read(client, township))["next_cursor"]
    for cursor in ("WyJhIl0", "A" * 40, listed.json()["next_cursor"], theirs):
        answer = await client.get(EVENTS, params={"cursor": cursor}, headers=county.headers)
        assert answer.json()["type"] == "/problems/cursor-invalid"


async def test_what_was_kept_from_the_release_before_goes_on(client, database, offices) -> None:
    """A cursor of the feed is kept for months; they stood in the clear once."""
    township = offices["township"]
    await said(database, *(an_event() for _ in range(3)))
    page = await read(client, township, limit=1)
    rest = await read(client, township, cursor=page["next_cursor"])
    position = await placed(database, page["items"][0]["id"])
    for plain in (f"[{position}]", f"[{position}] "):
        old = base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")
        answer = await client.get(EVENTS, params={"cursor": old}, headers=township.headers)
        assert (answer.status_code == 400) == plain.endswith(" ")
        assert answer.status_code == 400 or answer.json() == rest
    assert len(rest["items"]) == 2


async def placed(database: Database, event_id: str) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval("SELECT position FROM events WHERE id = $1", event_id)
