"""Confirmations of files in the matrix."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from app.confirmations.models import Confirmation
from app.core.data.db import Tx
from app.core.ids import new_id
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part


def a_confirmation(child_id: UUID, **fields: Any) -> Json:
    """The body of a confirmation, as a phone sends it."""
    about = {"child_id": str(child_id), "confirmed_on": "2026-11-18"}
    return {"id": str(new_id()), **about, "changed": [], "on_paper": True, **fields}


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[Confirmation]:
    yield Confirmation(
        **about,
        id=target.ids["confirmation_id"],
        received_in=target.region,
        confirmed_on=date(2026, 11, 18),
        changed=[],
        author=None,
        agency_id=target.owner,
        content_mac=b"-",
        version=1,
        received_at=tx.now,
        updated_at=tx.now,
    )


PART = Part(
    id="confirmation_id",
    asks=(
        Ask(
            "confirmFile",
            lambda target: a_confirmation(target.ids["child_id"]),
            names=("child_id",),
        ),
        Ask("listConfirmations", shows=("confirmation_id",)),
        Ask("listChildConfirmations"),
        Ask("readConfirmation"),
    ),
    rows=_rows,
    dated="confirmed_on",
)
