"""Systems that will not get in much longer."""

from datetime import timedelta
from typing import Final

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge

_SOON: Final = timedelta(days=7)
_ENDING: Final = """
SELECT count(*) FROM clients WHERE active AND jwks_uri IS NULL AND keys_until BETWEEN $1 AND $2
"""


@gauge("tonghu_client_keys_ending", "Systems whose own keys end within seven days.", keep=60.0)
async def ending(tx: Tx) -> list[Sample]:
    return [((), await tx.connection.fetchval(_ENDING, tx.now, tx.now + _SOON))]
