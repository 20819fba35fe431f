"""Request headers that override what EC2's API has no parameter for. Tests and `make local` need them.

- `X-Resource-Ids: vpc-0a1b rtb-0c2d`: what the call creates takes the id of its kind; a VPC takes its own and that of
  its main route table. The files in `events/` name resources, and the local cloud must hold exactly those.
- `X-Endpoint-State: failed`: the endpoint that the call creates is in that state. moto knows only `available`.
- `X-Endpoint-Error: {"Code": …, "Message": …}`: the `LastError` of the endpoint that the call creates.
- `X-No-Event: true`: no event is sent for the call. A test prepares its network this way.

Without these headers nothing changes.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import moto.ec2.utils as moto_ids
from moto.ec2.models.vpcs import VPCEndPoint
from werkzeug.datastructures import Headers

RESOURCE_IDS = "X-Resource-Ids"
ENDPOINT_STATE = "X-Endpoint-State"
ENDPOINT_ERROR = "X-Endpoint-Error"
NO_EVENT = "X-No-Event"

_overrides = threading.local()  # moto handles a whole request in one thread


@contextlib.contextmanager
def of(headers: Headers) -> Iterator[None]:
    """Applies the headers of a request to everything that this thread creates in the context."""
    _overrides.ids = headers.get(RESOURCE_IDS, "").split()
    _overrides.state = headers.get(ENDPOINT_STATE)
    _overrides.error = headers.get(ENDPOINT_ERROR)
    try:
        yield
    finally:
        _overrides.ids, _overrides.state, _overrides.error = [], None, None


def install() -> None:
    """Hooks into moto's generator of ids, which all kinds of resource share, and into its endpoints. Called once."""
    random_id, init = moto_ids.random_id, VPCEndPoint.__init__

    def chosen_or_random_id(prefix: str = "", size: int = 17) -> Any:
        ids = getattr(_overrides, "ids", [])
        for chosen in ids:
            if chosen.rpartition("-")[0] == prefix:
                ids.remove(chosen)
                return chosen
        return random_id(prefix, size)

    def init_in_chosen_state(self: VPCEndPoint, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.state = getattr(_overrides, "state", None) or self.state
        if error := getattr(_overrides, "error", None):
            self.last_error = json.loads(error)

    moto_ids.random_id = chosen_or_random_id
    VPCEndPoint.__init__ = init_in_chosen_state
    with of(Headers({RESOURCE_IDS: "vpc-0a1b"})):
        if moto_ids.random_vpc_id() != "vpc-0a1b":
            raise RuntimeError(f"moto no longer makes its ids with `random_id`, which {__name__} replaces")
