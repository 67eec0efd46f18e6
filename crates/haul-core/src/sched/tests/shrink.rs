//! Cuts a failing plan down to the lines it takes to fail: leaves out whole hosts first, then ever smaller runs of lines.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use super::ops::Plan;
use super::sim::{Run, Sim};

/// Plans tried while one is cut down. Most need a few hundred.
const MOST_TRIES: usize = 3_000;

/// What a plan failed of, without the numbers, so that a smaller plan is only taken if it fails of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint(String);

/// Plays a plan; an error is the message of the invariant that broke.
pub(super) fn play(plan: &Plan) -> Result<Run, String> {
    panic::catch_unwind(AssertUnwindSafe(|| Sim::new(plan).run())).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

impl Complaint {
    fn of(message: &str) -> Self {
        let words = message.lines().next().unwrap_or_default().chars();
        Self(words.filter(|letter| !letter.is_ascii_digit()).take(60).collect())
    }
}

/// A failing plan, cut down.
pub(super) struct Smallest {
    pub(super) lines: Vec<String>,
    pub(super) tries: usize,
    /// What it fails of.
    pub(super) message: String,
}

/// Cuts `plan`, which failed with `message`, down. Nothing of the tries is printed.
pub(super) fn shrink(plan: &Plan, message: String) -> Smallest {
    let mut smallest = Smallest { lines: plan.lines(), tries: 0, message };
    std::thread::scope(|scope| {
        let quiet = std::thread::Builder::new().name(QUIET.into());
        let shrinking = quiet.spawn_scoped(scope, || silently(|| smallest.shrink()));
        shrinking.expect("a thread").join().expect("what fails is caught");
    });
    smallest
}

const QUIET: &str = "shrinking";

/// Without the messages of what fails on this thread, which is named for it.
fn silently(work: impl FnOnce()) {
    let said = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some(QUIET) {
            said(info);
        }
    }));
    work();
    drop(panic::take_hook());
}

impl Smallest {
    fn shrink(&mut self) {
        let mut bundles = BTreeMap::<Option<usize>, Vec<String>>::new();
        for line in &self.lines {
            bundles.entry(host_of(line)).or_default().push(line.clone());
        }
        self.leave_out(bundles.into_values().collect());
        self.leave_out(self.lines.iter().map(|line| vec![line.clone()]).collect());
    }

    /// Leaves out as many of `parts` as can be missed.
    fn leave_out(&mut self, mut parts: Vec<Vec<String>>) {
        let complaint = Complaint::of(&self.message);
        let mut size = parts.len().div_ceil(2);
        while size > 0 {
            let (before, mut at) = (parts.len(), 0);
            while at < parts.len() && self.tries < MOST_TRIES {
                let mut fewer = parts.clone();
                fewer.drain(at..parts.len().min(at + size));
                if self.try_out(fewer.concat(), &complaint) {
                    parts = fewer;
                } else {
                    at += size;
                }
            }
            let again = size == 1 && parts.len() < before && self.tries < MOST_TRIES;
            size = if again { 1 } else { size / 2 };
        }
    }

    fn try_out(&mut self, lines: Vec<String>, complaint: &Complaint) -> bool {
        self.tries += 1;
        let plan = Plan::read(lines.iter().map(String::as_str)).expect("lines of a plan");
        let Some(message) = play(&plan).err().filter(|message| Complaint::of(message) == *complaint) else {
            return false;
        };
        (self.lines, self.message) = (lines, message);
        true
    }
}

/// The host that a line is about, if it is one.
fn host_of(line: &str) -> Option<usize> {
    let mut words = line.split_whitespace();
    if words.next()? == "host" {
        return words.next()?.parse().ok();
    }
    Plan::read([line]).ok()?.disturbances.first()?.1.host()
}
