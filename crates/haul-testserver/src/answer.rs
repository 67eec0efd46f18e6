//! One request's answer: who is asked, what for, and what becomes of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::header::{CONTENT_LENGTH, HOST, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::ask::{self, Ask, Extras};
use super::bucket::RateLimit;
use super::flight::Flight;
use super::manner::Deed;
use super::params::BadUrl;
use super::payload::{Cut, Payload};
use super::receive::{ReceivedBody, receive};
use super::reply::{self, Reply};
use super::server_state::TestServerState;
use super::socket::ResetFlag;
use super::virtual_host::VirtualHost;

/// One connection, as its answers see it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) shared: Arc<TestServerState>,
    /// Counted from 1 over both ports.
    pub(super) number: u64,
    pub(super) tls: bool,
    pub(super) reset: ResetFlag,
    /// The thread's chance.
    pub(super) dice: Rc<RefCell<Rng>>,
    /// The host that was asked last: most connections ask for only one.
    pub(super) last: RefCell<Option<Arc<VirtualHost>>>,
}

impl Peer {
    fn site(&self, name: &str) -> Arc<VirtualHost> {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some(site) if site.name.eq_ignore_ascii_case(name) => Arc::clone(site),
            _ => Arc::clone(last.insert(self.shared.sites.of(name))),
        }
    }

    /// Ends this answer with a reset: of the stream, or of the connection where it carries only one or `whole` is set.
    pub(super) fn cut(&self, version: Version, whole: bool) -> Cut {
        if whole || version < Version::HTTP_2 {
            self.reset.set();
        }
        Cut
    }
}

/// Answers `request`, or fails when it is to be cut off.
pub(super) async fn answer(peer: Rc<Peer>, request: Request<Incoming>) -> Result<Response<Payload>, Cut> {
    let (head, body) = request.into_parts();
    let class = ask::class(head.uri.path());
    let flight = Flight::begin(&peer.shared, peer.site(host(&head)), class);
    let mut reply = match ask_of(&head, class) {
        Err((status, why)) => reply::text(status, why),
        Ok((ask, extras)) => decide(&peer, &flight.site, &head, body, ask, extras).await?,
    };
    reply.body_mut().carry(flight);
    Ok(without_body_where_there_is_none(reply, &head.method))
}

/// What is asked for, or why it can't be served.
fn ask_of(head: &Parts, class: Option<usize>) -> Result<(Ask, Extras), (StatusCode, String)> {
    let path = head.uri.path();
    if head.method == Method::CONNECT {
        return Err((StatusCode::NOT_IMPLEMENTED, "this is no proxy: CONNECT is not served\n".to_owned()));
    }
    if class.is_none() {
        return Err((StatusCode::NOT_FOUND, format!("there is no path '{path}'; / lists them all\n")));
    }
    ask::ask(path, head.uri.query().unwrap_or_default())
        .map_err(|BadUrl(why)| (StatusCode::BAD_REQUEST, format!("{why}\n")))
}

/// The host's manner first, then what the query adds, then what the path asks for.
async fn decide(
    peer: &Peer,
    site: &VirtualHost,
    head: &Parts,
    body: Incoming,
    ask: Ask,
    extras: Extras,
) -> Result<Reply, Cut> {
    let received = match receive(body, matches!(ask, Ask::Echo)).await? {
        ReceivedBody::All(body) => body,
        ReceivedBody::TooMuch(most) => return Ok(reply::too_large(most)),
    };
    if let Some(refused) = manners(peer, site, head.version).await? {
        return Ok(refused);
    }
    pause(extras.delay).await;
    let mut reply = match ask {
        Ask::Reset(reset) => reply::reset(peer, head.version, reset)?,
        Ask::Limited(limit) => refusal(peer, site, limit).unwrap_or_else(|| reply::ok("within the limit\n")),
        Ask::Delay(time) => {
            pause(time).await;
            reply::ok("waited\n")
        }
        Ask::Flaky(times) => reply::flaky(site, times, &head.uri),
        Ask::Echo => reply::echo(peer, site, head, &received),
        Ask::Headers => reply::headers(head),
        ask => reply::stored(&peer.shared.shelf, ask).await,
    };
    if let Some(status) = extras.status {
        *reply.status_mut() = status;
    }
    for (name, value) in extras.headers {
        reply.headers_mut().append(name, value);
    }
    Ok(reply)
}

/// What the host does whatever the path: nothing, a wait, a refusal or a reset.
async fn manners(peer: &Peer, site: &VirtualHost, version: Version) -> Result<Option<Reply>, Cut> {
    let deed = site.manner.deed(&mut peer.dice.borrow_mut());
    match deed {
        Deed::Serve => {}
        Deed::ServeAfter(time) => pause(time).await,
        Deed::Refuse(status) => return Ok(Some(reply::text(status, "this host fails now and then\n"))),
        Deed::Reset => return Err(peer.cut(version, false)),
    }
    Ok(site.manner.limit().and_then(|limit| refusal(peer, site, limit)))
}

/// The 429 of a request beyond `limit`.
fn refusal(peer: &Peer, site: &VirtualHost, limit: RateLimit) -> Option<Reply> {
    let wait = site.take(limit, peer.shared.clock.now()).err()?;
    let mut refused = reply::text(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
    // Whole seconds, and never 0: that would invite the next request at once.
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
    Some(refused)
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// The host that is asked, without a port.
fn host(head: &Parts) -> &str {
    let authority = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    match (authority.strip_prefix('['), authority.split_once(':')) {
        (Some(address), _) => address.split(']').next().unwrap_or_default(),
        (None, Some((name, _))) => name,
        (None, None) => authority,
    }
}

/// Takes the body away where the method or the status allows none. After HEAD, its length is told.
fn without_body_where_there_is_none(mut reply: Reply, method: &Method) -> Reply {
    if matches!(reply.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        *reply.body_mut() = Payload::EMPTY;
    }
    if method == Method::HEAD {
        if let Some(length) = reply.body().size_hint().exact() {
            reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        *reply.body_mut() = Payload::EMPTY;
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_told_without_its_port() {
        let head = |uri: &str, host: &str| {
            let request = Request::builder().uri(uri).header(HOST, host).body(()).expect("valid");
            request.into_parts().0
        };
        assert_eq!(host(&head("/", "a.test:80")), "a.test");
        assert_eq!(host(&head("/", "a.test")), "a.test");
        assert_eq!(host(&head("/", "[::1]:80")), "::1");
        assert_eq!(host(&head("http://b.test:1/", "a.test")), "b.test");
        assert_eq!(host(&head("/", "")), "");
    }
}
