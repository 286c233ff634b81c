//! Numbers that a plugin's code compares with or computes by: where its branches are likely to lie. Reads code and never runs it.

use std::collections::BTreeSet;

use wasmparser::{Operator, Parser, Payload};

/// Most different numbers that are kept. A policy by itself has some hundred; the interpreter of a scripted guest has tens of thousands, none of
/// which says anything about the policy.
pub const MAX_CONSTANTS: usize = 4096;

/// The different whole numbers in the code of `upload`, ascending; none if there are more than [`MAX_CONSTANTS`] or it cannot be read.
#[must_use]
pub fn constants(upload: &[u8]) -> Vec<i64> {
    read(upload).unwrap_or_default().into_iter().collect()
}

fn read(upload: &[u8]) -> Option<BTreeSet<i64>> {
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(upload) {
        let Payload::CodeSectionEntry(body) = payload.ok()? else { continue };
        let mut code = body.get_operators_reader().ok()?;
        while !code.eof() {
            match code.read().ok()? {
                Operator::I32Const { value } => found.insert(value.into()),
                Operator::I64Const { value } => found.insert(value),
                _ => continue,
            };
            if found.len() > MAX_CONSTANTS {
                return None;
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_code_are_found_and_those_of_data_are_not() {
        let module = |body: &str| {
            wat::parse_str(format!("(module (memory 1) (data (i32.const 77) \"x\") (func (result i64) {body}))"))
                .unwrap()
        };
        let bytes = module("(drop (i32.const -5)) (drop (i32.const 3000)) (i64.const 777777777777)");
        assert_eq!(constants(&bytes), [-5, 3000, 777_777_777_777]);
        assert!(constants(&bytes[..bytes.len() - 4]).is_empty(), "broken off");
        assert!(constants(b"no wasm").is_empty());
        let many: String = (0..=MAX_CONSTANTS).map(|n| format!("(drop (i32.const {n}))")).collect();
        assert!(constants(&module(&format!("{many} (i64.const 1)"))).is_empty(), "an interpreter's");
    }
}
