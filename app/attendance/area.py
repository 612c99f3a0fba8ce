"""Attendance to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Attendance",
    chapter=8,
    zh="学校推送的在籍与缺勤情况。",
    en="Enrolment and absence, pushed by schools.",
)
READ = AREA.scope(
    "attendance:read", zh="读取考勤事件和批次", en="Read attendance events and batches"
)
WRITE = AREA.scope("attendance:write", zh="推送考勤事件", en="Push attendance events")
