//! The shared suite of the adapters in `orchestrators/`: the same bytes, the same promises, whoever owns the loop.

/// A test for each adapter by its name: `suite!(ADAPTERS => { PATH::{TESTS}, … })`, or with an attribute for one adapter.
macro_rules! suite {
    (#[$said:meta] $adapter:ident => $tests:tt) => { suite!(@adapter [#[$said]] $adapter $tests); };
    ($($adapter:ident),* => $tests:tt) => { $(suite!(@adapter [] $adapter $tests);)* };
    (@adapter $said:tt $adapter:ident { $($($part:ident)::+::{ $($test:ident),* $(,)? }),* $(,)? }) => {
        mod $adapter { $(suite!(@file $said $adapter [$($part)::+] $($test)*);)* }
    };
    (@file $said:tt $adapter:ident $path:tt $($test:ident)*) => { $(suite!(@test $said $adapter $path $test);)* };
    (@test [$($said:tt)*] $adapter:ident [$($path:tt)+] $test:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($said)*
        async fn $test() {
            crate::engines::on_a_thread($($path)+::$test, &crate::engines::adapters::$adapter).await;
        }
    };
}

mod adapters;
mod kills;
mod mistakes;
mod newer;
mod obelisk_server;
mod outcomes;
mod restate_nodes;
mod secrets;
mod silent_workers;
mod temporal_server;

use crate::harness::engine::Adapter;

suite!(node, python, restate, temporal => {
    super::outcomes::{
        a_good_import_succeeds,
        rejected_resources_are_told,
        the_same_id_is_one_import,
        a_cancel_while_it_waits,
        several_at_once,
    },
    super::kills::{
        a_worker_killed_while_it_waits,
        a_worker_killed_in_a_step,
        a_worker_killed_in_mid_submit,
        a_worker_killed_in_mid_submit_where_nobody_can_know,
        a_cancel_while_the_kick_off_is_under_way,
    },
    super::secrets::{a_token_goes_to_its_server_and_is_stored_nowhere, a_wrong_token_pauses_until_it_is_mended},
    super::mistakes::{
        a_server_that_is_not_allowed_is_refused,
        an_import_that_nobody_began_is_unknown,
        a_plan_that_is_gone_is_named,
    },
});

// What can be asked of Obelisk, which takes no credentials, no folder of plans and no second server (its README says why).
suite!(#[ignore = "Obelisk is built for half an hour: cargo xtask obelisk"] obelisk => {
    super::outcomes::{
        a_good_import_succeeds,
        rejected_resources_are_told,
        the_same_id_is_one_import,
        a_cancel_while_it_waits,
        several_at_once,
    },
    super::kills::{
        a_worker_killed_while_it_waits,
        a_worker_killed_in_a_step,
        a_worker_killed_in_mid_submit,
        a_worker_killed_in_mid_submit_where_nobody_can_know,
        a_cancel_while_the_kick_off_is_under_way,
    },
    super::mistakes::{an_import_that_nobody_began_is_unknown},
    super::obelisk_server::{
        a_server_that_is_not_allowed_sees_nothing,
        no_resource_is_stored,
        a_decision_that_cannot_be_taken_changes_nothing,
        a_stop_in_good_order_makes_a_kick_off_again,
    },
});

/// The suite blocks; the practice servers live in the runtime this is called from.
async fn on_a_thread(test: fn(&'static Adapter), adapter: &'static Adapter) {
    tokio::task::spawn_blocking(move || test(adapter)).await.unwrap_or_else(|died| {
        std::panic::resume_unwind(died.into_panic());
    });
}
