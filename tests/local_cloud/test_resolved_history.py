"""Resolved findings cost nothing: a sweep and a deletion read the open ones only, one page of them.

`make verify PART=history-benchmark` measures the same with 500 open and 100,000 resolved findings, and with those of
gatewatch 0.1.0.
"""

from local.cloud import Cloud
from local.deployment import Deployment
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.pausing_proxy import pausing_proxy
from tests.local_cloud.support.resolved_history import Region, empty_ec2
from tests.local_cloud.support.sandbox import Sandbox

FINDINGS = 100
RESOLVED = 2_000
"""More than a page of them."""


def test_a_sweep_and_a_deletion_read_one_page_whatever_is_resolved(
    cloud: Cloud, stack: Deployment, figure: AddFigure
) -> None:
    assert stack, "the function is built"
    with empty_ec2(cloud) as url, pausing_proxy(cloud) as proxy:
        urls = {"AWS_ENDPOINT_URL_EC2": url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url}
        region = Region(cloud, Sandbox(cloud, "resolved-history", urls), proxy, FINDINGS)
        region.add_resolved(RESOLVED)

        sweep, deletion = region.sweep(), region.delete_subnet()

        assert (sweep.pages, deletion.pages) == (1, 1)
        assert [query for query in proxy.queries if b"#resolved" in query] == []
    figure(
        f"{FINDINGS} open and {RESOLVED:,} resolved findings: a sweep and a deleted subnet read 1 page each, "
        f"with {sweep.memory / 1024 / 1024:.0f} and {deletion.memory / 1024 / 1024:.0f} MB at most"
    )
