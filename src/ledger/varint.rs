//! Whole numbers in as few bytes as they need: seven bits a byte, the lowest first.

pub(super) fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(lowest(value) | 0x80);
        value >>= 7;
    }
    bytes.push(lowest(value));
}

fn lowest(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// Takes a number off the front of the bytes. Returns `None` if they do not begin with one.
pub(super) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_that_is_cut_off_or_too_large_is_none() {
        for bytes in [&[][..], &[0x80], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]] {
            assert_eq!(read(&mut &*bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back_in_their_order(numbers: Vec<u64>) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| write(&mut bytes, *number));
            let mut rest = &bytes[..];
            let found: Vec<_> = std::iter::from_fn(|| read(&mut rest)).collect();
            prop_assert_eq!(found, numbers);
            prop_assert!(rest.is_empty());
        }
    }
}
