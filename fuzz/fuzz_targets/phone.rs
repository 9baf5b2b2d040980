//! What is accepted is E.164, and is accepted again as it is.
#![no_main]

use customer_import::domain::{Country, Phone};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, [u8; 2])| {
    let (text, letters) = input;
    let code: String = letters.iter().map(|byte| char::from(b'A' + byte % 26)).collect();
    let region = Country::parse(&code).ok();
    match Phone::parse(&text, region) {
        Ok(phone) => {
            let digits = phone.as_str().strip_prefix('+').expect("a plus");
            assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
            let again = Phone::parse(phone.as_str(), region).expect("E.164");
            assert_eq!(again.as_str(), phone.as_str());
            let elsewhere = Phone::parse(phone.as_str(), None).expect("E.164");
            assert_eq!(elsewhere.as_str(), phone.as_str());
        }
        Err(flaw) => assert!(!flaw.hint.is_empty()),
    }
});
