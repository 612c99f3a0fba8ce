"""What of a report lies in the database unsealed: codes and ids."""

import orjson
import pytest

from app.core.data.db import SYSTEM
from tests.police_reports.factories import COUNTY, a_report, filed, police_at, rows, the_offices
from tests.police_reports.test_chain import (
    ASSESS,
    AT,
    BY_POLICE,
    BY_TOWNSHIP,
    DISPOSE,
    SERVICES,
    step,
)


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def test_sealed_columns_hold_no_plain_text(client, database, offices) -> None:
    await filed(client, offices.school)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM police_reports")
    raw = orjson.dumps({name: str(value) for name, value in row.items()}).decode()
    assert a_report()["narrative"] not in raw
    assert "测二" not in raw


async def test_of_a_step_codes_are_plain_and_all_else_sealed(client, database, offices) -> None:
    target = str(await police_at(database, COUNTY))
    report_id = await filed(client, offices.school)
    passed_on = ("forwarding", {"forwarded_at": AT, "police_agency_id": target})
    for caller, steps in (
        (offices.police, BY_POLICE),
        (offices.township, BY_TOWNSHIP),
        (offices.police, [passed_on]),
    ):
        for path, body, *_ in steps:
            answer = await step(client, caller, report_id, path, body)
            assert answer.status_code == 201, answer.text
    told = await rows(database, "police_report_steps WHERE step <> 'reopened'")
    assert {row["step"]: row["codes"] for row in told if row["codes"]} == {
        "disposed": {
            "kind": DISPOSE["kind"],
            "measures": sorted(DISPOSE["measures"]),
            "placed_with_agency_id": None,
            "placed_unregistered": False,
            "handed_over_on": None,
            "handled": [
                {
                    "kind": DISPOSE["kind"],
                    "measures": sorted(DISPOSE["measures"]),
                    "omitted": [],
                    "said": {},
                    "dangers": None,
                }
            ],
        },
        "assessed": {"participants": sorted(ASSESS["participants"])},
        "services_arranged": {
            "service_kinds": sorted(each["kind"] for each in SERVICES["services"])
        },
        "closed": {"reason": "child_safe"},
        "forwarded": {"police_agency_id": target},
    }
