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

APPROVALS = areas.area(
    "Approvals",
    21,
    "须由两人行使的权力:提出、批准、使用,以及事后复核。",
    "What takes two people: proposed, decided and used; and what one did alone, reviewed.",
    lane=areas.Lane.people,
)
READ_APPROVALS = APPROVALS.scope(
    "approvals:read",
    "读取本机构提出、涉及本机构或由您决定的审批和复核",
    "Read approvals and reviews that your agency asked for, that concern it or that you decide",
    personal=False,
)
WRITE_APPROVALS = APPROVALS.scope(
    "approvals:write",
    "提出、决定和撤回审批,复核他人单独行使的权力",
    "Propose, decide and withdraw approvals, and review what another did alone",
    personal=False,
)
