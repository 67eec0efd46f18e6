//! The live view in a real terminal, as far as tmux is one. Where there is no tmux, these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use haul_testserver::TestServer;
use haul_testsupport::stub::Stub;

/// A terminal of 80 by 24 in which commands run one after the other. It ends when dropped.
struct Terminal {
    directory: tempfile::TempDir,
}

impl Terminal {
    /// `None`: there is no tmux.
    fn start() -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("no tmux: not tested");
            return None;
        }
        Some(Self { directory: tempfile::tempdir().expect("a temporary directory") })
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.directory.path().join("socket");
        let mut command = Command::new("tmux");
        command.env("HAUL", env!("CARGO_BIN_EXE_haul")).env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        let output =
            command.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments).output().expect("tmux runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("ours");
        path
    }

    /// Runs `haul` with these arguments. Its last line tells the exit code, and whether the terminal is as it was.
    fn run(&self, arguments: &str) {
        let pid = self.pid_file();
        let script = format!(
            "before=$(stty -g)\n\
             sh -c 'echo $$ > {pid}; exec \"$HAUL\" {arguments}'\n\
             code=$?\n\
             test \"$before\" = \"$(stty -g)\" && echo \"exit $code, as before\" || echo \"exit $code, spoilt\"\n\
             exec cat",
            pid = pid.display()
        );
        let script = self.file("script", &script);
        let script = format!("sh {}", script.display());
        self.tmux(&["new-session", "-d", "-x", "80", "-y", "24", &script]);
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.path().join("pid")
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.pid_file()).expect("written before it runs");
        assert!(Command::new("kill").args([signal, pid.trim()]).status().expect("kill is there").success());
    }

    fn keys(&self, keys: &str) {
        self.tmux(&["send-keys", keys]);
    }

    /// The screen once it is as wanted.
    fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        for _ in 0..600 {
            screen = self.tmux(&["capture-pane", "-p"]);
            if wanted(&screen) {
                return screen;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the screen stayed like this:\n{screen}");
    }

    fn shows(&self, part: &str) -> String {
        self.until(|screen| screen.contains(part))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let socket = self.directory.path().join("socket");
        drop(Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output());
    }
}

/// So many URLs that take a while.
fn slow_urls(terminal: &Terminal, origin: &TestServer, count: usize) -> PathBuf {
    let urls: String = (0..count).map(|n| origin.url(&format!("/delay/100ms?n={n}")) + "\n").collect();
    terminal.file("urls", &urls)
}

fn arguments(urls: &Path, terminal: &Terminal) -> String {
    let output = terminal.directory.path().join("records");
    format!("get --tui -i {} -o {}", urls.display(), output.display())
}

#[test]
fn a_fetch_is_watched_and_steered() {
    let Some(terminal) = Terminal::start() else { return };
    let origin = TestServer::start().expect("free ports");
    let urls = slow_urls(&terminal, &origin, 20_000);
    terminal.run(&arguments(&urls, &terminal));
    // One by one: the screen may be looked at while it is being drawn.
    for part in
        ["8 of 256, 8 per host", "haul get ", "URLs/s", " status ", " failures ", " hosts by backlog ", "space pause"]
    {
        terminal.shows(part);
    }
    terminal.shows(&format!("127.0.0.1:{}", origin.addr().port()));
    terminal.keys("Space");
    terminal.until(|screen| screen.contains(" PAUSED") && screen.contains(" 0 of 256"));
    let asked = origin.stats().requests;
    terminal.keys("+");
    terminal.keys("]");
    terminal.shows("0 of 320, 9 per host");
    terminal.shows("8 → 9 per host");
    assert_eq!(origin.stats().requests, asked, "nothing is sent while paused");
    terminal.keys("Space");
    terminal.shows(" 9 of 320, 9 per host");
    terminal.keys("?");
    terminal.shows("again to end at once");
    terminal.keys("q");
    let end = terminal.shows("exit 130, as before");
    assert!(end.contains("256 → 320 in flight") && end.contains("stopped ") && !end.contains("space pause"), "{end}");
}

#[test]
fn a_load_is_shown_and_then_reported_as_without_the_view() {
    let Some(terminal) = Terminal::start() else { return };
    let origin = TestServer::start().expect("free ports");
    terminal.run(&format!("bench {} -c 7 -d 3s", origin.url("/delay/10ms")));
    let screen = terminal.shows("7 of 7, 7 per host");
    assert!(screen.starts_with("haul bench ") && !screen.contains("hosts by backlog"), "{screen}");
    let end = terminal.shows("exit 0, as before");
    assert!(end.contains("  latency ") && end.contains(" p99 ") && !end.contains("space pause"), "{end}");
}

/// Seconds of the p90 that is shown.
fn p90(screen: &str) -> Option<f64> {
    let shown = screen.split_once("p90 ")?.1.split_whitespace().next()?;
    let millis = shown.strip_suffix("ms").map(|millis| millis.parse::<f64>().map(|millis| millis / 1e3));
    millis.or_else(|| shown.strip_suffix('s').map(str::parse))?.ok()
}

#[test]
fn an_open_loop_shows_times_from_when_requests_were_due() {
    let Some(terminal) = Terminal::start() else { return };
    // It stalls from half a second on. What is due meanwhile ends with it, most of it more than half a second late; of the
    // about 300 requests of that second only four were sent before the stall's end.
    let url = Stub::that_stalls_once(100).url();
    terminal.run(&format!("bench {url} --rate 200/s -d 5s -c 4"));
    terminal.until(|screen| screen.contains("space pause") && p90(screen) > Some(0.5));
    terminal.shows("exit 0, as before");
}

#[test]
fn an_open_loop_shows_how_late_it_is() {
    let Some(terminal) = Terminal::start() else { return };
    let origin = TestServer::start().expect("free ports");
    terminal.run(&format!("bench {} --rate 100/s -c 2 -d 3s", origin.url("/delay/100ms")));
    // Two connections answer 20 of the 100 that are due in a second.
    let screen = terminal.until(|screen| screen.contains("late p50 ") && !screen.contains("waiting 0 "));
    assert!(screen.contains("due and waiting ") && screen.contains("hosts by backlog"), "{screen}");
    terminal.shows("exit 1, as before");
}

#[test]
fn a_search_is_shown_rate_by_rate() {
    let Some(terminal) = Terminal::start() else { return };
    let origin = TestServer::start().expect("free ports");
    let flags = "--find-max --p99 10s --rate 10/s --step 900ms --warm-up 0s -d 3s";
    terminal.run(&format!("bench {} {flags}", origin.url("/bytes/1")));
    terminal.shows("haul bench  trying 10/s  ");
    terminal.shows("space pause");
    // The screen remains from one rate to the next.
    terminal.until(|screen| {
        assert!(screen.contains("space pause"), "{screen}");
        screen.contains("haul bench  trying 20/s  ")
    });
    let end = terminal.shows("exit 0, as before");
    assert!(end.contains("none was too much") && !end.contains("space pause"), "{end}");
}

#[test]
fn without_the_view_there_is_a_line() {
    let Some(terminal) = Terminal::start() else { return };
    let origin = TestServer::start().expect("free ports");
    terminal.run(&format!("bench {} -c 7 -n 400 --no-tui", origin.url("/delay/20ms")));
    let screen = terminal.shows("7/7 in flight");
    assert!(!screen.contains("space pause"), "{screen}");
    terminal.shows("exit 0, as before");
}

#[test]
fn records_and_the_view_don_t_share_a_terminal() {
    let Some(terminal) = Terminal::start() else { return };
    terminal.run("get --tui http://127.0.0.1:1/");
    let end = terminal.shows("exit 2, as before");
    assert!(end.contains("add -o FILE"), "{end}");
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    for (signal, code) in [("-TERM", "130"), ("-HUP", "130"), ("-QUIT", "131")] {
        let Some(terminal) = Terminal::start() else { return };
        let origin = TestServer::start().expect("free ports");
        let urls = slow_urls(&terminal, &origin, 5000);
        terminal.run(&arguments(&urls, &terminal));
        terminal.shows("8 of 256");
        terminal.signal(signal);
        let end = terminal.shows(&format!("exit {code}, as before"));
        assert!(!end.contains("space pause"), "{end}");
    }
}

#[test]
fn the_log_goes_above_the_progress_line_and_neither_is_torn() {
    let Some(terminal) = Terminal::start() else { return };
    let origin = TestServer::start().expect("free ports");
    let urls: String = (0..60).map(|n| origin.url(&format!("/redirect/1?delay=500ms&n={n}")) + "\n").collect();
    let (urls, output) = (terminal.file("urls", &urls), terminal.directory.path().join("records"));
    terminal.run(&format!("get -vv -c 4 -i {} -o {}", urls.display(), output.display()));
    // A line of the log is longer than the screen is wide, and each begins a line of its own; the progress line is the last.
    let is_event = |line: &str| line.starts_with("20") && line.get(10..11) == Some("T");
    let screen = terminal.until(|screen| {
        let lines: Vec<&str> = screen.trim_end().lines().collect();
        let last = lines.last().copied().unwrap_or_default();
        lines.iter().filter(|line| is_event(line)).count() > 5 && last.contains("in flight")
    });
    for line in screen.lines() {
        let events = line.match_indices("Z DEBUG ").count() + line.match_indices("Z  INFO ").count();
        assert!(events == usize::from(is_event(line)), "{screen}");
    }
    assert_eq!(screen.matches("in flight").count(), 1, "{screen}");
    let end = terminal.shows("exit 0, as before");
    assert!(end.contains("60"), "{end}");
}
