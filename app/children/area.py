"""Children to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Children",
    5,
    "一人一档:身份、事实、类别、风险与沿革。",
    "The file: identity, facts, categories, risk, history.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "children:read",
    "读取和查询辖区内儿童的档案",
    "Read and search the files of children in your remit",
)
WRITE = AREA.scope(
    "children:write",
    "建立和变更辖区内儿童的档案",
    "Open and change files of children in your remit",
)
