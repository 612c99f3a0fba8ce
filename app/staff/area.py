"""Staff to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Staff",
    22,
    "谁能登录:邀请、停用、重设与登录。",
    "Who can sign in: invited, suspended, reset, and where they are signed in.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "staff:read",
    "读取本机构人员的账号和登录",
    "Read the accounts and sign-ins of your agency's people",
    personal=False,
)
WRITE = AREA.scope(
    "staff:write",
    "邀请、停用人员,重设账号,结束登录",
    "Invite and suspend people, reset their accounts, end their sign-ins",
    personal=False,
)
READ_DEVICES = AREA.scope(
    "devices:read",
    "读取人员已登记的手机",
    "Read the phones that people have enrolled",
    personal=False,
)
WRITE_DEVICES = AREA.scope(
    "devices:write",
    "登记和注销人员的手机",
    "Let people enrol a phone, and revoke it",
    personal=False,
)
