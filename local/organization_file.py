"""The organization of a local cloud: a file that both servers read, and that tests and the demo change.

A single account has no such file, and the servers then behave as if this module did not exist.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "GATEWATCH_LOCAL_ORGANIZATION"
"""The variable that names the file, in the environment of the servers."""

AUTHORIZE = "/_gatewatch/authorize"
"""A path of our own in ministack: whose key it is, and whether it allows a call.

The EC2 server asks, because only ministack knows keys and policies.
"""


@dataclass(frozen=True)
class Account:
    """An account of the organization."""

    id: str
    name: str
    path: str = ""
    """The names of the organizational units from the root to the account, such as `workloads/prod`."""
    state: str = "ACTIVE"
    """As ListAccounts returns it. A suspended account admits nobody."""
    disabled_regions: tuple[str, ...] = ()
    throttled: bool = False
    """Whether EC2 answers RequestLimitExceeded to each call in this account."""


@dataclass(frozen=True)
class OrganizationFile:
    """What AWS knows about an organization."""

    id: str
    management_account: str
    delegated_administrators: tuple[str, ...]
    """Accounts besides the management account that may list the accounts."""
    accounts: tuple[Account, ...]

    def account(self, account: str) -> Account | None:
        """Returns a member, or nothing if the account is not in the organization."""
        return next((each for each in self.accounts if each.id == account), None)

    def write(self, path: Path) -> None:
        """Writes the file. A server that reads it at the same time sees the old file or the new one."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(dataclasses.asdict(self)))
        draft.replace(path)


class OrganizationReader:
    """The organization as a server sees it: the file's current content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._content: OrganizationFile

    @classmethod
    def from_environment(cls) -> "OrganizationReader | None":
        """Returns a reader, or nothing for the cloud of a single account."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else None

    @property
    def current(self) -> OrganizationFile:
        """The organization as it is now."""
        status = self._path.stat()
        # A new file has another inode, even if it was written within the resolution of the clock.
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._version:
            self._content = _parsed(json.loads(self._path.read_text()))
            self._version = version
        return self._content


def _parsed(content: dict[str, Any]) -> OrganizationFile:
    accounts = (Account(**each | {"disabled_regions": tuple(each["disabled_regions"])}) for each in content["accounts"])
    administrators = tuple(content["delegated_administrators"])
    return OrganizationFile(**content | {"accounts": tuple(accounts), "delegated_administrators": administrators})
