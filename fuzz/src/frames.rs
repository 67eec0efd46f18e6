//! Bytes made into HTTP/2 frames, so that a fuzzer's bytes get past the framing, and bent where the bytes say so.

/// Fields by number; `content-length` has a small number of its own besides.
const FIELDS: [(&str, &str); 16] = [
    (":status", "200"),
    ("content-length", ""),
    (":status", "204"),
    (":status", "304"),
    (":status", "100"),
    (":status", "103"),
    (":status", "404"),
    ("content-encoding", "gzip"),
    ("content-length", "+3"),
    ("content-length", "3, 3"),
    ("connection", "close"),
    ("transfer-encoding", "chunked"),
    ("X-Upper", "x"),
    (":path", "/"),
    ("x", "a value that is repeated until the head is too long for any limit ......................................."),
    ("x", "\r\n"),
];
const NUMBERS: [u32; 8] = [0, 1, 2, 100, 16_384, 65_535, (1 << 31) - 1, u32::MAX];
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// Reads bytes as commands.
struct Commands<'a>(&'a [u8]);

impl<'a> Commands<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.0.split_off_first().copied()
    }

    fn byte_or_0(&mut self) -> u8 {
        self.byte().unwrap_or_default()
    }

    /// So many bytes, or as many as there are.
    fn bytes(&mut self, count: u8) -> &'a [u8] {
        let count = self.0.len().min(usize::from(count));
        self.0.split_off(..count).expect("there are as many")
    }

    fn counted(&mut self) -> &'a [u8] {
        let count = self.byte_or_0();
        self.bytes(count)
    }

    fn number(&mut self) -> u32 {
        NUMBERS[usize::from(self.byte_or_0() & 7)]
    }
}

/// What the commands in `bytes` say, turn by turn. `first` begins it.
pub fn turns(bytes: &[u8], first: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut commands = Commands(bytes);
    let mut turns = first;
    while let Some(op) = commands.byte() {
        let variant = op >> 4;
        match op & 15 {
            7 => turns.push(Vec::new()),
            kind => turns.last_mut().expect("there is one").extend(command(kind, variant, &mut commands)),
        }
    }
    turns
}

/// A frame of settings that says nothing.
pub fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

fn command(kind: u8, variant: u8, from: &mut Commands<'_>) -> Vec<u8> {
    let stream = if variant & 2 == 0 { 1 } else { 3 };
    match kind {
        0 | 13 => headers(variant, stream, &block(from.counted())),
        1 | 14 => data(variant, stream, from.counted()),
        2 => frame(3, 0, stream, &u32::from(from.byte_or_0()).to_be_bytes()),
        3 => {
            let (setting, value) = (u16::from(from.byte_or_0()), from.number());
            let flags = if variant & 1 == 0 { 0 } else { ACK };
            frame(4, flags, 0, &[&setting.to_be_bytes()[..], &value.to_be_bytes()].concat())
        }
        4 => {
            let (last, code) = ([0, 1, 3, u32::MAX >> 1][usize::from(variant & 3)], from.byte_or_0());
            frame(7, 0, 0, &[&u32::to_be_bytes(last)[..], &u32::from(code).to_be_bytes()].concat())
        }
        5 => frame(8, 0, [0, 1, 3, 5][usize::from(variant & 3)], &from.number().to_be_bytes()),
        6 => frame(6, variant & ACK, 0, &[0; 8]),
        8 => frame(5, END_HEADERS, stream, &[&[0, 0, 0, 2][..], &block(from.counted())].concat()),
        9 => {
            let (kind, flags, stream) = (from.byte_or_0(), from.byte_or_0(), from.byte_or_0());
            frame(kind, flags, u32::from(stream), from.counted())
        }
        10 => from.counted().to_vec(),
        11 => headers(variant, stream, from.counted()),
        12 => frame(2, 0, stream, from.bytes(5)),
        _ => settings(),
    }
}

/// A head in one frame or two.
fn headers(variant: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    let flags = variant & END_STREAM;
    if variant & 4 == 0 {
        return frame(1, flags | END_HEADERS, stream, block);
    }
    let (first, second) = block.split_at(block.len() / 2);
    [frame(1, flags, stream, first), frame(9, END_HEADERS, stream, second)].concat()
}

fn data(variant: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let flags = variant & END_STREAM;
    if variant & 8 == 0 {
        return frame(0, flags, stream, payload);
    }
    frame(0, flags | PADDED, stream, &[&[3], payload, &[0; 3]].concat())
}

/// Fields as literals that are not remembered (RFC 7541 §6.2.2), a byte each.
fn block(picks: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for pick in picks {
        let (name, value) = FIELDS[usize::from(pick & 15)];
        let number = (pick >> 4).to_string();
        let value = if value.is_empty() { &number } else { value };
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("they are short"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
