"""Requests about a child's data to the outside: chapter, scopes, and what a file leads to."""

from app.access.acts import Act
from app.children import acts as child
from app.core import areas

AREA = areas.area(
    "Rights",
    chapter=25,
    zh="查阅、复制、更正、转移、删除儿童信息的请求、期限和答复。",
    en="Requests to see, copy, correct, take along or delete a child's data, by when, and answers.",
    lane=areas.Lane.people,
)
READ = AREA.scope("rights:read", zh="读取个人信息权利请求", en="Read requests about a child's data")
FILE = AREA.scope(
    "rights:file", zh="受理个人信息权利请求", en="Take down requests about a child's data"
)
ANSWER = AREA.scope(
    "rights:answer", zh="答复个人信息权利请求", en="Answer requests about a child's data"
)
child.ACTS["fileRightsRequest"] = Act(FILE.code)
child.ACTS["listChildRightsRequests"] = Act(READ.code)
