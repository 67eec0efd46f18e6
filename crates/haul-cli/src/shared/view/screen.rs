//! The terminal: taken, drawn on some times a second, listened to, and given back however the process ends.
//!
//! Invariant: whoever ends the process early calls [`restore`] first; it does nothing where nothing was taken.

use std::io::{self, Stderr};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGINT, SIGQUIT};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, raise};

use super::Scene;
use super::draw::draw;
use super::keys::{self, KeyAction, LimitKind, LimitStep};
use super::model::Model;
use crate::shared::{console, times};

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
pub(crate) fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // There is nothing to be done if it fails, and nobody to tell.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        console::release();
    }
}

/// Shows one run after the other until no more can come.
pub(super) fn show(scenes: &Receiver<Scene>) {
    let Some(scene) = first(scenes) else { return };
    let model = Model::new(scene.which.clone(), scene.handle.progress(), scene.handle.limits());
    let shown = take().and_then(|terminal| Screen { terminal, model, scene }.run(scenes));
    restore();
    if let Err(error) = shown {
        console::tell(&format!("haul: can't draw on this terminal: {error}; going on without"));
    }
}

/// The first run that takes long enough to be worth a screen.
fn first(scenes: &Receiver<Scene>) -> Option<Scene> {
    let mut scene = scenes.recv().ok()?;
    loop {
        match scenes.recv_timeout(PATIENCE) {
            Ok(next) => scene = next,
            Err(RecvTimeoutError::Timeout) => return Some(scene),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Takes the terminal, and sees to it that a panic or a signal gives it back. (Those that ask for an end end the run in good
/// order, and the view with it.)
fn take() -> io::Result<Terminal<CrosstermBackend<Stderr>>> {
    let mut signals = Signals::new([SIGQUIT])?;
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
    scene: Scene,
}

impl Screen {
    fn run(mut self, scenes: &Receiver<Scene>) -> io::Result<()> {
        while TAKEN.load(Ordering::SeqCst) {
            self.look();
            let model = &self.model;
            self.terminal.draw(|frame| draw(model, frame))?;
            self.listen()?;
            match scenes.try_recv() {
                Ok(next) => self.change(next),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => break,
            }
        }
        Ok(())
    }

    /// Another run is under way.
    fn change(&mut self, next: Scene) {
        self.model.begin(next.which.clone(), next.handle.progress(), next.handle.limits());
        self.scene = next;
    }

    fn look(&mut self) {
        let Scene { handle, feed, .. } = &self.scene;
        self.model.note(handle.progress(), handle.limits(), handle.estimate());
        if self.model.is_due() {
            let taken = feed.lock().take(HOSTS);
            self.model.add(taken);
        }
        self.model.message = console::last_held();
    }

    /// Waits for the next picture's time or a key, and does what the keys say.
    fn listen(&mut self) -> io::Result<()> {
        let mut wait = FRAME;
        for _ in 0..EVENTS {
            if !event::poll(wait)? {
                break;
            }
            if let Event::Key(key) = event::read()?
                && let Some(wish) = keys::wish(&key)
            {
                self.fulfil(wish)?;
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn fulfil(&mut self, wish: KeyAction) -> io::Result<()> {
        match wish {
            KeyAction::Help => self.model.help = !self.model.help,
            KeyAction::Pause => self.pause(),
            KeyAction::Limit(limit, step) => self.set(limit, step),
            KeyAction::Stop => raise(SIGINT)?,
        }
        Ok(())
    }

    fn pause(&mut self) {
        let handle = &self.scene.handle;
        self.model.paused = !self.model.paused;
        if self.model.paused {
            handle.pause();
        } else {
            handle.resume();
        }
        self.tell(if self.model.paused { "paused" } else { "going on" });
    }

    fn set(&mut self, limit: LimitKind, step: LimitStep) {
        let handle = &self.scene.handle;
        let before = handle.limits();
        let after = keys::change(before, limit, step);
        handle.set_limits(after);
        let (name, before, after) = match limit {
            LimitKind::All => ("in flight", before.concurrency, after.concurrency),
            LimitKind::PerHost => ("per host", before.per_host, after.per_host),
        };
        self.tell(&format!("{before} → {after} {name}"));
    }

    /// What was done is told now, and remains on the terminal after the view.
    fn tell(&self, what: &str) {
        console::tell(&format!("haul: at {}: {what}", times::clock(self.scene.handle.progress().elapsed)));
    }
}
