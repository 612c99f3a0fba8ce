"""While a post is empty, what whoever stands in does is what was to be done."""

from datetime import date

import pytest

from app.agencies import operations as agencies
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.agencies.factories import a_holding, a_person, a_post
from tests.children.factories import a_child
from tests.confirmations.matrix import a_confirmation
from tests.conftest import VILLAGE
from tests.duties.conftest import COUNTY, TOWNSHIP
from tests.duties.test_clock_ahead import _nightly
from tests.jobs import run_jobs
from tests.visits.factories import a_visit, something_wrong

NO_DIRECTOR = """
UPDATE post_holdings SET until = '2026-11-20'
WHERE post_id IN (SELECT id FROM posts WHERE role = 'village_director')
"""
AT_HOME = {"domain": "guardianship", "abnormal": False}


async def _find_owners(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.find_owners", [{}])
    await run_jobs(database)


async def _change(database, statement: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(statement)
    await _find_owners(database)


async def _corrected(client, database, caller, visit, **changes: str) -> None:
    headers = {**caller.headers, "if-match": '"1"'}
    answer = await client.patch(f"/v1/visits/{visit['id']}", json=changes, headers=headers)
    assert answer.status_code == 200, answer.text
    await run_jobs(database)


async def _sent(client, database, caller, path: str, body) -> None:
    answer = await client.post(f"/v1/{path}", json=body, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)


async def _owed(client, caller, child_id, *rules: str) -> dict[str, tuple[str, str]]:
    """Return who owes a child what of these rules, and how that is."""
    read = await client.get(f"/v1/duties?child_id={child_id}", headers=caller.headers)
    return {
        each["rule"]: (each["bearer"]["role"], each["state"])
        for each in read.json()["items"]
        if each["rule"] in rules
    }


@pytest.fixture
async def above(database, settings):
    """A township's supervisor and a county's officer, above a village without a director."""
    return {
        role: await a_caller(database, settings, role, place, machine=False)
        for role, place in (("township_supervisor", TOWNSHIP), ("civil_affairs", COUNTY))
    }


async def test_who_stands_in_visits_and_nobody_in_the_name_of_another(
    client, database, above
) -> None:
    """VIS-01: who went there, as who they are; not the county, as long as the township does."""
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    await _find_owners(database)
    township = above["township_supervisor"]
    for role, visitor_type, state in (
        ("township_supervisor", "child_director", "open"),
        ("township_supervisor", "social_worker", "open"),
        ("township_supervisor", "civil_affairs", "open"),
        ("civil_affairs", "civil_affairs", "open"),
        ("civil_affairs", "township_supervisor", "open"),
        ("township_supervisor", "township_supervisor", "discharged"),
    ):
        body = a_visit(child.id, visitor_type=visitor_type)
        await _sent(client, database, above[role], "visits", body)
        owed = await _owed(client, township, child.id, "VIS-01")
        assert owed == {"VIS-01": ("township_supervisor", state)}, (role, visitor_type)
    await _corrected(client, database, township, body, channel="phone")
    await _find_owners(database)
    owed = await _owed(client, township, child.id, "VIS-01")
    assert owed == {"VIS-01": ("township_supervisor", "open")}


async def test_what_was_done_before_it_was_found_that_the_post_is_empty_is_done(
    client, database, settings, above
) -> None:
    """As long as somebody holds the post, it is theirs: nobody stands in for who is there."""
    post = await a_post(database, "village_committee", VILLAGE, "village_director")
    held = await a_holding(
        database, post, await a_person(database, post.agency_id), date(2026, 9, 1)
    )
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    township = above["township_supervisor"]
    body = a_visit(child.id, visitor_type="township_supervisor")
    await _sent(client, database, township, "visits", body)
    await _find_owners(database)
    owed = await _owed(client, township, child.id, "VIS-01")
    assert owed == {"VIS-01": ("village_director", "open")}
    async with database.begin(SYSTEM) as tx:
        await agencies.leave_post(tx, await tx.session.merge(held), date(2026, 11, 20))
    await _find_owners(database)
    owed = await _owed(client, township, child.id, "VIS-01")
    assert owed == {"VIS-01": ("township_supervisor", "discharged")}


async def test_given_back_to_the_post_it_is_for_the_post_to_do(client, database, above) -> None:
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    await _find_owners(database)
    post = await a_post(database, "village_committee", VILLAGE, "village_director")
    await a_holding(database, post, await a_person(database, post.agency_id), date(2026, 11, 20))
    await _find_owners(database)
    township = above["township_supervisor"]
    body = a_visit(child.id, visitor_type="township_supervisor")
    await _sent(client, database, township, "visits", body)
    owed = await _owed(client, township, child.id, "VIS-01")
    assert owed == {"VIS-01": ("village_director", "open")}


@pytest.mark.parametrize(
    ("role", "visitor_type", "state"),
    [
        ("township_supervisor", "township_supervisor", "discharged"),
        ("township_supervisor", "child_director", "open"),
        ("civil_affairs", "civil_affairs", "open"),
    ],
)
async def test_who_stands_in_pays_attention_and_explains(
    client, database, above, role, visitor_type, state
) -> None:
    """VIS-03: 予以重点关注,积极宣传…法律法规和政策措施."""
    child = await a_child(database, VILLAGE)
    township = above["township_supervisor"]
    found = a_visit(
        child.id,
        visitor_type="township_supervisor",
        findings=[something_wrong()],
        policies_explained=[],
    )
    await _sent(client, database, township, "visits", found)
    await _find_owners(database)
    again = a_visit(
        child.id, visitor_type=visitor_type, visited_on="2026-11-19", findings=[AT_HOME]
    )
    await _sent(client, database, above[role], "visits", again)
    owed = await _owed(client, township, child.id, "VIS-03", "VIS-03.explain")
    assert owed == dict.fromkeys(["VIS-03", "VIS-03.explain"], ("township_supervisor", state))


async def test_what_the_director_began_who_stands_in_ends(
    client, database, settings, above
) -> None:
    """VIS-03: to all that was found attention is paid, by who was there and by who came after."""
    director = await a_caller(database, settings, "village_director", VILLAGE, machine=False)
    child = await a_child(database, VILLAGE)
    ill = something_wrong(domain="health", type="ill", refer_to=[])
    found = a_visit(child.id, findings=[something_wrong(), ill])
    await _sent(client, database, director, "visits", found)
    half = a_visit(child.id, visited_on="2026-11-19", findings=[AT_HOME])
    await _sent(client, database, director, "visits", half)
    rest = a_visit(
        child.id,
        visitor_type="township_supervisor",
        visited_on="2026-11-20",
        findings=[{"domain": "health", "abnormal": False}],
    )
    township = above["township_supervisor"]
    await _sent(client, database, township, "visits", rest)
    owed = await _owed(client, township, child.id, "VIS-03")
    assert owed == {"VIS-03": ("village_director", "open")}
    await _change(database, NO_DIRECTOR)
    owed = await _owed(client, township, child.id, "VIS-03")
    assert owed == {"VIS-03": ("township_supervisor", "discharged")}


async def test_each_looks_for_themselves(client, database, settings, above) -> None:
    """VIS-03: what the county looked at as well takes nothing from what the township did."""
    child = await a_child(database, VILLAGE)
    township, county = above["township_supervisor"], above["civil_affairs"]
    director = await a_caller(database, settings, "village_director", VILLAGE, machine=False)
    found = a_visit(child.id, findings=[something_wrong()])
    await _sent(client, database, director, "visits", found)
    looked = {"findings": [AT_HOME], "visited_on": "2026-11-19"}
    by_county = a_visit(child.id, visitor_type="civil_affairs", **looked)
    await _sent(client, database, county, "visits", by_county)
    by_township = a_visit(child.id, visitor_type="township_supervisor", **looked)
    await _sent(client, database, township, "visits", by_township)
    await _change(database, NO_DIRECTOR)
    owed = await _owed(client, county, child.id, "VIS-03")
    assert owed == {"VIS-03": ("township_supervisor", "discharged")}
    await _corrected(client, database, township, by_township, channel="phone")
    await _find_owners(database)
    owed = await _owed(client, county, child.id, "VIS-03")
    assert owed == {"VIS-03": ("township_supervisor", "open")}
    await _change(database, "UPDATE posts SET active = role = 'civil_affairs'")
    owed = await _owed(client, county, child.id, "VIS-03")
    assert owed == {"VIS-03": ("civil_affairs", "discharged")}


@pytest.mark.parametrize(
    "correction", [{"channel": "phone"}, {"visitor_type": "social_worker"}], ids=str
)
async def test_what_was_no_look_is_none_when_the_post_is_empty(
    client, database, settings, above, correction
) -> None:
    """VIS-03: nobody paid attention, though it was said so while it was the director's."""
    director = await a_caller(database, settings, "village_director", VILLAGE, machine=False)
    child = await a_child(database, VILLAGE)
    found = a_visit(child.id, findings=[something_wrong()])
    await _sent(client, database, director, "visits", found)
    looked = {"findings": [AT_HOME], "visited_on": "2026-11-19"}
    again = a_visit(child.id, visitor_type="township_supervisor", **looked)
    township = above["township_supervisor"]
    await _sent(client, database, township, "visits", again)
    await _corrected(client, database, township, again, **correction)
    await _change(database, NO_DIRECTOR)
    owed = await _owed(client, township, child.id, "VIS-03")
    assert owed == {"VIS-03": ("township_supervisor", "open")}


async def test_what_is_owed_again_is_the_posts(client, database, settings, above) -> None:
    """Who stood in when it was done, or when it lapsed, may not by now."""
    lapsed, child = [await a_child(database, VILLAGE, categories=["orphan"]) for _ in range(2)]
    gone = f"UPDATE children SET categories = '{{}}' WHERE id = '{lapsed.id}'"
    await _nightly(database)
    await _find_owners(database)
    township, its = above["township_supervisor"], {"visitor_type": "township_supervisor"}
    first = a_visit(child.id, **its)
    await _sent(client, database, township, "visits", first)
    await _change(database, gone)
    await _nightly(database)
    await a_caller(database, settings, "village_director", VILLAGE, machine=False)
    await _find_owners(database)
    for each in (lapsed, child):
        again = a_visit(each.id, visited_on="2026-11-19", **its)
        await _sent(client, database, township, "visits", again)
    await _corrected(client, database, township, first, channel="phone")
    await _change(database, gone.replace("{}", "{orphan}"))
    await _nightly(database)
    for each in (lapsed, child):
        owed = await _owed(client, township, each.id, "VIS-01")
        assert owed == {"VIS-01": ("village_director", "open")}


async def test_a_child_who_moved_is_visited_by_who_looks_after_it_there(
    client, database, settings, above
) -> None:
    """VIS-01, VIS-03: not by who stood in where it lived, if there is a director where it lives."""
    child = await a_child(database, VILLAGE, categories=["orphan"])
    await _nightly(database)
    township = above["township_supervisor"]
    found = a_visit(child.id, channel="phone", findings=[something_wrong()])
    await _sent(client, database, township, "visits", found)
    await _find_owners(database)
    await a_caller(database, settings, "village_director", VILLAGE + 1, machine=False)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET region_code = region_code + 1")
    await _nightly(database)
    looked = {"findings": [AT_HOME], "visited_on": "2026-11-19"}
    again = a_visit(child.id, visitor_type="township_supervisor", **looked)
    await _sent(client, database, township, "visits", again)
    owed = await _owed(client, township, child.id, "VIS-01", "VIS-03")
    assert owed == dict.fromkeys(["VIS-01", "VIS-03"], ("village_director", "open"))


async def test_who_stands_in_confirms_files(client, database, settings, above) -> None:
    """REG-03: 每季度动态更新儿童信息, on paper too; for the township's paper the county."""
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    await _find_owners(database)
    county, rules = above["civil_affairs"], ("REG-03.confirm", "REG-03.paper")
    await _sent(client, database, county, "confirmations", a_confirmation(child.id))
    open_ = ("township_supervisor", "open")
    assert await _owed(client, county, child.id, *rules) == dict.fromkeys(rules, open_)
    await _change(database, "UPDATE posts SET active = role = 'civil_affairs'")
    done = ("civil_affairs", "discharged")
    assert await _owed(client, county, child.id, *rules) == dict.fromkeys(rules, done)
