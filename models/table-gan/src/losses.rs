//! The three losses of Park et al. 2018, section 4.2, and the forms that the two implementations
//! give them.

use crate::codec::Label;
use crate::plan::Plan;
use crate::settings::{Classification, Information, TableGan};
use candle_core::{DType, Device, Result, Tensor};
use meg_core::TrainingState;
use neural::layers::activation::{abs, relu, sigmoid, softplus};
use neural::layers::loss::{
    batch_moments, binary_cross_entropy, binary_cross_entropy_to, distance, hinge,
};
use neural::layers::{MovingAverage, host_tensor};
use transforms::Padding;

/// The discriminator's original loss: real rows are to be judged 1, generated ones 0.
pub(crate) fn original_of_discriminator(
    real: &Tensor,
    generated: &Tensor,
    floor: f64,
) -> Result<Tensor> {
    judged(real, 1.0, floor)? + judged(generated, 0.0, floor)?
}

/// The generator's original loss: its rows are to be judged 1.
pub(crate) fn original_of_generator(generated: &Tensor, floor: f64) -> Result<Tensor> {
    judged(generated, 1.0, floor)
}

/// The mean of `-log(p + floor)` for a target of 1, of `-log(1 - p + floor)` for 0.
fn judged(logits: &Tensor, target: f64, floor: f64) -> Result<Tensor> {
    if floor == 0.0 {
        return binary_cross_entropy_to(logits, target);
    }
    // 1 - p of a logit is p of its opposite.
    let logits = logits.affine(2.0 * target - 1.0, 0.0)?;
    sigmoid(&logits)?.affine(1.0, floor)?.log()?.mean_all()?.neg()
}

/// The moving moments of real and generated features.
#[derive(Debug)]
pub(crate) struct Averages {
    /// Means, then standard deviations or variances; of each the real, then the generated.
    moving: [[MovingAverage; 2]; 2],
}

const NAMES: [[&str; 2]; 2] =
    [["real mean", "generated mean"], ["real spread", "generated spread"]];

impl Averages {
    pub(crate) fn new(recipe: &TableGan) -> Result<Self> {
        let one = || MovingAverage::new(recipe.average);
        Ok(Self { moving: [[one()?, one()?], [one()?, one()?]] })
    }

    /// The information loss of generated rows against real ones: features and cells are rows x
    /// width. Gradients flow through the generated ones.
    pub(crate) fn information(
        &mut self,
        recipe: &TableGan,
        features: (&Tensor, &Tensor),
        cells: (&Tensor, &Tensor),
    ) -> Result<Tensor> {
        let deltas = [recipe.delta_mean, recipe.delta_sd];
        let mut sum = None;
        let pairs = match recipe.information {
            Information::Cells => self.of_batch(cells)?,
            kind => self.of_features(kind, features)?,
        };
        for ((real, generated), delta) in pairs.into_iter().zip(deltas) {
            let part = match recipe.information {
                Information::Features => hinge(&distance(&real, &generated)?, delta)?,
                // The margin is per feature there, but within the sum.
                Information::Variance | Information::Cells => {
                    let cells = real.elem_count() as f64;
                    relu(&abs(&(real - generated)?)?.sum_all()?.affine(1.0, -cells * delta)?)?
                }
            };
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        Ok(sum.expect("there are two moments"))
    }

    fn of_features(
        &mut self,
        kind: Information,
        (real, generated): (&Tensor, &Tensor),
    ) -> Result<[(Tensor, Tensor); 2]> {
        let moments = |features: &Tensor| -> Result<[Tensor; 2]> {
            let (mean, deviation) = batch_moments(features)?;
            Ok(match kind {
                Information::Variance => [mean, deviation.sqr()?],
                Information::Features | Information::Cells => [mean, deviation],
            })
        };
        let moments: [[Tensor; 2]; 2] = [moments(real)?, moments(generated)?];
        let mut moved = |at: usize| -> Result<(Tensor, Tensor)> {
            let [one, other] = &mut self.moving[at];
            Ok((one.update(&moments[0][at])?, other.update(&moments[1][at])?))
        };
        Ok([moved(0)?, moved(1)?])
    }

    /// Means and standard deviations (over n - 1, as PyTorch has it) of the batch's own cells.
    fn of_batch(&self, (real, generated): (&Tensor, &Tensor)) -> Result<[(Tensor, Tensor); 2]> {
        let rows = real.dim(0)? as f64;
        let unbiased = if rows > 1.0 { (rows / (rows - 1.0)).sqrt() } else { 1.0 };
        let (real_mean, real_deviation) = batch_moments(real)?;
        let (mean, deviation) = batch_moments(generated)?;
        let scaled = |deviation: Tensor| deviation.affine(unbiased, 0.0);
        Ok([(real_mean, mean), (scaled(real_deviation)?, scaled(deviation)?)])
    }

    pub(crate) fn save(&self, state: &mut TrainingState) -> meg_core::Result<()> {
        let all = self.moving.iter().flatten().zip(NAMES.iter().flatten());
        all.into_iter().try_for_each(|(average, name)| average.save(name, state))
    }

    /// Averages of another number of features than the networks have are refused.
    pub(crate) fn restore(
        &mut self,
        state: &TrainingState,
        features: usize,
        (dtype, device): (DType, &Device),
    ) -> meg_core::Result<()> {
        for (average, name) in self.moving.iter_mut().flatten().zip(NAMES.iter().flatten()) {
            average.load(name, state, dtype, device)?;
            if let Some(seen) = average.state().filter(|seen| seen.dims() != [features]) {
                let problem = format!("{name} has {:?} features, not {features}", seen.dims());
                return Err(meg_core::Error::Checkpoint(problem));
            }
        }
        Ok(())
    }
}

/// Where the label lies in a matrix, on the device.
#[derive(Debug)]
pub(crate) struct LabelCells {
    label: Label,
    /// 0 at the label, at its flag and at all copies of both, 1 elsewhere; 1 x side x side x 1.
    mask: Tensor,
}

impl LabelCells {
    pub(crate) fn new(plan: &Plan, label: Label, dtype: DType, device: &Device) -> Result<Self> {
        let (cells, side) = (plan.matrix.cells(), plan.matrix.side());
        let mut mask = vec![1.0; side * side];
        let copies = match plan.padding {
            Padding::Zero => 1,
            Padding::Repeat => side * side / cells,
        };
        for copy in 0..copies {
            mask[copy * cells + label.cell] = 0.0;
            if let Some(flag) = label.flag {
                mask[copy * cells + flag] = 0.0;
            }
        }
        Ok(Self { label, mask: host_tensor(mask, (1, side, side, 1), dtype, device)? })
    }

    /// The matrices without their labels: what the classifier sees.
    pub(crate) fn removed(&self, matrices: &Tensor) -> Result<Tensor> {
        matrices.broadcast_mul(&self.mask)
    }

    /// The loss of predicted logits against the labels of the matrices: the label's cell as a share
    /// of its range. Rows without a label do not count, and generated rows as much as they have one.
    pub(crate) fn loss(
        &self,
        kind: Classification,
        matrices: &Tensor,
        logits: &Tensor,
    ) -> Result<Tensor> {
        let cells = matrices.flatten_from(1)?;
        let share = |at: usize| cells.narrow(1, at, 1)?.flatten_all()?.affine(0.5, 0.5);
        let labels = share(self.label.cell)?;
        let presence = self.label.flag.map(|flag| share(flag)?.detach().affine(-1.0, 1.0));
        let presence = presence.transpose()?;
        match (kind, presence) {
            (Classification::Absolute, presence) => {
                let apart = abs(&(labels - sigmoid(logits)?)?)?;
                match presence {
                    Some(presence) => apart.mul(&presence)?.mean_all(),
                    None => apart.mean_all(),
                }
            }
            (Classification::CrossEntropy, None) => binary_cross_entropy(logits, &labels),
            (Classification::CrossEntropy, Some(presence)) => {
                // A weight of the row scales its logit's loss: softplus(x) - x y.
                let cells = (softplus(logits)? - logits.mul(&labels)?)?;
                cells.mul(&presence)?.mean_all()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;
    use neural::check::{gradient_check, normal_tensor, normal_var};

    fn row(cells: &[f64]) -> Tensor {
        Tensor::from_slice(cells, cells.len(), &Device::Cpu).unwrap()
    }

    fn rows(cells: &[[f64; 2]]) -> Tensor {
        Tensor::from_slice(cells.as_flattened(), (cells.len(), 2), &Device::Cpu).unwrap()
    }

    fn value(loss: Result<Tensor>) -> f64 {
        loss.unwrap().to_scalar().unwrap()
    }

    fn close(seen: f64, exact: f64) {
        assert!((seen - exact).abs() < 1e-9, "{seen} for {exact}");
    }

    #[test]
    fn the_original_loss_by_hand() {
        // Probabilities of 3/4 and 1/2 for real rows, 1/4 and 1/2 for generated ones.
        let (real, generated) = (row(&[3f64.ln(), 0.0]), row(&[-3f64.ln(), 0.0]));
        let half = -((0.75f64).ln() + (0.5f64).ln()) / 2.0;
        close(value(original_of_discriminator(&real, &generated, 0.0)), 2.0 * half);
        let floored = -((0.75f64 + 0.1).ln() + (0.5f64 + 0.1).ln()) / 2.0;
        close(value(original_of_discriminator(&real, &generated, 0.1)), 2.0 * floored);
        let fooled = -((0.25f64).ln() + (0.5f64).ln()) / 2.0;
        close(value(original_of_generator(&generated, 0.0)), fooled);
        let fooled = -((0.25f64 + 0.1).ln() + (0.5f64 + 0.1).ln()) / 2.0;
        close(value(original_of_generator(&generated, 0.1)), fooled);
    }

    /// Two rows of two features: real means (1, 0) and deviations (1, 2), generated ones (4, 4) and
    /// (1, 1).
    fn batch() -> (Tensor, Tensor) {
        (rows(&[[0.0, -2.0], [2.0, 2.0]]), rows(&[[3.0, 3.0], [5.0, 5.0]]))
    }

    fn information(recipe: &TableGan, times: usize) -> f64 {
        let (real, generated) = batch();
        let mut averages = Averages::new(recipe).unwrap();
        let mut loss = || averages.information(recipe, (&real, &generated), (&real, &generated));
        (0..times).map(|_| value(loss())).last().unwrap()
    }

    #[test]
    fn the_information_loss_by_hand() {
        let paper = TableGan::default();
        // Distances 5 of the means and 1 of the deviations, of which the averages have a hundredth
        // after one batch, 0.0199 after two.
        close(information(&paper, 1), 0.01 * (5.0 + 1.0));
        close(information(&paper, 2), 0.0199 * (5.0 + 1.0));
        let deltas = TableGan { delta_mean: 0.04, delta_sd: 0.2, ..paper.clone() };
        // 0.05 is 0.01 beyond the first delta, 0.01 within the second.
        close(information(&deltas, 1), 0.01);
        // Sums: |3| + |4| of the means, |0| + |3| of the variances.
        let authors = TableGan { information: Information::Variance, ..paper.clone() };
        close(information(&authors, 1), 0.01 * (7.0 + 3.0));
        let deltas = TableGan { delta_mean: 0.03, delta_sd: 0.1, ..authors };
        close(information(&deltas, 1), 0.07 - 0.06);
        // SDGym: nothing moves; deviations over n - 1.
        let cells = TableGan { information: Information::Cells, ..paper };
        close(information(&cells, 5), 7.0 + 2f64.sqrt());
    }

    #[test]
    fn gradients_of_the_information_loss_agree_with_central_differences() {
        // Not the batch above, one of whose spreads is that of the real rows: a kink.
        let real = normal_tensor(&[5, 3], 1);
        let generated = normal_var(&[5, 3], 2);
        for information in [Information::Features, Information::Variance, Information::Cells] {
            let recipe = TableGan { information, average: 0.5, ..TableGan::default() };
            gradient_check(&[("generated", &generated)], 1e-6, || {
                let mut averages = Averages::new(&recipe)?;
                averages.information(&recipe, (&real, &generated), (&real, &generated))
            });
        }
    }

    fn labels(padding: Padding, flag: Option<usize>) -> LabelCells {
        let recipe = TableGan { padding, ..TableGan::default() };
        let plan = Plan::new(&recipe, 5, 0).unwrap();
        let label = Label { cell: 3, flag, binary: false };
        LabelCells::new(&plan, label, DType::F64, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_classifier_sees_no_copy_of_the_label() {
        let ones = Tensor::ones((1, 4, 4, 1), DType::F64, &Device::Cpu).unwrap();
        for (padding, flag, zeros) in [
            (Padding::Zero, None, vec![3]),
            (Padding::Repeat, None, vec![3, 8, 13]),
            (Padding::Repeat, Some(4), vec![3, 4, 8, 9, 13, 14]),
        ] {
            let left = labels(padding, flag).removed(&ones).unwrap().flatten_all().unwrap();
            let left: Vec<f64> = left.to_vec1().unwrap();
            let seen: Vec<usize> = (0..16).filter(|&at| left[at] == 0.0).collect();
            assert_eq!(seen, zeros, "{padding:?}");
        }
    }

    #[test]
    fn the_classification_loss_by_hand() {
        // Two rows: labels at 3/4 and 0 of the range; the second is missing where there is a flag.
        let mut cells = [0.0; 32];
        (cells[3], cells[4], cells[19], cells[20]) = (0.5, -1.0, -1.0, 1.0);
        let matrices = Tensor::from_slice(&cells, (2, 4, 4, 1), &Device::Cpu).unwrap();
        let logits = row(&[0.0, 3f64.ln()]);
        let loss = |flag, kind| value(labels(Padding::Zero, flag).loss(kind, &matrices, &logits));
        close(loss(None, Classification::Absolute), (0.25 + 0.75) / 2.0);
        close(loss(Some(4), Classification::Absolute), 0.25 / 2.0);
        let entropies = [2f64.ln(), 4f64.ln()];
        close(loss(None, Classification::CrossEntropy), (entropies[0] + entropies[1]) / 2.0);
        close(loss(Some(4), Classification::CrossEntropy), entropies[0] / 2.0);
        let logits = Var::from_tensor(&logits).unwrap();
        let matrices = Var::from_tensor(&matrices).unwrap();
        for kind in [Classification::Absolute, Classification::CrossEntropy] {
            let both = [("logits", &logits), ("matrices", &matrices)];
            gradient_check(&both, 1e-6, || {
                labels(Padding::Zero, None).loss(kind, &matrices, &logits)
            });
        }
    }
}
