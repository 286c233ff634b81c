//! Delivery reports as gateways spell them, and what they say.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use gridbell_smgp::{Deliver, Disposition, Fault, MsgId, Octets, Outcome, REPORT_LENGTH, Report};

/// Its digits hold an `id:`-like octet, a space, a zero and a colon's neighbour.
const ID: [u8; 10] = [0x37, 0x10, 0x01, 0x11, 0x20, 0x22, 0x59, 0x00, 0x00, 0x39];

fn text<const N: usize>(value: &str) -> Octets<N> {
    Octets::new("test", value).unwrap()
}

fn report() -> Report {
    Report {
        msg_id: MsgId(ID),
        sub: text("001"),
        dlvrd: text("001"),
        submit_date: text("2611222001"),
        done_date: text("2611222002"),
        stat: text("DELIVRD"),
        err: text("000"),
    }
}

fn spelt(rest: &str) -> Vec<u8> {
    [&b"id:"[..], &ID, rest.as_bytes()].concat()
}

#[test]
fn the_specifications_text_octet_by_octet() {
    let table = [
        &b"id:"[..],
        &ID,
        b" sub:001",
        b" dlvrd:001",
        b" submit date:2611222001",
        b" done date:2611222002",
        b" stat:DELIVRD",
        b" err:000",
        b" text:",
        &[0; 20],
    ]
    .concat();
    assert_eq!(table.len(), REPORT_LENGTH);
    assert_eq!(report().encode().unwrap()[..], table[..]);
    assert_eq!(Report::decode(&table), Ok(report()));
    let deliver = Deliver { is_report: 1, content: report().encode().unwrap(), ..Deliver::default() };
    assert_eq!(deliver.report(), Some(Ok(report())));
}

#[test]
fn one_report_in_many_spellings() {
    for rest in [
        " sub:001 dlvrd:001 submit date:2611222001 done date:2611222002 stat:DELIVRD err:000 text:",
        " sub:001 dlvrd:001 Submit date:2611222001 done date:2611222002 stat:DELIVRD err:000 Text:001电费",
        " Sub:001 Dlvrd:001 Submit_Date:2611222001 Done_Date:2611222002 Stat:DELIVRD Err:000 Text:",
        "sSub:001sDlvrd:001sSubmit_Date:2611222001sDone_Date:2611222002sStat:DELIVRDsErr:000sText:fillfill",
        " SUB:001 DLVRD:001 SUBMIT_DATE:2611222001 DONE_DATE:2611222002 STAT:DELIVRD ERR:000 TXT:",
        "sub:001dlvrd:001submitdate:2611222001donedate:2611222002stat:DELIVRDerr:000text:",
        "_sub:001_dlvrd:001_submit_date:2611222001_done_date:2611222002_stat:DELIVRD_err:000_txt:",
        " sub: 001 dlvrd: 001 submit date: 2611222001 done date: 2611222002 stat: DELIVRD err: 000",
        // Another order; keys inside the text do not count.
        " err:000 stat:DELIVRD done date:2611222002 submit date:2611222001 dlvrd:001 sub:001 text:stat:UNDELIV err:005",
    ] {
        assert_eq!(Report::decode(&spelt(rest)), Ok(report()), "{rest}");
    }
    // The number as twenty digits, and something before the first key.
    let hex =
        b" ID:37100111202259000039 sub:001 dlvrd:001 submit date:2611222001 done date:2611222002 stat:DELIVRD err:000";
    assert_eq!(Report::decode(hex), Ok(report()));
}

#[test]
fn what_is_missing_is_empty() {
    let bare = Report { msg_id: MsgId(ID), stat: text("MB:1041"), ..Report::default() };
    assert_eq!(Report::decode(&spelt(" stat:MB:1041")), Ok(bare));
    let bare = Report { msg_id: MsgId(ID), err: text("5"), ..Report::default() };
    assert_eq!(Report::decode(&spelt(" err:5 text:")), Ok(bare));
    let short = Report::decode(&spelt(" stat:FAIL err:1,done date:26")).unwrap();
    assert_eq!((&*short.stat_text(), &*short.err.text(), &*short.done_date.text()), ("FAIL", "1", "26"));

    assert_eq!(Report::decode(&spelt(" sub:001")), Err(Fault::Value { field: "stat" }));
    assert_eq!(Report::decode(b"stat:DELIVRD"), Err(Fault::Value { field: "id" }));
    assert_eq!(Report::decode(b"id:short"), Err(Fault::Value { field: "id" }));
    assert_eq!(Report::decode(b""), Err(Fault::Value { field: "id" }));
}

#[test]
fn what_reports_say() {
    use Disposition::{BackOffRetry, NumberBad, Vendor};
    let outcome =
        |stat: &str, err: &str| Report { stat: text(stat), err: text(err), ..report() }.outcome(&[(81, BackOffRetry)]);
    assert_eq!(outcome("DELIVRD", "000"), Outcome::Delivered);
    assert_eq!(outcome("delivrd", ""), Outcome::Delivered);
    assert_eq!(outcome("", "000"), Outcome::Delivered);
    assert_eq!(outcome("ACCEPTD", "000"), Outcome::Pending);
    assert_eq!(outcome("UNDELIV", "004"), Outcome::Failed(NumberBad));
    assert_eq!(outcome("UNDELIV", "5"), Outcome::Failed(NumberBad));
    assert_eq!(outcome("EXPIRED", "081"), Outcome::Failed(BackOffRetry));
    assert_eq!(outcome("EXPIRED", "006"), Outcome::Failed(Vendor(6)));
    // A code that is no number, and a word that no table has, are failures.
    assert_eq!(outcome("REJECTD", "MK"), Outcome::Failed(Vendor(0)));
    assert_eq!(outcome("OK", "000"), Outcome::Failed(Vendor(0)));
}
