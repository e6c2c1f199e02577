//! What must hold.
//!
//! While it runs: no call outlives its deadline, every failure has one possible cause, a request has one
//! answer, a watcher never sees an account go back, a drain ends under its cap. After the calm: every step
//! of the plan is answered and done exactly once, what may not be repeated was done at most once, the books
//! are exact, delivery has arrived whole, watchers know the last state, every replica is in use again,
//! repetitions stayed within their budget, and nothing has piled up.

use crate::game::key;
use crate::plan::{Answer, What};
use crate::scenario::Stage;
use crate::world::{Heard, lock};
use billing_domain::book::Counters;
use billing_domain::transfer::Kind;
use cleave_kernel::{LedgerAccountId, Micros};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The tasks that a host has at rest, at most: a few per connection, and those of its own.
const TASKS: usize = 120;
/// The connections of a host at rest, at most: two meshes of a side to each replica of the other, and those
/// that come of age.
const STREAMS: usize = 24;
/// Repetitions that a mesh is allowed however few calls there are, in each of the two windows of a run.
const FLOOR: u64 = 2 * 3;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Takes note of panics, also in tasks that nobody waits for.
pub(crate) fn listen_for_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            usual(panic);
        }));
    });
    PANICS.with_borrow_mut(Vec::clear);
}

/// The panics on this thread since then.
pub(crate) fn panics() -> Vec<String> {
    PANICS.take()
}

/// What is not yet as it should be at rest.
pub(crate) fn unrest(stage: &Stage<'_>) -> Option<String> {
    let world = &stage.world;
    if !world.plan.is_done() {
        return Some("the plan is not done".to_owned());
    }
    let served = lock(&world.served).clone();
    let served: BTreeMap<_, _> = served
        .into_iter()
        .map(|(index, total)| (key(index), total))
        .collect();
    let taken = world.ledger.tables().taken.clone();
    if taken != served || world.delivery.totals() != served {
        return Some("delivery is under way".to_owned());
    }
    let now = stage.sim.elapsed();
    for host in stage.cast.operations {
        let last = lock(&world.tally.last_failure).get(host).copied();
        if last.is_some_and(|last| now < last + Duration::from_millis(400)) {
            return Some(format!("calls of {host} fail"));
        }
        let heard = lock(&world.heard).get(host).cloned().unwrap_or_default();
        if let Some(why) = unwell(&heard, now) {
            return Some(format!("{host}: {why}"));
        }
    }
    unseen(stage)
}

/// Whether some replica is not in use as far as a host knows.
fn unwell(heard: &Heard, now: Duration) -> Option<String> {
    if heard.peers.is_empty() || now > heard.at + Duration::from_secs(1) {
        return Some("it has not been heard of".to_owned());
    }
    let called = heard
        .peers
        .iter()
        .filter(|peer| peer.name == billing_client::PEER);
    for replica in called.flat_map(|peer| &peer.replicas) {
        if replica.state != "ready" {
            return Some(format!("{} is {}", replica.address, replica.state));
        }
    }
    None
}

/// Whether some watcher does not know the last state of an account.
fn unseen(stage: &Stage<'_>) -> Option<String> {
    let tables = stage.world.ledger.tables();
    let balances = tables.balances();
    let seen = lock(&stage.world.seen);
    for host in stage.cast.operations {
        let seen = seen.get(host).cloned().unwrap_or_default();
        for (account, (free, held)) in &balances {
            let known = seen
                .get(&account.to_string())
                .map(|(free, held, _)| (*free, *held));
            if known != Some((*free, *held)) {
                return Some(format!(
                    "{host} takes {account} for {known:?}, not {free} and {held}"
                ));
            }
        }
    }
    None
}

/// The reckoning.
pub(crate) fn all(stage: &Stage<'_>) {
    let faults = [
        steps(stage),
        unrepeatable(stage),
        books(stage),
        repetitions(stage),
        piles(stage),
    ];
    for fault in faults.into_iter().flatten() {
        stage.world.journal.broke("reckoning", fault);
    }
}

/// Every answer is the ledger's, and each payment was booked once.
fn steps(stage: &Stage<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let tables = stage.world.ledger.tables();
    let steps = stage.world.plan.steps();
    for (index, step) in steps.iter().enumerate() {
        let id = match &step.what {
            What::Pay(request) => &request.request_id,
            What::Reserve(request) => &request.request_id,
            What::Release { request_id, .. } => request_id,
        };
        let kept = tables
            .answers
            .get(&id.parse().expect("an id"))
            .map(|(_, answer)| answer);
        let agrees = match (&step.answer, kept) {
            (Some(Answer::Done(bytes)), Some(Ok(kept))) => bytes == kept,
            (Some(Answer::Refused(why)), Some(Err((_, kept)))) => why == kept,
            (Some(Answer::Moot), None) | (None, _) => true,
            _ => false,
        };
        if !agrees {
            faults.push(format!(
                "step {index} was answered {:?}, the ledger has {kept:?}",
                step.answer
            ));
        }
        if let (What::Pay(request), Some(answer)) = (&step.what, &step.answer) {
            let booked = tables.work.new_payments().iter();
            let booked = booked
                .filter(|payment| payment.external_ref == request.external_ref)
                .count();
            if booked != 1 || !matches!(answer, Answer::Done(_)) {
                faults.push(format!(
                    "payment {index} was booked {booked} times and answered {answer:?}"
                ));
            }
        }
    }
    let reserved = tables
        .work
        .staged()
        .iter()
        .filter(|transfer| transfer.kind == Kind::Pending)
        .count();
    let granted = tables.answers.values().filter(|(_, answer)| answer.is_ok());
    let requested = steps
        .iter()
        .filter(|step| matches!(step.what, What::Reserve(_)));
    let asked: Vec<_> = requested
        .filter(|step| matches!(step.answer, Some(Answer::Done(_))))
        .collect();
    if reserved != asked.len() {
        faults.push(format!(
            "{reserved} holds were made for {} grants, of {} answers kept",
            asked.len(),
            granted.count()
        ));
    }
    faults
}

/// What may not be repeated reached a handler once at most, and once for certain when it was answered.
fn unrepeatable(stage: &Stage<'_>) -> Vec<String> {
    let tables = stage.world.ledger.tables();
    let mut booked = BTreeMap::<&str, u32>::new();
    for adjustment in tables.work.new_adjustments() {
        *booked.entry(&adjustment.reason).or_default() += 1;
    }
    let calls = lock(&stage.world.tally.unrepeatable);
    let wrong = calls.iter().filter(|(id, (arrived, answered))| {
        let booked = booked.get(id.as_str()).copied().unwrap_or(0);
        *arrived > 1 || booked > *arrived || (*answered == Some(true) && booked != 1)
    });
    wrong
        .map(|(id, (arrived, answered))| {
            format!(
                "favour {id} arrived {arrived} times, was booked {:?} times, answered {answered:?}",
                booked.get(id.as_str())
            )
        })
        .collect()
}

/// The counters are the sums of the transfers, both sides agree, and what is held is what reservations hold.
fn books(stage: &Stage<'_>) -> Vec<String> {
    let tables = stage.world.ledger.tables();
    let work = &tables.work;
    let mut faults = Vec::new();
    let mut sums = BTreeMap::<LedgerAccountId, Counters>::new();
    for transfer in work.staged() {
        let add = |sum: &mut Micros, amount: Micros| *sum = Micros::new(sum.get() + amount.get());
        let amount = transfer.amount;
        let back = Micros::new(-amount.get());
        for (id, is_debit) in [(transfer.debit, true), (transfer.credit, false)] {
            let counters = sums.entry(id).or_default();
            let (posted, pending) = match is_debit {
                true => (&mut counters.debits_posted, &mut counters.debits_pending),
                false => (&mut counters.credits_posted, &mut counters.credits_pending),
            };
            match transfer.kind {
                Kind::Single => add(posted, amount),
                Kind::Pending => add(pending, amount),
                Kind::Void => add(pending, back),
                Kind::Post => {
                    add(posted, amount);
                    add(pending, back);
                }
            }
        }
    }
    let (mut debits, mut credits) = (0, 0);
    for account in work.book().accounts() {
        let sum = sums.get(&account.key.id()).copied().unwrap_or_default();
        if sum != account.counters {
            faults.push(format!(
                "{:?} counts {:?}, its transfers {sum:?}",
                account.key, account.counters
            ));
        }
        debits += account.counters.debits_posted.get();
        credits += account.counters.credits_posted.get();
    }
    if debits != credits {
        faults.push(format!("{debits} was debited, {credits} credited"));
    }
    for (account, (free, _)) in tables.balances() {
        if work.free(account).map(Micros::get).ok() != Some(free) {
            faults.push(format!(
                "{account} has {:?} free, not {free}",
                work.free(account)
            ));
        }
    }
    let held: i64 = tables.balances().values().map(|(_, held)| held).sum();
    let open: i64 = work.book().pendings().map(|(_, left)| left.get()).sum();
    if held != open {
        faults.push(format!("{held} is held, for {open} of reservations"));
    }
    if let Some(account) = work.overdrawn() {
        faults.push(format!("{account} is overdrawn"));
    }
    faults
}

/// No more repetitions than the budget allows.
fn repetitions(stage: &Stage<'_>) -> Vec<String> {
    let tally = &stage.world.tally;
    let calls = tally.calls.load(Ordering::Relaxed);
    let arrivals = tally.arrivals.load(Ordering::Relaxed);
    let meshes = tally.meshes.load(Ordering::Relaxed);
    let bound = calls + calls / 5 + FLOOR * meshes;
    let fault = format!("{calls} calls of {meshes} meshes became {arrivals} arrivals");
    (arrivals > bound).then_some(fault).into_iter().collect()
}

/// Nothing has piled up on any host.
fn piles(stage: &Stage<'_>) -> Vec<String> {
    let heard = lock(&stage.world.heard);
    let mut faults = Vec::new();
    for (host, heard) in heard.iter() {
        if heard.tasks > TASKS || heard.streams > STREAMS {
            faults.push(format!(
                "{host} has {} tasks and {} connections",
                heard.tasks, heard.streams
            ));
        }
        for peer in &heard.peers {
            let pending: u32 = peer.replicas.iter().map(|replica| replica.pending).sum();
            if pending > 10 {
                faults.push(format!(
                    "{host} waits for {pending} answers of {}",
                    peer.name
                ));
            }
        }
    }
    faults
}
