//! A guest in an interpreter, its arguments lowered as the canonical ABI says.

use serde_json::Value;
use wasmi::{Engine, Instance, Linker, Memory, Module, Store, TypedFunc};

use crate::Result;
use crate::cases::{Batch, Run};

const INTERFACE: &str = "gridbell:policy/plugin@0.1.0";

/// A guest, its core module compiled. Every call gets a fresh instance, as in the host.
pub(crate) struct Guest {
    name: String,
    engine: Engine,
    module: Module,
}

/// An instance and its memory.
struct Live {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    realloc: TypedFunc<(i32, i32, i32, i32), i32>,
}

impl Guest {
    /// Reads a component or a core module.
    pub(crate) fn read(path: &str) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
        let core = core_module(&bytes)?.ok_or_else(|| format!("{path}: holds no core module"))?;
        let engine = Engine::default();
        let module = Module::new(&engine, core).map_err(|e| format!("{path}: {e}"))?;
        Ok(Self { name: path.to_owned(), engine, module })
    }

    /// The manifest.
    pub(crate) fn manifest(&self) -> Result<Value> {
        let mut live = self.live()?;
        let at = live.call("manifest", &[])?;
        let text = live.text(at)?;
        serde_json::from_str(&text).map_err(|e| format!("{}: manifest: {e}", self.name).into())
    }

    /// The clauses of `interest` as bytes of bounds, or none for everyone.
    pub(crate) fn interest(&self, run: &Run) -> Result<Option<Vec<Vec<Vec<u8>>>>> {
        let mut live = self.live()?;
        let run = live.lower_run(run)?;
        let word = |n: usize| wasmi::Val::I32(i32::from_le_bytes([run[n], run[n + 1], run[n + 2], run[n + 3]]));
        let now = i64::from_le_bytes(run[8..16].try_into()?);
        let mut args = vec![word(0), wasmi::Val::I64(now), word(16)];
        args.extend([20, 24, 28, 32, 36, 40, 44, 48, 52, 56].map(word));
        let at = live.call("interest", &args)?;
        if live.bytes(at, 1)?[0] != 0 {
            return Err(format!("{}: interest: {}", self.name, live.text(at + 4)?).into());
        }
        if live.bytes(at + 4, 1)?[0] == 0 {
            return Ok(None);
        }
        let mut clauses = Vec::new();
        let (list, count) = live.list(at + 8)?;
        for n in 0..count {
            let (bounds, len) = live.list(list + n * 8)?;
            let mut clause = Vec::new();
            for b in 0..len {
                let raw = live.bytes(bounds + b * 24, 24)?;
                // Without the padding, which holds anything.
                clause.push([&raw[0..3], &raw[8..24]].concat());
            }
            clauses.push(clause);
        }
        Ok(Some(clauses))
    }

    /// The decisions as bytes without their padding, and the reasons.
    pub(crate) fn decide(&self, run: &Run, batch: &Batch) -> Result<(Vec<Vec<u8>>, Vec<u16>)> {
        let mut live = self.live()?;
        let (list, count) = live.answer(&self.name, "decide", run, batch)?;
        let mut decisions = Vec::new();
        for n in 0..count {
            let raw = live.bytes(list + n * 48, 48)?;
            decisions.push([&raw[0..7], &raw[8..12], &raw[16..48]].concat());
        }
        let mut live = self.live()?;
        let (list, count) = live.answer(&self.name, "explain", run, batch)?;
        let raw = live.bytes(list, count * 2)?;
        Ok((decisions, raw.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()))
    }

    fn live(&self) -> Result<Live> {
        let mut store = Store::new(&self.engine, ());
        let instance = Linker::new(&self.engine).instantiate_and_start(&mut store, &self.module)?;
        let memory = instance.get_memory(&store, "memory").ok_or("the guest exports no memory")?;
        let realloc = instance.get_typed_func(&store, "cabi_realloc")?;
        Ok(Live { store, instance, memory, realloc })
    }
}

impl Live {
    fn call(&mut self, name: &str, args: &[wasmi::Val]) -> Result<usize> {
        let function = self
            .instance
            .get_func(&self.store, &format!("{INTERFACE}#{name}"))
            .ok_or_else(|| format!("the guest does not export {name}"))?;
        let mut out = [wasmi::Val::I32(0)];
        function.call(&mut self.store, args, &mut out)?;
        out[0].i32().map(|at| at as usize).ok_or_else(|| format!("{name} returns no address").into())
    }

    fn answer(&mut self, guest: &str, name: &str, run: &Run, batch: &Batch) -> Result<(usize, usize)> {
        let mut record = self.lower_run(run)?;
        record.extend(self.lower_batch(batch)?);
        let call = self.put(&record, 8)?;
        let at = self.call(name, &[wasmi::Val::I32(call as i32)])?;
        if self.bytes(at, 1)?[0] != 0 {
            return Err(format!("{guest}: {name}: {}", self.text(at + 4)?).into());
        }
        self.list(at + 4)
    }

    fn put(&mut self, bytes: &[u8], align: i32) -> Result<usize> {
        let at = self.realloc.call(&mut self.store, (0, 0, align, bytes.len() as i32))? as usize;
        if !at.is_multiple_of(align as usize) {
            return Err("cabi_realloc gave memory that is not aligned".into());
        }
        self.memory.write(&mut self.store, at, bytes)?;
        Ok(at)
    }

    fn put_list(&mut self, bytes: &[u8], count: usize, align: i32) -> Result<[u8; 8]> {
        let at = self.put(bytes, align)?;
        let mut out = [0; 8];
        out[..4].copy_from_slice(&(at as u32).to_le_bytes());
        out[4..].copy_from_slice(&(count as u32).to_le_bytes());
        Ok(out)
    }

    fn lower_run(&mut self, run: &Run) -> Result<Vec<u8>> {
        let mut out = vec![0; 64];
        out[0..4].copy_from_slice(&140_100_u32.to_le_bytes());
        out[8..16].copy_from_slice(&run.now.to_le_bytes());
        out[16..18].copy_from_slice(&run.trigger.to_le_bytes());
        let schedule = self.put_list(b"daily", 5, 1)?;
        out[20..28].copy_from_slice(&schedule);
        let facts = self.put_list(&[], 0, 8)?;
        out[28..36].copy_from_slice(&facts);
        let params = self.put_list(run.params.as_bytes(), run.params.len(), 1)?;
        out[36..44].copy_from_slice(&params);
        out[44..48].copy_from_slice(&run.first.to_le_bytes());
        out[48..52].copy_from_slice(&run.known_until.to_le_bytes());
        let bits: Vec<u8> = run.bits.iter().flat_map(|word| word.to_le_bytes()).collect();
        let bits = self.put_list(&bits, run.bits.len(), 8)?;
        out[52..60].copy_from_slice(&bits);
        Ok(out)
    }

    fn lower_batch(&mut self, batch: &Batch) -> Result<Vec<u8>> {
        let mut columns = Vec::new();
        for (column, values) in &batch.columns {
            let (kind, size) = column.kind();
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()[..size].to_vec()).collect();
            let list = self.put_list(&bytes, values.len(), size as i32)?;
            let mut record = [0; 16];
            record[0..2].copy_from_slice(&column.id.to_le_bytes());
            record[4] = kind;
            record[8..16].copy_from_slice(&list);
            columns.extend(record);
        }
        let list = self.put_list(&columns, batch.columns.len(), 4)?;
        let mut out = vec![0; 16];
        out[4..8].copy_from_slice(&(batch.rows as u32).to_le_bytes());
        out[8..16].copy_from_slice(&list);
        Ok(out)
    }

    fn bytes(&self, at: usize, len: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; len];
        self.memory.read(&self.store, at, &mut out)?;
        Ok(out)
    }

    fn list(&self, at: usize) -> Result<(usize, usize)> {
        let raw = self.bytes(at, 8)?;
        let word = |n: usize| u32::from_le_bytes([raw[n], raw[n + 1], raw[n + 2], raw[n + 3]]) as usize;
        Ok((word(0), word(4)))
    }

    fn text(&self, at: usize) -> Result<String> {
        let (at, len) = self.list(at)?;
        Ok(String::from_utf8(self.bytes(at, len)?)?)
    }
}

/// The core module in a component that was made of one; a core module itself.
fn core_module(bytes: &[u8]) -> Result<Option<&[u8]>> {
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload? {
            wasmparser::Payload::Version { encoding: wasmparser::Encoding::Module, .. } => return Ok(Some(bytes)),
            wasmparser::Payload::ModuleSection { unchecked_range, .. } => {
                return Ok(bytes.get(unchecked_range));
            }
            _ => {}
        }
    }
    Ok(None)
}
