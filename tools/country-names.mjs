#!/usr/bin/env node
// Generates src/domain/fields/countries_by_name.txt: what people call the countries, in more
// than forty languages and in each country's own. For the tests, it also writes the names of CLDR as they are to
// fixtures/data/country-names-cldr.csv.
//
//   node tools/country-names.mjs           writes both files, and prints names that need a look
//   node tools/country-names.mjs --check   exits 1 if a file is not what would be written, and 77 if
//                                          a package cannot be had (nothing was compared)
//
// It needs npm and tar. Packages come from the registry by version and hash. Names by hand are in
// countries-by-hand.txt beside this file.
//
// A line of the table is "key TAB codes". A key is a folded name; country_names.rs folds in the same
// two steps. More than one code means that the name is ambiguous.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = {
  // Unicode License v3.
  "cldr-localenames-full@48.2.0":
    "sha512-4o0paYDz0UXhfhChAVFkmVl2CP0YTSEqE6WrC0fNafaSC5u5DAXphxH3SZ1Ujczarikr8DToKZfiok6EqWLdNQ==",
  "cldr-core@48.2.0":
    "sha512-zfmLothncSwfv2jlevoSrgI2VGgH8SDGHXst6jUEotHA8nq9Igeg9jzdJDFtBso9pgJuG89DK16TzrmZDdo2Bg==",
  // MIT.
  "i18n-iso-countries@7.14.0":
    "sha512-nXHJZYtNrfsi1UQbyRqm3Gou431elgLjKl//CYlnBGt5aTWdRPH1PiS2T/p/n8Q8LnqYqzQJik3Q7mkwvLokeg==",
};

// The languages, each with its word for "and". Others of a language only add what they say otherwise.
const AND = {
  en: "and", de: "und", fr: "et", es: "y", pt: "e", it: "e", nl: "en", pl: "i", tr: "ve", ar: "",
  ru: "и", uk: "і", zh: "和", "zh-Hant": "和", ja: "", ko: "", hi: "और", id: "dan", vi: "và", sw: "na",
};
const VARIANTS = ["de-AT", "de-CH", "es-419", "es-MX", "fr-CA", "fr-CH", "pt-PT", "zh-Hant-HK"];
// Languages of which only CLDR's names are taken: most others of the European Union, and some more.
const ALSO = [
  "bg", "cs", "da", "el", "et", "fi", "hr", "hu", "lt", "lv", "mt", "ro", "sk", "sl", "sv",
  "ca", "fa", "he", "is", "mk", "ms", "nb", "sq", "sr", "sr-Latn", "th",
];
const LOCALES = [...Object.keys(AND), ...VARIANTS, ...ALSO];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const fields = join(root, "src/domain/fields");
const cache = join(root, "target/country-names");

const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const lines = (path) => readFileSync(path, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));

// Folding. The first step keeps the letters, and the second drops what people leave out.

const nothing = /[.'"*`\u00b4\u02bb\u02bc\u2018\u2019\u201c\u201d\u00ab\u00bb\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;
const between = /[\s\-\u2010-\u2015\u2212()[\]{},;:/|_\u00b7\u30fb\u3001\u3002\u060c]+/gu;
const letters = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ı: "i", ى: "ي", ی: "ي", ة: "ه", ک: "ك" };
const articles = new Set(["la", "le", "les", "el", "los", "las", "die", "der", "das", "il", "gli", "het"]);

export function careful(text) {
  // Apart from compatible forms, NFKC turns some accents into a space and a mark; they are nothing here.
  const plain = text.replace(/(\p{L}\p{L})\./gu, "$1 ").replace(nothing, "").normalize("NFKC").toLowerCase().replace(nothing, "");
  return plain.replace(/&/g, " & ").replace(between, " ").trim();
}

export function loose(kept) {
  const bare = kept.normalize("NFD").replace(/[\u0300-\u036f\u0640\u064b-\u0655\u0670]/gu, "").normalize("NFC");
  const words = [...bare].map((letter) => letters[letter] ?? letter).join("").split(" ");
  const shown = words.filter((word) => word !== "the").map((word) => ({ "&": "and", st: "saint" })[word] ?? word);
  if (shown.length > 1 && articles.has(shown[0])) shown.shift();
  return shown.join("");
}

// Sources.

function fetch_packages() {
  mkdirSync(cache, { recursive: true });
  for (const [wanted, integrity] of Object.entries(PACKAGES)) {
    const archive = join(cache, `${wanted.replace("@", "-")}.tgz`);
    if (!existsSync(archive)) {
      try {
        execFileSync("npm", ["pack", "--silent", "--fetch-retries=0", "--pack-destination", cache, wanted], { stdio: ["ignore", "ignore", "inherit"] });
      } catch (error) {
        console.error(`${wanted} cannot be had: ${error.message}`);
        process.exit(77);
      }
    }
    const hash = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (hash !== integrity) {
      rmSync(archive);
      console.error(`${wanted} has the hash ${hash}, not ${integrity}`);
      process.exit(1);
    }
    const folder = join(cache, wanted.split("@")[0]);
    mkdirSync(folder, { recursive: true });
    execFileSync("tar", ["-xzf", archive, "-C", folder, "--strip-components=1"]);
  }
}

const codes = new Map(); // alpha-2 and alpha-3, lower case, to alpha-2
const old_names = []; // [alpha-2, name] of countries.txt
for (const line of lines(join(fields, "countries.txt"))) {
  const [alpha2, alpha3, names] = line.split("\t");
  for (const code of [alpha2, alpha3]) codes.set(code.toLowerCase(), alpha2);
  for (const name of names.split("|")) old_names.push([alpha2, name]);
}
const not_assigned = new Set(lines(join(fields, "countries_not_assigned.txt")).map((line) => line.split("\t")[0].toLowerCase()));
const is_country = (code) => codes.get(code.toLowerCase()) === code;

// [alpha-2, number] of ISO 3166-1.
function numbers() {
  const all = json(join(cache, "cldr-core/supplemental/codeMappings.json")).supplemental.codeMappings;
  return Object.entries(all).filter(([code]) => is_country(code)).map(([code, { _numeric: number }]) => [code, number]);
}

function cldr(locale) {
  const path = join(cache, "cldr-localenames-full/main", locale, "territories.json");
  if (!existsSync(path)) return [];
  const names = Object.entries(json(path).main[locale].localeDisplayNames.territories);
  // Abbreviations of two letters are those of the main languages only.
  const is_taken = (name) => locale in AND || VARIANTS.includes(locale) || loose(careful(name)).length > 2;
  return names.map(([key, name]) => [key.slice(0, 2), name]).filter(([code, name]) => is_country(code) && name !== code && is_taken(name));
}

// [alpha-2, name] of each country in its own official languages.
function native() {
  const found = [];
  const all = json(join(cache, "cldr-core/supplemental/territoryInfo.json")).supplemental.territoryInfo;
  for (const [code, info] of Object.entries(all)) {
    for (const [language, { _officialStatus: status }] of Object.entries(info.languagePopulation ?? {})) {
      if (!is_country(code) || !status) continue;
      const name = language.replaceAll("_", "-");
      const locales = name === "sr" ? ["sr", "sr-Latn"] : [name, `${name}-${code}`];
      for (const locale of locales) found.push(...cldr(locale).filter(([own]) => own === code));
    }
  }
  return found;
}

// A second opinion, which also has formal names. Its Swahili was made by a machine: "Benign", "Mkutano" (a meeting).
function iso_countries(language) {
  if (language === "sw") return [];
  const path = join(cache, "i18n-iso-countries/langs", `${language}.json`);
  if (!existsSync(path)) return [];
  return Object.entries(json(path).countries)
    .filter(([code]) => is_country(code))
    .flatMap(([code, names]) => [names].flat().map((name) => [code, name]));
}

// Rules: other forms of a name.

function* english_forms(name) {
  yield name;
  // "Republic of Korea" to "Korea, Republic of"; the form in brackets folds to the same key.
  const formal = /^(?:the )?((?:[A-Z][\w'-]* ){1,4}of) (?:the )?(.+)$/u.exec(name);
  if (formal && /Republic|Kingdom|State|Commonwealth|Principality|Duchy|Sultanate|Federation|Union/u.test(formal[1])) {
    yield `${formal[2]}, ${formal[1]}`;
    yield `${formal[2]}, ${formal[1]} the`;
  }
  // "North Korea" to "Korea, North".
  const turned = /^(North|South|East|Western|New|American|British|French|Equatorial|Northern|United|Dominican|Czech|U\.S\.|US) (.+)$/u.exec(name);
  if (turned) yield `${turned[2]}, ${turned[1]}`;
  if (/ Islands\b/u.test(name)) yield name.replace(" Islands", " Is");
  if (/\bSaint\b/u.test(name)) yield name.replace("Saint", "St.");
}

function* forms(language, name) {
  if (language === "en") yield* english_forms(name);
  else yield name;
  const and = AND[language];
  if (and) {
    // "Trinidad & Tobago" and "Trinidad-Tobago".
    const between = new RegExp(` ${language === "en" ? "(and|&)" : and} (die |les |las |the |as |i |de |le )?`, "u");
    yield careful(name).replace(between, " & ");
    yield careful(name).replace(between, " ");
  }
  if (language === "de") {
    yield name.replace(/[ÄÖÜäöü]/gu, (letter) => `${letter.normalize("NFD")[0]}e`);
  }
}

// The table.

class Names {
  // Each key with the countries that it means, and where each meaning comes from.
  exact = new Map();
  bare = new Map();

  add(code, name, source) {
    const kept = careful(name);
    const key = loose(kept);
    if (!kept || !key) return;
    for (const [map, at] of [[this.exact, kept], [this.bare, key]]) {
      if (!map.has(at)) map.set(at, new Map());
      const meanings = map.get(at);
      if (!meanings.has(code)) meanings.set(code, new Set());
      meanings.get(code).add(source);
    }
  }
}

const by_hand = lines(join(root, "tools/countries-by-hand.txt")).map((line) => line.split("\t"));

function generate() {
  const fixed = new Names(); // names of countries.txt, which never change their meaning
  for (const [code, name] of old_names) fixed.add(code, name, "countries.txt");
  const found = new Names();
  for (const [code, name] of old_names) for (const form of forms("en", name)) found.add(code, form, "countries.txt");
  const wrong = new Set(); // "code key" of what a package says wrongly
  const shared = new Map(); // folded names that mean several countries by hand
  for (const [code, names] of by_hand) {
    for (const name of names.split("|")) {
      if (code.startsWith("-")) wrong.add(`${code.slice(1)} ${loose(careful(name))}`);
      else if (code.includes(" ")) shared.set(loose(careful(name)), code.split(" "));
      else for (const form of forms("en", name)) found.add(code, form, "by hand");
    }
  }
  for (const locale of LOCALES) {
    const language = locale in AND ? locale : locale.slice(0, 2);
    for (const [code, name] of cldr(locale)) for (const form of forms(language, name)) found.add(code, form, `cldr ${locale}`);
    for (const [code, name] of iso_countries(locale)) {
      if (ALSO.includes(locale) || wrong.has(`${code} ${loose(careful(name))}`)) continue;
      for (const form of forms(language, name)) found.add(code, form, `iso ${locale}`);
    }
  }
  for (const [code, name] of native()) found.add(code, name, "native");
  for (const [code, number] of numbers()) found.add(code, number, "number");

  const rows = new Map();
  const told = [];
  const tell = (what, key, meanings) => {
    const sources = [...meanings].map(([code, from]) => `${code} (${[...from].join(", ")})`);
    told.push(`${what}: ${key} = ${sources.join(" | ")}`);
  };
  const is_code = (key) => codes.has(key) || not_assigned.has(key);
  const meaning = (map, fixed_map, key) => {
    const meanings = map.get(key);
    if (shared.has(key)) return shared.get(key);
    if (!fixed_map.has(key)) return [...meanings.keys()].sort();
    const kept = [...fixed_map.get(key).keys()];
    if (meanings.size > kept.length) tell("kept as before", key, meanings);
    return kept;
  };
  for (const [key, meanings] of found.bare) {
    const countries = meaning(found.bare, fixed.bare, key);
    if (/^[a-z]{1,2}$/u.test(key) && !found.exact.has(key)) {
      tell("only with accents or dots", key, meanings);
      continue;
    }
    if (is_code(key)) {
      // A code in the cell means its country; the name without its accents is not taken for another one.
      if (codes.get(key) !== countries[0] && !fixed.bare.has(key)) {
        tell("spelled like a code", key, meanings);
        continue;
      }
    }
    if (countries.length > 1) tell(shared.has(key) ? "ambiguous by hand" : "AMBIGUOUS", key, meanings);
    rows.set(key, countries);
  }
  for (const [key, countries] of shared) rows.set(key, countries);
  for (const [kept, meanings] of found.exact) {
    const key = loose(kept);
    const countries = kept === key && shared.has(key) ? shared.get(key) : meaning(found.exact, fixed.exact, kept);
    if (kept === key || String(rows.get(key)) === String(countries)) continue;
    if (!rows.has(key) && !is_code(kept)) rows.set(kept, countries);
    // A letter or an article tells countries apart that are one without it.
    if (rows.has(key) && (fixed.exact.has(kept) || !shared.has(key))) {
      tell("only as written", kept, meanings);
      rows.set(kept, countries);
    }
  }
  const order = (one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other));
  const body = [...rows].sort(([one], [other]) => order(one, other)).map(([key, countries]) => `${key}\t${countries.join(" ")}\n`);
  const head =
    "# Generated by tools/country-names.mjs; do not edit. Folded names of countries and the alpha-2 codes that each means,\n" +
    "# sorted by bytes. From countries.txt, tools/countries-by-hand.txt, npm cldr-localenames-full 48.2.0 and cldr-core 48.2.0\n" +
    "# (Copyright (c) Unicode, Inc., Unicode-3.0), and npm i18n-iso-countries 7.14.0 (Copyright (c) 2016 widdix GmbH, MIT).\n";
  return { text: head + body.join(""), told };
}

// The names of CLDR as they are, with their locales.
function fixture() {
  const alpha3 = new Map([...codes].filter(([code]) => code.length === 3).map(([code, alpha2]) => [alpha2, code.toUpperCase()]));
  const rows = new Map();
  for (const locale of LOCALES) {
    for (const [code, name] of cldr(locale)) {
      const row = `${/[",]/u.test(name) ? `"${name.replaceAll('"', '""')}"` : name},${alpha3.get(code)}`;
      rows.set(row, [...(rows.get(row) ?? []), locale]);
    }
  }
  return `name,alpha3,locales\n${[...rows].map(([row, locales]) => `${row},${[...new Set(locales)].join(" ")}\n`).join("")}`;
}

fetch_packages();
const { text, told } = generate();
const files = { "src/domain/fields/countries_by_name.txt": text, "fixtures/data/country-names-cldr.csv": fixture() };
if (process.argv[2] === "--check") {
  const stale = Object.keys(files).filter((name) => !existsSync(join(root, name)) || readFileSync(join(root, name), "utf8") !== files[name]);
  for (const name of stale) console.log(`${name} is not what the packages say; write it with node tools/country-names.mjs`);
  process.exit(stale.length ? 1 : 0);
}
for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
for (const line of told.sort()) console.error(line);
