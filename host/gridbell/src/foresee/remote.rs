//! A preview that a running host makes, over its API.

use std::sync::Arc;

use gridbell_conductor::PolicyPreview;
use gridbell_engine::Digest;
use gridbell_model::{CivilMinute, PrefectureCode};
use gridbell_planner::Policy;
use serde_json::{Map, Value, json};

use super::file_of;
use crate::error::CommandError;
use crate::plugin;
use crate::remote::Remote;

/// How often progress is asked for.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
/// How long the host has to say that the preview has ended, once it was told to end it.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(10);

/// What is asked of the host.
pub(super) struct Asked {
    pub(super) prefecture: PrefectureCode,
    pub(super) name: String,
    pub(super) parameters: Option<Map<String, Value>>,
    pub(super) policy: Option<Policy>,
    /// A file, a version or a digest, as it was typed.
    pub(super) plugin: Option<String>,
    pub(super) at: Option<CivilMinute>,
    pub(super) days: Option<u8>,
}

/// Has the host preview it and waits; Ctrl-C ends it there.
pub(super) async fn preview(remote: Remote, asked: Asked, tell: bool) -> Result<PolicyPreview, CommandError> {
    let path = format!("/v1/policies/{}/{}/preview", asked.prefecture, asked.name);
    let (remote, body) = (Arc::new(remote), Arc::new(asked.body()?));
    let ask = |work: fn(&Remote, &str, &Value) -> Result<Value, CommandError>| {
        let (remote, path, body) = (Arc::clone(&remote), path.clone(), Arc::clone(&body));
        tokio::task::spawn_blocking(move || work(&remote, &path, &body))
    };
    let mut answer = ask(Remote::post_at_length);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut told = false;
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut answer => break answer,
            _ = &mut interrupt => {
                // It is over when the host says so; then the office can begin another at once.
                let end = ask(|remote, path, _| remote.call("DELETE", path, "application/json", &[]));
                let over = async { (end.await, answer.await) };
                return Err(match tokio::time::timeout(LAST_WORDS, over).await {
                    // It had been refused already: there was nothing to end.
                    Ok((Ok(Err(_)), Ok(Err(refused)))) => refused,
                    Ok(_) => CommandError::Interrupted("the preview was ended (预览已取消)".to_owned()),
                    Err(_) => CommandError::Interrupted(
                        "the host was told to end the preview and did not say yet that it did (已请求取消)".to_owned(),
                    ),
                });
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        if tell && let Ok(Ok(progress)) = ask(|remote, path, _| remote.get(path)).await {
            eprint!("\r  预览 {} / {} 次执行 runs", progress["done"], progress["of"]);
            told = true;
        }
    };
    if told {
        eprintln!("");
    }
    let answer = match answer.map_err(|e| CommandError::Failed(e.to_string()))? {
        Err(CommandError::Refused(why)) => return Err(refused(&remote, asked.plugin.as_deref(), &body, why).await),
        answer => answer?,
    };
    let withheld = answer["samples_withheld"] == true;
    let mut preview: PolicyPreview = serde_json::from_value(answer)
        .map_err(|e| CommandError::Failed(format!("{}: this program does not know its answer: {e}", remote.url())))?;
    if withheld {
        preview
            .warnings
            .push("样例不显示：您的角色不能查看消息 (no samples: your role may not see messages)".to_owned());
    }
    Ok(preview)
}

/// Why the host refused; of a plugin from a file that it does not have, what to do first.
async fn refused(remote: &Arc<Remote>, typed: Option<&str>, body: &Value, why: String) -> CommandError {
    let file = typed.filter(|word| file_of(word).is_ok_and(|f| f.is_some()));
    if let (Some(file), Some(digest)) = (file, body["plugin"].as_str()) {
        let (remote, path) = (Arc::clone(remote), format!("/v1/plugins/{digest}"));
        let there = tokio::task::spawn_blocking(move || remote.get(&path)).await;
        if !matches!(there, Ok(Ok(_))) {
            return CommandError::Refused(format!(
                "`{file}` is not on this host, which tries only what was uploaded to it: `gridbell plugin upload {file} --no-wait` first; the \
                 host said: {why}"
            ));
        }
    }
    CommandError::Refused(why)
}

impl Asked {
    /// As the API takes it.
    fn body(&self) -> Result<Value, CommandError> {
        let mut body = json!({ "at": self.at, "days": self.days });
        if let Some(parameters) = &self.parameters {
            body["parameters"] = json!(parameters);
        }
        if let Some(policy) = &self.policy {
            body["policy"] = serde_json::to_value(policy)?;
        }
        if let Some(word) = &self.plugin {
            body["plugin"] = match file_of(word)? {
                // Code reaches a running host by an upload alone: then it is on record what was tried, and by whom it came.
                Some(file) => Digest::of(&plugin::bytes(file)?).to_string().into(),
                None => word.clone().into(),
            };
        }
        Ok(body)
    }
}
