//! Runs the cases of a group, each on a thread of its own until its deadline, a few at a time.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::case::{Case, Group, Verdict};
use super::page;

/// A case that has said nothing for so long hangs. No case's own time-outs come near it.
const DEADLINE: Duration = Duration::from_secs(30);
/// Cases that run at the same time: they mostly wait.
const AT_ONCE: usize = 6;

/// A case that has been played.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) rule: &'static str,
    pub(crate) expected: Verdict,
    pub(crate) limit: Option<Verdict>,
    pub(crate) got: Verdict,
}

impl Row {
    fn is_as_told(&self) -> bool {
        self.got == self.limit.unwrap_or(self.expected)
    }
}

/// Plays the group's cases and holds its table on the page. All disagreements are told, not only the first.
pub(crate) fn check(group: Group) {
    let names: HashSet<&str> = group.cases.iter().map(|case| case.what.as_str()).collect();
    assert_eq!(names.len(), group.cases.len(), "two cases of '{}' have the same name", group.title);
    let rows = play(group.cases);
    let wrong: Vec<_> = rows
        .iter()
        .filter(|row| !row.is_as_told())
        .map(|row| format!("{}\n    expected {}\n    got      {}", row.what, row.expected, row.got))
        .collect();
    println!("{}: {} cases, {} not as expected", group.title, rows.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {} cases of '{}':\n{}", wrong.len(), rows.len(), group.title, wrong.join("\n"));
    page::hold(group.title, &rows);
}

/// The rows, in the cases' order.
fn play(cases: Vec<Case>) -> Vec<Row> {
    let waiting: Mutex<VecDeque<_>> = Mutex::new(cases.into_iter().enumerate().collect());
    let played = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no panic while it is held").pop_front();
                    let Some((number, case)) = next else { return };
                    let row = play_one(case);
                    played.lock().expect("no panic while it is held").push((number, row));
                }
            });
        }
    });
    let mut rows = played.into_inner().expect("no panic while it is held");
    rows.sort_by_key(|(number, _)| *number);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn play_one(case: Case) -> Row {
    let (sender, receiver) = channel();
    // Named for the message of a panic. A case that hangs keeps its thread: the test fails and the process ends.
    let thread = thread::Builder::new().name(case.what.clone());
    let run = case.run;
    thread.spawn(move || sender.send(run())).expect("a thread");
    let got = match receiver.recv_timeout(DEADLINE) {
        Ok(verdict) => verdict,
        Err(RecvTimeoutError::Timeout) => Verdict::Hang,
        Err(RecvTimeoutError::Disconnected) => Verdict::Panic,
    };
    Row { what: case.what, rule: case.rule, expected: case.expected, limit: case.limit, got }
}
