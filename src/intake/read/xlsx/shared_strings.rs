//! The table of texts that the cells of all sheets refer to.

use std::io;

use quick_xml::events::Event;

use super::archive::PartReader;
use super::fault::WorkbookFault;
use super::xml::{CellText, XmlPart};

/// The most bytes of texts. The table must be in memory, because cells refer to it in any order.
const MOST_BYTES: usize = 256 << 20;
/// The most texts, which bounds the memory of their ends.
const MOST_TEXTS: usize = 16 << 20;

/// All texts in one buffer.
#[derive(Default)]
pub(super) struct SharedStrings {
    texts: String,
    /// The end of each text in `texts`.
    ends: Vec<u32>,
}

impl SharedStrings {
    pub(super) fn read(part: PartReader) -> io::Result<Self> {
        let mut xml = XmlPart::new(part);
        let (mut table, mut text) = (Self::default(), CellText::default());
        let mut inside = RichText::default();
        loop {
            match xml.next_event()? {
                Event::Eof => break,
                Event::Start(element) if element.local_name().into_inner() == "si" => text.clear(),
                Event::End(element) if element.local_name().into_inner() == "si" => {
                    // A text that is too long was cut off, and must stay too long.
                    if !text.is_too_long() {
                        text.unescape();
                    }
                    table.add(text.as_str())?;
                }
                event => inside.add(&event, &mut text)?,
            }
        }
        table.texts.shrink_to_fit();
        table.ends.shrink_to_fit();
        Ok(table)
    }

    fn add(&mut self, text: &str) -> io::Result<()> {
        if self.texts.len() + text.len() > MOST_BYTES {
            return Err(WorkbookFault::TooLarge { limit: "256 MiB of shared texts" }.into());
        }
        if self.ends.len() >= MOST_TEXTS {
            return Err(WorkbookFault::TooLarge { limit: "16,777,216 shared texts" }.into());
        }
        self.texts.push_str(text);
        // At most 256 MiB, so it fits.
        self.ends.push(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        self.texts.get(start..end)
    }
}

/// Where in a text with formatted parts the reader is.
#[derive(Default)]
pub(super) struct RichText {
    is_text: bool,
    /// How many elements of the pronunciation are open. It is not part of the text.
    phonetic: usize,
}

impl RichText {
    /// Adds an event within `si` or `is` to the text, if it belongs to it.
    pub(super) fn add(&mut self, event: &Event<'_>, text: &mut CellText) -> io::Result<()> {
        match event {
            Event::Start(element) => match element.local_name().into_inner() {
                "t" => self.is_text = true,
                "rPh" => self.phonetic += 1,
                _ => {}
            },
            Event::End(element) => match element.local_name().into_inner() {
                "t" => self.is_text = false,
                "rPh" => self.phonetic = self.phonetic.saturating_sub(1),
                _ => {}
            },
            event if self.is_text && self.phonetic == 0 => text.add(event)?,
            _ => {}
        }
        Ok(())
    }
}
