"""Names and places, and the variables that lead every AWS client to the local cloud and nowhere else."""

import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
LOGS = TOOLS / "logs"

ACCOUNT = "123456789012"
REGION = "eu-west-1"


SETTINGS = (
    "TOPIC_ARN", "TEXT_TOPIC_ARN", "CHAT_TOPIC_ARN", "LEDGER_TABLE", "REMIND_DAYS", "REQUIRED_SERVICES", "MIN_SEVERITY",
    "EXEMPT_TAG",
)
"""What the function reads. `make local` has people set some of it, and a test must not find that in their terminal."""


def forget_real_accounts() -> None:
    """Takes every trace of a real AWS account out of this process and of those it starts.

    A stranger who tries the project may have credentials at hand: in the environment, in ~/.aws, as the role of a
    container or of an instance. None of them may be found, or a demo would build its network in a real account.
    So whatever starts with `AWS_` is dropped, the two files of the AWS CLI are replaced by nothing, and the metadata
    service is off. How TLS is verified (`AWS_CA_BUNDLE`) says nothing about whom to talk to, and stays.
    """
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        del os.environ[name]
    for name in SETTINGS:
        os.environ.pop(name, None)
    os.environ.update(NO_REAL_ACCOUNT)
    # SAM keeps no settings in the home folder and reports no usage.
    os.environ.update({"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(TOOLS / "sam")})
    os.environ["PATH"] = f"{TOOLS / 'dev' / 'bin'}{os.pathsep}{os.environ['PATH']}"


NO_REAL_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def local_cloud(ec2_port: int, aws_port: int) -> dict[str, str]:
    """The variables that name the local cloud: all that another terminal needs, and what `make local` prints."""
    return NO_REAL_ACCOUNT | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_port}",
        "AWS_ENDPOINT_URL_EC2": f"http://127.0.0.1:{ec2_port}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # A pager would wait for a key press in the middle of a script.
        "AWS_PAGER": "",
    }


def architecture() -> str:
    """This machine's processor in Lambda's words: the function is built for, and runs on, this machine."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
