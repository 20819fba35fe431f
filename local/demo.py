"""`make demo`: from a change in EC2 to an alert, and from the alert's remediation to the `resolved` alert.

Everything happens on this machine, against emulators. If you interrupt the demo, everything is stopped.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from local import deployment, networks
from local.chat_card import rendered
from local.cloud import Cloud, interruptible, local_cloud
from local.deployment import Deployment
from local.environment import LOGS
from local.inbox import Inbox, Message
from local.progress import WIDTH, Progress

NAME = "demo"
SETTLE_SECONDS = 6
"""The settle window of the demo. By default it is 5 minutes, because a real network takes that long to build.

Long enough for the three repairs, one after the other: then one alert says that everything is resolved."""
ADDRESS = "alex@example.com"
SENDER = "gatewatch <no-reply@sns.amazonaws.com>"


class DemoFailed(Exception):
    """Something that the demo shows did not happen."""


def main() -> int:
    """Runs the whole demo."""
    return show(NAME, steps=11, run=run)


def show(name: str, steps: int, run: Callable[[Progress, contextlib.ExitStack], None]) -> int:
    """Runs the steps of a demo and stops everything at its end, also if it is interrupted. Returns the exit code."""
    progress = Progress(steps=steps, logs=LOGS / name)
    try:
        with interruptible(), contextlib.ExitStack() as running:
            run(progress, running)
    except KeyboardInterrupt:
        print("\nInterrupted. Everything that was started is stopped.", file=sys.stderr)
        return 130
    print(f"\nThe local cloud is stopped. Nothing is left behind but the logs in .tools/logs/{name}.")
    return 0


def run(progress: Progress, running: contextlib.ExitStack) -> None:
    """Runs the demo step by step."""
    with progress.step("Start a cloud on this machine: moto as EC2, ministack as the rest of AWS."):
        cloud = running.enter_context(local_cloud(NAME))

    with progress.step("Build the function with `sam build`. The first time this compiles the AWS SDK: some minutes."):
        deployment.build(cloud)

    with progress.step("Deploy template.yaml with `sam deploy`, with a settle window of a few seconds."):
        stack = deployment.deploy(cloud, SettleSeconds=SETTLE_SECONDS, EmailAddress=ADDRESS, Chat="on")
        inboxes = Inboxes.of(stack)
        progress.paragraph("There are topics for programs, e-mail and chat. A queue is subscribed to each.")

    with progress.step("Build a network: public and private subnets, a NAT gateway, an S3 endpoint on one table only."):
        vpc = networks.build_shop(cloud.client("ec2"))
        progress.paragraph(f"It is {vpc}. EventBridge has received each call, as from CloudTrail.")

    with progress.step("Wait until the network has settled and the alert arrives."):
        alert = inboxes.next_about(vpc, seconds=60)
    alert.show(progress)

    with progress.step("Ask gatewatch to check that VPC again. It does not send a finding twice."):
        if not stack.wait_until_idle(seconds=30):
            raise DemoFailed("the function has not handled the changes within 30 s")
        report = stack.invoke({"check": {"vpcIds": [vpc]}})
        if report["published"] or len(report["findings"]) != len(alert.json.body["findings"]):
            raise DemoFailed(f"the report is not as expected: {json.dumps(report, indent=2)}")
        progress.paragraph(f"{len(report['findings'])} findings in the report, {report['published']} messages sent.")

    with progress.step("Run what the findings recommend (`remediation.awsCli`), word for word."):
        for finding in alert.json.body["findings"]:
            run_command(progress, cloud, finding["remediation"]["awsCli"])

    with progress.step("Wait. The repairs are changes too, so gatewatch checks again by itself."):
        resolved = until_resolved(inboxes, vpc, {finding["id"] for finding in alert.json.body["findings"]})
    resolved.show(progress)

    with progress.step("Build another network: a paid endpoint takes the traffic of a free one."):
        archive, endpoint = networks.build_archive(cloud.client("ec2"))
        progress.paragraph(f"It is {archive}. Its interface endpoint {endpoint} has private DNS names.")

    with progress.step("Wait for the alert."):
        bypass = inboxes.next_about(archive, seconds=60)
        findings = bypass.json.body["findings"]
        if [(each["check"], each["severity"]) for each in findings] != [("dns-bypass", "HIGH")]:
            raise DemoFailed(f"the findings are not as expected: {json.dumps(findings, indent=2)}")
    bypass.show_email(progress)

    with progress.step("Run what it recommends, and wait for the check of that change."):
        run_command(progress, cloud, findings[0]["remediation"]["awsCli"])
        resolved = until_resolved(inboxes, archive, {findings[0]["id"]})
    resolved.show_email(progress)


@dataclass(frozen=True)
class Alert:
    """One alert in its three formats."""

    json: Message
    email: Message
    card: str
    """As drawn by `chat_card`."""

    def show(self, progress: Progress) -> None:
        """Prints what arrived: for programs, by e-mail and in the chat."""
        progress.block(f"\nTo programs, as JSON. Subject: {self.json.subject}\n")
        progress.block(json.dumps(self.json.body, indent=2))
        self.show_email(progress)
        progress.block("\nIn the chat:\n")
        progress.block(self.card, 8)

    def show_email(self, progress: Progress) -> None:
        """Prints the e-mail alone."""
        progress.block("\nBy e-mail:\n")
        progress.block(f"From:    {SENDER}\nTo:      {ADDRESS}\nSubject: {self.email.subject}\n\n{self.email.body}", 8)


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
            Inbox(stack, "emails", "text"),
            Inbox(stack, "cards", "chat"),
        )

    def next_about(self, vpc: str, seconds: float) -> Alert:
        """Returns the next alert about the VPC."""
        forms = []
        for what, inbox in (("JSON", self.json), ("e-mail", self.emails), ("card", self.cards)):
            message = inbox.wait_for(vpc, seconds)
            if message is None:
                raise DemoFailed(f"no {what} arrived within {seconds:.0f} s")
            forms.append(message)
        json_message, email, card = forms
        return Alert(json_message, email, rendered(card.body, WIDTH - 8))


def until_resolved(inboxes: Inboxes, vpc: str, findings: set[str]) -> Alert:
    """Returns the alert with which all findings are resolved. Slow repairs make more than one alert."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        alert = inboxes.next_about(vpc, seconds=60)
        findings -= {each["id"] for each in alert.json.body["findings"] if each["change"] == "resolved"}
        if not findings:
            return alert
    raise DemoFailed(f"findings are still open: {', '.join(sorted(findings))}")


def run_command(progress: Progress, cloud: Cloud, command: str) -> None:
    """Runs a command of a finding in a shell, as a person would."""
    progress.block(f"$ {command}")
    done = subprocess.run(command, shell=True, env=cloud.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"the command ended with exit code {done.returncode}: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
