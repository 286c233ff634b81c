//! The trial: every check in order, and the certificate that comes of them.

use gridbell_contract::{Run, TriggerId};
use gridbell_engine::{Engine, EvalOptions, Plugin, RunError, Variant};
use gridbell_model::PrefectureCode;
use gridbell_workshop::Rows;

use crate::certificate::{Certificate, Check, CheckResult};
use crate::error::CertifyError;
use crate::request::{Cancel, Progress, Terms};

/// Certifies `plugin` in this very process: for tests, and inside the certifier's process. `upload` are the bytes that it was compiled from.
///
/// # Errors
/// [`CertifyError`]; a plugin that fails a check is no error, but a certificate that has not passed.
pub fn certify(
    engine: &Engine,
    plugin: &Plugin,
    upload: &[u8],
    terms: &Terms,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Certificate, CertifyError> {
    let _ = upload;
    let manifest = plugin.manifest();
    let mut checks = Vec::new();
    for check in Check::ALL {
        if cancel.is_cancelled() {
            return Err(CertifyError::Cancelled);
        }
        progress(Progress { check, done: checks.len(), of: Check::ALL.len(), tried: 0 });
        let (passed, detail) = match check {
            Check::EmptyBatch => empty(engine, plugin, terms)?,
            _ => (false, "not tried".to_owned()),
        };
        checks.push(CheckResult { name: check, title: check.title().to_owned(), passed, tried: 0, detail });
    }
    Ok(Certificate {
        digest: plugin.digest(),
        plugin: manifest.name().to_owned(),
        version: manifest.version().to_owned(),
        passed: checks.iter().all(|c| c.passed),
        checks,
        failures: Vec::new(),
        fuel_per_customer: 0,
        fuel_budget: terms.budget.fuel_per_customer,
        batch_cost_us: u64::try_from(plugin.cost().as_micros()).unwrap_or(u64::MAX),
        batch_cpu_us: 0,
        memory_bytes: 0,
        generated: 0,
        real: 0,
        cut_short: false,
        seed: terms.seed.0,
        engine: engine.compatibility(Variant::Metered),
    })
}

fn empty(engine: &Engine, plugin: &Plugin, terms: &Terms) -> Result<(bool, String), CertifyError> {
    let setup = |detail: String| CertifyError::Setup { detail };
    let params = plugin.manifest().check_parameters(&serde_json::json!({}));
    let run = Run {
        prefecture: PrefectureCode(140_100),
        now: terms.now,
        trigger: plugin.manifest().triggers().first().copied().unwrap_or(TriggerId(1)),
        schedule: String::new(),
        facts: Vec::new(),
        params: params.map(|p| p.to_string()).unwrap_or_else(|_| "{}".to_owned()),
        workdays: terms.calendar.workdays(terms.now.date()).map_err(|e| setup(e.to_string()))?,
    };
    match engine.evaluate(plugin, &run, &Rows::new(plugin.manifest().columns()), &EvalOptions::default()) {
        Ok(_) => Ok((true, String::new())),
        Err(RunError::Guest(e)) => Ok((false, e.to_string())),
        Err(e) => Err(e.into()),
    }
}
