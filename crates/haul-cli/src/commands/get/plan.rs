//! What the flags mean together: a checked, typed plan, or an error that says what to change.
//!
//! The world (terminal, files named by @) is an argument, so that this stays a function of its arguments.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use haul::config::{BodySettings, Config, PoolSettings, RequestSettings};
use haul::save::Naming;
use haul::sink::{BodyForm, RecordFields};
use haul::source::{Input, InputSettings, basic_authorization};
use http::{HeaderMap, HeaderValue, Method, header};

use crate::shared::flags::{PlanResult, World, checked, data, names, set, to_usize};
use crate::shared::log::LogArgs;
use crate::shared::setting_names::flag;

use super::args::{BodyArgs, BodyEncoding, GetArgs, OutputArgs, RecordOrder, RequestArgs, SaveAs, SummaryForm};

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
    pub(super) order: RecordOrder,
    pub(super) fields: RecordFields,
    /// Where bodies are saved, and how they are named.
    pub(super) save: Option<(PathBuf, Naming)>,
}

const EXAMPLE: &str = "haul get https://example.com/ or: haul get -i urls.txt";

/// Joins and checks the flags.
///
/// # Errors
/// They contradict each other, a file they name can't be read, or there is nothing to fetch.
pub(super) fn plan(args: GetArgs, world: &World<'_>) -> PlanResult<Plan> {
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
        inputs: args.input.inputs(world, EXAMPLE)?,
        input_settings,
        config: checked(Config {
            limits: args.limits.settings(world)?,
            timeouts: args.timeouts.settings(),
            retries: args.retries.settings(),
            request: request(args.request, world)?,
            body: bodies(&args.bodies, &args.output),
            pool: PoolSettings { reuse: !args.network.no_reuse, ..PoolSettings::default() },
            dns: names(&args.network.dns_server),
            network: args.network.settings(),
            tls: args.tls.settings(),
            ..Config::default()
        })?,
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
fn check(args: &GetArgs) -> PlanResult<()> {
    let GetArgs { output, request, network, tls, retries, run, .. } = args;
    let sends = |name| request.header.iter().any(|(sent, _)| sent == name);
    let has_authorization = request.user.is_some() || request.bearer.is_some();
    let rules = [
        (network.ipv4 && network.ipv6, "--ipv4 and --ipv6 exclude each other; leave both out to use both"),
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

fn output(args: OutputArgs) -> Output {
    let body = args.body.map(|body| match body {
        BodyEncoding::Text => BodyForm::Text,
        BodyEncoding::Base64 => BodyForm::Base64,
    });
    let naming = match args.save_as {
        Some(SaveAs::Content) => Naming::Content,
        Some(SaveAs::Request) | None => Naming::Request,
    };
    Output {
        file: args.output.filter(|path| path != Path::new("-")),
        order: args.order.unwrap_or(RecordOrder::Completion),
        fields: RecordFields {
            headers: args.headers,
            body,
            digest: args.digest,
            saved: args.save_dir.is_some(),
            setting_names: Some(flag),
        },
        save: args.save_dir.map(|directory| (directory, naming)),
    }
}

fn request(args: RequestArgs, world: &World<'_>) -> PlanResult<RequestSettings> {
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
fn basic(text: &str) -> PlanResult<HeaderValue> {
    let (user, password) =
        text.split_once(':').ok_or("--user needs a password: write USER:PASSWORD, or USER: for an empty one")?;
    Ok(basic_authorization(user.as_bytes(), password.as_bytes()))
}

/// The parts of a form, joined.
fn form(parts: &[String], world: &World<'_>) -> PlanResult<Vec<u8>> {
    let parts: PlanResult<Vec<Vec<u8>>> = parts.iter().map(|part| data("--data", part, world)).collect();
    Ok(parts?.join(&b'&'))
}

/// What is done with bodies: what records need is kept. Text needs the headers too, for the charset.
fn bodies(args: &BodyArgs, output: &OutputArgs) -> BodySettings {
    let mut bodies = BodySettings {
        decode: !args.raw,
        keep: output.body.is_some(),
        keep_headers: output.headers || output.body == Some(BodyEncoding::Text),
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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use std::io;

    use haul::config::{FamilyPreference, Setting};

    use crate::shared::setting_names::with_flags;

    use super::*;

    #[derive(Parser)]
    #[command(name = "get")]
    struct GetCommandLine {
        #[command(flatten)]
        get: GetArgs,
    }

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

    fn get<'a>(words: impl Iterator<Item = &'a str>) -> GetArgs {
        GetCommandLine::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).get
    }

    /// The plan for `haul get` with these arguments, divided by spaces.
    fn planned(arguments: &str) -> PlanResult<Plan> {
        let words = ["get"].into_iter().chain(arguments.split_whitespace());
        plan(get(words), &WORLD)
    }

    fn config(arguments: &str) -> Config {
        planned(&format!("http://a.example/ {arguments}")).expect("a good plan").config
    }

    /// The flags whose help names a default that can be written, with that default.
    fn defaults() -> Vec<(String, String)> {
        let get = GetCommandLine::command();
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
            ("--http1.1 --http2-prior-knowledge", "--http1.1 and --http2-prior-knowledge exclude"),
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
            ("--per-address 2 --shards 2", "set --shards to 1"),
            ("--max-memory 1M", "--max-memory is too small"),
            ("--limits limits --shards 2", "set --shards to 1"),
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
    fn every_setting_that_a_message_names_is_a_flag() {
        let get = GetCommandLine::command();
        let flags: Vec<_> = get.get_arguments().filter_map(|argument| argument.get_long()).collect();
        for setting in Setting::ALL {
            let (name, message) = (flag(*setting), format!("raise `{setting}`"));
            assert_eq!(with_flags(&message), format!("raise {name}"));
            for flag in name.split('/') {
                let flag = flag.split(' ').next().and_then(|flag| flag.strip_prefix("--"));
                assert!(flag.is_some_and(|flag| flags.contains(&flag)), "{setting}: {name}");
            }
        }
    }

    #[test]
    fn inputs_are_urls_then_files_or_a_piped_standard_input() {
        let inputs = |arguments| planned(arguments).expect(arguments).inputs;
        let url = || Input::Url("http://a.example/".into());
        assert_eq!(inputs("-i list http://a.example/ -i -"), [url(), Input::File("list".into()), Input::Stdin]);
        assert!(planned("").expect_err("nothing").contains("haul get https://example.com/"));
        let piped = World { stdin_is_terminal: false, ..WORLD };
        assert_eq!(plan(get(["get"].into_iter()), &piped).expect("a pipe").inputs, [Input::Stdin]);
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
        assert_eq!((network.family, network.egress[0].local_address), (FamilyPreference::Ipv6Only, "::1".parse().ok()));
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
        assert_eq!((plan.output.order, plan.output.file), (RecordOrder::Input, Some("out".into())));
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
}
