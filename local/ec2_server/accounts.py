"""Whose request it is, and what EC2 refuses in an organization.

For a single account every request is that account's, and nothing is refused: its keys are not looked at.
"""

import json
import threading
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import EC2Backend
from werkzeug.wrappers import Request

from local.environment import ACCOUNT
from local.organization_file import AUTHORIZE, OrganizationReader

NOT_ENABLED = "AWS was not able to validate the provided access credentials"
TOO_MANY = "Request limit exceeded."


@dataclass(frozen=True)
class Caller:
    """Who sent a request."""

    account: str
    region: str
    error: tuple[str, str] | None = None
    """The code and the message with which EC2 refuses the request."""


class Accounts:
    """Finds out the account of each request."""

    def __init__(self, organization: OrganizationReader | None, aws_url: str | None) -> None:
        self._organization, self._aws_url = organization, aws_url
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def caller(self, request: Request, action: str) -> Caller:
        """Returns who sent a request. The Region is the one for which it is signed."""
        # `Credential=<key>/<date>/<region>/ec2/aws4_request`
        key, _, region = request.headers["Authorization"].partition("Credential=")[2].split("/")[:3]
        if self._organization is None:
            return Caller(ACCOUNT, region)
        if key.isdigit():
            # Tests and the demo act as the account itself.
            return Caller(key, region)
        if key == "test":
            return Caller(ACCOUNT, region)
        answer = self._ask(key, f"ec2:{action}" if action else "", region)
        error = (answer["code"], answer["refusal"]) if "refusal" in answer else None
        return Caller(answer["account"], region, self._refusal(answer["account"], region) or error)

    def _refusal(self, account: str, region: str) -> tuple[str, str] | None:
        """Returns why EC2 refuses all calls of an account in a Region."""
        assert self._organization is not None
        found = self._organization.current.account(account)
        if found and region in found.disabled_regions:
            return "AuthFailure", NOT_ENABLED
        if found and found.throttled:
            return "RequestLimitExceeded", TOO_MANY
        return None

    def _ask(self, key: str, action: str, region: str) -> Any:
        query = urllib.parse.urlencode({"key": key, "action": action, "region": region})
        with self._opener.open(f"{self._aws_url}{AUTHORIZE}?{query}", timeout=30) as answer:
            return json.loads(answer.read())


def create_no_default_vpcs() -> None:
    """Starts each account and Region of an organization empty. No test is about default VPCs.

    A single account has one at first, and `local.networks.remove_default_vpc` removes it. For all accounts and Regions
    that would take seconds.
    """
    init = EC2Backend.__init__

    def init_empty(self: EC2Backend, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        for everything in (self.vpcs, self.subnets, self.route_tables, self.network_acls, self.groups):
            everything.clear()

    EC2Backend.__init__ = init_empty
