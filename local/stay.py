"""`make local`: the local cloud stays up, with the network that the files in `events/` name, until Ctrl-C.

The function is not deployed into it: `cargo lambda watch` runs it, and rebuilds it as you work on it.

Nothing is remembered at first: with a ledger, `cargo lambda invoke` would send a finding the first time and be silent the
second, and events/README.md could not say what comes of a file.
"""

import shlex
import signal
import sys

from local import ledger
from local.cloud import interruptible, local_cloud
from local.environment import ROOT, TOOLS
from local.networks import build_network_of_events

ENV_FILE = TOOLS / "local.env"
TOPICS = {"TOPIC_ARN": "gatewatch", "TEXT_TOPIC_ARN": "gatewatch-text", "CHAT_TOPIC_ARN": "gatewatch-chat"}

HOW_TO = """
The local cloud is up, with the network of events/README.md. Ctrl-C stops it.

In a second terminal, from {root}:

    source {env_file}
    cargo lambda watch --invoke-address 127.0.0.1 --wait

In a third one:

    source {env_file}
    cargo lambda invoke --invoke-address 127.0.0.1 --data-file events/create-subnet.json

What each file in events/ answers is in events/README.md. `aws ec2 describe-route-tables` and the like show the network.

The ledger is off, so that each file gives the same answer each time. With these, set before `cargo lambda watch`, a
finding is told once, and as text and as a chat card too:

{more}

`aws dynamodb scan --table-name {table}` shows what has been told.

The variables that lead there:

{exports}
"""


def exported(variables: dict[str, str]) -> list[str]:
    """The lines that set them."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def indented(lines: list[str]) -> str:
    """The lines as the how-to shows them."""
    return "\n".join(f"    {line}" for line in lines)


def main() -> int:
    """Serves until it is interrupted."""
    try:
        with interruptible(), local_cloud("local") as cloud:
            build_network_of_events(cloud.client("ec2"))
            sns, table = cloud.client("sns"), ledger.create(cloud.client("dynamodb"), "gatewatch")
            topics = {name: sns.create_topic(Name=topic)["TopicArn"] for name, topic in TOPICS.items()}
            exports = exported(cloud.variables | {"TOPIC_ARN": topics.pop("TOPIC_ARN"), "AWS_LAMBDA_LOG_LEVEL": "INFO"})
            exports += [
                # What was set in this terminal before is not of this cloud.
                f"unset AWS_PROFILE AWS_SESSION_TOKEN LEDGER_TABLE {' '.join(topics)}",
                f"export PATH={shlex.quote(str(TOOLS / 'dev' / 'bin'))}:$PATH",
            ]
            ENV_FILE.write_text("\n".join(exports) + "\n")
            more = exported({"LEDGER_TABLE": table} | topics)
            print(
                HOW_TO.format(
                    root=ROOT, env_file=ENV_FILE.relative_to(ROOT), table=table, more=indented(more),
                    exports=indented(exports),
                ),
                flush=True,
            )
            while True:
                signal.pause()
    except KeyboardInterrupt:
        print("\nThe local cloud is stopped.")
        return 0
    finally:
        ENV_FILE.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
