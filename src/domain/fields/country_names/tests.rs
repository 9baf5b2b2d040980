use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::domain::violation::Code;

/// What a cell becomes: an alpha-3 code, or the code of the problem.
fn read(text: &str) -> String {
    match Country::parse(text) {
        Ok(country) => country.alpha3().to_owned(),
        Err(flaw) => flaw.code.to_string(),
    }
}

#[track_caller]
fn means(alpha3: &str, names: &[&str]) {
    for name in names {
        assert_eq!(read(name), alpha3, "{name}");
    }
}

/// Each name of the hand-kept table and its alpha-3 code.
fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("../countries.txt").lines().filter(|line| !line.starts_with('#'));
    let parts = lines.map(|line| line.split('\t').collect::<Vec<_>>());
    parts.flat_map(|parts| parts[2].split('|').map(move |name| (name, parts[1])))
}

#[test]
fn the_table_has_each_key_once_and_codes_of_countries() {
    assert!(lines().map(|(key, _)| key).is_sorted());
    assert!(lines().count() > 5000);
    assert_eq!(lines().count(), TABLE.len());
    for (key, codes) in lines() {
        assert!(codes.split(' ').all(|code| Country::plain(code).is_some()), "{key}");
        assert!(*loose(&careful(key)) == *key || careful(key) == key, "{key}");
    }
}

#[test]
fn every_name_that_was_known_before_means_the_same() {
    assert!(listed().count() > 500);
    for (name, alpha3) in listed() {
        means(alpha3, &[name, &name.to_uppercase(), &name.to_lowercase(), &format!(" {name}\t")]);
    }
    for name in ["Congo", "the Congo", "Korea", "Virgin Islands"] {
        assert_eq!(read(name), "country.ambiguous");
    }
}

#[test]
fn names_without_an_assigned_code_stay_unknown() {
    let known: HashSet<String> = listed().map(|(name, _)| name.to_lowercase()).collect();
    for line in include_str!("../countries_not_assigned.txt").lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        for name in [parts[0], parts[2]] {
            if !known.contains(&name.to_lowercase()) {
                assert_eq!(read(name), "country.unknown", "{name}");
            }
        }
    }
}

#[test]
fn every_name_of_cldr_means_its_country_or_is_ambiguous() {
    let mut reader = csv::Reader::from_reader(&include_bytes!("../../../../fixtures/data/country-names-cldr.csv")[..]);
    let (mut rows, mut ambiguous) = (0, HashSet::new());
    for row in reader.records().map(Result::unwrap) {
        let (name, alpha3) = (&row[0], &row[1]);
        rows += 1;
        match &*read(name) {
            "country.ambiguous" => {
                ambiguous.insert(name.to_owned());
            }
            // Codes, and short for the United Kingdom in Spanish and the United States in
            // Indonesian.
            "RUS" if name == "RU" => {}
            "ASM" if name == "AS" => {}
            found => assert_eq!(found, alpha3, "{name} ({})", &row[2]),
        }
    }
    assert!(rows > 7000, "{rows}");
    assert_eq!(
        ambiguous,
        ["Congo", "Kongo", "Nga", "São Martinho", "سانت مارتن", "Свети Мартин", "เซนต์มาร์ติน", "Nigeri"]
            .map(str::to_owned)
            .into()
    );
}

#[test]
fn what_german_files_and_cldr_write_is_known() {
    means("DEU", &["Deutschland", "D", "Bundesrepublik Deutschland", "BRD", "Germany (DE)", "DEUTSCHLAND", "276"]);
    means("CHE", &["Schweiz", "die Schweiz", "Suisse", "Svizzera", "Schweizerische Eidgenossenschaft", "CH"]);
    means("ESP", &["España", "Espana", "ESPAÑA", "Spanien", "Espagne", "E"]);
    means("AUT", &["Österreich", "Oesterreich", "Osterreich", "ÖSTERREICH", "A", "Republik Österreich"]);
    means("MMR", &["Myanmar (Burma)"]);
    means("PSE", &["Palestinian Territories"]);
    means("COD", &["Congo - Kinshasa", "Congo-Kinshasa", "Congo – Kinshasa"]);
    means("VCT", &["St. Vincent & Grenadines", "Saint Vincent and the Grenadines", "St Vincent and Grenadines"]);
    means("KOR", &["Korea (Republic of)", "Korea, Republic of", "Korea, South"]);
    means("BHS", &["Bahamas, The", "Bahamas (the)", "The Bahamas"]);
    means("USA", &["United States (US)", "United States (USA)", "U.S.A.", "U. S. A.", "EE. UU.", "EEUU", "États-Unis"]);
}

#[test]
fn formal_names_are_known() {
    means("AGO", &["Republic of Angola", "the Republic of Angola", "REPUBLIC OF ANGOLA"]);
    means("DEU", &["Federal Republic of Germany"]);
    means("NOR", &["Kingdom of Norway"]);
    means("LUX", &["Grand Duchy of Luxembourg"]);
    means("COG", &["Republic of the Congo", "Republic of Congo"]);
    means("COD", &["Democratic Republic of the Congo", "Democratic Republic of Congo"]);
    means("CHN", &["People's Republic of China", "Peoples Republic of China", "People’s Republic of China"]);
    means("MKD", &["The former Yugoslav Republic of Macedonia"]);
}

#[test]
fn inverted_names_are_known() {
    means("AGO", &["Angola, Republic of", "Angola, Republic of the"]);
    means("DEU", &["Germany, Federal Republic of"]);
    means("NOR", &["Norway, Kingdom of"]);
    means("IRN", &["Iran, Islamic Republic of"]);
    means("PRK", &["Korea, Democratic People's Republic of", "Korea, North"]);
    means("VGB", &["Virgin Islands, British"]);
    means("SSD", &["Sudan, South"]);
    means("GBR", &["Kingdom, United"]);
    means("DOM", &["Republic, Dominican"]);
    means("CZE", &["Republic, Czech"]);
}

#[test]
fn names_with_the_form_in_brackets_are_known() {
    means("AGO", &["Angola (Republic of)", "Angola (the Republic of)"]);
    means("BOL", &["Bolivia (Plurinational State of)", "Bolivia [Plurinational State of]"]);
    means("VIR", &["Virgin Islands (U.S.)", "Virgin Islands (US)", "Virgin Islands (USA)"]);
    means("MAF", &["Saint Martin (French part)", "St. Martin (French part)"]);
    means("SXM", &["Sint Maarten (Dutch part)", "Saint Martin (Dutch part)"]);
    means("VAT", &["Holy See (Vatican City State)"]);
}

#[test]
fn articles_are_left_out() {
    means("NLD", &["The Netherlands", "Netherlands, The", "Netherlands (the)", "Die Niederlande"]);
    means("GMB", &["The Gambia", "Gambia, The", "Gambia (The)"]);
    means("USA", &["the United States", "Les États-Unis", "Los Estados Unidos", "Gli Stati Uniti"]);
    means("REU", &["La Réunion", "Réunion", "Reunion"]);
    means("SLV", &["El Salvador", "Salvador"]);
    // Short for the Republic of the Congo in ISO 3166, and known before.
    means("COG", &["Congo (the)"]);
}

#[test]
fn saint_and_its_abbreviation_and_the_sign_for_and_are_the_same_as_the_words() {
    means("LCA", &["Saint Lucia", "St. Lucia", "St Lucia", "ST.LUCIA", "St-Lucia"]);
    means("KNA", &["St. Kitts & Nevis", "Saint Kitts and Nevis", "St Kitts&Nevis"]);
    means("TTO", &["Trinidad & Tobago", "Trinidad and Tobago", "Trinidad und Tobago", "Trinidad & Tobago"]);
    means("BIH", &["Bosnien & Herzegowina", "Bosna-Hersek", "Bosnia y Herzegovina"]);
    means("ATG", &["Antigua-et-Barbuda", "Antigua & Barbuda", "Antigua e Barbuda", "Antigua und Barbuda"]);
    means("CYM", &["Cayman Islands", "Cayman Is.", "Cayman Is"]);
}

#[test]
fn two_readings_that_agree_are_one() {
    means("USA", &["United States (US)", "US - United States", "USA: United States of America", "United States, USA"]);
    means(
        "DEU",
        &["Germany (DE)", "Germany [DEU]", "DE Germany", "Germany DE", "Deutschland / Germany", "276 - Germany"],
    );
    means("COD", &["Congo (CD)", "CD - Congo", "Congo, COD"]);
    means("KOR", &["Korea (KR)", "KR | Korea"]);
    means("GNB", &["GW - Guinea-Bissau", "Guinea-Bissau (GW)"]);
    means("GBR", &["United Kingdom (UK)", "UK (England)", "Great Britain (GB)"]);
}

#[test]
fn two_readings_that_disagree_are_none() {
    for text in
        ["Georgia, US", "Germany (FR)", "Jersey, GB", "Niger / Nigeria", "Sudan SS", "DE - Austria", "Congo (BR)"]
    {
        assert_eq!(read(text), "country.unknown", "{text}");
    }
}

#[test]
fn names_in_twenty_languages_are_known() {
    means(
        "DEU",
        &["Allemagne", "Alemania", "Alemanha", "Germania", "Duitsland", "Niemcy", "Almanya", "ألمانيا", "المانيا"],
    );
    means("DEU", &["Германия", "Німеччина", "德国", "德國", "ドイツ", "독일", "जर्मनी", "Jerman", "Đức", "Ujerumani"]);
    means("GBR", &["Vereinigtes Königreich", "Royaume-Uni", "Reino Unido", "İngiltere", "Birleşik Krallık", "England"]);
    means(
        "USA",
        &["Vereinigte Staaten", "ABD", "США", "美国", "美國", "アメリカ合衆国", "미국", "Hoa Kỳ", "Mỹ", "Marekani"],
    );
    means("CHN", &["中国", "中國", "Chine", "Çin", "Cina", "Trung Quốc", "चीन", "Китай", "Tiongkok"]);
    means("ITA", &["Ý", "Italien", "Italie", "Włochy", "İtalya", "ITALYA", "italya"]);
}

#[test]
fn names_in_other_languages_of_europe_and_beyond_are_known() {
    means(
        "DEU",
        &["Tyskland", "Německo", "Saksa", "Németország", "Γερμανία", "Njemačka", "Немачка", "Vokietija", "גרמניה"],
    );
    means("GBR", &["Storbritannien", "Spojené království", "Egyesült Királyság", "Ηνωμένο Βασίλειο", "Regatul Unit"]);
    means("JPN", &["Japonsko", "Japani", "ญี่ปุ่น", "ژاپن"]);
}

#[test]
fn native_names_are_known() {
    means("HUN", &["Magyarország", "Magyarorszag"]);
    means("FIN", &["Suomi"]);
    means("GRC", &["Ελλάδα", "ΕΛΛΑΔΑ", "Hellas"]);
    means("GEO", &["საქართველო"]);
    means("ISR", &["ישראל"]);
    means("THA", &["ไทย"]);
    means("SRB", &["Србија", "Srbija"]);
    means("CZE", &["Česko", "Cesko"]);
    means("SWE", &["Sverige"]);
    means("ALB", &["Shqipëri", "Shqiperi"]);
    means("IRN", &["ایران"]);
}

#[test]
fn capitals_and_missing_accents_of_any_alphabet_do_not_matter() {
    means("TUR", &["TÜRKİYE", "TURKIYE", "Turkiye", "türkiye"]);
    means("CIV", &["FİLDİŞİ SAHİLİ", "Fildisi Sahili", "COTE D'IVOIRE", "Cote d Ivoire", "Elfenbeinküste"]);
    means("BRA", &["BRÉSIL", "BRESIL", "Brésil", "БРАЗИЛИЯ", "ブラジル", "ﾌﾞﾗｼﾞﾙ"]);
    means("JPN", &["ＪＡＰＡＮ", "日本", "ＪＰ", "Japon", "اليابان\u{200f}"]);
    means("DNK", &["Dänemark", "Daenemark", "Danemark"]);
}

#[test]
fn numeric_codes_have_exactly_three_digits() {
    means("DEU", &["276", " 276 "]);
    means("ALB", &["008"]);
    for text in ["8", "08", "0276", "27.6", "2-7-6", "27 6", "+276", "999", "49"] {
        assert_eq!(read(text), "country.unknown", "{text}");
    }
    let mut reader = csv::Reader::from_reader(&include_bytes!("../../../../fixtures/data/countries-iso3166-1.csv")[..]);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 249);
    for row in rows {
        means(&row[1], &[&row[2]]);
    }
}

#[test]
fn codes_of_cars_count_only_if_nothing_else_reads_so() {
    means("DEU", &["D", " D "]);
    means("CAN", &["CDN"]);
    means("SVN", &["SLO"]);
    for text in ["d", "n", "M", "X", "Y", "FL", "RA", "cdn"] {
        assert_eq!(read(text), "country.unknown", "{text}");
    }
    // Codes of cars that ISO 3166 gives to other countries.
    means("COL", &["CO"]);
    means("ROU", &["ROU"]);
}

#[test]
fn names_of_two_countries_are_refused_with_the_choices() {
    for (name, choices) in [
        ("Kongo", "COD (Democratic Republic of the Congo, Kinshasa) or COG (Republic of the Congo, Brazzaville)"),
        ("Corée", "PRK (North Korea) or KOR (South Korea)"),
        ("Jungferninseln", "VGB (British) or VIR (U.S.)"),
        ("São Martinho", "MAF (Saint Martin (French part)) or SXM (Sint Maarten (Dutch part))"),
        ("Nga", "NGA (Nigeria) or RUS (Russian Federation)"),
    ] {
        let flaw = Country::parse(name).unwrap_err();
        assert_eq!(flaw.code, Code::CountryAmbiguous, "{name}");
        assert_eq!(flaw.hint, format!("means more than one country; write {choices}"));
    }
    means("NGA", &["NGA", "nga"]);
}

#[test]
fn nothing_is_known_by_prefix_or_likeness() {
    for name in
        ["Deutsch", "Deutschlan", "Deutshland", "Germany Berlin", "Berlin", "Deutschland2", "xDeutschland", "Europa"]
    {
        assert_eq!(read(name), "country.unknown", "{name}");
    }
    assert_eq!(read(&"Germany ".repeat(100)), "country.unknown");
}

#[test]
fn no_key_of_the_table_is_a_code() {
    let is_code = |key: &str| Country::plain(key).is_some();
    let listed: HashMap<String, &str> =
        listed().map(|(name, alpha3)| (loose(&careful(name)).into_owned(), alpha3)).collect();
    for (key, codes) in lines().filter(|(key, _)| is_code(key) && !listed.contains_key(*key)) {
        assert_eq!(Country::plain(codes), Country::plain(key), "{key}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_folding_twice_changes_nothing(text in "\\PC{0,40}") {
        let name = careful(&text);
        prop_assert_eq!(careful(&name), name.clone());
        let _ = countries(&text);
        let _ = loose(&name);
    }
}
