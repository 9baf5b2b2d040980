//! Chance that repeats itself. It is a hash instead of a generator, so the order of requests does
//! not change a roll.

/// Returns a number in `0.0..1.0` that depends on the seed, the words and the count.
pub(super) fn roll(seed: u64, words: &[&str], count: u64) -> f64 {
    // An f64 holds exactly 53 bits.
    (mix(seed, words, count) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Hashes with FNV-1a and then the last step of splitmix64, because FNV alone leaves the upper bits
/// too even.
fn mix(seed: u64, words: &[&str], count: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    eat(&seed.to_le_bytes());
    for word in words {
        eat(word.as_bytes());
        eat(&[0xff]);
    }
    eat(&count.to_le_bytes());
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_gets_the_same_roll_and_another_seed_another() {
        assert_eq!(roll(1, &["a", "b"], 2).to_bits(), roll(1, &["a", "b"], 2).to_bits());
        assert_ne!(roll(1, &["a", "b"], 2).to_bits(), roll(2, &["a", "b"], 2).to_bits());
        assert_ne!(roll(1, &["ab", ""], 2).to_bits(), roll(1, &["a", "b"], 2).to_bits());
    }

    #[test]
    fn rolls_are_spread_evenly() {
        let low = (0..10_000).filter(|n| roll(7, &["someone@example.com"], *n) < 0.1).count();
        assert!((800..1200).contains(&low), "{low} of 10000 below 0.1");
    }
}
