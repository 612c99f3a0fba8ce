"""Who looked at a child's data, as a document that the office prints for who asked (AUD-6).

It is an allow-list, the same for every child and every guardian (ADR 59): looks at the file itself
for everyday purposes, by offices that look after children. Nothing that is done because somebody
reports something is in it, so nothing that is missing tells of a case (AZ-8). A guardian hears of
what kind an office is, not which: where the child is now is not told.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import asyncpg

from app.access.principal import Principal
from app.access.roles import roles
from app.core import printed
from app.core.clock import CHINA
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.rights import schemas
from app.rights.models import AskedBy

_DID: Final[Mapping[str, tuple[str, str]]] = {
    "createChild": ("建立档案", "made the file"),
    "readChild": ("查阅档案", "read the file"),
    "changeChild": ("变更档案", "changed the file"),
    "listChildren": ("在名单中查阅", "saw it in a list"),
    "searchChildren": ("检索到", "found it by a search"),
    "readChildHistory": ("查阅变更记录", "read what was changed"),
    "confirmFile": ("核对档案", "confirmed the file"),
    "recordNotice": ("登记告知", "recorded what a guardian was told"),
    "recordConsent": ("登记同意", "recorded a consent"),
    "copyChildData": ("制作副本", "made a copy"),
}
"""What is told to everybody who asks."""
_BESIDE: Final[Mapping[str, tuple[str, str]]] = {
    "recordVisit": ("登记走访", "recorded a visit"),
    "listChildVisits": ("查阅走访记录", "read of visits"),
    "readVisit": ("查阅走访记录", "read of a visit"),
    "listAttendanceEvents": ("查阅考勤", "read of attendance"),
}
"""What a guardian is not told: it says where the child is, or who is near it."""
_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "care": ("关爱帮扶", "care"),
    "education": ("保障就学", "education"),
    "registration": ("建档登记", "keeping the file"),
    "supervision": ("监督检查", "supervision"),
}
"""Never `protection`."""
_BY: Final = ("village_director", "township_supervisor", "civil_affairs", "school", "school_system")
_ROLES: Final = (*_BY, "education_authority")
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "village_committee": ("村(居)民委员会", "village committee"),
    "township_government": ("乡镇人民政府(街道办事处)", "township government"),
    "civil_affairs": ("民政部门", "civil affairs"),
    "school": ("学校", "school"),
    "education": ("教育行政部门", "education authority"),
}
MOST: Final = 5_000
"""Lines of the document, the most: one that has more says that it begins later."""
_LOOKS: Final = """
SELECT (a.at AT TIME ZONE 'Asia/Shanghai')::date AS day, g.kind, g.name, a.role, a.purpose,
    a.operation, count(*) AS times
FROM audit_entries a JOIN agencies g ON g.id = a.agency_id
WHERE {} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1 DESC, 2, 3, 4, 5, 6 LIMIT {}
"""
_NAMED: Final = "ANY (a.subject_id || a.beside_ids)"
_ABOUT: Final = """a.id = ANY (ARRAY(
    SELECT k.entry_id FROM audit_children k WHERE k.child_ids @> ARRAY[{}::uuid]))"""


async def readers(tx: Tx, principal: Principal, row: asyncpg.Record) -> schemas.ReadersDocument:
    """Make the document that answers a request."""
    for_guardian = row["asked_by"] == AskedBy.guardian
    did = _DID if for_guardian else {**_DID, **_BESIDE}
    codes = principal.region_hi - principal.region_lo
    where = Where(hiding.shown(_NAMED), principal.agency_id, codes, principal.agencies)
    where.add("a.decision <> 'denied' AND a.operation = ANY ({})", [*did])
    where.add("a.role = ANY ({}) AND a.purpose = ANY ({})", [*_ROLES], [*_WHY])
    where.checked().add(_ABOUT, row["child_id"])
    where.add("{}::uuid = ANY (a.child_ids)", row["child_id"])  # as its sealed leaf says (ADR 71)
    async with tx.as_system():
        looks = _LOOKS.format(where, where.bind(MOST + 1))
        all_or_more = await tx.connection.fetch(looks, *where.arguments)
    found = all_or_more[:MOST]
    lines = [
        {
            "day": each["day"].isoformat(),
            "office": _office(each, named=not for_guardian),
            "role": (roles()[each["role"]].name.zh, roles()[each["role"]].name.en),
            "why": _WHY[each["purpose"]],
            "did": did[each["operation"]],
            "times": each["times"],
        }
        for each in found
    ]
    html = printed.page(
        "app.rights",
        "readers",
        child_id=row["child_id"],
        request_id=row["id"],
        made_at=_moment(tx.now),
        lines=lines,
        begins_later=len(all_or_more) > MOST,
    )
    return schemas.ReadersDocument(
        request_id=row["id"],
        child_id=row["child_id"],
        made_at=tx.now,
        since=found[-1]["day"] if found else None,
        html=html,
    )


def _office(look: Mapping[str, Any], *, named: bool) -> tuple[str, str]:
    zh, en = _KINDS[look["kind"]]
    return (f"{zh}:{look['name']}", en) if named else (zh, en)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"
