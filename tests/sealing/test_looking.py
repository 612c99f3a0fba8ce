"""`tonghu verify` says whether the log in a database is what was signed."""

import pytest

from app.core.data.backups import LOOKS
from app.sealing import verifying
from tests.sealing.stage import KEY, looks

pytestmark = pytest.mark.xdist_group("sealing")
_ENTRY = "(SELECT entry_id FROM audit_leaves WHERE n = 8)"
_OLDER = """
UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE size = 7)
WHERE size = 14
"""
_COSIGNED = """
INSERT INTO agencies (id, kind, name, region_code, active, version, created_at, updated_at)
VALUES ('019ac0de-0000-7000-8000-000000000001', 'police', '-', 0, true, 1, now(), now());
INSERT INTO audit_witnesses (id, agency_id, name, key, registered_by, registered_at)
VALUES ('019ac0de-0000-7000-8000-000000000002', '019ac0de-0000-7000-8000-000000000001',
    'police.example', '-', '-', now());
INSERT INTO audit_cosignatures (witness_id, size, line, said_at, received_at)
VALUES ('019ac0de-0000-7000-8000-000000000002', 40, '-', now(), now())
"""


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("SELECT 1", ""),
        (f"UPDATE audit_entries SET purpose = 'care' WHERE id = {_ENTRY}", "leaf 8 was changed"),
        (f"DELETE FROM audit_entries WHERE id = {_ENTRY}", "of leaf 8 is missing"),
        ("DELETE FROM audit_leaves WHERE n = 8", "leaf 8 is missing"),
        ("DELETE FROM audit_leaves WHERE n >= 12", "leaf 12 is missing, and 14 were signed"),
        (f"DELETE FROM audit_children WHERE entry_id = {_ENTRY}", "of leaf 8 is not found by"),
        (
            f"UPDATE audit_children SET child_ids = '{{}}' WHERE entry_id = {_ENTRY}",
            "of leaf 8 is not found by",
        ),
        ("UPDATE audit_checkpoints SET note = note || 'x' WHERE size = 14", ""),
        ("UPDATE audit_checkpoints SET note = 'x' WHERE size = 14", "at size 14 is not signed"),
        (
            _OLDER,
            "the log is another than was signed at size 14",
        ),
        (_COSIGNED, "police.example countersigned size 40, which is not here"),
    ],
)
async def test_what_was_done_in_the_database_is_said(
    log, live_database, superuser, monkeypatch, done, said
) -> None:
    monkeypatch.setattr(verifying, "_CHUNK", 5)
    for _ in range(2):
        await looks(live_database, 7)
        await log.seal()
    await superuser.execute(done)
    found = await LOOKS["audit"](superuser)
    wanted = "14 entries are what 2 checkpoints were signed for, the last by"
    assert (found.good, (said or f"{wanted} {KEY.public}") in found.found) == (not said, True)


async def test_where_nothing_was_signed_nothing_is_wrong(live_database, superuser) -> None:
    await looks(live_database, 1)
    assert await LOOKS["audit"](superuser) == (True, "nothing was signed yet")
