"""Webhooks to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Webhooks",
    chapter=11,
    zh="对已发生事项的签名推送及其投递记录。",
    en="Signed deliveries of what happened, and their attempts.",
)
READ = AREA.scope(
    "webhooks:read",
    zh="读取本机构的推送端点、投递和尝试",
    en="Read webhook endpoints, deliveries and attempts of your agency",
    personal=False,
)
WRITE = AREA.scope(
    "webhooks:write",
    zh="登记和变更本机构的推送端点",
    en="Register and change webhook endpoints of your agency",
    personal=False,
)

EVENTS = areas.area(
    "Events",
    chapter=12,
    zh="推送的内容,每类事件一种。",
    en="What webhooks deliver, one kind of event each.",
)
