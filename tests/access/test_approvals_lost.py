"""A request by two whose answer was lost: done once, whether or not it was stored."""

import asyncpg
import pytest

from tests.access.approving import PATH, STATION, TOWNSHIP, approved, code, create
from tests.access.factories import a_caller
from tests.conftest import calling
from tests.regions.factories import some_regions


class Silence:
    """Loses the answer to one commit, whether or not that `reaches` the server."""

    def __init__(self, monkeypatch) -> None:
        self.loses = self.reaches = False
        ends = asyncpg.transaction.Transaction.__aexit__

        async def end(block, kind, error, place):
            lost, self.loses = self.loses and kind is None, False
            if not lost or self.reaches:
                await ends(block, kind, error, place)
            if lost:
                raise TimeoutError

        monkeypatch.setattr(asyncpg.transaction.Transaction, "__aexit__", end)


@pytest.mark.parametrize("reaches", [True, False])
@pytest.mark.parametrize("key", [{}, {"idempotency-key": "the-same"}], ids=["no key", "a key"])
async def test_sent_again_it_is_done_once(
    app, settings, patient, monkeypatch, reaches, key
) -> None:
    await some_regions(patient, TOWNSHIP)
    one = await a_caller(patient, settings, "operator", 0)
    two = await a_caller(patient, settings, "operator", 0, agency_id=one.agency_id)
    silence = Silence(monkeypatch)
    async with calling(app, settings, patient) as client:
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        silence.loses, silence.reaches = True, reaches
        lost = await create(client, one, approval=approval, **key)
        assert lost.json()["type"] == "/problems/outcome-unknown"
        again = await create(client, one, approval=approval, **key)
        if reaches and not key:
            assert code(again) == "approval_used"
            assert "look whether it was done before you propose it anew" in again.text
        else:
            assert again.status_code == 201, again.text
        listed = await client.get(PATH, params={"kind": "police"}, headers=one.headers)
        assert len(listed.json()["items"]) == 1
