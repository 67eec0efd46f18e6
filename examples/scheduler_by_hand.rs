//! The scheduler alone, under a driver of your own: no network, no threads, and the clock is a number.
//!
//! For those who have a fetcher already and want haul to say what it should fetch next; for experiments with limits; for
//! tests without waiting. Here every request takes 100 ms of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::time::Duration;

use haul::config::Config;
use haul::model::Time;
use haul::sched::{Action, Event, Gates, HostRules, Report, Scheduler, SchedulerSettings, Verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.limits.concurrency = 3.try_into()?;
    config.limits.per_host = 2.try_into()?;
    let settings = SchedulerSettings::from(&config);
    let quick = HostRules { gates: Gates::NONE, ..settings.host.clone() };
    let polite = HostRules { delay: Duration::from_millis(250), ..quick.clone() };

    let mut scheduler = Scheduler::new(settings, 0);
    let mut now = Time::ZERO;
    for (name, rules, jobs) in [("quick", &quick, 6), ("polite", &polite, 3)] {
        let host = scheduler.add_host(rules, now);
        for number in 0..jobs {
            scheduler.handle(Event::Arrived { host, job: format!("{name}/{number}") }, now);
        }
    }

    // Requests in flight: when they end, whose they are, when they were started.
    let mut in_flight = BinaryHeap::new();
    loop {
        while let Some(action) = scheduler.next_action(now) {
            if let Action::Start { host, job } = action {
                println!("{now}: start {job}");
                in_flight.push(Reverse((now + Duration::from_millis(100), host, now)));
            }
        }
        if scheduler.queued() == 0 && scheduler.in_flight() == 0 {
            break;
        }
        // Time goes on to whatever is next: the end of a request, or what the scheduler waits for.
        let due = scheduler.next_deadline().map_or(Time::NEVER, |(due, _)| due);
        match in_flight.peek() {
            Some(&Reverse((end, host, started))) if end <= due => {
                now = end;
                in_flight.pop();
                scheduler.handle(
                    Event::Done {
                        host,
                        report: Report { started, verdict: Verdict::Fine, attempt: 1, failing_since: None },
                    },
                    now,
                );
            }
            _ => now = due,
        }
    }
    println!("done at {now}");
    Ok(())
}
