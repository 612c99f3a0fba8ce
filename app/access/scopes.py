"""What a token may be used for. Every operation needs exactly one (AZ-1)."""

from enum import StrEnum


class Scope(StrEnum):
    """`resource:action`. `write` never implies `read` by itself; roles grant both."""

    children_read = "children:read"
    children_write = "children:write"
    visits_read = "visits:read"
    visits_write = "visits:write"
    attendance_read = "attendance:read"
    attendance_write = "attendance:write"
    dropout_alerts_read = "dropout_alerts:read"
    dropout_alerts_write = "dropout_alerts:write"
    dropout_alerts_decide = "dropout_alerts:decide"
    police_reports_read = "police_reports:read"
    police_reports_file = "police_reports:file"
    police_reports_handle = "police_reports:handle"
    police_reports_receive = "police_reports:receive"
    reporters_read = "reporters:read"
    duties_read = "duties:read"
    webhooks_read = "webhooks:read"
    webhooks_write = "webhooks:write"
    reference_read = "reference:read"
    agencies_read = "agencies:read"
    agencies_write = "agencies:write"
    clients_read = "clients:read"
    clients_write = "clients:write"
    policy_read = "policy:read"
    audit_read = "audit:read"
    me_read = "me:read"


DESCRIPTIONS: dict[Scope, str] = {
    Scope.children_read: "Read and search the files of children in your remit",
    Scope.children_write: "Open and change files of children in your remit",
    Scope.visits_read: "Read home visits",
    Scope.visits_write: "Record and correct home visits",
    Scope.attendance_read: "Read attendance events and batches",
    Scope.attendance_write: "Push attendance events",
    Scope.dropout_alerts_read: "Read dropout alerts",
    Scope.dropout_alerts_write: "Register persuasion, written reports and returns as the school",
    Scope.dropout_alerts_decide: "Acknowledge written reports and order measures",
    Scope.police_reports_read: "Read police reports you filed, handle or must follow up",
    Scope.police_reports_file: "File a mandatory report to the police",
    Scope.police_reports_handle: "Acknowledge, dispatch and dispose of reports, as the police",
    Scope.police_reports_receive: "Confirm police notices and assess, as the township",
    Scope.reporters_read: "Read the identity of a reporter (police case officers)",
    Scope.duties_read: "Read who owes what by when",
    Scope.webhooks_read: "Read webhook endpoints, deliveries and attempts of your agency",
    Scope.webhooks_write: "Register and change webhook endpoints of your agency",
    Scope.reference_read: "Read regions, code lists and policy parameters",
    Scope.agencies_read: "Read agencies, posts and who holds them",
    Scope.agencies_write: "Register agencies, posts and holdings",
    Scope.clients_read: "Read the machine clients of your agency",
    Scope.clients_write: "Register machine clients of your agency",
    Scope.policy_read: "Read policy parameters and clauses",
    Scope.audit_read: "Read who saw or changed what",
    Scope.me_read: "Read who you are signed in as",
}
