//! A second opinion on what an HTTP/2 server sent on a stream: is there a complete response?
//!
//! Written from RFC 9113 §8.1 and RFC 7541 alone, and much shorter than they are: frames of other streams and of the
//! connection are passed over, empty DATA that ends nothing too, and header blocks with Huffman codes or a dynamic table are not
//! understood. What it calls complete may still be refused, but nothing else may be called complete.

/// A complete response.
#[derive(Debug, PartialEq, Eq)]
pub struct Complete {
    /// Its status, where that was understood.
    pub status: Option<u16>,
    /// Its body, as it is on the wire.
    pub body: Vec<u8>,
    /// Whether the body has a coding, or may have one.
    pub coded: bool,
}

/// A name and a value.
type Field = (Vec<u8>, Vec<u8>);

/// The response on `stream` in `bytes`, to a request by HEAD or another method. `None`: there is no complete one.
pub fn judge(mut bytes: &[u8], stream: u32, is_head: bool) -> Option<Complete> {
    let mut head: Option<Head> = None;
    let mut body = Vec::new();
    while let Some(frame) = Frame::read(&mut bytes) {
        match frame.kind {
            _ if frame.stream != stream => continue,
            0 if frame.payload.is_empty() && !frame.ends_stream() => continue,
            0 if head.is_some() => body.extend_from_slice(frame.content(false)?),
            0 | 3 => return None,
            1 => match (&head, Head(fields(&block(&frame, &mut bytes)?))) {
                (Some(_), _) if !frame.ends_stream() => return None,
                (Some(_), _) => {}
                (None, new) if new.is_informational() => {
                    if frame.ends_stream() {
                        return None;
                    }
                }
                (None, new) => head = Some(new),
            },
            _ => continue,
        }
        if frame.ends_stream() {
            return head?.complete(body, is_head);
        }
    }
    None
}

/// The fields of a head; `None`: they were not understood.
struct Head(Option<Vec<Field>>);

impl Head {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.0.as_deref().unwrap_or_default().iter();
        fields.filter(move |(own, _)| own == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.values(":status").next()?).ok()?.parse().ok()
    }

    fn is_informational(&self) -> bool {
        self.status().is_some_and(|status| status < 200)
    }

    fn complete(self, body: Vec<u8>, is_head: bool) -> Option<Complete> {
        let is_empty = is_head || matches!(self.status(), Some(204 | 304));
        let lengths: Option<Vec<_>> = self.values("content-length").map(number).collect();
        let fits = if is_empty { body.is_empty() } else { lengths?.iter().all(|length| *length == body.len()) };
        let coded = self.0.is_none() || self.values("content-encoding").next().is_some();
        fits.then(|| Complete { status: self.status(), body, coded })
    }
}

fn number(text: &[u8]) -> Option<usize> {
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<9>()?;
        let end = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
        let payload = bytes.get(9..end)?;
        *bytes = &bytes[end..];
        Some(Self { kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1), payload })
    }

    /// Of a head or of data.
    const fn ends_stream(&self) -> bool {
        self.flags & 1 != 0
    }

    const fn ends_head(&self) -> bool {
        self.flags & 4 != 0
    }

    /// The payload without padding and, if there may be one, priority.
    fn content(&self, may_have_priority: bool) -> Option<&'a [u8]> {
        let mut content = self.payload;
        if self.flags & 8 != 0 {
            let padding = usize::from(*content.split_off_first()?);
            content = content.get(..content.len().checked_sub(padding)?)?;
        }
        if may_have_priority && self.flags & 32 != 0 {
            content = content.get(5..)?;
        }
        Some(content)
    }
}

/// The whole header block that `first` begins; its other parts follow without anything in between.
fn block(first: &Frame<'_>, bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut block = first.content(true)?.to_vec();
    let mut is_whole = first.ends_head();
    while !is_whole {
        let next = Frame::read(bytes).filter(|next| next.kind == 9 && next.stream == first.stream)?;
        block.extend_from_slice(next.payload);
        is_whole = next.ends_head();
    }
    Some(block)
}

/// The fields in a header block; `None`: it is not understood.
fn fields(mut block: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while let Some(first) = block.first().copied() {
        match first {
            0x80.. => fields.push(indexed(integer(&mut block, 7)?)?),
            0x40.. => fields.push(literal(&mut block, 6)?),
            0x20.. => {
                integer(&mut block, 5)?;
            }
            _ => fields.push(literal(&mut block, 4)?),
        }
    }
    Some(fields)
}

fn literal(block: &mut &[u8], prefix: u32) -> Option<Field> {
    let name = match integer(block, prefix)? {
        0 => string(block)?,
        index => indexed(index)?.0,
    };
    Some((name, string(block)?))
}

/// A field of the static table, as far as it matters here (RFC 7541, appendix A).
fn indexed(index: usize) -> Option<Field> {
    let (name, value) = match index {
        8..=14 => (":status", ["200", "204", "206", "304", "400", "404", "500"][index - 8]),
        26 => ("content-encoding", ""),
        28 => ("content-length", ""),
        1..=61 => ("another", ""),
        _ => return None,
    };
    Some((name.into(), value.into()))
}

fn string(block: &mut &[u8]) -> Option<Vec<u8>> {
    let is_huffman = block.first()? & 0x80 != 0;
    let length = integer(block, 7)?;
    block.split_off(..length).filter(|_| !is_huffman).map(<[u8]>::to_vec)
}

fn integer(block: &mut &[u8], prefix: u32) -> Option<usize> {
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(*block.split_off_first()?) & most;
    if value < most {
        return Some(value);
    }
    for shift in [0, 7, 14] {
        let byte = *block.split_off_first()?;
        value += usize::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some(value);
        }
    }
    None
}
