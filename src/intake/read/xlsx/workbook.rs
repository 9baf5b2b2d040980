//! A workbook: which sheets it has, and which one holds the records.

use std::io;
use std::sync::Arc;

use quick_xml::events::Event;

use super::archive::{Archive, OpenInput, PartReader};
use super::context::SheetContext;
use super::date::DayZero;
use super::fault::WorkbookFault;
use super::shared_strings::SharedStrings;
use super::sheet::{SheetReader, SheetScan};
use super::styles::Styles;
use super::xml::{XmlPart, attribute, is_set};

/// The most sheets, and the most relations of a part.
const MOST_SHEETS: usize = 10_000;

/// An open workbook.
pub(in crate::intake) struct Workbook {
    archive: Archive,
    sheets: Vec<Sheet>,
    context: Arc<SheetContext>,
}

struct Sheet {
    name: String,
    is_visible: bool,
    part: String,
}

/// A relation from one part to another.
struct Relation {
    id: String,
    /// The last word of its type: `worksheet`, `styles`.
    kind: String,
    part: String,
}

impl Workbook {
    /// Opens a workbook. Returns `None` if the archive holds something else.
    pub(in crate::intake) fn open(input: OpenInput) -> io::Result<Option<Self>> {
        let mut archive = Archive::open(input)?;
        let main = relations(&mut archive, "")?.into_iter().find(|relation| relation.kind == "officeDocument");
        let Some(main) = main.map(|relation| relation.part) else { return Ok(None) };
        let Some(part) = archive.part(&main)?.filter(|_| !main.ends_with(".bin")) else { return Ok(None) };
        let Some(Contents { sheets: listed, zero }) = Contents::read(part)? else { return Ok(None) };
        let relations = relations(&mut archive, &main)?;
        let mut only = |kind: &str| match relations.iter().find(|relation| relation.kind == kind) {
            Some(relation) => archive.part(&relation.part),
            None => Ok(None),
        };
        let strings = only("sharedStrings")?.map(SharedStrings::read).transpose()?.unwrap_or_default();
        let styles = only("styles")?.map(Styles::read).transpose()?.unwrap_or_default();
        let sheets = listed.into_iter().filter_map(|listed| {
            // Charts and macros have sheets of other kinds, without cells.
            let relation =
                relations.iter().find(|relation| relation.id == listed.relation && relation.kind == "worksheet")?;
            Some(Sheet { name: listed.name, is_visible: listed.is_visible, part: relation.part.clone() })
        });
        let sheets = sheets.collect();
        Ok(Some(Self { archive, sheets, context: Arc::new(SheetContext { strings, styles, zero }) }))
    }

    /// Returns the name and the records of a sheet: the one that is named, otherwise the only
    /// visible one that has a value.
    pub(in crate::intake) fn sheet(mut self, named: Option<&str>) -> io::Result<(String, SheetReader)> {
        let index = match named {
            Some(name) => self.named(name)?,
            None => self.only_with_values()?,
        };
        let reader = self.reader(index)?;
        Ok((self.sheets.swap_remove(index).name, reader))
    }

    fn named(&mut self, name: &str) -> io::Result<usize> {
        let exact = self.sheets.iter().position(|sheet| sheet.name == name);
        // Excel does not allow two names that differ in case only.
        let folded = || self.sheets.iter().position(|sheet| sheet.name.to_lowercase() == name.to_lowercase());
        let Some(index) = exact.or_else(folded) else {
            let names = self.sheets.iter().map(|sheet| sheet.name.clone()).collect();
            return Err(WorkbookFault::MissingSheet { name: name.to_owned(), names }.into());
        };
        if self.has_values(index)? {
            Ok(index)
        } else {
            Err(WorkbookFault::EmptySheet { name: name.to_owned() }.into())
        }
    }

    fn only_with_values(&mut self) -> io::Result<usize> {
        let (visible, hidden): (Vec<_>, Vec<_>) =
            (0..self.sheets.len()).partition(|index| self.sheets[*index].is_visible);
        let mut filled = Vec::new();
        for index in visible {
            if self.has_values(index)? {
                filled.push(index);
            }
        }
        let names = |indexes: &[usize]| indexes.iter().map(|index| self.sheets[*index].name.clone()).collect();
        match filled[..] {
            [only] => Ok(only),
            [] => Err(WorkbookFault::NoSheet { hidden: names(&hidden) }.into()),
            _ => Err(WorkbookFault::SeveralSheets { names: names(&filled) }.into()),
        }
    }

    fn has_values(&mut self, index: usize) -> io::Result<bool> {
        Ok(self.reader(index)?.advance()? != SheetScan::End)
    }

    fn reader(&mut self, index: usize) -> io::Result<SheetReader> {
        let part = self.archive.part(&self.sheets[index].part)?;
        let part = part.ok_or_else(|| WorkbookFault::damaged("a sheet is missing"))?;
        Ok(SheetReader::new(part, Arc::clone(&self.context)))
    }
}

/// What the main part of a workbook lists.
struct Contents {
    sheets: Vec<ListedSheet>,
    zero: DayZero,
}

struct ListedSheet {
    name: String,
    is_visible: bool,
    relation: String,
}

impl Contents {
    /// Returns `None` if the part does not belong to a workbook.
    fn read(part: PartReader) -> io::Result<Option<Self>> {
        let mut xml = XmlPart::new(part);
        let mut contents = Self { sheets: Vec::new(), zero: DayZero::default() };
        let mut is_first = true;
        loop {
            match xml.next_event()? {
                Event::Eof => return Ok(Some(contents)),
                Event::Start(element) => {
                    let name = element.local_name().into_inner();
                    if std::mem::take(&mut is_first) && name != "workbook" {
                        return Ok(None);
                    }
                    match name {
                        "workbookPr" if is_set(&element, "date1904")? => contents.zero = DayZero::Of1904,
                        "sheet" => {
                            let text =
                                |name| Ok::<_, io::Error>(attribute(&element, name)?.unwrap_or_default().into_owned());
                            let is_visible = !matches!(text("state")?.as_str(), "hidden" | "veryHidden");
                            contents.sheets.push(ListedSheet {
                                name: text("name")?,
                                is_visible,
                                relation: text("id")?,
                            });
                        }
                        _ => {}
                    }
                    if contents.sheets.len() > MOST_SHEETS {
                        return Err(WorkbookFault::TooLarge { limit: "10,000 sheets" }.into());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns the relations of a part. The empty name stands for the whole package.
fn relations(archive: &mut Archive, of: &str) -> io::Result<Vec<Relation>> {
    let (folder, file) = of.rsplit_once('/').unwrap_or(("", of));
    let name = if folder.is_empty() { format!("_rels/{file}.rels") } else { format!("{folder}/_rels/{file}.rels") };
    let Some(part) = archive.part(&name)? else { return Ok(Vec::new()) };
    let mut xml = XmlPart::new(part);
    let mut relations = Vec::new();
    loop {
        match xml.next_event()? {
            Event::Eof => return Ok(relations),
            Event::Start(element) if element.local_name().into_inner() == "Relationship" => {
                let text = |name| Ok::<_, io::Error>(attribute(&element, name)?.unwrap_or_default().into_owned());
                let (id, kind, target) = (text("Id")?, text("Type")?, text("Target")?);
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                relations.push(Relation { id, kind, part: resolved(folder, &target) });
                if relations.len() > MOST_SHEETS {
                    return Err(WorkbookFault::TooLarge { limit: "10,000 relations" }.into());
                }
            }
            _ => {}
        }
    }
}

/// Returns the name of the part to which a target leads from a folder.
fn resolved(folder: &str, target: &str) -> String {
    let mut steps: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.retain(|step| !step.is_empty());
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_relative_to_their_folder() {
        for (folder, target, part) in [
            ("", "xl/workbook.xml", "xl/workbook.xml"),
            ("", "/xl/workbook.xml", "xl/workbook.xml"),
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "/xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "../other/./sheet1.xml", "other/sheet1.xml"),
        ] {
            assert_eq!(resolved(folder, target), part);
        }
    }
}
