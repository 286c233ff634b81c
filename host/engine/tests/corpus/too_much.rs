//! Bombs: small to send, or within the size that may be sent, and large to read, to compile or to hold.

use gridbell_engine::{ErrorCode as E, check};

use super::super::support::Guest;
use super::Corpus;
use super::bytes::{COMPONENT, MODULE, custom, leb, many, module, section, wat};

fn with(more: String) -> Vec<u8> {
    Guest { more, ..Guest::default() }.bytes()
}

/// Components in each other, `depth` deep.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(COMPONENT.to_vec(), |inner, _| [COMPONENT, &section(4, &inner)].concat())
}

/// The guest as it should be, and one function with this body behind it.
fn with_body(locals: &str, body: &str) -> Vec<u8> {
    with(format!("(func (export \"more\") (param i32) (result i32) {locals} {body})"))
}

pub(super) fn add(c: &mut Corpus) {
    to_read(c);
    to_hold(c);
    to_compile(c);
}

fn to_read(c: &mut Corpus) {
    let mut many_of = |name, make: fn() -> Vec<u8>| c.refused(E::UploadTooMany, name, make);
    many_of("components in each other, 20 deep", || nested(20));
    many_of("components in each other, 20 000 deep", || {
        let mut sizes = vec![COMPONENT.len()];
        while sizes.len() < 20_000 {
            let inner = sizes[sizes.len() - 1];
            sizes.push(COMPONENT.len() + 1 + leb(inner as u64).len() + inner);
        }
        let header = |inner: &usize| [COMPONENT, &[4], &leb(*inner as u64)].concat();
        sizes.pop();
        [sizes.iter().rev().flat_map(header).collect(), COMPONENT.to_vec()].concat()
    });
    many_of("200 modules", || [COMPONENT, &section(1, MODULE).repeat(200)].concat());
    many_of("20 000 sections", || module(&[custom("", b"").repeat(20_000)]));
    many_of("100 000 exports", || with((0..100_000).map(|n| format!("(export \"e{n}\" (memory 0))")).collect()));
    many_of("300 001 functions", || {
        module(&[section(1, &[1, 0x60, 0, 0]), many(3, 300_001, &[0]), many(10, 300_001, &[2, 0, 0x0b])])
    });
    many_of("200 000 types", || module(&[many(1, 200_000, &[0x60, 0, 0])]));
    many_of("a million types, as it says", || module(&[section(1, &[&leb(1_000_000)[..], &[0x60, 0, 0]].concat())]));
    many_of("200 000 globals", || module(&[many(6, 200_000, &[0x7f, 0, 0x41, 0, 0x0b])]));
    many_of("200 000 imports", || module(&[section(1, &[1, 0x60, 0, 0]), many(2, 200_000, &[1, b'm', 1, b'f', 0, 0])]));
    many_of("200 000 segments", || module(&[many(9, 200_000, &[1, 0, 0])]));
    many_of("200 000 aliases", || [COMPONENT, &many(6, 200_000, &[3, 2, 0, 0])].concat());
    many_of("a function of 3 MB", || {
        let body = [&[0][..], &[0x01; 3 << 20], &[0x0b]].concat();
        let code = [&leb(1)[..], &leb(body.len() as u64), &body].concat();
        module(&[section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0]), section(10, &code)])
    });
    many_of("40 MB of names and debug information", || {
        [Guest::default().bytes(), custom("name", &vec![0; 40 << 20])].concat()
    });
    c.refused(E::UploadInvalid, "a type that doubles 60 times", || {
        let doubled: String = (1..60).map(|n| format!("(type $t{n} (tuple $t{} $t{}))", n - 1, n - 1)).collect();
        wat(&format!("(component (type $t0 (tuple u8 u8)) {doubled})"))
    });
    c.refused(E::UploadInvalid, "a type that nests 1000 deep", || {
        let deeper: String = (1..1000).map(|n| format!("(type $t{n} (list $t{}))", n - 1)).collect();
        wat(&format!("(component (type $t0 (list u8)) {deeper})"))
    });
}

fn to_hold(c: &mut Corpus) {
    let mut no_room = |name, make: fn() -> Vec<u8>| c.refused(E::UploadDoesNotFit, name, make);
    no_room("a memory that asks for 4 GB", || Guest { pages: 65_536, ..Guest::default() }.bytes());
    no_room("a memory that asks for 300 MB", || Guest { pages: 4_800, ..Guest::default() }.bytes());
    no_room("a table of 200 000 elements", || with("(table 200000 funcref)".to_owned()));
    no_room("a table of ten million elements", || with("(table 10000000 funcref)".to_owned()));
    no_room("40 memories", || with("(memory 1)".repeat(40)));
    no_room("60 tables", || with("(table 1 funcref)".repeat(60)));
    no_room("60 modules at once", || {
        let inner = check(&Guest::default().bytes()).unwrap().component().to_vec();
        // More sections may follow a component's: a module, whose number is the next, and 60 instances of it.
        let instance = [&[0][..], &leb(modules_of(&inner)), &[0]].concat();
        [&inner[..], &section(1, MODULE), &many(2, 60, &instance)].concat()
    });
}

/// Core modules that a component has.
fn modules_of(component: &[u8]) -> u64 {
    let (mut rest, mut modules) = (&component[COMPONENT.len()..], 0);
    while let [id, after @ ..] = rest {
        let digits = after.iter().position(|b| *b < 0x80).unwrap() + 1;
        let size = after[..digits].iter().rev().fold(0, |n, b| n << 7 | usize::from(b & 0x7f));
        modules += u64::from(*id == 1);
        rest = &after[digits + size..];
    }
    modules
}

fn to_compile(c: &mut Corpus) {
    c.refused(
        E::CompileCpu,
        "many functions of a thousand variables that are all alive in each of a thousand blocks",
        || {
            // Each block may change each variable: the compiler joins them all at every meeting of ways.
            let locals = "(local ".to_owned() + &"i64 ".repeat(1500) + ")";
            let set: String = (1..=1500)
                .map(|n| format!("(local.set {n} (i64.add (local.get {n}) (local.get {})))", n % 1500 + 1))
                .collect();
            let blocks = format!("(loop (if (local.get 0) (then {set})) (br_if 0 (local.get 0)))").repeat(18);
            let one = format!("(func (param i32) (result i32) {locals} {blocks} (i32.const 0))");
            with(one.repeat(12))
        },
    );
}
