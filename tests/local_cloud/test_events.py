"""The deployed function answers each file of events/ as answers/ says, on the network that the file names.

`python -m pytest tests/local_cloud/test_events.py --update` writes the answers anew. Read them before you commit them:
events/README.md says what each must be.

The function has no alert history here and only one topic, like `make local` at first. So it gives the same answer, and
sends the same messages, each time.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment, InvocationFailed
from local.environment import ROOT
from local.inbox import Inbox, Message
from local.networks import build_network_of_events
from tests.local_cloud.support.messages import as_reported

EVENTS = sorted(Path(ROOT / "events").glob("*.json"))
ANSWERS = Path(__file__).parent / "answers"


@pytest.fixture(scope="module")
def events_inbox(cloud: Cloud, stack: Deployment) -> Iterator[Inbox]:
    """An inbox that receives only what the tests cause: the network is built without events."""
    with stack.without_events(), stack.variables(LEDGER_TABLE=None, TEXT_TOPIC_ARN=None, CHAT_TOPIC_ARN=None):
        cloud.empty_the_region()
        build_network_of_events(cloud.client("ec2"))
        yield Inbox(stack, "inbox-of-events")


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_answer(path: Path, stack: Deployment, events_inbox: Inbox, request: pytest.FixtureRequest) -> None:
    payload = json.loads(path.read_text())
    expected_file = ANSWERS / path.name
    update = request.config.getoption("--update")
    expected = {} if update else json.loads(expected_file.read_text())

    actual = outcome(stack, payload)
    actual["messages"] = [as_recorded(message, actual) for message in events_inbox.drain()]

    if update:
        ANSWERS.mkdir(exist_ok=True)
        expected_file.write_text(json.dumps(actual, indent=2, ensure_ascii=False) + "\n")
    else:
        assert actual == expected


def test_every_answer_has_its_event() -> None:
    assert {path.name for path in ANSWERS.glob("*.json")} == {path.name for path in EVENTS}


def as_recorded(message: Message, outcome: dict[str, Any]) -> dict[str, Any]:
    """Returns a message as the answers hold it: a finding that equals one of the report is replaced by its id.

    Without an alert history a message adds nothing else to the findings.
    """
    sent = message.body["findings"]
    assert {(finding["change"], finding["since"]) for finding in sent} == {("reported", None)}
    reported = outcome.get("answer", {}).get("findings", [])
    findings = [finding["id"] if finding in reported else finding for finding in as_reported(sent)]
    return {"subject": message.subject, "attributes": message.attributes, "body": message.body | {"findings": findings}}


def outcome(stack: Deployment, payload: Any) -> dict[str, Any]:
    """Returns the function's answer or its error."""
    try:
        return {"answer": stack.invoke(payload)}
    except InvocationFailed as failure:
        return {"error": {name: failure.error.get(name) for name in ("errorType", "errorMessage")}}
