"""Bring a database to the schema this version of the program needs."""

from pathlib import Path

from alembic.config import Config

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
