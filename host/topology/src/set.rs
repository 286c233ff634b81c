//! Transformers by number, each once, in order.

/// Some transformers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransformerSet(Vec<u32>);

impl TransformerSet {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `transformer` is one of them.
    #[must_use]
    pub fn contains(&self, transformer: u32) -> bool {
        self.0.binary_search(&transformer).is_ok()
    }

    /// Their numbers, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// Their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// These and those.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        self.iter().chain(others.iter()).collect()
    }

    /// These without those.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        Self(self.iter().filter(|t| !others.contains(*t)).collect())
    }
}

impl FromIterator<u32> for TransformerSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut numbers: Vec<u32> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers)
    }
}
