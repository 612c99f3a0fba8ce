"""Children to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Children",
    chapter=5,
    zh="一人一档:身份、事实、类别、风险与沿革。",
    en="The file: identity, facts, categories, risk, history.",
)
READ = AREA.scope(
    "children:read",
    zh="读取和查询辖区内儿童的档案",
    en="Read and search the files of children in your remit",
)
WRITE = AREA.scope(
    "children:write",
    zh="建立和变更辖区内儿童的档案",
    en="Open and change files of children in your remit",
)
