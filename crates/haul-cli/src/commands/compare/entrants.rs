//! Who takes part: the modes asked for, and the Python packages if they are wanted.

use base64::Engine as _;
use haul::config::Config;
use http::{HeaderName, HeaderValue};

use super::contender::{Contender, Fetcher};
use super::drive::Task;
use super::mode::{Knobs, Mode};
use super::python::{NotRun, PythonTask, Runner, Script};
use super::report::Way;
use super::stop::Stop;

/// Everybody, in the order of the answer. `interpreter`: of Python, if its packages take part.
///
/// # Errors
/// There is no such interpreter, or the list is not for it.
pub(super) fn all(
    modes: &[Mode],
    interpreter: Option<&str>,
    task: &Task,
    stop: &Stop,
) -> Result<Vec<Contender>, String> {
    let mut all: Vec<Contender> = modes.iter().map(|mode| haul(*mode, task.knobs)).collect();
    if let Some(interpreter) = interpreter {
        all.extend(pythons(interpreter, task, stop)?);
    }
    Ok(all)
}

/// A mode of haul's.
fn haul(mode: Mode, knobs: Knobs) -> Contender {
    let by = concat!("haul ", env!("CARGO_PKG_VERSION")).to_owned();
    Contender::new(Way { name: mode.name(), about: mode.about(knobs), by }, Fetcher::Haul(mode))
}

/// The Python packages, each missing if it is.
fn pythons(interpreter: &str, task: &Task, stop: &Stop) -> Result<Vec<Contender>, String> {
    if task.list.iter().any(|target| target.overrides.is_some()) {
        return Err(
            "--python fetches plain URLs only; leave it out, or the requests with a method, headers or a body".into()
        );
    }
    let told = python_task(task)?;
    let start = |script: Script| {
        let (by, fetcher) = match Runner::start(interpreter, script, &told, stop) {
            Ok(runner) => (runner.by.clone(), Fetcher::Python(Box::new(runner))),
            Err(NotRun::Missing(why)) => (script.package().to_owned(), Fetcher::Missing(why)),
            Err(NotRun::NoInterpreter(error)) => {
                return Err(format!("can't run {interpreter}: {error}; name the interpreter with --python=FILE"));
            }
        };
        let way = Way { name: script.name(), about: script.about(told.workers), by };
        Ok(Contender::new(way, fetcher))
    };
    Script::ALL.into_iter().map(start).collect()
}

/// What the scripts are told: the same requests.
fn python_task(task: &Task) -> Result<PythonTask, String> {
    let Config { request, tls, timeouts, .. } = &task.config;
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned);
    let header = |(name, value): (&HeaderName, &HeaderValue)| Ok((name.to_string(), text(value)?));
    let headers: Result<Vec<_>, http::header::ToStrError> = request.headers.iter().map(header).collect();
    let mut headers = headers.map_err(|_| "--python sends headers of ASCII text only; leave one out".to_owned())?;
    if request.headers.keys_len() < request.headers.len() {
        return Err("--python sends each header once; leave it out, or the second header of a name".to_owned());
    }
    if !request.headers.contains_key(http::header::ACCEPT_ENCODING) {
        // haul does not ask for codings here either.
        headers.push(("accept-encoding".to_owned(), "identity".to_owned()));
    }
    Ok(PythonTask {
        urls: task.list.iter().map(|target| target.url.as_str().to_owned()).collect(),
        method: request.method.to_string(),
        headers,
        body: request.body.as_ref().map(|body| base64::engine::general_purpose::STANDARD.encode(body)),
        workers: task.knobs.workers.get(),
        timeout_s: timeouts.total.as_secs_f64(),
        ca_file: tls.ca_files.first().map(|file| file.display().to_string()),
        insecure: tls.insecure,
    })
}
