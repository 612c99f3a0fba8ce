"""Bring a database to the schema this version of the program needs."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic import command

HOME = Path(__file__).resolve().parents[3]


def configuration(owner_url: str | None = None) -> Config:
    """Alembic's configuration, for the owner role's DSN."""
    config = Config(HOME / "alembic.ini")
    config.attributes["owner_url"] = owner_url
    return config


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Run all outstanding migrations. Blocking; call it outside a running event loop."""
    command.upgrade(configuration(owner_url), revision)


def head() -> str | None:
    """Return the newest revision this program knows."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


@cache
def older() -> frozenset[str]:
    """Return every revision this program knows but the newest; read from its files once."""
    known = ScriptDirectory.from_config(configuration()).walk_revisions()
    return frozenset(script.revision for script in known) - {head()}
