"""Regions to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Regions", chapter=2, zh="行政区划及其沿革。", en="Administrative divisions over time."
)
READ = AREA.scope(
    "reference:read",
    zh="读取区划、代码表和政策参数",
    en="Read regions, code lists and policy parameters",
    personal=False,
)
