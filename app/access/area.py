"""Access to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Access",
    chapter=1,
    zh="令牌代表谁,能做什么。",
    en="Who the token speaks for, and what it may do.",
)
READ_ME = AREA.scope(
    "me:read", zh="读取当前登录身份", en="Read who you are signed in as", personal=False
)
READ_CLIENTS = AREA.scope(
    "clients:read",
    zh="读取本机构的系统客户端",
    en="Read the machine clients of your agency",
    personal=False,
)
WRITE_CLIENTS = AREA.scope(
    "clients:write",
    zh="登记本机构的系统客户端",
    en="Register machine clients of your agency",
    personal=False,
)
