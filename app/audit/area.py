"""Audit to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Audit",
    13,
    "谁因何查看或变更了什么。",
    "Who saw or changed what, and why.",
    lane=areas.Lane.people,
)
READ = AREA.scope("audit:read", "读取谁查看或变更了什么", "Read who saw or changed what")
OF_CHILD = AREA.scope(
    "child_readers:read",
    "查看谁因何查阅过本辖区的一名儿童",
    "Read who saw a child of your remit, and why",
)
