"""A row that says itself from whom it is hidden is listed by what it says: nothing is looked up."""

from uuid import UUID, uuid4

import pytest

from app.core.data import hiding
from app.core.data.db import SYSTEM
from tests.break_glass.factories import opened, seen

ONE, OTHER, FILED_IT = (UUID(int=n) for n in (1, 2, 3))
SAID = [
    (None, None, None),
    ([ONE], 0, None),
    ([OTHER], 0, None),
    ([], 1_000, None),
    ([], 1_000, FILED_IT),
    ([ONE], 1_000, FILED_IT),
]


@pytest.mark.parametrize("said", SAID, ids=str)
@pytest.mark.parametrize("agency", [ONE, FILED_IT], ids=str)
@pytest.mark.parametrize("codes", [10, 1_000, 5_000])
async def test_it_says_what_is_known_by_its_id(database, said, agency, codes) -> None:
    subject = uuid4()
    async with database.begin(SYSTEM) as tx:
        if said[0] is not None:
            await tx.connection.execute(
                "INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below, filed_by_id)"
                " VALUES ($1, $2, $3, $4)",
                subject,
                *said,
            )
        caller = ("$5", "$6", "$7::uuid[]")
        by_id, by_itself = await tx.connection.fetchrow(
            f"SELECT {hiding.shown('r.id', *caller)}, {hiding.row_shown('r', *caller)}"
            " FROM (SELECT $1::uuid AS id, $2::uuid[] AS hidden_from, $3::bigint AS hidden_below,"
            " $4::uuid AS filed_by_id) r",
            *(subject, *said, agency, codes, [agency]),
        )
    assert by_itself == by_id


async def test_a_page_looks_nothing_up_for_each_row(
    client, queries, doctor, child, offices
) -> None:
    await opened(client, doctor, child)
    queries.clear()
    assert len(await seen(client, offices.county)) == 1
    pages = [each for each in queries.statements if "FROM break_glass" in each]
    assert pages
    assert not any("hidden_subjects" in each for each in pages)
