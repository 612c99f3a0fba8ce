"""What happens to clients."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from app.core.jobs.events import Event


class KeysEnding(Event):
    """The keys of a client end in a month, or in a week: register others. Its agency is told."""

    wire_name: ClassVar[str] = "access.keys_ending"
    subject: ClassVar[str] = "client"
    until: datetime = Field(description="When they end.")
