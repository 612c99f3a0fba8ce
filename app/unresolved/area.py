"""What cannot be placed yet, to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Unresolved",
    14,
    "已经收到、尚无法归属的内容,有负责人和期限。",
    "What arrived and cannot be placed yet, with an owner and a deadline.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "unresolved:read",
    "读取尚无法归属的内容",
    "Read what arrived and cannot be placed yet",
)
WRITE = AREA.scope(
    "unresolved:write",
    "归属、更正、答复或注销尚无法归属的内容",
    "Attach, correct, answer or dismiss what cannot be placed yet",
)
