//! The six ways in which gatewatch fails, under names that an alarm can rely on.

/// Why the function could not start or an invocation failed.
///
/// A message names the operation, the AWS error code and the request id; it never holds a payload or a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting that cannot be read: the variable, its value and what is allowed.
    #[error("{0}")]
    Config(String),
    /// A payload that gatewatch does not know, or that belongs to another account or Region: what was seen.
    #[error("{0}")]
    UnsupportedEvent(String),
    /// The network could not be read to its end, so nothing is said about it.
    #[error("{0}")]
    Ec2ReadFailed(String),
    /// A message did not reach its topic.
    #[error("{0}")]
    PublishFailed(String),
    /// What has been told could not be looked up or remembered. Findings were sent all the same.
    #[error("{0}")]
    LedgerFailed(String),
    /// A bug in gatewatch: the code that handled a record panicked. The log has its message.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Every [`error_type`](Self::error_type).
    pub const TYPES: [&str; 6] =
        ["ConfigError", "UnsupportedEvent", "Ec2ReadFailed", "PublishFailed", "LedgerFailed", "InternalError"];

    /// The stable `errorType` of the answer: the name to alarm on and to search the log for.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Config(_) => "ConfigError",
            Self::UnsupportedEvent(_) => "UnsupportedEvent",
            Self::Ec2ReadFailed(_) => "Ec2ReadFailed",
            Self::PublishFailed(_) => "PublishFailed",
            Self::LedgerFailed(_) => "LedgerFailed",
            Self::Internal(_) => "InternalError",
        }
    }
}
