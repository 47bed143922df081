//! Model files that were damaged: each an error when it is read, never a panic or another model.

use crate::{Artifact, Error, ModelEntry, SampleContext, SampleRequest, Schema, Seed, Silent};
use serde_json::{Value, json};

/// A saved model to be damaged.
#[derive(Debug)]
pub struct Damage<'a> {
    entry: &'a ModelEntry,
    artifact: Artifact,
}

impl<'a> Damage<'a> {
    /// A saved model that can be loaded.
    ///
    /// # Panics
    /// When it cannot.
    pub fn new(entry: &'a ModelEntry, artifact: Artifact) -> Self {
        (entry.load)(&artifact).expect("the undamaged model is loaded");
        Self { entry, artifact }
    }

    /// The undamaged file.
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// A damaged file must be refused.
    ///
    /// # Panics
    /// When it is believed, or nothing was damaged.
    pub fn file(&self, name: &str, damage: impl Fn(&mut Artifact)) {
        let mut damaged = self.artifact.clone();
        damage(&mut damaged);
        assert!(damaged != self.artifact, "{name}: nothing was damaged");
        let (json, tensors) = damaged.to_bytes().expect("a damaged model becomes bytes");
        let read = Artifact::from_bytes(&json, &tensors);
        let loaded = read.and_then(|read| (self.entry.load)(&read));
        let refused =
            matches!(loaded, Err(Error::Artifact(_) | Error::Data(_) | Error::Recipe { .. }));
        assert!(refused, "{name}: {loaded:?}");
    }

    /// A damaged state must be refused.
    ///
    /// # Panics
    /// As [`Damage::file`].
    pub fn state(&self, name: &str, damage: impl Fn(&mut Value)) {
        self.file(name, |artifact| damage(&mut artifact.state));
    }

    /// Every tensor must be there, in its shape and finite, and the schema that of the state.
    ///
    /// # Panics
    /// As [`Damage::file`].
    pub fn tensors_and_schema(&self) {
        for name in self.artifact.tensors.keys() {
            self.file(name, |artifact| drop(artifact.tensors.remove(name)));
            let tensor = |artifact: &mut Artifact, damage: &dyn Fn(&mut crate::Tensor)| {
                damage(artifact.tensors.get_mut(name).expect("it has a name of the file"));
            };
            self.file(name, |artifact| tensor(artifact, &|tensor| tensor.shape.push(1)));
            self.file(name, |artifact| tensor(artifact, &|tensor| tensor.data[0] = f32::NAN));
            self.file(name, |artifact| tensor(artifact, &|tensor| tensor.data[0] = f32::INFINITY));
        }
        self.file("other schema", |artifact| {
            let columns = artifact.schema.columns[1..].to_vec();
            artifact.schema = Schema::new(columns).expect("a column less is a schema");
        });
    }

    /// Each weight of the tensor is finite, sums of their products are not: the file cannot show
    /// it, sampling must.
    ///
    /// # Panics
    /// When rows are drawn.
    pub fn overflow(&self, tensor: &str) {
        let mut damaged = self.artifact.clone();
        damaged.tensors.get_mut(tensor).expect("a tensor of the file").data.fill(f32::MAX);
        let model = (self.entry.load)(&damaged).expect("finite weights are loaded");
        let rng = Seed(1).stream("sample");
        let mut ctx = SampleContext { rng, threads: 1, observer: &mut Silent };
        let drawn = model.sample(&SampleRequest::rows(10), &mut ctx).map(|_| "rows");
        let refused = matches!(&drawn, Err(Error::Artifact(why)) if why.contains("not finite"));
        assert!(refused, "{tensor}: {drawn:?}");
    }

    /// Everything that the state says of `transforms::TableEncoder` under the key `encoder` is
    /// checked. The table must have numbers with mixtures and categories with two levels or more.
    ///
    /// # Panics
    /// As [`Damage::file`].
    pub fn encoder(&self) {
        self.state("unit of a number", |state| block(state, "number")["start"] = json!(99_999));
        self.state("unit of a category", |state| block(state, "category")["start"] = json!(99_999));
        self.state("kept mode", |state| block(state, "number")["modes"]["kept"] = json!([77]));
        self.state("no means", |state| {
            block(state, "number")["modes"]["mixture"]["means"] = json!([]);
        });
        self.state("reversed range", |state| block(state, "number")["least"] = json!(1e9));
        self.state("unknown code", |state| block(state, "category")["codes"][0] = json!(99));
        self.state("fewer codes", |state| {
            drop(array(&mut block(state, "category")["codes"]).pop());
        });
        self.state("moved span", |state| state["encoder"]["spans"][0]["start"] = json!(3));
        self.state("column of a span", |state| state["encoder"]["spans"][0]["column"] = json!(50));
        self.state("width", |state| state["encoder"]["width"] = json!(1));
        self.state("fewer columns", |state| {
            drop(array(&mut state["encoder"]["schema"]["columns"]).pop());
        });
    }
}

fn array(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().expect("the state has a list here")
}

/// The first whole block of a kind.
fn block<'a>(state: &'a mut Value, kind: &str) -> &'a mut Value {
    let whole = |block: &&mut Value| {
        block["block"] == kind && (kind != "number" || block["modes"] != Value::Null)
    };
    array(&mut state["encoder"]["blocks"]).iter_mut().find(whole).expect("the table has one")
}
