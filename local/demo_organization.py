"""`make demo-organization`: one hub watches five accounts in three Regions, and says which accounts it cannot read.

Everything happens on this machine, against emulators. If you interrupt the demo, everything is stopped.
"""

import contextlib
import json
import sys
from typing import Any

from local import deployment
from local.demo import DemoFailed, show
from local.deployment import Deployment
from local.inbox import Inbox, Message
from local.networks import build_shop, without_events
from local.organization import ACCOUNTS, ARCHIVE, PAYMENTS, REGIONS, ROLES, SHOP, local_organization
from local.progress import Progress

NAME = "demo-organization"
ADDRESS = "alex@example.com"
SETTLE_SECONDS = 3
"""By default it is 5 minutes, because a real network takes that long to build."""
ELSEWHERE = "us-east-1"


def main() -> int:
    """Runs the whole demo."""
    return show(NAME, steps=9, run=run)


def run(progress: Progress, running: contextlib.ExitStack) -> None:
    """Runs the demo step by step."""
    with progress.step(f"Start an organization: {len(ACCOUNTS)} accounts in {len(REGIONS)} Regions."):
        organization = running.enter_context(local_organization(NAME))
        progress.block(table([(each.id, each.name, each.path) for each in ACCOUNTS]))

    with progress.step("Build the function with `sam build`. The first time this compiles the AWS SDK: some minutes."):
        deployment.build(organization.cloud)

    with progress.step("Deploy template.yaml as the hub: the same template, with Regions and OrganizationId."):
        hub = organization.deploy_hub(SettleSeconds=SETTLE_SECONDS, EmailAddress=ADDRESS)
        programs, emails = Inbox(hub), Inbox(hub, "emails", "text")

    with progress.step("Deploy organization/roles.yaml and rules.yaml in each account: two roles and rules, no code."):
        for account in ACCOUNTS:
            organization.enroll(hub, account.id)

    with progress.step("Run the scheduled check: a state machine lists the accounts and checks each of them."):
        show_sweep(progress, organization.sweep(hub))

    with progress.step(f"Build a network in the account `shop` in {ELSEWHERE}, and wait for the alert."):
        vpc = build_shop(organization.client("ec2", SHOP, ELSEWHERE))
        alert = next_about(programs, vpc)
        place = {name: alert.body[name] for name in ("account", "accountName", "region")}
        if place != {"account": SHOP, "accountName": "shop", "region": ELSEWHERE}:
            raise DemoFailed(f"the alert is about another place: {place}")
        email = next_about(emails, vpc)
    show_email(progress, email)

    with progress.step("Build a network in the account `archive`, and lose its events. The next check finds it."):
        if not hub.wait_until_idle(seconds=60):
            raise DemoFailed("the function has not handled the changes within a minute")
        ec2 = organization.client("ec2", ARCHIVE)
        with without_events(ec2):
            lost = build_shop(ec2)
        show_sweep(progress, organization.sweep(hub))
        progress.paragraph(f"Subject of the alert: {next_about(programs, lost).subject}")
        emails.drain()

    with progress.step("Delete the roles in the account `payments`, and check again: it is reported, not forgotten."):
        organization.client("cloudformation", PAYMENTS).delete_stack(StackName=ROLES)
        forget_sessions(hub)
        show_sweep(progress, organization.sweep(hub))
        [email] = emails.drain()
    show_email(progress, email)

    with progress.step("Ask for the overview of the organization."):
        overview = hub.invoke({"coverage": True})
        progress.block(table([row(each) for each in overview["accountRegions"]]))
        progress.paragraph(f"In numbers: {json.dumps(overview['totals'])}")


def next_about(inbox: Inbox, vpc: str) -> Message:
    """Returns the next message about a VPC."""
    message = inbox.wait_for(vpc, seconds=60)
    if message is None:
        raise DemoFailed(f"no message about {vpc} arrived within a minute")
    return message


def forget_sessions(hub: Deployment) -> None:
    """Starts the function anew. Otherwise it would use the session that it has for up to an hour."""
    functions = hub.cloud.client("lambda")
    variables = functions.get_function_configuration(FunctionName=hub.function)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=hub.function, Environment={"Variables": variables | {"STARTED": "again"}}
    )


def show_sweep(progress: Progress, summary: dict[str, Any]) -> None:
    """Prints what a scheduled check did."""
    sweep, opened = summary["sweep"], summary["totals"]["open"]
    progress.paragraph(
        f"{sweep['checked']} accounts and Regions checked, {sweep['notEnrolled']} cannot be read, "
        f"{sweep['failed']} failed."
    )
    progress.paragraph(f"Open findings: {opened['HIGH']} HIGH, {opened['MEDIUM']} MEDIUM, {opened['LOW']} LOW.")


def show_email(progress: Progress, email: Message) -> None:
    """Prints an e-mail."""
    progress.block(f"\nTo:      {ADDRESS}\nSubject: {email.subject}\n\n{email.body}", 8)


def row(state: dict[str, Any]) -> tuple[str, ...]:
    """Returns the line of an account and Region."""
    counts = state.get("open", {})
    opened = ", ".join(f"{number} {severity}" for severity, number in counts.items() if number) or "nothing open"
    what = state.get("notEnrolled") or opened
    return state["account"], state.get("accountName", ""), state["region"], what


def table(rows: list[tuple[str, ...]]) -> str:
    """Returns lines with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
