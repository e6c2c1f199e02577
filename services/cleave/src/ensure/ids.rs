//! Ids that follow from names, so that what was created under a name is found again by it.

use uuid::Uuid;

/// The namespace of all such ids. Never changes: ids follow from it.
const NAMES: Uuid = Uuid::from_u128(0x5d0c_7a19_3f5e_4b7a_9c21_77e0_46b8_d1f3);

/// A UUID that names the thing with this path: the same for the same path, for ever.
pub(crate) fn uuid_of(path: &[&str]) -> Uuid {
    let mut name = Vec::new();
    for part in path {
        // With its length before it, no part can run into the next.
        name.extend_from_slice(&part.len().to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMES, &name)
}

/// The request id of a mutation: the same for the same verb, thing and content.
pub(crate) fn request_id(verb: &str, id: &str, content: &impl prost::Message) -> String {
    let content = content.encode_to_vec();
    let content = Uuid::new_v5(&NAMES, &content).to_string();
    uuid_of(&["request", verb, id, &content]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_run_together() {
        assert_eq!(uuid_of(&["a", "b"]), uuid_of(&["a", "b"]));
        assert_ne!(uuid_of(&["ab", ""]), uuid_of(&["a", "b"]));
        assert_ne!(uuid_of(&["a"]), uuid_of(&["a", ""]));
    }
}
