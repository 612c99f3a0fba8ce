"""Visits in the matrix."""

from collections.abc import Iterator
from datetime import date

from app.core.data.db import Tx
from app.visits.models import Visit
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always
from tests.visits.factories import a_visit


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[Visit]:
    yield Visit(
        **about,
        id=target.ids["visit_id"],
        visited_in=target.region,
        visited_on=date(2026, 11, 18),
        started_at=None,
        visitor=None,
        agency_id=target.owner,
        visitor_type="child_director",
        place="home",
        channel="in_person",
        guardian_present=None,
        abnormal=False,
        findings=[],
        policies_explained=[],
        words_sealed=None,
        content_mac=b"-",
        version=1,
        recorded_at=None,
        received_at=tx.now,
        updated_at=tx.now,
    )


PART = Part(
    id="visit_id",
    asks=(
        Ask("recordVisit", lambda target: a_visit(target.ids["child_id"]), claims=("child_id",)),
        Ask("listVisits", shows=("visit_id",)),
        Ask("partitionVisits"),
        Ask("listChildVisits"),
        Ask("readVisit"),
        Ask("correctVisit", always({"note": "合成记录"})),
        Ask("proposeWithdrawal", always({"findings": [], "words": "合成记录"})),
        Ask("confirmWithdrawal"),
        Ask("listVisitVersions"),
    ),
    rows=_rows,
    dated="visited_on",
)
