"""Each figure that lies in the database, over the same register: they are asked for every few
seconds, also when all is at its worst.
"""

from app.core.data.db import SYSTEM
from app.core.data.gauges import GAUGES
from tests.conftest import PinnedDatabase
from tests.plans.judging import Watch
from tests.plans.telling import Asked


async def read_each(database: PinnedDatabase, watch: Watch, only: str) -> list[Asked]:
    """Read every figure once."""
    found = []
    for name, gauge in sorted(GAUGES.items()):
        if only not in name:
            continue
        watch.taken()
        watch.on = True
        async with database.begin(SYSTEM) as tx:
            await gauge.read(tx)
        watch.on = False
        found.append(Asked(f"figure {name}", "", 200, watch.taken()))
    return found
