//! A short list as a parameter: no allocation, its longest length in its type.

use core::ops::Deref;

/// At most `N` values.
#[derive(Clone, Copy, Debug)]
pub struct List<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// No value.
    #[must_use]
    pub fn new() -> Self {
        Self { items: [T::default(); N], len: 0 }
    }

    /// Appends `value`; false if the list is full.
    pub fn push(&mut self, value: T) -> bool {
        match self.items.get_mut(self.len) {
            Some(place) => {
                *place = value;
                self.len += 1;
                true
            }
            None => false,
        }
    }
}

impl<T: Copy + Default + Ord, const N: usize> List<T, N> {
    /// The values from the largest to the smallest, each once.
    #[must_use]
    pub fn descending(&self) -> Self {
        let mut out = Self::new();
        // The list is short: each round finds the largest value that is smaller than the one before.
        let mut below: Option<T> = None;
        while let Some(next) = self.iter().copied().filter(|v| below.is_none_or(|b| *v < b)).max() {
            out.push(next);
            below = Some(next);
        }
        out
    }
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or(&[])
    }
}

impl<T: PartialEq, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
