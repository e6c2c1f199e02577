//! Tokens survive the way out and back, and rubbish is refused in peace.

use cleave_storage::{PageToken, ResumeToken, TokenError, filter_hash};
use proptest::prelude::*;
use uuid::Uuid;

proptest! {
    #[test]
    fn given_any_position_when_encoded_then_it_decodes_the_same(epoch: u128, seq: i64, filter_hash: u64) {
        let token = ResumeToken { epoch: Uuid::from_u128(epoch), seq, filter_hash };
        prop_assert_eq!(ResumeToken::decode(&token.encode()), Ok(token));
    }

    #[test]
    fn given_any_sort_key_when_encoded_then_it_decodes_the_same(time: i64, id: u128, name: String, hash: u64) {
        let key = (time, Uuid::from_u128(id), name.chars().take(50).collect::<String>());
        let text = PageToken::after(hash, &key).expect("a key serializes").encode();
        let token = PageToken::decode(&text).expect("a token");
        prop_assert_eq!(token.position::<(i64, Uuid, String)>(hash), Ok(key));
        prop_assert_eq!(token.position::<(i64, Uuid, String)>(hash ^ 1), Err(TokenError::OtherRequest));
    }

    #[test]
    fn given_rubbish_when_decoded_then_it_is_refused(text: String, bytes: Vec<u8>) {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        for text in [text, encoded] {
            // Whatever it is, it must neither panic nor pass for something that it does not encode.
            if let Ok(token) = ResumeToken::decode(&text) {
                prop_assert_eq!(token.encode(), text.clone());
            }
            if let Ok(token) = PageToken::decode(&text) {
                prop_assert_eq!(token.encode(), text.clone());
                let _ = token.position::<(i64, Uuid, String)>(0);
            }
        }
    }
}

#[test]
fn given_a_token_of_the_other_kind_when_decoded_then_it_is_malformed() {
    let resume = ResumeToken {
        epoch: Uuid::nil(),
        seq: 1,
        filter_hash: 2,
    };
    assert_eq!(
        PageToken::decode(&resume.encode()),
        Err(TokenError::Malformed)
    );
    let page = PageToken::after(2, &1).expect("a key serializes").encode();
    assert_eq!(ResumeToken::decode(&page), Err(TokenError::Malformed));
    assert_eq!(ResumeToken::decode(""), Err(TokenError::Malformed));
    assert_eq!(
        PageToken::decode(&"A".repeat(100_000)),
        Err(TokenError::Malformed)
    );
}

#[test]
fn given_parts_that_join_alike_when_hashed_then_they_differ() {
    assert_ne!(filter_hash(&[b"ab", b"c"]), filter_hash(&[b"a", b"bc"]));
    // Tokens outlive the process: the hash must never change.
    assert_eq!(filter_hash(&[]), 0xe3b0_c442_98fc_1c14);
}
