"""Changes that break an endpoint, one for each kind of defect, and what the checks must say about each.

The expectations are those of the tables at the head of `src/checks/*/rule.rs`.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from local.cloud import Cloud
from local.environment import ACCOUNT, REGION
from local.networks import (
    BOUNDED_POLICY,
    DYNAMODB,
    EXECUTE_API,
    FOR_ALL_REQUESTS,
    ONLY_INBOUND,
    S3,
    SSM,
    Builder,
    build_shop,
    https_from,
)

DEFAULT_CHECKS = ("gateway-route", "dns-bypass", "endpoint-dns", "endpoint-access", "endpoint-state")
EC2_CHECKS = (*DEFAULT_CHECKS, "endpoint-zones", "endpoint-policy")
"""The checks that read EC2 alone."""
ALL_CHECKS = (*EC2_CHECKS, "endpoint-private-dns", "required-endpoints", "private-api")
"""The checks that are available."""
ORGANIZATION = "o-gatewatch01"

EVERYTHING = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
ERROR = {"Code": "InsufficientAddresses", "Message": "The subnet has no free address."}


def policy(**condition: Any) -> str:
    """Returns the policy that allows everything under a condition on one key: `policy(**{key: value})`."""
    statement: dict[str, Any] = EVERYTHING | ({"Condition": {"StringEquals": condition}} if condition else {})
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


SHOP_FINDINGS = 4
"""The number of findings that the default checks have about `build_shop_with_endpoint`."""


def build_shop_with_endpoint(ec2: Any) -> str:
    """Builds the demo's network with an endpoint that admits only its own group; returns the VPC's id.

    So there are findings of both kinds: three about route tables and one about an endpoint.
    """
    build, vpc = Builder(ec2), build_shop(ec2)
    subnet = build.subnet("endpoints", vpc, "10.20.30.0/24", "a")
    build.interface_endpoint(SSM, vpc, subnet, SecurityGroupIds=[])
    return vpc


def api_policy(**condition: str) -> str:
    """Returns the policy of a REST API that admits everyone under a condition: `api_policy(**{key: value})`."""
    statement: dict[str, Any] = EVERYTHING | {"Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    statement |= {"Condition": {"StringEquals": condition}} if condition else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create_private_api(cloud: Cloud, name: str, endpoint: str, resource_policy: str) -> str:
    """Creates a private REST API that names this endpoint; returns its id."""
    configuration = {"types": ["PRIVATE"], "vpcEndpointIds": [endpoint]}
    gateway = cloud.client("apigateway")
    return str(gateway.create_rest_api(name=name, endpointConfiguration=configuration, policy=resource_policy)["id"])


def create_zone(cloud: Cloud, name: str, vpc: str) -> None:
    """Creates a private hosted zone of a VPC."""
    cloud.client("route53").create_hosted_zone(
        Name=name,
        VPC={"VPCId": vpc, "VPCRegion": REGION},
        HostedZoneConfig={"PrivateZone": True},
        CallerReference=str(uuid.uuid4()),
    )


def forward(cloud: Cloud, domain: str, vpc: str) -> None:
    """Creates a Resolver rule that forwards a domain for a VPC."""
    resolver = cloud.client("route53resolver")
    rule = resolver.create_resolver_rule(
        CreatorRequestId=str(uuid.uuid4()),
        Name="forward",
        RuleType="FORWARD",
        DomainName=domain,
        TargetIps=[{"Ip": "10.25.0.10", "Port": 53}],
    )
    resolver.associate_resolver_rule(ResolverRuleId=rule["ResolverRule"]["Id"], VPCId=vpc, Name="forward")


@dataclass(frozen=True)
class Spokes:
    """VPCs without an endpoint for SSM, a hub with one, and two private REST APIs. Nothing else is wrong there."""

    served: str
    """The VPC with a private hosted zone for the name of SSM."""
    forwarded: str
    """The VPC with a Resolver rule that may forward this name."""
    profiled: str
    """The VPC with a profile in which there is the hub's endpoint for SSM."""
    hub_endpoint: str
    open_api: str
    bounded_api: str

    @classmethod
    def built(cls, build: Builder, cloud: Cloud) -> "Spokes":
        """Builds them."""
        blocks = {"served": "10.24", "forwarded": "10.25", "profiled": "10.26", "hub": "10.27"}
        served, forwarded, profiled, hub = (_spoke(build, name, block) for name, block in blocks.items())

        create_zone(cloud, f"ssm.{REGION}.amazonaws.com", served)
        forward(cloud, "amazonaws.com", forwarded)

        def endpoint_for(service: str) -> str:
            [subnet] = build.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [hub]}])["Subnets"]
            return build.interface_endpoint(service, hub, subnet["SubnetId"], PolicyDocument=BOUNDED_POLICY)

        hub_endpoint = endpoint_for(SSM)
        profiles, profile = cloud.client("route53profiles"), {"Name": "hub", "ProfileId": "rp-0a1b2c3d4e5f60001"}
        profiles.associate_profile(ResourceId=profiled, **profile)
        arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-endpoint/{hub_endpoint}"
        profiles.associate_resource_to_profile(ResourceArn=arn, **profile)

        endpoint = endpoint_for(EXECUTE_API)
        open_api = create_private_api(cloud, "open", endpoint, api_policy())
        bounded = create_private_api(cloud, "bounded", endpoint, api_policy(**{"aws:SourceVpc": served}))
        return cls(served, forwarded, profiled, hub_endpoint, open_api, bounded)


def _spoke(build: Builder, name: str, block: str) -> str:
    vpc = build.vpc(name, f"{block}.0.0/16")
    build.subnet(f"{name}-a", vpc, f"{block}.0.0/24", "a")
    for service in (S3, DYNAMODB):
        build.gateway_endpoint(service, vpc, [build.main_table(vpc)], PolicyDocument=BOUNDED_POLICY)
    return vpc


@dataclass(frozen=True)
class Site:
    """A VPC in which every check finds everything in order."""

    build: Builder
    vpc: str
    group: str
    """The security group of both interface endpoints."""
    gateway: str
    """The gateway endpoint for S3."""
    s3: str
    """The interface endpoint for S3."""
    ssm: str
    """The interface endpoint for Systems Manager."""

    @classmethod
    def built(cls, build: Builder, name: str = "endpoints", group: str = "endpoints", block: str = "10.60") -> "Site":
        """Builds it: two subnets in one zone, both gateway endpoints, and an interface endpoint for S3 and for SSM."""
        vpc = build.vpc(name, f"{block}.0.0/16")
        subnet, _ = (build.subnet(name, vpc, f"{block}.{number}.0/24", "a") for number in (1, 2))
        gateway, _ = (build.gateway_endpoint(service, vpc, [build.main_table(vpc)]) for service in (S3, DYNAMODB))
        group = build.group_admitting_vpc(vpc, group)
        arguments: dict[str, Any] = {"SecurityGroupIds": [group], "PolicyDocument": BOUNDED_POLICY}
        s3 = build.interface_endpoint(S3, vpc, subnet, DnsOptions=ONLY_INBOUND, **arguments)
        ssm = build.interface_endpoint(SSM, vpc, subnet, **arguments)
        for endpoint in build.ec2.get_paginator("describe_vpc_endpoints").paginate().search("VpcEndpoints[]"):
            if endpoint["VpcId"] == vpc and endpoint["VpcEndpointType"] == "Gateway":
                build.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=BOUNDED_POLICY)
        return cls(build, vpc, group, gateway, s3, ssm)

    @property
    def default_group(self) -> str:
        """The security group that the VPC came with."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "group-name", "Values": ["default"]}]
        return str(self.build.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])

    @property
    def subnets(self) -> list[str]:
        """The subnets of the VPC, sorted by id."""
        return sorted(subnet["SubnetId"] for subnet in self._subnets())

    def subnet_in(self, block: str) -> str:
        """The subnet with this block."""
        [subnet] = [subnet["SubnetId"] for subnet in self._subnets() if subnet["CidrBlock"] == block]
        return str(subnet)

    def _subnets(self) -> list[dict[str, Any]]:
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}]
        pages = self.build.ec2.get_paginator("describe_subnets").paginate(Filters=filters)
        return [subnet for page in pages for subnet in page["Subnets"]]

    def create_ssm(self, name: str = "", **arguments: Any) -> str:
        """Creates one more interface endpoint for SSM. There can be one with private DNS names only."""
        tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": name}]}] if name else []
        mine: dict[str, Any] = {"PolicyDocument": BOUNDED_POLICY, "PrivateDnsEnabled": False, "TagSpecifications": tags}
        return self.build.interface_endpoint(SSM, self.vpc, self.subnet_in("10.60.1.0/24"), **(mine | arguments))


@dataclass(frozen=True)
class Expected:
    """A finding that must be there: its endpoint, the affected subnets and the facts that decided."""

    endpoint: str
    subnets: list[str]
    evidence: dict[str, Any]
    kind: str = "vpc_endpoint"
    """What the subject is, if it is no endpoint."""


@dataclass(frozen=True)
class Problem:
    """A change, and the findings that it must open."""

    check: str
    defect: str
    severity: str
    change: Callable[[Site], list[Expected]]
    event: str
    """The API call that gatewatch must name as the trigger."""
    settings: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Site], None] = lambda _: None
    """What precedes the change and leaves everything in order."""
    cause: str = "fixed"
    """Why the finding is resolved in the end."""
    fix: Callable[[Site], None] | None = None
    """How a person fixes it if no command does."""
    variant: str = ""
    """What distinguishes it from others with the same defect."""

    @property
    def name(self) -> str:
        """The name of the test."""
        return "-".join(part for part in (self.check, self.defect, self.variant) if part)


def _attract_all_requests(site: Site) -> list[Expected]:
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.s3, DnsOptions=FOR_ALL_REQUESTS)
    return [Expected(site.s3, site.subnets, {"gatewayEndpointId": site.gateway, "uncoveredRouteTableIds": []})]


def _delete_gateway(site: Site) -> None:
    site.build.ec2.delete_vpc_endpoints(VpcEndpointIds=[site.gateway])


def _remove_table(site: Site) -> None:
    main = site.build.main_table(site.vpc)
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.gateway, RemoveRouteTableIds=[main])


def _attract_without_gateway(site: Site) -> list[Expected]:
    [expected] = _attract_all_requests(site)
    main = site.build.main_table(site.vpc)
    return [replace(expected, evidence={"gatewayEndpointId": None, "uncoveredRouteTableIds": [main]})]


def _attract_beside_uncovered_table(site: Site) -> list[Expected]:
    [expected] = _attract_all_requests(site)
    main = site.build.main_table(site.vpc)
    return [replace(expected, evidence={"gatewayEndpointId": site.gateway, "uncoveredRouteTableIds": [main]})]


def _turn_dns_support_off(site: Site) -> list[Expected]:
    site.build.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsSupport={"Value": False})
    evidence = {"enableDnsSupport": False, "enableDnsHostnames": True}
    return [Expected(endpoint, site.subnets, evidence) for endpoint in (site.s3, site.ssm)]


def _turn_dns_host_names_off(site: Site) -> list[Expected]:
    site.build.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": False})
    evidence = {"enableDnsSupport": True, "enableDnsHostnames": False}
    return [Expected(endpoint, site.subnets, evidence) for endpoint in (site.s3, site.ssm)]


def _group(group: str, is_default: bool, cidrs: list[str], groups: list[str]) -> dict[str, Any]:
    return {
        "ports": [443],
        "securityGroups": [
            {"id": group, "default": is_default, "cidrs": cidrs, "groupIds": groups, "prefixListIds": []},
        ],
    }


def _admit_nobody(site: Site) -> list[Expected]:
    site.build.ec2.revoke_security_group_ingress(GroupId=site.group, IpPermissions=[https_from("10.60.0.0/16")])
    evidence = _group(site.group, False, [], [])
    return [Expected(endpoint, site.subnets, evidence) for endpoint in (site.s3, site.ssm)]


def narrow_group(build: Builder, group: str, block: str) -> None:
    """Changes the only ingress rule of a security group, so that it admits this block."""
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = build.ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    [rule] = [each["SecurityGroupRuleId"] for each in rules if not each["IsEgress"]]
    narrower = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": block}
    build.ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": narrower}]
    )


def _admit_one_subnet(site: Site) -> list[Expected]:
    narrow_group(site.build, site.group, "10.60.1.0/24")
    evidence = _group(site.group, False, ["10.60.1.0/24"], [])
    return [Expected(endpoint, [site.subnet_in("10.60.2.0/24")], evidence) for endpoint in (site.s3, site.ssm)]


def _name_no_group(site: Site) -> list[Expected]:
    endpoint = site.create_ssm(SecurityGroupIds=[])
    group = site.default_group
    return [Expected(endpoint, site.subnets, _group(group, True, [], [group]))]


def _fail(site: Site) -> list[Expected]:
    endpoint = site.create_ssm(SecurityGroupIds=[site.group], state="failed", error=ERROR)
    evidence = {"state": "failed", "lastError": "{Code}: {Message}".format_map(ERROR), "failureReason": None}
    return [Expected(endpoint, [site.subnet_in("10.60.1.0/24")], evidence)]


def _use_another_zone(site: Site) -> list[Expected]:
    subnet = site.build.subnet("b", site.vpc, "10.60.3.0/24", "b")
    evidence = {"zoneIds": ["euw1-az3"], "missingZoneIds": ["euw1-az1"]}
    return [Expected(endpoint, [subnet], evidence) for endpoint in (site.s3, site.ssm)]


def _be_in_two_zones(site: Site) -> None:
    b = site.build.subnet("b", site.vpc, "10.60.3.0/24", "b")
    for endpoint in (site.s3, site.ssm):
        site.build.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=[b])


def _use_a_third_zone(site: Site) -> list[Expected]:
    c = site.build.subnet("c", site.vpc, "10.60.4.0/24", "c")
    evidence = {"zoneIds": ["euw1-az1", "euw1-az3"], "missingZoneIds": ["euw1-az2"]}
    return [Expected(endpoint, [c], evidence) for endpoint in (site.s3, site.ssm)]


def _open_statement(name: str, principals: str = "open") -> dict[str, Any]:
    return {"principals": principals, "resources": "open", "statements": [name]}


def _reset_policy(site: Site) -> list[Expected]:
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.ssm, ResetPolicy=True)
    return [Expected(site.ssm, [], _open_statement("#1"))]


def _allow_everything(site: Site) -> list[Expected]:
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "Mine", **EVERYTHING}]})
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.ssm, PolicyDocument=document)
    return [Expected(site.ssm, [], _open_statement("Mine"))]


def _name_another_organization(site: Site) -> list[Expected]:
    document = policy(**{"aws:PrincipalOrgID": "o-somebodyelse"})
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.ssm, PolicyDocument=document)
    return [Expected(site.ssm, [], _open_statement("#1", principals="bounded"))]


def _bound_policy(site: Site) -> None:
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.ssm, PolicyDocument=BOUNDED_POLICY)


NAMES_OF_SSM = {"privateDnsNames": [f"ssm.{REGION}.amazonaws.com"]}


def _turn_private_dns_off(site: Site) -> list[Expected]:
    site.build.ec2.modify_vpc_endpoint(VpcEndpointId=site.ssm, PrivateDnsEnabled=False)
    return [Expected(site.ssm, site.subnets, NAMES_OF_SSM)]


def _delete_ssm(site: Site) -> list[Expected]:
    site.build.ec2.delete_vpc_endpoints(VpcEndpointIds=[site.ssm])
    return [Expected(site.vpc, site.subnets, NAMES_OF_SSM, kind="vpc")]


PRIVATE_DNS = {"CHECKS": ",".join([*DEFAULT_CHECKS, "endpoint-private-dns"])}
# The advised command names no security group, so the endpoint would be a finding of `endpoint-access`.
REQUIRED = {"CHECKS": "required-endpoints", "REQUIRED_INTERFACES": "ssm"}
ZONES = {"CHECKS": ",".join([*DEFAULT_CHECKS, "endpoint-zones"])}
POLICY = {"CHECKS": ",".join([*DEFAULT_CHECKS, "endpoint-policy"])}
OF_ORGANIZATION = POLICY | {"ORGANIZATION_ID": ORGANIZATION}


def _about_policy(
    defect: str, severity: str, change: Callable[[Site], list[Expected]], settings: dict[str, str]
) -> Problem:
    variant = "organization" if "ORGANIZATION_ID" in settings else ""
    event = "ModifyVpcEndpoint"
    return Problem("endpoint-policy", defect, severity, change, event, settings, fix=_bound_policy, variant=variant)


def _about_bypass(variant: str, prepare: Callable[[Site], None], change: Callable[[Site], list[Expected]]) -> Problem:
    # The table without a gateway route would be a finding of `gateway-route`.
    alone = {"CHECKS": "dns-bypass"}
    defect, event = "private_dns_for_all_requests", "ModifyVpcEndpoint"
    return Problem("dns-bypass", defect, "HIGH", change, event, alone, prepare, variant=variant)


PROBLEMS = [
    Problem("dns-bypass", "private_dns_for_all_requests", "HIGH", _attract_all_requests, "ModifyVpcEndpoint"),
    _about_bypass("no-gateway-endpoint", _delete_gateway, _attract_without_gateway),
    _about_bypass("uncovered-table", _remove_table, _attract_beside_uncovered_table),
    Problem("endpoint-dns", "vpc_dns_support_off", "HIGH", _turn_dns_support_off, "ModifyVpcAttribute"),
    Problem("endpoint-dns", "vpc_dns_host_names_off", "HIGH", _turn_dns_host_names_off, "ModifyVpcAttribute"),
    Problem("endpoint-access", "no_subnet_admitted", "HIGH", _admit_nobody, "RevokeSecurityGroupIngress"),
    Problem("endpoint-access", "some_subnets_not_admitted", "MEDIUM", _admit_one_subnet, "ModifySecurityGroupRules"),
    Problem("endpoint-access", "default_group_only_members", "MEDIUM", _name_no_group, "CreateVpcEndpoint"),
    Problem("endpoint-state", "endpoint_failed", "MEDIUM", _fail, "CreateVpcEndpoint", cause="endpoint_deleted"),
    Problem("endpoint-zones", "single_zone", "MEDIUM", _use_another_zone, "CreateSubnet", ZONES),
    Problem("endpoint-zones", "zones_missing", "LOW", _use_a_third_zone, "CreateSubnet", ZONES, _be_in_two_zones),
    Problem("endpoint-private-dns", "private_dns_off", "LOW", _turn_private_dns_off, "ModifyVpcEndpoint", PRIVATE_DNS),
    Problem("required-endpoints", "endpoint_missing", "MEDIUM", _delete_ssm, "DeleteVpcEndpoints", REQUIRED),
    _about_policy("default_policy", "LOW", _reset_policy, POLICY),
    _about_policy("open_policy", "MEDIUM", _allow_everything, POLICY),
    _about_policy("default_policy", "HIGH", _reset_policy, OF_ORGANIZATION),
    _about_policy("policy_not_bounded_to_organization", "HIGH", _name_another_organization, OF_ORGANIZATION),
]
