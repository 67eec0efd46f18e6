//! Response headers as a list, in the order they came.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header names (lower-case) and values, in the order they came over HTTP/1.x. Over HTTP/2 the values of a repeated
/// name stand together, at the place of the first.
///
/// ```
/// # extern crate haul_core as haul;
/// use http::{HeaderName, HeaderValue, header};
/// use haul::model::HeaderList;
///
/// let headers = HeaderList::from_iter([(header::SERVER, HeaderValue::from_static("nginx"))]);
/// assert_eq!(headers.get(&header::SERVER).expect("there"), "nginx");
/// let names: Vec<&HeaderName> = headers.iter().map(|(name, _)| name).collect();
/// assert_eq!(names, [&header::SERVER]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderList(Vec<(HeaderName, HeaderValue)>);

impl HeaderList {
    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The headers of `map` in the order in which `names` has them, each occurrence of a name standing for its next
    /// value. What `names` lacks comes last.
    #[must_use]
    pub fn in_order(map: &HeaderMap, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let mut list = Vec::with_capacity(map.len());
        for name in names {
            let seen = list.iter().filter(|(other, _)| *other == name).count();
            if let Some(value) = map.get_all(&name).iter().nth(seen) {
                let value = value.clone();
                list.push((name, value));
            }
        }
        for name in map.keys() {
            let seen = list.iter().filter(|(other, _)| other == name).count();
            list.extend(map.get_all(name).iter().skip(seen).map(|value| (name.clone(), value.clone())));
        }
        Self(list)
    }
}

impl From<HeaderList> for HeaderMap {
    fn from(list: HeaderList) -> Self {
        let mut map = Self::with_capacity(list.0.len());
        list.0.into_iter().for_each(|(name, value)| {
            map.append(name, value);
        });
        map
    }
}

impl From<&HeaderMap> for HeaderList {
    fn from(map: &HeaderMap) -> Self {
        Self(map.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for HeaderList {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_keep_their_places() {
        let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).expect("name");
        let mut map = HeaderMap::new();
        for (header, value) in [("set-cookie", "a"), ("set-cookie", "b"), ("x-late", "l"), ("server", "s")] {
            map.append(name(header), HeaderValue::from_static(value));
        }
        let wire = ["set-cookie", "server", "x-dropped", "set-cookie"];
        let list = HeaderList::in_order(&map, wire.map(name));
        let pairs: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        assert_eq!(pairs, [("set-cookie", "a"), ("server", "s"), ("set-cookie", "b"), ("x-late", "l")]);
    }
}
