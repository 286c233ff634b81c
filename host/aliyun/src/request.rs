//! The three requests.

use std::fmt;

use gridbell_model::Date;
use gridbell_platform::Request;

use crate::access::{Access, Stamp};
use crate::error::Error;

/// The most numbers of one SendSms.
pub const MAX_NUMBERS: usize = 1000;
/// The most messages of one SendBatchSms.
pub const MAX_BATCH: usize = 100;
/// The most octets of `OutId`.
pub const MAX_OUT_ID: usize = 255;
/// The most octets of one `TemplateParam`.
pub const MAX_TEMPLATE_PARAM: usize = 4096;
/// The most details of one page.
pub const MAX_PAGE: u16 = 50;

/// What a message is made of, at the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `SignName`: the signature, without 【】.
    pub sign_name: String,
    /// `TemplateCode`, `SMS_…`.
    pub code: String,
}

/// One number with the values of its template.
#[derive(Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The number, eleven digits.
    pub number: String,
    /// The template's values by name.
    pub values: Vec<(String, String)>,
}

impl fmt::Debug for Parcel {
    /// Without number and values, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel")
            .field("names", &self.values.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Access {
    /// SendSms: one text to up to [`MAX_NUMBERS`] numbers. `out_id` comes back with each receipt.
    ///
    /// # Errors
    /// Where a field is outside its limit.
    pub fn send(
        &self,
        template: &Template,
        numbers: &[&str],
        values: &[(String, String)],
        out_id: &str,
        stamp: &Stamp,
    ) -> Result<Request, Error> {
        template.check()?;
        if numbers.is_empty() || numbers.len() > MAX_NUMBERS || !numbers.iter().all(|number| is_number(number)) {
            return Err(Error::Field { field: "PhoneNumbers", why: "is not 1 to 1000 numbers of eleven digits" });
        }
        let mut query = vec![
            ("OutId", checked_out_id(out_id)?),
            ("PhoneNumbers", numbers.join(",")),
            ("SignName", template.sign_name.clone()),
            ("TemplateCode", template.code.clone()),
        ];
        if !values.is_empty() {
            query.push(("TemplateParam", object(values)?.to_string()));
        }
        self.request("SendSms", query, &[], stamp)
    }

    /// SendBatchSms: up to [`MAX_BATCH`] messages of one template, each with values of its own.
    ///
    /// # Errors
    /// Where a field is outside its limit.
    pub fn send_batch(
        &self,
        template: &Template,
        parcels: &[Parcel],
        out_id: &str,
        stamp: &Stamp,
    ) -> Result<Request, Error> {
        template.check()?;
        if parcels.is_empty() || parcels.len() > MAX_BATCH || !parcels.iter().all(|parcel| is_number(&parcel.number)) {
            return Err(Error::Field { field: "PhoneNumberJson", why: "is not 1 to 100 numbers of eleven digits" });
        }
        let numbers: serde_json::Value = parcels.iter().map(|parcel| parcel.number.as_str()).collect();
        let signatures: serde_json::Value = parcels.iter().map(|_| template.sign_name.as_str()).collect();
        let values = parcels.iter().map(|parcel| object(&parcel.values)).collect::<Result<Vec<_>, _>>()?;
        let query = vec![("OutId", checked_out_id(out_id)?), ("TemplateCode", template.code.clone())];
        let body = [
            ("PhoneNumberJson", numbers.to_string()),
            ("SignNameJson", signatures.to_string()),
            ("TemplateParamJson", serde_json::Value::from(values).to_string()),
        ];
        self.request("SendBatchSms", query, &body, stamp)
    }

    /// QuerySendDetails: what became of the messages to one number on one day, up to 30 days back; pages count from 1.
    ///
    /// # Errors
    /// Where a field is outside its limit.
    pub fn query(
        &self,
        number: &str,
        day: Date,
        biz_id: Option<&str>,
        page: u16,
        stamp: &Stamp,
    ) -> Result<Request, Error> {
        if !is_number(number) {
            return Err(Error::Field { field: "PhoneNumber", why: "is not a number of eleven digits" });
        }
        if page == 0 {
            return Err(Error::Field { field: "CurrentPage", why: "counts from 1" });
        }
        let mut query = vec![
            ("CurrentPage", page.to_string()),
            ("PageSize", MAX_PAGE.to_string()),
            ("PhoneNumber", number.to_owned()),
            ("SendDate", day.to_string().replace('-', "")),
        ];
        if let Some(biz_id) = biz_id {
            query.push(("BizId", checked_out_id(biz_id)?));
        }
        self.request("QuerySendDetails", query, &[], stamp)
    }
}

impl Template {
    fn check(&self) -> Result<(), Error> {
        if self.sign_name.is_empty() || self.sign_name.len() > 128 || self.sign_name.contains(['【', '】']) {
            return Err(Error::Field {
                field: "SignName",
                why: "is empty, too long, or has 【】, which the platform adds",
            });
        }
        let code = !self.code.is_empty() && self.code.len() <= 64;
        if !code || !self.code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(Error::Field { field: "TemplateCode", why: "is no code: write it as `SMS_12345678`" });
        }
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn checked_out_id(text: &str) -> Result<String, Error> {
    if text.is_empty() || text.len() > MAX_OUT_ID || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Field { field: "OutId", why: "is empty, longer than 255, or has other signs than ASCII's" });
    }
    Ok(text.to_owned())
}

fn object(values: &[(String, String)]) -> Result<serde_json::Value, Error> {
    let object: serde_json::Map<_, _> =
        values.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    if object.len() != values.len() {
        return Err(Error::Field { field: "TemplateParam", why: "has a name twice" });
    }
    let object = serde_json::Value::from(object);
    if object.to_string().len() > MAX_TEMPLATE_PARAM {
        return Err(Error::Field { field: "TemplateParam", why: "is longer than 4096 octets: shorten the values" });
    }
    Ok(object)
}
