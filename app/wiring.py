"""Import every table, event and job: the schema, what is announced and who hears it are known."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import app
from app.access import roles
from app.consents import grounds
from app.core import areas
from app.core.data import retention
from app.core.jobs import events
from app.duties import rulebook
from app.policy import clauses, codelists, parameters
from app.policy import queries as policy
from app.rights import copies, copying


def packages() -> list[str]:
    """Read what packages say in `area.py` that they are to the outside; return their names.

    No other package is imported: a web process holds neither the commands nor the worker.
    """
    named = sorted(area.parent.name for area in Path(app.__path__[0]).glob("*/area.py"))
    for name in named:
        import_module(f"app.{name}.area")
    return named


def load() -> None:
    """Import what every package says of itself, its models, events and jobs. Raises BadDataFile if
    a file of roles, rules about duties, policy, clauses or code lists names what does not exist,
    and BadEvent if a job waits for such an event.
    """
    import_module("app.core.data.hiding")
    import_module("app.core.data.key_checks")
    import_module("app.backup.models")
    import_module("app.backup.figures")
    import_module("app.children.reindexing")
    import_module("app.access.approvals.models")
    import_module("app.core.http.idempotency")
    import_module("app.core.jobs.events")
    for package in packages():
        for module in ("models", "events", "jobs", "facts", "owing", "figures", "verifying"):
            if find_spec(f"app.{package}.{module}"):
                import_module(f"app.{package}.{module}")
    events.check()
    roles.check(roles.file(), areas.scopes())
    grounds.check(grounds.file(), roles.FIELD_GROUPS, areas.scopes().values())
    copies.check(copies.file(), copying.CHAPTERS)
    rulebook.check(rulebook.file())
    parameters.check(parameters.file(), parameters.demo_file())
    codelists.check(codelists.file(), policy.parameters())
    clauses.check(clauses.file(), policy.parameters())
    for kind in retention.KINDS.values():
        if kind.parameter not in policy.parameters():
            raise parameters.file().refusal(
                ("parameters",),
                f"add {kind.parameter}: for how many days rows of {kind.table} are kept, and by"
                " which law; retention.keep, beside its model, asks for it",
            )
        policy.require(kind.parameter)
