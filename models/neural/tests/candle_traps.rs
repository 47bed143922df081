//! Operations of candle that must not be used, why, a search for them in the sources of the whole
//! workspace, and the proof that each is still wrong in the version in use. When candle mends
//! one, its proof fails and its line can go.

use candle_core::{DType, Device, Result, Tensor, Var};
use meg_core::Seed;
use neural::check::{Gap, gradient_gap, largest_difference, normal_tensor, normal_var};
use neural::layers::{Lstm, LstmInitial, ParameterStore};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A word that must not occur in a line that also holds `beside`, and the reason.
struct Trap {
    word: &'static str,
    beside: &'static str,
    reason: &'static str,
}

const fn trap(word: &'static str, reason: &'static str) -> Trap {
    Trap { word, beside: "", reason }
}

const NO_GRADIENT: &str = "sends no gradient, silently; use layers::activation::softmax";
const NO_NORM_GRADIENT: &str =
    "its fast path sends no gradient, silently; write it with means, or use ops::layer_norm_slow";
const CONV1D: &str = "the gradient of its kernel is wrong; use layers::Conv2d";
const NO_BACKWARD: &str = "has no backward pass";
const POOL: &str = "its gradient is divided by the number of cells of the window";
const RAGGED: &str = "its gradient is wrong where the window does not divide the side";
const UPSAMPLE: &str =
    "its backward pass overwrites what other uses of its input have sent; use repeats";
const SCATTER: &str =
    "the gradient of the tensor that is scattered into is wrong; use index_add or a product";
const LOGITS: &str = "is infinite for far logits; use layers::loss::binary_cross_entropy";
const ARGMAX: &str = "takes the argmax and draws without a seed; use layers::SpanHeads";
const UNSEEDED: &str =
    "cannot be seeded on the CPU; draw from Seed::stream through Randomness or layers::Initial";
const DECOUPLED: &str = "decouples its weight decay, unlike PyTorch's Adam; use layers::Optimiser";
const KINK: &str = "its slope at 0 is neither side's; use layers::activation::leaky_relu";

const RELU: &str = "has the slope 1 at 0 (PyTorch 0); use layers::activation::relu";
const ABS: &str = "has the slope 1 at 0 (PyTorch 0); use layers::activation::abs";
const LSTM: &str = "begins with other weights than PyTorch's, and without a seed; use layers::Lstm";

const TRAPS: &[Trap] = &[
    trap("softmax_last_dim", NO_GRADIENT),
    trap("LayerNorm", NO_NORM_GRADIENT),
    trap("layer_norm", NO_NORM_GRADIENT),
    trap("RmsNorm", NO_NORM_GRADIENT),
    trap("rms_norm", NO_NORM_GRADIENT),
    trap("conv1d", CONV1D),
    trap("conv1d_no_bias", CONV1D),
    trap("conv1d_with_algo", CONV1D),
    trap("Conv1d", CONV1D),
    trap("conv_transpose1d", NO_BACKWARD),
    trap("conv_transpose1d_no_bias", NO_BACKWARD),
    trap("ConvTranspose1d", NO_BACKWARD),
    trap("max_pool2d", POOL),
    trap("max_pool2d_with_stride", POOL),
    trap("avg_pool2d", RAGGED),
    trap("avg_pool2d_with_stride", RAGGED),
    trap("upsample_nearest1d", UPSAMPLE),
    trap("upsample_nearest2d", UPSAMPLE),
    trap("interpolate1d", UPSAMPLE),
    trap("interpolate2d", UPSAMPLE),
    trap("upsample_bilinear2d", NO_BACKWARD),
    trap("upsample_bilinear2d_with_scale", NO_BACKWARD),
    trap(".scatter", SCATTER),
    trap("Tensor::scatter", SCATTER),
    trap(".scatter_add", SCATTER),
    trap("Tensor::scatter_add", SCATTER),
    trap("binary_cross_entropy_with_logit", LOGITS),
    trap("gumbel_softmax", ARGMAX),
    trap("Tensor::rand", UNSEEDED),
    trap("Tensor::randn", UNSEEDED),
    trap(".rand_like", UNSEEDED),
    trap(".randn_like", UNSEEDED),
    trap("Var::rand", UNSEEDED),
    trap("Var::randn", UNSEEDED),
    trap("Var::rand_f64", UNSEEDED),
    trap("Var::randn_f64", UNSEEDED),
    trap("ops::dropout", UNSEEDED),
    trap("VarMap", UNSEEDED),
    Trap { word: "Dropout", beside: "candle_nn", reason: UNSEEDED },
    Trap { word: "dropout", beside: "candle_nn", reason: UNSEEDED },
    Trap { word: "Init", beside: "candle_nn", reason: UNSEEDED },
    Trap { word: "init", beside: "candle_nn", reason: UNSEEDED },
    trap("AdamW::new", DECOUPLED),
    Trap { word: "AdamW", beside: "candle_nn", reason: DECOUPLED },
    Trap { word: "ParamsAdamW", beside: "candle_nn", reason: DECOUPLED },
    trap("ops::leaky_relu", KINK),
    Trap { word: "leaky_relu", beside: "candle_nn", reason: KINK },
    trap(".relu", RELU),
    trap("Tensor::relu", RELU),
    // A number's `abs` is no `Result`.
    trap(".abs()?", ABS),
    trap("Tensor::abs", ABS),
    trap("LSTMConfig", LSTM),
    Trap { word: "LSTM", beside: "candle_nn", reason: LSTM },
    Trap { word: "lstm", beside: "candle_nn", reason: LSTM },
    Trap { word: "rnn", beside: "candle_nn", reason: LSTM },
];

/// Traps in a source, as line number, word and reason. Comments are left out; a `use` over several
/// lines counts as one.
fn found(source: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in statements(source) {
        for trap in TRAPS {
            let beside = trap.beside.is_empty() || has_word(&line, trap.beside);
            if beside && has_word(&line, trap.word) {
                found.push((number, trap.word, trap.reason));
            }
        }
    }
    found
}

/// Lines without comments by their one-based number, each `use` on one line.
fn statements(source: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in source.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if open => before.push_str(line),
            _ => {
                open = line.starts_with("use ") || line.starts_with("pub use ");
                lines.push((at + 1, line.to_owned()));
            }
        }
        open = open && !line.ends_with(';');
    }
    lines
}

/// Whether the word occurs and is not a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().filter(|_| !word.starts_with('.'));
        let behind = line[at + word.len()..].chars().next();
        !before.is_some_and(in_name) && !behind.is_some_and(in_name)
    })
}

/// Sources and tests of all crates, this file excepted.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
            if path.is_dir() && !hidden && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.retain(|path| !path.ends_with("models/neural/tests/candle_traps.rs"));
    files
}

#[test]
fn no_source_uses_an_operation_with_a_wrong_gradient() {
    let files = files();
    assert!(files.iter().any(|path| path.ends_with("models/ctgan/src/plain.rs")), "{files:?}");
    assert!(files.iter().any(|path| path.ends_with("bench-harness/tests/tidy.rs")), "{files:?}");
    let mut all = Vec::new();
    for path in files {
        for (line, word, reason) in found(&fs::read_to_string(&path).unwrap()) {
            all.push(format!("{}:{line}: `{word}` {reason}", path.display()));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

fn words(source: &str) -> Vec<&'static str> {
    found(source).into_iter().map(|(_, word, _)| word).collect()
}

#[test]
fn the_search_finds_each_trap() {
    for trap in TRAPS {
        let line = format!("    let y = {} x{}(z)?;", trap.beside, trap.word);
        let spaced = format!("    let y = {} {}(z)?;", trap.beside, trap.word);
        let seen = [words(&line), words(&spaced)].concat();
        assert!(seen.contains(&trap.word), "{}", trap.word);
        assert!(!trap.reason.is_empty());
    }
    assert_eq!(words("let p = candle_nn::ops::softmax_last_dim(&x)?;"), ["softmax_last_dim"]);
    let both = "x.scatter(&ids, &y, 0)?.scatter_add(&ids, &y, 0)?";
    assert_eq!(words(both), [".scatter", ".scatter_add"]);
    assert_eq!(words("let x = Tensor::randn(0f32, 1., 3, &cpu)?;"), ["Tensor::randn"]);
    assert_eq!(found("\n// fine\nTensor::rand(0., 1., 3, d)")[0].0, 3, "the line is named");
    let spread = "use candle_nn::{\n    linear,\n    ops::{softmax, dropout},\n};\n";
    assert_eq!(words(spread), ["dropout"]);
    assert_eq!(words("use candle_nn::{AdamW, Init};"), ["Init", "AdamW"]);
}

#[test]
fn the_search_leaves_the_innocent_alone() {
    for innocent in [
        "// x.scatter(&ids, &y, 0) is wrong",
        "scatter_rows(&mut first.dense.gradient, row, units);",
        "place_at = scatter(&mut encoded.places, count, at, places);",
        "kernels::scatter_rows(&mut gradient, row, units)",
        "heads.scatter_rows(&mut gradient, row, units)",
        "randomness.dropout(0.5, &mut mask); use crate::layers::Dropout;",
        "ops::layer_norm_slow(&x, &weight, &bias, 1e-5)?",
        "let initial = Initial::torch(3); activation::leaky_relu(&x, 0.2)",
        "let out = conv_transpose2d(&x); binary_cross_entropy(&x, &y)",
        "let x = from_candle_nn; let init = 1.0;",
        "let adam: AdamWStep = settings.into(); // AdamW",
        "let away = (ours - exact).abs(); relu(&x)?; activation::abs(&x)?; softplus_relu(&x)",
        "let lstm = Lstm::new(3, 4, &mut store, &mut rng)?;",
    ] {
        assert_eq!(words(innocent), Vec::<&str>::new(), "{innocent}");
    }
}

/// A proof: the largest gap to central differences is far from rounding, or there is an error.
fn is_wrong(gap: Result<Gap>) {
    if let Ok(gap) = gap {
        assert!(gap.relative > 0.1, "mended, the trap can go: {gap:?}");
    }
}

fn gap(shape: &[usize], of: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Gap> {
    let x = normal_var(shape, 1);
    gradient_gap(&[("x", &x)], || of(&x))
}

/// Whether the gradient of the sum of squares reaches the variable, in `f32`.
fn reaches(of: impl Fn(&Tensor) -> Result<Tensor>) -> bool {
    let x = Var::from_tensor(&normal_tensor(&[2, 3], 1).to_dtype(DType::F32).unwrap()).unwrap();
    let out = of(&x).unwrap().sqr().unwrap().sum_all().unwrap();
    out.backward().unwrap().get(&x).is_some()
}

#[test]
fn fast_softmax_and_norms_still_send_no_gradient() {
    assert!(!reaches(candle_nn::ops::softmax_last_dim), "mended, the trap can go");
    let one = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
    assert!(!reaches(|x| candle_nn::ops::layer_norm(x, &one, &one, 1e-5)), "mended");
    assert!(!reaches(|x| candle_nn::ops::rms_norm(x, &one, 1e-5)), "mended");
    assert!(reaches(|x| candle_nn::ops::layer_norm_slow(x, &one, &one, 1e-5)), "its substitute");
}

#[test]
fn convolutions_still_have_wrong_gradients() {
    let kernel = normal_var(&[2, 2, 3], 2);
    let signal = normal_tensor(&[2, 2, 7], 3);
    is_wrong(gradient_gap(&[("kernel", &kernel)], || signal.conv1d(&kernel, 1, 2, 1, 1)));
    is_wrong(gap(&[2, 2, 5], |x| x.conv_transpose1d(&kernel, 0, 0, 1, 1, 1)));
    // What layers::Conv2d keeps away from: sides that leave different remainders.
    let kernel = normal_tensor(&[1, 1, 3, 3], 4);
    is_wrong(gap(&[1, 1, 5, 6], |x| x.conv2d(&kernel, 0, 2, 1, 1)));
}

#[test]
fn pools_and_upsampling_still_have_wrong_gradients() {
    is_wrong(gap(&[1, 1, 4, 4], |x| x.max_pool2d(2)));
    is_wrong(gap(&[1, 1, 5, 5], |x| x.avg_pool2d(2)));
    is_wrong(gap(&[1, 1, 2, 2], |x| x.upsample_nearest2d(4, 4)?.sum_all()? + x.sum_all()?));
    is_wrong(gap(&[1, 1, 2], |x| x.upsample_nearest1d(4)?.sum_all()? + x.sum_all()?));
    is_wrong(gap(&[1, 1, 2, 2], |x| x.upsample_bilinear2d(4, 4, false)));
}

#[test]
fn scattering_still_has_wrong_gradients() {
    let ids = Tensor::new(&[[0u32, 2, 1], [1, 1, 0]], &Device::Cpu).unwrap();
    let source = normal_tensor(&[2, 3], 5);
    is_wrong(gap(&[3, 3], |x| x.scatter(&ids, &source, 0)));
    is_wrong(gap(&[3, 3], |x| x.scatter_add(&ids, &source, 0)));
}

#[test]
fn losses_and_slopes_are_still_other_than_ours() {
    let far = Tensor::new(&[60f32], &Device::Cpu).unwrap();
    let zero = far.zeros_like().unwrap();
    let loss = candle_nn::loss::binary_cross_entropy_with_logit(&far, &zero).unwrap();
    assert!(!loss.to_scalar::<f32>().unwrap().is_finite(), "mended, the trap can go");
    let drawn = candle_nn::sampling::gumbel_softmax(&far, 0.5, 0).unwrap();
    assert!(drawn.dtype().is_int(), "mended, the trap can go");
    let slope = |of: &dyn Fn(&Tensor) -> Result<Tensor>| {
        let at = Var::zeros(1, DType::F64, &Device::Cpu).unwrap();
        let gradients = of(&at).unwrap().sum_all().unwrap().backward().unwrap();
        gradients.get(&at).unwrap().to_vec1::<f64>().unwrap()[0]
    };
    let leaky = slope(&|x| candle_nn::ops::leaky_relu(x, 0.2));
    assert!((leaky - 0.6).abs() < 1e-12, "mended, the trap can go: {leaky}");
    assert_eq!(slope(&Tensor::relu), 1.0, "mended, the trap can go");
    assert_eq!(slope(&Tensor::abs), 1.0, "mended, the trap can go");
}

/// PyTorch draws the biases too. From the same weights candle's states are right: they are the
/// oracle of ours.
#[test]
fn the_lstm_still_begins_with_other_weights_and_goes_on_as_ours() {
    use candle_nn::{LSTM, LSTMConfig, RNN, VarBuilder, VarMap};
    let theirs = VarMap::new();
    let builder = VarBuilder::from_varmap(&theirs, DType::F64, &Device::Cpu);
    LSTM::new(3, 4, LSTMConfig::default(), builder).unwrap();
    let bias = theirs.data().lock().unwrap()["bias_ih_l0"].to_vec1::<f64>().unwrap();
    assert_eq!(bias, [0.0; 16], "mended, the trap can go");

    let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
    let mut rng = Seed(1).stream("init");
    let lstm = Lstm::new(&mut store, "l", (3, 4), LstmInitial::Torch, &mut rng).unwrap();
    let named = |part: &str| {
        let entry = store.entries().iter().find(|entry| entry.name == format!("l.{part}"));
        (format!("{part}_l0"), entry.unwrap().var.as_detached_tensor())
    };
    let tensors: HashMap<String, Tensor> =
        ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(named).into();
    let builder = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
    let theirs = LSTM::new(3, 4, LSTMConfig::default(), builder).unwrap();
    let x = normal_tensor(&[2, 5, 3], 2);
    let expected = theirs.seq(&x).unwrap();
    for (ours, theirs) in lstm.sequence(&x).unwrap().iter().zip(&expected) {
        assert!(largest_difference(&ours.hidden, theirs.h()) < 1e-12);
        assert!(largest_difference(&ours.cell, theirs.c()) < 1e-12);
    }
}

/// Decoupled decay moves a weight that has next to no gradient by `rate * decay * weight`.
#[test]
fn the_optimiser_still_decouples_its_decay() {
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};
    let weight = Var::ones(1, DType::F64, &Device::Cpu).unwrap();
    let parameters = ParamsAdamW { lr: 0.1, weight_decay: 0.5, ..ParamsAdamW::default() };
    let mut optimiser = AdamW::new(vec![weight.clone()], parameters).unwrap();
    optimiser.backward_step(&weight.affine(1e-30, 0.0).unwrap().sum_all().unwrap()).unwrap();
    let moved = 1.0 - weight.to_vec1::<f64>().unwrap()[0];
    assert!((moved - 0.05).abs() < 1e-6, "{moved}");
}

#[test]
fn the_random_numbers_of_the_cpu_still_have_no_seed() {
    assert!(Device::Cpu.set_seed(1).is_err(), "mended, the trap can go");
}
