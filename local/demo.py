"""`make demo`: gatewatch from an EC2 change to a message, and from the message's advice to silence.

Everything happens on this machine, against emulators. Stopping the demo at any point takes everything down again.
"""

import contextlib
import json
import subprocess
import sys
from typing import Any

from local import deployment, networks
from local.cloud import Cloud, interruptible, local_cloud
from local.deployment import Deployment
from local.environment import LOGS
from local.inbox import Inbox, Message
from local.narrator import Narrator

NAME = "demo"
SETTLE_SECONDS = 3
"""The settle window here. In real life it is 5 minutes, because a real network takes that long to build."""


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
        stack = deployment.deploy(cloud, SettleSeconds=SETTLE_SECONDS)
        inbox = Inbox(stack)
        narrator.say(f"A queue is subscribed to {stack.topic}.")

    with narrator.step("Build a network: public and private subnets, a NAT gateway, an S3 endpoint on one table only."):
        vpc = networks.build_shop(cloud.client("ec2"))
        narrator.say(f"It is {vpc}. Each call was told to EventBridge, as CloudTrail would.")

    with narrator.step("Wait for the network to settle, and for what gatewatch has to say about it."):
        message = inbox.wait_for(vpc, seconds=60)
        if message is None:
            raise DemoFailed("no message arrived within 60 s")
    show(narrator, message)

    with narrator.step("Do what the findings advise (`remediation.awsCli`), word for word."):
        for finding in message.body["findings"]:
            follow(narrator, cloud, finding["remediation"]["awsCli"])

    with narrator.step("Ask gatewatch to check that VPC again."):
        report = ask(narrator, stack, {"check": {"vpcIds": [vpc]}})
        if report["findings"]:
            raise DemoFailed(f"there are still findings: {json.dumps(report['findings'], indent=2)}")
        narrator.say(f"{report['checked']['routeTables']} route tables checked, and no finding is left.")

    with narrator.step("Change the network once more, by a subnet on a table that has its roads, and listen."):
        # The repairs were changes too. On a slow machine they outlast the short settle window of this demo, and gatewatch
        # rightly speaks of what is left to repair. Those messages are let out first.
        inbox.all_within(seconds=SETTLE_SECONDS + 2, at_least=0)
        networks.add_subnet_to_shop(cloud.client("ec2"), vpc)
        if extra := inbox.wait_for(vpc, seconds=SETTLE_SECONDS + 5):
            raise DemoFailed(f"a message came although all is covered: {extra.subject}")
        narrator.say("Silence. A change that leaves all covered makes no message.")


def show(narrator: Narrator, message: Message) -> None:
    """What arrived: for people first, then as it is."""
    narrator.show(f"\nSubject: {message.subject}\n")
    narrator.say(message.body["summary"])
    for finding in message.body["findings"]:
        name = finding["routeTable"]["name"] or "no name"
        narrator.show(f"\n{finding['severity']:<6}  {finding['service']}  {finding['routeTable']['id']} ({name})")
        narrator.say(finding["reason"], indent=14)
        narrator.show(f"$ {finding['remediation']['awsCli']}", indent=14)
    narrator.show("\nThe message as a subscriber receives it:\n")
    narrator.show(json.dumps(message.body, indent=2))


def follow(narrator: Narrator, cloud: Cloud, command: str) -> None:
    """Runs a command of a finding, through a shell, as a person would."""
    narrator.show(f"$ {command}")
    done = subprocess.run(command, shell=True, env=cloud.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"the command ended with exit code {done.returncode}: {done.stderr.strip()}")


def ask(narrator: Narrator, stack: Deployment, request: dict[str, Any]) -> dict[str, Any]:
    """Sends the function a manual request and gives its report."""
    narrator.show(f"request: {json.dumps(request)}")
    return stack.invoke(request)


if __name__ == "__main__":
    sys.exit(main())
