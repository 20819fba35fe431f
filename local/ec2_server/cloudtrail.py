"""Each change of the network as the CloudTrail record that EventBridge would deliver.

Two shapes exist, and a reader must accept both. Which one CloudTrail uses depends on the age of the API:

- flat:     `{"vpcId": …}`, lists as `{"items": […]}`, empty ones `{}`, the success flag `_return`
- wrapped:  `{"CreateVpcEndpointRequest": {"VpcId": …}}`, made from XML without its schema: a list of one element is
            the element, an empty one is `""`, list members of a request are `{"tag": 1, "content": …}`, and text that
            looks like a number or a boolean becomes one (an account number, a tag's value)

These records approximate real ones, well enough to drive the function. Rust tests show that it reads real ones.
"""

import datetime
import json
import queue
import re
import threading
import uuid
from typing import Any
from xml.etree import ElementTree

import boto3

READ_ONLY = re.compile(r"(Describe|Get|List|Search)")
WRAPPED = re.compile(
    r"(Create|Modify|Delete)(VpcEndpoint|NatGateway|TransitGateway|EgressOnlyInternetGateway)|ModifySecurityGroupRules"
)


def record(action: str, form: dict[str, str], answer: bytes, account: str, region: str) -> dict[str, Any]:
    """Returns the CloudTrail record of one call: `form` is the request, `answer` the XML of the response."""
    now = datetime.datetime.now(datetime.timezone.utc)
    wrapped = bool(WRAPPED.match(action))
    root = ElementTree.fromstring(answer)
    role = f"arn:aws:iam::{account}:role/developer"
    result = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROALOCALCLOUDEXAMPLE:local",
            "arn": f"arn:aws:sts::{account}:assumed-role/developer/local",
            "accountId": account,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": role, "accountId": account, "userName": "developer"}
            },
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ec2.amazonaws.com",
        "eventName": action,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "local-cloud",
        "requestParameters": _request(action, form, wrapped),
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    error = root.find(".//Errors/Error")
    if error is not None:
        result["errorCode"] = f"Client.{error.findtext('Code')}"
        result["errorMessage"] = error.findtext("Message")
    elif wrapped:
        result["responseElements"] = {f"{action}Response": _wrapped_xml(root)}
    else:
        result["responseElements"] = _flat_xml(root)
    return result


# --- The request ------------------------------------------------------------------------------------------------------


def _request(action: str, form: dict[str, str], wrapped: bool) -> dict[str, Any]:
    asked = _tree({name: value for name, value in form.items() if name not in ("Action", "Version")})
    if action in ("CreateTags", "DeleteTags"):
        # These two have their own names; in other calls tags are part of a TagSpecification.
        resources = [{"resourceId": resource} for resource in asked["ResourceId"].values()]
        tags = [_flat_form(tag) for tag in asked.get("Tag", {}).values()]
        return {"resourcesSet": {"items": resources}, "tagSet": {"items": tags}}
    return {f"{action}Request": _wrapped_form(asked)} if wrapped else _flat_form(asked)


def _tree(form: dict[str, str]) -> dict[str, Any]:
    """`{"Tag.1.Key": "a"}` becomes `{"Tag": {"1": {"Key": "a"}}}`."""
    tree: dict[str, Any] = {}
    for name, value in form.items():
        *path, last = name.split(".")
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
        branch[last] = value
    return tree


def _is_list(node: Any) -> bool:
    return isinstance(node, dict) and bool(node) and all(step.isdigit() for step in node)


def _flat_form(node: Any) -> Any:
    if not isinstance(node, dict):
        return {"true": True, "false": False}.get(node, node)
    flat: dict[str, Any] = {}
    for name, value in node.items():
        lower = name[0].lower() + name[1:]
        if not _is_list(value):
            flat[lower] = _flat_form(value)
        elif name == "Tag":
            flat["tags"] = [_flat_form(item) for item in value.values()]
        else:
            flat[f"{lower}Set"] = {"items": [_flat_form(item) for item in value.values()]}
    return flat


def _wrapped_form(node: Any) -> Any:
    if not isinstance(node, dict):
        return _guessed(node)
    if not _is_list(node):
        return {name: _wrapped_form(value) for name, value in node.items()}
    items = []
    for number, value in node.items():
        inner = _wrapped_form(value)
        items.append({"tag": int(number)} | (inner if isinstance(inner, dict) else {"content": inner}))
    return items[0] if len(items) == 1 else items


# --- The response -----------------------------------------------------------------------------------------------------


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _flat_xml(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        text = (element.text or "").strip()
        if not text:
            return {} if _name(element).endswith("Set") else text
        return {"true": True, "false": False}.get(text, text)
    if all(_name(child) == "item" for child in children):
        return {"items": [_flat_xml(child) for child in children]}
    return {{"return": "_return"}.get(_name(child), _name(child)): _flat_xml(child) for child in children}


def _wrapped_xml(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return _guessed((element.text or "").strip())
    result: dict[str, Any] = {}
    for child in children:
        name, value = _name(child), _wrapped_xml(child)
        if name not in result:
            result[name] = value
        elif isinstance(result[name], list):
            result[name].append(value)
        else:
            result[name] = [result[name], value]
    return result


def _guessed(text: str) -> Any:
    """Converts text as a converter without a schema does."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text


# --- Sending ----------------------------------------------------------------------------------------------------------


class EventSender:
    """Sends records to EventBridge, one after the other, in the background."""

    def __init__(self, events_url: str) -> None:
        self._url = events_url
        self._records: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._send_all, daemon=True).start()

    @property
    def unsent(self) -> int:
        """The number of records that EventBridge has not received yet."""
        return self._records.unfinished_tasks

    def send(self, entry: dict[str, Any]) -> None:
        """Queues a record."""
        self._records.put(entry)

    def _send_all(self) -> None:
        clients: dict[tuple[str, str], Any] = {}
        while True:
            entry = self._records.get()
            account, region = source = (entry["recipientAccountId"], entry["awsRegion"])
            try:
                if source not in clients:
                    # A key of twelve digits is that account's.
                    clients[source] = boto3.client(
                        "events",
                        region,
                        endpoint_url=self._url,
                        aws_access_key_id=account,
                        aws_secret_access_key="test",
                    )
                event = {"Source": "aws.ec2", "DetailType": "AWS API Call via CloudTrail", "Detail": json.dumps(entry)}
                answer = clients[source].put_events(Entries=[event])
                print(f"sent {entry['eventName']} to EventBridge: {answer['Entries']}", flush=True)
            except Exception as error:
                print(f"could not send {entry['eventName']} to EventBridge: {error}", flush=True)
            finally:
                self._records.task_done()
