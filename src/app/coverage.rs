//! Answers a request for the overview: of the organization, or of the function's own account and Region. At the end of an
//! organization's sweep, also writes the metrics and tells people which accounts cannot be read.

use futures_util::{
    StreamExt, TryStreamExt,
    future::{join_all, try_join},
    stream,
};
use jiff::Timestamp;

use crate::{
    alerts::alert::truncate_to_seconds,
    app::{
        deadline::Deadline,
        handler::{Gatewatch, Invocation},
        metrics,
        response::MAX_ANSWER,
    },
    aws::dynamodb::marker_table::MarkerTable,
    coverage::{
        enrollment_changes::{EnrollmentChange, EnrollmentChanges},
        marker::{Marker, MemberAccount},
        overview::{Overview, SweepResult},
    },
    error::Error,
    events::coverage_request::CoverageRequest,
    messages::{
        enrollment::render,
        json::{answer::Answer, coverage::Coverage},
    },
    network::enrollment::NotEnrolled,
    settings::Markers,
};

/// Maximum number of markers that are written concurrently.
const MAX_CONCURRENT_WRITES: usize = 20;
/// Maximum number of markers that one invocation writes: each takes 2 ms with 256 MB, and the invocation has a minute. What is
/// left is told again after the next sweep.
const MAX_WRITES: usize = 10_000;

impl Gatewatch {
    /// Answers a request for the overview.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`] if a row could not be read or written; [`Error::PublishFailed`] if a topic did not accept the
    /// message about accounts that cannot be read.
    pub(super) async fn coverage(
        &self,
        request: CoverageRequest,
        settings: &Markers,
        table: MarkerTable<'_>,
        Invocation { own, deadline, .. }: &Invocation,
    ) -> Result<Answer, Error> {
        let own_account = own.account.as_deref();
        let now = Timestamp::now();
        let is_hub = settings.member_role.is_some();
        let (markers, accounts) = if is_hub {
            try_join(table.markers(), table.accounts()).await?
        } else {
            of_own_account(table.markers().await?, own_account)
        };
        let overview = Overview::new(&markers, &accounts, &settings.regions, settings.stale_after, now);
        // Markers have whole seconds.
        let since = request.since.map(truncate_to_seconds);
        let sweep = since.map(|since| SweepResult::new(&overview, &markers, own_account, since));
        if request.is_summary {
            if is_hub {
                // First, because a topic that does not work must not hide them.
                metrics::write(&overview.totals, sweep.as_ref(), now);
            }
            let changes = EnrollmentChanges::new(&overview, &markers, &accounts);
            self.tell(&changes, table, deadline).await?;
        }
        let coverage = Coverage::new(&overview, !request.is_summary, sweep).truncated_to(MAX_ANSWER);
        Ok(Answer::Coverage(Box::new(coverage)))
    }

    /// Sends one message about the changes on each channel, and remembers that. If a channel does not accept it, all of them
    /// get it again with the next attempt.
    async fn tell(
        &self,
        changes: &EnrollmentChanges,
        table: MarkerTable<'_>,
        deadline: &Deadline,
    ) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let until = deadline.publish_until();
        let publishing = self.clients.topics.iter().map(async |topic| {
            let message = render(changes, topic.channel);
            topic.publish("the organization", &message, until).await
        });
        join_all(publishing).await.into_iter().collect::<Result<(), Error>>()?;
        let lost = changes.not_enrolled.iter().flat_map(|change| reported(change, Some(change.reason)));
        let gained = changes.enrolled.iter().flat_map(|change| reported(change, None));
        let writing = gained
            .chain(lost)
            .take(MAX_WRITES)
            .map(async |(account, region, reason)| table.write_reported(account, region, reason).await);
        stream::iter(writing).buffer_unordered(MAX_CONCURRENT_WRITES).try_collect::<()>().await
    }
}

/// What a function that is no hub knows of its only account. It may have been a hub, and have markers of others.
fn of_own_account(mut markers: Vec<Marker>, account: Option<&str>) -> (Vec<Marker>, Vec<MemberAccount>) {
    markers.retain(|marker| account == Some(marker.account.as_str()));
    let own = |id: &str| MemberAccount {
        id: id.to_owned(),
        name: None,
        organizational_unit: None,
        is_active: true,
        seen_at: None,
    };
    (markers, account.map(own).into_iter().collect())
}

/// The accounts and Regions of a change, with what people know about them now.
fn reported(
    change: &EnrollmentChange,
    reason: Option<NotEnrolled>,
) -> impl Iterator<Item = (&str, &str, Option<NotEnrolled>)> {
    change.regions.iter().map(move |region| (change.account.as_str(), region.as_str(), reason))
}
