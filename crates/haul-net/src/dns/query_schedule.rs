//! The schedule of one query: whom to ask next, when, how, and when to give up. Pure.
//!
//! Owns what one question knows of each server. Whoever has been asked is listened to until the end: asking again is for
//! lost messages, not a verdict on the ones sent before, so a slow server is heard as long as the look-up may take.
//!
//! A server that usually answers sooner is asked again, in doubling intervals, before the next one has its turn: that a message was
//! lost is no reason to ask another server, which may know other names.
//!
//! Invariant: [`QuerySchedule::next`] asks a bounded number of times: each server once a round over UDP and as often as the doubling leaves
//! room for in its turn, again without EDNS and over TCP once each, and after a lack of our own [`MAX_LACKS`] times.

use std::time::Duration;

use super::message::{AnswerContent, DnsAnswer};
use haul_core::model::Time;

/// Rounds through the servers, unless the configuration says otherwise. With the doubling of the wait: 1, 2, 4, 8, 16 s.
const ROUNDS: u32 = 5;
/// Tries after the machine lacked something: 20 ms to 1.28 s, 2.5 s together.
const MAX_LACKS: u32 = 7;
const LACK_WAIT: Duration = Duration::from_millis(20);

/// Over what a question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryTransport {
    Udp,
    Tcp,
}

/// A question to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueryAttempt {
    pub(super) server: usize,
    pub(super) over: QueryTransport,
    /// Whether it was silent to this question before.
    pub(super) repeated: bool,
    /// It has said that it does not understand EDNS.
    pub(super) plain: bool,
}

/// What is heard of a server.
#[derive(Debug)]
pub(super) enum ServerEvent {
    Answer(DnsAnswer),
    /// A message that can't be read.
    Nonsense,
    /// Nobody listens there, or it can't be reached.
    Unreachable(Box<str>),
    /// The TCP connection ended before the answer.
    Cut,
    /// This machine lacks something: a descriptor, a port, memory for the message.
    Lack(ResourceShortage),
}

/// What this machine lacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResourceShortage {
    Descriptors,
    Ports,
    Other(Box<str>),
}

/// Why a server is no help with this question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameServerError {
    /// It has not answered yet.
    Silent,
    /// It said this code.
    Code(u16),
    Nonsense,
    Referral,
    Unreachable(Box<str>),
    /// Its answer is too long for UDP, and did not come over TCP, perhaps because it can't be asked so.
    Cut(Option<Box<str>>),
    /// It ended the TCP connection before the answer.
    Closed,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum QueryAction {
    Ask(QueryAttempt),
    /// Listen, at most until then.
    Wait(Time),
    /// The server that gave the answer, and the answer.
    Answered(usize, AnswerContent),
    /// It gave the code for "no such name".
    NoName(usize),
    GiveUp,
}

#[derive(Debug)]
struct ServerState {
    server: usize,
    asked: Option<Time>,
    /// How long after it was asked it is asked again; doubles each time, up to the wait for the next server.
    again_after: Duration,
    /// How often it was asked.
    times: u32,
    over: QueryTransport,
    /// Its answer over UDP was cut.
    cut: bool,
    /// It refused EDNS, and was asked without.
    plain: bool,
    /// It could not be asked for what this machine lacked, and others are tried.
    lacking: bool,
    /// It has had its say; `Some` for one that is asked no more.
    out: Option<NameServerError>,
    /// It sent something unreadable. A better message may come behind, so that it is out only when its time is up.
    doubtful: bool,
}

/// The tries of one question.
#[derive(Debug)]
pub(super) struct QuerySchedule {
    states: Vec<ServerState>,
    /// The line after the one asked last.
    at: usize,
    /// Whose turn it is, and until when.
    turn: Option<(usize, Time)>,
    /// Servers asked by turn so far.
    turns: u32,
    max_turns: u32,
    /// How long the first round waits for each.
    wait: Duration,
    /// When the next one is asked.
    next_at: Time,
    end: Time,
    /// To be asked at once.
    again: Option<QueryAttempt>,
    lacks: u32,
    lack: Option<ResourceShortage>,
    done: Option<QueryAction>,
}

impl QuerySchedule {
    /// Asks these servers in turn, each given `wait` (doubled each round) before the next one is asked too, until `end`.
    pub(super) fn new(order: &[usize], over: QueryTransport, wait: Duration, rounds: Option<u32>, end: Time) -> Self {
        let state = |server: &usize| ServerState {
            server: *server,
            asked: None,
            again_after: Duration::MAX,
            times: 0,
            over,
            cut: false,
            plain: false,
            lacking: false,
            out: None,
            doubtful: false,
        };
        let states: Vec<_> = order.iter().map(state).collect();
        let max_turns = u32::try_from(states.len()).unwrap_or(u32::MAX).saturating_mul(rounds.unwrap_or(ROUNDS));
        Self {
            states,
            at: 0,
            turn: None,
            turns: 0,
            max_turns,
            wait,
            next_at: Time::ZERO,
            end,
            again: None,
            lacks: 0,
            lack: None,
            done: None,
        }
    }

    /// What has become known since of how soon a server's answer is overdue. The first questions of a run are asked together, before
    /// anything is known.
    pub(super) fn learn(&mut self, overdue: impl Fn(usize) -> Option<Duration>) {
        for state in self.states.iter_mut().filter(|state| state.again_after == Duration::MAX) {
            state.again_after = overdue(state.server).unwrap_or(Duration::MAX);
        }
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: Time) -> QueryAction {
        if let Some(done) = self.done.take() {
            return done;
        }
        if now >= self.end {
            return QueryAction::GiveUp;
        }
        if let Some(ask) = self.again.take() {
            return QueryAction::Ask(ask);
        }
        if now < self.next_at {
            return QueryAction::Wait(self.next_at.min(self.end));
        }
        if let Some(ask) = self.ask_again(now) {
            return QueryAction::Ask(ask);
        }
        self.time_is_up_for_nonsense();
        if self.states.iter().all(|state| state.out.is_some()) {
            return QueryAction::GiveUp;
        }
        if self.turns >= self.max_turns {
            self.next_at = Time::NEVER;
            return QueryAction::Wait(self.end);
        }
        self.ask_next(now)
    }

    /// Asks the server whose turn it is once more.
    fn ask_again(&mut self, now: Time) -> Option<QueryAttempt> {
        let (at, until) = self.turn?;
        let state = &mut self.states[at];
        if now >= until
            || state.out.is_some()
            || state.doubtful
            || state.over == QueryTransport::Tcp
            || state.asked.is_none()
        {
            return None;
        }
        state.times += 1;
        state.again_after = state.again_after.saturating_mul(2).min(self.wait.max(state.again_after));
        self.next_at = (now + state.again_after).min(until);
        Some(QueryAttempt { server: state.server, over: state.over, repeated: true, plain: state.plain })
    }

    fn time_is_up_for_nonsense(&mut self) {
        let unasked = self.states.iter().any(|state| state.asked.is_none() && state.out.is_none());
        for state in self.states.iter_mut().filter(|state| state.doubtful && !unasked) {
            state.out.get_or_insert(NameServerError::Nonsense);
        }
    }

    /// The next server in turn that may still help. One that is asked over TCP is not asked twice: TCP loses nothing.
    fn ask_next(&mut self, now: Time) -> QueryAction {
        for _ in 0..self.states.len() {
            let count = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
            let round = self.turns / count;
            let at = self.at;
            let state = &mut self.states[at];
            self.at = (at + 1) % count as usize;
            self.turns += 1;
            if state.out.is_some() || state.doubtful || (state.over == QueryTransport::Tcp && state.asked.is_some()) {
                continue;
            }
            let until = now + self.wait.saturating_mul(1 << round.min(16));
            self.next_at = until.min(now + state.again_after);
            let repeated = state.asked.replace(now).is_some();
            state.times += 1;
            self.turn = Some((at, until));
            return QueryAction::Ask(QueryAttempt {
                server: state.server,
                over: state.over,
                repeated,
                plain: state.plain,
            });
        }
        // All that are left have been asked and can only be waited for.
        self.next_at = now + self.wait;
        QueryAction::Wait(self.next_at.min(self.end))
    }

    /// A server was heard.
    pub(super) fn heard(&mut self, server: usize, heard: ServerEvent, now: Time) {
        let Some(state) = self.states.iter_mut().find(|state| state.server == server) else { return };
        match heard {
            ServerEvent::Answer(answer) => self.answered(server, answer, now),
            ServerEvent::Nonsense => {
                state.doubtful = true;
                if self.states.iter().any(|state| state.asked.is_none()) {
                    (self.next_at, self.turn) = (now, None);
                }
            }
            ServerEvent::Unreachable(why) if state.cut => self.out(server, NameServerError::Cut(Some(why)), now),
            ServerEvent::Unreachable(why) => self.out(server, NameServerError::Unreachable(why), now),
            ServerEvent::Cut if state.cut => self.out(server, NameServerError::Cut(None), now),
            ServerEvent::Cut => self.out(server, NameServerError::Closed, now),
            ServerEvent::Lack(lack) => {
                (state.asked, state.times, state.lacking) = (None, 0, true);
                self.lack = Some(lack);
                self.lacked(now);
            }
        }
    }

    /// The others are asked at once: what is full may be on the way to one. When none is left to ask, all wait a little.
    fn lacked(&mut self, now: Time) {
        self.turns = self.turns.saturating_sub(1);
        self.turn = None;
        if self.states.iter().any(|state| state.asked.is_none() && state.out.is_none() && !state.lacking) {
            self.next_at = now;
            return;
        }
        self.at = self.states.iter().position(|state| state.lacking && state.out.is_none()).unwrap_or_default();
        self.states.iter_mut().for_each(|state| state.lacking = false);
        self.next_at = now + LACK_WAIT.saturating_mul(1 << self.lacks.min(MAX_LACKS));
        self.lacks += 1;
        if self.lacks > MAX_LACKS && self.waited_for().next().is_none() {
            self.end = now;
        }
    }

    fn answered(&mut self, server: usize, answer: DnsAnswer, now: Time) {
        const NXDOMAIN: u16 = 3;
        self.lack = None;
        let Some(state) = self.states.iter_mut().find(|state| state.server == server) else { return };
        match answer {
            DnsAnswer { truncated: true, code: 0 | NXDOMAIN, .. } if state.over == QueryTransport::Tcp => {
                self.out(server, NameServerError::Cut(None), now);
            }
            DnsAnswer { truncated: true, code: 0 | NXDOMAIN, .. } => {
                (state.over, state.cut) = (QueryTransport::Tcp, true);
                state.times += 1;
                self.again =
                    Some(QueryAttempt { server, over: QueryTransport::Tcp, repeated: false, plain: state.plain });
            }
            answer if is_about_edns(&answer) => {
                // Else a late answer to the question with EDNS: the one without is under way.
                if !state.plain {
                    state.plain = true;
                    state.times += 1;
                    self.again = Some(QueryAttempt { server, over: state.over, repeated: false, plain: true });
                }
            }
            DnsAnswer { code: NXDOMAIN, .. } => self.done = Some(QueryAction::NoName(server)),
            DnsAnswer { code: 0, content: AnswerContent::Referral, .. } => {
                self.out(server, NameServerError::Referral, now)
            }
            DnsAnswer { code: 0, content, .. } => self.done = Some(QueryAction::Answered(server, content)),
            DnsAnswer { code, .. } => self.out(server, NameServerError::Code(code), now),
        }
    }

    /// This server is asked no more; the next one is asked at once.
    fn out(&mut self, server: usize, failure: NameServerError, now: Time) {
        if let Some(state) = self.states.iter_mut().find(|state| state.server == server) {
            state.out = Some(failure);
        }
        let mut left = self.states.iter().filter(|state| state.out.is_none()).peekable();
        if left.peek().is_none() || left.any(|state| state.asked.is_none()) {
            (self.next_at, self.turn) = (now, None);
        }
    }

    /// How long a server's answer that comes now took; `None` when it may be to any of several questions.
    pub(super) fn took(&self, server: usize, now: Time) -> Option<Duration> {
        let state = self.states.iter().find(|state| state.server == server && state.times == 1)?;
        state.asked.map(|asked| now.since(asked))
    }

    /// Servers that have been silent for longer than they are given, and since when.
    pub(super) fn overdue(&self, now: Time) -> impl Iterator<Item = (usize, Time)> {
        self.waited_for().filter(move |(_, asked)| *asked + self.wait <= now)
    }

    fn waited_for(&self) -> impl Iterator<Item = (usize, Time)> {
        let silent = self.states.iter().filter(|state| state.out.is_none() && !state.doubtful);
        silent.filter_map(|state| state.asked.map(|asked| (state.server, asked)))
    }

    /// Why nothing came of it: what each server that was asked did, and what this machine lacked.
    pub(super) fn failures(&self) -> (Vec<(usize, NameServerError)>, Option<&ResourceShortage>) {
        let asked = self.states.iter().filter(|state| state.asked.is_some() || state.out.is_some());
        let failure = |state: &ServerState| match &state.out {
            Some(failure) => failure.clone(),
            None if state.doubtful => NameServerError::Nonsense,
            None => NameServerError::Silent,
        };
        (asked.map(|state| (state.server, failure(state))).collect(), self.lack.as_ref())
    }
}

/// Whether an answer may be about the question's EDNS, and not about its name: the refusals that RFC 6891 §7 has for it, and any answer
/// without an address from a server that shows none itself. Some that don't know it say SERVFAIL, REFUSED, NXDOMAIN or nothing; glibc
/// asks without it.
const fn is_about_edns(answer: &DnsAnswer) -> bool {
    const FORMERR: u16 = 1;
    const NOTIMP: u16 = 4;
    const BADVERS: u16 = 16;
    if !answer.to_edns {
        return false;
    }
    match answer.code {
        FORMERR | NOTIMP | BADVERS => true,
        0 => {
            !answer.edns
                && matches!(answer.content, AnswerContent::Nothing { dangling: false } | AnswerContent::Referral)
        }
        _ => !answer.edns,
    }
}

#[cfg(test)]
mod tests {
    use super::super::families::AddressSet;
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn schedule(servers: usize) -> QuerySchedule {
        let order: Vec<usize> = (0..servers).collect();
        QuerySchedule::new(&order, QueryTransport::Udp, Duration::from_secs(1), None, at(20_000))
    }

    fn answer(code: u16, content: AnswerContent) -> ServerEvent {
        ServerEvent::Answer(DnsAnswer { truncated: false, code, edns: true, to_edns: true, content })
    }

    fn code(code: u16) -> ServerEvent {
        answer(code, AnswerContent::Nothing { dangling: false })
    }

    fn truncated() -> ServerEvent {
        let content = AnswerContent::Nothing { dangling: false };
        ServerEvent::Answer(DnsAnswer { truncated: true, code: 0, edns: true, to_edns: true, content })
    }

    fn addresses() -> AnswerContent {
        AnswerContent::Addresses(AddressSet { addresses: vec!["10.0.0.1".parse().unwrap()], ttl: Duration::ZERO })
    }

    fn ask(server: usize, repeated: bool) -> QueryAction {
        QueryAction::Ask(QueryAttempt { server, over: QueryTransport::Udp, repeated, plain: false })
    }

    #[test]
    fn a_silent_server_is_asked_again_and_listened_to_until_the_end() {
        let mut schedule = schedule(1);
        assert_eq!(schedule.next(at(0)), ask(0, false));
        for (asked, next) in [(1000, 3000), (3000, 7000), (7000, 15_000), (15_000, 20_000)] {
            assert_eq!(schedule.next(at(asked - 1)), QueryAction::Wait(at(asked)));
            assert_eq!(schedule.next(at(asked)), ask(0, true));
            assert_eq!(schedule.next(at(asked)), QueryAction::Wait(at(next)));
        }
        schedule.heard(0, answer(0, addresses()), at(19_000));
        assert_eq!(schedule.next(at(19_000)), QueryAction::Answered(0, addresses()));
    }

    #[test]
    fn who_usually_answers_sooner_is_asked_again_before_the_next_one() {
        let mut schedule = schedule(2);
        schedule.learn(|server| (server == 0).then_some(Duration::from_millis(200)));
        assert_eq!(schedule.next(at(0)), ask(0, false));
        assert_eq!(schedule.took(0, at(30)), Some(Duration::from_millis(30)));
        for (wait, expected) in [(200, ask(0, true)), (600, ask(0, true)), (1000, ask(1, false)), (2000, ask(0, true))]
        {
            assert_eq!(schedule.next(at(wait - 1)), QueryAction::Wait(at(wait)));
            assert_eq!(schedule.next(at(wait)), expected);
        }
        assert_eq!(schedule.took(0, at(2001)), None, "nobody knows to which question");
        // Its interval goes on doubling.
        assert_eq!(schedule.next(at(2001)), QueryAction::Wait(at(2800)));
    }

    #[test]
    fn what_is_learnt_of_a_server_holds_for_questions_under_way() {
        let mut schedule = schedule(1);
        assert_eq!(schedule.next(at(0)), ask(0, false));
        schedule.learn(|_| None);
        assert_eq!(schedule.next(at(0)), QueryAction::Wait(at(1000)));
        schedule.learn(|_| Some(Duration::from_millis(200)));
        schedule.learn(|_| Some(Duration::from_millis(900)));
        assert_eq!(schedule.next(at(1000)), ask(0, true));
        assert_eq!(schedule.next(at(1000)), QueryAction::Wait(at(1200)));
    }

    #[test]
    fn time_and_rounds_are_bounded() {
        let mut long = QuerySchedule::new(&[0], QueryTransport::Udp, Duration::from_secs(1), Some(2), at(60_000));
        assert_eq!(long.next(at(0)), ask(0, false));
        assert_eq!(long.next(at(1000)), ask(0, true));
        assert_eq!(long.next(at(3000)), QueryAction::Wait(at(60_000)));
        assert_eq!(long.next(at(60_000)), QueryAction::GiveUp);
        assert_eq!(long.failures(), (vec![(0, NameServerError::Silent)], None));
        assert_eq!(
            QuerySchedule::new(&[], QueryTransport::Udp, Duration::ZERO, None, at(1)).next(at(0)),
            QueryAction::GiveUp
        );
    }

    #[test]
    fn the_next_server_is_asked_beside_a_silent_one_and_at_once_after_one_that_fails() {
        let mut schedule = schedule(3);
        assert_eq!(schedule.next(at(0)), ask(0, false));
        assert_eq!(schedule.next(at(1000)), ask(1, false));
        for (server, failure) in [(1, code(2)), (2, ServerEvent::Unreachable("refused".into()))] {
            schedule.heard(server, failure, at(1100));
            if server == 1 {
                assert_eq!(schedule.next(at(1100)), ask(2, false));
            }
        }
        // The first is still listened to, and asked again in its turn.
        assert_eq!(schedule.next(at(1100)), QueryAction::Wait(at(2100)));
        assert_eq!(schedule.next(at(2100)), ask(0, true));
        schedule.heard(0, code(5), at(2200));
        assert_eq!(schedule.next(at(2200)), QueryAction::GiveUp);
        let told = [NameServerError::Code(5), NameServerError::Code(2), NameServerError::Unreachable("refused".into())];
        assert_eq!(schedule.failures().0, (0..).zip(told).collect::<Vec<_>>());
    }

    #[test]
    fn no_is_an_answer() {
        for (heard, expected) in [
            (code(3), QueryAction::NoName(0)),
            (code(0), QueryAction::Answered(0, AnswerContent::Nothing { dangling: false })),
            (answer(0, addresses()), QueryAction::Answered(0, addresses())),
        ] {
            let mut schedule = schedule(2);
            schedule.next(at(0));
            schedule.heard(0, heard, at(1));
            assert_eq!(schedule.next(at(1)), expected);
        }
    }

    fn plain(code: u16) -> ServerEvent {
        let content = AnswerContent::Nothing { dangling: false };
        ServerEvent::Answer(DnsAnswer { truncated: false, code, edns: false, to_edns: false, content })
    }

    #[test]
    fn who_can_t_know_is_not_believed() {
        for heard in [plain(1), code(2), plain(4), code(5), code(9), code(11), answer(0, AnswerContent::Referral)] {
            let what = format!("{heard:?}");
            let mut schedule = schedule(2);
            schedule.next(at(0));
            schedule.heard(0, heard, at(1));
            assert_eq!(schedule.next(at(1)), ask(1, false), "{what}");
        }
    }

    #[test]
    fn edns_refused_is_left_out_once() {
        for refusal in [1, 4, 16] {
            let mut schedule = schedule(1);
            schedule.next(at(0));
            schedule.heard(0, code(refusal), at(1));
            assert_eq!(
                schedule.next(at(1)),
                QueryAction::Ask(QueryAttempt { server: 0, over: QueryTransport::Udp, repeated: false, plain: true })
            );
            schedule.heard(0, code(refusal), at(2));
            assert_eq!(schedule.next(at(2)), QueryAction::Wait(at(1000)), "a second answer to the first question");
            schedule.heard(0, plain(refusal), at(3));
            assert_eq!(schedule.next(at(3)), QueryAction::GiveUp);
        }
    }

    #[test]
    fn who_shows_no_edns_is_asked_without_it_before_it_is_judged() {
        let nothing = |dangling| AnswerContent::Nothing { dangling };
        let to_edns = |code, content: AnswerContent, edns| {
            ServerEvent::Answer(DnsAnswer { truncated: false, code, edns, to_edns: true, content })
        };
        for (code, content, edns, asked) in [
            (2, nothing(false), false, true),
            (3, nothing(false), false, true),
            (5, nothing(false), false, true),
            (9, nothing(false), false, true),
            (0, nothing(false), false, true),
            (0, AnswerContent::Referral, false, true),
            // It knows EDNS, or has answered.
            (2, nothing(false), true, false),
            (3, nothing(false), true, false),
            (5, nothing(false), true, false),
            (0, nothing(false), true, false),
            (0, AnswerContent::Referral, true, false),
            (0, nothing(true), false, false),
            (0, addresses(), false, false),
        ] {
            let what = format!("{code} {content:?} {edns}");
            let mut schedule = schedule(2);
            schedule.next(at(0));
            schedule.heard(0, to_edns(code, content, edns), at(1));
            let plainly =
                QueryAction::Ask(QueryAttempt { server: 0, over: QueryTransport::Udp, repeated: false, plain: true });
            assert_eq!(schedule.next(at(1)) == plainly, asked, "{what}");
        }
        // What it then says holds, and the first answer said again does not.
        let mut said = schedule(1);
        said.next(at(0));
        said.heard(0, to_edns(3, nothing(false), false), at(1));
        said.next(at(1));
        said.heard(0, to_edns(3, nothing(false), false), at(2));
        assert_eq!(said.next(at(2)), QueryAction::Wait(at(1000)));
        said.heard(0, plain(3), at(3));
        assert_eq!(said.next(at(3)), QueryAction::NoName(0));
    }

    #[test]
    fn a_cut_answer_is_asked_for_over_tcp_and_that_not_twice() {
        let mut schedule = schedule(1);
        schedule.next(at(0));
        schedule.heard(0, truncated(), at(1));
        assert_eq!(
            schedule.next(at(1)),
            QueryAction::Ask(QueryAttempt { server: 0, over: QueryTransport::Tcp, repeated: false, plain: false })
        );
        assert_eq!(schedule.next(at(1000)), QueryAction::Wait(at(2000)));
        schedule.heard(0, truncated(), at(1500));
        assert_eq!(schedule.next(at(1500)), QueryAction::GiveUp);
        assert_eq!(schedule.failures().0, [(0, NameServerError::Cut(None))]);
    }

    #[test]
    fn what_is_over_tcp_is_said_to_be() {
        let refused = || ServerEvent::Unreachable("nobody listens".into());
        for (over, heard, failure) in [
            (QueryTransport::Udp, refused(), NameServerError::Cut(Some("nobody listens".into()))),
            (QueryTransport::Udp, ServerEvent::Cut, NameServerError::Cut(None)),
            (QueryTransport::Tcp, refused(), NameServerError::Unreachable("nobody listens".into())),
            (QueryTransport::Tcp, ServerEvent::Cut, NameServerError::Closed),
        ] {
            let mut schedule = QuerySchedule::new(&[0], over, Duration::from_secs(1), None, at(20_000));
            schedule.next(at(0));
            if over == QueryTransport::Udp {
                schedule.heard(0, truncated(), at(1));
                schedule.next(at(1));
            }
            schedule.heard(0, heard, at(2));
            assert_eq!(schedule.next(at(2)), QueryAction::GiveUp);
            assert_eq!(schedule.failures().0, [(0, failure)]);
        }
    }

    #[test]
    fn nonsense_sends_to_the_next_server_and_a_better_message_is_waited_for() {
        let mut alone = schedule(1);
        alone.next(at(0));
        alone.heard(0, ServerEvent::Nonsense, at(1));
        assert_eq!(alone.next(at(1)), QueryAction::Wait(at(1000)));
        assert_eq!(alone.next(at(1000)), QueryAction::GiveUp);
        assert_eq!(alone.failures().0, [(0, NameServerError::Nonsense)]);
        let mut two = schedule(2);
        two.next(at(0));
        two.heard(0, ServerEvent::Nonsense, at(1));
        assert_eq!(two.next(at(1)), ask(1, false));
        two.heard(0, answer(0, addresses()), at(2));
        assert_eq!(two.next(at(2)), QueryAction::Answered(0, addresses()));
    }

    #[test]
    fn what_this_machine_lacks_is_tried_again_for_a_while() {
        let mut schedule = schedule(2);
        let mut now = at(0);
        for _ in 0..=MAX_LACKS {
            for server in 0..2 {
                assert_eq!(schedule.next(now), ask(server, false));
                schedule.heard(server, ServerEvent::Lack(ResourceShortage::Descriptors), now);
            }
            if let QueryAction::Wait(until) = schedule.next(now) {
                now = until;
            }
        }
        assert_eq!(schedule.next(now), QueryAction::GiveUp);
        assert_eq!(schedule.failures(), (Vec::new(), Some(&ResourceShortage::Descriptors)));
        assert!((at(2000)..at(5000)).contains(&now), "{now}");
    }

    #[test]
    fn what_is_lacking_for_one_server_keeps_nobody_from_the_others() {
        let lack = || ServerEvent::Lack(ResourceShortage::Other("no buffer space available".into()));
        let mut good = schedule(3);
        for server in 0..2 {
            assert_eq!(good.next(at(0)), ask(server, false));
            good.heard(server, lack(), at(0));
        }
        assert_eq!(good.next(at(0)), ask(2, false));
        good.heard(2, answer(0, addresses()), at(1));
        assert_eq!(good.next(at(1)), QueryAction::Answered(2, addresses()));
        // The other one is no help: the first has its chances.
        let mut bad = schedule(2);
        bad.next(at(0));
        bad.heard(0, lack(), at(0));
        assert_eq!(bad.next(at(0)), ask(1, false));
        bad.heard(1, code(5), at(1));
        assert_eq!(bad.next(at(1)), ask(0, false));
        bad.heard(0, lack(), at(1));
        assert_eq!(bad.next(at(1)), QueryAction::Wait(at(21)));
        assert_eq!(bad.next(at(21)), ask(0, false));
        // A silent one is waited for beside.
        let mut slow = schedule(2);
        slow.next(at(0));
        assert_eq!(slow.next(at(1000)), ask(1, false));
        slow.heard(1, lack(), at(1000));
        assert_eq!(slow.next(at(1000)), QueryAction::Wait(at(1020)));
        assert_eq!(slow.next(at(1020)), ask(1, false));
    }
}
