//! Words for the two types of customers, and for yes and no, in the languages of the header words.
//!
//! The table is kept by hand. A word is here only if it means one of the two wherever it is used;
//! `F`, `Professionnel` or `Einzelunternehmen` may mean either, so a person decides.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Field;
use super::plain_word::plain_word;

const BUSINESS: &[&str] = &[
    "Company|Corporate|Corporation|Organization|Organisation|Enterprise|Legal entity|B2B|Business customer",
    "Firma|Firmenkunde|Geschäftskunde|Geschäftlich|Unternehmen|Gewerblich|Gewerbekunde|Juristische Person",
    "Entreprise|Société|Personne morale",
    "Empresa|Persona jurídica|Sociedad|Compañía",
    "Pessoa jurídica|Companhia|Sociedade",
    "Azienda|Società|Impresa|Persona giuridica",
    "Bedrijf|Zakelijk|Onderneming|Rechtspersoon",
    "Przedsiębiorstwo|Osoba prawna|Klient biznesowy",
    "Şirket|Kurumsal|Tüzel|Tüzel kişi|İşletme",
    "شركة|مؤسسة",
    "Компания|Организация|Юридическое лицо|Юрлицо|Юр. лицо",
    "Компанія|Організація|Юридична особа|Юр. особа",
    "企业|企業|公司",
    "法人|会社",
    "법인|기업|회사",
    "कंपनी|व्यवसाय",
    "Perusahaan|Badan usaha|Bisnis",
    "Doanh nghiệp|Công ty",
    "Kampuni|Biashara",
];

const INDIVIDUAL: &[&str] = &[
    "Person|Private|Private person|Natural person|Consumer|B2C|Private individual",
    "Privat|Privatkunde|Privatkundin|Privatperson|Einzelperson|Natürliche Person",
    "Particulier|Personne physique|Individuel",
    "Persona|Particular|Persona física|Persona natural|Individuo",
    "Pessoa física|Pessoa singular|Indivíduo",
    "Privato|Persona fisica|Individuo",
    "Privé|Privépersoon|Natuurlijk persoon|Persoon|Consument",
    "Osoba prywatna|Osoba fizyczna|Klient indywidualny|Prywatny",
    "Bireysel|Şahıs|Gerçek kişi|Birey",
    "فرد|شخص",
    "Физическое лицо|Физлицо|Физ. лицо|Частное лицо",
    "Фізична особа|Фіз. особа|Приватна особа",
    "个人|個人",
    "個人",
    "개인",
    "व्यक्ति|व्यक्तिगत",
    "Perorangan|Pribadi|Individu",
    "Cá nhân",
    "Mtu binafsi",
];

const YES: &[&str] = &[
    "Y|Wahr|Ja|Oui|Vrai|Sí|Verdadero|Sim|Verdadeiro|Vero|Waar|Tak|Prawda|Evet|Doğru",
    "نعم|Да|Так|是|はい|예|네|हाँ|हां|Ya|Có|Ndiyo",
];

const NO: &[&str] = &[
    "N|Falsch|Nein|Non|Faux|Falso|Não|Nee|Onwaar|Nie|Fałsz|Hayır|Yanlış",
    "لا|Нет|Ні|否|いいえ|아니오|아니요|नहीं|Tidak|Không|Hapana",
];

/// The tables of the fields that have kinds as values: the value that the API knows, and its words.
const TABLES: [(Field, &str, &[&str]); 4] = [
    (Field::Type, "business", BUSINESS),
    (Field::Type, "individual", INDIVIDUAL),
    (Field::SendKycMail, "true", YES),
    (Field::SendKycMail, "false", NO),
];

static BY_WORD: LazyLock<HashMap<(Field, String), &'static str>> = LazyLock::new(|| {
    let rows = TABLES.into_iter().flat_map(|(field, value, lines)| {
        let words = lines.iter().flat_map(|line| line.split('|'));
        words.map(move |word| ((field, plain_word(word)), value))
    });
    rows.collect()
});

/// Returns what a word usually means as a value of the field, to be proposed and never to be
/// applied. Returns `None` if it is not one of the words.
pub(crate) fn usual_meaning(field: Field, value: &str) -> Option<&'static str> {
    BY_WORD.get(&(field, plain_word(value))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_two_meanings() {
        let mut seen: HashMap<(Field, String), &str> = HashMap::new();
        for (field, value, lines) in TABLES {
            for word in lines.iter().flat_map(|line| line.split('|')) {
                let before = *seen.entry((field, plain_word(word))).or_insert(value);
                assert_eq!(before, value, "{word}");
            }
        }
    }

    #[test]
    fn words_are_known_apart_from_case_and_accents_and_nothing_is_matched_by_its_beginning() {
        for (field, word, meaning) in [
            (Field::Type, "FIRMA", Some("business")),
            (Field::Type, "Sociedad", Some("business")),
            (Field::Type, "ŞİRKET", Some("business")),
            (Field::Type, "法人", Some("business")),
            (Field::Type, "Bireysel", Some("individual")),
            (Field::Type, "個人", Some("individual")),
            (Field::Type, "Firmenname", None),
            (Field::Type, "F", None),
            (Field::Type, "Privatier", None),
            (Field::SendKycMail, "ja", Some("true")),
            (Field::SendKycMail, "SI", Some("true")),
            (Field::SendKycMail, "いいえ", Some("false")),
            (Field::SendKycMail, "vielleicht", None),
            (Field::Type, "ja", None),
        ] {
            assert_eq!(usual_meaning(field, word), meaning, "{word}");
        }
    }
}
