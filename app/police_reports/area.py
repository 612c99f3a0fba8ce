"""Mandatory reports to the outside. Filing and handling them is never told to wait (REL-12)."""

from app.core import areas

AREA = areas.area(
    "Police reports",
    chapter=10,
    zh="从强制报告到为儿童提供服务。",
    en="From the mandatory report to services for the child.",
)
READ = AREA.scope(
    "police_reports:read",
    zh="读取本机构提交、办理或须跟进的报告",
    en="Read police reports you filed, handle or must follow up",
)
FILE = AREA.scope(
    "police_reports:file",
    zh="向公安机关提交强制报告",
    en="File a mandatory report to the police",
    never_waits=True,
)
HANDLE = AREA.scope(
    "police_reports:handle",
    zh="以公安机关身份受理、出警和处置报告",
    en="Acknowledge, dispatch and dispose of reports, as the police",
    never_waits=True,
)
RECEIVE = AREA.scope(
    "police_reports:receive",
    zh="以乡镇身份签收公安通报并评估",
    en="Confirm police notices and assess, as the township",
    never_waits=True,
)
READ_REPORTERS = AREA.scope(
    "reporters:read",
    zh="读取报告人身份(公安办案人员)",
    en="Read the identity of a reporter (police case officers)",
)
