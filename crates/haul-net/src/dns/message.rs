//! Questions and answers as they stand on the wire. Pure.
//!
//! Only what decides is read: the head, the question, the records of the answer, and of the rest whether it has an OPT
//! record or a SOA. A record there that can't be read is nobody's loss, and no reason to refuse the answer before it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

use super::families::{AddressFamily, AddressSet};

/// What we say a datagram may have: no fragments on any usual path (the DNS flag day's number).
const PAYLOAD: u16 = 1232;
/// Aliases followed within one answer.
const MAX_ALIASES: usize = 16;

const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// The name that is asked for; `None` when it can't be one: a label or the whole is too long, or a label is empty.
pub(super) fn name(text: &str) -> Option<Name> {
    Name::from_labels(text.split('.').map(str::as_bytes)).ok().filter(|_| !text.split('.').any(str::is_empty))
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct DnsQuestion {
    /// The number of the message with an OPT record; the one without has its complement, so that answers tell them apart.
    pub(super) id: u16,
    pub(super) name: Name,
    pub(super) family: AddressFamily,
    /// Ask for the AD bit (`options trust-ad`).
    pub(super) trust_ad: bool,
}

impl DnsQuestion {
    /// The message, with or without an OPT record (RFC 6891).
    pub(super) fn bytes(&self, edns: bool) -> Vec<u8> {
        let flags: u16 = if self.trust_ad { 0x0120 } else { 0x0100 };
        let mut bytes = Vec::with_capacity(64);
        for word in [if edns { self.id } else { !self.id }, flags, 1, 0, 0, u16::from(edns)] {
            bytes.extend(word.to_be_bytes());
        }
        for label in &self.name {
            bytes.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
            bytes.extend(label);
        }
        bytes.push(0);
        for word in [kind(self.family), CLASS_IN] {
            bytes.extend(word.to_be_bytes());
        }
        if edns {
            bytes.push(0);
            for word in [TYPE_OPT, PAYLOAD, 0, 0, 0] {
                bytes.extend(word.to_be_bytes());
            }
        }
        bytes
    }
}

const fn kind(family: AddressFamily) -> u16 {
    match family {
        AddressFamily::V4 => 1,
        AddressFamily::V6 => 28,
    }
}

/// What a message is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedMessage {
    /// Not about this question, whoever sent it (RFC 5452 §9.1): to be passed over.
    Stranger,
    /// It has the question's number and can't be read, or is no answer.
    Nonsense,
    /// The answer.
    Answer(DnsAnswer),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct DnsAnswer {
    pub(super) truncated: bool,
    /// The response code, with the OPT record's part.
    pub(super) code: u16,
    /// Whether it has an OPT record.
    pub(super) edns: bool,
    /// Whether the question had one.
    pub(super) to_edns: bool,
    pub(super) content: AnswerContent,
}

impl DnsAnswer {
    /// One too long to be read: what a server says of itself with the TC bit.
    pub(super) const fn cut() -> Self {
        let content = AnswerContent::Nothing { dangling: false };
        Self { truncated: true, code: 0, edns: false, to_edns: true, content }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum AnswerContent {
    Addresses(AddressSet),
    /// An alias of this name, whose own records are not there: it has to be asked for.
    Alias(Name, Duration),
    /// No address. `dangling`: the name is an alias of one without an address.
    Nothing {
        dangling: bool,
    },
    /// No records at all from a server that does not look names up for us, and is not the one that knows.
    Referral,
}

/// Reads a message as the answer to `question`.
pub(super) fn read(bytes: &[u8], question: &DnsQuestion) -> ParsedMessage {
    let to_edns = match bytes.first_chunk::<2>().map(|id| u16::from_be_bytes(*id)) {
        Some(id) if id == question.id => true,
        Some(id) if id == !question.id => false,
        _ => return ParsedMessage::Stranger,
    };
    match DnsMessage::read(bytes, question) {
        Ok(Some(message)) => message.judge(question, to_edns).map_or(ParsedMessage::Nonsense, ParsedMessage::Answer),
        Ok(None) => ParsedMessage::Stranger,
        Err(_) => ParsedMessage::Nonsense,
    }
}

struct DnsRecord {
    owner: Name,
    kind: u16,
    class: u16,
    /// As it stands there: an OPT record keeps other things in these 32 bits.
    ttl: u32,
    data: RecordData,
}

enum RecordData {
    Address(IpAddr),
    Alias(Name),
    Other,
    /// Its form is not that of its type.
    Bad,
}

struct DnsMessage {
    flags: u16,
    /// The higher bits of the code, from the OPT record, if there is one.
    extended: Option<u16>,
    answers: Vec<DnsRecord>,
    /// A SOA in the authority section: what is not in the answer does not exist.
    soa: bool,
}

impl DnsMessage {
    /// `None`: about another question.
    fn read(bytes: &[u8], question: &DnsQuestion) -> Result<Option<Self>, DecodeError> {
        let mut decoder = BinDecoder::new(bytes);
        let mut head = [0; 6];
        for word in &mut head {
            *word = decoder.read_u16()?.unverified();
        }
        let [_, flags, questions, answers, authorities, additionals] = head;
        let mut message = Self { flags, extended: None, answers: Vec::new(), soa: false };
        // Who does not understand a question may give none back with its error.
        if flags & 0x8000 != 0 && flags & 0xf != 0 && questions == 0 {
            return Ok(Some(message));
        }
        if flags & 0x8000 == 0 || questions != 1 {
            return Err(DecodeError::InsufficientBytes);
        }
        let name = Name::read(&mut decoder)?;
        let (kind_asked, class) = (decoder.read_u16()?.unverified(), decoder.read_u16()?.unverified());
        if (&name, kind_asked, class) != (&question.name, kind(question.family), CLASS_IN) {
            return Ok(None);
        }
        for _ in 0..answers {
            message.answers.push(DnsRecord::read(&mut decoder)?);
        }
        message.answers.retain(|record| record.class == CLASS_IN);
        for at in 0..u32::from(authorities) + u32::from(additionals) {
            // What can't be read here ends the reading, and spoils nothing.
            let Ok(record) = DnsRecord::read(&mut decoder) else { break };
            if record.kind == TYPE_OPT {
                message.extended = Some(u16::try_from(record.ttl >> 24).unwrap_or_default());
            }
            message.soa |= at < u32::from(authorities) && record.kind == TYPE_SOA;
        }
        Ok(Some(message))
    }

    /// `None`: its records can't be read.
    fn judge(&self, question: &DnsQuestion, to_edns: bool) -> Option<DnsAnswer> {
        let code = (self.flags & 0xf) | self.extended.unwrap_or(0) << 4;
        let truncated = self.flags & 0x0200 != 0;
        let content = self.content(question);
        let spoiled = self.answers.iter().any(|record| matches!(record.data, RecordData::Bad));
        if spoiled && code == 0 && !truncated && !matches!(content, AnswerContent::Addresses(_)) {
            return None;
        }
        Some(DnsAnswer { truncated, code, edns: self.extended.is_some(), to_edns, content })
    }

    fn content(&self, question: &DnsQuestion) -> AnswerContent {
        let (authoritative, recursive) = (self.flags & 0x0400 != 0, self.flags & 0x0080 != 0);
        if self.answers.is_empty() && !authoritative && !recursive && !self.soa {
            return AnswerContent::Referral;
        }
        let (mut name, mut ttl, mut hops) = (&question.name, u32::MAX, 0);
        loop {
            let own = |record: &&DnsRecord| record.owner == *name;
            let mut addresses = Vec::new();
            for record in self.answers.iter().filter(own) {
                if let RecordData::Address(address) = record.data {
                    addresses.push(address);
                    ttl = ttl.min(record.ttl());
                }
            }
            if !addresses.is_empty() {
                return AnswerContent::Addresses(AddressSet { addresses, ttl: Duration::from_secs(ttl.into()) });
            }
            let alias = self.answers.iter().filter(own).find_map(|record| match &record.data {
                RecordData::Alias(target) => Some((target, record.ttl())),
                _ => None,
            });
            match alias {
                Some((target, alias_ttl)) if hops < MAX_ALIASES && target != name => {
                    (name, ttl, hops) = (target, ttl.min(alias_ttl), hops + 1);
                }
                // Aliases of each other.
                Some(_) => return AnswerContent::Nothing { dangling: true },
                None if hops > 0 && !self.soa => {
                    return AnswerContent::Alias(name.clone(), Duration::from_secs(ttl.into()));
                }
                None => return AnswerContent::Nothing { dangling: hops > 0 },
            }
        }
    }
}

impl DnsRecord {
    fn read(decoder: &mut BinDecoder<'_>) -> Result<Self, DecodeError> {
        let owner = Name::read(decoder)?;
        let (kind, class) = (decoder.read_u16()?.unverified(), decoder.read_u16()?.unverified());
        let ttl = decoder.read_u32()?.unverified();
        let length = decoder.read_u16()?.unverified();
        let start = u16::try_from(decoder.index()).map_err(|_| DecodeError::InsufficientBytes)?;
        let data = decoder.read_slice(length.into())?.unverified();
        let data = match kind {
            1 => <[u8; 4]>::try_from(data)
                .map_or(RecordData::Bad, |octets| RecordData::Address(Ipv4Addr::from(octets).into())),
            28 => <[u8; 16]>::try_from(data)
                .map_or(RecordData::Bad, |octets| RecordData::Address(Ipv6Addr::from(octets).into())),
            TYPE_CNAME => Name::read(&mut decoder.clone(start)).map_or(RecordData::Bad, RecordData::Alias),
            _ => RecordData::Other,
        };
        Ok(Self { owner, kind, class, ttl, data })
    }

    /// In seconds; RFC 2181 §8: the highest bit set means zero.
    const fn ttl(&self) -> u32 {
        if self.ttl >> 31 == 0 { self.ttl } else { 0 }
    }
}

/// The name of a response code (RFC 6895 §2.3).
pub(super) fn code_name(code: u16) -> String {
    let names = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];
    match names.get(usize::from(code)) {
        Some(name) => (*name).to_owned(),
        None if code == 16 => "BADVERS".to_owned(),
        None => format!("code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u16 = 1;
    const HERE: [u8; 4] = [127, 0, 0, 1];

    fn question() -> DnsQuestion {
        DnsQuestion { id: 7, name: name("a.test").unwrap(), family: AddressFamily::V4, trust_ad: false }
    }

    fn labels(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in text.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes
    }

    fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = labels(owner);
        for word in [kind, CLASS_IN, 0, 60, u16::try_from(data.len()).unwrap()] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(data);
        bytes
    }

    /// An answer with these flags, and the records of its three sections.
    fn message(flags: u16, sections: [&[Vec<u8>]; 3]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let counts = sections.map(|section| u16::try_from(section.len()).unwrap());
        for word in [7, 0x8180 | flags, 1, counts[0], counts[1], counts[2]] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(labels("A.Test"));
        bytes.extend([0, 1, 0, 1]);
        bytes.extend(sections.concat().concat());
        bytes
    }

    /// One word for what a message is.
    fn says(bytes: &[u8]) -> String {
        match read(bytes, &question()) {
            ParsedMessage::Stranger => "stranger".to_owned(),
            ParsedMessage::Nonsense => "nonsense".to_owned(),
            ParsedMessage::Answer(DnsAnswer { truncated: true, .. }) => "truncated".to_owned(),
            ParsedMessage::Answer(DnsAnswer { code: 0, content, .. }) => match content {
                AnswerContent::Addresses(found) => format!("{:?}", found.addresses),
                AnswerContent::Alias(name, _) => format!("alias {name}"),
                AnswerContent::Nothing { dangling } => {
                    format!("nothing, {}", if dangling { "dangling" } else { "plain" })
                }
                AnswerContent::Referral => "referral".to_owned(),
            },
            ParsedMessage::Answer(DnsAnswer { code, .. }) => code_name(code),
        }
    }

    #[test]
    fn a_question_has_its_name_and_perhaps_an_opt_record() {
        let bytes = question().bytes(false);
        assert_eq!(bytes, [&[0xff, 0xf8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &labels("a.test"), &[0, 1, 0, 1]].concat());
        let with = question().bytes(true);
        assert_eq!((&with[..2], with[11]), (&[0, 7][..], 1));
        assert_eq!(with[bytes.len()..], [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        let question = DnsQuestion { trust_ad: true, family: AddressFamily::V6, ..question() };
        assert_eq!((question.bytes(false)[3], question.bytes(false)[21]), (0x20, 28));
    }

    #[test]
    fn whatever_has_labels_is_a_name() {
        for good in ["a.test", "under_score.test", "-a-.test", "a", "*.test", "b`c.test"] {
            assert!(name(good).is_some(), "{good}");
        }
        for bad in ["", ".", "a..test", ".a", &"x".repeat(64), &["x".repeat(63).as_str(); 5].join(".")] {
            assert!(name(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_read_and_what_else_is_in_the_message_spoils_nothing() {
        let good = || record("a.test", A, &HERE);
        let bad = || record("a.test", A, &[1, 2, 3]);
        let soa = || record("test", TYPE_SOA, b"not one");
        let cut = || vec![1, b'x', 0, 0];
        let alias = |of: &str, to: &str| record(of, TYPE_CNAME, &labels(to));
        let loops = || vec![0xc0, 22, 0, 0];
        for (what, bytes, expected) in [
            ("an address", message(0, [&[good()], &[], &[]]), "[127.0.0.1]"),
            ("one with a bad one beside it", message(0, [&[bad(), good()], &[], &[]]), "[127.0.0.1]"),
            ("a bad one alone", message(0, [&[bad()], &[], &[]]), "nonsense"),
            ("a cut record", message(0, [&[good(), cut()], &[], &[]]), "nonsense"),
            ("a cut record in the authority section", message(0, [&[good()], &[cut()], &[]]), "[127.0.0.1]"),
            ("a cut record in the additional section", message(0, [&[good()], &[], &[cut()]]), "[127.0.0.1]"),
            ("a SOA that is none", message(0, [&[good()], &[soa()], &[]]), "[127.0.0.1]"),
            ("a name without end beside it", message(0, [&[good()], &[loops()], &[]]), "[127.0.0.1]"),
            ("bad records of other types", message(0, [&[good()], &[record("x", 2, b"\xff")], &[]]), "[127.0.0.1]"),
            ("nothing", message(0, [&[], &[soa()], &[]]), "nothing, plain"),
            ("another's address", message(0, [&[record("b.test", A, &HERE)], &[], &[]]), "nothing, plain"),
            ("another type", message(0, [&[record("a.test", 16, b"\x01x")], &[], &[]]), "nothing, plain"),
            ("an alias", message(0, [&[alias("a.test", "b.test")], &[], &[]]), "alias b.test."),
            ("an alias of nothing", message(0, [&[alias("a.test", "b.test")], &[soa()], &[]]), "nothing, dangling"),
            ("an alias of itself", message(0, [&[alias("a.test", "a.test")], &[], &[]]), "nothing, dangling"),
            (
                "an alias after its address",
                message(0, [&[record("b.test", A, &HERE), alias("A.test", "B.TEST")], &[], &[]]),
                "[127.0.0.1]",
            ),
            (
                "aliases of each other",
                message(0, [&[alias("a.test", "b.test"), alias("b.test", "a.test")], &[], &[]]),
                "nothing, dangling",
            ),
            ("a truncated one", message(0x0200, [&[bad()], &[], &[]]), "truncated"),
            ("NXDOMAIN", message(3, [&[], &[soa()], &[]]), "NXDOMAIN"),
            ("BADVERS", message(0, [&[], &[], &[[&[0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0][..]].concat()]]), "BADVERS"),
            ("an error without the question", vec![0, 7, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0], "FORMERR"),
            ("no error without the question", vec![0, 7, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0], "nonsense"),
            ("the question", question().bytes(true), "nonsense"),
            ("another number", [vec![0, 8], message(0, [&[good()], &[], &[]])[2..].to_vec()].concat(), "stranger"),
            ("one byte", vec![0], "stranger"),
            ("three bytes", vec![0, 7, 0x81], "nonsense"),
        ] {
            assert_eq!(says(&bytes), expected, "{what}");
        }
    }

    #[test]
    fn a_server_that_only_knows_others_is_a_referral() {
        let mut bytes = message(0, [&[], &[record("test", 2, b"\x01n\x00")], &[]]);
        assert_eq!(says(&bytes), "nothing, plain");
        bytes[3] = 0;
        assert_eq!(says(&bytes), "referral");
        // It knows, and says so.
        bytes[2] |= 4;
        assert_eq!(says(&bytes), "nothing, plain");
    }

    #[test]
    fn an_answer_to_another_question_is_a_stranger_s() {
        let bytes = message(0, [&[record("a.test", A, &HERE)], &[], &[]]);
        let other = |change: fn(&mut DnsQuestion)| {
            let mut question = question();
            change(&mut question);
            read(&bytes, &question)
        };
        assert_eq!(other(|question| question.name = name("b.test").unwrap()), ParsedMessage::Stranger);
        assert_eq!(other(|question| question.family = AddressFamily::V6), ParsedMessage::Stranger);
    }

    #[test]
    fn the_shortest_time_to_live_holds_and_a_negative_one_is_zero() {
        let ttl = |ttl: [u8; 4]| {
            let mut second = record("a.test", A, &[127, 0, 0, 2]);
            second[12..16].copy_from_slice(&ttl);
            match read(&message(0, [&[record("a.test", A, &HERE), second], &[], &[]]), &question()) {
                ParsedMessage::Answer(DnsAnswer { content: AnswerContent::Addresses(found), .. }) => {
                    found.ttl.as_secs()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((ttl([0, 0, 0, 9]), ttl([0, 1, 0, 0]), ttl([0x80, 0, 0, 9])), (9, 60, 0));
    }
}
