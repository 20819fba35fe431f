"""`make local`: the local cloud stays up, with the network that the files in `events/` name, until Ctrl-C.

The function is not deployed into it: `cargo lambda watch` runs it, and rebuilds it as you work on it.
"""

import shlex
import signal
import sys

from local.cloud import interruptible, local_cloud
from local.environment import ROOT, TOOLS
from local.networks import build_network_of_events

ENV_FILE = TOOLS / "local.env"

HOW_TO = """
The local cloud is up, with the network of events/README.md. Ctrl-C stops it.

In a second terminal, from {root}:

    source {env_file}
    cargo lambda watch --invoke-address 127.0.0.1 --wait

In a third one:

    source {env_file}
    cargo lambda invoke --invoke-address 127.0.0.1 --data-file events/create-subnet.json

What each file in events/ answers is in events/README.md. `aws ec2 describe-route-tables` and the like show the network.
The variables that lead there:

{exports}
"""


def main() -> int:
    """Serves until it is interrupted."""
    try:
        with interruptible(), local_cloud("local") as cloud:
            build_network_of_events(cloud.client("ec2"))
            topic = cloud.client("sns").create_topic(Name="gatewatch")["TopicArn"]
            exports = [f"export {name}={shlex.quote(value)}" for name, value in
                       (cloud.variables | {"TOPIC_ARN": topic, "AWS_LAMBDA_LOG_LEVEL": "INFO"}).items()]
            exports += [
                "unset AWS_PROFILE AWS_SESSION_TOKEN",
                f"export PATH={shlex.quote(str(TOOLS / 'dev' / 'bin'))}:$PATH",
            ]
            ENV_FILE.write_text("\n".join(exports) + "\n")
            shown = "\n".join(f"    {export}" for export in exports)
            print(HOW_TO.format(root=ROOT, env_file=ENV_FILE.relative_to(ROOT), exports=shown), flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        print("\nThe local cloud is stopped.")
        return 0
    finally:
        ENV_FILE.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
