"""What a request may wish for that EC2's API has no parameter for. Tests and `make local` need it; moto gives neither.

- `X-Resource-Ids: vpc-0a1b rtb-0c2d`: whatever the call creates takes the id that fits its kind, a VPC its own and its
  main route table's. The files in `events/` name resources, and the local cloud must hold exactly those.
- `X-Endpoint-State: failed`: the endpoint that the call creates is in that state. moto knows only `available`.
- `X-Untold: true`: EventBridge is not told of the call. What prepares a network for a test is no part of the test.

Without the headers all is as always.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import moto.ec2.utils as moto_ids
from moto.ec2.models.vpcs import VPCEndPoint
from werkzeug.datastructures import Headers

RESOURCE_IDS = "X-Resource-Ids"
ENDPOINT_STATE = "X-Endpoint-State"
UNTOLD = "X-Untold"

_wishes = threading.local()  # moto serves a whole request in one thread


@contextlib.contextmanager
def of(headers: Headers) -> Iterator[None]:
    """While it holds, what this thread creates is as the headers wish."""
    _wishes.ids = headers.get(RESOURCE_IDS, "").split()
    _wishes.state = headers.get(ENDPOINT_STATE)
    try:
        yield
    finally:
        _wishes.ids, _wishes.state = [], None


def can_be_granted() -> None:
    """Changes moto's generator of ids, which all kinds of resource share, and its endpoints. Once, at start."""
    random_id, init = moto_ids.random_id, VPCEndPoint.__init__

    def wished_or_random_id(prefix: str = "", size: int = 17) -> str:
        ids = getattr(_wishes, "ids", [])
        for wished in ids:
            if wished.rpartition("-")[0] == prefix:
                ids.remove(wished)
                return wished
        return random_id(prefix, size)

    def init_in_wished_state(self: VPCEndPoint, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.state = getattr(_wishes, "state", None) or self.state

    moto_ids.random_id = wished_or_random_id
    VPCEndPoint.__init__ = init_in_wished_state
