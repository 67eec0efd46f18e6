//! The terminal: taken, drawn on some times a second, listened to, and given back however the process ends.
//!
//! Invariant: whoever ends the process early calls [`restore`] first; it does nothing where nothing was taken.

use std::io::{self, Stderr};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use haul::engine::Handle;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, raise};

use super::draw::draw;
use super::keys::{self, Limit, Step, Wish};
use super::model::Model;
use super::{Shared, Subject};
use crate::cli::{console, status};

/// The time between two pictures, unless a key is pressed: five a second. A key, and the end, wait no longer.
const FRAME: Duration = Duration::from_millis(200);

/// A run that is over by then is not worth a screen.
const PATIENCE: Duration = Duration::from_millis(300);

/// Events taken between two pictures, at most: a key held down, or pasted text, must not keep the picture still.
const EVENTS: usize = 64;

/// Hosts told of.
const HOSTS: usize = 10;

/// Whether the terminal is taken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back, if it is taken, and lets go of what was held back. Any thread may call it, at any time.
pub(in crate::cli) fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // There is nothing to be done if it fails, and nobody to tell.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        console::release();
    }
}

/// Shows the run of `handle` until `stopped` is closed.
pub(super) fn show(subject: Subject, handle: &Handle, feed: &Shared, stopped: &Receiver<()>) {
    if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let model = Model::new(subject, handle.progress(), handle.limits());
    let shown = take().and_then(|terminal| Screen { terminal, model }.run(handle, feed, stopped));
    restore();
    if let Err(error) = shown {
        console::tell(&format!("haul: can't draw on this terminal: {error}; going on without"));
    }
}

/// Takes the terminal, and sees to it that a panic or a signal gives it back. (SIGINT and SIGTERM end the run in good order,
/// and the view with it.)
fn take() -> io::Result<Terminal<CrosstermBackend<Stderr>>> {
    let mut signals = Signals::new([SIGHUP, SIGQUIT])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            restore();
            // What it would have done.
            let _ = emulate_default_handler(signal);
        }
    });
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        restore();
        tell(info);
    }));
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    console::hold();
    execute!(io::stderr(), EnterAlternateScreen, Hide)?;
    Terminal::new(CrosstermBackend::new(io::stderr()))
}

struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    model: Model,
}

impl Screen {
    fn run(mut self, handle: &Handle, feed: &Shared, stopped: &Receiver<()>) -> io::Result<()> {
        while TAKEN.load(Ordering::SeqCst) {
            self.look(handle, feed);
            let model = &self.model;
            self.terminal.draw(|frame| draw(model, frame))?;
            self.listen(handle)?;
            if stopped.recv_timeout(Duration::ZERO) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        Ok(())
    }

    fn look(&mut self, handle: &Handle, feed: &Shared) {
        self.model.note(handle.progress(), handle.limits(), handle.outlook());
        if self.model.is_due() {
            let taken = feed.lock().take(HOSTS);
            self.model.add(taken);
        }
        self.model.message = console::last_held();
    }

    /// Waits for the next picture's time or a key, and does what the keys say.
    fn listen(&mut self, handle: &Handle) -> io::Result<()> {
        let mut wait = FRAME;
        for _ in 0..EVENTS {
            if !event::poll(wait)? {
                break;
            }
            if let Event::Key(key) = event::read()?
                && let Some(wish) = keys::wish(&key)
            {
                self.fulfil(wish, handle)?;
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn fulfil(&mut self, wish: Wish, handle: &Handle) -> io::Result<()> {
        match wish {
            Wish::Help => self.model.help = !self.model.help,
            Wish::Pause => self.pause(handle),
            Wish::Limit(limit, step) => self.set(handle, limit, step),
            Wish::Stop => raise(SIGINT)?,
        }
        Ok(())
    }

    fn pause(&mut self, handle: &Handle) {
        self.model.paused = !self.model.paused;
        if self.model.paused {
            handle.pause();
        } else {
            handle.resume();
        }
        self.tell(handle, if self.model.paused { "paused" } else { "going on" });
    }

    fn set(&mut self, handle: &Handle, limit: Limit, step: Step) {
        let before = handle.limits();
        let after = keys::change(before, limit, step);
        handle.set_limits(after);
        let (name, before, after) = match limit {
            Limit::All => ("in flight", before.concurrency, after.concurrency),
            Limit::PerHost => ("per host", before.per_host, after.per_host),
        };
        self.tell(handle, &format!("{before} → {after} {name}"));
    }

    /// What was done is told now, and remains on the terminal after the view.
    fn tell(&self, handle: &Handle, what: &str) {
        console::tell(&format!("haul: at {}: {what}", status::clock(handle.progress().elapsed)));
    }
}
