"""A breach on the stage of the matrix."""

from app.breaches.models import MEASURES, WHAT, Breach
from app.core.data.db import Tx
from tests.matrix.facts import Target


def a_breach(tx: Tx, target: Target) -> Breach:
    """Of the target's owner, in its place; everybody was told."""
    identity = target.ids["breach_id"]
    said = {"told_at": f"{tx.now:%FT%TZ}", "number": None, "recorded_by": "system"}
    return Breach(
        id=identity,
        agency_id=target.owner,
        region_code=target.region,
        kind="leaked",
        found_at=tx.now,
        what_sealed=tx.keyring.seal(WHAT, identity, "合成记录"),
        measures_sealed=tx.keyring.seal(MEASURES, identity, "合成记录"),
        report_due_at=tx.now,
        tell_due_at=tx.now,
        told=[{"whom": "cyberspace_authority", **said}, {"whom": "families", **said}],
        state="open",
        recorded_by="system",
        recorded_at=tx.now,
        version=1,
    )
