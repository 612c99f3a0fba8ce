"""Referrals to the outside: chapter, scopes, and what a child's file leads to."""

from app.access.acts import Act
from app.children import acts as child
from app.core import areas

AREA = areas.area(
    "Referrals",
    16,
    "请谁帮助一名儿童、为了什么、期限,以及答复。",
    "Who was asked to help a child, with what, by when, and what they answered.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "referrals:read",
    "读取本机构转介和收到的转介",
    "Read what your agency referred and what was referred to it",
)
WRITE = AREA.scope("referrals:write", "转介、答复和撤销转介", "Refer, answer and take back")
child.ACTS["openReferral"] = Act(WRITE.code)
child.ACTS["listChildReferrals"] = Act(READ.code)
