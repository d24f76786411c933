//! [`Names`]: the names of a network's tensors.

use super::load_error::LoadError;
use crate::error::Text;
use crate::model::Element;

/// The names of the modules (layers) in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names<'a> {
    /// As in the `state_dict` of a `torch.nn.Sequential`: see [`io::safetensors`](super).
    #[default]
    Sequential,
    /// The names of the modules that have tensors, in the order of the network's layers, whatever tuples these are in:
    /// `["fc1", "fc2"]` for `fc1.weight`, `fc1.bias`, `fc2.weight` and `fc2.bias`. An empty name adds nothing:
    /// `weight`.
    Modules(&'a [&'a str]),
}

/// The beginning of a tensor's name: `2.0.`.
pub(crate) type Path = Text<256>;

impl Names<'_> {
    /// The beginning of all names.
    pub(crate) const fn base(inside: &str) -> Path {
        let mut path = Path::new();
        path.push(inside);
        if !inside.is_empty() {
            path.push(".");
        }
        path
    }

    /// What the names of a layer's tensors begin with, if it is at `path`, after `before` other layers with tensors.
    /// `base` is the length of what all names begin with.
    pub(crate) const fn of_layer(&self, path: &Path, base: usize, before: usize) -> Result<Path, LoadError> {
        let (mut result, mut fits) = (*path, true);
        match self {
            Names::Sequential => {
                // A layer that is a network is the only one of a Sequential.
                if path.as_str().len() == base {
                    fits = result.push("0.");
                }
            }
            Names::Modules(modules) => {
                if before >= modules.len() {
                    return Err(LoadError::Modules { expected: before + 1, found: modules.len() });
                }
                result.cut(base);
                if !modules[before].is_empty() {
                    fits = result.push(modules[before]) && result.push(".");
                }
            }
        }
        // The capacity for the longest name of a tensor.
        if fits && result.as_str().len() <= 200 { Ok(result) } else { Err(LoadError::Deep) }
    }
}

/// Where a visit is.
pub(crate) struct Visit<'a> {
    names: Names<'a>,
    base: usize,
    path: Path,
    /// Whether the capacity was too small for an index.
    deep: bool,
    /// How many layers with tensors there were.
    pub(crate) layers: usize,
    /// Whether the next tensor is the first of its layer.
    fresh: bool,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(names: Names<'a>, inside: &str) -> Self {
        let path = Names::base(inside);
        Visit { names, base: path.as_str().len(), path, deep: false, layers: 0, fresh: true }
    }

    pub(crate) fn enter(&mut self, element: Element) {
        self.deep |= !self.path.push_number(element.module as u64) || !self.path.push(".");
        self.fresh = true;
    }

    pub(crate) fn leave(&mut self) {
        let path = self.path.as_str();
        let end = path.strip_suffix('.').unwrap_or(path).rfind('.').map_or(0, |point| point + 1);
        self.path.cut(end.max(self.base));
        self.fresh = true;
    }

    /// What the names of the tensors of the layer begin with to which a tensor belongs that is visited now.
    pub(crate) fn layer(&mut self) -> Result<Path, LoadError> {
        if self.fresh {
            self.layers += 1;
            self.fresh = false;
        }
        if self.deep && matches!(self.names, Names::Sequential) {
            return Err(LoadError::Deep);
        }
        self.names.of_layer(&self.path, self.base, self.layers - 1)
    }

    /// An error if there are more names than layers.
    pub(crate) fn end(&self) -> Result<(), LoadError> {
        match self.names {
            Names::Modules(modules) if modules.len() != self.layers => {
                Err(LoadError::Modules { expected: self.layers, found: modules.len() })
            }
            _ => Ok(()),
        }
    }
}
