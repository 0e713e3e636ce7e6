//! A scan that is made again while a plan is carried out.

use std::fmt;
use std::sync::Arc;

use super::removal::Stopped;
use super::{ScanEvent, ScanJob};
use crate::control::Cancel;
use crate::snapshot::{Completeness, Snapshot};

/// Starts the scan that a plan was made from.
#[derive(Clone)]
pub struct Rescan(Arc<dyn Fn() -> ScanJob + Send + Sync>);

impl Rescan {
    /// What starts a scan.
    pub fn new(start: impl Fn() -> ScanJob + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// Scans and waits for the result.
    pub(super) fn wait(&self, cancel: &Cancel) -> Result<Arc<Snapshot>, Stopped> {
        let job = (self.0)();
        for event in &job.events {
            match event {
                ScanEvent::Partial(_) if cancel.is_cancelled() => job.cancel.cancel(),
                ScanEvent::Partial(_) => {}
                ScanEvent::Finished(snapshot) if snapshot.scope.completeness == Completeness::Complete => {
                    return Ok(snapshot);
                }
                ScanEvent::Finished(_) => return Err(Stopped::Interrupted),
                ScanEvent::Failed(message) => return Err(Stopped::Scan(message)),
            }
        }
        Err(Stopped::Scan("The scan ended without a result".to_owned()))
    }
}

impl fmt::Debug for Rescan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rescan")
    }
}
