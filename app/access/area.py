"""Access to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Access",
    1,
    "令牌代表谁,能做什么。",
    "Who the token speaks for, and what it may do.",
    lane=areas.Lane.people,
)
READ_ME = AREA.scope("me:read", "读取当前登录身份", "Read who you are signed in as", personal=False)
WRITE_ME = AREA.scope("me:write", "结束本人的登录", "End your own sign-ins", personal=False)
READ_CLIENTS = AREA.scope(
    "clients:read",
    "读取本机构的系统客户端",
    "Read the machine clients of your agency",
    personal=False,
)
WRITE_CLIENTS = AREA.scope(
    "clients:write",
    "登记本机构的系统客户端",
    "Register machine clients of your agency",
    personal=False,
)
