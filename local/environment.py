"""Names and paths, and the variables that point every AWS client to the local cloud and nowhere else."""

import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
LOGS = TOOLS / "logs"

ACCOUNT = "123456789012"
REGION = "eu-west-1"

SETTINGS = (
    "TOPIC_ARN",
    "TEXT_TOPIC_ARN",
    "CHAT_TOPIC_ARN",
    "LEDGER_TABLE",
    "REMIND_DAYS",
    "CHECKS",
    "REQUIRED_INTERFACES",
    "ORGANIZATION_ID",
    "REQUIRED_SERVICES",
    "MIN_SEVERITY",
    "EXEMPT_TAG",
)
"""The function's settings. Users of `make local` set some of them in their terminal; a test must not see those."""

BESIDE_EC2 = {
    "apigateway": "AWS_ENDPOINT_URL_API_GATEWAY",
    "ec2": "AWS_ENDPOINT_URL_EC2",
    "route53": "AWS_ENDPOINT_URL_ROUTE_53",
    "route53profiles": "AWS_ENDPOINT_URL_ROUTE53PROFILES",
    "route53resolver": "AWS_ENDPOINT_URL_ROUTE53RESOLVER",
}
"""The services that the EC2 server answers, as boto3 names them, and the variables that lead there.

Their resources name VPCs and endpoints, so they are where those are.
"""

NO_REAL_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def forget_real_accounts() -> None:
    """Removes every trace of a real AWS account from this process and its children.

    A user may have credentials in the environment, in ~/.aws, or through the role of a container or an instance. If a
    client found them, the demo would build its network in a real account. So this function removes all variables that
    start with `AWS_`, replaces the two files of the AWS CLI by nothing, and turns the metadata service off.
    `AWS_CA_BUNDLE` stays: it says how to verify TLS, not whom to talk to.
    """
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        del os.environ[name]
    for name in SETTINGS:
        os.environ.pop(name, None)
    os.environ.update(NO_REAL_ACCOUNT)
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    dev = str(TOOLS / "dev" / "bin")
    if not os.environ["PATH"].startswith(dev):
        os.environ["PATH"] = f"{dev}{os.pathsep}{os.environ['PATH']}"


def local_cloud(ec2_port: int, aws_port: int) -> dict[str, str]:
    """Returns the variables that lead to the local cloud: all that another terminal needs."""
    beside_ec2 = dict.fromkeys(BESIDE_EC2.values(), f"http://127.0.0.1:{ec2_port}")
    return (
        NO_REAL_ACCOUNT
        | beside_ec2
        | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_port}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            # A pager would wait for a key press in the middle of a script.
            "AWS_PAGER": "",
        }
    )


def architecture() -> str:
    """Returns this machine's processor in Lambda's words. The function is built for this machine and runs on it."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
