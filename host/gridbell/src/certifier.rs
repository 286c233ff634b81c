//! Certification in a process of its own: this program under another hidden subcommand, limited and killable.

use gridbell_certify::{
    Cancel, Certificate, CertifierCommand, CertifyError, CertifyRequest, Progress, RealCustomers, Terms,
    certify_in_child,
};
use gridbell_conductor::{Certified, Certifier, CertifyOrder, CertifyWatch, NotCertified};

use crate::error::CommandError;

/// Real customers that a certification tries.
const REAL_CUSTOMERS: usize = 20_000;
/// What is left of the whole before the first check: compiling came before.
const BEFORE_PERCENT: usize = 10;

/// Certifies in a process of its own.
pub(crate) struct InChild(CertifierCommand);

impl InChild {
    /// By this very program.
    pub(crate) fn of_this_program() -> Result<Self, CommandError> {
        Ok(Self(crate::open::certifier()?))
    }
}

impl Certifier for InChild {
    fn certify(&self, order: CertifyOrder, watch: &CertifyWatch) -> Result<Certified, NotCertified> {
        let mut terms = Terms::new((*order.calendar).clone(), order.now, order.seed);
        terms.real = order.customers.map(|table| RealCustomers::draw(&table, REAL_CUSTOMERS, order.seed));
        let (artifacts, digest, engine) = (order.artifacts, order.digest, order.engine);
        let request = CertifyRequest { artifacts, digest, engine, terms };
        let cancel = Cancel::default();
        watch.when_stopped({
            let cancel = cancel.clone();
            move || cancel.cancel()
        });
        let mut tell = |p: Progress| {
            let percent = BEFORE_PERCENT + p.done * (100 - BEFORE_PERCENT) / p.of.max(1);
            watch.tell(p.check.word(), u8::try_from(percent).unwrap_or(100));
        };
        match certify_in_child(&self.0, &request, &mut tell, &cancel) {
            Ok(certificate) => certified(&certificate).map_err(NotCertified::Unable),
            // A plugin that fells its certifier, or lets it come to no end, breaks the promise to decide within bounds.
            Err(
                e @ (CertifyError::TimedOut { .. } | CertifyError::OutOfCpu { .. } | CertifyError::Signalled { .. }),
            ) => Ok(Certified {
                passed: false,
                summary: e.to_string(),
                report: serde_json::json!({ "passed": false, "summary": e.to_string() }),
                batch_cost_us: None,
            }),
            Err(e @ CertifyError::Interrupted { .. }) => Err(NotCertified::Interrupted(e.to_string())),
            Err(e) => Err(NotCertified::Unable(e.to_string())),
        }
    }
}

fn certified(certificate: &Certificate) -> Result<Certified, String> {
    let failed = certificate.checks.iter().find(|c| !c.passed);
    let summary = match (certificate.failure(), failed) {
        (Some(failure), _) => format!("{}: {}", failure.check, failure.explanation),
        (None, Some(check)) => format!("{}: {}", check.name, check.detail),
        (None, None) => {
            let (checks, made, real) = (certificate.checks.len(), certificate.generated, certificate.real);
            format!("{checks} checks passed on {made} customers made up and {real} real ones")
        }
    };
    Ok(Certified {
        passed: certificate.passed,
        summary,
        report: serde_json::to_value(certificate).map_err(|e| e.to_string())?,
        batch_cost_us: Some(certificate.batch_cost_us),
    })
}
