use super::{UnitCode, known, likeliest};
use meg_core::{Error, Result, Rng};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// One unit per level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneHot {
    levels: usize,
}

impl OneHot {
    /// For codes `0..levels`.
    pub fn new(levels: usize) -> Self {
        Self { levels }
    }
}

impl UnitCode for OneHot {
    fn levels(&self) -> usize {
        self.levels
    }

    fn width(&self) -> usize {
        self.levels
    }

    fn write(&self, code: u32, out: &mut [f32], _rng: &mut Rng) -> Result<()> {
        known(code, self.levels)?;
        out.fill(0.0);
        out[code as usize] = 1.0;
        Ok(())
    }

    fn read(&self, units: &[f32]) -> u32 {
        likeliest(units)
    }
}

/// One unit per level, blurred (TGAN, Xu and Veeramachaneni 2018, section 3.3): every unit gets a
/// uniform draw from `[0, gamma)`, then all are divided by their sum.
///
/// Law: comes back exactly, because gamma is below 1; units lie in `[0, 1]` and sum to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SmoothedOneHot {
    levels: usize,
    gamma: f32,
}

impl SmoothedOneHot {
    /// For codes `0..levels`; published: gamma 0.2.
    ///
    /// # Errors
    /// A recipe error when gamma is not in `[0, 1)`.
    pub fn new(levels: usize, gamma: f32) -> Result<Self> {
        if !(0.0..1.0).contains(&gamma) {
            let problem = format!("should be in [0, 1), but is {gamma}");
            return Err(Error::Recipe { key: "gamma".into(), problem });
        }
        Ok(Self { levels, gamma })
    }
}

impl UnitCode for SmoothedOneHot {
    fn levels(&self) -> usize {
        self.levels
    }

    fn width(&self) -> usize {
        self.levels
    }

    fn write(&self, code: u32, out: &mut [f32], rng: &mut Rng) -> Result<()> {
        known(code, self.levels)?;
        out.iter_mut().for_each(|unit| *unit = self.gamma * rng.random::<f32>());
        out[code as usize] += 1.0;
        let sum: f32 = out.iter().sum();
        out.iter_mut().for_each(|unit| *unit /= sum);
        Ok(())
    }

    fn read(&self, units: &[f32]) -> u32 {
        likeliest(units)
    }
}
