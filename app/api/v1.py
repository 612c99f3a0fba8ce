"""Every router of the API."""

from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

from app import wiring
from app.access.account_router import router as account
from app.access.approvals_router import router as approvals
from app.access.device_router import router as device
from app.access.oauth_router import router as oauth
from app.access.sign_in_router import router as sign_in
from app.api.agencies import router as agencies
from app.api.audit import router as audit
from app.api.health import router as health
from app.api.posts import router as posts
from app.api.problem_pages import router as problem_pages
from app.api.reference import places, rulebook
from app.police_reports.case_router import router as cases

_CALLED_MOST = (
    *("children", "visits", "attendance", "dropout_alerts", "police_reports", "duties"),
    "webhooks",
)
"""The framework tries routers in turn, and these first."""


def _of_packages() -> list[APIRouter]:
    packages = wiring.packages()  # before any router: what one package adds, another's list offers
    found = {
        name: import_module(f"app.{name}.router").router
        for name in (*_CALLED_MOST, *packages)
        if find_spec(f"app.{name}.router")
    }
    return [*found.values()]


ROUTERS: list[APIRouter] = [
    *_of_packages(),
    cases,
    places,
    rulebook,
    agencies,
    posts,
    audit,
    approvals,
]
"""Under /v1, as each says: those of the packages with an `area.py`, and those that stand here."""

PUBLIC_ROUTERS: list[APIRouter] = [oauth, sign_in, account, device, health, problem_pages]
"""At the root: sign-in, discovery, probes."""
