//! Hostile and broken artifacts, each made here and each with the code that it must meet. Used by the engine's own test, and by the end-to-end test
//! that sends them to a running host.

#![allow(dead_code, reason = "each test uses its part")]

mod broken;
mod bytes;
mod manifests;
mod starting;
mod too_much;
mod working;
mod worlds;

use gridbell_engine::ErrorCode;

/// What must become of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Refused at upload, with this code.
    Refused(ErrorCode),
    /// Refused at upload when it was asked for its manifest, since this happened.
    FailsAtOnce(ErrorCode),
    /// Reading it finds nothing; it fails at work, with this code.
    FailsAtWork(ErrorCode),
}

/// An artifact, made when it is needed: some have tens of megabytes.
pub(crate) struct Artifact {
    pub(crate) name: &'static str,
    pub(crate) fate: Fate,
    make: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl Artifact {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        (self.make)()
    }
}

/// Collects artifacts.
pub(crate) struct Corpus(Vec<Artifact>);

impl Corpus {
    fn add(&mut self, name: &'static str, fate: Fate, make: impl Fn() -> Vec<u8> + Send + Sync + 'static) {
        self.0.push(Artifact { name, fate, make: Box::new(make) });
    }

    fn refused(&mut self, code: ErrorCode, name: &'static str, make: impl Fn() -> Vec<u8> + Send + Sync + 'static) {
        self.add(name, Fate::Refused(code), make);
    }
}

/// All of them.
pub(crate) fn corpus() -> Vec<Artifact> {
    let mut corpus = Corpus(Vec::new());
    broken::add(&mut corpus);
    worlds::add(&mut corpus);
    too_much::add(&mut corpus);
    starting::add(&mut corpus);
    manifests::add(&mut corpus);
    working::add(&mut corpus);
    corpus.0
}
