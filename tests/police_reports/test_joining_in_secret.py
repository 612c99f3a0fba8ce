"""The reports of one event: what of it a party learns that has a part in some of them only."""

from uuid import uuid4

import pytest

from app.core.data.db import Reach
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    an_endpoint,
    filed,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import AT, URL, step


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def read(client, caller, report_id: str):
    return (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()


async def test_joining_with_a_hidden_report_is_not_told(client, database, offices) -> None:
    await an_endpoint(database, offices.township.agency_id, TOWNSHIP, relation="region")
    accused = str(offices.township.agency_id)
    open_ = await filed(client, offices.school)
    hidden = await filed(client, offices.village, suspect_agency_id=accused)
    before = await read(client, offices.township, open_)
    body = {"joined_at": AT, "report_id": hidden}
    answer = await step(client, offices.police, open_, "incident", body)
    assert answer.status_code == 201, answer.text
    after = await read(client, offices.township, open_)
    assert (after["joined"], after["steps"]) == (before["joined"], before["steps"])
    assert after == before
    chain = await client.get(f"{URL}/{open_}/chain", headers=offices.township.headers)
    assert chain.json()["steps"] == []
    seen = await read(client, offices.police, open_)
    assert (seen["joined"], [each["step"] for each in seen["steps"]]) == ([hidden], ["joined"])
    await run_jobs(database)
    joined = [row for row in await rows(database, "events") if "joined" in row["wire_name"]]
    assert len(joined) == 2
    assert not any(accused in row["told_to"] for row in joined)


@pytest.mark.parametrize("first_comes", ["first", "last"])
async def test_an_event_is_not_called_by_the_id_of_a_hidden_report(
    client, offices, first_comes
) -> None:
    hidden = "01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"
    accused = {"id": hidden, "suspect_agency_id": str(offices.township.agency_id)}
    if first_comes == "first":
        await filed(client, offices.village, **accused)
    other = await filed(client, offices.school, incident_id=hidden)
    if first_comes == "last":
        await filed(client, offices.village, **accused)
    seen = await read(client, offices.township, other)
    assert (seen["incident_id"] == hidden, seen["joined"]) == (False, [])
    assert (await read(client, offices.police, other))["joined"] == [hidden]
    assert (await read(client, offices.police, hidden))["joined"] == [other]


AUDITED = "/v1/audit-entries"
APART = {"separated_at": AT, "basis": "是两件事。"}


class TestAReportThatOneSeesIsJoinedWithOneHidden:
    """The event is shown to the accused as if what is hidden from it were not there."""

    @pytest.fixture
    async def accused(self, offices, who):
        return getattr(offices, who)

    @pytest.fixture
    async def told(self, client, accused):
        """All that somebody is told of an event: of one report, of each list."""

        async def told(report_id: str, *names: str) -> list:
            lists = [f"?incident_id={each}" for each in (report_id, *names)]
            paths = ["", "?permitted=separateReport", *lists]
            answers = [
                await client.get(f"{URL}{path}", headers=accused.headers)
                for path in (f"/{report_id}", f"/{report_id}/chain", *paths)
            ]
            return [(each.headers.get("etag"), each.json()) for each in answers]

        return told

    @pytest.mark.parametrize("how", ["joined", "filed after", "filed before"])
    @pytest.mark.parametrize("who", ["township", "school", "police"])
    async def test_nothing_tells_that_it_is(
        self, client, database, settings, offices, accused, told, who, how
    ) -> None:
        above = await a_caller(database, settings, "police", COUNTY)
        await an_endpoint(database, above.agency_id, COUNTY)
        event, late = str(uuid4()), str(uuid4())
        named = late if how == "filed before" else event
        mine = await filed(client, offices.school, incident_id=named)
        before = await told(mine, event, late)
        other = {"incident_id": mine} if how == "filed after" else {}
        hidden = await filed(
            client, offices.village, id=late, suspect_agency_id=str(accused.agency_id), **other
        )
        if how == "joined":
            joining = {"joined_at": AT, "report_id": mine}
            answer = await step(client, offices.county, hidden, "incident", joining)
            assert answer.status_code == 201, answer.text
        seen = await read(client, offices.county, mine)
        assert seen["joined"] == [hidden]
        assert "separateReport" in seen["permitted"]
        assert await told(mine, event, late) == before
        if who == "police":
            return
        own = await filed(client, accused, incident_id=before[0][1]["incident_id"])
        assert (await read(client, accused, mine))["joined"] == [own]
        assert hidden not in str(await told(own, mine))

    async def test_what_the_accused_takes_apart_leaves_the_hidden_joined(
        self, client, offices
    ) -> None:
        accused = offices.township
        mine, other = [await filed(client, offices.school) for _ in range(2)]
        hidden = await filed(client, offices.village, suspect_agency_id=str(accused.agency_id))
        joining = {"joined_at": AT, "report_id": mine}
        await step(client, offices.county, hidden, "incident", joining)
        alone = await step(client, accused, mine, "incident/separation", APART)
        assert (alone.status_code, alone.json()["type"]) == (409, "/problems/not-joined")
        assert (await step(client, accused, other, "incident", joining)).status_code == 201
        assert {*(await read(client, offices.county, mine))["joined"]} == {hidden, other}
        apart = await step(client, accused, mine, "incident/separation", APART)
        assert apart.status_code == 201, apart.text
        assert (await read(client, accused, mine))["joined"] == []
        assert (await read(client, offices.county, mine))["joined"] == [hidden]
        assert (await read(client, offices.county, other))["joined"] == []

    async def test_the_trail_does_not_tell_the_accused_of_what_is_hidden(
        self, client, database, settings, offices
    ) -> None:
        """Neither who joined what, nor whose child a list named (AZ-9)."""
        auditor = await a_caller(database, settings, "auditor", COUNTY)
        child = await a_child(database, VILLAGE)
        mine = await filed(client, offices.school)
        hidden = await filed(
            client,
            offices.village,
            child_id=str(child.id),
            suspect_agency_id=str(auditor.agency_id),
        )
        joining = {"joined_at": AT, "report_id": hidden}
        for path, said in (("incident", joining), ("incident/separation", APART)):
            body = {**said, "id": str(uuid4())}
            for expected in (201, 200):
                answer = await step(client, offices.county, mine, path, body)
                assert answer.status_code == expected, answer.text
        await client.get(URL, headers=offices.county.headers)
        await client.get(f"{URL}/{mine}", headers=offices.county.headers)
        trail = (await client.get(AUDITED, headers=auditor.headers)).json()["items"]
        assert "readReport" in {each["operation"] for each in trail}
        assert not {"joinReports", "separateReport", "listReports"} & {
            each["operation"] for each in trail
        }
        asked = f"{AUDITED}?child_id={child.id}"
        assert (await client.get(asked, headers=auditor.headers)).json()["items"] == []
        reach = Reach(COUNTY, COUNTY + 10**6, agency=auditor.agency_id)
        async with database.begin(reach) as tx:
            rows_ = await tx.connection.fetch("SELECT operation FROM audit_entries")
        assert not {"joinReports", "listReports"} & {row["operation"] for row in rows_}
