"""Webhooks to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Webhooks",
    11,
    "对已发生事项的签名推送及其投递记录。",
    "Signed deliveries of what happened, and their attempts.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "webhooks:read",
    "读取本机构的推送端点、投递和尝试",
    "Read webhook endpoints, deliveries and attempts of your agency",
    personal=False,
)
WRITE = AREA.scope(
    "webhooks:write",
    "登记和变更本机构的推送端点",
    "Register and change webhook endpoints of your agency",
    personal=False,
)

EVENTS = areas.area(
    "Events",
    12,
    "推送的内容,每类事件一种。",
    "What webhooks deliver, one kind of event each.",
    lane=areas.Lane.people,
)
