//! An asynchronous notice: a form that the platform posts to us, signed without `sign` and `sign_type`.

use std::fmt;

use gridbell_platform::form;

use crate::account::{Account, canonical};
use crate::error::Error;

/// A verified notice. The platform repeats one until it is answered with the text `success`: know it by [`Notice::id`].
#[derive(Clone, PartialEq, Eq)]
pub struct Notice(Vec<(String, String)>);

impl Notice {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `notify_id`: the same in each repetition.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.get("notify_id")
    }
}

impl fmt::Debug for Notice {
    /// The names of its parameters alone; the values may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Account {
    /// Reads the body of a notice and verifies that Alipay sent it to this application.
    ///
    /// # Errors
    /// Where it cannot be read, is not in UTF-8, is signed otherwise than with RSA2 and the platform's key, or is for another application.
    /// Such a notice must not be answered with `success`.
    pub fn notice(&self, body: &[u8]) -> Result<Notice, Error> {
        let notice = Notice(form::decode_pairs(body)?);
        let wrong = |why| Error::Signature { what: "notice", why };
        let sign = notice.get("sign").ok_or_else(|| wrong("it has no `sign`"))?;
        if notice.get("sign_type").is_some_and(|kind| kind != "RSA2") {
            return Err(wrong("its `sign_type` is not RSA2: choose RSA2 in the console"));
        }
        if notice.get("charset").is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
            return Err(wrong("its `charset` is not utf-8: choose utf-8 in the console"));
        }
        let others = notice.0.iter().filter(|(name, _)| name != "sign" && name != "sign_type");
        let mut others: Vec<(&str, &str)> = others.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.alipay_key.verify(canonical(&mut others).as_bytes(), sign, "notice")?;
        if notice.get("app_id") != Some(self.app_id.as_str()) {
            return Err(Error::OtherApplication);
        }
        Ok(notice)
    }
}
