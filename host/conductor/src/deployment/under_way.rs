//! Runs under way, so that a rollback ends them before their next batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gridbell_model::PrefectureCode;
use parking_lot::Mutex;

/// The run under way of each prefecture: there is one at a time.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<BTreeMap<PrefectureCode, (String, Arc<AtomicBool>)>>);

impl UnderWay {
    /// A run of `policy` begins; the flag is set when it is to end.
    pub(crate) fn begin(&self, prefecture: PrefectureCode, policy: &str) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        self.0.lock().insert(prefecture, (policy.to_owned(), Arc::clone(&flag)));
        flag
    }

    pub(crate) fn end(&self, prefecture: PrefectureCode) {
        self.0.lock().remove(&prefecture);
    }

    /// Ends the run of `policy`, if one is under way.
    pub(crate) fn stop(&self, prefecture: PrefectureCode, policy: &str) {
        if let Some((running, flag)) = self.0.lock().get(&prefecture)
            && running == policy
        {
            flag.store(true, Ordering::Relaxed);
        }
    }
}
