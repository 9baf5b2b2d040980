//! A long list made of short ones. They are freed one by one while the list is consumed, and none
//! is so large that the allocator maps it separately: once such a block is freed, the heap of every
//! thread keeps more of its freed memory.

/// How many items a short list holds.
const SHORT: usize = 256;

#[derive(Debug)]
pub(crate) struct ChunkedVec<T>(Vec<Vec<T>>);

impl<T> Default for ChunkedVec<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ChunkedVec<T> {
    pub(crate) fn push(&mut self, item: T) {
        match self.0.last_mut().filter(|list| list.len() < SHORT) {
            Some(list) => list.push(item),
            None => self.0.push(vec![item]),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

impl<T> IntoIterator for ChunkedVec<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out_in_order_and_no_list_is_long() {
        let mut lists = ChunkedVec::default();
        (0..1000).for_each(|item| lists.push(item));
        lists.iter_mut().for_each(|item| *item += 1);
        assert!(lists.0.iter().all(|list| list.capacity() <= SHORT));
        assert!(lists.into_iter().eq(1..=1000));
    }
}
