use super::{Initial, ParameterStore, activation::sigmoid, host_tensor};
use candle_core::{D, Result, Tensor, Var, bail};
use meg_core::Rng;

/// A long short-term memory cell (Hochreiter and Schmidhuber 1997 with forget gates), gates in
/// PyTorch's order: input, forget, cell, output.
///
/// Each step adds about twenty nodes to the graph that the backward pass walks by recursion:
/// train long sequences on a thread with a large stack.
#[derive(Debug, Clone)]
pub struct Lstm {
    from_input: Var,
    from_hidden: Var,
    bias: Var,
    hidden_bias: Option<Var>,
    hidden: usize,
}

/// How the parameters begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LstmInitial {
    /// PyTorch: everything uniform in `±1/sqrt(hidden)`, one bias from the input and one from the
    /// hidden state.
    Torch,
    /// TensorFlow 1: Glorot uniform over the stacked weight, one bias of 0, and 1 in the forget
    /// gate.
    TensorFlow,
}

/// Hidden state and cell, each batch x hidden.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// The hidden state, which is also the output.
    pub hidden: Tensor,
    /// The cell.
    pub cell: Tensor,
}

impl Lstm {
    /// A cell from `inputs` to `hidden` units. Parameters `name.weight_ih` (4 hidden x inputs),
    /// `name.weight_hh` (4 hidden x hidden), `name.bias_ih` and, as in PyTorch, `name.bias_hh`.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        (inputs, hidden): (usize, usize),
        initial: LstmInitial,
        rng: &mut Rng,
    ) -> Result<Self> {
        let (weights, biases) = match initial {
            LstmInitial::Torch => (Initial::torch(hidden), Initial::torch(hidden)),
            LstmInitial::TensorFlow => {
                (Initial::glorot(inputs + hidden, 4 * hidden), Initial::Constant(0.0))
            }
        };
        let mut parameter = |part: &str, shape: &[usize], initial: Initial| {
            store.parameter(&format!("{name}.{part}"), shape, initial, rng)
        };
        let from_input = parameter("weight_ih", &[4 * hidden, inputs], weights)?;
        let from_hidden = parameter("weight_hh", &[4 * hidden, hidden], weights)?;
        let bias = parameter("bias_ih", &[4 * hidden], biases)?;
        let hidden_bias = match initial {
            LstmInitial::Torch => Some(parameter("bias_hh", &[4 * hidden], biases)?),
            LstmInitial::TensorFlow => {
                let mut cells = vec![0.0; 4 * hidden];
                cells[hidden..2 * hidden].fill(1.0);
                bias.set(&host_tensor(cells, 4 * hidden, bias.dtype(), bias.device())?)?;
                None
            }
        };
        Ok(Self { from_input, from_hidden, bias, hidden_bias, hidden })
    }

    /// The state of zeros for a batch.
    ///
    /// # Errors
    /// Those of the device.
    pub fn zero_state(&self, batch: usize) -> Result<LstmState> {
        let zeros = Tensor::zeros((batch, self.hidden), self.bias.dtype(), self.bias.device())?;
        Ok(LstmState { hidden: zeros.clone(), cell: zeros })
    }

    /// The next state from an input of batch x inputs.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn step(&self, x: &Tensor, state: &LstmState) -> Result<LstmState> {
        let gates = x
            .matmul(&self.from_input.t()?)?
            .add(&state.hidden.matmul(&self.from_hidden.t()?)?)?
            .broadcast_add(&self.bias)?;
        let gates = match &self.hidden_bias {
            Some(bias) => gates.broadcast_add(bias)?,
            None => gates,
        };
        let gate = |number: usize| gates.narrow(D::Minus1, number * self.hidden, self.hidden);
        let (input, forget) = (sigmoid(&gate(0)?)?, sigmoid(&gate(1)?)?);
        let (candidate, output) = (gate(2)?.tanh()?, sigmoid(&gate(3)?)?);
        let cell = (forget.mul(&state.cell)? + input.mul(&candidate)?)?;
        Ok(LstmState { hidden: output.mul(&cell.tanh()?)?, cell })
    }

    /// The states after each step of a sequence of batch x steps x inputs, from the state of
    /// zeros.
    ///
    /// # Errors
    /// When there is no step or the shapes disagree.
    pub fn sequence(&self, x: &Tensor) -> Result<Vec<LstmState>> {
        let (batch, steps, inputs) = x.dims3()?;
        if steps == 0 {
            bail!("an LSTM needs at least one step");
        }
        let mut states = Vec::with_capacity(steps);
        let mut state = self.zero_state(batch)?;
        for at in 0..steps {
            let input = x.narrow(1, at, 1)?.reshape((batch, inputs))?;
            state = self.step(&input, &state)?;
            states.push(state.clone());
        }
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_var};
    use candle_core::{DType, Device};
    use meg_core::Seed;

    fn lstm(initial: LstmInitial) -> (ParameterStore, Lstm) {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let mut rng = Seed(1).stream("init");
        let lstm = Lstm::new(&mut store, "l", (3, 4), initial, &mut rng).unwrap();
        (store, lstm)
    }

    #[test]
    fn gradients_through_time_agree_with_central_differences() {
        for initial in [LstmInitial::Torch, LstmInitial::TensorFlow] {
            let (store, lstm) = lstm(initial);
            let x = normal_var(&[2, 3, 3], 1);
            let mut variables = vec![("x", &x)];
            variables.extend(store.trainable().map(|entry| (entry.name.as_str(), &entry.var)));
            gradient_check(&variables, 1e-7, || {
                let states = lstm.sequence(&x)?;
                let hidden: Vec<&Tensor> = states.iter().map(|state| &state.hidden).collect();
                Tensor::cat(&[&Tensor::cat(&hidden, 1)?, &states[2].cell], 1)
            });
        }
    }

    #[test]
    fn first_values_are_those_of_both_frameworks() {
        let (store, _) = lstm(LstmInitial::Torch);
        assert_eq!(store.entries().len(), 4);
        for entry in store.entries() {
            let cells = cells(&entry.var).unwrap();
            assert!(cells.iter().all(|x| x.abs() <= 0.5) && cells.iter().any(|x| x.abs() > 0.3));
        }
        let (store, _) = lstm(LstmInitial::TensorFlow);
        assert_eq!(store.entries().len(), 3);
        let bias = cells(&store.entries()[2].var).unwrap();
        assert_eq!(bias, [[0.0; 4], [1.0; 4], [0.0; 4], [0.0; 4]].concat());
    }
}
