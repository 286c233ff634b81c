//! What a caller is told when something is wrong: problem details (RFC 9457) with a stable code, a Chinese and an English sentence.
//!
//! Every handler returns [`Problem`]; nothing else becomes an error answer. The sentence is for whoever called; the cause goes to the log and never
//! out. Never holds personal data: what a caller sent is repeated only where it is a code, a number of a document or a field's name.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridbell_state::StateError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::conduct::ConductError;

/// Media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $chinese:literal, $english:literal;)*) => {
        /// Stable codes of problems: callers may branch on them; sentences may change.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            /// What an office reads.
            #[must_use]
            pub fn chinese(self) -> &'static str {
                match self { $(Self::$name => $chinese),* }
            }

            /// The same in English.
            #[must_use]
            pub fn english(self) -> &'static str {
                match self { $(Self::$name => $english),* }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    BadRequest = "bad-request", BAD_REQUEST, "请求格式有误", "the request cannot be read";
    /// No or an unknown token.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "请先登录或提供有效令牌", "sign in, or send a valid bearer token";
    /// The role has no right to this.
    Forbidden = "forbidden", FORBIDDEN, "您的角色无权执行此操作", "your role does not have the right to do this";
    /// A form without its token, or from another page.
    Csrf = "csrf", FORBIDDEN, "页面已过期，请刷新后重试", "the form has expired; load the page again";
    /// There is nothing here, or nothing within the caller's scope.
    NotFound = "not-found", NOT_FOUND, "不存在，或不在您的管辖范围内", "there is no such thing within your scope";
    /// The method does not fit the resource.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "该资源不支持此方法", "this resource does not take this method";
    /// Somebody else changed it meanwhile.
    Conflict = "conflict", CONFLICT, "已被他人修改或状态不允许", "it was changed meanwhile or its state does not allow this";
    /// An `If-Match` that does not fit.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, "版本已变化，请刷新后重新修改", "it is at another version; read it again and repeat the change";
    /// The request with this idempotency key is being worked on.
    IdempotencyBusy = "idempotency-busy", CONFLICT, "相同幂等键的请求正在处理", "a request with this idempotency key is under way; repeat it later";
    /// The same key with another request.
    IdempotencyReused = "idempotency-reused", UNPROCESSABLE_ENTITY, "幂等键已用于另一请求", "this idempotency key was used for another request; use a new one";
    /// The request was done, its answer is not kept.
    IdempotencyGone = "idempotency-done", CONFLICT, "该请求已处理，其结果不再保存", "this request was done already and its answer is not kept; read the resource";
    /// The body is too large.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "请求内容过大", "the body is over its bound";
    /// Not the media type that the resource takes.
    UnsupportedMedia = "unsupported-media", UNSUPPORTED_MEDIA_TYPE, "不支持的内容类型", "the resource takes another media type";
    /// The content breaks a rule.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "内容不符合规则", "the content breaks a rule";
    /// Too many tries.
    TooMany = "too-many-tries", TOO_MANY_REQUESTS, "尝试次数过多，请稍后再试", "too many tries; wait before the next";
    /// Too many requests are under way.
    Busy = "busy", SERVICE_UNAVAILABLE, "系统繁忙，请稍后重试", "too many requests are under way; repeat it later";
    /// The host cannot do it now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "系统暂时无法处理，未做任何更改", "the host cannot do this now; nothing was changed";
    /// It took too long.
    Timeout = "timeout", GATEWAY_TIMEOUT, "处理超时，请查询结果后再决定是否重试", "it took too long; look whether it was done before you repeat it";
    /// A defect.
    Internal = "internal", INTERNAL_SERVER_ERROR, "系统内部错误，请联系运维并提供请求编号", "a defect of the host; tell the operator the request id";
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Which field, as a path or a JSON pointer.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// The body of an error answer (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// `urn:gridbell:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sentence in Chinese.
    pub title: String,
    /// The sentence in English.
    pub title_en: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What exactly, and what to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<FieldProblem>,
    /// Where a plugin is at fault: stable codes of `wit/ERRORS.md`, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<String>,
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its code.
    pub code: Code,
    /// What exactly.
    pub detail: Option<String>,
    /// Fields that are wrong.
    pub errors: Vec<FieldProblem>,
    /// Codes of what a plugin did wrong.
    pub causes: Vec<&'static str>,
    /// Seconds after which to try again.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem without detail.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), causes: Vec::new(), retry_after_s: None }
    }

    /// A problem with what exactly.
    #[must_use]
    pub fn because(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    /// One field that is wrong.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldProblem { field: field.into(), message: message.into() }])
    }

    /// Fields that are wrong.
    #[must_use]
    pub fn fields(errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..Self::new(Code::Invalid) }
    }

    /// Nothing here, or outside the caller's scope: the two must look the same.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// A defect: the cause goes to the log, the caller gets a sentence.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(cause = %cause, "api.internal: {cause}");
        Self::new(Code::Internal)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:gridbell:problem:{}", self.code.word()),
            title: self.code.chinese().to_owned(),
            title_en: self.code.english().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.word().to_owned(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            causes: self.causes.iter().map(|&c| c.to_owned()).collect(),
        }
    }

    /// All that a person should read of it, in one line, Chinese first.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = self.code.chinese().to_owned();
        for part in self.detail.iter().cloned().chain(self.errors.iter().map(|e| format!("{}：{}", e.field, e.message)))
        {
            text.push('；');
            text.push_str(&part);
        }
        text
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gridbell\""));
        }
        response
    }
}

impl From<StateError> for Problem {
    fn from(e: StateError) -> Self {
        match e {
            StateError::NoPrefecture(_)
            | StateError::NoAccount(_)
            | StateError::NoMessage(_)
            | StateError::NoRun(_) => Self::not_found(),
            StateError::Conflict { .. } => Self::because(Code::PreconditionFailed, e.to_string()),
            StateError::RunInProgress(_) => Self::because(Code::Conflict, e.to_string()),
            StateError::Bound { .. } => Self::because(Code::TooLarge, e.to_string()),
            StateError::Refused(_) | StateError::Closed | StateError::Failed(_) => {
                tracing::error!(cause = %e, "api.state_refused: {e}");
                Self { retry_after_s: Some(5), ..Self::new(Code::Unavailable) }
            }
            StateError::Grid(refusal) => Self::field(refusal.at_fault(), format!("{refusal} ({})", refusal.chinese())),
            other => Self::internal(&other),
        }
    }
}

impl From<ConductError> for Problem {
    fn from(e: ConductError) -> Self {
        match e {
            ConductError::NotFound(_) => Self::not_found(),
            ConductError::Invalid(errors) => {
                Self::fields(errors.into_iter().map(|(field, message)| FieldProblem { field, message }).collect())
            }
            ConductError::Upload { causes, message } => Self { causes, ..Self::field("component", message) },
            ConductError::Run { cause, message } => {
                Self { causes: vec![cause], ..Self::because(Code::Conflict, message) }
            }
            ConductError::Conflict(why) => Self::because(Code::Conflict, why),
            ConductError::Changed(why) => Self::because(Code::PreconditionFailed, why),
            ConductError::NotYou(why) => Self::because(Code::Forbidden, why),
            ConductError::Unavailable(why) => {
                tracing::error!(cause = %why, "api.conductor_refused: {why}");
                Self { retry_after_s: Some(5), ..Self::because(Code::Unavailable, why) }
            }
            ConductError::Defect(cause) => Self::internal(&cause),
            ConductError::Busy(why) => Self { retry_after_s: Some(30), ..Self::because(Code::Busy, why) },
            ConductError::TooLarge(why) => Self::because(Code::TooLarge, why),
            ConductError::State(e) => e.into(),
        }
    }
}
