"""What moto's EC2 does not do as EC2 does, put right in its own classes.

Seen in moto 5.2.5, each against the recorded answers and the documentation of EC2:

- an endpoint created without a type has none; EC2 makes it a Gateway endpoint
- ModifyVpcEndpoint changes the endpoint's list of tables and not the routes in them
- a deleted endpoint stays listed, for good, as `deleted`
- there is no prefix list for `s3express`, so that its endpoints get no route
- DescribeVpcEndpoints does not know the filter `vpc-endpoint-id`
- an association with a gateway does not ask whether the gateway exists
"""

from typing import Any

from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint


def put_right() -> None:
    """Changes moto's classes. Once, before the first request."""
    _give_endpoints_a_type()
    _give_s3express_a_prefix_list()
    _let_modifications_change_routes()
    _let_deleted_endpoints_vanish()
    _filter_endpoints_by_id()
    _refuse_unknown_gateways()


def _give_endpoints_a_type() -> None:
    original = VPCEndPoint.__init__

    def init(self: VPCEndPoint, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.vpc_endpoint_type = self.vpc_endpoint_type or "Gateway"

    VPCEndPoint.__init__ = init


def _give_s3express_a_prefix_list() -> None:
    original = VPCBackend.create_vpc_endpoint

    def create(self: Any, vpc_id: str, service_name: str, *args: Any, **kwargs: Any) -> VPCEndPoint:
        names = {prefix_list.prefix_list_name for prefix_list in self.managed_prefix_lists.values()}
        if service_name.endswith(".s3express") and service_name not in names:
            self.create_managed_prefix_list(
                address_family="IPv4", max_entries=1, prefix_list_name=service_name, owner_id="AWS"
            )
        return original(self, vpc_id, service_name, *args, **kwargs)

    VPCBackend.create_vpc_endpoint = create


def _let_modifications_change_routes() -> None:
    original = VPCBackend.modify_vpc_endpoint

    def modify(self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
        # `vpc_id` is moto's name for the id of the endpoint.
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


def _let_deleted_endpoints_vanish() -> None:
    original = VPCBackend.delete_vpc_endpoints

    def delete(self: Any, vpce_ids: list[str] | None = None) -> None:
        original(self, vpce_ids)
        for endpoint_id in vpce_ids or []:
            self.vpc_end_points.pop(endpoint_id, None)

    VPCBackend.delete_vpc_endpoints = delete


def _filter_endpoints_by_id() -> None:
    original = VPCEndPoint.get_filter_value

    def value(self: VPCEndPoint, filter_name: str, method_name: str | None = None) -> Any:
        return self.id if filter_name == "vpc-endpoint-id" else original(self, filter_name, method_name)

    VPCEndPoint.get_filter_value = value


def _refuse_unknown_gateways() -> None:
    original = RouteBackend.associate_route_table

    def associate(
        self: Any, route_table_id: str, gateway_id: str | None = None, subnet_id: str | None = None
    ) -> str:
        if gateway_id and gateway_id.startswith("igw-"):
            self.get_internet_gateway(gateway_id)
        return original(self, route_table_id, gateway_id, subnet_id)

    RouteBackend.associate_route_table = associate
