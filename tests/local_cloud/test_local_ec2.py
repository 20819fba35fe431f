"""The local EC2 treats interface endpoints as EC2 does. `local/ec2_server` closes these gaps of moto."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud
from local.networks import FOR_ALL_REQUESTS, ONLY_INBOUND, S3, SSM, Builder
from tests.local_cloud.support.endpoint_problems import narrow_group
from tests.local_cloud.support.event_recorder import record_events

OPTION = "PrivateDnsOnlyForInboundResolverEndpoint"


class Site:
    """A VPC with one subnet."""

    def __init__(self, cloud: Cloud) -> None:
        cloud.empty_the_region()
        self.build = Builder(cloud.client("ec2"))
        self.ec2 = self.build.ec2
        self.vpc = self.build.vpc("local", "10.50.0.0/16")
        self.subnet = self.build.subnet("local-a", self.vpc, "10.50.0.0/24", "a")

    def create(self, service: str, **arguments: Any) -> str:
        """Creates an interface endpoint with these arguments and no others."""
        answer = self.ec2.create_vpc_endpoint(
            VpcEndpointType="Interface", VpcId=self.vpc, ServiceName=service, SubnetIds=[self.subnet], **arguments
        )
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    def modify(self, endpoint: str, **arguments: Any) -> None:
        """Modifies an endpoint."""
        self.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, **arguments)

    def shows(self, endpoint: str, *fields: str) -> list[Any]:
        """Returns what DescribeVpcEndpoints says in these fields. `None`: nothing."""
        [found] = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
        return [found.get(field) for field in fields]


@pytest.fixture
def site(cloud: Cloud) -> Site:
    """The VPC in an otherwise empty Region."""
    return Site(cloud)


def test_an_interface_endpoint_has_ec2s_defaults(site: Site) -> None:
    endpoint = site.create(SSM)

    [group] = site.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [site.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    assert site.shows(endpoint, "Groups", "IpAddressType", "DnsOptions", "PrivateDnsEnabled", "LastError") == [
        [{"GroupId": group["GroupId"], "GroupName": "default"}],
        "ipv4",
        {"DnsRecordIpType": "ipv4"},
        True,
        None,
    ]


def test_the_default_group_admits_only_its_members(site: Site) -> None:
    [group] = site.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [site.vpc]}])["SecurityGroups"]

    [rule] = group["IpPermissions"]
    assert (rule["IpProtocol"], rule["IpRanges"], rule["Ipv6Ranges"]) == ("-1", [], [])
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]


def test_named_groups_replace_the_default_group(site: Site) -> None:
    group = site.build.group_admitting_vpc(site.vpc, "named")

    endpoint = site.create(SSM, SecurityGroupIds=[group])

    assert site.shows(endpoint, "Groups") == [[{"GroupId": group, "GroupName": "named"}]]


def test_the_option_for_inbound_resolvers_needs_a_gateway_endpoint(site: Site) -> None:
    refusal = f"To set {OPTION} to true, the VPC {site.vpc} must have a Gateway endpoint for the service."
    # EC2 turns the option on if nobody names it.
    for arguments in ({}, {"DnsOptions": ONLY_INBOUND}):
        with pytest.raises(ClientError, match=refusal):
            site.create(S3, **arguments)
    assert site.ec2.describe_vpc_endpoints()["VpcEndpoints"] == [], "nothing was created"
    endpoint = site.create(S3, DnsOptions=FOR_ALL_REQUESTS)
    with pytest.raises(ClientError, match=refusal):
        site.modify(endpoint, DnsOptions=ONLY_INBOUND)
    assert site.shows(endpoint, "DnsOptions") == [{"DnsRecordIpType": "ipv4", OPTION: False}]

    site.build.gateway_endpoint(S3, site.vpc, [])

    site.modify(endpoint, DnsOptions=ONLY_INBOUND)
    assert site.shows(endpoint, "DnsOptions") == [{"DnsRecordIpType": "ipv4", OPTION: True}]
    assert site.shows(site.create(S3), "DnsOptions") == [{"DnsRecordIpType": "ipv4", OPTION: True}]


def test_an_endpoint_keeps_what_a_call_changes_and_nothing_else(site: Site) -> None:
    ipv6 = {"DnsRecordIpType": "ipv6"}
    endpoint = site.create(SSM, PrivateDnsEnabled=False, IpAddressType="dualstack", DnsOptions=ipv6)
    fields = ("PrivateDnsEnabled", "IpAddressType", "DnsOptions")
    assert site.shows(endpoint, *fields) == [False, "dualstack", ipv6]

    site.modify(endpoint, PrivateDnsEnabled=True)
    assert site.shows(endpoint, *fields) == [True, "dualstack", ipv6]

    site.modify(endpoint, IpAddressType="ipv4", DnsOptions={"DnsRecordIpType": "ipv4"})
    assert site.shows(endpoint, *fields) == [True, "ipv4", {"DnsRecordIpType": "ipv4"}]


def test_a_policy_can_be_reset(site: Site) -> None:
    own: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
    endpoint, untouched = site.create(SSM, PolicyDocument=json.dumps(own)), site.create(SSM)
    [default] = site.shows(untouched, "PolicyDocument")
    assert site.shows(endpoint, "PolicyDocument") == [json.dumps(own)]

    site.modify(endpoint, ResetPolicy=True)

    assert site.shows(endpoint, "PolicyDocument") == [default]


def test_an_endpoint_can_be_created_with_an_error(site: Site) -> None:
    error = {"Code": "InsufficientAddresses", "Message": "no address is left — 無"}

    endpoint = site.build.interface_endpoint(SSM, site.vpc, site.subnet, state="failed", error=error)

    assert site.shows(endpoint, "State", "LastError") == ["failed", error]
    assert site.shows(site.create(SSM), "State", "LastError") == ["available", None]


def test_a_service_names_its_zones_by_id(site: Site) -> None:
    filters = [{"Name": "service-name", "Values": [SSM]}]
    [service] = site.ec2.describe_vpc_endpoint_services(Filters=filters)["ServiceDetails"]

    [subnet] = site.ec2.describe_subnets(SubnetIds=[site.subnet])["Subnets"]
    zones = dict(zip(service["AvailabilityZones"], service["AvailabilityZoneIds"], strict=True))
    assert service["ServiceName"] == SSM
    assert zones[subnet["AvailabilityZone"]] == subnet["AvailabilityZoneId"]


def test_the_record_of_a_changed_rule_is_wrapped(site: Site, cloud: Cloud) -> None:
    group = site.build.group_admitting_vpc(site.vpc)
    with record_events(cloud, "local-ec2-events") as recorder:
        narrow_group(site.build, group, "10.50.0.0/24")
        [event] = recorder.take(at_least=1, seconds=10)

    [request] = event["detail"]["requestParameters"].values()
    assert list(event["detail"]["requestParameters"]) == ["ModifySecurityGroupRulesRequest"]
    assert request["GroupId"] == group


def test_security_groups_come_in_pages(site: Site) -> None:
    groups = {site.build.group_admitting_vpc(site.vpc) for _ in range(3)}

    pages = list(site.ec2.get_paginator("describe_security_groups").paginate())

    assert len(pages) > 1
    assert groups < {group["GroupId"] for page in pages for group in page["SecurityGroups"]}
