//! A name server that misbehaves to order: silent, slow, failing. One UDP socket and one local task.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What to do with a question.
#[derive(Clone)]
pub enum Reply {
    /// Nothing.
    Silence,
    /// This error code.
    Code(ResponseCode),
    /// An alias of this name, and nothing else.
    Alias(&'static str),
    /// This address, with this TTL in seconds, after a while.
    Address(IpAddr, u32, Duration),
}

/// What was asked so far, in the order it came: name (without the final dot) and type.
pub type Asked = Rc<RefCell<Vec<(String, RecordType)>>>;

/// Starts the server inside the current `LocalSet`. It answers as `script` says and ends with the set.
pub async fn start(script: impl Fn(&str, RecordType) -> Reply + 'static) -> (SocketAddr, Asked) {
    let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
    let address = socket.local_addr().expect("bound");
    let asked = Asked::default();
    let seen = Rc::clone(&asked);
    tokio::task::spawn_local(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
            let query = question.queries[0].clone();
            let name = query.name().to_ascii().trim_end_matches('.').to_owned();
            seen.borrow_mut().push((name.clone(), query.query_type()));
            tokio::task::spawn_local(answer(Rc::clone(&socket), from, question, script(&name, query.query_type())));
        }
    });
    (address, asked)
}

async fn answer(socket: Rc<UdpSocket>, to: SocketAddr, question: Message, reply: Reply) {
    let mut message = Message::response(question.metadata.id, question.metadata.op_code);
    let query = question.queries[0].clone();
    message.add_query(query.clone());
    match reply {
        Reply::Silence => return,
        Reply::Code(code) => message.metadata.response_code = code,
        Reply::Alias(of) => {
            let of = Name::from_ascii(of).expect("a name");
            message.add_answer(Record::from_rdata(query.name().clone(), 60, RData::CNAME(CNAME(of))));
        }
        Reply::Address(ip, ttl, delay) => {
            tokio::time::sleep(delay).await;
            let data = match ip {
                IpAddr::V4(ip) => RData::A(A(ip)),
                IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
            };
            message.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
        }
    }
    let bytes = message.to_vec().expect("a small message");
    let _ = socket.send_to(&bytes, to).await;
}
