"""Agencies to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Agencies",
    4,
    "机构、学校、岗位及任职人员。",
    "Agencies, schools, posts and who holds them.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "agencies:read",
    "读取机构、岗位及任职人员",
    "Read agencies, posts and who holds them",
    personal=False,
)
WRITE = AREA.scope(
    "agencies:write",
    "登记机构、岗位及任职",
    "Register agencies, posts and holdings",
    personal=False,
)
