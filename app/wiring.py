"""Import every table, event and job: the schema, what is announced and who hears it are known."""

from importlib import import_module
from importlib.util import find_spec

from app.access import roles
from app.access.scopes import Scope
from app.duties import rulebook

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
    """Import the models, events and jobs of every package, lowest first.

    Raises BadDataFile if the roles or the rules about duties name what does not exist.
    """
    import_module("app.core.http.idempotency")
    import_module("app.core.jobs.events")
    for package in PACKAGES:
        for module in ("models", "events", "jobs"):
            name = f"app.{package}.{module}"
            if find_spec(f"app.{package}") and find_spec(name):
                import_module(name)
    roles.check(roles.file(), set(Scope))
    rulebook.check(rulebook.file())
