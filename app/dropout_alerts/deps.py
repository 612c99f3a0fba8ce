"""Scopes of dropout alerts, and the alert a path names."""

from typing import Annotated

import asyncpg
from fastapi import Depends

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.core.http.routing import Transaction
from app.core.problems import Problem
from app.dropout_alerts import models, queries
from app.dropout_alerts.area import DECIDE, READ, WRITE

ReadsDropoutAlerts = Annotated[Principal, needs(READ)]
WritesDropoutAlerts = Annotated[Principal, needs(WRITE)]
DecidesDropoutAlerts = Annotated[Principal, needs(DECIDE)]


class DropoutAlertNotFound(Problem, status=404, denies=True):
    """No such alert, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such dropout alert"
    title_zh = "没有这条辍学预警"


AlertInPath = Annotated[
    asyncpg.Record,
    named_in_path("alert_id", "The alert's id.", queries.find, DropoutAlertNotFound),
]
"""The alert named in the path, if the caller may know of it; else 404."""


async def _alert_to_change(found: AlertInPath, tx: Transaction) -> models.DropoutAlert:
    key = (found["id"], found["home_county"])
    alert = await tx.session.get(models.DropoutAlert, key, with_for_update=True)
    if alert is None:
        raise DropoutAlertNotFound
    return alert


AlertToChange = Annotated[models.DropoutAlert, Depends(_alert_to_change)]
"""The alert named in the path, held for a change."""
