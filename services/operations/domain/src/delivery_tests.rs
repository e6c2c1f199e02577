use super::*;
use crate::delivery_counts::MAX_COUNT;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const HOURS: i64 = 3_600_000_000;

type Change = fn(&mut DeliveryRow);

fn hour(back: i64) -> Timestamp {
    Timestamp::from_micros((NOW.micros() / HOURS - back) * HOURS)
}

fn row() -> DeliveryRow {
    DeliveryRow {
        key: DeliveryKey {
            source: SourceName::new("adserver").unwrap(),
            line_item: LineItemId::generate(),
            terms_version: 1,
            ad_unit: AdUnitId::generate(),
            hour: hour(2),
        },
        revision: 3,
        counts: DeliveryCounts {
            impressions: 100,
            clicks: 5,
            ..DeliveryCounts::default()
        },
        reason: DeliveryReason::Live,
    }
}

fn faulty(change: impl Fn(&mut DeliveryRow)) -> String {
    let mut row = row();
    change(&mut row);
    row.check(NOW).unwrap_err().field().to_owned()
}

#[test]
fn a_sound_row_passes() {
    assert_eq!(row().check(NOW), Ok(()));
}

#[test]
fn each_fault_names_its_field() {
    let cases: [(&str, Change); 10] = [
        ("revision", |row| row.revision = 0),
        ("key.terms_version", |row| row.key.terms_version = 0),
        ("key.hour", |row| {
            row.key.hour = row.key.hour.plus(Duration::from_secs(1));
        }),
        ("key.hour", |row| {
            row.key.hour = EARLIEST_HOUR.minus(HOUR);
        }),
        ("key.hour", |row| row.key.hour = hour(-2)),
        ("counts.requests", |row| row.counts.requests = -1),
        ("counts.clicks", |row| row.counts.clicks = MAX_COUNT + 1),
        ("counts.media_cost_micros", |row| {
            row.counts.media_cost_micros = i64::MAX;
        }),
        ("counts.invalid_impressions", |row| {
            row.counts.invalid_impressions = 101;
        }),
        ("counts.invalid_clicks", |row| row.counts.invalid_clicks = 6),
    ];
    for (field, change) in cases {
        assert_eq!(faulty(change), field);
    }
}

#[test]
fn a_source_is_a_short_plain_name() {
    for good in ["a", "kag-2017", "ad.server_1:eu", &"x".repeat(100)] {
        assert!(SourceName::new(good).is_ok(), "{good}");
    }
    for bad in ["", "A", "a b", "ä", "a\n", &"x".repeat(101)] {
        assert!(SourceName::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn revisions_decide_between_insert_update_and_stale() {
    let open = Gates::default();
    let cases = [
        (None, Admission::Insert),
        (Some(2), Admission::Update),
        (Some(3), Admission::Stale),
        (Some(4), Admission::Stale),
    ];
    for (stored, expected) in cases {
        assert_eq!(row().admit(stored, &open), expected);
    }
}

#[test]
fn a_settled_hour_takes_only_rows_with_a_reason() {
    let frozen = Gates {
        frozen_through: Some(hour(1)),
        ..Gates::default()
    };
    let complete = Gates {
        complete_through: Some(hour(0)),
        ..Gates::default()
    };
    let late = DeliveryRow {
        reason: DeliveryReason::Ivt,
        ..row()
    };
    assert_eq!(
        row().admit(None, &frozen),
        Admission::Refused(RowRefusal::Frozen)
    );
    assert_eq!(
        row().admit(Some(1), &complete),
        Admission::Refused(RowRefusal::BehindWatermark)
    );
    assert_eq!(late.admit(Some(1), &frozen), Admission::Update);
    assert_eq!(late.admit(None, &complete), Admission::Insert);
    assert_eq!(row().admit(Some(3), &frozen), Admission::Stale);
    assert_eq!(frozen.state(hour(2)), DeliveryState::Frozen);
    assert_eq!(frozen.state(hour(1)), DeliveryState::Provisional);
}

proptest! {
    #[test]
    fn the_highest_revision_stands_whatever_the_order(mut revisions in prop::collection::vec(1_i64..20, 1..30)) {
        let highest = revisions.iter().copied().max();
        let stand = |revisions: &[i64]| {
            revisions.iter().fold(None, |stored, &revision| {
                let row = DeliveryRow { revision, ..row() };
                match row.admit(stored, &Gates::default()) {
                    Admission::Insert | Admission::Update => Some(revision),
                    Admission::Stale => stored,
                    Admission::Refused(refusal) => panic!("{refusal}"),
                }
            })
        };
        prop_assert_eq!(stand(&revisions), highest);
        revisions.reverse();
        prop_assert_eq!(stand(&revisions), highest);
    }

    #[test]
    fn counts_add_and_take_away_exactly(a in prop::array::uniform9(0..MAX_COUNT), b in prop::array::uniform9(0..MAX_COUNT)) {
        let (a, b) = (DeliveryCounts::from_array(a), DeliveryCounts::from_array(b));
        prop_assert_eq!(a.plus(b).minus(b), a);
        prop_assert_eq!(DeliveryCounts::from_array(a.to_array()), a);
    }
}
