//! The client as a `tower` service, so that the middleware of that ecosystem stacks on it.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use tower_service::Service;

use super::{Body, Client, Error, Request};
use crate::model::{Failure, FailureKind, Phase};

/// Requests and responses of the `http` crate. The service is always ready: the client's limits hold requests back, not
/// its callers. A request's body is read into memory before it is sent, so that it can be sent again.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/status/204");
/// # futures::executor::block_on(async {
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
///
/// let client = ServiceBuilder::new().concurrency_limit(10).service(haul::Client::new()?);
/// let request = http::Request::get(&url).body(Empty::<bytes::Bytes>::new())?;
/// assert_eq!(client.oneshot(request).await?.status(), 204);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<B> Service<http::Request<B>> for Client
where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => return Err(unreadable(&parts, error.into().as_ref())),
            };
            let request = Request::from(http::Request::from_parts(parts, body));
            client.execute(request).await.map(Into::into)
        })
    }
}

fn unreadable(parts: &http::request::Parts, error: &dyn StdError) -> Error {
    let message = format!("the request's body can't be read: {error}");
    Error::new(Failure::new(Phase::Send, FailureKind::Io, message), super::shown(&parts.uri.to_string()), 0)
}
