//! WebAssembly written byte by byte, where no assembler would.

/// Begin of a core module.
pub(super) const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Begin of a component.
pub(super) const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// An unsigned number, LEB128.
pub(super) fn leb(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

/// A section: its id, its size, what it holds.
pub(super) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len() as u64), content].concat()
}

/// A section of `n` times `item`.
pub(super) fn many(id: u8, n: usize, item: &[u8]) -> Vec<u8> {
    section(id, &[leb(n as u64), item.repeat(n)].concat())
}

/// A name: its length and its bytes.
pub(super) fn name(text: &[u8]) -> Vec<u8> {
    [&leb(text.len() as u64), text].concat()
}

/// A custom section.
pub(super) fn custom(title: &str, content: &[u8]) -> Vec<u8> {
    section(0, &[&name(title.as_bytes()), content].concat())
}

/// A module of these sections.
pub(super) fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [MODULE, &sections.concat()].concat()
}

/// Text as a module or component.
pub(super) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}
