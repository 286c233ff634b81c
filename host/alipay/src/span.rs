//! Where the values of a JSON object stand in its text: the platform signs the octets of one of them as it wrote them.

/// The most members of an answer's outermost object; the platform writes two or three.
const MAX_MEMBERS: usize = 16;

/// The outermost members of a JSON object: names as written between their quotes, values as written. `None` where it is no object, a name
/// comes twice, a name has escapes, or there are too many. Whether a value is JSON inside is for a JSON reader to say.
pub(crate) fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let inside = text.trim_matches(WHITE).strip_prefix('{')?.strip_suffix('}')?;
    let mut members: Vec<(&str, &str)> = Vec::new();
    let mut rest = inside.trim_start_matches(WHITE);
    while !rest.is_empty() {
        let name_end = value_end(rest)?;
        let name = rest[..name_end].trim_end_matches(WHITE).strip_prefix('"')?.strip_suffix('"')?;
        rest = rest[name_end..].strip_prefix(':')?;
        let end = value_end(rest)?;
        let value = rest[..end].trim_matches(WHITE);
        if name.contains(['\\', '"']) || value.is_empty() || members.iter().any(|(known, _)| *known == name) {
            return None;
        }
        members.push((name, value));
        if members.len() > MAX_MEMBERS {
            return None;
        }
        rest = match rest[end..].strip_prefix(',') {
            None if end == rest.len() => "",
            None => return None,
            Some(after) => Some(after.trim_start_matches(WHITE)).filter(|after| !after.is_empty())?,
        };
    }
    Some(members)
}

const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Where the first `,` or `:` outside of strings and brackets stands, or the end.
fn value_end(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' | b':' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some(text.len())
}
