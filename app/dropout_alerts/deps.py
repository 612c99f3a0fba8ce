"""Scopes of dropout alerts, and the alert a path names."""

from typing import Annotated, Any

from fastapi import Depends

from app.access.deps import named_in_path, needs_with_purpose
from app.access.principal import Principal
from app.access.scopes import Scope
from app.core.http.routing import Transaction
from app.core.problems import Problem
from app.dropout_alerts import models, queries

ReadsDropoutAlerts = Annotated[Principal, needs_with_purpose(Scope.dropout_alerts_read)]
WritesDropoutAlerts = Annotated[Principal, needs_with_purpose(Scope.dropout_alerts_write)]
DecidesDropoutAlerts = Annotated[Principal, needs_with_purpose(Scope.dropout_alerts_decide)]


class DropoutAlertNotFound(Problem):
    """No such alert, or none the caller may know of: the same answer (AZ-3)."""

    status = 404
    title = "No such dropout alert"
    title_zh = "没有这条辍学预警"
    denies = True


AlertInPath = Annotated[
    dict[str, Any],
    named_in_path("alert_id", "The alert's id.", queries.find, DropoutAlertNotFound),
]
"""The alert named in the path, as `queries.find` reads it; else 404."""


async def _alert_to_change(found: AlertInPath, tx: Transaction) -> models.DropoutAlert:
    key = (found["id"], found["home_county"])
    alert = await tx.session.get(models.DropoutAlert, key, with_for_update=True)
    if alert is None:
        raise DropoutAlertNotFound
    return alert


AlertToChange = Annotated[models.DropoutAlert, Depends(_alert_to_change)]
"""The alert named in the path, held for a change."""
