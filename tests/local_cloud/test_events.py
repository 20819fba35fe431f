"""Each file of events/, sent to the deployed function on the network that it names, is answered as answers/ has it.

`python -m pytest tests/local_cloud/test_events.py --update` writes the answers anew. They are read by a person before
they are committed: events/README.md says what each has to be.

Here the function has no ledger and one topic, as `make local` has it at first: so it gives the same answer, and the same
messages, however often it has been asked.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment, InvocationFailed
from local.environment import ROOT
from local.inbox import Inbox, Message, as_reported
from local.networks import build_network_of_events

EVENTS = sorted(Path(ROOT / "events").glob("*.json"))
ANSWERS = Path(__file__).parent / "answers"


@pytest.fixture(scope="module")
def quiet_inbox(cloud: Cloud, stack: Deployment) -> Iterator[Inbox]:
    """An inbox that hears only what the tests send: building the network is told to nobody."""
    with stack.untold(), stack.variables(LEDGER_TABLE=None, TEXT_TOPIC_ARN=None, CHAT_TOPIC_ARN=None):
        cloud.empty_the_region()
        build_network_of_events(cloud.client("ec2"))
        yield Inbox(stack, "inbox-of-events")


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_answer(path: Path, stack: Deployment, quiet_inbox: Inbox, request: pytest.FixtureRequest) -> None:
    payload = json.loads(path.read_text())
    expected_file = ANSWERS / path.name
    update = request.config.getoption("--update")
    expected = {} if update else json.loads(expected_file.read_text())

    actual = outcome(stack, payload)
    messages = quiet_inbox.all_within(seconds=1, at_least=len(expected.get("messages", [])))
    actual["messages"] = [as_recorded(message, actual) for message in messages]

    if update:
        ANSWERS.mkdir(exist_ok=True)
        expected_file.write_text(json.dumps(actual, indent=2, ensure_ascii=False) + "\n")
    else:
        assert actual == expected


def test_every_answer_has_its_event() -> None:
    assert {path.name for path in ANSWERS.glob("*.json")} == {path.name for path in EVENTS}


def as_recorded(message: Message, outcome: dict[str, Any]) -> dict[str, Any]:
    """A message as the answers hold it: findings that are in the report, word for word, are named by their ids.

    Without a ledger a message adds nothing of its own to them but that.
    """
    told = message.body["findings"]
    assert {(finding["change"], finding["since"]) for finding in told} == {("reported", None)}
    reported = outcome.get("answer", {}).get("findings", [])
    findings = [finding["id"] if finding in reported else finding for finding in as_reported(told)]
    return {"subject": message.subject, "attributes": message.attributes, "body": message.body | {"findings": findings}}


def outcome(stack: Deployment, payload: Any) -> dict[str, Any]:
    """What the function answers, or the error that it ends with."""
    try:
        return {"answer": stack.invoke(payload)}
    except InvocationFailed as failure:
        return {"error": {name: failure.error.get(name) for name in ("errorType", "errorMessage")}}
