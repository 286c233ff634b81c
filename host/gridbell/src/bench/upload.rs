//! From an upload to its certificate: checked and compiled in a process of its own, kept, loaded, certified in another, as the host does it.

use std::path::Path;
use std::time::Duration;

use gridbell_certify::{Cancel, CertifyRequest, MAX_REAL, RealCustomers, Terms, certify_in_child};
use gridbell_clock::{Clock, Seed};
use gridbell_engine::{ArtifactStore, CompileLimits, Engine, EngineConfig};
use gridbell_model::Date;
use gridbell_planner::Calendar;

use super::SEED;
use super::evaluate::{Customers, generate};
use super::figures::Report;
use crate::defaults;
use crate::error::CommandError;
use crate::open;

/// Bytes of the upload that the figure promises something about.
const BYTES: usize = 100_000;
/// Measured uploads; the median counts.
const ROUNDS: usize = 5;
/// Ids of a component's section that holds a core module, and of a module's functions and their code.
const CORE_MODULE: u8 = 1;
const FUNCTIONS: u8 = 3;
const CODE: u8 = 10;

/// Measures uploads of a plugin of [`BYTES`] bytes, kept in `dir`.
pub(super) fn measure(today: Date, dir: &Path, report: &mut Report) -> Result<(), CommandError> {
    let failed = |what: &str| CommandError::Failed(format!("{what} of arrears-reminder cannot be read"));
    let own = defaults::PLUGINS.first().ok_or_else(|| failed("the file"))?;
    let upload = grown(module(own).ok_or_else(|| failed("the module"))?).ok_or_else(|| failed("the code"))?;
    let engine = Engine::new(EngineConfig::default(), Clock::system())?;
    let store = ArtifactStore::open(dir)?;
    let calendar = Calendar::parse(defaults::CALENDAR.0, defaults::CALENDAR.1);
    let calendar = calendar.map_err(|e| CommandError::Failed(e.to_string()))?;
    let chunks = generate(MAX_REAL, today);
    let real = RealCustomers::draw(&Customers { chunks: &chunks, rows: MAX_REAL }, MAX_REAL, Seed(SEED));
    let terms = Terms { real: Some(real), ..Terms::new(calendar, today.at(9, 0), Seed(SEED)) };
    let clock = Clock::system();
    let (mut whole, mut compiling) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = clock.monotonic();
        let memory = engine.config().guest_memory_bytes;
        let digest = store.add(&upload, &open::compiler()?, memory, CompileLimits::default())?.digest;
        engine.load(&store, digest)?;
        let compiled = clock.monotonic();
        let request =
            CertifyRequest { artifacts: dir.to_owned(), digest, engine: engine.config().clone(), terms: terms.clone() };
        let certificate = certify_in_child(&open::certifier()?, &request, &mut |_| {}, &Cancel::default())
            .map_err(|e| CommandError::Failed(e.to_string()))?;
        if let Some(failure) = certificate.failure() {
            return Err(CommandError::Found(failure.explanation.clone()));
        }
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        whole.push(ms(clock.monotonic() - began));
        compiling.push(ms(compiled - began));
    }
    report.set_median("upload.rust_ms", &whole);
    report.set_median("upload.compile_ms", &compiling);
    report.note(format!(
        "upload.rust_ms: arrears-reminder with its own functions repeated until the file has {} bytes, all of which are compiled; {MAX_REAL} customers \
         are tried beside those made up",
        upload.len()
    ));
    Ok(())
}

/// The largest core module in `upload`, or `upload` itself if it is one.
fn module(upload: &[u8]) -> Option<&[u8]> {
    if upload.get(4) == Some(&1) {
        return Some(upload);
    }
    sections(upload)?.into_iter().filter(|(id, _)| *id == CORE_MODULE).map(|(_, bytes)| bytes).max_by_key(|b| b.len())
}

/// `module` with its functions once more, and again, until it has [`BYTES`] bytes. Nobody calls the copies, and the compiler does not know that.
fn grown(module: &[u8]) -> Option<Vec<u8>> {
    let sections = sections(module)?;
    let payload = |id| sections.iter().find(|(own, _)| *own == id).map(|(_, bytes)| *bytes);
    let mut types = payload(FUNCTIONS)?;
    let mut code = payload(CODE)?;
    let count = number(&mut types)?;
    number(&mut code)?;
    let types = (0..count).map(|_| number(&mut types)).collect::<Option<Vec<_>>>()?;
    let body = |_| {
        let len = number(&mut code)? as usize;
        let (body, rest) = code.split_at_checked(len)?;
        code = rest;
        Some(body)
    };
    let bodies = (0..count).map(body).collect::<Option<Vec<_>>>()?;
    let (mut more_types, mut more_code) = (types.clone(), bodies.clone());
    let mut missing = BYTES.saturating_sub(module.len());
    for (ty, body) in types.iter().zip(&bodies).cycle() {
        if missing == 0 {
            break;
        }
        more_types.push(*ty);
        more_code.push(body);
        missing = missing.saturating_sub(body.len() + 2);
    }
    let mut out = module[..8].to_vec();
    for (id, bytes) in sections {
        let mut payload = Vec::new();
        match id {
            FUNCTIONS => {
                put(&mut payload, more_types.len() as u32);
                more_types.iter().for_each(|ty| put(&mut payload, *ty));
            }
            CODE => {
                put(&mut payload, more_code.len() as u32);
                for body in &more_code {
                    put(&mut payload, body.len() as u32);
                    payload.extend_from_slice(body);
                }
            }
            _ => payload.extend_from_slice(bytes),
        }
        out.push(id);
        put(&mut out, payload.len() as u32);
        out.extend(payload);
    }
    Some(out)
}

/// Sections behind the eight bytes that every file begins with: id and content.
fn sections(file: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut rest = file.get(8..)?;
    let mut sections = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let len = number(&mut rest)? as usize;
        let (bytes, after) = rest.split_at_checked(len)?;
        sections.push((*id, bytes));
        rest = after;
    }
    Some(sections)
}

/// A number as WebAssembly writes it, seven bits at a time.
fn number(from: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put(to: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grown_module_is_a_policy_of_the_size_that_the_figure_is_about() {
        let module = module(defaults::PLUGINS[0]).unwrap();
        let grown = grown(module).unwrap();
        assert!((BYTES..BYTES + 10_000).contains(&grown.len()), "{}", grown.len());
        gridbell_engine::check(&grown).unwrap();
        for value in [0, 127, 128, 16_384, u32::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(number(&mut &*bytes), Some(value));
        }
    }
}
