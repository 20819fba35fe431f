"""`make local`: serves the local cloud, with the network that the files in `events/` name, until Ctrl-C.

The function is not deployed there: `cargo lambda watch` runs it, and rebuilds it when you change it.

The ledger is off at first. With it, `cargo lambda invoke` would send a finding the first time and nothing the second
time, and events/README.md could not say what each file answers.
"""

import shlex
import signal
import sys

from local import history_table
from local.cloud import interruptible, local_cloud
from local.environment import ROOT, TOOLS
from local.inbox import subscribe_queue
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

The ledger is off, so that each file gives the same answer each time. If you set these before `cargo lambda watch`, a
finding is sent once, also as text and as a chat card:

{more}

`aws dynamodb scan --table-name {table}` shows what has been sent. A queue is subscribed to each topic.

The variables that lead there:

{exports}
"""


def exported(variables: dict[str, str]) -> list[str]:
    """Returns the shell lines that set these variables."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def indented(lines: list[str]) -> str:
    """Indents the lines for the how-to."""
    return "\n".join(f"    {line}" for line in lines)


def main() -> int:
    """Serves until it is interrupted."""
    try:
        with interruptible(), local_cloud("local") as cloud:
            build_network_of_events(cloud.client("ec2"))
            sns, table = cloud.client("sns"), history_table.create(cloud.client("dynamodb"), "gatewatch")
            topics = {name: sns.create_topic(Name=topic)["TopicArn"] for name, topic in TOPICS.items()}
            # gatewatch publishes nothing to a topic without subscribers.
            for variable, topic in topics.items():
                subscribe_queue(cloud, topic, TOPICS[variable])
            exports = exported(cloud.variables | {"TOPIC_ARN": topics.pop("TOPIC_ARN"), "AWS_LAMBDA_LOG_LEVEL": "INFO"})
            exports += [
                # These may be left in the terminal from an earlier cloud.
                f"unset AWS_PROFILE AWS_SESSION_TOKEN LEDGER_TABLE {' '.join(topics)}",
                f"export PATH={shlex.quote(str(TOOLS / 'dev' / 'bin'))}:$PATH",
            ]
            ENV_FILE.write_text("\n".join(exports) + "\n")
            more = exported({"LEDGER_TABLE": table} | topics)
            print(
                HOW_TO.format(
                    root=ROOT,
                    env_file=ENV_FILE.relative_to(ROOT),
                    table=table,
                    more=indented(more),
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
