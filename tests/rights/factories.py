"""Requests about a child's data, as people make them."""

from tests.access.approving import REASON
from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE
from tests.rights.matrix import a_request


async def post(client, caller, path, body=None, if_match=None):
    headers = {**caller.headers, **({"if-match": if_match} if if_match else {})}
    return await client.post(f"/v1{path}", json=body, headers=headers)


async def shown(client, caller, path):
    answer = await client.get(f"/v1{path}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer):
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def a_filed_child(client, caller, **sections):
    answer = await post(client, caller, "/children", a_file(VILLAGE, **sections))
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def asked(client, caller, child_id, **fields):
    path = f"/children/{child_id}/rights-requests"
    answer = await post(client, caller, path, a_request(**fields))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def copied(client, caller, request):
    path = f"/rights-requests/{request['id']}/copy"
    answer = await post(client, caller, path, None, f'"{request["version"]}"')
    assert answer.status_code == 200, answer.text
    return answer


async def answered(client, caller, request, **said):
    body = {"outcome": "granted", "words": "合成答复", **said}
    path = f"/rights-requests/{request['id']}/answer"
    return await post(client, caller, path, body, f'"{request["version"]}"')


async def answered_by_two(client, database, settings, caller, request, **said):
    """Answer together with a colleague, as what restricts a file takes."""
    body = {"outcome": "granted", "words": "合成答复", **said}
    path = f"/rights-requests/{request['id']}/answer"
    return await by_two(
        client, database, settings, caller, "answerRightsRequest", path, body, request["version"]
    )


async def by_two(client, database, settings, caller, operation, path, body, version):
    """Do together with a colleague what takes two people and the version one has read."""
    role, read = caller.claims["role"], f'"{version}"'
    place = {"township_supervisor": TOWNSHIP, "civil_affairs": COUNTY}[role]
    colleague = await a_caller(database, settings, role, place, agency_id=caller.agency_id)
    wanted = {"operation": operation, "path": f"/v1{path}", "body": body, "reason": REASON}
    proposed = await post(client, caller, "/approvals", wanted)
    assert proposed.status_code == 201, proposed.text
    decision = f"/approvals/{proposed.json()['id']}/decision"
    said = {"verdict": "approved", "reason": REASON}
    decided = await post(client, colleague, decision, said)
    assert decided.status_code == 200, decided.text
    headers = {**caller.headers, "if-match": read, "approval": proposed.json()["id"]}
    return await client.post(f"/v1{path}", json=body, headers=headers)
