"""Faults through the deployed queue: a record that failed is retried, up to the dead-letter queue and back."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder
from tests.local_cloud.support.endpoint_problems import build_shop_with_endpoint
from tests.local_cloud.support.fault_proxy import RESET, TRUNCATED, FaultProxy, error, fault_proxy
from tests.local_cloud.support.messages import as_reported


@dataclass(frozen=True)
class Queues:
    """The queues of the deployed function."""

    stack: Deployment

    def send(self, vpc: str) -> str:
        """Sends a change in the VPC; returns the record's body."""
        body = json.dumps({"check": {"vpcIds": [vpc]}})
        self.redrive(body)
        return body

    def redrive(self, body: str) -> None:
        """Sends a record once more, as "Start DLQ redrive" does."""
        self._sqs.send_message(QueueUrl=self.stack.changes_queue, MessageBody=body, DelaySeconds=0)

    def dead_letters(self) -> list[str]:
        """Takes the records out of the dead-letter queue."""
        queue, bodies = self.stack.outputs["ChangesDeadLetterQueueUrl"], []
        while messages := self._sqs.receive_message(QueueUrl=queue).get("Messages", []):
            for message in messages:
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies

    @property
    def _sqs(self) -> Any:
        return self.stack.cloud.client("sqs")


@pytest.fixture(scope="module")
def proxies(cloud: Cloud) -> Iterator[dict[str, FaultProxy]]:
    """A proxy for EC2 and one for SNS."""
    with ExitStack() as running:
        yield {service: running.enter_context(fault_proxy(cloud, service)) for service in ("ec2", "sns")}


@pytest.fixture(scope="module")
def queues(stack: Deployment, proxies: dict[str, FaultProxy]) -> Iterator[Queues]:
    """The deployed function calls EC2 and SNS through the proxies. It has one topic, so that faults can be counted."""
    queues = Queues(stack)
    through_proxies = {f"AWS_ENDPOINT_URL_{name.upper()}": proxy.url for name, proxy in proxies.items()}
    with stack.without_events(), stack.variables(TEXT_TOPIC_ARN=None, CHAT_TOPIC_ARN=None, **through_proxies):
        queues.dead_letters()
        yield queues


@pytest.fixture(scope="module")
def inbox(stack: Deployment) -> Inbox:
    """An inbox without earlier messages."""
    return Inbox(stack, "inbox-of-queue-retries")


FAILS_FIRST = [
    # Five attempts in the first invocation; two in the second, and the third one succeeds.
    pytest.param("ec2", "DescribeRouteTables", error("RequestLimitExceeded", 503, times=7), id="throttled"),
    pytest.param("ec2", "DescribeVpcEndpoints", TRUNCATED | {"times": 1}, id="truncated"),
    pytest.param("ec2", "DescribeSubnets", RESET | {"times": 6}, id="reset"),
    pytest.param("ec2", "DescribeSecurityGroups", error("RequestLimitExceeded", 503, times=7), id="groups-throttled"),
    pytest.param("ec2", "DescribeVpcAttribute", TRUNCATED | {"times": 1}, id="attribute-truncated"),
    pytest.param("sns", "Publish", error("AuthorizationError", 403, times=1), id="not-accepted"),
]


@pytest.mark.parametrize(("service", "operation", "rule"), FAILS_FIRST)
def test_a_failed_record_is_retried_and_handled(
    service: str,
    operation: str,
    rule: dict[str, Any],
    build: Builder,
    queues: Queues,
    proxies: dict[str, FaultProxy],
    inbox: Inbox,
    stack: Deployment,
) -> None:
    shop, findings = build_and_ask(build, stack)

    # Five attempts and the waits between them take 3 s at most.
    with stack.retry_after(seconds=4), proxies[service].injecting({"operation": operation} | rule) as number:
        queues.send(shop)
        messages = inbox.receive(at_least=1, seconds=20)
        stack.wait_until_idle(seconds=10)

    messages += inbox.drain()
    assert [as_reported(message.body["findings"]) for message in messages] == [findings], "sent once"
    assert proxies[service].injected(number) == rule["times"]
    assert (stack.queued_changes(), queues.dead_letters()) == (0, [])


FAILS_FOR_GOOD = [
    pytest.param("ec2", "DescribeVpcs", error("UnauthorizedOperation", 403), id="read-denied"),
    # The role has not got the permission of a new check yet.
    pytest.param("ec2", "DescribeSecurityGroups", error("UnauthorizedOperation", 403), id="groups-denied"),
    pytest.param("sns", "Publish", error("AuthorizationError", 403), id="publish-denied"),
]


@pytest.mark.parametrize(("service", "operation", "rule"), FAILS_FOR_GOOD)
def test_a_record_that_failed_five_times_waits_in_the_dead_letter_queue_until_the_redrive(
    service: str,
    operation: str,
    rule: dict[str, Any],
    build: Builder,
    queues: Queues,
    proxies: dict[str, FaultProxy],
    inbox: Inbox,
    stack: Deployment,
) -> None:
    shop, findings = build_and_ask(build, stack)

    with stack.retry_after(seconds=2):
        with proxies[service].injecting({"operation": operation} | rule) as number:
            body = queues.send(shop)
            stack.wait_until_idle(seconds=60)

        assert queues.dead_letters() == [body]
        assert inbox.drain() == []
        assert proxies[service].injected(number) == 5, "delivered five times"

        # The cause is gone.
        queues.redrive(body)

        messages = inbox.receive(at_least=1, seconds=20)
        stack.wait_until_idle(seconds=10)
    assert [as_reported(message.body["findings"]) for message in messages] == [findings]
    assert (stack.queued_changes(), queues.dead_letters()) == (0, [])


def test_a_message_that_is_not_accepted_does_not_repeat_others(
    build: Builder, queues: Queues, proxies: dict[str, FaultProxy], inbox: Inbox, stack: Deployment
) -> None:
    accepted, refused = build.vpc("accepted", "10.91.0.0/16"), build.vpc("refused", "10.92.0.0/16")
    about_refused = {"operation": "Publish", "body": f"contains(Message, '{refused}')"}
    rule = error("AuthorizationError", 403, times=1) | about_refused

    with stack.retry_after(seconds=2), proxies["sns"].injecting(rule) as number:
        for vpc in (accepted, refused):
            queues.send(vpc)
        messages = inbox.receive(at_least=2, seconds=20)
        stack.wait_until_idle(seconds=10)

    messages += inbox.drain()
    assert sorted(message.body["vpc"]["id"] for message in messages) == sorted([accepted, refused])
    assert proxies["sns"].injected(number) == 1
    assert (stack.queued_changes(), queues.dead_letters()) == (0, [])


def build_and_ask(build: Builder, stack: Deployment) -> tuple[str, list[dict[str, Any]]]:
    """Builds findings of both kinds; returns their VPC, and what a function without faults reports."""
    shop = build_shop_with_endpoint(build.ec2)
    findings = stack.invoke({"check": {"vpcIds": [shop]}, "publish": False})["findings"]
    assert findings, "there is something to lose"
    return shop, findings
