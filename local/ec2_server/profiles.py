"""Route 53 Profiles, which moto does not have: the associations of profiles, and the two lists that gatewatch reads.

A profile exists as soon as something is associated with it.
"""

import json
import urllib.parse
import uuid
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from local.ec2_server.accounts import Caller

PAGE_SIZE = 1
"""Small on purpose: two associations take two pages."""


@dataclass
class Profiles:
    """The associations of each account and Region."""

    _of_vpcs: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    _of_resources: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def clear(self) -> None:
        """Removes all associations."""
        self._of_vpcs.clear()
        self._of_resources.clear()

    def answer(self, request: Request, body: bytes, caller: Caller) -> Response | None:
        """Returns the answer to a call; nothing if it is a call to another service."""
        place = (caller.account, caller.region)
        match [urllib.parse.unquote(part) for part in request.path.split("/")[1:]]:
            case ["profileassociation"]:
                return _added(self._of_vpcs.setdefault(place, []), "ProfileAssociation", body)
            case ["profileresourceassociation"]:
                return _added(self._of_resources.setdefault(place, []), "ProfileResourceAssociation", body)
            case ["profileassociations"]:
                wanted = {"ResourceId": request.args.get("resourceId")}
                return _page(self._of_vpcs.get(place, []), "ProfileAssociations", wanted, request)
            case ["profileresourceassociations", "profileid", profile]:
                wanted = {"ProfileId": profile}
                return _page(self._of_resources.get(place, []), "ProfileResourceAssociations", wanted, request)
        return None


def _added(associations: list[dict[str, Any]], name: str, body: bytes) -> Response:
    association = json.loads(body) | {"Status": "COMPLETE"}
    associations.append(association)
    return _json({name: association})


def _page(associations: list[dict[str, Any]], name: str, wanted: dict[str, str | None], request: Request) -> Response:
    """Returns those that have the wanted values, from the one on that the token names. `None`: any value."""
    found = [each for each in associations if all(value in (None, each[key]) for key, value in wanted.items())]
    begin = int(request.args.get("nextToken", 0))
    end = begin + PAGE_SIZE
    token = {"NextToken": str(end)} if end < len(found) else {}
    return _json({name: found[begin:end]} | token)


def _json(answer: dict[str, Any]) -> Response:
    request_id = {"x-amzn-RequestId": str(uuid.uuid4())}
    return Response(json.dumps(answer), content_type="application/json", headers=request_id)
