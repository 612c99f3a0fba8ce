"""Import every table and job, so that the schema and the handlers are known."""

from importlib import import_module
from importlib.util import find_spec

PACKAGES = (
    "audit",
    "regions",
    "policy",
    "agencies",
    "access",
    "webhooks",
    "children",
    "duties",
    "attendance",
    "visits",
    "dropout_alerts",
    "police_reports",
)


def load() -> None:
    """Import the models and jobs of every package, lowest first."""
    import_module("app.core.http.idempotency")
    import_module("app.core.jobs.events")
    for package in PACKAGES:
        for module in ("models", "jobs"):
            name = f"app.{package}.{module}"
            if find_spec(f"app.{package}") and find_spec(name):
                import_module(name)
