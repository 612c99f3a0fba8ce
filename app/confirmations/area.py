"""Confirmations of files to the outside: chapter, scopes, and what may be done with one."""

from app.access.acts import Act
from app.children import acts as child
from app.core import areas

AREA = areas.area(
    "Confirmations",
    chapter=15,
    zh="谁在哪天确认档案与实际相符。",
    en="Who confirmed on which day that a file says how it is.",
    lane=areas.Lane.people,
)
READ = AREA.scope("confirmations:read", zh="读取档案确认", en="Read confirmations of files")
WRITE = AREA.scope("confirmations:write", zh="确认档案", en="Confirm files")

ACTS: dict[str, Act] = {}
child.ACTS["listChildConfirmations"] = Act(READ.code)
