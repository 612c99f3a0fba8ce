"""A school's pupils are its pupils wherever they live: from the township beside it, or boarders of
another county (EDU-01).
"""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.attendance.factories import a_school, an_event, push, statuses
from tests.children.enrolling import a_pupil
from tests.children.factories import a_child
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

NEIGHBOUR, FAR = 120119102201, 120118101201
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, NEIGHBOUR, FAR)
    return await everyone(client, database, settings)


@pytest.mark.parametrize("lives_in", [NEIGHBOUR, FAR])
class TestSchoolSees:
    async def test_the_file_absences_and_the_alert(self, around, database, lives_in) -> None:
        pupil = await around.school.pupil(database, lives_in)
        file = await around.client.get(f"/v1/children/{pupil.id}", headers=around.teacher.headers)
        assert file.status_code == 200
        assert "residence" not in file.json()
        listed = await around.client.get("/v1/children", headers=around.teacher.headers)
        assert [each["id"] for each in listed.json()["items"]] == [str(pupil.id)]
        answer = await around.absent(pupil.id, *DAYS)
        assert statuses(answer) == ["accepted"] * 3
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["school_id"]) == ("absent", str(around.school.id))

    async def test_not_the_pupils_of_another(self, around, database, settings, lives_in) -> None:
        other = await a_school(database, settings)
        pupil = await other.pupil(database, lives_in)
        file = await around.client.get(f"/v1/children/{pupil.id}", headers=around.teacher.headers)
        assert file.status_code == 404
        answer = await push(around.client, around.school, an_event(pupil.id))
        assert statuses(answer) == ["unresolved"]

    async def test_a_neighbour_at_no_school_stays_unseen(self, around, database, lives_in) -> None:
        child = await a_child(database, lives_in)
        file = await around.client.get(f"/v1/children/{child.id}", headers=around.teacher.headers)
        assert file.status_code == 404


async def test_a_bureau_registered_after_the_alert_knows_it_from_the_hand_over_on(
    client, database, settings
) -> None:
    """That of the school it leaves, too, though the child lives elsewhere."""
    await some_regions(database, FAR)
    around = await everyone(client, database, settings)
    old = await a_school(database, settings, 120116101000)
    pupil = await a_pupil(client, database, settings, old.id, lives_in=FAR, since="2026-09-01")
    await push(client, old, *(an_event(pupil.id, day) for day in DAYS))
    await run_jobs(database)
    late = await a_caller(database, settings, "education_authority", 120116000000)
    assert await around.alerts(late) == []
    await pupil.enrol(around.school.id)
    await run_jobs(database)
    for bureau in (late, around.education):
        (alert,) = await around.alerts(bureau)
        assert alert["handed_over_by"] == str(old.id)


@pytest.mark.parametrize("gate", ["silent", "mistaken"])
async def test_a_school_that_passes_into_another_county_is_looked_after_there(
    client, database, settings, gate
) -> None:
    """The bureau of now sees the alerts on its boarders, too; that of before keeps what it knew."""
    boarders_home, neighbours = 120117101201, 120118000000
    await some_regions(database, 120119101000, 120118101000, boarders_home)
    around = await everyone(client, database, settings)
    bureau = await a_caller(database, settings, "education_authority", neighbours)
    school = around.school.id
    pupil = await a_pupil(
        client, database, settings, school, lives_in=boarders_home, since="2026-09-01"
    )
    await around.absent(pupil.id, *DAYS[:2])
    if gate == "mistaken":
        await around.absent(pupil.id, DAYS[2], category="present")
    assert await around.alerts(bureau) == []
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, 120119101000, 120118109000, date(2026, 7, 1))
    await run_jobs(database)
    if gate == "mistaken":
        await around.absent(pupil.id, DAYS[2], category="withdrawn", sequence=1)
    (alert,) = await around.alerts(bureau)
    assert (alert["state"], alert["school_id"]) == ("absent", str(school))
    kept = await client.get(f"/v1/dropout-alerts/{alert['id']}", headers=around.education.headers)
    assert kept.status_code == 200
