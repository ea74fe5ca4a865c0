//! The one dangerous write: sent once, and never lost.

use serde_json::{Value, json};

use super::answers::{
    accepted, answer, bad_certificate, broken, denied, empty, json_answer, manifest, outcome, page, recorded, running,
    unreachable,
};
use super::{BASE, DEADLINE_MS, Play, START_MS, defined, dialect, input, named, path};
use crate::dialect::{Handle, RecoveryClass, Setting};
use crate::exchange::Answer;
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::request::DialectChoice;
use crate::status::Phase;
use crate::transition::{Decision, DecisionKind, EventKind, Next, PauseReason, WakeReason};
use crate::{Call, Dialect, Error, start};

const KICK_OFF: &str = "POST /$import";

fn of_class(class: RecoveryClass) -> Play {
    let mut dialect = dialect("hapi");
    dialect.kick_off.body["id"] = json!("${job.id}");
    dialect.recovery.class = class;
    Play::new(defined(dialect))
}

#[test]
fn the_body_is_what_the_server_was_proven_to_take() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, recorded!("kick-off-accepted"));
    let (_, sent) = &play.sent[0];
    let body: Value = serde_json::from_str(sent.body.as_deref().unwrap()).unwrap();
    let parts =
        |kind: &str, url: &str| json!([{ "name": "type", "valueCode": kind }, { "name": "url", "valueUrl": url }]);
    let parameters = json!([
        { "name": "inputFormat", "valueCode": "application/fhir+ndjson" },
        { "name": "inputSource", "valueUri": "http://127.0.0.1:18090" },
        { "name": "storageDetail", "part": [{ "name": "type", "valueCode": "https" }] },
        { "name": "input", "part": parts("Patient", "http://127.0.0.1:18090/ok-patient.ndjson") },
        { "name": "input", "part": parts("Observation", "http://127.0.0.1:18090/ok-observation.ndjson") },
    ]);
    assert_eq!(body, json!({ "resourceType": "Parameters", "parameter": parameters }));
    assert_eq!(play.last_header("prefer"), Some("respond-async"));
    assert_eq!(play.last_header("content-type"), Some("application/fhir+json"));
    let url = format!("{BASE}/$import-poll-status?_jobId=8718e82f-3f92-4e46-a787-bbf728534b8a");
    assert_eq!(play.status().job_url, Some(url));
    assert_eq!(play.status().accepted_ms, Some(START_MS));
}

#[test]
fn the_manifest_body_is_plain_json() {
    let mut play = Play::new(named("smart-manifest"));
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    let body: Value = serde_json::from_str(play.sent[0].1.body.as_deref().unwrap()).unwrap();
    let input =
        |kind: &str, file: &str| json!({ "type": kind, "url": format!("http://127.0.0.1:18090/{file}.ndjson") });
    let expected = json!({
        "inputFormat": "application/fhir+ndjson",
        "inputSource": "http://127.0.0.1:18090",
        "storageDetail": { "type": "https" },
        "input": [input("Patient", "ok-patient"), input("Observation", "ok-observation")],
    });
    assert_eq!(body, expected);
    assert_eq!(play.last_header("content-type"), Some("application/json"));
}

#[test]
fn where_the_job_is_may_be_said_in_several_ways() {
    let cases = [
        ("http://127.0.0.1:18080/fhir/$x?_jobId=a%3D%3D", "/$x?_jobId=a%3D%3D"),
        ("/v2/$import/7", "http://127.0.0.1:18080/v2/$import/7"),
        ("jobs/7", "/jobs/7"),
        ("http://fhir.internal:8080/fhir/jobs/7", "/jobs/7"),
        ("https://elsewhere.example/jobs/7", "https://elsewhere.example/jobs/7"),
    ];
    for (said, asked) in cases {
        let mut play = Play::new(named("hapi"));
        play.exchange(KICK_OFF, answer(202, &[("Content-Location", said)], ""))
            .exchange(&format!("GET {asked}"), running());
    }
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, accepted("http://fhir.internal:8080/fhir/jobs/7?secret"));
    let told = play.told(EventKind::Rebased);
    assert!(told.contains("http://fhir.internal:8080/fhir/jobs/7?…") && told.contains(BASE), "{told}");
}

#[test]
fn an_accepted_kick_off_without_one_job_is_a_question_to_a_person() {
    let long = "x".repeat(3000);
    let two = [("Content-Location", "/jobs/1"), ("content-location", "/jobs/2")];
    for reply in [empty(202), answer(202, &[("Content-Location", " ")], ""), answer(202, &two, ""), accepted(&long)] {
        let mut play = Play::new(named("hapi"));
        play.exchange(KICK_OFF, reply);
        let pause = play.paused(PauseReason::SubmitUnknown);
        assert_eq!(pause.outcome, Outcome::SubmitUnknown);
        assert_eq!(pause.decisions, [DecisionKind::Adopt, DecisionKind::Resubmit, DecisionKind::GiveUp]);
        play.resolve(&Decision::Adopt("/fhir/jobs/1".to_owned())).exchange("GET /jobs/1", running());
    }
}

#[test]
fn an_accepted_kick_off_without_a_job_says_what_is_missing() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, empty(202));
    let message = play.paused(PauseReason::SubmitUnknown).message;
    assert!(message.contains("(no Content-Location, or several)"), "{message}");

    let mut named_in_body = dialect("smart-manifest");
    named_in_body.kick_off.handle = Handle::Member(path("id"));
    let mut play = Play::new(defined(named_in_body));
    play.exchange(KICK_OFF, json_answer(202, &json!({})));
    let message = play.paused(PauseReason::SubmitUnknown).message;
    assert!(message.contains("(its body does not name it)"), "{message}");
}

#[test]
fn an_accepted_kick_off_that_breaks_off_is_sent_again_where_a_second_one_is_no_second_job() {
    let cut = || empty(202).map(|answer| Answer { cut: true, ..answer });
    for class in [RecoveryClass::SameBytes, RecoveryClass::CallerKey] {
        let mut play = of_class(class);
        play.exchange(KICK_OFF, cut());
        assert_eq!(play.next, Next::Recover, "{class:?}");
        let mut whole = of_class(class);
        whole.exchange(KICK_OFF, empty(202)).paused(PauseReason::SubmitUnknown);
    }
    let mut play = of_class(RecoveryClass::Unknowable);
    play.exchange(KICK_OFF, cut()).paused(PauseReason::SubmitUnknown);
}

#[test]
fn what_provably_sent_nothing_is_tried_again() {
    let mut play = Play::new(named("hapi"));
    play.exchanges([(KICK_OFF, unreachable()), (KICK_OFF, unreachable()), (KICK_OFF, accepted("/jobs/1"))]);
    assert_eq!(play.status().phase, Phase::Running);

    let mut play = Play::new(named("hapi"));
    play.exchanges([(KICK_OFF, unreachable()), (KICK_OFF, unreachable()), (KICK_OFF, unreachable())]);
    let report = play.ended(Outcome::Unreachable);
    assert_eq!(report.sentence, "The server could not be reached: no connection.");
}

#[test]
fn what_does_not_pass_by_itself_ends_it() {
    for reply in [denied(), bad_certificate()] {
        let mut play = Play::new(named("hapi"));
        play.exchange(KICK_OFF, reply);
        play.ended(Outcome::Unreachable);
    }
}

#[test]
fn an_answer_that_may_mean_accepted_is_never_followed_by_a_second_kick_off() {
    for reply in [broken(), page(500), page(502), page(504), page(200), empty(303), outcome(500, "oops")] {
        let mut play = Play::new(named("hapi"));
        play.exchange(KICK_OFF, reply);
        assert_eq!((&play.next, play.status().phase), (&Next::Recover, Phase::Submitting));
        play.recover();
        let pause = play.paused(PauseReason::SubmitUnknown);
        assert!(pause.message.contains("a second one would be a second job"), "{}", pause.message);
        assert_eq!(play.kick_offs(), 1);
    }
}

#[test]
fn a_crash_before_the_answer_was_stored_is_recovered_by_class() {
    for (class, next) in [(RecoveryClass::SameBytes, "submit"), (RecoveryClass::CallerKey, "submit")] {
        let mut play = of_class(class);
        play.recover();
        assert_eq!(play.next, Next::Submit, "{next}");
    }
    let mut play = of_class(RecoveryClass::Unknowable);
    play.recover();
    play.paused(PauseReason::SubmitUnknown);
    let again = play.session().call(Call::Recover, play.now_ms);
    assert!(matches!(again, Err(Error::InvalidCall(_))));
}

#[test]
fn the_same_bytes_are_sent_again_politely_and_not_for_ever() {
    let mut play = of_class(RecoveryClass::SameBytes);
    for _ in 0..30 {
        play.exchange(KICK_OFF, page(502)).recover();
        assert!(play.wait_ms() >= FLOOR_MS);
    }
    play.now_ms = START_MS + DEADLINE_MS;
    play.exchange(KICK_OFF, page(502)).recover();
    let pause = play.paused(PauseReason::SubmitUnknown);
    assert!(pause.message.contains("a second one is no second job"), "{}", pause.message);
    let bodies: Vec<_> = play.sent.iter().map(|(_, sent)| &sent.body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn after_a_lost_answer_nobody_says_that_nothing_was_started() {
    for reply in [denied(), outcome(409, "duplicate"), empty(501)] {
        let mut play = of_class(RecoveryClass::SameBytes);
        play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, reply);
        let pause = play.paused(PauseReason::SubmitUnknown);
        assert!(pause.message.contains("may have been accepted"), "{}", pause.message);
    }
    let mut play = of_class(RecoveryClass::CallerKey);
    play.exchange(KICK_OFF, broken()).recover();
    for _ in 0..5 {
        play.exchange(KICK_OFF, unreachable());
    }
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.status().phase, Phase::Running);
}

#[test]
fn a_resubmit_does_not_forget_the_first_kick_off() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, broken()).recover().resolve(&Decision::Resubmit);
    play.now_ms += FLOOR_MS;
    play.exchange(KICK_OFF, outcome(400, "no"));
    play.paused(PauseReason::SubmitUnknown);
    play.resolve(&Decision::GiveUp);
    let report = play.ended(Outcome::SubmitUnknown);
    assert!(report.advice.contains("look at the server for a job"), "{}", report.advice);
}

#[test]
fn a_busy_server_is_waited_for_until_the_deadline() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, answer(429, &[("Retry-After", "7200")], ""));
    assert_eq!(play.wait_ms(), 7_200_000);
    play.exchange(KICK_OFF, outcome(503, "come back later"));
    assert!(matches!(&play.next, Next::Wait(wake) if wake.reason == WakeReason::BackOff));
    play.now_ms = START_MS + DEADLINE_MS;
    play.exchange(KICK_OFF, answer(503, &[("Retry-After", "5")], ""));
    let report = play.ended(Outcome::Refused);
    assert_eq!(report.sentence, "The server was busy until the deadline: it answers 503 to the kick-off.");
}

#[test]
fn a_503_that_can_be_a_proxys_word_for_a_lost_server_refuses_nothing() {
    for reply in [page(503), empty(503), answer(503, &[("Content-Type", "text/plain")], "upstream connect error")] {
        let mut play = Play::new(named("hapi"));
        play.exchange(KICK_OFF, reply).recover();
        play.paused(PauseReason::SubmitUnknown);
    }
}

#[test]
fn a_server_that_is_away_between_two_jobs_is_waited_for_until_the_deadline() {
    let mut dialect = dialect("smart-manifest");
    dialect.inputs.per_job = Some(1);
    let mut play = Play::new(defined(dialect));
    play.exchange(KICK_OFF, accepted("/jobs/1")).exchange("GET /jobs/1", manifest(&json!([]), &json!([])));
    for _ in 0..10 {
        play.exchange(KICK_OFF, unreachable());
    }
    let mut late = play.clone();
    late.now_ms = START_MS + DEADLINE_MS;
    late.exchange(KICK_OFF, unreachable());
    assert_ne!(late.status().phase, Phase::ReadyToSubmit);
    play.exchange(KICK_OFF, accepted("/jobs/2")).exchange("GET /jobs/2", manifest(&json!([]), &json!([])));
    play.ended(Outcome::Succeeded);
}

#[test]
fn a_setting_that_only_a_later_request_needs_is_asked_for_before_the_kick_off() {
    let lacking: [fn(&mut Dialect); 4] = [
        |dialect| dialect.kick_off.url = "$import/${set.store}".to_owned(),
        |dialect| dialect.poll.url = Some("jobs/${set.store}/${job.handle}".to_owned()),
        |dialect| dialect.cancel.url = Some("jobs/${set.store}".to_owned()),
        |dialect| dialect.result.url = Some("results/${set.store}".to_owned()),
    ];
    for lack in lacking {
        let mut dialect = dialect("smart-manifest");
        lack(&mut dialect);
        let report = Play::new(defined(dialect)).ended(Outcome::Usage);
        assert!(report.sentence.contains("needs a value for store"), "{}", report.sentence);
    }
}

#[test]
fn a_submit_that_comes_early_is_a_wrong_call() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, empty(429));
    assert!(matches!(play.session().call(Call::Submit, play.now_ms), Err(Error::InvalidCall(_))));
    let running = Play::running(named("hapi"));
    assert!(matches!(running.session().call(Call::Submit, running.now_ms), Err(Error::InvalidCall(_))));
    assert!(matches!(running.session().call(Call::Recover, running.now_ms), Err(Error::InvalidCall(_))));
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, recorded!("kick-off-without-prefer"));
    let report = play.ended(Outcome::Refused);
    assert!(report.sentence.contains("Must request async processing"), "{}", report.sentence);

    let mut play = Play::new(named("hapi"));
    let text =
        "The FHIR endpoint on this server does not know how to handle POST operation[$import] with parameters [[]]";
    play.exchange(KICK_OFF, outcome(400, text));
    assert!(play.ended(Outcome::Unsupported).advice.contains("bulk_import_enabled"));

    for (status, ended) in [(404, Outcome::Unsupported), (405, Outcome::Unsupported), (307, Outcome::Refused)] {
        let mut play = Play::new(named("hapi"));
        play.exchange(KICK_OFF, page(status));
        play.ended(ended);
    }
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, recorded!("kick-off-not-known"));
    play.ended(Outcome::Refused);
}

#[test]
fn credentials_are_waited_for_and_then_it_goes_on() {
    let mut play = Play::new(named("hapi"));
    play.exchange(KICK_OFF, empty(401));
    play.paused(PauseReason::Credentials);
    play.resolve(&Decision::Continue);
    assert_eq!(play.next, Next::Submit);
    play.now_ms += FLOOR_MS;
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.kick_offs(), 2);
}

#[test]
fn what_this_server_would_not_take_is_not_sent() {
    let mut request = named("hapi");
    request.inputs[1].url = "s3://bucket/o.ndjson".to_owned();
    let report = Play::new(request).ended(Outcome::InputInvalid);
    assert_eq!(report.sentence, "This server does not fetch s3 URLs.");

    let mut needs = dialect("hapi");
    needs.kick_off.body = json!({ "role": "${set.role-arn}" });
    let report = Play::new(defined(needs.clone())).ended(Outcome::Usage);
    assert_eq!(report.advice, "Give it: --set role-arn=VALUE.");
    let mut request = defined(needs.clone());
    request.settings = vec![("role-arn".to_owned(), "arn:1".to_owned())];
    let mut play = Play::new(request);
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.sent[0].1.body.as_deref(), Some(r#"{"role":"arn:1"}"#));
    needs.kick_off.body = json!("${nonsense}");
    Play::new(defined(needs)).ended(Outcome::Usage);
}

#[test]
fn what_is_repeated_for_each_file_is_left_out_for_those_without_the_value() {
    let mut tagged = dialect("smart-manifest");
    tagged.kick_off.body = json!([
        { "$each": "input", "$if": "input.etag", "tag": "${input.etag}" },
        { "$each": "input", "$if": "set.role", "role": "${set.role}" },
    ]);
    let mut request = defined(tagged);
    request.inputs[1].etag = Some("W/7".to_owned());
    let mut play = Play::new(request);
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.sent[0].1.body.as_deref(), Some(r#"[{"tag":"W/7"}]"#));
}

#[test]
fn an_empty_setting_is_none() {
    let mut needs = dialect("smart-manifest");
    let role = needs.settings.entry("role");
    role.required = true;
    let mut request = defined(needs.clone());
    request.settings = vec![("role".to_owned(), String::new())];
    let report = Play::new(request.clone()).ended(Outcome::Usage);
    assert!(report.sentence.contains("needs a value for role"), "{}", report.sentence);

    let role = needs.settings.entry("role");
    (role.required, role.default) = (false, Some("reader".to_owned()));
    needs.kick_off.body = json!("${set.role}");
    let mut play = Play::new(super::Request { settings: request.settings, ..defined(needs) });
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.sent[0].1.body.as_deref(), Some("reader"));
}

#[test]
fn all_that_is_wrong_with_a_request_is_said_at_once() {
    let needed = Setting { about: "x".to_owned(), required: true, ..Setting::default() };
    let mut needs = dialect("hapi");
    *needs.settings.entry("role-arn") = needed.clone();
    *needs.settings.entry("output") = needed.clone();
    *needs.settings.entry("level") = Setting { required: false, one_of: vec!["strict".to_owned()], ..needed };
    let mut request = defined(needs);
    request.inputs[1].url = "s3://bucket/o.ndjson".to_owned();
    request.settings = vec![("rolearn".to_owned(), "x".to_owned()), ("level".to_owned(), "none".to_owned())];
    let report = Play::new(request).ended(Outcome::InputInvalid);
    let said = format!("{} {}", report.sentence, report.advice);
    for wrong in
        ["not fetch s3 URLs", "no value for rolearn", "level cannot be", "--set output=VALUE", "--set role-arn=VALUE"]
    {
        assert!(said.contains(wrong), "{wrong}: {said}");
    }
}

#[test]
fn each_variable_stands_for_its_value() {
    let mut named = dialect("smart-manifest");
    let each = json!({ "$each": "input", "file": "<${input.url}|${input.type}|${input.etag}>" });
    let import = "${import.id} ${job.id} ${set.a}";
    named.kick_off.body =
        json!({ "n": 1, "import": import, "of": "${import.source}", "open": "${x", "all": [each, "x", ["${set.a}"]] });
    let mut request = defined(named);
    request.settings = vec![("a".to_owned(), "1}".to_owned())];
    request.inputs[0].url = "https://x.example/in/p.ndjson?at=/1/2".to_owned();
    request.inputs[1].etag = Some("W/7".to_owned());
    let body = |request| {
        let mut play = Play::new(request);
        play.exchange(KICK_OFF, accepted("/jobs/1"));
        serde_json::from_str::<Value>(play.sent[0].1.body.as_deref().unwrap()).unwrap()
    };
    let first = json!({ "file": "<https://x.example/in/p.ndjson?at=/1/2|Patient|>" });
    let second = json!({ "file": "<http://127.0.0.1:18090/ok-observation.ndjson|Observation|W/7>" });
    let id = "00112233445566778899aabbccddeeff";
    let mut expected = json!({
        "n": 1,
        "import": format!("{id} {id}-0 1}}"),
        "of": "https://x.example/in",
        "open": "${x",
        "all": [first, second, "x", ["1}"]],
    });
    assert_eq!(body(request.clone()), expected);
    request.settings.push(("input-source".to_owned(), "urn:mine".to_owned()));
    expected["of"] = json!("urn:mine");
    assert_eq!(body(request), expected);
}

#[test]
fn a_request_that_cannot_be_used_names_its_field() {
    type Spoil = fn(&mut crate::request::Request);
    let cases: [(&str, Spoil); 9] = [
        ("id", |r| r.id = "ABC".to_owned()),
        ("base-url", |r| r.base_url = "https://user@x/fhir".to_owned()),
        ("inputs", |r| r.inputs.clear()),
        ("inputs", |r| r.inputs[0] = input("Pati ent", "x")),
        ("samples", |r| r.samples = vec![super::sample("Patient/1/_history", "")]),
        ("samples", |r| r.samples = vec![super::sample("Patient/1", ""); 201]),
        ("samples", |r| r.purpose = crate::request::Purpose::Verify),
        ("expected", |r| r.expected = vec![super::expected("Patient", 1); 201]),
        ("dialect", |r| r.dialect = DialectChoice::Named("nope".to_owned())),
    ];
    for (field, spoil) in cases {
        let mut request = named("hapi");
        spoil(&mut request);
        match start(request, &super::builtin()) {
            Err(Error::InvalidRequest(text)) => assert!(text.starts_with(&format!("{field}: ")), "{text}"),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn the_answer_may_hold_a_body_of_any_kind() {
    let mut play = Play::new(named("smart-manifest"));
    let reply = answer(202, &[("CONTENT-LOCATION", "/fhir/jobs/9")], vec![0xff, 0x00, b'{']);
    play.exchange(KICK_OFF, reply).exchange("GET /jobs/9", json_answer(202, &json!({ "partial": true })));
    assert_eq!(play.status().phase, Phase::Running);
}
