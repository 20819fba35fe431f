"""Corrections of moto's interface endpoints and of their services, of the same kind as in `moto_fixes`.

The fields are those of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html.
"""

import inspect
import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint
from moto.ec2.responses.vpcs import VPCs

from local.ec2_server.fix import S3, Example, Fix
from local.environment import REGION

INBOUND_ONLY = "PrivateDnsOnlyForInboundResolverEndpoint"
HAVE_BOTH_TYPES = (".s3", ".dynamodb")
"""The ends of the names of services with gateway endpoints and interface endpoints. Only they have that option."""


def _is_interface(endpoint_type: str | None) -> bool:
    return str(endpoint_type).lower() == "interface"


def _interface_endpoint(example: Example) -> Any:
    return example.ec2.create_vpc_endpoint(example.vpc, S3, "Interface", None, [])


def _is_ignored(call: str, parameter: str) -> bool:
    return parameter not in inspect.signature(getattr(VPCBackend, call)).parameters


# --- DnsOptions -------------------------------------------------------------------------------------------------------


def _keep_dns_options() -> None:
    create, modify = VPCs.create_vpc_endpoint, VPCs.modify_vpc_endpoint

    def create_with_options(self: Any) -> ActionResult:
        if not _is_interface(self._get_param("VpcEndpointType")):
            return create(self)
        is_private = self._get_bool_param("PrivateDnsEnabled", if_none=True)
        vpc, service = self._get_param("VpcId"), self._get_param("ServiceName")
        options = _dns_options(self, {}, vpc, service, is_private)
        answer = create(self)
        answer.result["VpcEndpoint"].dns_options = options
        return answer

    def modify_with_options(self: Any) -> ActionResult:
        endpoint = self.ec2_backend.get_vpc_end_point(self._get_param("VpcEndpointId"))
        if not _is_interface(endpoint.vpc_endpoint_type):
            return modify(self)
        is_private = self._get_bool_param("PrivateDnsEnabled", if_none=endpoint.private_dns_enabled)
        options = _dns_options(self, endpoint.dns_options, endpoint.vpc_id, endpoint.service_name, is_private)
        answer = modify(self)
        endpoint.dns_options = options
        return answer

    VPCs.create_vpc_endpoint, VPCs.modify_vpc_endpoint = create_with_options, modify_with_options


def _dns_options(call: Any, before: dict[str, Any], vpc: str, service: str, is_private: bool) -> dict[str, Any]:
    """Returns the options that the endpoint has after the call; refuses what EC2 refuses."""
    options = {"DnsRecordIpType": "ipv4"} | before | dict(call._get_param("DnsOptions") or {})
    if is_private and service.endswith(HAVE_BOTH_TYPES):
        # EC2 turns the option on if nobody names it: https://github.com/hashicorp/terraform-provider-aws/issues/31117
        options.setdefault(INBOUND_ONLY, True)
    if options.get(INBOUND_ONLY) and not before.get(INBOUND_ONLY) and not _has_gateway(call.ec2_backend, vpc, service):
        raise EC2ClientError(
            "InvalidParameter",
            f"To set {INBOUND_ONLY} to true, the VPC {vpc} must have a Gateway endpoint for the service.",
        )
    return options


def _has_gateway(ec2: Any, vpc: str, service: str) -> bool:
    endpoints = (each for each in ec2.vpc_end_points.values() if (each.vpc_id, each.service_name) == (vpc, service))
    return any(each.vpc_endpoint_type == "Gateway" for each in endpoints)


def _endpoint_has_no_dns_options(example: Example) -> bool:
    return not hasattr(_interface_endpoint(example), "dns_options")


# --- PrivateDnsEnabled, IpAddressType and ResetPolicy -----------------------------------------------------------------


def _change_private_dns() -> None:
    original = VPCs.modify_vpc_endpoint

    def modify(self: Any) -> ActionResult:
        endpoint = self.ec2_backend.get_vpc_end_point(self._get_param("VpcEndpointId"))
        answer = original(self)
        endpoint.private_dns_enabled = self._get_bool_param("PrivateDnsEnabled", if_none=endpoint.private_dns_enabled)
        return answer

    VPCs.modify_vpc_endpoint = modify


def _private_dns_is_ignored(_: Example) -> bool:
    return _is_ignored("modify_vpc_endpoint", "private_dns_enabled")


def _keep_address_type() -> None:
    create, original = VPCs.create_vpc_endpoint, VPCs.modify_vpc_endpoint

    def create_with_type(self: Any) -> ActionResult:
        answer = create(self)
        endpoint = answer.result["VpcEndpoint"]
        by_default = "ipv4" if _is_interface(endpoint.vpc_endpoint_type) else None
        endpoint.ip_address_type = self._get_param("IpAddressType", by_default)
        return answer

    def modify(self: Any) -> ActionResult:
        endpoint = self.ec2_backend.get_vpc_end_point(self._get_param("VpcEndpointId"))
        answer = original(self)
        endpoint.ip_address_type = self._get_param("IpAddressType", endpoint.ip_address_type)
        return answer

    VPCs.create_vpc_endpoint, VPCs.modify_vpc_endpoint = create_with_type, modify


def _address_type_is_ignored(example: Example) -> bool:
    return not hasattr(_interface_endpoint(example), "ip_address_type")


def _reset_policies() -> None:
    original = VPCs.modify_vpc_endpoint

    def modify(self: Any) -> ActionResult:
        endpoint = self.ec2_backend.get_vpc_end_point(self._get_param("VpcEndpointId"))
        answer = original(self)
        if self._get_bool_param("ResetPolicy"):
            endpoint.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY)
        return answer

    VPCs.modify_vpc_endpoint = modify


def _reset_is_ignored(_: Example) -> bool:
    return _is_ignored("modify_vpc_endpoint", "reset_policy")


# --- Groups -----------------------------------------------------------------------------------------------------------


def _give_endpoints_the_default_group() -> None:
    original = VPCBackend.create_vpc_endpoint

    def create(self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> VPCEndPoint:
        endpoint = original(self, vpc_id, *args, **kwargs)
        if _is_interface(endpoint.vpc_endpoint_type) and not endpoint.security_group_ids:
            endpoint.security_group_ids = [self.get_default_security_group(vpc_id).id]
        return endpoint

    VPCBackend.create_vpc_endpoint = create


def _endpoint_has_no_group(example: Example) -> bool:
    return not _interface_endpoint(example).groups


def _let_default_groups_admit_themselves() -> None:
    original = SecurityGroupBackend.create_security_group

    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        group = original(self, *args, **kwargs)
        if group.is_default:
            members = [{"GroupId": group.id}]
            self.authorize_security_group_ingress(group.id, "-1", None, None, [], source_groups=members)
        return group

    SecurityGroupBackend.create_security_group = create


def _default_group_admits_nobody(example: Example) -> bool:
    return not example.ec2.get_default_security_group(example.vpc).ingress_rules


# --- DescribeVpcEndpointServices --------------------------------------------------------------------------------------


def _name_zones_by_id() -> None:
    original = VPCBackend.describe_vpc_endpoint_services
    ids = {zone.name: zone.zone_id for zones in RegionsAndZonesBackend.zones.values() for zone in zones}

    def describe(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        answer: dict[str, Any] = original(self, *args, **kwargs)
        details = [
            service | {"AvailabilityZoneIds": [ids[zone] for zone in service["AvailabilityZones"]]}
            for service in answer["servicesDetails"]
        ]
        return answer | {"servicesDetails": details}

    VPCBackend.describe_vpc_endpoint_services = describe


def _services_have_no_zone_ids(example: Example) -> bool:
    answer = example.ec2.describe_vpc_endpoint_services([], [], 1, None, REGION)
    return "AvailabilityZoneIds" not in answer["servicesDetails"][0]


def _filter_services_by_name() -> None:
    original = VPCBackend.describe_vpc_endpoint_services

    def describe(self: Any, service_names: list[str], filters: Any, **kwargs: Any) -> dict[str, Any]:
        # moto looks for the values of a filter under `Value`.
        readable = [{"Value": each["Values"], **each} for each in filters]
        answer: dict[str, Any] = original(self, service_names, readable, **kwargs)
        return answer

    VPCBackend.describe_vpc_endpoint_services = describe


def _services_cannot_be_filtered_by_name(example: Example) -> bool:
    filters = [{"Name": "service-name", "Values": [S3]}]
    try:
        example.ec2.describe_vpc_endpoint_services([], filters, 1, None, REGION)
    except KeyError:
        return True
    return False


FIXES = [
    Fix(
        "An interface endpoint has no DnsOptions: CreateVpcEndpoint and ModifyVpcEndpoint ignore them. EC2 "
        "also refuses the option for inbound Resolver endpoints in a VPC without a gateway endpoint.",
        _endpoint_has_no_dns_options,
        _keep_dns_options,
    ),
    Fix(
        "ModifyVpcEndpoint ignores PrivateDnsEnabled.",
        _private_dns_is_ignored,
        _change_private_dns,
    ),
    Fix(
        "An endpoint has no IpAddressType: CreateVpcEndpoint and ModifyVpcEndpoint ignore it.",
        _address_type_is_ignored,
        _keep_address_type,
    ),
    Fix(
        "ModifyVpcEndpoint ignores ResetPolicy.",
        _reset_is_ignored,
        _reset_policies,
    ),
    Fix(
        "An interface endpoint that is created without a security group has none. EC2 gives it the default group.",
        _endpoint_has_no_group,
        _give_endpoints_the_default_group,
    ),
    Fix(
        "The default group of a VPC admits nobody. In EC2 it admits its own members.",
        _default_group_admits_nobody,
        _let_default_groups_admit_themselves,
    ),
    Fix(
        "DescribeVpcEndpointServices names zones by their names only, not by their ids.",
        _services_have_no_zone_ids,
        _name_zones_by_id,
    ),
    Fix(
        "DescribeVpcEndpointServices ends with an internal error if it has a filter by `service-name`.",
        _services_cannot_be_filtered_by_name,
        _filter_services_by_name,
    ),
]
