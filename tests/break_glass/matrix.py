"""Files opened in an emergency, in the matrix."""

from collections.abc import Iterator
from datetime import timedelta

from app.break_glass.models import REASON, BreakGlass
from app.core.clock import utc_now
from app.core.data.db import Tx
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[BreakGlass]:
    identity, now = target.ids["glass_id"], utc_now()  # the database's clock decides
    yield BreakGlass(
        **about,
        id=identity,
        staff_id=target.opener,
        agency_id=target.owner,
        role=target.opened_as,
        asked_from=target.region,
        reason_sealed=tx.keyring.seal(REASON, identity, "合成记录"),
        field_groups=["identity", "health"],
        opened_at=now - timedelta(days=2),
        ends_at=now + timedelta(hours=2),
        version=1,
    )


def _emergency(target: Target) -> Json:
    reason = "儿童昏迷送至急诊,需立即核实监护人与既往病史。"
    return {"child_id": str(target.ids["child_id"]), "reason": reason, "minutes": 30}


PART = Part(
    id="glass_id",
    asks=(
        Ask("breakGlass", _emergency, names=("child_id to open",), claims=("child_id",)),
        Ask("listBreakGlass", shows=("glass_id",)),
        Ask("readBreakGlass"),
        Ask("readBreakGlassFile"),
        Ask("endBreakGlass"),
        Ask("reviewBreakGlass", always({"verdict": "proper", "words": "合成记录"})),
    ),
    rows=_rows,
    dated="opened_at",
)
