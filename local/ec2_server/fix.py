"""What a correction of moto is, and the network on which it is seen that moto still needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import EC2Backend

from local.environment import ACCOUNT, REGION

S3 = f"com.amazonaws.{REGION}.s3"


@dataclass(frozen=True)
class Fix:
    """A correction, and how to see that moto still needs it."""

    gap: str
    is_open: Callable[["Example"], bool]
    apply: Callable[[], None]


class Example:
    """A network in an unmodified moto: one VPC, one route table, one endpoint without tables."""

    def __init__(self) -> None:
        self.ec2: Any = EC2Backend(REGION, ACCOUNT)
        self.vpc = self.ec2.create_vpc("10.0.0.0/16").id
        self.table = self.ec2.create_route_table(self.vpc)
        self.endpoint = self.ec2.create_vpc_endpoint(self.vpc, S3, "Gateway", None, [])
