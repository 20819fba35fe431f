"""Answers in pages, as EC2 gives them. moto gives everything at once, whatever `MaxResults` says.

EC2 may end a page anywhere, so the local cloud ends it early (see `server`). A reader that reads only first pages fails
on the first network.
"""

import base64
import binascii
from dataclasses import dataclass
from xml.etree import ElementTree

LISTS = {
    "DescribeSubnets": "subnetSet",
    "DescribeRouteTables": "routeTableSet",
    "DescribeVpcEndpoints": "vpcEndpointSet",
    "DescribeVpcs": "vpcSet",
    "DescribeNatGateways": "natGatewaySet",
    "DescribeSecurityGroups": "securityGroupInfo",
    "GetManagedPrefixListEntries": "entrySet",
}
"""The calls that are paged here, and the element of the answer that holds their items."""


class InvalidToken(Exception):
    """The server has not issued this token."""


@dataclass(frozen=True)
class Page:
    """The part of the answer that a request asks for."""

    start: int
    size: int

    @classmethod
    def requested(cls, form: dict[str, str], limit: int) -> "Page":
        """Reads the two parameters of a request; `limit` is the server's own."""
        token, wanted = form.get("NextToken"), form.get("MaxResults")
        return cls(_start_of(token) if token else 0, min(int(wanted or limit), limit))

    def cut(self, action: str, xml: bytes) -> bytes:
        """Returns the answer with only this page's items, and the token of the next page if there is one."""
        root = ElementTree.fromstring(xml)
        namespace = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        if root.findtext(namespace + "nextToken"):
            raise RuntimeError(f"moto pages {action} itself, so {__name__} can go")
        parent = root.find(namespace + LISTS[action])
        if parent is None:
            raise RuntimeError(f"moto's answer to {action} has no {LISTS[action]}")
        items, end = list(parent), self.start + self.size
        for item in items[: self.start] + items[end:]:
            parent.remove(item)
        if end < len(items):
            ElementTree.SubElement(root, namespace + "nextToken").text = _token(end)
        # Passed as an argument, not registered: the registry is global, and another thread may write an answer as well.
        uri = namespace.strip("{}") or None
        page: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=uri)
        return page


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"page-{start}".encode()).decode()


def _start_of(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("page-"))
    except (ValueError, binascii.Error) as error:
        raise InvalidToken(token) from error
