//! Certificates and keys in files, as people have them: PEM with whatever is around it, or DER. Pure.
//!
//! Read is all that OpenSSL and curl read; what can't be used is said by its name.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What a file has, each kind in its order.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
    /// Keys that a passphrase protects.
    encrypted: usize,
    /// What else there is, by the labels of its sections.
    others: Vec<String>,
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
pub(super) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let mut contents = Contents { empty: bytes.iter().all(u8::is_ascii_whitespace), ..Contents::default() };
    if bytes.first() == Some(&0x30) && whole_der(bytes) == Some(bytes.len()) {
        contents.take_der(bytes)?;
        return Ok(contents);
    }
    let text = text(bytes);
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        // Anything may stand between the sections, and does: names, dates, comments.
        let Some(label) = marker(line, "BEGIN") else { continue };
        let mut body = String::new();
        let mut encrypted = false;
        loop {
            let Some((_, line)) = lines.next() else {
                return Err(format!("is cut off: the part that begins in line {number} ({label}) has no end"));
            };
            if marker(line, "END").is_some() {
                break;
            }
            if marker(line, "BEGIN").is_some() {
                return Err(format!("is damaged: the part that begins in line {number} ({label}) has no end"));
            }
            // Headers (RFC 1421), which old keys have when they are encrypted.
            encrypted |= line.starts_with("Proc-Type:") && line.contains("ENCRYPTED");
            if !line.contains(':') {
                body.extend(line.chars().filter(|c| !c.is_whitespace()));
            }
        }
        if encrypted || label == "ENCRYPTED PRIVATE KEY" {
            contents.encrypted += 1;
            continue;
        }
        let der = LENIENT
            .decode(&body)
            .map_err(|_| format!("is damaged: the part that begins in line {number} ({label}) is not base64"))?;
        contents.take(label, der, number)?;
    }
    Ok(contents)
}

/// The text of a file: without a byte order mark, and as it was before an editor made UTF-16 of it.
fn text(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    }
}

/// The label of a line that begins or ends a section.
fn marker<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.trim().strip_prefix("-----")?.strip_prefix(word)?.strip_prefix(' ')?;
    rest.strip_suffix("-----").map(str::trim)
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

impl Contents {
    fn take(&mut self, label: &str, der: Vec<u8>, line: usize) -> Result<(), String> {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => self.certificates.push(der.into()),
            // OpenSSL's own: the certificate, and behind it what it is trusted for.
            "TRUSTED CERTIFICATE" => {
                let length = whole_der(&der);
                let length =
                    length.ok_or_else(|| format!("has a damaged certificate in line {line} (TRUSTED CERTIFICATE)"))?;
                self.certificates.push(der[..length].to_vec().into());
            }
            "PRIVATE KEY" => self.keys.push(PrivateKeyDer::Pkcs8(der.into())),
            "RSA PRIVATE KEY" => self.keys.push(PrivateKeyDer::Pkcs1(der.into())),
            "EC PRIVATE KEY" => self.keys.push(PrivateKeyDer::Sec1(der.into())),
            "EC PARAMETERS" | "DH PARAMETERS" => {}
            other => self.others.push(other.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(40).collect()),
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
        Some(match first.as_str() {
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
        ] {
            let certificates = read(&bytes).and_then(Contents::certificates);
            assert_eq!(certificates, Ok(vec![CERTIFICATE.to_vec().into()]), "{what}");
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
        let as_certificate = |bytes: &[u8]| read(bytes).and_then(Contents::certificates).unwrap_err();
        let as_key = |bytes: &[u8]| read(bytes).and_then(Contents::keys).unwrap_err();
        for (bytes, says) in [
            (b"".to_vec(), "is empty"),
            (b" \r\n".to_vec(), "is empty"),
            (b"not PEM at all".to_vec(), "BEGIN CERTIFICATE"),
            (pem("PRIVATE KEY", KEY).into_bytes(), "wrong way round"),
            (pem("ENCRYPTED PRIVATE KEY", KEY).into_bytes(), "wrong way round"),
            (KEY.to_vec(), "wrong way round"),
            (pem("CERTIFICATE REQUEST", KEY).into_bytes(), "certificate request"),
            (pem("PKCS7", KEY).into_bytes(), "openssl pkcs7"),
            (pem("DH\u{1b}[31m", KEY).into_bytes(), "only DH[31m"),
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
