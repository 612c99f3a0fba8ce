"""Policy to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Policy",
    3,
    "按地区和日期生效的参数、其条文依据及代码表。",
    "Parameters by region and date, the clauses they come from, and code lists.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "policy:read", "读取政策参数和条文", "Read policy parameters and clauses", personal=False
)
