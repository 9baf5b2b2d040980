//! The fields of a customer, each with its own rules.
//!
//! - `name`, `email`, `phone`, `country`, `kind`: one file for each field
//! - `country_code`: the countries and their codes; `country_names`: what people call them;
//!   `country_guess`: what a misspelled name may mean
//! - `phone_ranges`: which phone numbers are in use; `national_numbers`: what their countries dial
//!   before them; `possible_numbers`: which lengths others can have; `wrong_lengths`: which lengths
//!   no number of a country has, with what is dialed before it
//! - `country_lines`: how the lists of countries by leading digits are written
//! - `name_oddity`: names to look at again; `macintosh_text`: names whose letters a wrong encoding
//!   replaced
//! - `byte_classes`, `normalized_letters`: fast answers about ASCII and about normalized text
//!
//! Each field has a `parse`, which returns the value or a [`Flaw`](crate::domain::Flaw). Those with
//! a `plain` function use it to accept the usual case quickly; it returns exactly what `parse`
//! returns.

mod byte_classes;
pub(super) mod country;
pub(super) mod country_code;
mod country_guess;
mod country_lines;
mod country_names;
#[cfg(test)]
mod data_file;
#[cfg(test)]
mod dialing;
pub(super) mod email;
pub(super) mod kind;
mod macintosh_text;
pub(super) mod name;
pub(super) mod name_oddity;
mod national_numbers;
mod normalized_letters;
pub(super) mod phone;
mod phone_ranges;
mod possible_numbers;
mod wrong_lengths;
