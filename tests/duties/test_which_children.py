"""For which children a rule is owed, as its entry says: by age and enrolment, too."""

from datetime import date, timedelta
from typing import Any

import pytest

from app.core.clock import years_before
from app.core.data.db import SYSTEM
from app.duties import queries
from app.duties.rulebook import rules
from app.duties.rules import Children
from tests.access.factories import an_agency
from tests.children.factories import a_child
from tests.duties.conftest import VILLAGE


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"from_age": 6}, "six today, fifteen, sixteen today, pupil"),
        ({"under_age": 16}, "six tomorrow, six today, fifteen, pupil"),
        ({"from_age": 6, "under_age": 15}, "six today, pupil"),
        ({"at_school": True}, "pupil"),
        ({"at_school": False, "under_age": 6}, "six tomorrow"),
    ],
    ids=str,
)
async def test_by_age_on_the_day_and_by_enrolment(database, now, said, names) -> None:
    school = await an_agency(database, "school", VILLAGE)
    six = date(now.year - 6, now.month, now.day)
    born: dict[str, Any] = {
        "six tomorrow": (six + timedelta(days=1), None),
        "six today": (six, None),
        "fifteen": (six.replace(year=six.year - 9), None),
        "sixteen today": (six.replace(year=six.year - 10), None),
        "pupil": (six.replace(year=six.year - 1), school),
    }
    children = {
        (await a_child(database, VILLAGE, birth_date=day, school_id=at)).id: name
        for name, (day, at) in born.items()
    }
    rule = rules()["VIS-01"]
    opens = rule.opens.model_copy(update={"children": Children(**said)})
    where = queries.chosen(rule.model_copy(update={"opens": opens}), now.date())
    async with database.begin(SYSTEM) as tx:
        found = await tx.connection.fetch(
            f"SELECT c.id FROM children c WHERE {where}", *where.arguments
        )
    assert {children[row["id"]] for row in found} == {*names.split(", ")}


def test_who_was_born_on_29_february_is_a_year_older_on_1_march() -> None:
    assert years_before(date(2028, 2, 29), 6) == date(2022, 2, 28)
    assert (
        years_before(date(2027, 2, 28), 3) < date(2024, 2, 29) <= years_before(date(2027, 3, 1), 3)
    )
