"""The first event with a part of a core, as Lambda gives it to a function with little memory.

Lambda gives a full core while the function starts, so only the event is throttled. The throttle is the kernel's own: a
control group with a quota. (cpulimit stops and continues a process every tenth of a second, which is longer than the
event takes.)
"""

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.events import route_created
from bench.figures import RUNS, Row, compared
from bench.function import Function
from bench.session import Session

CGROUP_V2, CGROUP_V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")
PERIOD_US = 20_000
SHARES = {"128 MB": 1 / 14, "256 MB": 1 / 7}
"""Lambda gives a core for 1,769 MB (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)."""


@contextlib.contextmanager
def control_group(share: float) -> Iterator[Path | None]:
    """A control group with this share of a core; `None` if this machine lets nobody create one."""
    quota = round(PERIOD_US * share)
    is_v2 = (CGROUP_V2 / "cgroup.controllers").exists()
    group = (CGROUP_V2 if is_v2 else CGROUP_V1) / f"gatewatch-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        if is_v2:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        yield group if is_enforced(group, share) else None
    except OSError:
        yield None
    finally:
        group.rmdir()


def is_enforced(group: Path, share: float) -> bool:
    """Whether a process in the group really gets no more than its share."""
    child = os.fork()
    if child == 0:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass
        os._exit(0)
    (group / "cgroup.procs").write_text(str(child))
    _, _, usage = os.wait4(child, 0)
    return usage.ru_utime + usage.ru_stime < 1.5 * share + 0.05


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    rows, results = [], {}
    for memory, share in SHARES.items():
        samples: dict[str, dict[str, list[float]]] = {"gatewatch": defaultdict(list), "twin": defaultdict(list)}
        with control_group(share) as group:
            if group is None:
                print("skipped: this machine has no control group with a CPU quota")
                return []
            for _ in range(RUNS):
                for name, found in samples.items():
                    session.stand_in.reset(10)
                    with Function(session.programs[name], session.stand_in, history=True) as function:
                        (group / "cgroup.procs").write_text(str(function.pid))
                        found["init_ms"].append(function.init_ms)
                        found["first_ms"].append(function.invoke(route_created(1)).ms)
                        found["warm_ms"].append(function.invoke(route_created(1)).ms)
        kind = f"throttled, as with {memory}"
        results[memory] = samples
        ours, twin = samples["gatewatch"], samples["twin"]
        rows += [
            compared(f"{kind}: start to ready, full core", ours["init_ms"], "ms", "twin", median(twin["init_ms"])),
            compared(f"{kind}: first event", ours["first_ms"], "ms", "twin", median(twin["first_ms"])),
            compared(f"{kind}: warm event", ours["warm_ms"], "ms", "twin", median(twin["warm_ms"])),
        ]
    session.results["throttled"] = results
    return rows
