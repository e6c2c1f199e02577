//! What rating holds in memory for one transaction.

/// The rows of rating that the commands of one transaction work on.
#[derive(Debug, Clone, Default)]
pub struct RatingSet {}
