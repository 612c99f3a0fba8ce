"""Of files opened at one moment no more are than one person may open a day."""

import asyncio

from tests.access.factories import a_caller
from tests.break_glass.conftest import ELSEWHERE
from tests.break_glass.factories import broken
from tests.children.factories import a_child
from tests.conftest import calling
from tests.police_reports.factories import VILLAGE
from tests.regions.factories import some_regions


async def test_three_a_day_though_twelve_are_asked_for_at_once(app, settings, patient) -> None:
    await some_regions(patient, VILLAGE, ELSEWHERE)
    doctor = await a_caller(patient, settings, "hospital", ELSEWHERE)
    children = [
        (await a_child(patient, VILLAGE, name=f"测{each}")).id
        for each in "一二三四五六七八九十甲乙"
    ]
    async with calling(app, settings, patient) as client:
        answers = await asyncio.gather(*(broken(client, doctor, child) for child in children))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 9
