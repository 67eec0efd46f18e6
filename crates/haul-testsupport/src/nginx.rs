//! nginx with a site of our own: HTTP/1.1, HTTP/2 and TLS, compression, limits, slow answers.

use std::fs;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::read::GzEncoder;

use crate::certs::Authority;
use crate::server::{Server, free_port};

/// `/connection` tells which connection a request came on, and as which of its requests. `/limited/` answers five
/// requests a second and 429 with `Retry-After: 1` beyond that. `/counted` is logged: [`Nginx::counted`]. `/slow/` sends 2 KiB at once and then 2 KiB a second.
const CONFIG: &str = r#"
daemon off;
# One process, so that ending it ends all of it.
master_process off;
pid {directory}/pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
    access_log off;
    log_format counted "$connection $server_protocol";
    client_body_temp_path {directory}/client;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type text/plain;
    keepalive_requests {keepalive_requests};
    keepalive_timeout {keepalive_timeout};
    limit_req_zone $server_port zone=five:64k rate=5r/s;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_session_cache shared:sessions:1m;
    ssl_client_certificate {authority};
    ssl_verify_client optional;
    server {
        {listen}
        listen 127.0.0.1:{tls} ssl http2;
        listen 127.0.0.1:{tls_h1} ssl;
        listen unix:{files}/socket;
        root {files};
        location /connection { return 200 "$connection $connection_requests"; }
        location /counted { access_log {files}/counted.log counted; return 200 counted; }
        location /request { return 200 "$request_method $http_host $server_addr"; }
        location /length { return 200 "$request_method <$http_content_length>"; }
        location /kept/ { return 307 /length; }
        location /authorization { return 200 "<$http_authorization><$http_cookie>"; }
        location /session { keepalive_timeout 0; return 200 "$ssl_session_reused"; }
        location /client { return 200 "$ssl_client_verify"; }
        location /headers {
            add_header X-B 1;
            add_header X-A 2;
            add_header X-B 3;
            add_header Set-Cookie a=1;
            add_header Set-Cookie b=2;
            return 200 ok;
        }
        location /gzipped/ { alias {files}/; gzip on; gzip_types *; }
        location /zstd/ { alias {files}/coded/; add_header Content-Encoding zstd; }
        location /precoded/ { alias {files}/coded/; add_header Content-Encoding gzip; }
        location /slow/ { alias {files}/; limit_rate 2k; }
        location /limited/ {
            alias {files}/;
            limit_req zone=five;
            limit_req_status 429;
            error_page 429 = @limited;
        }
        location @limited { add_header Retry-After 1 always; return 429; }
        location /later { add_header Retry-After 1 always; return 503; }
        location /to { return 302 $arg_url; }
        location /loop/a { return 302 /loop/b; }
        location /loop/b { return 302 /loop/a; }
    }
}
"#;

/// What differs from test to test.
pub struct Setup {
    /// Requests after which it closes a connection.
    pub keepalive_requests: u32,
    /// Seconds after which it closes an idle connection.
    pub keepalive_timeout: u32,
    /// How many addresses it listens on: 127.0.0.1, 127.0.0.2, …
    pub addresses: u8,
}

impl Default for Setup {
    fn default() -> Self {
        Self { keepalive_requests: 1000, keepalive_timeout: 60, addresses: 1 }
    }
}

/// A running nginx.
pub struct Nginx {
    server: Server,
    /// The port that speaks TLS with HTTP/2 and HTTP/1.1.
    pub tls: u16,
    /// The port that speaks TLS with HTTP/1.1 only.
    pub tls_h1: u16,
    /// Who signed its certificate, which is for `localhost` and 127.0.0.1, and whose clients it accepts.
    pub authority: Authority,
    files: tempfile::TempDir,
}

/// The content of `/text` and of its coded forms: 100,000 bytes.
pub fn text() -> String {
    (0..10_000).map(|number| format!("{number:09}\n")).collect()
}

impl Nginx {
    /// Starts nginx; `None` when it is not installed.
    pub fn start(setup: &Setup) -> Option<Self> {
        let (tls, tls_h1) = (free_port(), free_port());
        let authority = Authority::new();
        let files = site();
        let server = Server::start("nginx", |program, directory, port| {
            let leaf = authority.issue(&["localhost", "127.0.0.1"], |_| {});
            let listen: String = (1..=setup.addresses)
                .map(|last| format!("listen {}:{port};\n", Ipv4Addr::new(127, 0, 0, last)))
                .collect();
            let config = [
                ("directory", directory.display().to_string()),
                ("files", files.path().display().to_string()),
                ("certificate", leaf.certificate.display().to_string()),
                ("key", leaf.key.display().to_string()),
                ("authority", authority.file().display().to_string()),
                ("keepalive_requests", setup.keepalive_requests.to_string()),
                ("keepalive_timeout", setup.keepalive_timeout.to_string()),
                ("tls", tls.to_string()),
                ("tls_h1", tls_h1.to_string()),
                ("listen", listen),
            ]
            .iter()
            .fold(CONFIG.to_owned(), |config, (name, value)| config.replace(&format!("{{{name}}}"), value));
            let file = directory.join("nginx.conf");
            fs::write(&file, config).expect("the directory is ours");
            let mut command = Command::new(program);
            command.args(["-e", "stderr", "-p"]).arg(directory).arg("-c").arg(file);
            command
        })?;
        Some(Self { server, tls, tls_h1, authority, files })
    }

    /// The requests to `/counted` so far: each one's connection and protocol.
    pub fn counted(&self) -> Vec<String> {
        let log = fs::read_to_string(self.files.path().join("counted.log")).expect("nginx has made it");
        log.lines().map(str::to_owned).collect()
    }

    /// The port that speaks plain HTTP/1.1, on all its addresses.
    pub fn port(&self) -> u16 {
        self.server.address.port()
    }

    /// A plain URL.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// A plain URL on another of its addresses: 127.0.0.`last`.
    pub fn url_on(&self, last: u8, path: &str) -> String {
        format!("http://127.0.0.{last}:{}{path}", self.port())
    }

    /// A TLS URL, HTTP/2 if the client wants it.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls)
    }

    /// A TLS URL, HTTP/1.1 only.
    pub fn tls_h1_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls_h1)
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.files.path().join("socket")
    }
}

fn site() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, content: &[u8]| fs::write(directory.path().join(name), content).expect("ours");
    fs::create_dir(directory.path().join("coded")).expect("ours");
    write("small", b"small");
    write("text", text().as_bytes());
    write("6k", &text().as_bytes()[..6 << 10]);
    write("coded/text", &zstd::encode_all(text().as_bytes(), 3).expect("in memory"));
    write("coded/bomb", &gzip(io::repeat(0).take(256 << 20)));
    let whole = gzip(text().as_bytes());
    write("coded/cut", &whole[..whole.len() - 9]);
    write("coded/two", &[gzip(&b"first "[..]), gzip(&b"second"[..])].concat());
    open_to_all(directory.path());
    directory
}

fn gzip(data: impl Read) -> Vec<u8> {
    let mut coded = Vec::new();
    GzEncoder::new(data, Compression::default()).read_to_end(&mut coded).expect("in memory");
    coded
}

/// nginx may give up its rights before it reads the files.
fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("ours");
}
