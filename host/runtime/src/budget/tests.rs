use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::clock::{Clock, Sleep, VirtualClock};

const MINUTE_MS: u64 = 60_000;

fn server(url: &str) -> Url {
    url.parse().unwrap()
}

fn wake(reason: WakeReason) -> Wake {
    Wake { at_ms: 0, reason, server_asked_ms: None }
}

fn failed() -> Next {
    Next::Wait(wake(WakeReason::BackOff))
}

fn polled() -> Next {
    Next::Wait(wake(WakeReason::Poll))
}

/// A budget without a token, and its clock.
async fn spent() -> (Budget, SharedClock) {
    let clock: SharedClock = Arc::new(VirtualClock::at(MINUTE_MS));
    let budget = Budgets::new(clock.clone()).of(&server("https://a.example/fhir"));
    for _ in 0..10 {
        budget.note(&failed());
        budget.turn(&wake(WakeReason::BackOff)).await;
    }
    assert_eq!(clock.now_ms(), MINUTE_MS, "ten retries are free");
    (budget, clock)
}

#[tokio::test]
async fn without_a_token_retries_come_once_a_minute() {
    let (budget, clock) = spent().await;
    for minutes in 2..5 {
        budget.turn(&wake(WakeReason::BackOff)).await;
        assert_eq!(clock.now_ms(), minutes * MINUTE_MS);
        budget.note(&failed());
    }
}

#[tokio::test]
async fn only_what_follows_a_failure_is_held_up() {
    let (budget, clock) = spent().await;
    for reason in [WakeReason::Poll, WakeReason::Settle] {
        budget.turn(&wake(reason)).await;
    }
    assert_eq!(clock.now_ms(), MINUTE_MS);
}

#[tokio::test]
async fn a_budget_belongs_to_an_origin_and_is_shared_by_clones() {
    let clock: SharedClock = Arc::new(VirtualClock::at(MINUTE_MS));
    let budgets = Budgets::new(clock.clone());
    let spend = budgets.clone().of(&server("https://a.example/fhir"));
    for _ in 0..10 {
        spend.turn(&wake(WakeReason::BackOff)).await;
    }
    spend.note(&failed());
    for other in ["http://a.example/fhir", "https://a.example:444/fhir", "https://b.example/fhir"] {
        budgets.of(&server(other)).turn(&wake(WakeReason::BackOff)).await;
        assert_eq!(clock.now_ms(), MINUTE_MS, "{other}");
    }
    budgets.of(&server("https://A.example:443/other")).turn(&wake(WakeReason::BackOff)).await;
    assert_eq!(clock.now_ms(), 2 * MINUTE_MS);
}

#[tokio::test]
async fn what_came_of_a_call_tells_whether_the_server_answers() {
    let (budget, clock) = spent().await;
    budget.note(&polled());
    budget.note(&Next::Submit);
    budget.note(&Next::Recover);
    budget.turn(&wake(WakeReason::BackOff)).await;
    assert_eq!(clock.now_ms(), 2 * MINUTE_MS, "a line of one is let go in a minute");
    for _ in 0..9 {
        budget.note(&Next::Step);
    }
    budget.turn(&wake(WakeReason::BackOff)).await;
    assert_eq!(clock.now_ms(), 2 * MINUTE_MS, "ten answers are a retry");
}

/// A clock on which nobody's wait ends.
struct Stopped;

impl Clock for Stopped {
    fn now_ms(&self) -> u64 {
        MINUTE_MS
    }

    fn sleep_until(&self, _: u64) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_wait_that_is_dropped_leaves_the_line() {
    let budget = Budgets::new(Arc::new(Stopped)).of(&server("https://a.example/fhir"));
    budget.note(&failed());
    let back_off = wake(WakeReason::BackOff);
    let mut turns: Vec<_> = (0..12).map(|_| Box::pin(budget.turn(&back_off))).collect();
    let mut context = Context::from_waker(Waker::noop());
    let polled = turns.iter_mut().map(|turn| turn.as_mut().poll(&mut context));
    let waits = polled.filter(Poll::is_pending).count();
    assert_eq!(waits, 2);
    assert_eq!(locked(&budget.line).len(), 2);
    drop(turns);
    assert_eq!(locked(&budget.line).len(), 0);
}

#[test]
fn a_turn_can_be_waited_for_on_any_thread() {
    fn on_any_thread(_: impl Future<Output = ()> + Send) {}
    let budget = Budgets::new(Arc::new(Stopped)).of(&server("https://a.example/fhir"));
    on_any_thread(budget.turn(&wake(WakeReason::BackOff)));
}
