"""A school at which a pupil was between two runs of the worker, and its bureau, know too."""

import pytest

from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, a_school
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

FAR_COUNTY, FAR = 120118000000, 120118101000
TUESDAY, THURSDAY = "2026-11-17", "2026-11-19"


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200, FAR)
    return await everyone(client, database, settings)


@pytest.fixture
async def passed(client, database, settings, around):
    """A school in another county, to which a pupil with an alert goes; the worker has not run."""
    pupil = await a_pupil(client, database, settings, around.school.id, since="2026-09-01")
    await around.absent(pupil.id, "2026-11-16")
    school = await a_school(database, settings, FAR)
    await pupil.enrol(school.id, since=TUESDAY)
    teacher = await a_caller(database, settings, "school", FAR, agency_id=school.id)
    bureau = await a_caller(database, settings, "education_authority", FAR_COUNTY)
    return pupil, school, teacher, bureau


@pytest.mark.parametrize("back", [False, True])
async def test_it_lists_the_alert_with_each_step_of_the_way(
    around, passed, database, settings, back
) -> None:
    """To whichever school the pupil went then, also back to the first."""
    pupil, school, teacher, bureau = passed
    last = around.school if back else await a_school(database, settings, TOWNSHIP)
    await pupil.enrol(last.id, since=THURSDAY)
    await run_jobs(database)
    (alert,) = await around.alerts(teacher)
    assert [each["id"] for each in await around.alerts(bureau)] == [alert["id"]]
    assert (alert["school_id"], alert["handed_over_by"]) == (str(last.id), str(school.id))
    read = await around.client.get(f"/v1/dropout-alerts/{alert['id']}", headers=teacher.headers)
    assert [(each["from_school_id"], each["to_school_id"]) for each in read.json()["journal"]] == [
        (str(around.school.id), str(school.id)),
        (str(school.id), str(last.id)),
    ]
    path = f"/v1/dropout-alerts/{alert['id']}"
    first = await around.client.get(path, headers=around.teacher.headers)
    assert first.status_code == 200, "and the first of the way keeps knowing it"


async def test_it_keeps_the_alert_of_a_pupil_that_left_all_schools(
    around, passed, database
) -> None:
    pupil, school, teacher, _ = passed
    await pupil.enrol(None, status="dropout")
    await run_jobs(database)
    (alert,) = await around.alerts(teacher)
    assert alert["school_id"] == str(school.id)
