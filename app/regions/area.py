"""Regions to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Regions",
    2,
    "行政区划及其沿革。",
    "Administrative divisions over time.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "reference:read",
    "读取区划、代码表和政策参数",
    "Read regions, code lists and policy parameters",
    personal=False,
)
