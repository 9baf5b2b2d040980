//! What columns of customers are called in the languages that country names are known in, besides
//! English.
//!
//! The table is kept by hand. A header is looked up exactly, apart from case, accents, spaces and
//! punctuation. A word that is also the name of half a name, such as `Nombre` or `Nom`, is half a
//! name if the file has the other half.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::spelling::fold;
use crate::domain::{Field, is_plain_form, plain_initial, plain_word};

/// What a header says that its column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Field(Field),
    /// The given name only, or the family name only.
    Given,
    Family,
    /// The whole name, or the given name if the family name has a column of its own.
    NameOrGiven,
    /// The whole name, or the family name if the given name has a column of its own.
    NameOrFamily,
}

const WORDS: &[(Meaning, &str)] = &[
    // German
    (Meaning::Field(Field::Name), "Vollständiger Name|Vor- und Nachname|Vorname Nachname|Kundenname|Name des Kunden"),
    (Meaning::Field(Field::Name), "Name, Vorname|Nachname, Vorname|Ansprechpartner|Kontaktname"),
    (Meaning::Given, "Vorname|Vornamen|Rufname"),
    (Meaning::Family, "Nachname|Familienname|Zuname"),
    (Meaning::Field(Field::Email), "E-Mail-Adresse|Mailadresse|Mail-Adresse|Emailadresse|E-Post|Kunden-E-Mail"),
    (Meaning::Field(Field::Phone), "Telefon|Telefonnummer|Tel.-Nr.|Telefon-Nr.|Telefonnr|Rufnummer|Fernsprecher"),
    (
        Meaning::Field(Field::Phone),
        "Handy|Handynummer|Handy-Nr.|Mobil|Mobilnummer|Mobiltelefon|Mobilfunknummer|Mobil-Nr.",
    ),
    (Meaning::Field(Field::Country), "Land|Länderkürzel|Ländercode|Landescode|Länderkennung|Länderkennzeichen"),
    (Meaning::Field(Field::Country), "Land/Region|Wohnsitzland|Staat (Land)|Land (ISO)|ISO-Land"),
    (Meaning::Field(Field::Type), "Kundentyp|Kundenart|Kundentype|Art des Kunden"),
    // French
    (
        Meaning::Field(Field::Name),
        "Nom complet|Nom et prénom|Prénom et nom|Nom du client|Nom Prénom|Prénom Nom|Nom du contact",
    ),
    (Meaning::Given, "Prénom|Prénoms|Prénom du client"),
    (Meaning::Family, "Nom de famille|Patronyme"),
    (Meaning::NameOrFamily, "Nom"),
    (
        Meaning::Field(Field::Email),
        "Courriel|Adresse e-mail|Adresse mail|Adresse électronique|Mél|Adresse courriel|E-mail du client",
    ),
    (
        Meaning::Field(Field::Phone),
        "Téléphone|Numéro de téléphone|N° de téléphone|N° téléphone|Num. téléphone|Portable",
    ),
    (
        Meaning::Field(Field::Phone),
        "Téléphone portable|Téléphone mobile|Numéro de portable|Tél. portable|Tél. mobile|GSM",
    ),
    (Meaning::Field(Field::Country), "Pays|Code pays|Pays de résidence|Pays/Région|Code du pays"),
    (Meaning::Field(Field::Type), "Type de client|Type client"),
    // Spanish
    (
        Meaning::Field(Field::Name),
        "Nombre completo|Nombre y apellidos|Nombre y apellido|Nombre del cliente|Apellidos y nombre",
    ),
    (Meaning::Given, "Nombre de pila|Primer nombre|Nombres"),
    (Meaning::Family, "Apellido|Apellidos|Primer apellido"),
    (Meaning::NameOrGiven, "Nombre"),
    (
        Meaning::Field(Field::Email),
        "Correo|Correo electrónico|Dirección de correo|Dirección de correo electrónico|E-mail cliente",
    ),
    (
        Meaning::Field(Field::Phone),
        "Teléfono|Número de teléfono|N.º de teléfono|Móvil|Teléfono móvil|Celular|Teléfono celular",
    ),
    (Meaning::Field(Field::Phone), "Número de móvil|Número de celular|Núm. de teléfono|Tfno."),
    (Meaning::Field(Field::Country), "País|Código de país|Código país|País de residencia|País/Región"),
    (Meaning::Field(Field::Type), "Tipo de cliente|Tipo cliente"),
    // Portuguese
    (Meaning::Field(Field::Name), "Nome completo|Nome do cliente|Nome e sobrenome|Nome e apelido"),
    (Meaning::Given, "Primeiro nome|Nome próprio"),
    (Meaning::Family, "Sobrenome|Apelido|Último nome"),
    (Meaning::NameOrGiven, "Nome"),
    (Meaning::Field(Field::Email), "Correio eletrônico|Correio eletrónico|Endereço de e-mail|E-mail do cliente"),
    (
        Meaning::Field(Field::Phone),
        "Telefone|Número de telefone|Nº de telefone|Telemóvel|Telefone celular|Número de telemóvel|Telefone móvel",
    ),
    (Meaning::Field(Field::Country), "Código do país|País de residência"),
    (Meaning::Field(Field::Type), "Tipo do cliente"),
    // Italian
    (Meaning::Field(Field::Name), "Nome e cognome|Cognome e nome|Nominativo|Nome del cliente|Nome cliente"),
    (Meaning::Given, "Nome di battesimo"),
    (Meaning::Family, "Cognome"),
    (
        Meaning::Field(Field::Email),
        "Posta elettronica|Indirizzo e-mail|Indirizzo di posta elettronica|E-mail del cliente",
    ),
    (
        Meaning::Field(Field::Phone),
        "Telefono|Numero di telefono|N. telefono|Cellulare|Numero di cellulare|Telefono cellulare|Tel. cellulare",
    ),
    (Meaning::Field(Field::Country), "Paese|Nazione|Codice paese|Paese di residenza|Paese/Regione"),
    (Meaning::Field(Field::Type), "Tipo di cliente|Tipologia cliente"),
    // Dutch
    (
        Meaning::Field(Field::Name),
        "Volledige naam|Klantnaam|Naam van de klant|Voor- en achternaam|Voornaam en achternaam",
    ),
    (Meaning::Given, "Voornaam|Roepnaam"),
    (Meaning::Family, "Achternaam|Familienaam"),
    (Meaning::NameOrFamily, "Naam"),
    (Meaning::Field(Field::Email), "E-mailadres|Mailadres|E-mail adres"),
    (Meaning::Field(Field::Phone), "Telefoon|Telefoonnummer|Tel.nr.|Mobiel|Mobiel nummer|Mobiele telefoon|Gsm-nummer"),
    (Meaning::Field(Field::Country), "Landcode|Woonland|Land/regio"),
    (Meaning::Field(Field::Type), "Klanttype|Type klant|Soort klant"),
    // Polish
    (Meaning::Field(Field::Name), "Imię i nazwisko|Nazwisko i imię|Nazwa klienta|Pełna nazwa|Imię nazwisko"),
    (Meaning::Given, "Imię|Imiona"),
    (Meaning::Family, "Nazwisko"),
    (Meaning::Field(Field::Email), "Adres e-mail|Poczta elektroniczna|E-mail klienta|Adres mailowy"),
    (
        Meaning::Field(Field::Phone),
        "Numer telefonu|Nr telefonu|Nr tel.|Telefon komórkowy|Komórka|Tel. komórkowy|Numer komórki",
    ),
    (Meaning::Field(Field::Country), "Kraj|Państwo|Kod kraju|Kraj zamieszkania|Kraj/region"),
    (Meaning::Field(Field::Type), "Typ klienta|Rodzaj klienta"),
    // Turkish
    (Meaning::Field(Field::Name), "Ad Soyad|Adı Soyadı|Ad-Soyad|İsim Soyisim|Müşteri adı|Tam ad|Adı ve soyadı"),
    (Meaning::Family, "Soyad|Soyadı|Soyisim"),
    (Meaning::NameOrGiven, "Ad|Adı|İsim|İsmi"),
    (Meaning::Field(Field::Email), "E-posta|E-posta adresi|Elektronik posta|Mail adresi|E-mail adresi"),
    (
        Meaning::Field(Field::Phone),
        "Telefon numarası|Telefon no|Cep telefonu|Cep no|Tel no|Cep telefonu numarası|Telefonu",
    ),
    (Meaning::Field(Field::Country), "Ülke|Ülkesi|Ülke kodu|Ülke/Bölge"),
    (Meaning::Field(Field::Type), "Müşteri tipi|Müşteri türü"),
    // Arabic
    (Meaning::Field(Field::Name), "الاسم الكامل|اسم العميل|الاسم بالكامل|اسم الزبون"),
    (Meaning::Given, "الاسم الأول|الاسم الشخصي"),
    (Meaning::Family, "اسم العائلة|الاسم الأخير|الاسم العائلي|اللقب"),
    (Meaning::NameOrGiven, "الاسم|اسم"),
    (Meaning::Field(Field::Email), "البريد الإلكتروني|بريد إلكتروني|الإيميل|إيميل|عنوان البريد الإلكتروني"),
    (
        Meaning::Field(Field::Phone),
        "الهاتف|رقم الهاتف|هاتف|الجوال|رقم الجوال|جوال|الموبايل|رقم الموبايل|الهاتف المحمول",
    ),
    (Meaning::Field(Field::Country), "الدولة|البلد|دولة|بلد|بلد الإقامة|رمز الدولة|رمز البلد"),
    (Meaning::Field(Field::Type), "نوع العميل|نوع الزبون"),
    // Russian
    (
        Meaning::Field(Field::Name),
        "ФИО|Ф.И.О.|Полное имя|Имя и фамилия|Фамилия Имя Отчество|Имя клиента|Имя Фамилия|Клиент",
    ),
    (Meaning::Family, "Фамилия"),
    (Meaning::NameOrGiven, "Имя"),
    (
        Meaning::Field(Field::Email),
        "Почта|Электронная почта|Эл. почта|Адрес электронной почты|Имейл|Емейл|Эл. адрес|Электронный адрес",
    ),
    (
        Meaning::Field(Field::Phone),
        "Телефон|Номер телефона|Мобильный|Мобильный телефон|Контактный телефон|Сотовый|Тел.",
    ),
    (Meaning::Field(Field::Country), "Страна|Код страны|Страна проживания|Страна/регион"),
    (Meaning::Field(Field::Type), "Тип клиента|Вид клиента"),
    // Ukrainian
    (
        Meaning::Field(Field::Name),
        "ПІБ|П.І.Б.|Повне ім'я|Ім'я та прізвище|Прізвище та ім'я|Ім'я клієнта|Прізвище, ім'я",
    ),
    (Meaning::Family, "Прізвище"),
    (Meaning::NameOrGiven, "Ім'я"),
    (Meaning::Field(Field::Email), "Пошта|Електронна пошта|Ел. пошта|Адреса електронної пошти|Електронна адреса"),
    (Meaning::Field(Field::Phone), "Номер телефону|Мобільний|Мобільний телефон|Контактний телефон"),
    (Meaning::Field(Field::Country), "Країна|Код країни|Країна проживання"),
    (Meaning::Field(Field::Type), "Тип клієнта"),
    // Chinese
    (Meaning::Field(Field::Name), "姓名|客户姓名|客戶姓名|客户名称|客戶名稱|全名|名字|联系人|聯絡人"),
    (Meaning::Family, "姓|姓氏"),
    (Meaning::Given, "名"),
    (Meaning::Field(Field::Email), "邮箱|电子邮件|电子邮箱|邮箱地址|邮件地址|電子郵件|電郵|信箱|電子信箱|電子郵件地址"),
    (
        Meaning::Field(Field::Phone),
        "电话|手机|手机号|手机号码|电话号码|联系电话|電話|手機|手機號碼|電話號碼|行動電話|聯絡電話",
    ),
    (Meaning::Field(Field::Country), "国家|國家|国家/地区|國家/地區|国别|國別|国家代码|國家代碼"),
    (Meaning::Field(Field::Type), "客户类型|客戶類型|客户类别|客戶類別"),
    // Japanese
    (Meaning::Field(Field::Name), "氏名|お名前|名前|顧客名|フルネーム|お客様名|御氏名"),
    (Meaning::Family, "苗字|名字（姓）|姓（漢字）"),
    (Meaning::Given, "名（漢字）|下の名前"),
    (Meaning::Field(Field::Email), "メール|メールアドレス|Eメール|Eメールアドレス|電子メール|電子メールアドレス"),
    (Meaning::Field(Field::Phone), "電話番号|携帯|携帯電話|携帯番号|携帯電話番号|お電話番号|連絡先電話番号|TEL番号"),
    (Meaning::Field(Field::Country), "国|国名|国コード|居住国|国・地域|国／地域"),
    (Meaning::Field(Field::Type), "顧客タイプ|顧客種別|顧客区分"),
    // Korean
    (Meaning::Field(Field::Name), "성명|고객명|성함|전체 이름|고객 이름|이름(성명)"),
    (Meaning::Family, "성|성씨"),
    (Meaning::NameOrGiven, "이름"),
    (Meaning::Field(Field::Email), "이메일|이메일 주소|메일|메일 주소|전자우편|전자 메일|이메일주소"),
    (Meaning::Field(Field::Phone), "전화|전화번호|휴대폰|휴대폰 번호|핸드폰|핸드폰 번호|휴대전화|휴대전화 번호|연락처"),
    (Meaning::Field(Field::Country), "국가|나라|국가 코드|국가명|거주 국가|국가/지역"),
    (Meaning::Field(Field::Type), "고객 유형|고객 구분"),
    // Hindi
    (Meaning::Field(Field::Name), "पूरा नाम|ग्राहक का नाम|ग्राहक नाम"),
    (Meaning::Given, "पहला नाम|प्रथम नाम"),
    (Meaning::Family, "उपनाम|अंतिम नाम|कुलनाम"),
    (Meaning::NameOrGiven, "नाम"),
    (Meaning::Field(Field::Email), "ईमेल|ई-मेल|ईमेल पता|ई-मेल पता|मेल|ईमेल आईडी"),
    (Meaning::Field(Field::Phone), "फ़ोन|फोन|फ़ोन नंबर|फोन नंबर|मोबाइल|मोबाइल नंबर|दूरभाष|संपर्क नंबर"),
    (Meaning::Field(Field::Country), "देश|देश का नाम|देश कोड"),
    (Meaning::Field(Field::Type), "ग्राहक का प्रकार|ग्राहक प्रकार"),
    // Indonesian
    (Meaning::Field(Field::Name), "Nama lengkap|Nama pelanggan"),
    (Meaning::Given, "Nama depan"),
    (Meaning::Family, "Nama belakang|Nama keluarga"),
    (Meaning::NameOrGiven, "Nama"),
    (Meaning::Field(Field::Email), "Surel|Alamat email|Alamat surel|Alamat e-mail|Email pelanggan"),
    (
        Meaning::Field(Field::Phone),
        "Telepon|Nomor telepon|No. telepon|No. HP|Nomor HP|Ponsel|Nomor ponsel|No. Telp|Telp|Nomor handphone",
    ),
    (Meaning::Field(Field::Country), "Negara|Kode negara|Negara asal|Negara/Wilayah"),
    (Meaning::Field(Field::Type), "Tipe pelanggan|Jenis pelanggan"),
    // Vietnamese
    (Meaning::Field(Field::Name), "Họ và tên|Họ tên|Tên khách hàng|Tên đầy đủ|Họ & tên"),
    (Meaning::Family, "Họ"),
    (Meaning::NameOrGiven, "Tên"),
    (Meaning::Field(Field::Email), "Thư điện tử|Địa chỉ email|Địa chỉ thư điện tử|Địa chỉ e-mail|Hòm thư"),
    (Meaning::Field(Field::Phone), "Điện thoại|Số điện thoại|Di động|Điện thoại di động|SĐT|Số di động|Số ĐT"),
    (Meaning::Field(Field::Country), "Quốc gia|Nước|Mã quốc gia|Quốc gia/Khu vực"),
    (Meaning::Field(Field::Type), "Loại khách hàng|Kiểu khách hàng"),
    // Swahili
    (Meaning::Field(Field::Name), "Jina kamili|Jina la mteja|Majina"),
    (Meaning::Given, "Jina la kwanza"),
    (Meaning::Family, "Jina la ukoo|Jina la mwisho|Jina la familia"),
    (Meaning::NameOrGiven, "Jina"),
    (Meaning::Field(Field::Email), "Barua pepe|Anwani ya barua pepe|Anuani ya barua pepe"),
    (Meaning::Field(Field::Phone), "Simu|Namba ya simu|Nambari ya simu|Simu ya mkononi|Rununu|Simu ya rununu"),
    (Meaning::Field(Field::Country), "Nchi|Nchi ya makazi|Msimbo wa nchi"),
    (Meaning::Field(Field::Type), "Aina ya mteja"),
];

/// Columns that hold the name of a company. It is not a field, but it tells that some customers may
/// be businesses.
const COMPANY: &str = "Company|Company name|Organization|Organisation|Firma|Firmenname|Unternehmen|Entreprise|Société|\
    Raison sociale|Empresa|Razón social|Razão social|Azienda|Ragione sociale|Bedrijf|Bedrijfsnaam|Nazwa firmy|Şirket|\
    Şirket adı|شركة|اسم الشركة|Компания|Организация|Компанія|公司|公司名称|公司名稱|会社|会社名|회사|회사명|Perusahaan|\
    Công ty|Kampuni";

/// Whether a header says that its column holds the name of a company.
pub(crate) fn is_company(name: &str) -> bool {
    let name = plain_word(name);
    COMPANY.split('|').any(|word| is_plain_form(&name, word))
}

type HeaderWord = (&'static str, Meaning);

/// The words by their plain first letter. To fold all words would take longer than to check a
/// thousand records.
static BY_INITIAL: LazyLock<HashMap<Option<char>, Vec<HeaderWord>>> = LazyLock::new(|| {
    let mut by_initial: HashMap<_, Vec<_>> = HashMap::new();
    for (meaning, words) in WORDS {
        for word in words.split('|') {
            by_initial.entry(plain_initial(word)).or_default().push((word, *meaning));
        }
    }
    by_initial
});

/// What a header says in one of the languages, or `None` if it is none of their words.
pub(crate) fn meaning(name: &str) -> Option<Meaning> {
    let name = plain_word(name);
    let words = BY_INITIAL.get(&name.chars().next())?;
    words.iter().find(|(word, _)| is_plain_form(&name, word)).map(|(_, meaning)| *meaning)
}

/// The columns of a field by their words. Half a name is not a name.
pub(crate) fn positions(names: &[String], field: Field) -> Vec<usize> {
    let meanings: Vec<Option<Meaning>> = names.iter().map(|name| meaning(name)).collect();
    let at = |wanted: &dyn Fn(Meaning) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|&index| meanings[index].is_some_and(wanted)).collect()
    };
    let found = at(&|meaning| meaning == Meaning::Field(field));
    if field != Field::Name
        || !found.is_empty()
        || !at(&|meaning| matches!(meaning, Meaning::Given | Meaning::Family)).is_empty()
    {
        return found;
    }
    if names.iter().any(|name| ENGLISH_GIVEN.contains(&&*fold(name)) || ENGLISH_FAMILY.contains(&&*fold(name))) {
        return Vec::new();
    }
    let mut found = at(&|meaning| matches!(meaning, Meaning::NameOrGiven | Meaning::NameOrFamily));
    found.retain(|&index| !NOT_ALONE.contains(&&*plain_word(&names[index])));
    found
}

/// Columns of half a name in English, folded: the given name, and the family name.
const ENGLISH_GIVEN: [&str; 3] = ["firstname", "givenname", "forename"];
const ENGLISH_FAMILY: [&str; 3] = ["lastname", "surname", "familyname"];

/// Words that are too usual in English to be the name without the other half beside them.
const NOT_ALONE: [&str; 2] = ["ad", "ten"];

/// Whether the column named `Name` holds the family name only: the file has the given name under a
/// word of another language, and no other column for the family name.
pub(crate) fn name_is_family_name(names: &[String]) -> bool {
    let has = |wanted| names.iter().any(|name| meaning(name) == Some(wanted));
    has(Meaning::Given) && !has(Meaning::Family)
}

/// The template that joins the halves of the name, if the file has one column for each.
pub(crate) fn name_template(names: &[String]) -> Option<String> {
    let of = |wanted: &[Meaning]| -> Vec<&String> {
        names.iter().filter(|name| meaning(name).is_some_and(|found| wanted.contains(&found))).collect()
    };
    let (given, family) = (of(&[Meaning::Given]), of(&[Meaning::Family]));
    let english: Vec<&String> = names.iter().filter(|name| fold(name) == "name").collect();
    let given = if given.is_empty() { of(&[Meaning::NameOrGiven]) } else { given };
    let family = if family.is_empty() { of(&[Meaning::NameOrFamily]) } else { family };
    let family = if family.is_empty() { english } else { family };
    match (&given[..], &family[..]) {
        ([given], [family]) if family_comes_first(family) => Some(format!("{{{family}}} {{{given}}}")),
        ([given], [family]) => Some(format!("{{{given}}} {{{family}}}")),
        _ => None,
    }
}

/// The columns of the given and of the family name in English, if the file has one of each.
pub(crate) fn english_halves(names: &[String]) -> Option<[&String; 2]> {
    let only = |words: &[&str]| {
        let mut found = names.iter().filter(|name| words.contains(&&*fold(name)));
        found.next().filter(|_| found.next().is_none())
    };
    Some([only(&ENGLISH_GIVEN)?, only(&ENGLISH_FAMILY)?])
}

/// In Chinese, Japanese, Korean and Vietnamese.
fn family_comes_first(name: &str) -> bool {
    plain_word(name) == "ho"
        || name.chars().any(|letter| matches!(letter, '\u{3040}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Vec<String> {
        names.split(';').map(str::to_owned).collect()
    }

    #[test]
    fn no_word_has_two_meanings() {
        let mut seen: HashMap<String, (Meaning, &str)> = HashMap::new();
        for (meaning, words) in WORDS {
            for word in words.split('|') {
                let (before, by) = *seen.entry(plain_word(word)).or_insert((*meaning, word));
                assert_eq!(before, *meaning, "{word} and {by}");
            }
        }
        assert!(seen.len() > 500, "{}", seen.len());
    }

    #[test]
    fn no_word_is_an_english_alias_of_another_field() {
        for (meaning, words) in WORDS {
            for word in words.split('|') {
                for field in Field::ALL.into_iter().filter(|field| *meaning != Meaning::Field(*field)) {
                    assert!(!super::super::spelling::aliases(field).contains(&&*fold(word)), "{word}");
                }
            }
        }
    }

    #[test]
    fn every_word_is_found_as_it_is_written() {
        for (wanted, words) in WORDS {
            for word in words.split('|') {
                assert_eq!(meaning(word), Some(*wanted), "{word}");
                assert_eq!(plain_initial(word), plain_word(word).chars().next(), "{word}");
                assert!(
                    is_plain_form(&plain_word(word), word) && !is_plain_form(&format!("{}x", plain_word(word)), word)
                );
            }
        }
    }

    #[test]
    fn words_are_known_apart_from_case_accents_and_punctuation() {
        for (name, field) in [
            ("TELEFON", Field::Phone),
            ("Tel.-Nr.", Field::Phone),
            ("Telefono", Field::Phone),
            ("TELÉFONO", Field::Phone),
            ("E-Mail-Adresse", Field::Email),
            ("Email Adresse", Field::Email),
            ("E-posta", Field::Email),
            ("PAIS", Field::Country),
            ("ÜLKE", Field::Country),
            ("*Land:", Field::Country),
            ("国／地域", Field::Country),
            ("МОБИЛЬНЫЙ ТЕЛЕФОН", Field::Phone),
            ("MÜŞTERİ TİPİ", Field::Type),
            ("Quốc gia", Field::Country),
        ] {
            assert_eq!(meaning(name), Some(Meaning::Field(field)), "{name}");
        }
        for name in ["", "Tele", "Telefon 2", "Landkreis", "Paysage", "Nomen", "Ort", "Straße", "Fax", "Telefax", "CEP"]
        {
            assert_eq!(meaning(name), None, "{name}");
        }
    }

    #[test]
    fn half_a_name_is_not_a_name() {
        assert_eq!(positions(&header("Nombre;Correo"), Field::Name), [0]);
        assert_eq!(positions(&header("Nombre;Apellidos;Correo"), Field::Name), [0; 0]);
        assert_eq!(positions(&header("Nom;Prénom"), Field::Name), [0; 0]);
        assert_eq!(positions(&header("Nom;Prénom;Nom complet"), Field::Name), [2]);
        assert_eq!(positions(&header("First Name;Last Name;Nome;Email"), Field::Name), [0; 0]);
        assert_eq!(positions(&header("Ad;Ten;Email"), Field::Name), [0; 0]);
        assert!(name_is_family_name(&header("Name;Vorname")));
        assert!(!name_is_family_name(&header("Name;Vorname;Nachname")));
        assert!(!name_is_family_name(&header("Name;Telefon")));
    }

    #[test]
    fn the_halves_of_a_name_are_joined_in_the_order_of_the_language() {
        for (names, template) in [
            ("Vorname;Nachname", "{Vorname} {Nachname}"),
            ("Name;Vorname", "{Vorname} {Name}"),
            ("Nom;Prénom", "{Prénom} {Nom}"),
            ("Nombre;Apellidos", "{Nombre} {Apellidos}"),
            ("Ad;Soyad", "{Ad} {Soyad}"),
            ("名;姓", "{姓} {名}"),
            ("Tên;Họ", "{Họ} {Tên}"),
            ("이름;성", "{성} {이름}"),
        ] {
            assert_eq!(name_template(&header(names)).as_deref(), Some(template));
        }
        assert_eq!(name_template(&header("Nombre;Correo")), None);
        assert_eq!(name_template(&header("Vorname;Rufname;Nachname")), None);
    }
}
