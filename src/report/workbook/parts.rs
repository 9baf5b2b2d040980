//! The XML of a workbook around its rows.

use std::fmt::Write as _;

use super::column::{ColumnLook, SheetColumn};
use super::text::push_escaped;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const TYPES: &str = "http://schemas.openxmlformats.org/package/2006/content-types";
const SHEET_TYPES: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// Formats of a cell: their places in `cellXfs` of [`styles`].
pub(super) const TEXT: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const ERROR: u8 = 3;

/// The place of a sheet in the archive. Sheets count from 1.
pub(super) fn sheet_path(number: usize) -> String {
    format!("xl/worksheets/sheet{number}.xml")
}

/// The name of a column: `A` for 0, `AA` for 26.
pub(super) fn letters(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[column % 26]));
        if column < 26 {
            return letters.into_iter().rev().collect();
        }
        column = column / 26 - 1;
    }
}

/// All cells of the first `rows` rows, as a range.
fn range(columns: usize, rows: u32, mark: &str) -> String {
    format!("{mark}A{mark}1:{mark}{}{mark}{rows}", letters(columns.max(1) - 1))
}

/// What a sheet begins with: the first row does not scroll, and all columns are text.
pub(super) fn sheet_start(columns: &[SheetColumn], is_first: bool) -> String {
    let selected = if is_first { " tabSelected=\"1\"" } else { "" };
    let mut xml = format!(
        "{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetViews><sheetView{selected} workbookViewId=\"0\"><pane ySplit=\"1\" \
         topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/></sheetView></sheetViews>\
         <sheetFormatPr defaultRowHeight=\"15\"/><cols>"
    );
    for (column, number) in columns.iter().zip(1..) {
        let width = column.width();
        // Writing to a `String` cannot fail.
        let _ = write!(
            xml,
            "<col min=\"{number}\" max=\"{number}\" width=\"{width}\" style=\"{TEXT}\" customWidth=\"1\"/>"
        );
    }
    xml.push_str("</cols><sheetData>");
    xml
}

/// What a sheet ends with: a filter over all columns, and no advice to turn texts into numbers.
pub(super) fn sheet_end(columns: usize, rows: u32) -> String {
    let range = range(columns, rows, "");
    format!(
        "</sheetData><autoFilter ref=\"{range}\"/><ignoredErrors><ignoredError sqref=\"{range}\" \
         numberStoredAsText=\"1\"/></ignoredErrors></worksheet>"
    )
}

/// The sheets by name, with the range of each filter. `rows` has the number of rows of each sheet.
pub(super) fn workbook(name: &str, columns: usize, rows: &[u32]) -> String {
    let mut xml = format!("{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>");
    let title = |number: usize| if number == 1 { name.to_owned() } else { format!("{name} {number}") };
    for number in 1..=rows.len() {
        let title = title(number);
        let _ = write!(xml, "<sheet name=\"{title}\" sheetId=\"{number}\" r:id=\"rId{number}\"/>");
    }
    xml.push_str("</sheets><definedNames>");
    for (index, rows) in rows.iter().enumerate() {
        let (title, range) = (title(index + 1), range(columns, *rows, "$"));
        let _ = write!(
            xml,
            "<definedName name=\"_xlnm._FilterDatabase\" localSheetId=\"{index}\" hidden=\"1\">'{title}'!{range}</definedName>"
        );
    }
    xml.push_str("</definedNames></workbook>");
    xml
}

pub(super) fn workbook_relations(sheets: usize) -> String {
    let mut xml = format!("{HEAD}<Relationships xmlns=\"{PACKAGE}\">");
    for number in 1..=sheets {
        let _ = write!(
            xml,
            "<Relationship Id=\"rId{number}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
        );
    }
    let styles = sheets + 1;
    let _ = write!(
        xml,
        "<Relationship Id=\"rId{styles}\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/></Relationships>"
    );
    xml
}

pub(super) fn package_relations() -> String {
    format!(
        "{HEAD}<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" \
         Target=\"xl/workbook.xml\"/></Relationships>"
    )
}

pub(super) fn content_types(sheets: usize) -> String {
    let mut xml = format!(
        "{HEAD}<Types xmlns=\"{TYPES}\"><Default Extension=\"rels\" \
         ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" \
         ContentType=\"application/xml\"/><Override PartName=\"/xl/workbook.xml\" \
         ContentType=\"{SHEET_TYPES}.sheet.main+xml\"/><Override PartName=\"/xl/styles.xml\" \
         ContentType=\"{SHEET_TYPES}.styles+xml\"/>"
    );
    for number in 1..=sheets {
        let path = sheet_path(number);
        let _ = write!(xml, "<Override PartName=\"/{path}\" ContentType=\"{SHEET_TYPES}.worksheet+xml\"/>");
    }
    xml.push_str("</Types>");
    xml
}

/// The formats of cells. 49 is the number format `@`: text.
pub(super) fn styles() -> String {
    let color = |rgb: &str| {
        format!(
            "<fill><patternFill patternType=\"solid\"><fgColor rgb=\"FF{rgb}\"/><bgColor indexed=\"64\"/></patternFill></fill>"
        )
    };
    let (gray, red) = (color("E7E6E6"), color("F8D7DA"));
    let cell = |font: u8, fill: u8| {
        format!(
            "<xf numFmtId=\"49\" fontId=\"{font}\" fillId=\"{fill}\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\" \
             applyFont=\"1\" applyFill=\"1\"/>"
        )
    };
    let (text, header, error) = (cell(0, 0), cell(1, 2), cell(0, 3));
    format!(
        "{HEAD}<styleSheet xmlns=\"{MAIN}\"><fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/><family val=\"2\"/></font>\
         <font><b/><sz val=\"11\"/><name val=\"Calibri\"/><family val=\"2\"/></font></fonts>\
         <fills count=\"4\"><fill><patternFill patternType=\"none\"/></fill><fill><patternFill patternType=\"gray125\"/></fill>\
         {gray}{red}</fills><borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
         <cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>\
         <cellXfs count=\"4\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>{text}{header}{error}</cellXfs>\
         <cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>"
    )
}

/// Appends a row. An empty cell is left out, because its column has the format of text.
pub(super) fn push_row<'a>(xml: &mut String, row: u32, cells: impl Iterator<Item = (&'a str, u8)>, letters: &[String]) {
    let _ = write!(xml, "<row r=\"{row}\">");
    for ((text, style), column) in cells.zip(letters).filter(|((text, _), _)| !text.is_empty()) {
        let _ = write!(xml, "<c r=\"{column}{row}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">");
        push_escaped(xml, &super::text::cut(text));
        xml.push_str("</t></is></c>");
    }
    xml.push_str("</row>");
}

/// Returns the format of a column's cells.
pub(super) fn style(column: &SheetColumn) -> u8 {
    if column.look == ColumnLook::Error { ERROR } else { TEXT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_spreadsheets_do() {
        let named = [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")];
        for (column, name) in named {
            assert_eq!(letters(column), name);
        }
    }
}
