"""A hub with as many processes as it needs, and the scheduled check as `organization/sweep.asl.json` runs it."""

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from bench.events import resource
from bench.function import Function, Program
from bench.stand_in import Answer, MeasurementFailed, StandIn
from local.environment import ACCOUNT, REGION, ROOT

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2")
ROUTE_CREATED = (ROOT / "events" / "create-route.json").read_text()
PAGE = 20
"""The accounts in a page of organizations:ListAccounts."""
ROWS_PER_WRITE = 25
"""The most that dynamodb:BatchWriteItem takes."""


def account(number: int) -> str:
    """The id of an account of the organization."""
    return f"{200_000_000_000 + number}"


def check_of(account_id: str, region: str) -> dict[str, Any]:
    """The request of the scheduled check. No account here has so many VPCs that it is checked in parts."""
    return {"check": "region", "maxVpcs": 1000, "account": account_id, "region": region}


def hub(program: Program, stand_in: StandIn) -> Program:
    """The function as the template configures it in a hub."""
    variables = {
        "MEMBER_ROLE": "gatewatch-read",
        "REGIONS": ",".join(REGIONS),
        "AWS_ENDPOINT_URL_STS": stand_in.url("sts"),
    }
    return replace(program, variables=program.variables + tuple(variables.items()))


class Fleet:
    """The processes of a function. Like Lambda, it starts one if an event comes and all others are busy."""

    def __init__(self, program: Program, stand_in: StandIn) -> None:
        self._program, self._stand_in = program, stand_in
        self._lock = threading.Lock()
        self._idle = 0
        self._running = contextlib.ExitStack()
        self.functions: list[Function] = []

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def invoke(self, event: Mapping[str, Any]) -> Answer:
        """Hands an event to a process that is idle, or to a new one."""
        with self._lock:
            is_new = self._idle == 0
            self._idle -= 0 if is_new else 1
        if is_new:
            function = Function(self._program, self._stand_in, history=True, is_one_of_many=True)
            with self._lock:
                self.functions.append(self._running.enter_context(function))
        answer = self._stand_in.invoke(event)
        with self._lock:
            self._idle += 1
        if answer.failed:
            raise MeasurementFailed(f"{event}: {answer.text}")
        return answer


class Table:
    """The history table, as the state machine writes to it."""

    def __init__(self, stand_in: StandIn) -> None:
        context = ssl.create_default_context(cafile=str(stand_in.authorities))
        self._connection = http.client.HTTPSConnection("localhost", stand_in.port("dynamodb"), context=context)

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows, with one call for as many as one call takes."""
        for start in range(0, len(rows), ROWS_PER_WRITE):
            puts = [{"PutRequest": {"Item": row}} for row in rows[start : start + ROWS_PER_WRITE]]
            target = {"X-Amz-Target": "DynamoDB_20120810.BatchWriteItem"}
            self._connection.request("POST", "/", json.dumps({"RequestItems": {"history": puts}}), target)
            response = self._connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise MeasurementFailed(f"BatchWriteItem: {body.decode()}")


def account_row(account_id: str, seen_at: str) -> dict[str, Any]:
    """A row of the state KeepAccounts."""
    texts = {"pk": "accounts", "sk": account_id, "accountState": "ACTIVE", "seenAt": seen_at, "accountName": "team"}
    return {name: {"S": text} for name, text in texts.items()} | {"expiresAt": {"N": "4102444800"}}


def marker_row(account_id: str, region: str, checked_at: str) -> dict[str, Any]:
    """A marker, as the function writes it."""
    texts = {"pk": "markers", "sk": f"{account_id}#{region}", "checkedAt": checked_at}
    numbers = {"openHigh": "0", "openMedium": "0", "openLow": "0", "expiresAt": "4102444800"}
    return {name: {"S": text} for name, text in texts.items()} | {name: {"N": n} for name, n in numbers.items()}


def refused_row(account_id: str, region: str, seen_at: str) -> dict[str, Any]:
    """The marker of an account that could not be entered, which nobody was told."""
    texts = {"pk": "markers", "sk": f"{account_id}#{region}", "notEnrolled": "access_denied", "notEnrolledAt": seen_at}
    return {name: {"S": text} for name, text in texts.items()} | {"expiresAt": {"N": "4102444800"}}


def summary_since(since: str) -> dict[str, str]:
    """The request at the end of a sweep."""
    return {"coverage": "summary", "since": since}


@dataclass(frozen=True)
class Sweep:
    """A sweep that was run."""

    checks: tuple[Answer, ...]
    summary: Mapping[str, Any]


def sweep(fleet: Fleet, table: Table, accounts: Sequence[str], concurrency: int, since: str) -> Sweep:
    """Runs the scheduled check: first the list of accounts, then one Region after the other, then the summary."""
    for start in range(0, len(accounts), PAGE):
        table.put([account_row(account_id, since) for account_id in accounts[start : start + PAGE]])
    checks: list[Answer] = []
    with ThreadPoolExecutor(concurrency) as children:
        for region in REGIONS:
            checks += children.map(fleet.invoke, [check_of(account_id, region) for account_id in accounts])
    summary = json.loads(fleet.invoke(summary_since(since)).text)
    expected = {"checked": len(accounts) * len(REGIONS), "notEnrolled": 0, "failed": 0}
    if {name: summary["sweep"][name] for name in expected} != expected:
        raise MeasurementFailed(f"the sweep ended with {summary}, expected {expected}")
    return Sweep(tuple(checks), summary)


def change_in(account_id: str, region: str) -> dict[str, Any]:
    """A call in an account, as its rule forwards it to the hub."""
    event: dict[str, Any] = json.loads(ROUTE_CREATED.replace(ACCOUNT, account_id).replace(REGION, region))
    event["detail"]["requestParameters"]["routeTableId"] = resource("rtb", 1)
    return event


def groups(count: int) -> Iterator[tuple[str, str]]:
    """As many accounts and Regions, each once, in the order of a sweep."""
    for region in range(len(REGIONS)):
        for number in range(count // len(REGIONS)):
            yield account(number), REGIONS[region]
