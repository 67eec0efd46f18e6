//! What a document says of its own charset.
//!
//! For pages the HTML Standard's "prescan a byte stream to determine its encoding", step by step, but that what stands in
//! elements without markup in them (`script`, `style`, `title` and their like) is passed over: the standard's steps would
//! find a `meta` there, no browser does.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use memchr::{memchr, memchr2, memmem};

use super::kind::Kind;
use super::label_of;

/// Bytes of a document that are looked at, as the HTML Standard and CSS Syntax have it.
const START: usize = 1024;

/// The encoding that a document of this sort declares in its first 1024 bytes.
pub(super) fn declared(kind: Kind, body: &[u8]) -> Option<&'static Encoding> {
    let start = &body[..body.len().min(START)];
    match kind {
        Kind::Html => utf_16(start).or_else(|| scan(start, false).ok()).or_else(|| xml(start)),
        // XML has nothing before its declaration; many feeds have an empty line there.
        Kind::Xml => utf_16(start).or_else(|| xml(start.trim_ascii_start())),
        Kind::Css => css(start),
        Kind::Json | Kind::Utf8 | Kind::Media | Kind::Other => None,
    }
}

/// The encoding that a page declares in its head, however long that is: browsers read on to the head's end for it.
pub(super) fn in_head(page: &[u8]) -> Option<&'static Encoding> {
    scan(page, true).ok()
}

/// The beginning of an XML declaration in UTF-16.
fn utf_16(start: &[u8]) -> Option<&'static Encoding> {
    if start.starts_with(b"<\0?\0x\0") {
        Some(UTF_16LE)
    } else if start.starts_with(b"\0<\0?\0x") {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// What could be read byte by byte to find this name is not in UTF-16.
fn readable(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding }
}

/// The encoding in an XML declaration ("get an XML encoding").
fn xml(start: &[u8]) -> Option<&'static Encoding> {
    let declaration = start.strip_prefix(b"<?xml")?;
    let declaration = &declaration[..memchr(b'>', declaration)?];
    let after = &declaration[memmem::find(declaration, b"encoding")? + b"encoding".len()..];
    let value = trim_start(trim_start(after).strip_prefix(b"=")?);
    let (&quote, value) = value.split_first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let label = &value[..memchr(quote, value)?];
    if label.iter().any(|&byte| byte <= b' ') {
        return None;
    }
    label_of(label).map(readable)
}

/// Without the white space of an XML declaration, as the HTML Standard reads it.
fn trim_start(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|&byte| byte > b' ').unwrap_or(text.len());
    &text[from..]
}

/// The encoding that a style sheet begins with (CSS Syntax, "determine the fallback encoding").
fn css(start: &[u8]) -> Option<&'static Encoding> {
    let value = start.strip_prefix(b"@charset \"")?;
    let (label, rest) = value.split_at(memchr(b'"', value)?);
    if rest.starts_with(b"\";") { label_of(label).map(readable) } else { None }
}

/// The bytes are at their end, or what is looked for can't come any more.
struct EndOfInput;

/// Elements that hold text and no tags; `script` has rules of its own.
const RAW: [&[u8]; 7] = [b"style", b"title", b"textarea", b"xmp", b"iframe", b"noembed", b"noframes"];

/// Elements that do not end a page's head.
const OF_HEAD: [&[u8]; 10] =
    [b"html", b"head", b"meta", b"script", b"style", b"title", b"link", b"base", b"object", b"noscript"];

/// The encoding in the first `meta` that declares one. `head`: only up to the first tag that can't be in a head.
fn scan(bytes: &[u8], head: bool) -> Result<&'static Encoding, EndOfInput> {
    let mut cursor = Cursor { bytes, at: 0 };
    loop {
        cursor.to(b'<')?;
        let tag = cursor.rest();
        let second = *tag.get(1).ok_or(EndOfInput)?;
        let closes = usize::from(second == b'/');
        if tag.starts_with(b"<!--") {
            // The dashes at the beginning may be those of the end, too.
            cursor.at += 2 + memmem::find(&tag[2..], b"-->").ok_or(EndOfInput)? + 2;
        } else if begins_meta(tag) {
            cursor.at += b"<meta".len();
            if let Some(encoding) = meta(&mut cursor)? {
                return Ok(encoding);
            }
        } else if tag.get(1 + closes).is_some_and(u8::is_ascii_alphabetic) {
            let name = cursor.name(1 + closes)?;
            if head && !(is_one_of(name, &OF_HEAD) && (closes == 0 || !name.eq_ignore_ascii_case(b"head"))) {
                return Err(EndOfInput);
            }
            while cursor.attribute()?.is_some() {}
            if closes == 0 && name.eq_ignore_ascii_case(b"script") {
                cursor.past_end_of_script()?;
            } else if closes == 0 && is_one_of(name, &RAW) {
                cursor.past_end_of(name)?;
            } else if closes == 0 && name.eq_ignore_ascii_case(b"plaintext") {
                // It has no end.
                return Err(EndOfInput);
            }
        } else if matches!(second, b'!' | b'/' | b'?') {
            cursor.to(b'>')?;
        }
        cursor.at += 1;
    }
}

fn begins_meta(tag: &[u8]) -> bool {
    tag.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"<meta"))
        && tag.get(5).is_some_and(|&byte| is_space(byte) || byte == b'/')
}

/// Whether a tag's name, here, is this one.
fn begins_with_name(tag: &[u8], name: &[u8]) -> bool {
    tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && tag.get(name.len()).is_some_and(|&byte| is_space(byte) || matches!(byte, b'/' | b'>'))
}

fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one))
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// Reads a `meta` element's attributes; the encoding, if it declares one.
fn meta(cursor: &mut Cursor<'_>) -> Result<Option<&'static Encoding>, EndOfInput> {
    let mut seen = [false; 3];
    let (mut is_pragma, mut needs_pragma) = (false, None);
    // What was said: an encoding, or a label that is none.
    let mut charset: Option<Option<&'static Encoding>> = None;
    while let Some(Attribute { name, value }) = cursor.attribute()? {
        let names: [&[u8]; 3] = [b"http-equiv", b"content", b"charset"];
        let Some(which) = names.iter().position(|one| *one == name) else { continue };
        if std::mem::replace(&mut seen[which], true) {
            continue;
        }
        match which {
            0 => is_pragma = value == b"content-type",
            1 => {
                let named = from_content(&value);
                if named.is_some() && charset.is_none() {
                    (charset, needs_pragma) = (Some(named), Some(true));
                }
            }
            _ => (charset, needs_pragma) = (Some(label_of(&value)), Some(false)),
        }
    }
    let usable = needs_pragma.is_some_and(|needs| is_pragma || !needs);
    let encoding = charset.flatten().filter(|_| usable).map(readable);
    Ok(encoding.map(|encoding| if encoding == X_USER_DEFINED { WINDOWS_1252 } else { encoding }))
}

/// The encoding in a `content` attribute, in lower case ("extracting a character encoding from a meta element").
fn from_content(content: &[u8]) -> Option<&'static Encoding> {
    let mut rest = content;
    loop {
        rest = rest[memmem::find(rest, b"charset")? + b"charset".len()..].trim_ascii_start();
        let Some(value) = rest.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        return match value.first()? {
            &quote @ (b'"' | b'\'') => label_of(&value[1..1 + memchr(quote, &value[1..])?]),
            _ => {
                let ends = |byte: &u8| is_space(*byte) || *byte == b';';
                label_of(&value[..value.iter().position(ends).unwrap_or(value.len())])
            }
        };
    }
}

/// An attribute, in lower case.
struct Attribute {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// A place in a page.
struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> Result<u8, EndOfInput> {
        self.bytes.get(self.at).copied().ok_or(EndOfInput)
    }

    /// Goes to the next `byte`.
    fn to(&mut self, byte: u8) -> Result<(), EndOfInput> {
        self.at += memchr(byte, self.rest()).ok_or(EndOfInput)?;
        Ok(())
    }

    /// Goes past white space.
    fn past_space(&mut self) -> Result<(), EndOfInput> {
        while is_space(self.byte()?) {
            self.at += 1;
        }
        Ok(())
    }

    /// The name of the tag here, which begins `from` bytes on; goes to its end.
    fn name(&mut self, from: usize) -> Result<&'b [u8], EndOfInput> {
        let tag = self.rest();
        let length = tag[from..].iter().position(|&byte| is_space(byte) || byte == b'>').ok_or(EndOfInput)?;
        self.at += from + length;
        let name = &tag[from..from + length];
        // Before a slash it is the name that a browser reads.
        Ok(&name[..memchr(b'/', name).unwrap_or(length)])
    }

    /// Goes to the end of the end tag of this element, which holds text alone.
    fn past_end_of(&mut self, name: &[u8]) -> Result<(), EndOfInput> {
        loop {
            self.at += memmem::find(self.rest(), b"</").ok_or(EndOfInput)? + 2;
            if begins_with_name(self.rest(), name) {
                return self.to(b'>');
            }
        }
    }

    /// Goes to the end of a script's end tag. Within `<!--` and `-->` a script may hold another, which ends before it (HTML Standard,
    /// "script data double escaped state").
    fn past_end_of_script(&mut self) -> Result<(), EndOfInput> {
        let (mut in_comment, mut in_inner) = (false, false);
        loop {
            self.at += memchr2(b'<', b'-', self.rest()).ok_or(EndOfInput)?;
            let rest = self.rest();
            if in_comment && rest.starts_with(b"-->") {
                (in_comment, in_inner) = (false, false);
            } else if let Some(name) = rest.strip_prefix(b"</").filter(|name| begins_with_name(name, b"script")) {
                if !in_inner {
                    self.at = self.bytes.len() - name.len();
                    return self.to(b'>');
                }
                in_inner = false;
            } else if in_comment {
                in_inner |= rest.strip_prefix(b"<").is_some_and(|name| begins_with_name(name, b"script"));
            } else if rest.starts_with(b"<!--") {
                in_comment = true;
                // The dashes at the beginning may be those of the end, too.
                self.at += 1;
            }
            self.at += 1;
        }
    }

    /// The next attribute of the tag here, or `None` at the tag's end ("get an attribute").
    fn attribute(&mut self) -> Result<Option<Attribute>, EndOfInput> {
        while is_space(self.byte()?) || self.byte()? == b'/' {
            self.at += 1;
        }
        if self.byte()? == b'>' {
            return Ok(None);
        }
        let mut attribute = Attribute { name: Vec::new(), value: Vec::new() };
        loop {
            match self.byte()? {
                b'=' if !attribute.name.is_empty() => break,
                b'/' | b'>' => return Ok(Some(attribute)),
                byte if is_space(byte) => {
                    self.past_space()?;
                    if self.byte()? != b'=' {
                        return Ok(Some(attribute));
                    }
                    break;
                }
                byte => attribute.name.push(byte.to_ascii_lowercase()),
            }
            self.at += 1;
        }
        self.at += 1;
        self.past_space()?;
        match self.byte()? {
            quote @ (b'"' | b'\'') => {
                self.at += 1;
                let from = self.at;
                self.to(quote)?;
                attribute.value = self.bytes[from..self.at].to_ascii_lowercase();
                self.at += 1;
            }
            _ => {
                let from = self.at;
                while !is_space(self.byte()?) && self.byte()? != b'>' {
                    self.at += 1;
                }
                attribute.value = self.bytes[from..self.at].to_ascii_lowercase();
            }
        }
        Ok(Some(attribute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of the encoding that a page declares in its first bytes.
    fn page(page: &str) -> &'static str {
        declared(Kind::Html, page.as_bytes()).map_or("none", Encoding::name)
    }

    #[test]
    fn a_meta_element_declares() {
        for text in [
            "<meta charset=iso-8859-2>",
            "<META CHARSET='ISO-8859-2'>",
            "<meta charset=\"latin2\"/>",
            "<meta/charset=latin2>",
            "<meta\ncharset\t=\x0c'latin2'>",
            "<meta charset=\"\nlatin2 \">",
            "<!doctype html><html lang=ru><head><title>t</title><meta name=a content=b><meta charset=latin2>",
            "<meta <meta charset=latin2>",
            "<meta x=y charset=latin2 charset=gbk>",
            "<meta http-equiv=Content-Type content='text/html; charset=latin2'>",
            "<meta content=\"text/html; charset=latin2\" http-equiv=\"content-type\">",
            "<meta http-equiv=content-type content='charset charset = \"latin2\"'>",
            "<meta http-equiv=content-type content=\"x; charset='latin2' y\">",
            "<meta http-equiv=content-type content=text/html;charset=latin2>",
            // What follows is the charset attribute, not a part of the content.
            "<meta http-equiv=content-type content=text/html; charset=latin2>",
            "<meta content='text/html; charset=latin2' charset=latin2>",
        ] {
            assert_eq!(page(text), "ISO-8859-2", "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_declaration_is_none() {
        for text in [
            "",
            "<",
            "<meta",
            "<meta charset=latin2",
            "<meta charset=\"latin2>",
            "<metacharset=latin2>",
            "<meta charset>",
            "<meta charset=>",
            "<meta charset=no-such>",
            "<meta name=x content='text/html; charset=latin2'>",
            "<meta content='text/html; charset=latin2'>",
            "<meta http-equiv=refresh content='0; charset=latin2'>",
            "<meta http-equiv='content-type ' content='text/html; charset=latin2'>",
            "<meta http-equiv=content-type content='text/html; charset=\"latin2'>",
            "<meta http-equiv=content-type content='text/html; charset latin2'>",
            "<meta http-equiv=content-type content='text/html' x='charset=latin2'>",
            // A label that is none is one all the same: what follows does not replace it.
            "<meta charset=no-such http-equiv=content-type content='charset=latin2'>",
            // Others' charsets, and what is no markup.
            "<meta name=viewport content=width><script src=x charset=latin2></script>",
            "<meta name=a><link rel=stylesheet charset=latin2 href=x>",
            "<meta name=a><a href='?charset=latin2'>",
            "<meta name=a><script>var charset=latin2;</script>",
            "<script>document.write('<meta charset=latin2>')</script>",
            "<SCRIPT>'</scripty><meta charset=latin2>'</SCRIPT >",
            "<style><meta charset=latin2></style>",
            "<title><meta charset=latin2></title>",
            "<textarea><meta charset=latin2></textarea>",
            "<script>\"<meta charset=latin2>",
            "<script><!--<script></script><meta charset=latin2>",
            "<script><!-- <SCRIPT/> </script\t> <script> </script> <meta charset=latin2>",
            "<script><!----<script ></script><meta charset=latin2>",
            "<script><!--<script></script>--><meta charset=latin2>",
            "<plaintext><meta charset=latin2>",
            "<PlainText x=y></plaintext><meta charset=latin2>",
            "<!-- <meta charset=latin2> -->",
            "<!-- > <meta charset=latin2>",
            "<!-- -- > <meta charset=latin2>",
            "<![CDATA[<meta charset=latin2>]]>",
            "<?php <meta charset=latin2>",
            "</ <meta charset=latin2>",
            "<p title='<meta charset=latin2>'>",
            "{\"html\": \"charset=latin2\"}",
        ] {
            assert_eq!(page(text), "none", "{text}");
        }
    }

    #[test]
    fn a_declaration_after_what_is_none_is_found() {
        for before in [
            "<!-->",
            "<!--->",
            "<!-- <meta charset=gbk> -->",
            "<script>'<meta charset=gbk>'</script>",
            "<script></SCRIPT\n>",
            "<script><!--</script>",
            "<script><!--<script></script></script>",
            "<script><!--<script>--></script>",
            "<script><!--><script></script>",
            "<script><!---><script></script>",
            "<script><!--<scripty></script>",
            "<script><!-<script></script>",
            "<script>--<script></script>",
            "<script><!--<script></scripty></script></script>",
            "</plaintext>",
            "<plaintexts>",
            "<title/>x</title/>",
            "<meta charset=no-such>",
            "<meta name=x content='charset=gbk'>",
            "<p><b>text</b>",
            "a < b <1 ",
            "<!doctype>",
            "<?xml version='1.0'?>",
            "</>",
            "<object>",
            "<template>",
            "<svg>",
            "<noscript>",
        ] {
            assert_eq!(page(&format!("{before}<meta charset=latin2>")), "ISO-8859-2", "{before}");
        }
    }

    #[test]
    fn some_names_stand_for_another() {
        assert_eq!(page("<meta charset=utf-16>"), "UTF-8");
        assert_eq!(page("<meta charset=utf-16be>"), "UTF-8");
        assert_eq!(page("<meta http-equiv=content-type content='charset=unicode'>"), "UTF-8");
        assert_eq!(page("<meta charset=x-user-defined>"), "windows-1252");
        assert_eq!(page("<meta charset=iso-8859-1>"), "windows-1252");
        assert_eq!(page("<meta charset=iso-2022-kr>"), "replacement");
        assert_eq!(page("<?xml version='1.0' encoding='utf-16'?>"), "UTF-8");
    }

    #[test]
    fn only_the_first_1024_bytes_count_at_first() {
        let page = |space: usize| format!("{}<meta charset=latin2>", " ".repeat(space));
        let meta = page(0).len();
        assert_eq!(declared(Kind::Html, page(START - meta).as_bytes()).map(Encoding::name), Some("ISO-8859-2"));
        assert_eq!(declared(Kind::Html, page(START - meta + 1).as_bytes()), None);
        assert_eq!(in_head(page(100_000).as_bytes()).map(Encoding::name), Some("ISO-8859-2"));
    }

    #[test]
    fn beyond_them_the_head_is_read_to_its_end() {
        let found = |text: &str| in_head(text.as_bytes()).map_or("none", Encoding::name);
        for text in [
            "<!doctype html><html><head><script>if (a<b) '</p>';</script><link x><base y><meta charset=latin2></head>",
            "<html><noscript></noscript><object></object><style><p></style><meta charset=latin2>",
        ] {
            assert_eq!(found(text), "ISO-8859-2", "{text}");
        }
        for text in [
            "<head></head><meta charset=latin2>",
            "<head><bogus><meta charset=latin2>",
            "<body><meta charset=latin2>",
            "<noscript><template></template><meta charset=latin2></noscript>",
        ] {
            assert_eq!(found(text), "none", "{text}");
        }
    }

    #[test]
    fn xml_declares_in_its_declaration() {
        let xml = |text: &str| declared(Kind::Xml, text.as_bytes()).map_or("none", Encoding::name);
        for text in [
            "<?xml version=\"1.0\" encoding=\"iso-8859-2\"?>",
            "<?xml encoding = 'latin2' standalone='yes'?><a/>",
            "\r\n<?xml encoding='latin2'?>",
        ] {
            assert_eq!(xml(text), "ISO-8859-2", "{text}");
        }
        for text in [
            "<?xml version='1.0'?><a encoding='latin2'/>",
            "<?xml encoding='latin2'",
            "<?xml encoding=latin2?>",
            "<?xml encoding='latin 2'?>",
            "<?xml Encoding='latin2'?>",
            "<!-- --><?xml encoding='latin2'?>",
            "<html><meta charset=latin2></html>",
        ] {
            assert_eq!(xml(text), "none", "{text}");
        }
        assert_eq!(xml("<\0?\0x\0m\0l\0"), "UTF-16LE");
        assert_eq!(xml("\0<\0?\0x\0m\0l"), "UTF-16BE");
        // A page may have one, too; its meta comes first.
        assert_eq!(page("<?xml version='1.0' encoding='latin2'?><html>"), "ISO-8859-2");
        assert_eq!(page("<?xml version='1.0' encoding='latin2'?><meta charset=gbk>"), "GBK");
    }

    #[test]
    fn a_style_sheet_declares_with_its_first_bytes() {
        let css = |text: &str| declared(Kind::Css, text.as_bytes()).map_or("none", Encoding::name);
        assert_eq!(css("@charset \"latin2\"; p {}"), "ISO-8859-2");
        assert_eq!(css("@charset \"utf-16\";"), "UTF-8");
        for text in ["@charset 'latin2';", " @charset \"latin2\";", "@charset \"latin2\" ;", "@CHARSET \"latin2\";"] {
            assert_eq!(css(text), "none", "{text}");
        }
    }
}
