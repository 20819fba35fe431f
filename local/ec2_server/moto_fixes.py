"""Corrections of moto's EC2 where it differs from EC2, made in moto's own classes.

Each correction names the gap that it closes, as seen in moto 5.2.5 and compared with recorded answers and the
documentation of EC2. Before it is applied, the gap is looked for. If moto has closed it, the server does not start:
then remove the correction.
"""

from typing import Any

from moto.ec2.exceptions import FilterNotImplementedError
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint

from local.ec2_server import interface_endpoint_fixes, rest_api_fixes
from local.ec2_server.fix import S3, Example, Fix


def apply_all() -> None:
    """Corrects moto's classes. Called once, before the first request."""
    for fix in ALL:
        if not fix.is_open(Example()):
            raise RuntimeError(f"moto has closed this gap, so its fix can go: {fix.gap}")
    for fix in ALL:
        fix.apply()


# --- An endpoint's type -----------------------------------------------------------------------------------------------


def _give_endpoints_a_type() -> None:
    original = VPCEndPoint.__init__

    def init(self: VPCEndPoint, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.vpc_endpoint_type = self.vpc_endpoint_type or "Gateway"

    VPCEndPoint.__init__ = init


def _endpoint_has_no_type(example: Example) -> bool:
    endpoint = example.ec2.create_vpc_endpoint(example.vpc, S3, None, None, [])
    return not endpoint.vpc_endpoint_type


# --- s3express --------------------------------------------------------------------------------------------------------


def _create_prefix_list_of_s3express() -> None:
    original = VPCBackend.create_vpc_endpoint

    def create(self: Any, vpc_id: str, service_name: str, *args: Any, **kwargs: Any) -> VPCEndPoint:
        names = {prefix_list.prefix_list_name for prefix_list in self.managed_prefix_lists.values()}
        if service_name.endswith(".s3express") and service_name not in names:
            self.create_managed_prefix_list(
                address_family="IPv4", max_entries=1, prefix_list_name=service_name, owner_id="AWS"
            )
        return original(self, vpc_id, service_name, *args, **kwargs)

    VPCBackend.create_vpc_endpoint = create


def _s3express_has_no_prefix_list(example: Example) -> bool:
    lists = example.ec2.managed_prefix_lists.values()
    return not any(each.prefix_list_name.endswith(".s3express") for each in lists)


# --- ModifyVpcEndpoint ------------------------------------------------------------------------------------------------


def _change_routes_with_the_endpoint() -> None:
    original = VPCBackend.modify_vpc_endpoint

    def modify(self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
        # moto calls the endpoint's id `vpc_id`.
        endpoint = self.get_vpc_end_point(vpc_id)
        before = set(endpoint.route_table_ids or [])
        original(self, vpc_id, *args, **kwargs)
        after = set(endpoint.route_table_ids or [])
        prefix_list = endpoint.destination_prefix_list_id
        if not prefix_list:
            return
        for table in sorted(after - before):
            self.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix_list)
        for table in sorted(before - after):
            if any(route.gateway_id == endpoint.id for route in self.get_route_table(table).routes):
                self.delete_route(table, prefix_list)

    VPCBackend.modify_vpc_endpoint = modify


def _modification_changes_no_routes(example: Example) -> bool:
    before = len(example.table.routes)
    example.ec2.modify_vpc_endpoint(example.endpoint.id, "", None, None, None, [example.table.id], None, None)
    return example.table.id in example.endpoint.route_table_ids and len(example.table.routes) == before


# --- DeleteVpcEndpoints -----------------------------------------------------------------------------------------------


def _remove_deleted_endpoints() -> None:
    original = VPCBackend.delete_vpc_endpoints

    def delete(self: Any, vpce_ids: list[str] | None = None) -> None:
        original(self, vpce_ids)
        for endpoint_id in vpce_ids or []:
            self.vpc_end_points.pop(endpoint_id, None)

    VPCBackend.delete_vpc_endpoints = delete


def _deleted_endpoint_stays(example: Example) -> bool:
    example.ec2.delete_vpc_endpoints([example.endpoint.id])
    return example.endpoint.id in example.ec2.vpc_end_points


# --- DescribeVpcEndpoints ---------------------------------------------------------------------------------------------


def _filter_endpoints_by_id() -> None:
    original = VPCEndPoint.get_filter_value

    def value(self: VPCEndPoint, filter_name: str, method_name: str | None = None) -> Any:
        return self.id if filter_name == "vpc-endpoint-id" else original(self, filter_name, method_name)

    VPCEndPoint.get_filter_value = value


def _filter_by_id_is_unknown(example: Example) -> bool:
    try:
        example.endpoint.get_filter_value("vpc-endpoint-id", "DescribeVpcEndpoints")
    except FilterNotImplementedError:
        return True
    return False


# --- AssociateRouteTable ----------------------------------------------------------------------------------------------


def _refuse_unknown_gateways() -> None:
    original = RouteBackend.associate_route_table

    def associate(self: Any, route_table_id: str, gateway_id: str | None = None, subnet_id: str | None = None) -> Any:
        if gateway_id and gateway_id.startswith("igw-"):
            self.get_internet_gateway(gateway_id)
        return original(self, route_table_id, gateway_id, subnet_id)

    RouteBackend.associate_route_table = associate


def _unknown_gateway_is_associated(example: Example) -> bool:
    try:
        example.ec2.associate_route_table(example.table.id, gateway_id="igw-00000000000000000")
    except Exception:  # whatever moto would refuse it with
        return False
    return True


FIXES = [
    Fix(
        "An endpoint that is created without a type has none. EC2 makes it a Gateway endpoint.",
        _endpoint_has_no_type,
        _give_endpoints_a_type,
    ),
    Fix(
        "There is no prefix list for s3express, so its endpoints get no route.",
        _s3express_has_no_prefix_list,
        _create_prefix_list_of_s3express,
    ),
    Fix(
        "ModifyVpcEndpoint changes the endpoint's list of route tables, but not the routes in them.",
        _modification_changes_no_routes,
        _change_routes_with_the_endpoint,
    ),
    Fix(
        "A deleted endpoint is listed forever, with the state `deleted`.",
        _deleted_endpoint_stays,
        _remove_deleted_endpoints,
    ),
    Fix(
        "DescribeVpcEndpoints does not know the filter `vpc-endpoint-id`.",
        _filter_by_id_is_unknown,
        _filter_endpoints_by_id,
    ),
    Fix(
        "AssociateRouteTable accepts a gateway that does not exist.",
        _unknown_gateway_is_associated,
        _refuse_unknown_gateways,
    ),
]

ALL = [*FIXES, *interface_endpoint_fixes.FIXES, *rest_api_fixes.FIXES]
"""Those of gateway endpoints and route tables, those of interface endpoints, and those of REST APIs."""
