"""Every router of the API, in the order the document shows them."""

from fastapi import APIRouter

from app.access.router import router as access

ROUTERS: list[APIRouter] = [
    access,
]
"""Under /v1."""

PUBLIC_ROUTERS: list[APIRouter] = []
"""At the root: sign-in, discovery, probes."""
