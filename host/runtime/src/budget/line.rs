//! The line of retries at one server, as arithmetic: times come in as numbers, and nothing waits.

use std::collections::VecDeque;

/// A server that does not answer gets one retry in this time, of all imports together. One that answers again is asked
/// by everybody who waits within it.
const FREE_MS: u64 = 60_000;

/// Who waits asks again at least this often, because a server may answer again at any time.
const ASK_MS: u64 = 10_000;

/// What a retry costs, in tenths.
const TOKEN: u32 = 10;

/// The most that can be saved: ten retries.
const FULL: u32 = 10 * TOKEN;

/// A place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What somebody who waits is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The retry may be made now; the place is given up.
    Go,
    /// Not before this time, and then to be asked again.
    AskAgain(u64),
}

/// Whether the server answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers,
    Fails,
}

/// The line at one server.
#[derive(Debug)]
pub(super) struct Line {
    server: Server,
    tenths: u32,
    /// First come, first served; tickets grow.
    waiting: VecDeque<Ticket>,
    next: Ticket,
    /// When the next free retry may be made.
    free_at_ms: u64,
    /// The time between free retries.
    every_ms: u64,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            server: Server::Answers,
            tenths: FULL,
            waiting: VecDeque::new(),
            next: Ticket(0),
            free_at_ms: 0,
            every_ms: FREE_MS,
        }
    }
}

impl Line {
    /// Somebody wants to retry.
    pub(super) fn join(&mut self, now_ms: u64) -> Ticket {
        if self.waiting.is_empty() {
            // Free retries that nobody wanted are not saved.
            self.free_at_ms = self.free_at_ms.max(now_ms);
        }
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.waiting.push_back(ticket);
        ticket
    }

    /// Somebody does not want to any more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Ok(place) = self.waiting.binary_search(&ticket) {
            self.waiting.remove(place);
        }
    }

    /// Whether it is somebody's turn: while there are tokens for everybody before, or when the free retry comes round.
    pub(super) fn ask(&mut self, ticket: Ticket, now_ms: u64) -> Turn {
        let Ok(place) = self.waiting.binary_search(&ticket) else { return Turn::Go };
        let (place, tokens) = (place as u64, u64::from(self.tenths / TOKEN));
        if place < tokens {
            self.tenths -= TOKEN;
        } else {
            let at_ms = self.free_at_ms.saturating_add((place - tokens).saturating_mul(self.every_ms));
            if now_ms < at_ms {
                return Turn::AskAgain(at_ms.min(now_ms.saturating_add(ASK_MS)));
            }
            let from_ms = match self.server {
                Server::Answers => self.free_at_ms,
                Server::Fails => now_ms,
            };
            self.free_at_ms = from_ms.saturating_add(self.every_ms);
        }
        self.leave(ticket);
        Turn::Go
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The server answered a request.
    pub(super) fn answered(&mut self, now_ms: u64) {
        self.tenths = FULL.min(self.tenths + 1);
        if self.server == Server::Fails {
            self.server = Server::Answers;
            self.every_ms = FREE_MS / (self.waiting.len() as u64).max(1);
            self.free_at_ms = now_ms.saturating_add(self.every_ms);
        }
    }

    /// A request failed.
    pub(super) fn failed(&mut self, now_ms: u64) {
        if self.server == Server::Answers {
            self.server = Server::Fails;
            self.every_ms = FREE_MS;
            self.free_at_ms = self.free_at_ms.max(now_ms.saturating_add(FREE_MS));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use fhir_import_workflow::pace::back_off;

    use super::*;

    const MINUTE_MS: u64 = 60_000;
    const HOUR_MS: u64 = 60 * MINUTE_MS;

    /// A line whose tokens are used up, at a server that fails since 0.
    fn empty() -> Line {
        let mut line = Line::default();
        line.failed(0);
        line.tenths = 0;
        line
    }

    #[test]
    fn ten_retries_are_saved_and_no_more() {
        let mut line = Line::default();
        (0..500).for_each(|_| line.answered(0));
        line.failed(0);
        let tickets: Vec<_> = (0..11).map(|_| line.join(0)).collect();
        let turns: Vec<_> = tickets.iter().map(|ticket| line.ask(*ticket, 0)).collect();
        assert_eq!(turns[..10], [Turn::Go; 10]);
        assert_eq!(turns[10], Turn::AskAgain(ASK_MS));
    }

    #[test]
    fn ten_answers_earn_a_retry() {
        let mut line = empty();
        let first = line.join(0);
        line.server = Server::Answers;
        (0..9).for_each(|_| line.answered(0));
        assert_eq!(line.ask(first, 0), Turn::AskAgain(ASK_MS));
        line.answered(0);
        assert_eq!((line.ask(first, 0), line.tenths), (Turn::Go, 0));
    }

    #[test]
    fn a_server_that_fails_gets_one_a_minute_first_come_first_served() {
        let mut line = empty();
        let [first, second] = [line.join(0), line.join(0)];
        assert_eq!(line.ask(second, 55_000), Turn::AskAgain(65_000));
        assert_eq!(line.ask(first, 55_000), Turn::AskAgain(60_000));
        assert_eq!(line.ask(first, 59_999), Turn::AskAgain(60_000));
        assert_eq!(line.ask(second, 60_000), Turn::AskAgain(70_000));
        assert_eq!(line.ask(first, 60_500), Turn::Go);
        assert_eq!(line.ask(second, 120_499), Turn::AskAgain(120_500));
        assert_eq!(line.ask(second, 120_500), Turn::Go);
        assert!(line.waiting.is_empty());
    }

    #[test]
    fn free_retries_that_nobody_wanted_are_not_saved() {
        let mut line = empty();
        let [first, second] = [line.join(5 * HOUR_MS), line.join(5 * HOUR_MS)];
        assert_eq!(line.ask(first, 5 * HOUR_MS), Turn::Go);
        assert_eq!(line.ask(second, 5 * HOUR_MS + MINUTE_MS - 1), Turn::AskAgain(5 * HOUR_MS + MINUTE_MS));
    }

    #[test]
    fn who_leaves_does_not_hold_up_the_others() {
        let mut line = empty();
        let [first, second, third] = [line.join(0), line.join(0), line.join(0)];
        line.leave(first);
        line.leave(first);
        assert_eq!(line.ask(third, MINUTE_MS), Turn::AskAgain(MINUTE_MS + ASK_MS));
        assert_eq!(line.ask(second, MINUTE_MS), Turn::Go);
        assert_eq!(line.ask(first, MINUTE_MS), Turn::Go, "who has no place is not held up");
    }

    #[test]
    fn one_answer_lets_everybody_go_within_a_minute() {
        let mut line = empty();
        let tickets: Vec<_> = (0..120).map(|_| line.join(0)).collect();
        line.answered(1_000);
        assert_eq!(line.ask(tickets[0], 1_499), Turn::AskAgain(1_500));
        assert_eq!(line.ask(tickets[119], 60_999), Turn::AskAgain(61_000));
        assert!(tickets.iter().rev().all(|ticket| line.ask(*ticket, 61_000) == Turn::Go));
    }

    #[test]
    fn a_server_that_fails_again_is_spared_again() {
        let mut line = empty();
        let tickets: Vec<_> = (0..120).map(|_| line.join(0)).collect();
        line.answered(0);
        assert_eq!(line.ask(tickets[0], 500), Turn::Go);
        line.failed(600);
        line.failed(50_000);
        assert_eq!(line.ask(tickets[1], 60_599), Turn::AskAgain(60_600));
        assert_eq!(line.ask(tickets[1], 60_600), Turn::Go);
        assert_eq!(line.ask(tickets[2], 120_599), Turn::AskAgain(120_600));
    }

    /// What a server saw of imports that had all lost it at 0.
    struct Saw {
        retries: Vec<u64>,
        /// When the last import was answered again.
        all_back_ms: u64,
    }

    enum At {
        OwnWait,
        InLine(Ticket),
    }

    /// Imports that poll a server which is down until a time; without a line, each goes by its own back-off alone.
    fn outage(imports: u64, down_ms: u64, mut line: Option<Line>) -> Saw {
        let wait = |import, failures, now_ms| back_off(None, failures, now_ms, u64::MAX, import).at_ms;
        let mut now: BinaryHeap<_> =
            (0..imports).map(|import| Reverse((wait(import, 1, import * 50), import))).collect();
        let mut states: Vec<_> = (0..imports).map(|_| (1, At::OwnWait)).collect();
        let mut saw = Saw { retries: Vec::new(), all_back_ms: 0 };
        while let Some(Reverse((now_ms, import))) = now.pop() {
            let (failures, at) = &mut states[usize::try_from(import).unwrap()];
            if let Some(line) = &mut line {
                let ticket = match at {
                    At::OwnWait => line.join(now_ms),
                    At::InLine(ticket) => *ticket,
                };
                *at = At::InLine(ticket);
                if let Turn::AskAgain(at_ms) = line.ask(ticket, now_ms) {
                    now.push(Reverse((at_ms, import)));
                    continue;
                }
                if now_ms < down_ms { line.failed(now_ms) } else { line.answered(now_ms) }
            }
            saw.retries.push(now_ms);
            if now_ms < down_ms {
                (*failures, *at) = (*failures + 1, At::OwnWait);
                now.push(Reverse((wait(import, *failures, now_ms), import)));
            } else {
                saw.all_back_ms = now_ms;
            }
        }
        saw
    }

    fn most_in(window_ms: u64, times: &[u64]) -> usize {
        let until = |from_ms| times.iter().filter(|at| (from_ms..from_ms + window_ms).contains(*at)).count();
        times.iter().map(|at| until(*at)).max().unwrap_or(0)
    }

    #[test]
    fn one_import_alone_is_never_held_up() {
        let (alone, with) = (outage(1, 4 * HOUR_MS, None), outage(1, 4 * HOUR_MS, Some(Line::default())));
        assert_eq!(alone.retries, with.retries);
    }

    #[test]
    fn many_imports_send_a_dead_server_one_request_a_minute_and_are_all_back_soon() {
        let down_ms = 4 * HOUR_MS;
        for imports in [2, 20, 200] {
            let saw = outage(imports, down_ms, Some(Line::default()));
            let during: Vec<_> = saw.retries.iter().copied().filter(|at| *at < down_ms).collect();
            assert!(during.len() <= 10 + 4 * 60, "{imports} imports: {} retries", during.len());
            let later: Vec<_> = during.into_iter().filter(|at| *at > 10 * MINUTE_MS).collect();
            assert!(most_in(MINUTE_MS, &later) <= 1, "{imports} imports");
            let back_ms = saw.all_back_ms - down_ms;
            assert!(back_ms <= 3 * MINUTE_MS, "{imports} imports: all back after {back_ms} ms");
            let after: Vec<_> = saw.retries.into_iter().filter(|at| *at >= down_ms).collect();
            assert!(most_in(1_000, &after) <= 60, "{imports} imports: {} in a second", most_in(1_000, &after));
        }
        let alone = outage(200, down_ms, None);
        assert!(alone.retries.len() > 30_000, "without it: {}", alone.retries.len());
    }
}
