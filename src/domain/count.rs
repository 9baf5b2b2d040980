//! Formats counts for people: thousands in groups, and the noun in the right number. Programs get
//! plain numbers.

/// Returns the digits in groups of three: `2,880`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if number < 1000 {
        return digits;
    }
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns the noun for this number: `record` for one, `records` for any other, and `retries` for a
/// noun such as `retry`.
#[must_use]
pub fn plural(number: u64, one: &str) -> String {
    match one.strip_suffix('y') {
        _ if number == 1 => one.to_owned(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{one}s"),
    }
}

/// Returns a count with its noun: `1 record`, `2,880 records`, `3 retries`.
#[must_use]
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {}", grouped(number), plural(number, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_groups_of_three_digits_and_its_noun_in_the_right_number() {
        for (number, one, expected) in [
            (0, "record", "0 records"),
            (1, "record", "1 record"),
            (999, "record", "999 records"),
            (2880, "record", "2,880 records"),
            (1_234_567, "row", "1,234,567 rows"),
            (100_000, "look-up", "100,000 look-ups"),
            (1, "retry", "1 retry"),
            (2, "retry", "2 retries"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(number, one), expected);
        }
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }
}
