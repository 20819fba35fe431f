//! The metrics of a hub, as a line of the log in CloudWatch's Embedded Metric Format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! They have no dimension. Each value of a dimension is a metric of its own, at 0.30 USD a month: a dimension for the account
//! would make eight metrics of 1,000 accounts cost 2,400 USD a month.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use jiff::Timestamp;
use metrics::{Unit, describe_gauge, gauge};
use metrics_cloudwatch_embedded::{Builder, Collector};
use tracing::warn;

use crate::coverage::overview::{SweepResult, Totals};

/// The CloudWatch namespace of the metrics.
const NAMESPACE: &str = "gatewatch";

/// Writes the metrics to the log: the state of the organization, and how many checks of a sweep failed.
pub(super) fn write(totals: &Totals, sweep: Option<&SweepResult>, now: Timestamp) {
    if let Err(why) = write_to(io::stdout(), totals, sweep, now) {
        warn!(error = ?why, "the metrics were not written");
    }
}

fn write_to(out: impl Write, totals: &Totals, sweep: Option<&SweepResult>, now: Timestamp) -> Result<(), String> {
    let collector = collector()?;
    let count = |name: &'static str, value: u64| {
        describe_gauge!(name, Unit::Count, "");
        gauge!(name).set(as_f64(value));
    };
    count("AccountRegions", totals.account_regions);
    count("NotEnrolled", totals.not_enrolled);
    count("Stale", totals.stale);
    count("OpenFindingsHigh", totals.open.high);
    count("OpenFindingsMedium", totals.open.medium);
    count("OpenFindingsLow", totals.open.low);
    if let Some(sweep) = sweep {
        count("FailedChecks", sweep.failed);
    }
    if let Some(oldest) = totals.oldest_check {
        describe_gauge!("OldestCheckAge", Unit::Seconds, "");
        gauge!("OldestCheckAge").set(now.duration_since(oldest).as_secs_f64().max(0.0));
    }
    collector.flush(out).map_err(|error| error.to_string())
}

/// The collector of this process. The library keeps one for all its metrics.
fn collector() -> Result<&'static Collector, String> {
    static COLLECTOR: OnceLock<Result<&'static Collector, String>> = OnceLock::new();
    let create =
        || Builder::new().cloudwatch_namespace(NAMESPACE).init().map_err(|error| format!("no collector: {error}"));
    COLLECTOR.get_or_init(create).clone()
}

/// CloudWatch's values are floating-point numbers. No count here is beyond their precision.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::events::part::OpenFindings;

    /// One test, because the library has one collector for a process.
    #[test]
    fn the_metrics_are_one_line_without_a_dimension() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let totals = Totals {
            account_regions: 9,
            checked: 6,
            not_enrolled: 2,
            stale: 1,
            open: OpenFindings { high: 3, medium: 4, low: 0 },
            oldest_check: Some(at("2026-11-27T04:00:00Z")),
        };
        let sweep = SweepResult {
            since: at("2026-11-27T05:00:00Z"),
            checked: 6,
            not_enrolled: 2,
            failed: 1,
            lost_all_members: false,
        };
        let mut log = Vec::new();
        write_to(&mut log, &totals, Some(&sweep), at("2026-11-27T06:00:00Z")).unwrap();
        let log = String::from_utf8(log).unwrap();
        assert_eq!(log.lines().count(), 1);
        let mut line: Value = serde_json::from_str(&log).unwrap();
        line["_aws"]["Timestamp"].take();
        let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": null,
                    "CloudWatchMetrics": [{
                        "Namespace": "gatewatch",
                        "Dimensions": [[]],
                        "Metrics": [
                            metric("AccountRegions", "Count"),
                            metric("FailedChecks", "Count"),
                            metric("NotEnrolled", "Count"),
                            metric("OldestCheckAge", "Seconds"),
                            metric("OpenFindingsHigh", "Count"),
                            metric("OpenFindingsLow", "Count"),
                            metric("OpenFindingsMedium", "Count"),
                            metric("Stale", "Count"),
                        ]
                    }]
                },
                "AccountRegions": 9.0, "FailedChecks": 1.0, "NotEnrolled": 2.0, "OldestCheckAge": 7200.0,
                "OpenFindingsHigh": 3.0, "OpenFindingsLow": 0.0, "OpenFindingsMedium": 4.0, "Stale": 1.0
            })
        );
    }
}
