//! `--notify-url-file`: one notification at the end of the import, however it ends.

use std::cell::RefCell;

use jiff::Timestamp;

use crate::api::Notifier;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::signals::Signals;
use crate::report::{Notification, Summary};
use crate::settings::NotifySettings;

/// Does nothing if no address was named.
#[derive(Debug)]
pub(super) struct Notice(Option<(Notifier, RefCell<Notification>)>);

impl Notice {
    /// Starts the record. Fails if the client cannot be built.
    pub(super) fn start(settings: Option<NotifySettings>) -> Result<Self, Failure> {
        let Some(NotifySettings { address, route, ca_file, host, account }) = settings else { return Ok(Self(None)) };
        let notification = Notification::new(host, account, Timestamp::now());
        Ok(Self(Some((Notifier::new(address, route, ca_file)?, RefCell::new(notification)))))
    }

    pub(super) fn count(&self, summary: &Summary) {
        if let Some((_, notification)) = &self.0 {
            notification.borrow_mut().count(summary);
        }
    }

    /// Posts the notification. A failure is only logged, without the address, because the records
    /// do not depend on it. The next signal ends the tries, and after a second one there is none.
    pub(super) async fn post(&self, ended: &Result<Exit, Failure>, signals: &Signals) {
        let Some((notifier, notification)) = self.0.as_ref().filter(|_| !signals.shutdown.is_leaving()) else { return };
        let exit = ended.as_ref().map_or_else(|failure| failure.exit, |exit| *exit);
        let run = ended.as_ref().err().and_then(Failure::run);
        let json = notification.borrow().ended(Timestamp::now(), exit.code(), run);
        tokio::select! {
            biased;
            () = signals.caught.next() => tracing::warn!("the notification was not posted because of a signal"),
            posted = notifier.post(&json) => {
                if let Err(error) = posted {
                    tracing::warn!("the notification was not posted (--notify-url-file): {error}");
                }
            }
        }
    }
}
