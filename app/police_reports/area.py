"""Mandatory reports to the outside. Filing and handling them is never told to wait (REL-12)."""

from app.core import areas

AREA = areas.area(
    "Police reports",
    10,
    "从强制报告到为儿童提供服务。",
    "From the mandatory report to services for the child.",
    lane=areas.Lane.reports,
)
READ = AREA.scope(
    "police_reports:read",
    "读取本机构提交、办理或须跟进的报告",
    "Read police reports you filed, handle or must follow up",
    bound_only=True,
)
FILE = AREA.scope(
    "police_reports:file",
    "向公安机关提交强制报告",
    "File a mandatory report to the police",
    never_waits=True,
)
HANDLE = AREA.scope(
    "police_reports:handle",
    "以公安机关身份受理、出警和处置报告",
    "Acknowledge, dispatch and dispose of reports, as the police",
    never_waits=True,
    bound_only=True,
)
RECEIVE = AREA.scope(
    "police_reports:receive",
    "以乡镇身份签收公安通报并评估",
    "Confirm police notices and assess, as the township",
    never_waits=True,
    bound_only=True,
)
MATCH = AREA.scope(
    "police_reports:match",
    "为报告关联儿童档案,确认被指机构,合并同一事件的多份报告",
    "Say which child's file a report is about, whom it accuses, and which reports are about one"
    " event",
    never_waits=True,
    bound_only=True,
)
READ_REPORTERS = AREA.scope(
    "reporters:read",
    "读取报告人身份(公安办案人员)",
    "Read the identity of a reporter (police case officers)",
    bound_only=True,
)
