"""Looks from elsewhere in the matrix."""

from collections.abc import Iterator

from app.core.data.db import Tx
from app.elsewhere.models import LookElsewhere
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always

_NOBODY = {"name": "测无此人", "birth_date": "2016-03-01", "why": "ill"}


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[LookElsewhere]:
    yield LookElsewhere(
        id=target.ids["look_id"],
        look_id=target.ids["look_id"],
        looked_at=tx.now,
        looked_by="system",
        agency_id=target.owner,
        agency_kind="hospital",
        role="hospital",
        looked_from=target.region,
        purpose="protection",
        service="emergency",
        why="ill",
        sought_by="name",
        child_id=about["child_id"],
        home_county=about["home_county"],
        region_code=about["region_code"],
    )


PART = Part(
    id="look_id",
    asks=(
        Ask("lookElsewhere", always({**_NOBODY, "service": "emergency"}), gives="hospital"),
        Ask("lookElsewhere", always({**_NOBODY, "service": "police_desk"}), gives="police"),
        Ask("listLooksElsewhere", shows=("look_id",)),
    ),
    rows=_rows,
    dated="looked_at",
)
