//! Who stands behind a name that is on record. A person may come by the console and by several tokens; nobody agrees with himself by another door.
//! Knows no user and no token: the name itself says it, so that what was done stays its author's when the token is gone.

/// What parts the person from the token in a name: `wang/night-job` is the person `wang` by the token `night-job`. No user's and no token's name has it.
pub const BY_TOKEN: char = '/';

/// The person behind `name`: of `wang/night-job` it is `wang`. A user is himself; so is a token that belongs to nobody (`token:billing`).
#[must_use]
pub fn person_of(name: &str) -> &str {
    name.split_once(BY_TOKEN).map_or(name, |(person, _)| person)
}

/// Whether one person stands behind both names.
#[must_use]
pub fn same_person(a: &str, b: &str) -> bool {
    person_of(a) == person_of(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_same_by_every_door_and_a_token_of_nobodys_is_itself() {
        for (a, b) in [("wang", "wang"), ("wang", "wang/job"), ("wang/night", "wang/day"), ("token:x", "token:x/y")] {
            assert!(same_person(a, b) && same_person(b, a), "{a} {b}");
        }
        for (a, b) in [("wang", "li"), ("wang/job", "li/job"), ("wang", "token:wang"), ("wang/x", "wangx")] {
            assert!(!same_person(a, b), "{a} {b}");
        }
    }
}
