//! What a hub does beyond a function that watches one account and Region: it enters other accounts.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio::time::{timeout, timeout_at};
use tracing::{Span, error_span, warn};

use crate::{
    alerts::history::HistoryState,
    app::{
        deadline::Deadline,
        handler::{Gatewatch, Invocation},
        logging,
        markers::in_time,
        report::{Member, Report, Sent},
        response::Outcome,
    },
    aws::{account_clients::AccountClients, members::EnterError},
    coverage::marker::MemberAccount,
    error::Error,
    events::{origin::Watched, payload::Payload},
    network::{account::AccountRegion, enrollment::NotEnrolled},
};

/// How long an alert waits for the name of its account.
const NAME_TIMEOUT: Duration = Duration::from_secs(2);

impl Gatewatch {
    /// The accounts and Regions that the function watches.
    pub(super) fn watched(&self, own: AccountRegion) -> Watched {
        Watched { own, regions: self.settings.hub().map(|hub| hub.regions.clone()) }
    }

    /// Names the account and Region in each line of the log about them.
    pub(super) fn span_of(&self, place: &AccountRegion) -> Span {
        let is_hub = self.settings.hub().is_some();
        if is_hub { error_span!("member", account = ?place.account, region = ?place.region) } else { Span::none() }
    }

    /// The clients that read an account and Region.
    pub(super) async fn enter(
        &self,
        place: &AccountRegion,
        Invocation { own, deadline, .. }: &Invocation,
    ) -> Result<Arc<AccountClients>, EnterError> {
        match &self.clients.members {
            Some(members) if place != own => {
                let late =
                    || Error::Ec2ReadFailed("AssumeRole: not answered before the invocation's deadline".to_owned());
                // Boxed, because most events need no session, and its future is large.
                let entering = timeout_at(deadline.prepare_until(), Box::pin(members.clients_of(place, own)));
                entering.await.unwrap_or_else(|_| Err(EnterError::Failed(late())))
            }
            _ => Ok(Arc::clone(&self.clients.own)),
        }
    }

    /// Forgets the session of these clients if it began before this time. Returns whether it did.
    ///
    /// A session ends with its role. EC2 then refuses it with the same code as in a Region that is not enabled, and only a
    /// new session tells which of the two it is.
    pub(super) fn forget_older_session(
        &self,
        place: &AccountRegion,
        clients: &AccountClients,
        before: SystemTime,
    ) -> bool {
        let (Some(members), Some(account)) = (&self.clients.members, &place.account) else { return false };
        let Some(session_began_at) = clients.session_began_at.filter(|session_began_at| *session_began_at < before)
        else {
            return false;
        };
        members.forget(account, session_began_at);
        true
    }

    /// The outcome for an account and Region that cannot be read. Its events are done: nothing that a retry does would read
    /// it, and the first sweep after its enrollment checks all of it.
    pub(super) async fn not_enrolled(
        &self,
        payload: &Payload,
        place: &AccountRegion,
        reason: NotEnrolled,
        deadline: &Deadline,
    ) -> Result<Outcome, Error> {
        warn!(reason = reason.name(), "an account is not enrolled");
        if let (Some(table), Some(account)) = (self.marker_table(), &place.account) {
            let writing = table.write_not_enrolled(account, &place.region, reason, Timestamp::now());
            in_time(deadline, writing).await?;
        }
        let member = Member { account_region: place.clone(), not_enrolled: Some(reason) };
        let sent = Sent { history: HistoryState::On, ..Sent::default() };
        let report = Report { scope: payload.scope(), sent, member: Some(member), ..Report::default() };
        let outcome = match payload {
            Payload::Direct(_) => Outcome::Report(report),
            Payload::Batch(messages) => Outcome::Batch { failures: Outcome::unreadable(messages), report },
        };
        let outcome = Ok(outcome);
        logging::outcome(payload, &outcome);
        outcome
    }

    /// What AWS Organizations says of an account: its name, and where it is. If that cannot be read, it does no harm: the alert
    /// goes without it.
    pub(super) async fn member_account(&self, place: &AccountRegion) -> Option<MemberAccount> {
        self.settings.hub()?;
        let table = self.marker_table()?;
        let account = place.account.as_ref()?;
        match timeout(NAME_TIMEOUT, table.account(account)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                warn!(error = ?error.to_string(), "the name of the account was not read");
                None
            }
            Err(_) => {
                warn!("the name of the account was not read in time");
                None
            }
        }
    }
}
