//! What the feed of the catalogue tells of: subjects by topic, as they are now.

use std::collections::HashMap;

use cleave_storage::StorageError;
use operations_domain::{Advertiser, Campaign, Publisher, RevShare, Terms};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::record::{self, Record};
use crate::terms::{self, TermsKey};
use crate::topic::Topic;

/// The topics that are told of.
pub const TOPICS: [Topic; 5] = [
    Topic::Advertiser,
    Topic::Publisher,
    Topic::RevShare,
    Topic::Campaign,
    Topic::Terms,
];

/// One thing of the catalogue, as it is now.
#[derive(Debug, Clone)]
pub enum Subject {
    /// Buys.
    Advertiser(Advertiser),
    /// Sells.
    Publisher(Publisher),
    /// A version of a revenue share.
    RevShare(RevShare),
    /// A campaign.
    Campaign(Campaign),
    /// A version of terms.
    Terms(Terms),
}

impl Subject {
    /// The id by which the feed names it.
    pub fn uuid(&self) -> Uuid {
        match self {
            Self::Advertiser(advertiser) => advertiser.id.uuid(),
            Self::Publisher(publisher) => publisher.id.uuid(),
            Self::RevShare(rev_share) => rev_share.id.uuid(),
            Self::Campaign(campaign) => campaign.id.uuid(),
            Self::Terms(terms) => TermsKey::of(terms).row_id(),
        }
    }
}

/// The present state of `subjects`, each once, in the order of their last mention.
///
/// # Errors
/// When the database fails.
pub async fn load<C: ConnectionTrait>(
    conn: &C,
    subjects: &[(Topic, Uuid)],
) -> Result<Vec<Subject>, StorageError> {
    let of = |topic: Topic| -> Vec<Uuid> {
        let wanted = subjects.iter().filter(|(found, _)| *found == topic);
        wanted.map(|(_, subject)| *subject).collect()
    };
    let mut found: HashMap<Uuid, Subject> = HashMap::new();
    found.extend(nouns(conn, of(Topic::Advertiser), Subject::Advertiser).await?);
    found.extend(nouns(conn, of(Topic::Publisher), Subject::Publisher).await?);
    found.extend(nouns(conn, of(Topic::RevShare), Subject::RevShare).await?);
    found.extend(nouns(conn, of(Topic::Campaign), Subject::Campaign).await?);
    for version in terms::find_by_row_ids(conn, &of(Topic::Terms)).await? {
        found.insert(TermsKey::of(&version).row_id(), Subject::Terms(version));
    }
    let mut changes: Vec<Subject> = subjects
        .iter()
        .rev()
        .filter_map(|(_, subject)| found.remove(subject))
        .collect();
    changes.reverse();
    Ok(changes)
}

async fn nouns<R: Record, C: ConnectionTrait>(
    conn: &C,
    subjects: Vec<Uuid>,
    wrap: impl Fn(R) -> Subject,
) -> Result<Vec<(Uuid, Subject)>, StorageError> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<R::Id> = subjects.into_iter().map(R::id_of).collect();
    let found = record::find_many::<R, C>(conn, &ids).await?;
    let keyed = |noun: R| (R::key(noun.record_id()), wrap(noun));
    Ok(found.into_iter().map(keyed).collect())
}
