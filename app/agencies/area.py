"""Agencies to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Agencies",
    chapter=4,
    zh="机构、学校、岗位及任职人员。",
    en="Agencies, schools, posts and who holds them.",
)
READ = AREA.scope(
    "agencies:read",
    zh="读取机构、岗位及任职人员",
    en="Read agencies, posts and who holds them",
    personal=False,
)
WRITE = AREA.scope(
    "agencies:write",
    zh="登记机构、岗位及任职",
    en="Register agencies, posts and holdings",
    personal=False,
)
