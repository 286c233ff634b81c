//! What is no WebAssembly, or was once.

use gridbell_engine::{ErrorCode as E, MAX_UPLOAD_BYTES, check};

use super::super::support::Guest;
use super::Corpus;
use super::bytes::{COMPONENT, MODULE, leb, many, module, name, section, wat};

fn whole() -> Vec<u8> {
    Guest::default().bytes()
}

/// The same as a component.
fn component() -> Vec<u8> {
    check(&whole()).unwrap().component().to_vec()
}

/// `() -> ()` as a type section, a function of it, and its body.
fn one_function(body: &[u8]) -> Vec<Vec<u8>> {
    let code = [&leb(1)[..], &leb(body.len() as u64), body].concat();
    vec![section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0]), section(10, &code)]
}

pub(super) fn add(c: &mut Corpus) {
    no_webassembly(c);
    cut_off(c);
    not_well_formed(c);
    features(c);
}

fn no_webassembly(c: &mut Corpus) {
    c.refused(E::UploadEmpty, "nothing", Vec::new);
    c.refused(E::UploadNotWasm, "a shell script", || b"#!/bin/sh\nrm -rf /\n".to_vec());
    c.refused(E::UploadNotWasm, "the source of a module", || b"(module)".to_vec());
    c.refused(E::UploadNotWasm, "the login page of a proxy", || b"<!DOCTYPE html><title>Sign in</title>".to_vec());
    c.refused(E::UploadNotWasm, "a program, or precompiled code", || b"\x7fELF\x02\x01\x01\0".repeat(64));
    c.refused(E::UploadNotWasm, "an archive", || b"PK\x03\x04\x14\0\0\0\x08\0".repeat(64));
    c.refused(E::UploadNotWasm, "a plugin that was compressed", || {
        [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], &whole()].concat()
    });
    c.refused(E::UploadNotWasm, "a plugin behind a byte order mark", || [&b"\xef\xbb\xbf"[..], &whole()].concat());
    c.refused(E::UploadTooLarge, "a byte more than may be", || {
        let mut bytes = whole();
        bytes.resize(MAX_UPLOAD_BYTES + 1, 0);
        bytes
    });
}

fn cut_off(c: &mut Corpus) {
    c.refused(E::UploadTruncated, "four bytes", || b"\0asm".to_vec());
    c.refused(E::UploadTruncated, "a module without its second half", || whole()[..whole().len() / 2].to_vec());
    c.refused(E::UploadTruncated, "a module without its last byte", || whole()[..whole().len() - 1].to_vec());
    c.refused(E::UploadTruncated, "a component without its second half", || {
        component()[..component().len() / 2].to_vec()
    });
    c.refused(E::UploadTruncated, "a component without its last byte", || {
        component()[..component().len() - 1].to_vec()
    });
    c.refused(E::UploadTruncated, "a section of 4 GB in a file of 20 bytes", || {
        [MODULE, &[1], &leb(0xffff_fff0), &[1, 0x60]].concat()
    });
    c.refused(E::UploadInvalid, "a module of 4 GB within a component", || {
        [COMPONENT, &[1], &leb(0xffff_fff0), MODULE].concat()
    });
}

fn not_well_formed(c: &mut Corpus) {
    c.refused(E::UploadInvalid, "a version that never was", || b"\0asm\x09\0\0\0".to_vec());
    c.refused(E::UploadInvalid, "a section that there is not", || module(&[section(99, b"?")]));
    c.refused(E::UploadInvalid, "a plugin with zeros behind it", || [&whole()[..], &[0; 64]].concat());
    c.refused(E::UploadInvalid, "a component with another behind it", || [component(), component()].concat());
    c.refused(E::UploadInvalid, "sections out of order", || {
        let mut sections = one_function(&[0, 0x0b]);
        sections.swap(0, 1);
        module(&sections)
    });
    c.refused(E::UploadInvalid, "a section twice", || module(&[section(1, &[0]), section(1, &[0])]));
    c.refused(E::UploadInvalid, "a number that does not end", || module(&[section(1, &[0xff; 20])]));
    c.refused(E::UploadInvalid, "a function without a body", || module(&one_function(&[0, 0x0b])[..2]));
    c.refused(E::UploadInvalid, "a count that lies", || module(&[section(1, &[0xff, 0xff, 3, 0x60, 0, 0])]));
    c.refused(E::UploadInvalid, "a body that adds what is not there", || module(&one_function(&[0, 0x6a, 0x0b])));
    c.refused(E::UploadInvalid, "a body that does not end", || module(&one_function(&[0, 0x02, 0x40, 0x0b])));
    c.refused(E::UploadInvalid, "an instruction that there is not", || module(&one_function(&[0, 0xff, 0x0b])));
    c.refused(E::UploadInvalid, "a call of a function that is not there", || {
        module(&one_function(&[0, 0x10, 7, 0x0b]))
    });
    c.refused(E::UploadInvalid, "a body of 50 001 variables", || {
        module(&one_function(&[&[1][..], &leb(50_001), &[0x7f, 0x0b]].concat()))
    });
    c.refused(E::UploadInvalid, "4 billion variables in five bytes", || {
        module(&one_function(&[&[2][..], &leb(0xffff_ffff), &[0x7f], &leb(0xffff_ffff), &[0x7e, 0x0b]].concat()))
    });
    c.refused(E::UploadInvalid, "a function of 1001 parameters", || {
        module(&[section(1, &[&[1, 0x60][..], &leb(1001), &[0x7f; 1001], &[0]].concat())])
    });
    c.refused(E::UploadInvalid, "a name that is not UTF-8", || {
        let export = [&leb(1)[..], &name(b"\xff\xfe\x80"), &[0, 0]].concat();
        let [ty, function, code] = <[Vec<u8>; 3]>::try_from(one_function(&[0, 0x0b])).unwrap();
        module(&[ty, function, section(7, &export), code])
    });
    c.refused(E::UploadInvalid, "a custom section whose title is not UTF-8", || {
        module(&[section(0, &name(b"\xc3\x28"))])
    });
    c.refused(E::UploadInvalid, "a custom section whose title is longer than itself", || {
        module(&[section(0, &leb(1_000_000))])
    });
    c.refused(E::UploadInvalid, "one name for two exports", || {
        let export = [&leb(2)[..], &name(b"f"), &[0, 0], &name(b"f"), &[0, 0]].concat();
        let [ty, function, code] = <[Vec<u8>; 3]>::try_from(one_function(&[0, 0x0b])).unwrap();
        module(&[ty, function, section(7, &export), code])
    });
    c.refused(E::UploadInvalid, "a memory of more than 4 GB", || {
        module(&[section(5, &[&[1, 0][..], &leb(65_537)].concat())])
    });
    c.refused(E::UploadInvalid, "a component's instance of a module that is not there", || {
        [COMPONENT, &section(2, &[1, 0, 5, 0])].concat()
    });
    c.refused(E::UploadTooMany, "100 001 pieces of data", || {
        module(&[section(5, &[1, 0, 1]), many(11, 100_001, &[1, 0])])
    });
}

fn features(c: &mut Corpus) {
    let mut text = |name, text: &'static str| c.refused(E::UploadFeature, name, move || wat(text));
    text("a shared memory", "(module (memory 1 1 shared))");
    text("an atomic access", "(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))");
    text("a 64-bit memory", "(module (memory i64 1))");
    text("a 64-bit table", "(module (table i64 1 funcref))");
    text("garbage collection", "(module (type (struct (field i32))))");
    text("references to types", "(module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))");
    text("exceptions", "(module (tag (param i32)) (func (throw 0 (i32.const 1))))");
    text(
        "arithmetic of 128 bits",
        "(module (func (result i64 i64) (i64.add128 (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))))",
    );
    text("pages of one byte", "(module (memory 1 (pagesize 1)))");
    text("switching stacks", "(module (type $f (func)) (type $c (cont $f)))");
    text("a list of fixed length", "(component (type (list u8 4)))");
    text("a stream", "(component (type (stream u8)))");
    text("a function that awaits", "(component (type (func async)))");
}
