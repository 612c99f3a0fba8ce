"""Another index key, as after `tonghu keys rotate-index`: what is written by it is new."""

import os
from dataclasses import replace

from app.core.data.db import Database


def rotate(database: Database) -> None:
    ring = database.keyring
    database.keyring = replace(ring, index={os.urandom(2).hex(): os.urandom(32), **ring.index})
