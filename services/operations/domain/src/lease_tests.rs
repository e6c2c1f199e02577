use super::*;
use proptest::prelude::*;
use uuid::Uuid;

const SERVE: Duration = Duration::from_secs(300);
const SETTLE: Duration = Duration::from_secs(3 * 3600);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn held(planned: i64, granted: i64, counted: i64) -> Lease {
    Lease {
        request: RequestId::from_uuid(Uuid::from_u128(u128::try_from(planned).unwrap() + 1)),
        line_item: LineItemId::from_uuid(Uuid::nil()),
        terms_version: 1,
        state: LeaseState::Held,
        asked: Micros::new(granted),
        least: Micros::new(1),
        planned_at: at(planned),
        serve_until: at(planned).plus(SERVE),
        settle_until: at(planned).plus(SETTLE),
        reservation: Some(ReservationId::from_uuid(Uuid::nil())),
        granted: Micros::new(granted),
        granted_at: Some(at(planned)),
        counted: Micros::new(counted),
    }
}

fn in_state(state: LeaseState) -> Lease {
    Lease {
        state,
        ..held(0, 100, 0)
    }
}

#[test]
fn the_next_lease_is_asked_for_at_70_percent_of_money_or_60_of_time() {
    let policy = LeasePolicy::default();
    let cases = [
        ("no lease", vec![], 0, true),
        ("fresh", vec![held(0, 100, 0)], 0, false),
        ("69 percent used", vec![held(0, 100, 69)], 0, false),
        ("70 percent used", vec![held(0, 100, 70)], 0, true),
        ("59 percent of time", vec![held(0, 100, 0)], 179, false),
        ("60 percent of time", vec![held(0, 100, 0)], 180, true),
        (
            "an answer is awaited",
            vec![held(0, 100, 99), in_state(LeaseState::Planned)],
            0,
            false,
        ),
        (
            "the next one is there",
            vec![held(0, 100, 90), held(180, 100, 0)],
            190,
            false,
        ),
        (
            "both nearly used",
            vec![held(0, 100, 90), held(180, 100, 60)],
            190,
            true,
        ),
        ("expired", vec![held(0, 100, 0)], 300, true),
        ("released", vec![in_state(LeaseState::Releasing)], 0, true),
    ];
    for (case, leases, seconds, expected) in cases {
        assert_eq!(
            should_ask(&policy, &leases, at(seconds)),
            expected,
            "{case}"
        );
    }
}

#[test]
fn the_size_follows_recent_spend_within_bounds_and_caps() {
    let policy = LeasePolicy {
        first: Micros::new(5_000),
        least: Micros::new(100),
        most: Micros::new(50_000),
        ..LeasePolicy::default()
    };
    let spent = |recent: i64| Demand {
        recent: Micros::new(recent),
        recent_span: Duration::from_secs(3600),
        ..Demand::default()
    };
    let capped = |lifetime: Option<i64>, today: Option<i64>| Demand {
        lifetime_left: lifetime.map(Micros::new),
        today_left: today.map(Micros::new),
        ..Demand::default()
    };
    let cases = [
        (Demand::default(), 0, Ok((5_000, 100))),
        // 120,000 an hour are 10,000 in five minutes, and a quarter more for headroom.
        (spent(120_000), 0, Ok((12_500, 100))),
        (spent(1), 0, Ok((100, 100))),
        (spent(i64::MAX), 0, Ok((50_000, 100))),
        (capped(Some(3_000), None), 0, Ok((3_000, 100))),
        (capped(Some(3_000), Some(2_000)), 1_500, Ok((500, 100))),
        (capped(Some(40), None), 0, Ok((40, 40))),
        (capped(Some(1_500), None), 1_500, Err(SpentCap::Lifetime)),
        (capped(Some(9_000), Some(0)), 0, Err(SpentCap::Daily)),
        (capped(Some(-1), None), 0, Err(SpentCap::Lifetime)),
    ];
    for (demand, open, expected) in cases {
        let sized = size(&policy, &demand, Micros::new(open));
        assert_eq!(
            sized.map(|size| (size.asked.get(), size.least.get())),
            expected,
            "{demand:?}"
        );
    }
}

#[test]
fn a_refusal_holds_until_time_passes_or_the_account_changes() {
    let policy = LeasePolicy::default();
    let refusal = LeaseRefusal {
        reason: "INSUFFICIENT_FUNDS".to_owned(),
        message: String::new(),
        at: at(0),
        account_revision: 7,
    };
    let again = |revision, seconds| may_ask_again(&policy, Some(&refusal), revision, at(seconds));
    assert!(!again(7, 29));
    assert!(again(8, 1));
    assert!(again(7, 30));
    assert!(may_ask_again(&policy, None, 7, at(0)));
}

#[test]
fn a_lease_is_released_once_all_its_delivery_is_known() {
    let ends = |seconds: i64, reported: Option<i64>| {
        ending(&held(0, 100, 5), reported.map(at), at(seconds))
    };
    assert_eq!(ends(299, Some(10_000)), Ending::Stays);
    assert_eq!(ends(300, None), Ending::Stays);
    assert_eq!(ends(300, Some(299)), Ending::Stays);
    assert_eq!(ends(300, Some(300)), Ending::Release);
    assert_eq!(ends(3 * 3600, None), Ending::Expired);
    let late = Lease {
        granted_at: Some(at(301)),
        ..held(0, 100, 0)
    };
    assert_eq!(ending(&late, None, at(301)), Ending::Release);
    let releasing = in_state(LeaseState::Releasing);
    assert_eq!(
        ending(&releasing, Some(at(9_000)), at(9_000)),
        Ending::Stays
    );
}

#[test]
fn spend_fills_the_oldest_lease_first_and_a_correction_empties_the_newest() {
    let mut leases = [held(180, 100, 0), held(0, 100, 40)];
    let counted = |leases: &[Lease]| {
        leases
            .iter()
            .map(|lease| lease.counted.get())
            .collect::<Vec<_>>()
    };

    count(&mut leases, Micros::new(100), at(200));
    assert_eq!(counted(&leases), [100, 40]);
    count(&mut leases, Micros::new(90), at(200));
    assert_eq!(counted(&leases), [100, 130]);
    assert_eq!(servable(&leases, at(200)), Micros::ZERO);
    count(&mut leases, Micros::new(-140), at(200));
    assert_eq!(counted(&leases), [90, 0]);
    assert_eq!(servable(&leases, at(200)), Micros::new(110));
    assert_eq!(servable(&leases, at(300)), Micros::new(100));
}

proptest! {
    #[test]
    fn what_may_be_served_never_exceeds_what_live_leases_hold(
        grants in prop::collection::vec((0_i64..600, 1_i64..1_000_000), 0..6),
        spends in prop::collection::vec(-500_000_i64..1_000_000, 0..12),
        now in 0_i64..700,
    ) {
        let mut leases: Vec<Lease> = grants.iter().map(|&(planned, granted)| held(planned, granted, 0)).collect();
        for spend in spends {
            count(&mut leases, Micros::new(spend), at(now));
            let live: i64 = leases.iter().filter(|lease| at(now) < lease.serve_until).map(|lease| lease.granted.get()).sum();
            prop_assert!(servable(&leases, at(now)).get() <= live);
            prop_assert!(leases.iter().all(|lease| !lease.counted.is_negative()));
        }
    }

    #[test]
    fn counting_in_parts_is_counting_at_once(
        grants in prop::collection::vec(1_i64..1000, 1..5),
        spends in prop::collection::vec(0_i64..800, 1..8),
    ) {
        let fresh = || -> Vec<Lease> {
            grants.iter().zip(0..).map(|(&granted, planned)| held(planned, granted, 0)).collect()
        };
        let (mut parts, mut whole) = (fresh(), fresh());
        for spend in &spends {
            count(&mut parts, Micros::new(*spend), at(10));
        }
        count(&mut whole, Micros::new(spends.iter().sum()), at(10));
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn a_size_lies_within_its_bounds(recent in 0_i64..i64::MAX, left in 1_i64..i64::MAX, open in 0_i64..1_000_000) {
        let policy = LeasePolicy::default();
        let demand = Demand {
            recent: Micros::new(recent),
            recent_span: Duration::from_secs(3600),
            lifetime_left: Some(Micros::new(left)),
            today_left: None,
        };
        match size(&policy, &demand, Micros::new(open)) {
            Ok(size) => {
                prop_assert!(size.asked.is_positive() && size.least.is_positive());
                prop_assert!(size.least <= size.asked && size.asked <= policy.most);
                prop_assert!(size.asked.get() <= left - open);
            }
            Err(cap) => prop_assert!(left <= open, "{}", cap),
        }
    }
}
