//! A Region that is too large for one invocation: each invocation checks a part of it, and its answer says where to go on.
//!
//! | given | then |
//! |---|---|
//! | no more VPCs than the request allows | the Region is checked at once, with the same calls as without a limit |
//! | more | the ids of all VPCs are read, and then only the VPCs of the part |
//! | the last part | what the alert history knows about VPCs that are gone is in it, and the REST APIs |
//!
//! An answer without `next` is the last one. What the marker of the Region needs is in `next` and not in the table, so that a
//! part that is repeated after a failure counts once.

use jiff::Timestamp;

use crate::{
    app::{
        handler::{Entered, Gatewatch, Invocation},
        report::Report,
        response::Outcome,
    },
    coverage::marker::count_by_severity,
    error::Error,
    events::{
        part::{NextPart, OpenFindings, PartRequest, RegionPart},
        payload::Payload,
    },
};

impl Gatewatch {
    /// Processes one part of a Region, or all of a Region that is small enough.
    ///
    /// # Errors
    ///
    /// Those of [`Gatewatch::process`].
    pub(super) async fn process_part(
        &self,
        payload: &Payload,
        request: &PartRequest,
        entered: &Entered<'_>,
        invocation: &Invocation,
    ) -> Result<Outcome, Error> {
        if request.next.is_none() {
            match self.process(payload, Some(request.max_vpcs), entered, invocation).await {
                Err(Error::TooManyVpcs(_)) => {}
                outcome => return outcome,
            }
        }
        let check = self.prepare_check(payload, None, entered, invocation);
        let part = RegionPart::new(invocation.deadline.read(check.reader().vpc_ids()).await?, request);
        let last_vpc_id = part.vpc_ids.last().filter(|_| !part.is_last()).cloned();
        let mut outcome = self.process(&payload.limited_to(part), None, entered, invocation).await?;
        if let (Outcome::Report(report), Some(after_vpc_id)) = (&mut outcome, last_vpc_id) {
            let (since, open) = began_and_found(Some(request), report, invocation.started_at);
            report.next = Some(NextPart { after_vpc_id, since, open });
        }
        Ok(outcome)
    }
}

/// When the check of the Region began, and the findings in its parts up to this report. `started_at` is when this invocation
/// began.
pub(super) fn began_and_found(
    request: Option<&PartRequest>,
    report: &Report,
    started_at: Timestamp,
) -> (Timestamp, OpenFindings) {
    let open = count_by_severity(&report.findings);
    match request.and_then(|part| part.next.as_ref()) {
        None => (started_at, open),
        // A time in the future would keep the check from ever being out of date.
        Some(next) => (started_at.min(next.since), open + next.open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::finding;

    #[test]
    fn the_findings_of_all_parts_are_counted_and_the_first_part_says_when_the_check_began() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let started_at = at("2026-11-27T04:00:30Z");
        let report = Report { findings: vec![finding("vpc-0000000a", "rtb-0000000a")], ..Report::default() };
        let of_report = count_by_severity(&report.findings);
        let request = |since: &str| PartRequest {
            max_vpcs: 1,
            next: Some(NextPart {
                after_vpc_id: "vpc-00000009".into(),
                since: at(since),
                open: OpenFindings { high: 1, medium: 20, low: 300 },
            }),
        };
        let with_earlier = OpenFindings { high: 1, medium: 20, low: 300 } + of_report;
        let first = PartRequest { max_vpcs: 1, next: None };
        for (request, expected) in [
            (None, (started_at, of_report)),
            (Some(first), (started_at, of_report)),
            (Some(request("2026-11-27T04:00:00Z")), (at("2026-11-27T04:00:00Z"), with_earlier)),
            (Some(request("2099-01-01T00:00:00Z")), (started_at, with_earlier)),
        ] {
            assert_eq!(began_and_found(request.as_ref(), &report, started_at), expected, "{request:?}");
        }
    }
}
