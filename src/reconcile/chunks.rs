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

    /// Returns the items in lists of so many short ones.
    pub(crate) fn in_groups(self, size: usize) -> impl Iterator<Item = Self> {
        let mut lists = self.0.into_iter();
        std::iter::from_fn(move || {
            let group: Vec<_> = lists.by_ref().take(size).collect();
            (!group.is_empty()).then_some(Self(group))
        })
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
        let groups: Vec<Vec<_>> = lists.in_groups(3).map(|group| group.into_iter().collect()).collect();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [768, 232]);
        assert!(groups.into_iter().flatten().eq(1..=1000));
    }
}
