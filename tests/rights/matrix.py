"""Requests about a child's data in the matrix."""

from collections.abc import Iterator
from datetime import date, timedelta

import orjson

from app.core.data.db import Tx
from app.rights.models import ASKED, RightsRequest
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always


def a_request(**fields: object) -> Json:
    """The body of a guardian's request to see what is known of a child."""
    return {
        "kind": "access",
        "asked_by": "guardian",
        "name": "样老丙",
        "relation": "外婆",
        "identity_check": "household_register",
        **fields,
    }


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[RightsRequest]:
    request_id = target.ids["request_id"]
    asked = {"name": "样老丙", "relation": "外婆", "contact": None, "words": None}
    yield RightsRequest(
        **about,
        id=request_id,
        kind="access",
        asked_by="child",
        identity_check="known_in_person",
        asked_sealed=tx.keyring.seal(ASKED, request_id, orjson.dumps(asked)),
        received_on=date(2026, 11, 18),
        agency_id=target.owner,
        opened_at=tx.now,
        opened_by="staff:test",
        due_at=tx.now + timedelta(days=15),
        state="open",
        copy_sha256=b"-" * 32,
        copied_at=tx.now,
        copied_by="staff:test",
        version=1,
    )


PART = Part(
    id="request_id",
    asks=(
        Ask("fileRightsRequest", always(a_request())),
        Ask("listRightsRequests", shows=("request_id",)),
        Ask("listChildRightsRequests"),
        Ask("readRightsRequest"),
        Ask("copyChildData"),
        Ask("printChildReaders"),
        Ask("answerRightsRequest", always({"outcome": "granted", "words": "合成记录"})),
        Ask("cancelRightsRequest"),
        Ask("liftRestriction"),
        Ask("eraseChildData"),
    ),
    rows=_rows,
    dated="opened_at",
)
