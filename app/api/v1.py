"""Every router of the API."""

from fastapi import APIRouter

from app.access.oauth_router import router as oauth
from app.access.router import router as access
from app.access.sign_in_router import router as sign_in
from app.api.agencies import router as agencies
from app.api.audit import router as audit
from app.api.health import router as health
from app.api.problem_pages import router as problem_pages
from app.api.reference import places, rulebook
from app.attendance.router import router as attendance
from app.children.router import router as children
from app.dropout_alerts.router import router as dropout_alerts
from app.duties.router import router as duties
from app.police_reports.router import router as police_reports
from app.visits.router import router as visits
from app.webhooks.router import router as webhooks

ROUTERS: list[APIRouter] = [
    children,
    visits,
    attendance,
    dropout_alerts,
    police_reports,
    duties,
    webhooks,
    access,
    places,
    rulebook,
    agencies,
    audit,
]
"""Under /v1, those that are called most first: the framework tries them in turn."""

PUBLIC_ROUTERS: list[APIRouter] = [
    oauth,
    sign_in,
    health,
    problem_pages,
]
"""At the root: sign-in, discovery, probes."""
