"""Checks of staff near children to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Hiring checks",
    27,
    "密切接触未成年人岗位人员的入职查询与每年查询:只记日期和结果。",
    "Staff near children, checked before they come and every year: by date and result alone.",
    lane=areas.Lane.people,
)
READ = AREA.scope(
    "hiring_checks:read",
    "读取本机构或所管机构人员的入职查询结果",
    "Read the results of checks of the people of your agency, or of those you oversee",
)
WRITE = AREA.scope(
    "hiring_checks:write",
    "登记入职查询及其结果",
    "Record that somebody was checked, and the result",
)
