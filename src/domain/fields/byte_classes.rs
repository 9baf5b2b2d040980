//! Answers questions about all bytes of a short text at once.

use wide::u8x16;

/// The longest text, in bytes: one for each bit of an integer.
const MOST: usize = 64;
const WIDTH: usize = 16;

/// A short text, split into blocks.
pub(crate) struct Signs<'a> {
    whole: &'a [[u8; WIDTH]],
    /// The last bytes, some of which may also be in `whole`. If the text is short, all of it.
    last: [u8; WIDTH],
    length: usize,
}

impl<'a> Signs<'a> {
    /// Returns `None` if the text is too long.
    #[inline]
    pub(crate) fn of(text: &'a [u8]) -> Option<Self> {
        let last = text.last_chunk().copied().unwrap_or_else(|| short(text).to_le_bytes());
        (text.len() <= MOST).then_some(Self { whole: text.as_chunks().0, last, length: text.len() })
    }

    /// Returns one bit for each byte of the text. The lowest bit is the first byte.
    pub(crate) const fn all(&self) -> u64 {
        if self.length == 0 { 0 } else { u64::MAX >> (MOST - self.length) }
    }

    /// Returns, for each question, the bits of the bytes for which the answer is yes.
    #[inline]
    pub(crate) fn that<const N: usize>(&self, are: impl Fn(u8x16) -> [u8x16; N]) -> [u64; N] {
        let mut bits = [0; N];
        let mut ask = |signs: &[u8; WIDTH], shift: usize| {
            for (bits, answer) in bits.iter_mut().zip(are(u8x16::new(*signs))) {
                *bits |= u64::from(answer.to_bitmask()) << shift;
            }
        };
        for (index, signs) in self.whole.iter().enumerate() {
            ask(signs, index * WIDTH);
        }
        ask(&self.last, self.length.saturating_sub(WIDTH));
        for bits in &mut bits {
            *bits &= self.all();
        }
        bits
    }
}

/// Returns the bytes of a short text as an integer, the first byte lowest. It combines the two
/// ends, because copying byte by byte and then reading the whole would stall the processor.
#[inline]
fn short(text: &[u8]) -> u128 {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            let [first, last] = [first, last].map(|bytes| u128::from(u64::from_le_bytes(*bytes)));
            first | last << (8 * (text.len() - 8))
        }
        _ => text.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte)),
    }
}

/// Returns which bytes equal this one.
#[inline]
pub(crate) fn equal(signs: u8x16, sign: u8) -> u8x16 {
    signs.simd_eq(u8x16::splat(sign))
}

/// Returns which bytes are in this inclusive range.
#[inline]
pub(crate) fn within(signs: u8x16, first: u8, last: u8) -> u8x16 {
    let beyond_first = signs - u8x16::splat(first);
    beyond_first.min(u8x16::splat(last - first)).simd_eq(beyond_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_has_its_bit() {
        let text: Vec<u8> = (0..64).map(|place| place * 4 + 1).collect();
        for length in [0, 1, 15, 16, 17, 63, 64] {
            let signs = Signs::of(&text[..length]).unwrap();
            let bits = |is: &dyn Fn(u8) -> bool| {
                text[..length].iter().rev().fold(0, |bits, sign| bits << 1 | u64::from(is(*sign)))
            };
            assert_eq!(signs.all(), bits(&|_| true));
            let answers = signs.that(|signs| [within(signs, b'!', b'~'), equal(signs, b'a')]);
            assert_eq!(answers, [bits(&|sign| sign.is_ascii_graphic()), bits(&|sign| sign == b'a')]);
        }
        assert!(Signs::of(&[b'a'; 65]).is_none());
    }
}
