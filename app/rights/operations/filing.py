"""A request about a child's data is taken down, or taken back."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import asyncpg
import orjson

from app.access.principal import Principal
from app.children.queries import ChildRef
from app.core.clock import beginning
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.jobs import events
from app.core.problems import Problem
from app.policy import queries as policy
from app.rights import schemas
from app.rights.acts import ACTS
from app.rights.events import RightsRequestFiled, RightsRequestTakenBack
from app.rights.models import ASKED

_days: Final = policy.lookup("rights.answer_within_days")


class RightsRequestInvalid(Problem, status=422):
    """It cannot have been asked so."""

    title = "This cannot have been asked so"
    title_zh = "请求内容有误"


_FILE: Final = """
INSERT INTO rights_requests (id, home_county, child_id, region_code, pupil_of, kind, asked_by,
    identity_check, asked_sealed, received_on, agency_id, opened_at, opened_by, due_at, state,
    version)
SELECT $3, c.home_county, c.id, c.region_code, c.school_id, $4, $5, $6, $7, $8, $9, $10, $11, $12,
    'open', 1
FROM (SELECT * FROM children WHERE id = $1 AND home_county = $2 FOR SHARE) AS c
RETURNING *
"""


async def file_request(
    tx: Tx, principal: Principal, child: ChildRef, new: schemas.RightsRequestCreate
) -> asyncpg.Record:
    """Take down what somebody asks, on the day it was asked: the time to answer runs from then.
    Raises RightsRequestInvalid.
    """
    received_on = new.received_on or tx.today
    if received_on > tx.today:
        raise RightsRequestInvalid.at("#/received_on", "date_in_future", "The day has not come.")
    within = timedelta(days=_days(child.region_code, tx.today) + 1)
    request_id = new_id()
    asked = new.model_dump(include={"name", "relation", "contact", "words"})
    of = of_child(child.id)
    await keys.load(tx, [of], child.home_county)
    row = await tx.connection.fetchrow(
        _FILE,
        *(child.id, child.home_county, request_id, new.kind, new.asked_by, new.identity_check),
        tx.keyring.seal(ASKED, request_id, orjson.dumps(asked), of),
        *(received_on, principal.agency_id, tx.now, principal.subject),
        beginning(received_on + within),
    )
    await events.publish(tx, RightsRequestFiled(**about(row), due_at=row["due_at"]))
    return row


_CANCEL: Final = """
UPDATE rights_requests SET state = 'taken_back', version = version + 1
WHERE id = $1 AND home_county = $2 RETURNING *
"""


async def cancel_request(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> asyncpg.Record:
    """Take a locked request back, as who asked wants it. Raises PreconditionFailed,
    RightsRequestEnded.
    """
    check_version(row["version"], if_match)
    ACTS["cancelRightsRequest"].require(principal, row, tx.today)
    now = await tx.connection.fetchrow(_CANCEL, row["id"], row["home_county"])
    await events.publish(tx, RightsRequestTakenBack(**about(now)))
    return now


def about(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every event about a request says."""
    names = ("region_code", "home_county", "child_id", "kind")
    return {"subject_id": row["id"], **{name: row[name] for name in names}}
