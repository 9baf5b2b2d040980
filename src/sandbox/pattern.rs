//! Matches text in two ways: SQL's `LIKE` for look-ups, `*` globs for faults.

/// Returns whether `text` is `LIKE '%needle%'`: `%` in the needle stands for any text, `_` for any
/// one character, and the case of ASCII letters does not count. Like the real server, it does not
/// escape the needle.
pub(super) fn like(text: &str, needle: &str) -> bool {
    let text: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
    let pattern: Vec<char> = format!("%{needle}%").chars().map(|c| c.to_ascii_lowercase()).collect();
    matches(&text, &pattern, '%', Some('_'))
}

/// Returns whether `text` matches `pattern`, in which `*` stands for any text. The case of ASCII
/// letters does not count.
pub(super) fn glob(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
    let pattern: Vec<char> = pattern.chars().map(|c| c.to_ascii_lowercase()).collect();
    matches(&text, &pattern, '*', None)
}

/// Matches greedily: on a mismatch, goes back to the last `many` and lets it match one character
/// more.
fn matches(text: &[char], pattern: &[char], many: char, one: Option<char>) -> bool {
    let (mut at, mut wanted) = (0, 0);
    let mut retreat = None;
    while at < text.len() {
        match pattern.get(wanted) {
            Some(c) if *c == many => {
                retreat = Some((wanted, at));
                wanted += 1;
            }
            Some(c) if Some(*c) == one || *c == text[at] => {
                at += 1;
                wanted += 1;
            }
            _ => {
                let Some((star, swallowed)) = retreat else { return false };
                retreat = Some((star, swallowed + 1));
                at = swallowed + 1;
                wanted = star + 1;
            }
        }
    }
    pattern[wanted..].iter().all(|c| *c == many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_finds_substrings_and_knows_the_wildcards() {
        assert!(like("ann@example.com", "ann@example.com"));
        assert!(like("joann@example.com", "ann@example.com"), "a substring, not the whole");
        assert!(like("annXlee@example.com", "ann_lee@example.com"), "_ is any one character");
        assert!(like("ann@sub.example.com", "ann@%example.com"), "% is any text");
        assert!(like("Ann@Example.com", "ann@example.COM"), "case does not matter");
        assert!(like("anything", ""));
        assert!(!like("annlee@example.com", "ann_lee@example.com"));
        assert!(!like("ann@example.org", "ann@example.com"));
    }

    #[test]
    fn glob_matches_the_whole_text_with_stars() {
        assert!(glob("flaky12@example.com", "flaky*@example.com"));
        assert!(glob("flaky@example.com", "flaky*@example.com"));
        assert!(glob("anything", "*"));
        assert!(glob("a_b@example.com", "a_b@*"));
        assert!(!glob("aXb@example.com", "a_b@*"), "_ is itself in a glob");
        assert!(!glob("not-flaky1@example.com", "flaky*@example.com"));
        assert!(!glob("flaky1@example.com.au", "flaky*@example.com"));
    }
}
