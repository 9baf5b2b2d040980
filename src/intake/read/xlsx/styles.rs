//! Which number format each style of a workbook has.

use std::collections::HashMap;
use std::io;

use quick_xml::events::Event;

use super::archive::PartReader;
use super::fault::WorkbookFault;
use super::number_format::NumberFormat;
use super::xml::{XmlPart, attribute};

/// The most styles. Excel allows 65,490.
const MOST_STYLES: usize = 65_536;

/// The number format of each style, in the order in which cells name them.
#[derive(Debug, Default)]
pub(super) struct Styles(Vec<NumberFormat>);

impl Styles {
    pub(super) fn read(part: PartReader) -> io::Result<Self> {
        let mut xml = XmlPart::new(part);
        let (mut custom, mut styles) = (HashMap::new(), Vec::new());
        let mut is_of_cells = false;
        loop {
            match xml.next_event()? {
                Event::Eof => break,
                Event::Start(element) => match element.local_name().into_inner() {
                    "numFmt" => {
                        let id = attribute(&element, "numFmtId")?.and_then(|id| id.parse::<u32>().ok());
                        let code = attribute(&element, "formatCode")?;
                        if let (Some(id), Some(code)) = (id, code) {
                            custom.insert(id, NumberFormat::of(&code));
                        }
                    }
                    "cellXfs" => is_of_cells = true,
                    "xf" if is_of_cells => {
                        let id = attribute(&element, "numFmtId")?.map_or(Some(0), |id| id.parse::<u32>().ok());
                        styles.push(id);
                    }
                    _ => {}
                },
                Event::End(element) if element.local_name().into_inner() == "cellXfs" => is_of_cells = false,
                _ => {}
            }
            if custom.len().max(styles.len()) > MOST_STYLES {
                return Err(WorkbookFault::TooLarge { limit: "65,536 styles" }.into());
            }
        }
        let format = |id: Option<u32>| {
            let id = id?;
            custom.get(&id).copied().or_else(|| NumberFormat::built_in(id))
        };
        Ok(Self(styles.into_iter().map(|id| format(id).unwrap_or(NumberFormat::OTHER)).collect()))
    }

    /// Returns the format of a style. A cell without a style has the first one.
    pub(super) fn format(&self, style: Option<&str>) -> NumberFormat {
        match style {
            None => self.0.first().copied().unwrap_or(NumberFormat::GENERAL),
            Some(index) => {
                let index = index.parse::<usize>().ok();
                index.and_then(|index| self.0.get(index)).copied().unwrap_or(NumberFormat::OTHER)
            }
        }
    }
}
