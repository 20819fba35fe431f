//! A fix as text to copy.

/// One fix for three tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messages) struct RenderedFix {
    /// Command lines for a POSIX shell, in order. Each may run only if the one before it succeeded.
    pub(in crate::messages) commands: Vec<String>,
    /// The resource for a CloudFormation template. A comment states what it assumes.
    pub(in crate::messages) cloud_formation: String,
    /// The resource for a Terraform configuration. A comment states what it assumes.
    pub(in crate::messages) terraform: String,
}

impl RenderedFix {
    /// All commands on one line.
    pub(in crate::messages) fn aws_cli(&self) -> String {
        self.commands.join(" && ")
    }
}

/// What to add to an existing resource.
pub(super) fn in_resource(kind: &str, id: &str, lines: &str) -> String {
    format!("# In the {kind} of {id}:\n{lines}")
}
