"""Changes of several reports at once: of one event, of one chain of corrections."""

from uuid import uuid4

import pytest

from tests.at_once import at_once, behind, stuck
from tests.children.factories import a_child
from tests.conftest import calling
from tests.police_reports.factories import VILLAGE, a_report, filed, the_offices
from tests.police_reports.test_chain import ACCEPT, AT, URL, step


async def read(client, caller, report_id: str):
    return (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()


async def test_two_joins_at_once_make_one_event(
    app, settings, live_database, database_urls
) -> None:
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        a, b, c = [await filed(client, offices.school, narrative=word) for word in "abc"]

        def joining(one: str, other: str):
            body = {"joined_at": AT, "report_id": other}
            return lambda: step(client, offices.police, one, "incident", body)

        answers = await at_once(live_database, database_urls.owner, joining(a, b), joining(b, c))
        assert [answer.status_code for answer in answers] == [201, 201]
        three = [await read(client, offices.police, each) for each in (a, b, c)]
        assert len({each["incident_id"] for each in three}) == 1
        assert [{*each["joined"], each["id"]} for each in three] == [{a, b, c}] * 3


async def test_separating_and_joining_at_once_wait_for_each_other(
    app, settings, live_database, database_urls
) -> None:
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        a, b, c = [await filed(client, offices.school, narrative=word) for word in "abc"]
        await step(client, offices.police, a, "incident", {"joined_at": AT, "report_id": b})
        joining = {"joined_at": AT, "report_id": a}
        apart = {"separated_at": AT, "basis": "是两件事。"}
        answers = await at_once(
            live_database,
            database_urls.owner,
            lambda: step(client, offices.police, b, "incident", joining),
            lambda: step(client, offices.county, c, "incident", joining),
            lambda: step(client, offices.police, a, "incident/separation", apart),
        )
        assert [answer.status_code for answer in answers] == [201, 201, 201]


async def test_joining_and_filing_at_once_lose_no_report(
    app, settings, live_database, database_urls
) -> None:
    """Whoever names a report that is being joined is of the event that it is joined to."""
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        a, b = [await filed(client, offices.school, narrative=word) for word in "ab"]
        body = {"joined_at": AT, "report_id": a}
        c, joined = await at_once(
            live_database,
            database_urls.owner,
            lambda: filed(client, offices.school, incident_id=a),
            lambda: step(client, offices.police, b, "incident", body),
        )
        assert joined.status_code == 201
        three = [await read(client, offices.police, each) for each in (a, b, c)]
        assert [{*each["joined"], each["id"]} for each in three] == [{a, b, c}] * 3


async def test_who_is_called_after_one_that_comes_in_meanwhile_is_of_its_event(
    app, settings, live_database, database_urls
) -> None:
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        named = str(uuid4())
        two = await at_once(
            live_database,
            database_urls.owner,
            lambda: filed(client, offices.school, incident_id=named),
            lambda: filed(client, offices.county, id=named),
        )
        seen = [await read(client, offices.police, each) for each in two]
        assert [{*each["joined"], each["id"]} for each in seen] == [{*two}] * 2


async def test_a_report_waits_for_nobody_who_joins_others(app, settings, live_database) -> None:
    """Reports are taken in at the first moment (REP-01), whatever hangs elsewhere."""
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        a, b = [await filed(client, offices.school, narrative=word) for word in "ab"]
        joining = {"joined_at": AT, "report_id": a}
        async with stuck(
            live_database,
            f"SELECT FROM police_reports WHERE id = '{a}' FOR UPDATE",
            lambda: step(client, offices.police, b, "incident", joining),
        ) as joined:
            await filed(client, offices.school, id=str(uuid4()), incident_id=str(uuid4()))
            await filed(client, offices.school)
        assert joined.result().status_code == 201, "who waits gives up before the others do"


UNCLEAR = {"suspect_agency_id": "村干部"}
WRONG = {"withdrawn_at": AT, "basis": "错。"}
ACCEPTED = ("police", "acknowledgement", ACCEPT)
CORRECTED = ("county", "supersession", a_report(**UNCLEAR, urgency="urgent"))
NOT_THAT_CHILD = ("county", "child/withdrawal", WRONG)
NOT_THAT_SUSPECT = ("county", "suspect/withdrawal", WRONG)
NAMED = ("county", "suspect", {"named_at": AT, "basis": "查证。"})


@pytest.mark.parametrize(
    ("on_first", "on_second"),
    [
        (NAMED, ACCEPTED),
        (NAMED, NOT_THAT_CHILD),
        (NAMED, CORRECTED),
        (NOT_THAT_CHILD, NAMED),
        (NOT_THAT_CHILD, NOT_THAT_SUSPECT),
    ],
    ids=lambda act: act[1],
)
async def test_acts_on_a_chain_take_turns(
    app, settings, live_database, on_first, on_second
) -> None:
    """They reach its reports in different orders; none is refused for what another does."""
    offices = await the_offices(live_database, settings)
    child = await a_child(live_database, VILLAGE)
    async with calling(app, settings, live_database) as client:

        async def taking(report_id: str, act):
            who, path, said = act
            suspect = str(offices.school.agency_id)
            body = {**said, "suspect_agency_id": suspect} if path == "suspect" else said
            return await step(client, getattr(offices, who), report_id, path, body)

        said = {**UNCLEAR, "child_id": str(child.id)}
        first = await filed(client, offices.county, **said)
        answer = await step(client, offices.county, first, "supersession", a_report(**said))
        second = answer.json()["id"]
        if on_second is NOT_THAT_SUSPECT:
            assert (await taking(first, NAMED)).status_code == 201
        answers = await behind(
            live_database,
            f"SELECT FROM police_reports WHERE id = '{first}' FOR UPDATE",
            lambda: taking(first, on_first),
            lambda: taking(second, on_second),
        )
        assert [each.status_code for each in answers] == [201, 201], [each.text for each in answers]
