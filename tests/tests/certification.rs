//! Certifications that something from outside ends, in the real host: a signal to their process, a shutdown of the host. Nothing is known against the plugin
//! then, so it is tried again, and not for ever.

mod support;

use gridbell_tests::{Http, Process, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{House, TAIYUAN, people, reference_version};

/// How often the host begins a certification that is interrupted each time.
const MAX_INTERRUPTIONS: usize = 3;

fn upload(api: &Http, last: u8) -> String {
    let sent = api.call("POST", "/v1/plugins", &[("content-type", "application/wasm")], &reference_version(last));
    sent.expect(202)["digest"].as_str().expect("a digest").to_owned()
}

fn version(api: &Http, digest: &str) -> Value {
    api.get(&format!("/v1/plugins/{digest}")).expect(200)
}

fn until(api: &Http, digest: &str, stage: &str) -> Value {
    eventually(stage, || {
        let now = version(api, digest);
        assert_ne!(now["stage"]["word"], "failed-certification", "{now}");
        (now["stage"]["word"] == stage).then_some(now)
    })
}

/// The certifier's process of a host, other than `before`.
fn certifier(host: &Process, before: Option<i32>) -> i32 {
    let parent = host.id();
    eventually("a certifier's process", || {
        for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
            let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
            let stat = read("stat");
            let of_host = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&parent.to_string());
            if of_host && Some(id) != before && read("cmdline").contains("certify-plugin") {
                return Some(id);
            }
        }
        None
    })
}

#[test]
fn a_certification_that_is_killed_is_tried_again_and_not_for_ever_and_says_nothing_of_the_plugin() {
    let house = House::with(&people(TAIYUAN, 2, 2));
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let interruptions = |v: &Value| {
        let steps = v["steps"].as_array().expect("steps").iter();
        steps.filter(|s| s["why"].as_str().is_some_and(|w| w.contains("ended from outside by signal"))).count()
    };
    // Killed once: tried again by itself.
    let once = upload(&host.api, b'1');
    let process = certifier(&host.process, None);
    kill(Pid::from_raw(process), Signal::SIGKILL).expect("it is there");
    assert_eq!(interruptions(&until(&host.api, &once, "certified")), 1);

    // Killed each time: it waits for a person, and an upload has it tried again.
    let often = upload(&host.api, b'2');
    let mut before = None;
    for _ in 0..MAX_INTERRUPTIONS {
        let process = certifier(&host.process, before);
        kill(Pid::from_raw(process), Signal::SIGTERM).expect("it is there");
        before = Some(process);
    }
    let given_up = until(&host.api, &often, "interrupted");
    assert_eq!(interruptions(&given_up), MAX_INTERRUPTIONS, "{given_up}");
    let said = given_up["report"]["summary"].as_str().unwrap_or_default();
    assert!(said.contains("signal 15") && said.contains("upload it again"), "{said}");
    assert!(host.api.get("/v1/alarms").expect(200).to_string().contains("plugin.interrupted"));
    assert_eq!(upload(&host.api, b'2'), often, "the same content");
    until(&host.api, &often, "certified");

    // The host shuts down, and the signal reaches the certifier too: the next start goes on.
    let last = upload(&host.api, b'3');
    certifier(&host.process, before);
    assert_eq!(host.process.terminate().code(), Some(0));
    host = house.serve(&token);
    until(&host.api, &last, "certified");
}
