//! An HTTP/2 origin (prior knowledge) that misbehaves to order: the path says how.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::SendStream;
use h2::server::{self, SendResponse};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// Starts it on a free loopback port; it runs until the test's process ends.
pub fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream));
            }
        });
    });
    address
}

async fn serve(stream: TcpStream) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        // An error means that the peer has gone; there is nobody to tell.
        let _ = answer(&request, respond);
    }
}

fn answer<B>(request: &Request<B>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let head = |length: usize| Response::builder().header("content-length", length).body(()).expect("valid");
    match request.uri().path() {
        "/cut" => {
            let body = respond.send_response(head(1000), false)?;
            cut(body)?;
        }
        "/cut-without-length" => {
            let body = respond.send_response(Response::new(()), false)?;
            cut(body)?;
        }
        "/noerror" => {
            let mut body = respond.send_response(Response::new(()), false)?;
            body.send_data(Bytes::from(vec![b'x'; 1000]), false)?;
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                body.send_reset(Reason::NO_ERROR);
            });
        }
        "/stall" => {
            let body = respond.send_response(head(2), false)?;
            // To let go of it would end the stream.
            tokio::task::spawn_local(async move {
                std::future::pending::<()>().await;
                drop(body);
            });
        }
        "/reset" => respond.send_reset(Reason::INTERNAL_ERROR),
        "/refused" => respond.send_reset(Reason::REFUSED_STREAM),
        "/trailers" => {
            let mut body = respond.send_response(Response::new(()), false)?;
            body.send_data(Bytes::from_static(b"all of it"), false)?;
            body.send_trailers(http::HeaderMap::new())?;
        }
        _ => respond.send_response(head(2), false)?.send_data(Bytes::from_static(b"ok"), true)?,
    }
    Ok(())
}

/// Sends a piece and then, once it is on its way, a reset that claims that all is well.
fn cut(mut body: SendStream<Bytes>) -> Result<(), h2::Error> {
    body.send_data(Bytes::from_static(b"only this"), false)?;
    tokio::task::spawn_local(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        body.send_reset(Reason::NO_ERROR);
    });
    Ok(())
}
