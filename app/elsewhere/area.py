"""Looks from elsewhere to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "A desk elsewhere",
    17,
    "异地窗口:查询一名儿童是否已建档、应联系谁。",
    "A desk anywhere in the nation asks whether a child is known, and whom to call.",
    lane=areas.Lane.people,
)
LOOK = AREA.scope(
    "elsewhere:look",
    "查询外地儿童是否已建档、应联系谁",
    "Ask whether a child from elsewhere is known, and whom to call",
)
READ = AREA.scope(
    "elsewhere:read",
    "查看本机构的异地查询,以及谁查询过本辖区儿童",
    "Read what your agency asked, and who asked for children of your remit",
)
