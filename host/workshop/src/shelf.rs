//! Compiled plugins between two commands of an author: a Python component takes ten seconds and more to compile, and `plugin check`, `test` and
//! `bench` look at the same one, one after another.
//!
//! The shelf is a cache in the user's own directory and no part of any host. Whatever is wrong with it, the plugin is compiled anew: it must
//! never be a reason why a command fails. What lies here is checked by digest before it is loaded, like everything in an [`ArtifactStore`].

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gridbell_engine::{ArtifactStore, Compiled, CompilerCommand, Digest, Engine, Plugin};

/// Bytes that a shelf keeps; the oldest plugins go first, the newest stays. A Python component has some 120 MB of code, one in Rust one.
const MAX_BYTES: u64 = 1 << 30;
/// Hex digits of a plugin's digest, with which the names of its files begin.
const DIGITS: usize = 64;

/// Compiled plugins of one compiler.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: ArtifactStore,
    dir: PathBuf,
}

impl Shelf {
    /// The shelf of this user for what `compiler` makes; none where no place for it is known or it cannot be made.
    #[must_use]
    pub fn of_this_user(compiler: &CompilerCommand) -> Option<Self> {
        Self::within(&user_cache()?.join("gridbell/compiled"), compiler)
    }

    /// The shelf in `all` for what `compiler` makes. Another build of the program compiles differently: the shelves of others are cleared away.
    #[must_use]
    pub fn within(all: &Path, compiler: &CompilerCommand) -> Option<Self> {
        let program = fs::metadata(&compiler.program).ok()?;
        let built = program.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let name = Digest::of(format!("{} {}", program.len(), built.as_nanos()).as_bytes()).to_string();
        let dir = all.join(&name[..16]);
        if !dir.is_dir() {
            for other in fs::read_dir(all).into_iter().flatten().flatten() {
                let _ = fs::remove_dir_all(other.path());
            }
        }
        let store = ArtifactStore::open(&dir).ok()?;
        Some(Self { store, dir })
    }

    /// The plugin with that digest, if it lies here and is whole.
    #[must_use]
    pub fn take(&self, engine: &Engine, digest: Digest) -> Option<Plugin> {
        engine.load(&self.store, digest).ok()
    }

    /// Lays what came of `upload` here, and makes room for it.
    pub fn put(&self, upload: &[u8], compiled: &Compiled) {
        if self.store.put(upload, compiled).is_ok() {
            self.make_room(&compiled.digest().to_string(), MAX_BYTES);
        }
    }

    /// Removes the oldest plugins until the rest has at most `most` bytes; `newest` stays.
    fn make_room(&self, newest: &str, most: u64) {
        let mut plugins = BTreeMap::<String, (SystemTime, u64, Vec<PathBuf>)>::new();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let (name, Ok(file)) = (entry.file_name(), entry.metadata()) else { continue };
            let Some(digest) = name.to_str().and_then(|n| n.get(..DIGITS)) else { continue };
            let plugin = plugins.entry(digest.to_owned()).or_insert((SystemTime::UNIX_EPOCH, 0, Vec::new()));
            plugin.0 = plugin.0.max(file.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            plugin.1 += file.len();
            plugin.2.push(entry.path());
        }
        let mut bytes: u64 = plugins.values().map(|p| p.1).sum();
        plugins.remove(newest);
        let mut oldest: Vec<_> = plugins.into_values().collect();
        oldest.sort();
        for (_, size, files) in oldest {
            if bytes <= most {
                break;
            }
            files.iter().for_each(|file| drop(fs::remove_file(file)));
            bytes -= size;
        }
    }
}

/// Where programs of this user keep what they can make again.
pub(crate) fn user_cache() -> Option<PathBuf> {
    env::var_os("XDG_CACHE_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| Path::new(&home).join(".cache")))
}

#[cfg(test)]
mod tests {
    use gridbell_clock::Clock;
    use gridbell_engine::{EngineConfig, compile};

    use super::*;

    /// A program that is surely there, in place of the compiler: only its file is looked at.
    fn compiler() -> CompilerCommand {
        CompilerCommand { program: env::current_exe().expect("the running test"), args: Vec::new() }
    }

    fn component(name: &str) -> Vec<u8> {
        let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/prebuilt").join(name);
        fs::read(at).expect("a prebuilt plugin")
    }

    #[test]
    fn what_was_put_is_taken_and_what_is_damaged_is_not() {
        let home = tempfile::tempdir().expect("a directory");
        let engine = Engine::new(EngineConfig::default(), Clock::system()).expect("an engine");
        let upload = component("arrears-reminder.wasm");
        let compiled = compile(&upload, engine.config().guest_memory_bytes).expect("a policy");
        let shelf = Shelf::within(home.path(), &compiler()).expect("a shelf");
        assert!(shelf.take(&engine, compiled.digest()).is_none(), "nothing is there yet");
        shelf.put(&upload, &compiled);
        let plugin = shelf.take(&engine, compiled.digest()).expect("it was put there");
        assert_eq!(plugin.manifest().name(), "arrears-reminder");

        let code = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|e| e == "cwasm");
        for entry in fs::read_dir(&shelf.dir).expect("a folder").flatten().filter(code) {
            let mut bytes = fs::read(entry.path()).expect("code");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(entry.path(), bytes).expect("written");
        }
        assert!(shelf.take(&engine, compiled.digest()).is_none(), "changed code is not loaded");
    }

    #[test]
    fn the_oldest_make_room_and_the_newest_stays() {
        let home = tempfile::tempdir().expect("a directory");
        let shelf = Shelf::within(home.path(), &compiler()).expect("a shelf");
        let digests: Vec<String> = (0_u8..3).map(|n| Digest::of(&[n]).to_string()).collect();
        for (age, digest) in digests.iter().enumerate() {
            let file = fs::File::create(shelf.dir.join(format!("{digest}.wasm"))).expect("a file");
            file.set_len(100).expect("a length");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(age as u64)).expect("a time");
        }
        let here = |digest: &str| shelf.dir.join(format!("{digest}.wasm")).exists();
        shelf.make_room(&digests[0], 200);
        assert_eq!(digests.iter().map(|d| here(d)).collect::<Vec<_>>(), [true, false, true], "the oldest was just put");
        shelf.make_room(&digests[0], 1);
        assert_eq!(digests.iter().map(|d| here(d)).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn another_build_of_the_program_finds_an_empty_shelf_and_clears_the_old_one() {
        let home = tempfile::tempdir().expect("a directory");
        let program = home.path().join("program");
        let all = home.path().join("shelves");
        fs::write(&program, "one").expect("a file");
        let compiler = CompilerCommand { program: program.clone(), args: Vec::new() };
        let first = Shelf::within(&all, &compiler).expect("a shelf");
        fs::write(first.dir.join("code"), "").expect("a file");
        assert_eq!(Shelf::within(&all, &compiler).expect("the same").dir, first.dir);
        assert!(first.dir.join("code").exists());
        fs::write(&program, "another").expect("a file");
        let second = Shelf::within(&all, &compiler).expect("another");
        assert!(second.dir != first.dir && !first.dir.exists());
    }
}
