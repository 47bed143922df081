use crate::settings::{Architecture, TableGan};
use meg_core::{DataError, Error, Result};
use neural::layers::{ConvShape, Padding};
use transforms::SquareMatrix;

/// The shapes of the networks for records of so many cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// How a record lies in its matrix.
    pub matrix: SquareMatrix,
    /// What stands in the rest of it.
    pub padding: transforms::Padding,
    /// Classes that the networks are told; 0: none.
    pub classes: usize,
    /// Length of the noise vector.
    pub noise: usize,
    /// Side and channels of the generator's first images.
    pub first: (usize, usize),
    /// The generator's stages up to the matrix; classes are further inputs.
    pub up: Vec<ConvShape>,
    /// Stages of discriminator and classifier; classes are further inputs.
    pub down: Vec<Down>,
    /// Features that the last stage leaves of an image.
    pub features: usize,
    /// Whether layers have a bias where no norm follows (and in the authors' code everywhere).
    pub bias: bool,
}

/// A stage of discriminator and classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Down {
    pub shape: ConvShape,
    /// Whether a batch norm follows.
    pub norm: bool,
}

/// Sides of matrices: each can be halved three times, but the first.
const SIDES: [usize; 5] = [4, 8, 16, 24, 32];
/// Filters of the discriminator in the authors' code.
const AUTHORS_FILTERS: [usize; 2] = [3, 66];

impl Plan {
    /// # Errors
    /// A data error when the record does not fit into the largest matrix.
    pub(crate) fn new(recipe: &TableGan, cells: usize, classes: usize) -> Result<Self> {
        let least = match recipe.architecture {
            Architecture::Dcgan => 4,
            Architecture::Authors => 8,
        };
        let known = SIDES.into_iter().find(|side| *side >= least && side * side >= cells);
        let Some(side) = known else {
            let most = SIDES[SIDES.len() - 1];
            let problem = format!("a record of {cells} cells does not fit into {most} x {most}");
            let error = DataError::new(problem);
            return Err(error.advice("leave columns out of the training table").into());
        };
        let matrix = SquareMatrix::with_side(cells, side, recipe.padding)?;
        let stages = stages(recipe, side);
        let (first_channels, first_side) = stages[stages.len() - 1];
        let (kernel, padding, bias) = match recipe.architecture {
            Architecture::Dcgan => (4, Padding::Each(1), false),
            Architecture::Authors => (5, Padding::Same, true),
        };
        let shape = |inputs, outputs| ConvShape {
            inputs: inputs + classes,
            outputs,
            kernel,
            stride: 2,
            padding,
        };
        let up = stages.windows(2).rev().map(|pair| shape(pair[1].0, pair[0].0)).collect();
        let down: Vec<Down> = match recipe.architecture {
            Architecture::Dcgan => stages
                .windows(2)
                .map(|pair| Down { shape: shape(pair[0].0, pair[1].0), norm: true })
                .collect(),
            Architecture::Authors => {
                let [one, two] = AUTHORS_FILTERS;
                let stage = |inputs, outputs, norm| Down { shape: shape(inputs, outputs), norm };
                vec![stage(1, one, false), stage(one, two, true)]
            }
        };
        let last_side = side >> down.len();
        let features = last_side * last_side * down[down.len() - 1].shape.outputs;
        Ok(Self {
            matrix,
            padding: recipe.padding,
            classes,
            noise: recipe.noise_dim,
            first: (first_side, first_channels),
            up,
            down,
            features,
            bias,
        })
    }

    /// The generator's parameters and statistics by name and shape, in order.
    pub(crate) fn generator_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (side, channels) = self.first;
        let mut all = vec![(
            "input.weight".to_owned(),
            vec![self.noise + self.classes, side * side * channels],
        )];
        if self.bias {
            all.push(("input.bias".to_owned(), vec![side * side * channels]));
        }
        let mut before = channels;
        for (at, shape) in self.up.iter().enumerate() {
            for part in ["weight", "bias", "running_mean", "running_var"] {
                all.push((format!("norm{at}.{part}"), vec![before]));
            }
            let sides = vec![shape.kernel * shape.kernel * shape.outputs, shape.inputs];
            all.push((format!("up{at}.weight"), sides));
            if self.bias {
                all.push((format!("up{at}.bias"), vec![shape.outputs]));
            }
            before = shape.outputs;
        }
        all
    }

    /// Refuses an artifact without a tensor of the generator, before anything of its size is made.
    ///
    /// # Errors
    /// Those of `find`, and [`Error::Artifact`] when there are more tensors than belong.
    pub(crate) fn check_tensors<'a, T: 'a>(
        &self,
        count: usize,
        find: impl Fn(&str, &[usize]) -> Result<&'a T>,
    ) -> Result<()> {
        let shapes = self.generator_shapes();
        for (name, shape) in &shapes {
            find(name, shape)?;
        }
        if count == shapes.len() {
            return Ok(());
        }
        Err(Error::Artifact(format!("{count} tensors, where {} belong", shapes.len())))
    }
}

/// Channels and sides from the matrix to the smallest images.
fn stages(recipe: &TableGan, side: usize) -> Vec<(usize, usize)> {
    let mut stages = vec![(1, side)];
    let deep = |side: usize| match recipe.architecture {
        Architecture::Dcgan => side > 3,
        Architecture::Authors => true,
    };
    while stages.len() < 4 && deep(stages[stages.len() - 1].1) {
        let (_, side) = stages[stages.len() - 1];
        stages.push((recipe.channels << (stages.len() - 1), side / 2));
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(recipe: &TableGan, cells: usize) -> Plan {
        Plan::new(recipe, cells, 0).unwrap()
    }

    /// The channel plans of SDGym's version, from 4 x 4 to 32 x 32.
    #[test]
    fn stages_halve_the_matrix() {
        let recipe = TableGan::default();
        for (cells, side, first, features) in [
            (1, 4, (2, 64), 256),
            (16, 4, (2, 64), 256),
            (22, 8, (2, 128), 512),
            (65, 16, (2, 256), 1_024),
            (300, 24, (3, 256), 2_304),
            (785, 32, (4, 256), 4_096),
        ] {
            let plan = plan(&recipe, cells);
            let seen = (plan.matrix.side(), plan.first, plan.features);
            assert_eq!(seen, (side, first, features), "{cells} cells");
            assert_eq!((plan.up.len(), plan.up[plan.up.len() - 1].outputs), (plan.down.len(), 1));
        }
        let error = Plan::new(&recipe, 1_025, 0).unwrap_err().to_string();
        assert!(error.contains("1025 cells") && error.contains("help:"), "{error}");
    }

    /// 266 features at 8 x 8 and 1058 at 16 x 16, two of them the label: the constants of the
    /// authors' code.
    #[test]
    fn the_authors_features_are_theirs() {
        let recipe = TableGan { architecture: Architecture::Authors, ..TableGan::default() };
        for (cells, first, features) in [(23, (1, 256), 266), (65, (2, 256), 1_058)] {
            let plan = Plan::new(&recipe, cells, 2).unwrap();
            assert_eq!((plan.first, plan.features + plan.classes), (first, features));
        }
    }
}
