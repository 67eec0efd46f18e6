//! What the flags mean together: a checked, typed plan, or an error that says what to change.
//!
//! The world (terminal, files named by @) is an argument, so that this stays a function of its arguments.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use haul::config::{
    BodySettings, Config, DnsSettings, FamilyPreference, Limits, NetworkSettings, PoolSettings, RequestSettings,
    RetrySettings, Shares, Timeouts, TlsSettings,
};
use haul::save::Naming;
use haul::sink::{BodyForm, RecordFields};
use haul::source::{Input, InputSettings, basic_authorization};
use http::{HeaderMap, HeaderValue, Method, header};

use super::args::{
    Body, BodyArgs, GetArgs, InputArgs, LimitArgs, NetworkArgs, Order, OutputArgs, RequestArgs, RetryArgs, SaveAs,
    SummaryForm, TimeoutArgs, TlsArgs,
};
use super::log::LogArgs;

/// A run, as it will be done.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) inputs: Vec<Input>,
    pub(super) input_settings: InputSettings,
    pub(super) output: Output,
    pub(super) grace: Duration,
    /// Where a page that tells of the run is written.
    pub(super) report: Option<PathBuf>,
    /// Whether to show the live view.
    pub(super) tui: bool,
    /// Where the run's numbers are served.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) summary: SummaryForm,
    pub(super) quiet: bool,
    pub(super) log: LogArgs,
}

/// Where records go, and what is in them.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// `None`: standard output.
    pub(super) file: Option<PathBuf>,
    pub(super) order: Order,
    pub(super) fields: RecordFields,
    /// Where bodies are saved, and how they are named.
    pub(super) save: Option<(PathBuf, Naming)>,
}

/// What planning may look at besides the flags.
pub(super) struct World<'a> {
    pub(super) stdin_is_terminal: bool,
    /// Reads a file named by `--data @FILE` or `--limits FILE`.
    pub(super) read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

const EXAMPLE: &str = "haul get https://example.com/ or: haul get -i urls.txt";

type Planned<T> = Result<T, String>;

/// Joins and checks the flags.
///
/// # Errors
/// They contradict each other, a file they name can't be read, or there is nothing to fetch.
pub(super) fn plan(args: GetArgs, world: &World<'_>) -> Planned<Plan> {
    check(&args)?;
    let max_line = args.input.max_line;
    let body_method = args.request.method.is_none().then_some(Method::POST);
    let mut input_settings = InputSettings { body_method, ..InputSettings::default() };
    if args.limits.max_memory.is_some() {
        // A window of 8 MiB.
        input_settings.max_window_log = 23;
    }
    set(&mut input_settings.max_line, max_line.map(to_usize));
    Ok(Plan {
        inputs: inputs(args.input, world, EXAMPLE)?,
        input_settings,
        config: Config {
            limits: limits(&args.limits, world)?,
            timeouts: timeouts(&args.timeouts),
            retries: retries(&args.retries),
            request: request(args.request, world)?,
            body: bodies(&args.bodies, &args.output),
            pool: PoolSettings { reuse: !args.network.no_reuse, ..PoolSettings::default() },
            dns: names(&args.network.dns_server),
            network: network(args.network),
            tls: tls(args.tls),
            ..Config::default()
        },
        output: output(args.output),
        grace: args.run.grace.unwrap_or(Duration::from_secs(10)),
        report: args.run.report,
        tui: args.run.tui,
        metrics: args.run.metrics,
        summary: args.run.summary.unwrap_or(if args.run.quiet { SummaryForm::None } else { SummaryForm::Text }),
        quiet: args.run.quiet,
        log: args.run.log,
    })
}

/// Pairs of flags that can't both be meant, and what to do about it.
fn check(args: &GetArgs) -> Planned<()> {
    let GetArgs { output, request, network, tls, retries, run, .. } = args;
    let sends = |name| request.header.iter().any(|(sent, _)| sent == name);
    let has_authorization = request.user.is_some() || request.bearer.is_some();
    let other_address = !network.resolve.is_empty()
        || !network.connect_to.is_empty()
        || network.local_address.is_some()
        || network.ipv4
        || network.ipv6;
    let rules = [
        (network.ipv4 && network.ipv6, "--ipv4 and --ipv6 exclude each other; leave both out to use both"),
        (
            network.http1 && network.http2_prior_knowledge,
            "--http1.1 and --http2-prior-knowledge exclude each other; leave one out",
        ),
        (
            network.unix_socket.is_some() && other_address,
            "--unix-socket leaves no address to choose; leave out --resolve, --connect-to, --local-address, --ipv4 and --ipv6",
        ),
        (
            network.unix_socket.is_some() && network.public_only,
            "--unix-socket is not on the public internet, so --public-only would refuse it; leave one out",
        ),
        (!request.data.is_empty() && request.json.is_some(), "--data and --json are both bodies; give one"),
        (request.user.is_some() && request.bearer.is_some(), "--user and --bearer both authorize; give one"),
        (
            has_authorization && sends(header::AUTHORIZATION),
            "--user or --bearer and -H 'Authorization: …' both authorize; give one",
        ),
        (
            request.user_agent.is_some() && sends(header::USER_AGENT),
            "--user-agent and -H 'User-Agent: …' say the same; give one",
        ),
        (tls.key.is_some() && tls.cert.is_none(), "--key needs the certificate it belongs to; add --cert FILE"),
        (
            tls.insecure && !tls.cacert.is_empty(),
            "--insecure accepts any certificate, so --cacert would check nothing; leave one out",
        ),
        (
            retries.retry_unsafe && retries.retries == Some(0),
            "--retry-unsafe without retries does nothing; leave it out, or raise --retries",
        ),
        (
            output.save_dir.is_some() && output.body.is_some(),
            "--save-dir writes bodies to files instead of into records; leave out --body",
        ),
        (
            output.save_as.is_some() && output.save_dir.is_none(),
            "--save-as needs a directory to save into; add --save-dir DIR",
        ),
        (run.tui && run.quiet, "--tui and --quiet exclude each other; leave one out"),
        (run.tui && run.log.verbose > 0, "--verbose logs to where --tui draws; leave one out"),
        (run.quiet && run.log.verbose > 0, "--quiet and --verbose exclude each other; leave one out"),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, message)) => Err(message.to_owned()),
        None => Ok(()),
    }
}

/// What to read. `example`: a command line to show who gave nothing.
pub(super) fn inputs(args: InputArgs, world: &World<'_>, example: &str) -> Planned<Vec<Input>> {
    let stdin = Path::new("-");
    if args.inputs.iter().filter(|path| *path == stdin).count() > 1 {
        return Err("standard input can be read only once; give -i - once".to_owned());
    }
    let files = args.inputs.into_iter().map(|path| if path == stdin { Input::Stdin } else { Input::File(path) });
    let inputs: Vec<Input> = args.urls.into_iter().map(Input::Url).chain(files).collect();
    match (inputs.is_empty(), world.stdin_is_terminal) {
        (false, _) => Ok(inputs),
        (true, false) => Ok(vec![Input::Stdin]),
        (true, true) => Err(format!("nothing to fetch; give URLs, as in: {example}")),
    }
}

fn output(args: OutputArgs) -> Output {
    let body = args.body.map(|body| match body {
        Body::Text => BodyForm::Text,
        Body::Base64 => BodyForm::Base64,
    });
    let naming = match args.save_as {
        Some(SaveAs::Content) => Naming::Content,
        Some(SaveAs::Request) | None => Naming::Request,
    };
    Output {
        file: args.output.filter(|path| path != Path::new("-")),
        order: args.order.unwrap_or(Order::Completion),
        fields: RecordFields { headers: args.headers, body, digest: args.digest, saved: args.save_dir.is_some() },
        save: args.save_dir.map(|directory| (directory, naming)),
    }
}

fn request(args: RequestArgs, world: &World<'_>) -> Planned<RequestSettings> {
    let mut headers = HeaderMap::new();
    for (name, value) in args.header {
        headers.append(name, value);
    }
    if let Some(value) = args.user.as_deref().map(basic).transpose()?.or(args.bearer) {
        headers.insert(header::AUTHORIZATION, value);
    }
    if let Some(value) = args.user_agent {
        headers.insert(header::USER_AGENT, value);
    }
    let body = match (&args.json, args.data.is_empty()) {
        (Some(json), _) => {
            headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
            Some((data("--json", json, world)?, "application/json"))
        }
        (None, false) => Some((form(&args.data, world)?, "application/x-www-form-urlencoded")),
        (None, true) => None,
    };
    if let Some((_, media_type)) = body {
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
    }
    let method = args.method.unwrap_or(match body {
        Some(_) => Method::POST,
        None => Method::GET,
    });
    let defaults = RequestSettings::default();
    Ok(RequestSettings {
        method,
        headers,
        body: body.map(|(bytes, _)| Bytes::from(bytes)),
        max_redirects: args.max_redirects.unwrap_or(defaults.max_redirects),
    })
}

/// The authorization of `USER:PASSWORD`.
fn basic(text: &str) -> Planned<HeaderValue> {
    let (user, password) =
        text.split_once(':').ok_or("--user needs a password: write USER:PASSWORD, or USER: for an empty one")?;
    Ok(basic_authorization(user.as_bytes(), password.as_bytes()))
}

/// The parts of a form, joined.
fn form(parts: &[String], world: &World<'_>) -> Planned<Vec<u8>> {
    let parts: Planned<Vec<Vec<u8>>> = parts.iter().map(|part| data("--data", part, world)).collect();
    Ok(parts?.join(&b'&'))
}

/// The bytes a body flag stands for: its text, or the file it names.
pub(super) fn data(flag: &str, text: &str, world: &World<'_>) -> Planned<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(name) => (world.read)(Path::new(name)).map_err(|error| format!("can't read {flag} {text}: {error}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// The limits these flags set.
///
/// # Errors
/// The file of `--limits` can't be read or used.
pub(super) fn limits(args: &LimitArgs, world: &World<'_>) -> Planned<Limits> {
    let mut limits = args.file.as_deref().map(|path| limits_file(path, world)).transpose()?.unwrap_or_default();
    set(&mut limits.concurrency, args.concurrency);
    set(&mut limits.per_host, args.per_host);
    set(&mut limits.delay, args.delay);
    set(&mut limits.shards, args.shards);
    set(&mut limits.window, args.window.map(|count| to_usize(count.get().into())));
    limits.per_address = args.per_address.or(limits.per_address);
    limits.per_site = args.per_site.or(limits.per_site);
    limits.max_memory = args.max_memory.or(limits.max_memory);
    if limits.max_memory.is_some_and(|budget| Shares::of(budget).is_none()) {
        return Err("--max-memory is too small to fetch with; give 64M or more".to_owned());
    }
    limits.rate = args.rate.or(limits.rate);
    limits.host_rate = args.host_rate.or(limits.host_rate);
    limits.adaptive |= args.adaptive;
    if limits.has_per_address() && limits.shards > 1 {
        return Err("a limit per address needs one shard, because hosts of several shards may share an address; use \
                    --shards 1, or leave out --per-address and, in the limits file, per-address"
            .to_owned());
    }
    Ok(limits)
}

/// What the file of `--limits` says.
fn limits_file(path: &Path, world: &World<'_>) -> Planned<Limits> {
    let name = path.display().to_string();
    let bytes = (world.read)(path).map_err(|error| format!("can't read --limits {name}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8, which TOML has to be"))?;
    super::limits_file::parse(&name, &text)
}

/// What these flags say of retries and of hosts that fail.
pub(super) fn retries(args: &RetryArgs) -> RetrySettings {
    let mut retries = RetrySettings { unsafe_methods: args.retry_unsafe, ..RetrySettings::default() };
    set(&mut retries.retries, args.retries);
    set(&mut retries.dead_after, args.dead_after);
    set(&mut retries.outage, args.outage);
    set(&mut retries.retry_statuses, args.retry_on.clone().map(|statuses| statuses.0));
    set(&mut retries.hold_statuses, args.hold_on.clone().map(|statuses| statuses.0));
    set(&mut retries.retry_after_max, args.retry_after_max);
    if let Some((base, max)) = args.back_off {
        (retries.backoff_base, retries.backoff_max) = (base, max);
    }
    retries
}

/// The time-outs these flags set.
pub(super) fn timeouts(args: &TimeoutArgs) -> Timeouts {
    let mut timeouts = Timeouts::default();
    set(&mut timeouts.total, args.timeout);
    set(&mut timeouts.dns, args.dns_timeout);
    set(&mut timeouts.connect, args.connect_timeout);
    set(&mut timeouts.tls, args.tls_timeout);
    set(&mut timeouts.first_byte, args.first_byte_timeout);
    set(&mut timeouts.idle, args.idle_timeout);
    set(&mut timeouts.min_rate, args.min_rate);
    timeouts
}

/// What is done with bodies: what records need is kept. Text needs the headers too, for the charset.
fn bodies(args: &BodyArgs, output: &OutputArgs) -> BodySettings {
    let mut bodies = BodySettings {
        decode: !args.raw,
        keep: output.body.is_some(),
        keep_headers: output.headers || output.body == Some(Body::Text),
        digest: output.digest,
        ..BodySettings::default()
    };
    set(&mut bodies.max_decoded, args.max_body);
    set(&mut bodies.max_kept, args.max_body);
    set(&mut bodies.max_wire, args.max_wire);
    set(&mut bodies.max_ratio, args.max_ratio.map(Into::into));
    set(&mut bodies.max_head, args.max_head.map(to_usize));
    set(&mut bodies.max_headers, args.max_headers.map(|count| to_usize(count.get().into())));
    bodies
}

/// How names are looked up. The variables that say it to glibc say it of the machine's own name servers, not of others.
pub(super) fn names(servers: &[SocketAddr]) -> DnsSettings {
    let variable = |name: &str| {
        let value = std::env::var_os(name).filter(|_| servers.is_empty());
        value.and_then(|value| value.into_string().ok())
    };
    DnsSettings {
        servers: servers.to_vec(),
        search: variable("LOCALDOMAIN").map(|domains| search_domains(&domains)).unwrap_or_default(),
        options: variable("RES_OPTIONS").unwrap_or_default(),
        ..DnsSettings::default()
    }
}

/// The domains that `LOCALDOMAIN` names. One that is set and empty names the root: nothing is added to a name.
fn search_domains(value: &str) -> Vec<String> {
    let domains: Vec<_> = value.split_ascii_whitespace().map(str::to_owned).collect();
    if domains.is_empty() { vec![String::new()] } else { domains }
}

/// The network these flags ask for.
pub(super) fn network(args: NetworkArgs) -> NetworkSettings {
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => FamilyPreference::Ipv4Only,
        (_, true) => FamilyPreference::Ipv6Only,
        _ => FamilyPreference::Both,
    };
    NetworkSettings {
        family,
        public_only: args.public_only,
        local_addresses: args.local_address.into_iter().collect(),
        unix_socket: args.unix_socket,
        resolve: args.resolve,
        connect_to: args.connect_to,
        http2_prior_knowledge: args.http2_prior_knowledge,
        http1_only: args.http1,
        ..NetworkSettings::default()
    }
}

/// What these flags say of TLS.
pub(super) fn tls(args: TlsArgs) -> TlsSettings {
    TlsSettings {
        ca_files: args.cacert,
        client_certificate: args.cert,
        client_key: args.key,
        insecure: args.insecure,
        ..TlsSettings::default()
    }
}

/// Replaces a default by what was given.
fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

/// A size as this machine counts memory.
fn to_usize(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::args::{Cli, Command};

    const WORLD: World<'static> = World {
        stdin_is_terminal: true,
        read: &|path| match path.to_str() {
            Some("file") => Ok(b"from file".to_vec()),
            Some("limits") => {
                Ok(b"concurrency = 500\nper-host = 3\nadaptive = true\n[[host]]\nmatch = 'a'\nper-address = 2".to_vec())
            }
            Some("latin") => Ok(b"\xe9".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
    };

    #[test]
    fn an_empty_list_of_domains_is_a_list() {
        for (value, expected) in [("a.test b.test", &["a.test", "b.test"][..]), ("", &[""]), (" \t", &[""])] {
            assert_eq!(search_domains(value), expected, "{value:?}");
        }
    }

    fn get<'a>(words: impl Iterator<Item = &'a str>) -> GetArgs {
        match Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command {
            Command::Get(args) => *args,
            other => panic!("not get: {other:?}"),
        }
    }

    /// The plan for `haul get` with these arguments, divided by spaces.
    fn planned(arguments: &str) -> Planned<Plan> {
        let words = ["haul", "get"].into_iter().chain(arguments.split_whitespace());
        plan(get(words), &WORLD)
    }

    fn config(arguments: &str) -> Config {
        planned(&format!("http://a.example/ {arguments}")).expect("a good plan").config
    }

    /// The flags whose help names a default that can be written, with that default.
    fn defaults() -> Vec<(String, String)> {
        let command = Cli::command();
        let get = command.find_subcommand("get").expect("the subcommand");
        let flags = get.get_arguments().filter_map(|argument| {
            let help = argument.get_help()?.to_string();
            let default = help.split_once("[default: ")?.1.strip_suffix(']')?.to_owned();
            let prose = default.contains(' ') || default.contains('/');
            (!prose).then(|| (format!("--{}", argument.get_long().expect("a flag")), default))
        });
        flags.collect()
    }

    #[test]
    fn the_defaults_named_in_the_help_are_the_library_s() {
        let defaults = defaults();
        assert!(defaults.len() > 20, "{defaults:?}");
        let plain = format!("{:?}", planned("http://a.example/").expect("good"));
        for (flag, default) in defaults {
            let given = format!("{:?}", planned(&format!("http://a.example/ {flag} {default}")).expect("good"));
            assert_eq!(given, plain, "{flag} {default}");
        }
    }

    #[test]
    fn contradictions_say_what_to_change() {
        for (arguments, part) in [
            ("-4 -6", "leave both out"),
            ("--http1.1 --http2-prior-knowledge", "leave one out"),
            ("--unix-socket /run/x -4", "--unix-socket"),
            ("--unix-socket /run/x --resolve a:80:127.0.0.1", "--unix-socket"),
            ("--unix-socket /run/x --public-only", "--public-only"),
            ("-d a --json b", "give one"),
            ("-u a:b --bearer c", "give one"),
            ("-u a:b -H Authorization:x", "give one"),
            ("-A me -H User-Agent:me", "give one"),
            ("--key k.pem", "--cert"),
            ("-k --cacert ca.pem", "leave one out"),
            ("--retry-unsafe --retries 0", "--retries"),
            ("--per-address 2 --shards 2", "--shards 1"),
            ("--limits limits --shards 2", "--shards 1"),
            ("--limits nowhere", "can't read --limits nowhere"),
            ("--limits file", "file:1:6: "),
            ("--limits latin", "UTF-8"),
            ("-q -v", "leave one out"),
            ("--tui -q", "leave one out"),
            ("--tui -v", "leave one out"),
            ("-i - -i -", "only once"),
            ("-u name", "USER:PASSWORD"),
            ("-d @nowhere", "can't read --data @nowhere"),
        ] {
            let message = planned(&format!("http://a.example/ {arguments}")).expect_err(arguments);
            assert!(message.contains(part), "{arguments}: {message}");
        }
    }

    #[test]
    fn inputs_are_urls_then_files_or_a_piped_standard_input() {
        let inputs = |arguments| planned(arguments).expect(arguments).inputs;
        let url = || Input::Url("http://a.example/".into());
        assert_eq!(inputs("-i list http://a.example/ -i -"), [url(), Input::File("list".into()), Input::Stdin]);
        assert!(planned("").expect_err("nothing").contains("haul get https://example.com/"));
        let piped = World { stdin_is_terminal: false, ..WORLD };
        assert_eq!(plan(get(["haul", "get"].into_iter()), &piped).expect("a pipe").inputs, [Input::Stdin]);
    }

    #[test]
    fn data_makes_a_post_unless_told_otherwise() {
        let request = config("-d a=1 -d @file").request;
        assert_eq!((request.method, request.body.as_deref()), (Method::POST, Some(&b"a=1&from file"[..])));
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
        let request = config("--json {} -X put -H Content-Type:text/x").request;
        assert_eq!((request.method, request.body.as_deref()), (Method::PUT, Some(&b"{}"[..])));
        assert_eq!(
            (&request.headers["content-type"], &request.headers["accept"]),
            (&"text/x".parse().expect("valid"), &"application/json".parse().expect("valid"))
        );
        let lines = |arguments: &str| planned(&format!("u {arguments}")).expect("good").input_settings.body_method;
        assert_eq!((lines(""), lines("-X PUT")), (Some(Method::POST), None));
    }

    #[test]
    fn headers_and_authorization_are_joined() {
        let headers = config("-H A:1 -H a:2 -u me:x:y -A agent").request.headers;
        assert!(headers.get_all("a").iter().eq(["1", "2"]));
        assert_eq!(
            (&headers["authorization"], &headers["user-agent"]),
            (&basic_authorization(b"me", b"x:y"), &"agent".parse().expect("valid"))
        );
        assert_eq!(config("--bearer t").request.headers["authorization"], "Bearer t");
    }

    #[test]
    fn each_setting_arrives() {
        let limits = config("-c 7 --per-host 3 --per-address 2 --per-site 4 --rate 60/m --host-rate 2 --delay 1s --adaptive --shards 1 --window 9").limits;
        assert_eq!((limits.concurrency.get(), limits.per_host.get(), limits.window, limits.shards), (7, 3, 9, 1));
        assert_eq!((limits.per_address.map(Into::into), limits.per_site.map(Into::into)), (Some(2u32), Some(4u32)));
        assert_eq!(
            (limits.rate.expect("given").per_second(), limits.host_rate.expect("given").per_second()),
            (1.0, 2.0)
        );
        assert_eq!((limits.delay, limits.adaptive), (Duration::from_secs(1), true));

        let timeouts = config("--timeout 1 --dns-timeout 2 --connect-timeout 3 --tls-timeout 4 --first-byte-timeout 5 --idle-timeout 6 --min-rate 7k").timeouts;
        let seconds =
            [timeouts.total, timeouts.dns, timeouts.connect, timeouts.tls, timeouts.first_byte, timeouts.idle];
        assert_eq!(seconds.map(|time| time.as_secs()), [1, 2, 3, 4, 5, 6]);
        assert_eq!(timeouts.min_rate, 7000);

        let body = config("--raw --max-body 1 --max-wire 2 --max-ratio 3 --max-head 4 --max-headers 5").body;
        let caps = (body.max_decoded, body.max_wire, body.max_ratio, body.max_head, body.max_headers);
        assert_eq!((caps, body.decode, body.keep, body.keep_headers), ((1, 2, 3, 4, 5), false, false, false));

        let retries = config("--retries 9 --retry-unsafe --dead-after 0 --max-redirects 3");
        let numbers = (retries.retries.retries, retries.retries.dead_after, retries.request.max_redirects);
        assert_eq!((numbers, retries.retries.unsafe_methods), ((9, 0, 3), true));

        let tls = config("--cacert a --cacert b --cert c --key d").tls;
        assert_eq!(
            (tls.ca_files.len(), tls.client_certificate, tls.client_key),
            (2, Some("c".into()), Some("d".into()))
        );
        assert!(config("-k").tls.insecure);
    }

    #[test]
    fn flags_win_over_the_limits_file() {
        let limits = config("--limits limits -c 7 --rate 9").limits;
        assert_eq!((limits.concurrency.get(), limits.per_host.get(), limits.adaptive), (7, 3, true));
        assert_eq!((limits.rate.map(haul::config::Rate::per_second), limits.rules.len()), (Some(9.0), 1));
    }

    #[test]
    fn network_settings_arrive() {
        let all = config(
            "--resolve a:80:127.0.0.1 --connect-to ::b:1 --dns-server 127.0.0.1 -6 --local-address ::1 --http1.1 --no-reuse",
        );
        let network = all.network;
        assert_eq!((network.resolve.len(), network.connect_to.len(), all.dns.servers.len()), (1, 1, 1));
        assert_eq!((network.family, network.local_addresses.len()), (FamilyPreference::Ipv6Only, 1));
        assert_eq!((network.http1_only, network.http2_prior_knowledge, all.pool.reuse), (true, false, false));
        let other = config("--unix-socket /run/x --http2-prior-knowledge").network;
        assert_eq!((other.unix_socket, other.http2_prior_knowledge), (Some("/run/x".into()), true));
        assert_eq!(config("-4").network.family, FamilyPreference::Ipv4Only);
        assert!(config("--public-only").network.public_only && !config("").network.public_only);
    }

    #[test]
    fn records_ask_for_what_they_need() {
        let plan = planned("u --headers --body text --digest --order input -o out --grace 3 -vv").expect("good");
        let fields = &plan.output.fields;
        assert_eq!((fields.headers, fields.body, fields.digest), (true, Some(BodyForm::Text), true));
        assert_eq!((plan.output.order, plan.output.file), (Order::Input, Some("out".into())));
        assert_eq!((plan.grace.as_secs(), plan.log.verbose, plan.quiet), (3, 2, false));
        let summary = |arguments: &str| planned(&format!("u {arguments}")).expect("good").summary;
        assert_eq!((summary(""), summary("-q")), (SummaryForm::Text, SummaryForm::None));
        assert_eq!(summary("-q --summary json"), SummaryForm::Json);
        let kept = |arguments| {
            (config(arguments).body.keep, config(arguments).body.keep_headers, config(arguments).body.digest)
        };
        assert_eq!(kept("--body text"), (true, true, false));
        assert_eq!(kept("--body base64 --digest"), (true, false, true));
        assert_eq!(kept("--headers"), (false, true, false));
    }

    #[test]
    fn clap_finds_no_fault_with_the_flags() {
        Cli::command().debug_assert();
    }
}
