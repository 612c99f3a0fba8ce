"""Attendance to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Attendance",
    8,
    "学校推送的在籍与缺勤情况。",
    "Enrolment and absence, pushed by schools.",
    lane=areas.Lane.people,
)
READ = AREA.scope("attendance:read", "读取考勤事件和批次", "Read attendance events and batches")
VERIFY = AREA.scope(
    "attendance:verify",
    "核实名在人不在",
    "Say where a child was that is said to be at school and was seen elsewhere",
)
WRITE = AREA.scope(
    "attendance:write", "推送考勤事件", "Push attendance events", lane=areas.Lane.machines
)
