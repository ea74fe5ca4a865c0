//! One request and what comes of it, whatever carries them.

use crate::server::Server;
use crate::wire::{CutShort, HangUp, Late};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Uri;
use hyper::header::{DATE, HOST, HeaderValue};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

/// The routes of a server, ready to be asked.
pub(crate) type Routes = TowerToHyperService<Router>;

/// What a client gets for a request when there is no socket.
#[derive(Debug)]
pub enum Outcome {
    /// The whole answer.
    Answered {
        /// The answer.
        answer: hyper::Response<Bytes>,
        /// How much later it arrives than the request was sent; nobody has waited for it.
        delay_ms: u64,
    },
    /// The whole head, and a body that breaks off before its `Content-Length`.
    Cut {
        /// The head, with what there is of the body.
        answer: hyper::Response<Bytes>,
        /// How much later it arrives than the request was sent; nobody has waited for it.
        delay_ms: u64,
    },
    /// The connection was closed without an answer.
    HungUp,
}

/// Logs a request, lets the routes answer it, and dates and logs the answer.
pub(crate) async fn attend(server: &Server, routes: &Routes, request: hyper::Request<Bytes>) -> Response {
    let (head, body) = request.into_parts();
    let entry = server.log.arrived(&head, &body);
    let mut request = Request::from_parts(head, Body::from(body));
    request.extensions_mut().insert(entry);
    let Ok(mut response) = routes.call(request).await;
    if response.extensions().get::<HangUp>().is_none() {
        let date = HeaderValue::from_str(&httpdate::fmt_http_date(server.now())).expect("a date is plain ASCII");
        response.headers_mut().entry(DATE).or_insert(date);
        server.log.answered(entry, response.status().as_u16());
    }
    response
}

/// A request as a connection to the server would have brought it: path and query, and the host beside them.
pub(crate) fn direct(mut request: hyper::Request<Bytes>) -> hyper::Request<Bytes> {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let place = request.uri().path_and_query().cloned();
    *request.uri_mut() = place.map_or_else(|| Uri::from_static("/"), Uri::from);
    request
}

impl Outcome {
    /// What a client gets of this answer.
    pub(crate) async fn of(response: Response) -> Self {
        let marks = response.extensions();
        if marks.get::<HangUp>().is_some() {
            return Self::HungUp;
        }
        let delay_ms = marks.get::<Late>().map_or(0, |late| late.0);
        let cut = marks.get::<CutShort>().is_some();
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let answer = hyper::Response::from_parts(head, body);
        if cut { Self::Cut { answer, delay_ms } } else { Self::Answered { answer, delay_ms } }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use crate::local::{KICK_OFF, Local, START_MS, body, order};
    use crate::probe::{get, sandbox};
    use crate::{Personality, Script};
    use serde_json::{Value, json};

    const TWO: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";

    fn smart(script: Value) -> Local {
        Local::new(Personality::SmartManifest, script, &[("p", TWO)])
    }

    /// One request to each endpoint.
    fn visit(local: &Local, job: &str) {
        let base = local.sandbox.base_url();
        let at = |path: &str| format!("{base}/{path}");
        let definition = "OperationDefinition/import";
        let places = ["metadata", definition, "Patient", "Patient/a", "import-jobs"].map(at);
        let places = places.iter().map(String::as_str).chain([job]).map(|url| ("GET", url.to_owned()));
        let parts = ["errors-1.ndjson", "result"].map(|part| ("GET", format!("{job}/{part}")));
        let ending = parts.into_iter().chain([("DELETE", job.to_owned())]);
        local.exchange("POST", &at("$import"), &KICK_OFF, &order("p", json!({"id": "k"})));
        for (method, url) in places.chain(ending) {
            local.exchange(method, &url, &[], "");
        }
        assert!(local.sandbox.log().len() >= 9);
    }

    fn kick_off_with(action: &Value) -> (Local, Outcome) {
        let local = smart(json!({"faults": [{"on": "kick-off", "nth": 1, "action": action}]}));
        let url = format!("{}/$import", local.sandbox.base_url());
        let outcome = local.exchange("POST", &url, &KICK_OFF, &order("p", json!({})));
        (local, outcome)
    }

    #[test]
    fn an_import_needs_no_socket_no_runtime_and_no_time() {
        let local = smart(json!({}));
        let url = local.start(&order("p", json!({})));
        assert!(url.starts_with("http://127.0.0.1/fhir/import-jobs/"));
        assert_eq!(local.sandbox.stored(), 2);
        assert_eq!(local.poll(&url, 3), [202, 202, 200]);
        let read = body(&local.get(&format!("{}/Patient/a", local.sandbox.base_url())));
        assert_eq!(read["meta"]["lastUpdated"], "2026-01-01T00:00:00.000+00:00");
        assert_eq!(local.sandbox.log()[0].header("host"), Some("127.0.0.1"));
        assert_eq!(local.sandbox.log()[1].path_and_query, url.trim_start_matches("http://127.0.0.1"));
    }

    #[test]
    fn hapi_imports_within_the_process_too() {
        let local = Local::new(Personality::Hapi, json!({}), &[("p", TWO)]);
        let start = |file: &str| {
            let part = json!([{"name": "type", "valueCode": "Patient"},
                {"name": "url", "valueUri": format!("http://files/{file}")}]);
            let parameters = json!([{"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
                {"name": "input", "part": part}]);
            local.start(&json!({"resourceType": "Parameters", "parameter": parameters}).to_string())
        };
        let url = start("p");
        assert_eq!((local.poll(&url, 3), local.sandbox.stored()), (vec![202, 202, 200], 2));
        let nowhere = start("nowhere");
        assert_eq!(local.poll(&nowhere, 6), [202, 202, 202, 202, 202, 500]);
        let report = body(&local.get(&url))["issue"][0]["diagnostics"].to_string();
        assert!(report.contains("Duration        : 0ms"), "{report}");
    }

    #[test]
    fn a_file_that_is_not_given_is_unreachable() {
        let local = smart(json!({}));
        let url = local.start(&order("nowhere", json!({})));
        local.poll(&url, 2);
        let errors = body(&local.get(&url))["error"][0]["url"].as_str().unwrap().to_owned();
        let errors = body(&local.get(&errors));
        let text = "http://files/nowhere could not be read: files:80 is unreachable";
        assert_eq!(errors["issue"][0]["diagnostics"], text);
    }

    #[test]
    fn the_same_seed_clock_files_and_requests_give_the_same_bytes() {
        let run = || {
            let local = smart(json!({"retry_after_date": true}));
            let url = local.start(&order("p", json!({})));
            local.clock.pass(1500);
            let answers = [&url, &url, &url, "http://127.0.0.1/fhir/Patient", "http://127.0.0.1/fhir/metadata"];
            let answers = answers.map(|url| format!("{:?}", local.get(url)));
            (url.clone(), answers, format!("{:?}", local.sandbox.log()))
        };
        let (url, answers, log) = run();
        assert_eq!((url, answers.clone(), log), run());
        assert!(answers[0].contains("\"retry-after\": \"Thu, 01 Jan 2026 00:00:02 GMT\""), "{}", answers[0]);
    }

    #[test]
    fn the_clock_that_was_given_is_in_the_log_and_on_every_answer() {
        let local = smart(json!({"faults": [{"on": "metadata", "action": {"answer": {"status": 500}}}]}));
        local.clock.pass(61_000);
        let metadata = local.get(&format!("{}/metadata", local.sandbox.base_url()));
        assert_eq!(metadata.headers()["date"], "Thu, 01 Jan 2026 00:01:01 GMT");
        assert_eq!(local.sandbox.log()[0].at_ms, 61_000);
        local.start(&order("p", json!({})));
        assert_eq!(local.sandbox.job_records()[0].created_ms, START_MS + 61_000);
    }

    #[tokio::test]
    async fn an_answer_over_a_socket_has_one_date() {
        let sandbox = sandbox(Personality::SmartManifest, Script::default()).await;
        let answer = get(&format!("{}/metadata", sandbox.base_url())).await;
        assert_eq!(answer.head.lines().filter(|line| line.to_lowercase().starts_with("date: ")).count(), 1);
    }

    #[test]
    fn a_connection_can_be_closed_before_or_after_the_work() {
        let (before, outcome) = kick_off_with(&json!("drop"));
        assert!(matches!(outcome, Outcome::HungUp));
        assert_eq!((before.sandbox.kick_offs(), before.sandbox.jobs(), before.sandbox.stored()), (1, 0, 0));
        let (after, outcome) = kick_off_with(&json!("accept-then-drop"));
        assert!(matches!(outcome, Outcome::HungUp));
        assert_eq!((after.sandbox.kick_offs(), after.sandbox.jobs(), after.sandbox.stored()), (1, 1, 2));
        assert_eq!(after.sandbox.log()[0].status, None);
    }

    #[test]
    fn delays_are_told_and_not_waited_for() {
        for action in [json!({"delay-ms": 86_400_000}), json!({"accept-then-delay-ms": 86_400_000})] {
            let (local, outcome) = kick_off_with(&action);
            let Outcome::Answered { answer, delay_ms } = outcome else { panic!("{outcome:?}") };
            assert_eq!((answer.status().as_u16(), delay_ms, local.sandbox.jobs()), (202, 86_400_000, 1));
        }
    }

    #[test]
    fn the_head_of_a_kick_off_can_arrive_without_its_body() {
        let (local, outcome) = kick_off_with(&json!({"truncate-body": 5}));
        let Outcome::Cut { answer, delay_ms: 0 } = outcome else { panic!("{outcome:?}") };
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (202, &br#"{"res"#[..]));
        assert_eq!(answer.headers()["content-location"], local.sandbox.job_urls()[0].as_str());
        let announced: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert!(announced > 5);
    }

    #[test]
    fn a_request_that_is_delivered_twice_is_worked_off_and_seen_twice() {
        let (local, outcome) = kick_off_with(&json!("duplicate"));
        let Outcome::Answered { answer, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(answer.headers()["content-location"], local.sandbox.job_urls()[0].as_str());
        assert_eq!((local.sandbox.kick_offs(), local.sandbox.jobs()), (2, 2));
        let log = local.sandbox.log();
        assert_eq!((&log[0].body, log[0].status, log[1].status), (&log[1].body, Some(202), Some(202)));
        // The second delivery is no request of its own where faults are counted.
        local.start(&order("p", json!({})));
        assert_eq!(local.sandbox.jobs(), 3);
    }

    #[test]
    fn a_poll_delivered_twice_counts_twice() {
        let local = smart(json!({"faults": [{"on": "poll", "nth": 2, "action": "duplicate"}]}));
        let url = local.start(&order("p", json!({})));
        assert_eq!(local.poll(&url, 3), [202, 202, 200]);
        assert_eq!((local.sandbox.polls(), local.sandbox.job_records()[0].ends_shown), (4, 2));
    }

    #[test]
    fn no_fault_at_any_endpoint_makes_the_server_wait() {
        let canned = json!({"answer": {"status": 401}});
        let actions = [
            json!({"accept-then-delay-ms": 5}),
            json!("accept-then-drop"),
            canned,
            json!({"delay-ms": 5}),
            json!("drop"),
            json!("duplicate"),
            json!("garbage-json"),
            json!("html-page"),
            json!("no-content-location"),
            json!("relative-content-location"),
            json!({"truncate-body": 7}),
            json!({"wrong-host-content-location": "10.0.0.1:80"}),
        ];
        let endpoints = [
            "delete",
            "error-file",
            "kick-off",
            "list",
            "metadata",
            "operation-definition",
            "poll",
            "read",
            "result",
            "search",
        ];
        for (personality, endpoint) in Personality::every().flat_map(|one| endpoints.map(|at| (one, at))) {
            for action in &actions {
                let script = json!({"polls_until_done": 0, "faults": [{"on": endpoint, "action": action}]});
                let local = Local::new(personality, script, &[("p", TWO)]);
                let job = local.sandbox.foreign_job();
                visit(&local, &job);
            }
        }
    }
}
