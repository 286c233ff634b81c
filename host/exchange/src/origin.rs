//! Where a platform is: scheme, host and port, and nothing else.

use std::fmt;

use crate::error::ExchangeError;

/// `https://host`, `https://host:port`, or the same with `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an address.
    ///
    /// # Errors
    /// Where it is none, or has a user, a path or a query.
    pub fn read(text: &str) -> Result<Self, ExchangeError> {
        let wrong = |why| ExchangeError::Origin { origin: text.chars().take(256).collect(), why };
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong("begin it with `https://`")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong("its port is no number up to 65535"))?),
            None => (rest, if secure { 443 } else { 80 }),
        };
        let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let address = |inside: &str| inside.parse::<std::net::Ipv6Addr>().is_ok();
        let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(address);
        if !(v6 || !host.is_empty() && host.len() <= 253 && host.bytes().all(name)) {
            return Err(wrong("write a scheme, a host and perhaps a port: `https://api.example.com:8443`"));
        }
        Ok(Self { secure, host: host.to_owned(), port })
    }

    /// Whether calls go through TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// As the `Host` header has it: without the scheme's own port.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = if self.secure { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (text, shown, authority) in [
            ("https://api.weixin.qq.com", "https://api.weixin.qq.com", "api.weixin.qq.com"),
            ("https://api.weixin.qq.com:443/", "https://api.weixin.qq.com", "api.weixin.qq.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]"),
        ] {
            let origin = Origin::read(text).unwrap();
            assert_eq!((origin.to_string().as_str(), origin.authority().as_str()), (shown, authority), "{text}");
        }
        for text in [
            "api.weixin.qq.com",
            "ftp://x",
            "https://",
            "https://a b",
            "https://a/path",
            "https://u@h",
            "http://h:99999",
            "https://h?x",
            "https://[zz]",
        ] {
            assert!(Origin::read(text).is_err(), "{text}");
        }
    }
}
