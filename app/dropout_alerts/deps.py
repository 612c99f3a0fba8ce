"""Scopes of dropout alerts, and the alert a path names."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path

from app.access.deps import authenticated, needs
from app.access.principal import Principal
from app.core.http.routing import Transaction
from app.core.problems import Problem
from app.dropout_alerts import models, queries
from app.dropout_alerts.area import DECIDE, READ, WRITE

ReadsDropoutAlerts = Annotated[Principal, needs(READ)]
WritesDropoutAlerts = Annotated[Principal, needs(WRITE)]
DecidesDropoutAlerts = Annotated[Principal, needs(DECIDE)]


class DropoutAlertNotFound(Problem):
    """No such alert, or none the caller may know of: the same answer (AZ-3)."""

    status = 404
    title = "No such dropout alert"
    title_zh = "没有这条辍学预警"
    denies = True


async def _alert_in_path(
    alert_id: Annotated[UUID, Path(description="The alert's id.")],
    tx: Transaction,
    principal: Annotated[Principal, Depends(authenticated)],
) -> dict[str, Any]:
    alert = await queries.find(tx, principal, alert_id)
    if alert is None:
        raise DropoutAlertNotFound
    return alert


async def _alert_to_change(
    found: Annotated[dict[str, Any], Depends(_alert_in_path)], tx: Transaction
) -> models.DropoutAlert:
    alert = await tx.session.get(models.DropoutAlert, found["id"], with_for_update=True)
    if alert is None:
        raise DropoutAlertNotFound
    return alert


AlertInPath = Annotated[dict[str, Any], Depends(_alert_in_path)]
"""The alert named in the path, as `queries.find` reads it; else 404."""

AlertToChange = Annotated[models.DropoutAlert, Depends(_alert_to_change)]
"""The alert named in the path, held for a change."""
