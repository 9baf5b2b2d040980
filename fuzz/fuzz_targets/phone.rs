//! What is accepted is E.164, and is accepted again as it is; a number that the table knows at once
//! is what the library makes of it.
#![no_main]

use customer_import::domain::{Country, Phone};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, [u8; 2], u64)| {
    let (text, letters, number) = input;
    let (first, last) = (number % 10_u64.pow(15) / 1000, number % 1000);
    // The table takes no slash.
    let by_library = Phone::parse(&format!("+{first}/{last:03}"), None);
    assert_eq!(Phone::parse(&format!("+{first}{last:03}"), None).ok(), by_library.ok());
    let code: String = letters.iter().map(|byte| char::from(b'A' + byte % 26)).collect();
    let region = Country::parse(&code).ok();
    match Phone::parse(&text, region) {
        Ok(phone) => {
            let e164 = phone.to_string();
            let digits = e164.strip_prefix('+').expect("a plus");
            assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
            for region in [region, None] {
                assert!(Phone::parse(&e164, region) == Ok(phone), "{e164}");
            }
        }
        Err(flaw) => assert!(!flaw.hint.is_empty()),
    }
});
