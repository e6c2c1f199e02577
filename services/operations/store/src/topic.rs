//! What the rows of the change feed are about.

use cleave_storage::feed::Change;
use uuid::Uuid;

/// The kinds of subjects that change. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// An advertiser.
    Advertiser,
    /// A publisher.
    Publisher,
    /// A game.
    Game,
    /// An ad unit.
    AdUnit,
    /// A version of a revenue share.
    RevShare,
    /// A campaign.
    Campaign,
    /// A request for approval.
    Approval,
    /// A line item.
    LineItem,
    /// A version of terms, by its derived id.
    Terms,
    /// Rows of delivery.
    Delivery,
    /// The watermark of a source.
    Watermark,
    /// The projection of a billing account.
    Account,
    /// A lease.
    Lease,
}

impl Topic {
    const ALL: [Self; 13] = [
        Self::Advertiser,
        Self::Publisher,
        Self::Game,
        Self::AdUnit,
        Self::RevShare,
        Self::Campaign,
        Self::Approval,
        Self::LineItem,
        Self::Terms,
        Self::Delivery,
        Self::Watermark,
        Self::Account,
        Self::Lease,
    ];

    /// The number that is stored.
    pub const fn number(self) -> i16 {
        match self {
            Self::Advertiser => 1,
            Self::Publisher => 2,
            Self::Game => 3,
            Self::AdUnit => 4,
            Self::RevShare => 5,
            Self::Campaign => 6,
            Self::LineItem => 7,
            Self::Terms => 8,
            Self::Approval => 9,
            Self::Delivery => 20,
            Self::Watermark => 21,
            Self::Account => 22,
            Self::Lease => 23,
        }
    }

    /// The topic that `number` stands for; `None` for one of a newer release.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.number() == number)
    }

    /// A change of `subject`.
    pub const fn change(self, subject: Uuid) -> Change {
        Change {
            topic: self.number(),
            subject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_topics_are_one() {
        for topic in Topic::ALL {
            assert_eq!(Topic::from_number(topic.number()), Some(topic));
        }
        assert_eq!(Topic::from_number(0), None);
    }
}
