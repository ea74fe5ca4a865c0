//! Whatever a server answers, nothing panics, nothing grows, and no second kick-off leaves.
//!
//! A failure names its seed; with the seed it happens again.

use std::panic::catch_unwind;

use serde_json::{Value, json};

use super::answers::{accepted, answer, manifest, recorded};
use super::checkpoint::every_state;
use super::{Play, expected, named, request, sample};
use crate::exchange::Answer;
use crate::request::DialectChoice;
use crate::state::Reply;
use crate::transition::Next;
use crate::{Call, Session, Turn};

const SEEDS: u64 = 500;

/// The numbers of SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

fn answers() -> Vec<Answer> {
    let rows = json!([{ "inputUrl": "http://127.0.0.1:18090/ok-patient.ndjson", "count": 3, "url": "/err" }]);
    let row = "{\"issue\":[{\"severity\":\"error\",\"diagnostics\":\"no\"}]}\n";
    [
        recorded!("capabilities"),
        recorded!("kick-off-accepted"),
        accepted("/jobs/1"),
        recorded!("poll-queued"),
        recorded!("poll-ended"),
        recorded!("poll-failed-with-report"),
        recorded!("poll-cancelled"),
        recorded!("poll-unknown"),
        recorded!("read-found"),
        recorded!("count"),
        manifest(&rows, &rows),
        answer(206, &[("Content-Range", "bytes 0-99/300"), ("ETag", "\"1\"")], row),
    ]
    .into_iter()
    .map(Result::unwrap)
    .collect()
}

fn odd(random: &mut Random) -> Value {
    let big = "9".repeat(400);
    let values = [
        json!(null),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("\u{202e}\u{0}"),
        json!(big),
        json!([]),
        json!({}),
        json!([[[{}]]]),
        json!(true),
    ];
    random.of(&values).clone()
}

/// Replaces a member, deep inside or not, by something odd.
fn mutate(value: &mut Value, random: &mut Random) {
    let down = random.below(4) > 0;
    match value {
        Value::Object(members) if down && !members.is_empty() => {
            let at = random.below(members.len());
            mutate(members.values_mut().nth(at).unwrap(), random);
        }
        Value::Array(items) if down && !items.is_empty() => {
            let at = random.below(items.len());
            mutate(&mut items[at], random);
        }
        other => *other = odd(random),
    }
}

fn reply(random: &mut Random, answers: &[Answer]) -> Reply {
    let mut answer = random.of(answers).clone();
    match random.below(7) {
        0 => answer.status = *random.of(&[100, 200, 202, 204, 206, 301, 400, 401, 404, 410, 416, 429, 500, 503, 599]),
        1 => answer.body.truncate(random.below(answer.body.len())),
        2 => answer.cut = true,
        3 if !answer.body.is_empty() => {
            let at = random.below(answer.body.len());
            answer.body[at] = random.next().to_le_bytes()[0];
        }
        4 if !answer.headers.is_empty() => {
            let at = random.below(answer.headers.len());
            answer.headers[at].1 = (*random.of(&["", "-1", "é", "bytes 9-1/x", "999999999999", "//x", "?"])).to_owned();
        }
        _ => {
            if let Some(mut value) = answer.json() {
                mutate(&mut value, random);
                answer.body = value.to_string().into_bytes();
            }
        }
    }
    Ok(answer)
}

fn choice(random: &mut Random) -> Play {
    let mut request = match random.below(3) {
        0 => request(DialectChoice::Detect),
        1 => named("hapi"),
        _ => named("smart-manifest"),
    };
    request.samples = vec![sample("Patient/p1", "x"), sample("Patient/p2", "")];
    request.expected = vec![expected("Patient", 3)];
    Play::new(request)
}

/// Plays up to sixty calls; every one is checked by [`Play::take`].
fn play(seed: u64) {
    let mut random = Random(seed);
    let answers = answers();
    let mut play = choice(&mut random);
    for _ in 0..60 {
        let call = match &play.next {
            Next::Wait(wake) => {
                play.now_ms = play.now_ms.max(wake.at_ms);
                Call::Step
            }
            Next::Step => Call::Step,
            Next::Submit => Call::Submit,
            Next::Recover => Call::Recover,
            Next::Paused(_) | Next::Done(_) => break,
        };
        match play.session().call(call, play.now_ms).unwrap() {
            Turn::Done(transition) => play.take(transition),
            Turn::Send(exchange, waiting) => {
                play.sent.push((play.now_ms, exchange));
                let reply = reply(&mut random, &answers);
                let refused = matches!(&reply, Ok(answer) if matches!(answer.status, 429 | 503));
                let mut turn = waiting.answered(play.now_ms, reply);
                while let Turn::Send(_, waiting) = turn {
                    turn = waiting.answered(play.now_ms, self::reply(&mut random, &answers));
                }
                play.took(turn);
                if call == Call::Submit && refused {
                    play.sent.pop();
                }
            }
        }
    }
    assert!(play.kick_offs() <= 1, "{} kick-offs", play.kick_offs());
}

#[test]
fn odd_answers_neither_panic_nor_submit_twice() {
    for seed in 0..SEEDS {
        assert!(catch_unwind(|| play(seed)).is_ok(), "seed {seed}");
    }
}

#[test]
fn odd_checkpoints_do_not_panic() {
    let states = every_state();
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let play = random.of(&states);
        let (plan, now_ms) = (play.plan.clone(), play.now_ms);
        let mut value: Value = serde_json::from_str(&play.checkpoint).unwrap();
        mutate(&mut value, &mut random);
        let stepped = catch_unwind(move || {
            let Ok(session) = Session::open(&plan, &value.to_string()) else { return };
            let answers = answers();
            if let Ok(Turn::Send(_, waiting)) = session.call(Call::Step, now_ms) {
                let _ = waiting.answered(now_ms, reply(&mut random, &answers));
            }
        });
        assert!(stepped.is_ok(), "seed {seed}");
    }
}
