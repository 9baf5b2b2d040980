//! `check`: reads and judges the input as an import does, and prints the plan instead of sending.
//! Opens no socket (I9).

use std::io::IsTerminal as _;

use super::{diagnostics, resume};
use crate::domain::{InputForm, Status};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::stdout;
use crate::reconcile::input::InputHandle;
use crate::reconcile::inquiry;
use crate::reconcile::plan::{self, Planned};
use crate::report::{Activity, PageFacts};
use crate::settings::{CheckSettings, Rendering, TargetSettings};
use crate::style::Paint;

pub(super) fn run(settings: CheckSettings) -> Result<Exit, Failure> {
    let input = InputHandle::open(settings.input.clone())?;
    let checked = check(&input, &settings);
    // A dry run leaves nothing behind. A file that an earlier import spooled belongs to that
    // import.
    if input.is_piped() {
        input.forget();
    }
    checked
}

fn check(input: &InputHandle, settings: &CheckSettings) -> Result<Exit, Failure> {
    let CheckSettings { target, outputs, purpose, progress, rendering, log, .. } = settings;
    let ledger = target.as_ref().map(TargetSettings::reader_if_any).transpose()?.flatten();
    let has_checks = ledger.as_ref().map(inquiry::was_ever_made).transpose()?.unwrap_or_default();
    let outputs = &outputs.with_checks(has_checks);
    // A pipe cannot be read again, and a check keeps no copy.
    let has_input = !input.is_piped() || outputs.rejects.is_some();
    let outputs = if outputs.has_page() {
        let is_ndjson = matches!(input.feed(false)?.shape().form, InputForm::Ndjson);
        let correction = has_input.then(|| resume::correction(input, outputs, is_ndjson));
        &outputs.with_facts(PageFacts { input: input.shown(), correction, ..PageFacts::default() })
    } else {
        outputs
    };
    let activity = Activity::counting(*progress, "checking the input", input.rows_read());
    let Planned { mut plan, diagnostics, is_ndjson, .. } = plan::plan(input, outputs, ledger, purpose)?;
    drop(activity);
    let has_invalid = plan.tally.get(Status::Invalid) > 0;
    plan.correction = (has_input && has_invalid).then(|| resume::correction(input, outputs, is_ndjson));
    plan.resolve_command = target.as_ref().map(|target| resume::ledger(&["resolve"], target));
    diagnostics::show(&diagnostics, log, &outputs.reports);
    match rendering {
        Rendering::Text => stdout::write(plan.to_text(Paint::stdout()).as_bytes()),
        Rendering::Json => {
            let mut json = plan.to_json();
            json["problems"] = diagnostics.to_json(!std::io::stdout().is_terminal());
            stdout::write(format!("{json}\n").as_bytes());
        }
        Rendering::Markdown => stdout::write(plan.to_markdown(&input.shown()).as_bytes()),
    }
    Ok(if has_invalid { Exit::SomeFailed } else { Exit::Done })
}
