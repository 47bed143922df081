use super::rules::Links;
use super::texts::{Texts, column_of};
use hmac::{Hmac, Mac};
use meg_core::{DataError, Error, Result};
use sha2::Sha256;
use std::collections::HashMap;
use std::fmt;

/// The secret of keyed hashes.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// Fewest bytes of a key.
    pub const LEAST: usize = 16;

    /// A key from the bytes of a file. A line break at the end is no part of it, so that editors
    /// and programs mean the same key.
    ///
    /// # Errors
    /// A request error when it is too short or of one byte over and over.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let refuse = |problem: String| {
            Err(Error::Request(format!(
                "{problem}\n  help: make one with `openssl rand -hex 32 > key`, and keep it secret"
            )))
        };
        if bytes.len() < Self::LEAST {
            return refuse(format!(
                "the key has {} bytes; it needs at least {}, better 32",
                bytes.len(),
                Self::LEAST
            ));
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return refuse("the key is one byte over and over".into());
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The first hexadecimal digits of the hash of a text in a domain. The length in front of the
    /// domain keeps different pairs of domain and text apart.
    pub(super) fn hash(&self, domain: &str, text: &str, digits: usize) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(&(domain.len() as u64).to_le_bytes());
        mac.update(domain.as_bytes());
        mac.update(text.as_bytes());
        let bytes = mac.finalize().into_bytes();
        let mut hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.truncate(digits);
        hex
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// Hashes the texts of the columns of one rule.
///
/// # Errors
/// A data error when two values have the same digits.
pub(super) fn hash(
    columns: &[Texts<'_>],
    key: &Key,
    digits: usize,
    links: &Links,
) -> Result<Vec<Vec<Option<String>>>> {
    let mut taken: HashMap<(usize, String), String> = HashMap::new();
    let mut hashed = Vec::new();
    let names: Vec<&str> = columns.iter().map(|texts| texts.name).collect();
    let all = names.join("\n");
    for (at, texts) in columns.iter().enumerate() {
        // Domains keep equal values of different columns apart, unless they are to be linked.
        let (domain, scope) = match links {
            Links::Column => (texts.name, at),
            Links::Rule => (all.as_str(), 0),
            Links::Domain(domain) => (domain.as_str(), 0),
        };
        let mut known: HashMap<&str, String> = HashMap::new();
        for text in texts.present() {
            if known.contains_key(text) {
                continue;
            }
            let hash = key.hash(domain, text, digits);
            let first = taken.entry((scope, hash.clone())).or_insert_with(|| text.to_owned());
            if first != text {
                let problem = format!("two values have the same {digits} digits of their hashes");
                return Err(DataError::new(problem)
                    .column(texts.name)
                    .advice("raise `digits` in the rule")
                    .into());
            }
            known.insert(text, hash);
        }
        hashed.push(column_of(texts, |text| known[text].clone()));
    }
    Ok(hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_and_a_line_break_is_no_part() {
        assert!(Key::new(b"0123456789abcde").unwrap_err().to_string().contains("15 bytes"));
        assert!(Key::new(&[7; 40]).unwrap_err().to_string().contains("over and over"));
        let key = |bytes: &[u8]| Key::new(bytes).unwrap().hash("d", "x", 64);
        assert_eq!(key(b"0123456789abcdef"), key(b"0123456789abcdef\r\n"));
        assert_ne!(key(b"0123456789abcdef"), key(b"0123456789abcdeg"));
        let secret = Key::new(b"0123456789abcdef").unwrap();
        assert!(!format!("{secret:?}").contains("0123"));
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231 checks the primitive in its crate; this pins how domain and text enter. The
        // value was computed with the hmac module of Python 3.
        let key = Key::new(b"0123456789abcdef").unwrap();
        assert_eq!(key.hash("SSN", "123-45-6789", 64), EXPECTED);
        assert_eq!(key.hash("SSN", "123-45-6789", 8), EXPECTED[..8]);
        assert_ne!(key.hash("SS", "N123-45-6789", 64), EXPECTED);
    }

    const EXPECTED: &str = "d9959d4f720c3c545936e12d83c049c9b850393cd513ec627154eff99ce8f81c";
}
