"""Corrections of moto's REST APIs, of the same kind as in `moto_fixes`."""

from typing import Any

from moto.apigateway.models import APIGatewayBackend, RestAPI

from local.ec2_server.fix import Example, Fix
from local.environment import ACCOUNT, REGION

ENDPOINTS = "/endpointConfiguration/vpcEndpointIds"


def _change_endpoints() -> None:
    original = RestAPI.apply_patch_operations

    def apply(self: RestAPI, operations: list[dict[str, Any]]) -> None:
        original(self, [each for each in operations if each["path"] != ENDPOINTS])
        ids = self.endpoint_configuration.setdefault("vpcEndpointIds", [])
        for operation in operations:
            if operation["path"] == ENDPOINTS:
                {"add": ids.append, "remove": ids.remove}[operation["op"]](operation["value"])

    RestAPI.apply_patch_operations = apply


def _endpoints_stay(example: Example) -> bool:
    gateway: Any = APIGatewayBackend(REGION, ACCOUNT)
    configuration = {"types": ["PRIVATE"], "vpcEndpointIds": [example.endpoint.id]}
    api = gateway.create_rest_api("example", "", endpoint_configuration=configuration)
    api.apply_patch_operations([{"op": "remove", "path": ENDPOINTS, "value": example.endpoint.id}])
    return bool(api.endpoint_configuration["vpcEndpointIds"])


FIXES = [
    Fix("UpdateRestApi ignores the endpoints of a private API.", _endpoints_stay, _change_endpoints),
]
