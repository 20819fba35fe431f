//! The six kinds of error, with stable names that an alarm can rely on.

/// Why the function could not start or an invocation failed.
///
/// A message names the operation, the AWS error code and the request id; it never contains a payload or a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting is missing or invalid. The text names the variable, its value and the allowed values.
    #[error("{0}")]
    Config(String),
    /// The payload is unknown or malformed, or belongs to another account or Region. The text names what gatewatch saw.
    #[error("{0}")]
    UnsupportedEvent(String),
    /// gatewatch could not read the network completely, so it reports nothing about it.
    #[error("{0}")]
    Ec2ReadFailed(String),
    /// EC2 refuses valid credentials: the Region is not enabled in the account. Callers see it as `Ec2ReadFailed`.
    #[error("{0}")]
    RegionDisabled(String),
    /// The Region has more VPCs than a request allows for one invocation. Callers never see it: the function checks a part.
    #[error("the Region has more than {0} VPCs")]
    TooManyVpcs(usize),
    /// A message could not be published to its topic.
    #[error("{0}")]
    PublishFailed(String),
    /// gatewatch could not read or write the alert history. It sent the findings anyway.
    #[error("{0}")]
    LedgerFailed(String),
    /// A bug in gatewatch: the code that handled a record panicked. The log has the panic message.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// All values of [`error_type`](Self::error_type).
    pub const TYPES: [&str; 6] =
        ["ConfigError", "UnsupportedEvent", "Ec2ReadFailed", "PublishFailed", "LedgerFailed", "InternalError"];

    /// The error for code that panicked while it handled a record. The panic hook has logged the place and the message.
    #[must_use]
    pub fn panicked() -> Self {
        Self::Internal("the code panicked; its message is in the log".to_owned())
    }

    /// The stable `errorType` of the answer: the name to use in alarms and log searches.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Config(_) => "ConfigError",
            Self::UnsupportedEvent(_) => "UnsupportedEvent",
            Self::Ec2ReadFailed(_) | Self::RegionDisabled(_) | Self::TooManyVpcs(_) => "Ec2ReadFailed",
            Self::PublishFailed(_) => "PublishFailed",
            Self::LedgerFailed(_) => "LedgerFailed",
            Self::Internal(_) => "InternalError",
        }
    }
}
