"""Scopes of attendance, and what its paths and headers name."""

import re
from typing import Annotated

from fastapi import Depends, Header

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.attendance import queries
from app.attendance.area import READ, WRITE
from app.core.problems import Problem

ReadsAttendance = Annotated[Principal, needs(READ)]
WritesAttendance = Annotated[Principal, needs(WRITE)]

_HANDLING_STRICT = re.compile(r"(?:^|,)\s*handling\s*=\s*\"?strict\b", re.IGNORECASE)


class BatchNotFound(Problem, status=404, denies=True):
    """No such batch, or another school's: the same answer (AZ-3)."""

    title = "No such attendance batch"
    title_zh = "没有这个考勤批次"


_BATCH = ("batch_id", "The batch's id, from the answer to the push.")

BatchInPath = Annotated[bytes, named_in_path(*_BATCH, queries.batch_answer, BatchNotFound)]
"""What was answered to the batch named in the path; else 404."""


async def _strict(
    prefer: Annotated[
        str | None,
        Header(
            max_length=200,
            pattern=r"^[ -~]+$",
            description="`handling=strict`: all events or none (RFC 7240).",
            examples=["handling=strict"],
        ),
    ] = None,
) -> bool:
    return _HANDLING_STRICT.search(prefer or "") is not None


StrictHandling = Annotated[bool, Depends(_strict)]
"""True if the caller prefers all or nothing."""
