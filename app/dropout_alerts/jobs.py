"""What dropout alerts do when attendance comes in."""

from app.attendance.events import AbsencesRecorded
from app.core.data.db import Tx
from app.core.jobs import events
from app.dropout_alerts import reassessment


@events.on(AbsencesRecorded)
async def reassess(tx: Tx, event: AbsencesRecorded) -> None:
    """Open, move and close alerts after a batch."""
    await reassessment.reassess(tx, event)
