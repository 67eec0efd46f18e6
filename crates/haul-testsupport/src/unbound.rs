//! A real name server with a zone of our own.

use std::net::SocketAddr;
use std::process::Command;

use crate::server::Server;

/// What the server knows. `broken.` is forwarded to where unbound refuses to ask (its own machine): SERVFAIL at once.
const CONFIG: &str = r#"
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    do-ip6: no
    module-config: "iterator"
    local-zone: "test." static
    local-data: "both.test. 60 A 127.0.0.2"
    local-data: "both.test. 60 AAAA ::1"
    local-data: "four.test. 60 A 127.0.0.3"
    local-data: "six.test. 60 AAAA ::1"
    local-data: "text.test. 60 TXT 'no address here'"
    local-data: "short.test. 1 A 127.0.0.4"
    local-data: "two.test. 60 A 127.0.0.2"
    local-data: "two.test. 60 A 127.0.0.3"
    local-data: "alias.test. 60 CNAME four.test."
    local-zone: "refused." refuse
    local-zone: "broken." transparent
    {large}
forward-zone:
    name: "broken."
    forward-addr: 127.0.0.1
remote-control:
    control-enable: no
"#;

/// Addresses of `large.test.`: too many for one UDP answer.
pub const LARGE: usize = 200;

/// Starts unbound; `None` when it is not installed.
pub fn start() -> Option<(Server, SocketAddr)> {
    let server = Server::start("unbound", |program, directory, port| {
        let large: Vec<String> = (0..LARGE).map(|n| format!("local-data: \"large.test. 60 A 127.1.0.{n}\"")).collect();
        let config = CONFIG
            .replace("{directory}", &directory.display().to_string())
            .replace("{port}", &port.to_string())
            .replace("{large}", &large.join("\n    "));
        let file = directory.join("unbound.conf");
        std::fs::write(&file, config).expect("the directory is ours");
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(file);
        command
    })?;
    let address = server.address;
    Some((server, address))
}
