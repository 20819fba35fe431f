"""`make demo`: gatewatch from an EC2 change to a notice, and from the notice's advice to the word that it is over.

Everything happens on this machine, against emulators. Stopping the demo at any point takes everything down again.
"""

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass

from local import deployment, networks
from local.chat_card import rendered
from local.cloud import Cloud, interruptible, local_cloud
from local.deployment import Deployment
from local.environment import LOGS
from local.inbox import Inbox, Message
from local.narrator import WIDTH, Narrator

NAME = "demo"
SETTLE_SECONDS = 6
"""The settle window here. In real life it is 5 minutes, because a real network takes that long to build.

Long enough for the three repairs, one after the other: then one notice tells that all is over."""
ADDRESS = "alex@example.com"
SENDER = "gatewatch <no-reply@sns.amazonaws.com>"


class DemoFailed(Exception):
    """Something did not happen that the demo is there to show."""


def main() -> int:
    """The whole demo."""
    narrator = Narrator(steps=8, logs=LOGS / NAME)
    try:
        with interruptible(), contextlib.ExitStack() as running:
            tell(narrator, running)
    except KeyboardInterrupt:
        print("\nInterrupted. Everything that was started is stopped.", file=sys.stderr)
        return 130
    print("\nThe local cloud is stopped. Nothing is left behind but the logs in .tools/logs/demo.")
    return 0


def tell(narrator: Narrator, running: contextlib.ExitStack) -> None:
    """The story, step by step."""
    with narrator.step("Start a cloud on this machine: moto as EC2, ministack as the rest of AWS."):
        cloud = running.enter_context(local_cloud(NAME))

    with narrator.step("Build the function with `sam build`. The first time this compiles the AWS SDK: some minutes."):
        deployment.build(cloud)

    with narrator.step("Deploy template.yaml with `sam deploy`, with a settle window of a few seconds."):
        stack = deployment.deploy(cloud, SettleSeconds=SETTLE_SECONDS, EmailAddress=ADDRESS, Chat="on")
        inboxes = Inboxes.of(stack)
        narrator.say("There is a topic for programs, one for e-mail and one for a chat. A queue is subscribed to each.")

    with narrator.step("Build a network: public and private subnets, a NAT gateway, an S3 endpoint on one table only."):
        vpc = networks.build_shop(cloud.client("ec2"))
        narrator.say(f"It is {vpc}. Each call was told to EventBridge, as CloudTrail would.")

    with narrator.step("Wait for the network to settle, and for what gatewatch has to say about it."):
        notice = inboxes.next_about(vpc, seconds=60)
    notice.show(narrator)

    with narrator.step("Ask gatewatch to check that VPC again. What it has told it does not tell twice."):
        if not stack.works_off(seconds=30):
            raise DemoFailed("the function has not worked off the changes within 30 s")
        report = stack.invoke({"check": {"vpcIds": [vpc]}})
        if report["published"] or len(report["findings"]) != len(notice.json.body["findings"]):
            raise DemoFailed(f"the report is another than expected: {json.dumps(report, indent=2)}")
        narrator.say(f"{len(report['findings'])} findings in the report, {report['published']} messages sent.")

    with narrator.step("Do what the findings advise (`remediation.awsCli`), word for word."):
        for finding in notice.json.body["findings"]:
            follow(narrator, cloud, finding["remediation"]["awsCli"])

    with narrator.step("Wait. The repairs are changes too, so gatewatch looks again by itself."):
        over = until_resolved(inboxes, vpc, {finding["id"] for finding in notice.json.body["findings"]})
    over.show(narrator)


@dataclass(frozen=True)
class Notice:
    """One notice in its three forms."""

    json: Message
    email: Message
    card: str
    """As drawn."""

    def show(self, narrator: Narrator) -> None:
        """What arrived: for programs, by e-mail and in the chat."""
        narrator.show(f"\nTo programs, as JSON. Subject: {self.json.subject}\n")
        narrator.show(json.dumps(self.json.body, indent=2))
        narrator.show("\nBy e-mail:\n")
        narrator.show(f"From:    {SENDER}\nTo:      {ADDRESS}\nSubject: {self.email.subject}\n\n{self.email.body}", 8)
        narrator.show("\nIn the chat:\n")
        narrator.show(self.card, 8)


@dataclass(frozen=True)
class Inboxes:
    """A subscriber of each topic."""

    json: Inbox
    emails: Inbox
    cards: Inbox

    @classmethod
    def of(cls, stack: Deployment) -> "Inboxes":
        """Subscribes to the three topics."""
        return cls(
            Inbox(stack),
            Inbox(stack, "emails", stack.text_topic, read=str),
            Inbox(stack, "cards", stack.chat_topic),
        )

    def next_about(self, vpc: str, seconds: float) -> Notice:
        """The next notice about the VPC."""
        forms = []
        for what, inbox in (("JSON", self.json), ("e-mail", self.emails), ("card", self.cards)):
            message = inbox.wait_for(vpc, seconds)
            if message is None:
                raise DemoFailed(f"no {what} arrived within {seconds:.0f} s")
            forms.append(message)
        json_message, email, card = forms
        return Notice(json_message, email, rendered(card.body, WIDTH - 8))


def until_resolved(inboxes: Inboxes, vpc: str, findings: set[str]) -> Notice:
    """The notice by which all of the findings are over. Repairs that outlast the settle window make more than one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        notice = inboxes.next_about(vpc, seconds=60)
        findings -= {told["id"] for told in notice.json.body["findings"] if told["change"] == "resolved"}
        if not findings:
            return notice
    raise DemoFailed(f"findings are still open: {', '.join(sorted(findings))}")


def follow(narrator: Narrator, cloud: Cloud, command: str) -> None:
    """Runs a command of a finding, through a shell, as a person would."""
    narrator.show(f"$ {command}")
    done = subprocess.run(command, shell=True, env=cloud.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"the command ended with exit code {done.returncode}: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
