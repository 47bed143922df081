use crate::{Error, Result};
use rand::SeedableRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The generator behind every random decision: ChaCha with 8 rounds, the same stream in every
/// release and on every platform.
pub type Rng = rand_chacha::ChaCha8Rng;

/// The only source of randomness. Named streams are independent of each other, so a new use of
/// randomness in one place never changes the numbers drawn in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The generator for one purpose ("init", "batches", "sample").
    pub fn stream(self, purpose: &str) -> Rng {
        Rng::from_seed(self.digest("stream", purpose))
    }

    /// A seed for a part of the work (one cell of a benchmark, one metric).
    #[must_use]
    pub fn derive(self, part: &str) -> Seed {
        let digest = self.digest("derive", part);
        Seed(u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes")))
    }

    fn digest(self, domain: &str, name: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(domain);
        hash.update([0]);
        hash.update(self.0.to_le_bytes());
        hash.update(name);
        hash.finalize().into()
    }
}

/// How far a stream has been drawn, as plain data: a training that goes on draws the numbers that
/// an uninterrupted one would have drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamPosition {
    /// The key of the stream in hexadecimal digits, so that another seed or purpose is noticed.
    key: String,
    /// Words of 32 bits drawn so far, in decimal digits: JSON numbers end at 64 bits.
    words: String,
}

impl StreamPosition {
    /// Where this stream stands.
    pub fn of(rng: &Rng) -> Self {
        Self { key: key(rng), words: rng.get_word_pos().to_string() }
    }

    /// Moves a stream of the same seed and purpose here.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the stream is another one or the position is no number.
    pub fn restore(&self, rng: &mut Rng) -> Result<()> {
        if self.key != key(rng) {
            return Err(Error::Checkpoint("a random stream is of another seed or purpose".into()));
        }
        let words =
            self.words.parse().ok().filter(|&words| words < MOST_WORDS).ok_or_else(|| {
                Error::Checkpoint(format!("{:?} is no position of a random stream", self.words))
            })?;
        rng.set_word_pos(words);
        Ok(())
    }
}

/// ChaCha counts 2^64 blocks of 16 words.
const MOST_WORDS: u128 = 1 << 68;

fn key(rng: &Rng) -> String {
    rng.get_seed().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn a_stream_goes_on_from_its_position() {
        for drawn in [0, 1, 15, 16, 63, 64, 65, 1_000] {
            let mut rng = Seed(1).stream("a");
            (0..drawn).for_each(|_| _ = rng.next_u32());
            // An odd number of bytes costs whole words.
            rng.fill_bytes(&mut [0; 3]);
            let json = serde_json::to_string(&StreamPosition::of(&rng)).unwrap();
            let position: StreamPosition = serde_json::from_str(&json).unwrap();
            let mut again = Seed(1).stream("a");
            position.restore(&mut again).unwrap();
            for _ in 0..200 {
                assert_eq!(rng.next_u64(), again.next_u64(), "{drawn} words");
            }
            assert!(position.restore(&mut Seed(2).stream("a")).is_err());
            assert!(position.restore(&mut Seed(1).stream("b")).is_err());
        }
        let wrong =
            |words: &str| StreamPosition { key: key(&Seed(1).stream("a")), words: words.into() };
        for words in ["", "-1", "x", "295147905179352825856"] {
            assert!(wrong(words).restore(&mut Seed(1).stream("a")).is_err(), "{words}");
        }
    }

    #[test]
    fn streams_are_fixed_for_all_time() {
        assert_eq!(Seed(1).stream("init").next_u64(), 15_698_015_626_419_070_787);
    }

    #[test]
    fn streams_differ_by_seed_and_by_purpose() {
        let first = |seed: Seed, purpose| seed.stream(purpose).next_u64();
        assert_eq!(first(Seed(1), "a"), first(Seed(1), "a"));
        assert_ne!(first(Seed(1), "a"), first(Seed(1), "b"));
        assert_ne!(first(Seed(1), "a"), first(Seed(2), "a"));
        assert_ne!(Seed(1).derive("a"), Seed(1).derive("b"));
    }
}
