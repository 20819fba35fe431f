"""Answers in pages, as EC2 gives them; moto gives everything at once, whatever `MaxResults` says.

EC2 may end a page anywhere, so the local cloud ends it early (see `serve`): a reader that looks at first pages only is
found out by the first network it reads.
"""

import base64
import binascii
from xml.etree import ElementTree
from dataclasses import dataclass

LISTS = {
    "DescribeSubnets": "subnetSet",
    "DescribeRouteTables": "routeTableSet",
    "DescribeVpcEndpoints": "vpcEndpointSet",
    "DescribeVpcs": "vpcSet",
}
"""The calls that are paged here, and the element of the answer that holds their items."""


class InvalidToken(Exception):
    """The token is not one that was given out."""


@dataclass(frozen=True)
class Page:
    """The part of the answer that was asked for."""

    start: int
    size: int

    @classmethod
    def asked_for(cls, form: dict[str, str], at_most: int) -> "Page":
        """Reads the two parameters; `at_most` is our own limit."""
        token, wanted = form.get("NextToken"), form.get("MaxResults")
        return cls(_start_of(token) if token else 0, min(int(wanted or at_most), at_most))

    def cut(self, action: str, xml: bytes) -> bytes:
        """The answer with only this page's items, and the token of the next page where there is one."""
        root = ElementTree.fromstring(xml)
        namespace = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        holder = root.find(namespace + LISTS[action])
        items = list(holder) if holder is not None else []
        end = self.start + self.size
        for item in items[: self.start] + items[end:]:
            holder.remove(item)
        if end < len(items):
            ElementTree.SubElement(root, namespace + "nextToken").text = _token(end)
        # Handed in, not registered: what is registered is everybody's, and another answer may be written at the same time.
        uri = namespace.strip("{}") or None
        return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=uri)


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"page-{start}".encode()).decode()


def _start_of(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("page-"))
    except (ValueError, binascii.Error) as error:
        raise InvalidToken(token) from error
