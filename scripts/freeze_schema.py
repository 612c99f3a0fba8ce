"""Write the first revisions from the models, one a package: `python scripts/freeze_schema.py`.

Only for the time before anything is deployed; afterwards every change is a revision of its own.
Compares the models with an empty database, and adds the grants and row-level security each
`models.py` declares as literal SQL, since a revision never imports the app.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from sqlmodel import SQLModel

from alembic import command
from app import wiring
from app.core.data import migrations, rls
from app.embedded import postgres

VERSIONS = migrations.HOME / "alembic" / "versions"


def main() -> None:
    wiring.load()
    for old in VERSIONS.glob("*.py"):
        old.unlink()
    shm = Path("/dev/shm")  # noqa: S108
    place = (shm if shm.is_dir() else Path("/tmp")) / f"tonghu-freeze-{os.getuid()}"  # noqa: S108
    with postgres.acquire(place, throwaway=True) as lease:
        name = f"freeze_{os.getpid()}"
        superuser = lease.server.superuser_url
        postgres.bootstrap(superuser, name, "x", "x")
        config = migrations.configuration(
            re.sub(r"//[^/]*/[^?]*", f"//{rls.OWNER_ROLE}:x@/{name}", superuser)
        )
        known: set[str] = set()
        for number, (package, tables) in enumerate(_by_package().items(), start=1):
            known |= set(tables)
            _freeze(config, f"{number:04d}", package, tables, known)
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", VERSIONS], check=True)


def _by_package() -> dict[str, list[str]]:
    packages: dict[str, list[str]] = {name: [] for name in ("core", *wiring.packages())}
    for mapper in SQLModel._sa_registry.mappers:  # noqa: SLF001  no public way to the classes
        packages[mapper.class_.__module__.split(".")[1]].append(str(mapper.local_table))
    return {package: sorted(tables) for package, tables in packages.items() if tables}


def _freeze(config: Config, number: str, package: str, tables: list[str], known: set[str]) -> None:
    config.attributes["tables"] = known
    made = command.revision(config, package, autogenerate=True, rev_id=number)
    path = VERSIONS / f"2026_11_22_{number}-{package}.py"
    Path(made.path).rename(path)  # type: ignore[union-attr]
    path.write_text(_finished(path.read_text(), tables))
    command.upgrade(config, "head")


def _finished(text: str, tables: list[str]) -> str:
    """Add the security statements, and make column types stand without the app."""
    text = re.sub(r"Create Date:.*\n|    # ###.*\n", "", text)
    text = text.replace("sqlmodel.sql.sqltypes.AutoString()", "sa.String()")
    text = re.sub(r"app\.core\.columns\.Instant\([^)]*\)", "sa.DateTime(timezone=True)", text)
    text = text.replace("astext_type=Text()", "astext_type=sa.Text()")
    security = "".join(
        f"    op.execute({statement!r})\n"
        for name in tables
        for statement in rls.statements(rls.TABLES[name])
        if not statement.startswith("DROP POLICY")
    )
    # A policy that looks at another table keeps that table from being dropped.
    policies = "".join(
        f"    op.execute({f'DROP POLICY IF EXISTS remit ON {name}'!r})\n"
        for name in tables
        if rls.TABLES[name].using is not None
    )
    head, tail = text.split("def downgrade() -> None:\n", 1)
    return f"{head.rstrip()}\n{security}\n\ndef downgrade() -> None:\n{policies}{tail}"


if __name__ == "__main__":
    main()
