//! What fails when an instance is made or asked for its manifest: the first that a hostile guest can do, in the compiler's process.

use gridbell_engine::ErrorCode as E;

use super::super::support::Guest;
use super::bytes::wat;
use super::{Corpus, Fate};

const LOOP: &str = "(loop $again (br $again)) unreachable";
const GROW: &str = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";

fn start(body: &str) -> Vec<u8> {
    Guest { more: format!("(func $start {body}) (start $start)"), ..Guest::default() }.bytes()
}

/// A guest whose `manifest` is this body.
fn manifest(body: &str) -> Vec<u8> {
    let text = Guest::default().wat();
    let (before, rest) = text.split_once("#manifest\") (result i32)\n").unwrap();
    let (_, after) =
        rest.split_once("(i32.const 0))\n(func (export \"gridbell:policy/plugin@0.1.0#interest\")").unwrap();
    wat(&format!(
        "{before}#manifest\") (result i32) {body})\n(func (export \"gridbell:policy/plugin@0.1.0#interest\"){after}"
    ))
}

/// A guest whose manifest is said to lie at `at` and to be `len` long, after `body`.
fn says(body: &str, at: u32, len: u32) -> Vec<u8> {
    manifest(&format!(
        "{body} (i32.store (i32.const 0) (i32.const {at})) (i32.store (i32.const 4) (i32.const {len})) (i32.const 0)"
    ))
}

fn post_return(body: &str) -> Vec<u8> {
    let more = format!("(func (export \"cabi_post_gridbell:policy/plugin@0.1.0#manifest\") (param i32) {body})");
    Guest { more, ..Guest::default() }.bytes()
}

pub(super) fn add(c: &mut Corpus) {
    let mut at_once = |code, name, make: fn() -> Vec<u8>| c.add(name, Fate::FailsAtOnce(code), make);
    at_once(E::GuestDeadline, "a start that never ends", || start("(loop $again (br $again))"));
    at_once(E::GuestTrapped, "a start that traps", || start("unreachable"));
    at_once(E::GuestOutOfMemory, "a start that eats", || start(GROW));
    at_once(E::GuestStackOverflow, "a start that calls itself", || {
        let more = "(func $start (call $start) (call $start)) (start $start)".to_owned();
        Guest { more, ..Guest::default() }.bytes()
    });
    at_once(E::GuestTrapped, "data that lies outside the memory", || {
        Guest { more: "(data (i32.const 131070) \"beyond\")".to_owned(), ..Guest::default() }.bytes()
    });
    at_once(E::GuestTrapped, "elements that lie outside the table", || {
        Guest { more: "(table 1 funcref) (elem (i32.const 7) func 0)".to_owned(), ..Guest::default() }.bytes()
    });
    at_once(E::GuestDeadline, "a manifest that never comes", || manifest(LOOP));
    at_once(E::GuestTrapped, "a manifest that traps", || manifest("unreachable"));
    at_once(E::GuestTrapped, "a manifest that divides by nothing", || {
        manifest("(i32.div_u (i32.const 1) (i32.const 0))")
    });
    at_once(E::GuestTrapped, "a manifest that reads what is not its own", || manifest("(i32.load (i32.const -4))"));
    at_once(E::GuestOutOfMemory, "a manifest that eats", || manifest(GROW));
    at_once(E::GuestOutOfMemory, "a manifest that fills tables", || {
        let more = "(table $t 1 funcref)";
        let body = "(loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 4096)) (i32.const -1)))) unreachable";
        let text = Guest { more: more.to_owned(), ..Guest::default() }.wat();
        let (before, rest) = text.split_once("#manifest\") (result i32)\n").unwrap();
        wat(&format!("{before}#manifest\") (result i32) {body} {rest}"))
    });
    at_once(E::GuestMalformed, "a manifest that lies nowhere", || says("", 0xffff_ff00, 16));
    at_once(E::GuestMalformed, "a manifest of 4 GB", || says("", 16, 0xffff_ffff));
    at_once(E::GuestMalformed, "a manifest of 100 MB", || says("", 16, 100_000_000));
    at_once(E::GuestAnswerTooLarge, "a manifest of 50 MB in a memory that holds it", || {
        says("(drop (memory.grow (i32.const 900)))", 16, 50_000_000)
    });
    at_once(E::GuestMalformed, "a manifest that is not UTF-8", || {
        says("(i32.store (i32.const 8) (i32.const -1))", 8, 4)
    });
    at_once(E::GuestMalformed, "half a character", || says("(i32.store (i32.const 8) (i32.const 0x7f7fe5))", 8, 2));
    at_once(E::GuestMalformed, "an answer that is not aligned", || manifest("(i32.const 3)"));
    at_once(E::GuestMalformed, "an answer at the end of memory", || manifest("(i32.const 131068)"));
    at_once(E::GuestTrapped, "an answer that cannot be given back", || post_return("unreachable"));
    at_once(E::GuestDeadline, "an answer that is never given back", || post_return("(loop $again (br $again))"));
}
