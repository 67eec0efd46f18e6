//! Certificates and keys in files, as people have them: PEM with whatever is around it, or DER. Pure.
//!
//! Read is all that OpenSSL and curl read; what can't be used is said by its name.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::certificate::{ANY_USAGE, SERVER_AUTH};
use super::der::{DerFields, OBJECT, SEQUENCE, content};

/// What a file has, each kind in its order.
#[derive(Debug, Default)]
pub(super) struct PemContents {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Which of them say of themselves that they are not to be trusted for servers.
    distrusted: Vec<usize>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
    /// Keys that a passphrase protects.
    encrypted: usize,
    /// What else there is, by the labels of its sections.
    others: Vec<&'static str>,
    empty: bool,
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads a file's bytes.
///
/// # Errors
/// What is wrong with the file, to stand after its name.
pub(super) fn read(bytes: &[u8]) -> Result<PemContents, String> {
    let mut contents = PemContents { empty: bytes.iter().all(u8::is_ascii_whitespace), ..PemContents::default() };
    if bytes.first() == Some(&0x30) && whole_der(bytes) == Some(bytes.len()) {
        contents.take_der(bytes)?;
        return Ok(contents);
    }
    let text = text(bytes);
    let mut rest = text.as_str();
    // Anything may stand between the sections, and does: names, dates, comments.
    while let Some((begin, after)) = marker(rest, "BEGIN") {
        let starts_line = rest[..begin.at].rsplit('\n').next().is_none_or(|before| before.trim().is_empty());
        let number = 1 + text[..text.len() - rest.len() + begin.at].matches('\n').count();
        let next = marker(after, "BEGIN").map_or(after.len(), |(next, _)| next.at);
        let Some((end, behind)) = marker(&after[..next], "END") else {
            if starts_line {
                let what = if next == after.len() { "is cut off" } else { "is damaged" };
                return Err(format!("{what}: the part that begins in line {number}{} has no end", begin.named()));
            }
            // Words about a section.
            rest = after;
            continue;
        };
        rest = &after[after[..next].len() - behind.len()..];
        let body = after[..end.at].replace("\\r", "\n").replace("\\n", "\n");
        // Headers (RFC 1421), which old keys have when they are encrypted.
        let encrypted = body.contains("Proc-Type:") && body.contains("ENCRYPTED");
        if encrypted || begin.label == Some("ENCRYPTED PRIVATE KEY") {
            contents.encrypted += 1;
            continue;
        }
        let lines = body.lines().filter(|line| !line.contains(':'));
        // A backslash or quote is of the program or shell that the text went through.
        let body: String = lines.flat_map(str::chars).filter(|c| !c.is_whitespace() && !"\\\"'".contains(*c)).collect();
        let der = LENIENT
            .decode(&body)
            .map_err(|_| format!("is damaged: the part that begins in line {number}{} is not base64", begin.named()))?;
        contents.take(begin.label, der, number)?;
    }
    Ok(contents)
}

/// The text of a file: without a byte order mark, as it was before an editor made UTF-16 of it, with LF alone at its lines' ends.
fn text(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    };
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

/// The labels that a message may name (RFC 7468, OpenSSL, OpenSSH, GnuPG). Of what else a file has nothing is ever said: it may be
/// a key, in a form that is not known here.
const LABELS: [&str; 23] = [
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "ATTRIBUTE CERTIFICATE",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "X509 CRL",
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "DSA PUBLIC KEY",
    "EC PARAMETERS",
    "DH PARAMETERS",
    "DSA PARAMETERS",
    "PKCS7",
    "CMS",
    "PGP PUBLIC KEY BLOCK",
    "PGP PRIVATE KEY BLOCK",
];

/// The longest label that is looked for.
const LONGEST: usize = 64;

/// What begins or ends a section.
#[derive(Clone, Copy)]
struct PemBoundary {
    at: usize,
    /// `None`: it is none of those known.
    label: Option<&'static str>,
}

impl PemBoundary {
    /// Its label, in brackets, for a message.
    fn named(self) -> String {
        self.label.map(|label| format!(" ({label})")).unwrap_or_default()
    }
}

/// The first marker in a text, wherever in a line it stands, and what follows it. A text without its line ends has several in one.
fn marker<'a>(text: &'a str, word: &str) -> Option<(PemBoundary, &'a str)> {
    const DASHES: &str = "-----";
    let opening = format!("{DASHES}{word} ");
    let mut from = 0;
    loop {
        let at = from + text[from..].find(&opening)?;
        from = at + opening.len();
        // No label has two hyphens in a row (RFC 7468 §3).
        let Some(length) = text[from..].find("--").filter(|length| *length <= LONGEST) else { continue };
        let (label, after) = text[from..].split_at(length);
        if let Some(after) = after.strip_prefix(DASHES).filter(|_| !label.contains(['\n', '\\'])) {
            let label = LABELS.into_iter().find(|known| *known == label.trim());
            return Some((PemBoundary { at, label }, after));
        }
    }
}

/// How long the DER value at the start is, header included.
fn whole_der(bytes: &[u8]) -> Option<usize> {
    let (first, rest) = bytes.get(1..)?.split_first()?;
    let (length, header) = match *first {
        short @ 0..=0x7f => (usize::from(short), 2),
        long @ 0x81..=0x84 => {
            let digits = rest.get(..usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + digits.len())
        }
        _ => return None,
    };
    header.checked_add(length).filter(|whole| *whole <= bytes.len())
}

/// `[0]` of what follows a TRUSTED CERTIFICATE: what it is not trusted for.
const REJECTED: u8 = 0xa0;

/// Whether what follows a TRUSTED CERTIFICATE lets it be trusted for servers (OpenSSL's X509_CERT_AUX): a list of what it is trusted
/// for, and one of what it is not. Where neither says anything, it is trusted for all.
fn is_trusted(uses: &[u8]) -> bool {
    let names_servers =
        |uses| DerFields(uses).flatten().any(|(tag, id)| tag == OBJECT && (id == SERVER_AUTH || id == ANY_USAGE));
    if uses.is_empty() {
        return true;
    }
    let Some(uses) = content(uses, SEQUENCE) else { return false };
    let mut fields = DerFields(uses);
    fields.all(|field| match field {
        Some((SEQUENCE, trusted)) => names_servers(trusted),
        Some((REJECTED, rejected)) => !names_servers(rejected),
        other => other.is_some(),
    })
}

impl PemContents {
    fn take(&mut self, label: Option<&'static str>, der: Vec<u8>, line: usize) -> Result<(), String> {
        match label.unwrap_or("something of a name that is not known") {
            "CERTIFICATE" | "X509 CERTIFICATE" => self.certificates.push(der.into()),
            // OpenSSL's own: the certificate, and behind it what it is trusted for.
            "TRUSTED CERTIFICATE" => {
                let length = whole_der(&der);
                let length =
                    length.ok_or_else(|| format!("has a damaged certificate in line {line} (TRUSTED CERTIFICATE)"))?;
                if !is_trusted(&der[length..]) {
                    self.distrusted.push(self.certificates.len());
                }
                self.certificates.push(der[..length].to_vec().into());
            }
            "PRIVATE KEY" => self.keys.push(PrivateKeyDer::Pkcs8(der.into())),
            "RSA PRIVATE KEY" => self.keys.push(PrivateKeyDer::Pkcs1(der.into())),
            "EC PRIVATE KEY" => self.keys.push(PrivateKeyDer::Sec1(der.into())),
            "EC PARAMETERS" | "DH PARAMETERS" => {}
            other => self.others.push(other),
        }
        Ok(())
    }

    /// A file that is one DER value: a certificate begins with the sequence it signs, a key with its version.
    fn take_der(&mut self, der: &[u8]) -> Result<(), String> {
        const PKCS7: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
        let inner = match der[1] {
            0..=0x7f => &der[2..],
            long => &der[2 + usize::from(long & 0x7f)..],
        };
        match inner {
            [0x30, ..] => self.certificates.push(der.to_vec().into()),
            [0x02, 0x01, 0x03, ..] => {
                return Err("is PKCS#12 (.p12, .pfx), which has to be unpacked first: openssl pkcs12 -nodes -in FILE"
                    .to_owned());
            }
            inner if inner.starts_with(PKCS7) => {
                return Err(
                    "is PKCS#7, which has to be unpacked first: openssl pkcs7 -inform DER -print_certs -in FILE"
                        .to_owned(),
                );
            }
            _ => match PrivateKeyDer::try_from(der) {
                Ok(key) => self.keys.push(key.clone_key()),
                Err(_) => return Err("is neither PEM nor a certificate or key in DER".to_owned()),
            },
        }
        Ok(())
    }

    /// The certificates, or why there are none.
    pub(super) fn certificates(self) -> Result<Vec<CertificateDer<'static>>, String> {
        if !self.certificates.is_empty() {
            return Ok(self.certificates);
        }
        Err(match self.lack() {
            Some(lack) => lack,
            None if !self.keys.is_empty() || self.encrypted > 0 => {
                "has a private key and no certificate; are certificate and key the wrong way round?".to_owned()
            }
            None => "has no certificate; it must be PEM (-----BEGIN CERTIFICATE-----) or DER".to_owned(),
        })
    }

    /// The certificates that may be trusted for servers, or why there are none.
    pub(super) fn roots(mut self) -> Result<Vec<CertificateDer<'static>>, String> {
        let distrusted = std::mem::take(&mut self.distrusted);
        let mut roots = self.certificates()?;
        let mut at = 0..;
        roots.retain(|_| at.next().is_some_and(|at| !distrusted.contains(&at)));
        if roots.is_empty() {
            return Err(
                "has no certificate that is trusted for servers: it says so itself (TRUSTED CERTIFICATE)".to_owned()
            );
        }
        Ok(roots)
    }

    /// The private keys, or why there are none.
    pub(super) fn keys(self) -> Result<Vec<PrivateKeyDer<'static>>, String> {
        if !self.keys.is_empty() {
            return Ok(self.keys);
        }
        Err(match self.lack() {
            _ if self.encrypted > 0 => {
                "has an encrypted private key, and haul asks for no passphrase; decrypt it first: openssl pkey -in FILE -out PLAIN"
                    .to_owned()
            }
            Some(lack) => lack,
            None if !self.certificates.is_empty() => {
                "has a certificate and no private key; are certificate and key the wrong way round?".to_owned()
            }
            None => "has no private key; it must be PEM (-----BEGIN PRIVATE KEY-----) or DER".to_owned(),
        })
    }

    fn lack(&self) -> Option<String> {
        if self.empty {
            return Some("is empty".to_owned());
        }
        let first = self.others.first()?;
        Some(match *first {
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                "has a certificate request; wanted is the certificate that was issued for it".to_owned()
            }
            "PKCS7" => "is PKCS#7, which has to be unpacked first: openssl pkcs7 -print_certs -in FILE".to_owned(),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => "has a public key alone".to_owned(),
            "OPENSSH PRIVATE KEY" => "has a key for SSH, which is none for TLS".to_owned(),
            other => format!("has nothing that can be used, only {other}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No certificate and no key, but DER values of their outlines.
    const CERTIFICATE: &[u8] = &[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x01];
    const KEY: &[u8] = &[0x30, 0x0b, 0x02, 0x01, 0x00, 0x30, 0x03, 0x06, 0x01, 0x2a, 0x04, 0x01, 0x00];

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", LENIENT.encode(der))
    }

    /// How many certificates and keys a file has.
    fn counts(bytes: &[u8]) -> (usize, usize) {
        let contents = read(bytes).unwrap();
        (contents.certificates.len(), contents.keys.len())
    }

    #[test]
    fn a_certificate_is_read_whatever_is_around_it() {
        let plain = pem("CERTIFICATE", CERTIFICATE);
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(plain.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(plain.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        let trusted = pem("TRUSTED CERTIFICATE", &[CERTIFICATE, &[0x30, 0x02, 0x0c, 0x00]].concat());
        for (what, bytes) in [
            ("alone", plain.clone().into_bytes()),
            ("behind a byte order mark", [b"\xef\xbb\xbf", plain.as_bytes()].concat()),
            ("in UTF-16", wide),
            ("in UTF-16, the other way round", big),
            ("with CRLF", plain.replace('\n', "\r\n").into_bytes()),
            ("with CR in the blanks and blanks at the ends", plain.replace('\n', "  \n").into_bytes()),
            ("indented", plain.replace("-----B", "  -----B").into_bytes()),
            ("behind text", format!("Certificate:\n    Data: -----\nsubject=CN = a\n{plain}").into_bytes()),
            ("behind text that is no UTF-8", [b"Caf\xe9\n", plain.as_bytes()].concat()),
            ("without an end of line", plain.trim_end().as_bytes().to_vec()),
            ("without padding", plain.replace('=', "").into_bytes()),
            ("as OpenSSL trusts it", trusted.into_bytes()),
            ("under its old name", pem("X509 CERTIFICATE", CERTIFICATE).into_bytes()),
            ("in DER", CERTIFICATE.to_vec()),
            ("with CR alone", plain.replace('\n', "\r").into_bytes()),
            ("with backslash and n, as JSON has it", plain.replace('\n', "\\n").into_bytes()),
            ("with all four", plain.replace('\n', "\\r\\n").into_bytes()),
            ("as JSON in JSON", plain.replace('\n', "\\\\n").into_bytes()),
            (
                "in JSON, among others",
                format!("{{\"key\": \"{}\", \"a\": 1}}", plain.replace('\n', "\\n")).into_bytes(),
            ),
            ("in a shell's file", format!("CA='{plain}'").into_bytes()),
            ("in lines that go on", plain.replace('\n', "\\\n").into_bytes()),
            ("in one line", plain.replace('\n', "").into_bytes()),
            ("in one line, with blanks", plain.replace('\n', " ").into_bytes()),
            ("behind words about it", format!("# -----BEGIN CERTIFICATE----- begins it\n{plain}").into_bytes()),
        ] {
            let certificates = read(&bytes).and_then(PemContents::certificates);
            assert_eq!(certificates, Ok(vec![CERTIFICATE.to_vec().into()]), "{what}");
        }
    }

    /// Whatever is done to a file with a key, no message has eight characters of it.
    #[test]
    fn no_message_has_anything_of_a_key() {
        let key: Vec<u8> = (0..600_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        let secret = LENIENT.encode(&key);
        let plain = pem("PRIVATE KEY", &key);
        let ends = ["\n", "", " ", "\r", "\\n", "\\r\\n", ":", "-"];
        let mut texts: Vec<String> = ends.iter().map(|end| plain.replace('\n', end)).collect();
        texts.extend(texts.clone().iter().flat_map(|text| {
            [
                text.replace("-----END", ""),
                text.replace("-----BEGIN", "-----BEGIN "),
                text.replace("KEY-----", "KEY"),
                text.replace("PRIVATE KEY-----", ""),
                text.replace("PRIVATE KEY-----", "-----"),
                text.replace("-----", "----"),
                text.replace("PRIVATE KEY", "PRIVATE\nKEY"),
                text.replace("PRIVATE KEY", &secret[..40]),
                text.replace("PRIVATE KEY-----", &format!("PRIVATE KEY{}-----", &secret[..20])),
                text.replace("PRIVATE KEY", "PKCS7"),
                text.replace(&secret[20..30], "%%%"),
                text.replace(&secret[20..30], "-----BEGIN "),
                text.replace(&secret[20..30], "-----END "),
                format!("{text}{text}"),
            ]
        }));
        texts.extend((0..plain.len()).map(|end| plain[..end].to_owned()));
        let parts: Vec<&str> = (0..secret.len() - 8).map(|at| &secret[at..at + 8]).collect();
        let mut refused = 0;
        for text in texts {
            let read = || read(text.as_bytes());
            for message in [
                read().err(),
                read().and_then(PemContents::keys).err(),
                read().and_then(PemContents::certificates).err(),
            ] {
                let Some(message) = message else { continue };
                refused += 1;
                assert!(!parts.iter().any(|part| message.contains(part)), "{message}");
            }
        }
        assert!(refused > 500, "{refused}");
    }

    #[test]
    fn a_key_is_read_whatever_became_of_its_line_ends() {
        let key = pem("PRIVATE KEY", KEY);
        for end in ["\n", "\r\n", "\r", "\\n", "\\r\\n", "\\\\n", "", " "] {
            assert_eq!(counts(key.replace('\n', end).as_bytes()), (0, 1), "{end:?}");
            let both = pem("CERTIFICATE", CERTIFICATE) + &key + &pem("CERTIFICATE", CERTIFICATE);
            assert_eq!(counts(both.replace('\n', end).as_bytes()), (2, 1), "{end:?}");
        }
    }

    #[test]
    fn a_trusted_certificate_is_trusted_for_what_it_says() {
        use crate::dial::der::der;
        let (server, any) = (der(OBJECT, SERVER_AUTH), der(OBJECT, ANY_USAGE));
        let mail = der(OBJECT, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04]);
        let alias = der(0x0c, b"mine");
        let (trust, reject) =
            (|uses: &[&[u8]]| der(SEQUENCE, &uses.concat()), |uses: &[&[u8]]| der(REJECTED, &uses.concat()));
        for (what, uses, trusted) in [
            ("nothing follows", None, true),
            ("nothing is said", Some(vec![]), true),
            ("only its name", Some(alias.clone()), true),
            ("for servers", Some(trust(&[&server])), true),
            ("for mail and servers", Some([trust(&[&mail, &server]), alias].concat()), true),
            ("for all", Some(trust(&[&any])), true),
            ("for mail", Some(trust(&[&mail])), false),
            ("for nothing", Some(trust(&[])), false),
            ("not for servers", Some(reject(&[&server])), false),
            ("not for mail nor servers", Some(reject(&[&mail, &server])), false),
            ("not at all", Some(reject(&[&any])), false),
            ("not for mail", Some(reject(&[&mail])), true),
            ("for servers and not for servers", Some([trust(&[&server]), reject(&[&server])].concat()), false),
            ("for mail and not for mail", Some([trust(&[&mail]), reject(&[&mail])].concat()), false),
            ("damaged", Some(vec![SEQUENCE, 9]), false),
        ] {
            let uses = uses.map(|uses| der(SEQUENCE, &uses)).unwrap_or_default();
            let file = pem("TRUSTED CERTIFICATE", &[CERTIFICATE, &uses].concat());
            let roots = read(file.as_bytes()).and_then(PemContents::roots);
            assert_eq!(roots.is_ok(), trusted, "{what}: {roots:?}");
            assert!(roots.err().is_none_or(|message| message.contains("TRUSTED CERTIFICATE")));
            assert_eq!(counts(file.as_bytes()), (1, 0), "a client may show it");
            let beside = file + &pem("CERTIFICATE", KEY);
            assert_eq!(
                read(beside.as_bytes()).and_then(PemContents::roots).map(|roots| roots.len()),
                Ok(1 + usize::from(trusted))
            );
        }
    }

    #[test]
    fn keys_are_read_beside_what_else_there_is() {
        for (text, expected) in [
            (pem("PRIVATE KEY", KEY), (0, 1)),
            (pem("RSA PRIVATE KEY", KEY), (0, 1)),
            (pem("EC PARAMETERS", &[6, 1, 42]) + &pem("EC PRIVATE KEY", KEY), (0, 1)),
            (pem("CERTIFICATE", CERTIFICATE) + &pem("PRIVATE KEY", KEY) + &pem("CERTIFICATE", CERTIFICATE), (2, 1)),
            (pem("PRIVATE KEY", KEY) + &pem("PRIVATE KEY", KEY), (0, 2)),
        ] {
            assert_eq!(counts(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(counts(KEY), (0, 1));
    }

    #[test]
    fn what_can_t_be_used_is_said_plainly() {
        let legacy =
            pem("RSA PRIVATE KEY", KEY).replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1);
        let as_certificate = |bytes: &[u8]| read(bytes).and_then(PemContents::certificates).unwrap_err();
        let as_key = |bytes: &[u8]| read(bytes).and_then(PemContents::keys).unwrap_err();
        for (bytes, says) in [
            (b"".to_vec(), "is empty"),
            (b" \r\n".to_vec(), "is empty"),
            (b"not PEM at all".to_vec(), "BEGIN CERTIFICATE"),
            (pem("PRIVATE KEY", KEY).into_bytes(), "wrong way round"),
            (pem("ENCRYPTED PRIVATE KEY", KEY).into_bytes(), "wrong way round"),
            (KEY.to_vec(), "wrong way round"),
            (pem("CERTIFICATE REQUEST", KEY).into_bytes(), "certificate request"),
            (pem("PKCS7", KEY).into_bytes(), "openssl pkcs7"),
            (pem("DH\u{1b}[31m", KEY).into_bytes(), "only something of a name that is not known"),
            (pem("X509 CRL", KEY).into_bytes(), "only X509 CRL"),
            (b"-----BEGIN CERTIFICATE-----\nMAA=\n".to_vec(), "cut off: the part that begins in line 1"),
            (
                pem("CERTIFICATE", CERTIFICATE).replace("MAUw", "M?Uw").into_bytes(),
                "line 1 (CERTIFICATE) is not base64",
            ),
            (("x\n-----BEGIN CERTIFICATE-----\n".to_owned() + &pem("CERTIFICATE", CERTIFICATE)).into_bytes(), "line 2"),
            (pem("TRUSTED CERTIFICATE", &[0x30, 0x50]).into_bytes(), "damaged certificate in line 1"),
            (vec![0x30, 0x03, 0x02, 0x01, 0x03], "openssl pkcs12"),
            (vec![0x30, 0x0b, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02], "openssl pkcs7"),
            (vec![0x30, 0x02, 0x05, 0x00], "neither PEM nor"),
            (vec![0x30, 0x85, 1, 1, 1, 1, 1], "BEGIN CERTIFICATE"),
        ] {
            let message = as_certificate(&bytes);
            assert!(message.contains(says), "{}: {message}", String::from_utf8_lossy(&bytes));
        }
        for (bytes, says) in [
            (pem("ENCRYPTED PRIVATE KEY", KEY), "encrypted"),
            (legacy, "encrypted"),
            (pem("CERTIFICATE", CERTIFICATE) + &pem("ENCRYPTED PRIVATE KEY", KEY), "encrypted"),
            (pem("CERTIFICATE", CERTIFICATE), "wrong way round"),
            (pem("OPENSSH PRIVATE KEY", KEY), "SSH"),
            (pem("PUBLIC KEY", KEY), "public key"),
            (pem("EC PARAMETERS", &[6, 1, 42]), "BEGIN PRIVATE KEY"),
            (String::new(), "is empty"),
        ] {
            let message = as_key(bytes.as_bytes());
            assert!(message.contains(says), "{bytes}: {message}");
        }
    }
}
