//! Tokens that come back from callers, as bytes that nobody has chosen.

use cleave_storage::{PageToken, ResumeToken};

#[test]
fn resume_token() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(token) = ResumeToken::decode(text) {
            assert_eq!(ResumeToken::decode(&token.encode()), Ok(token));
            assert_eq!(token.encode(), text, "one place has one token");
        }
    });
}

#[test]
fn page_token() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let Ok(token) = PageToken::decode(text) else {
            return;
        };
        assert_eq!(PageToken::decode(&token.encode()), Ok(token.clone()));
        // Whatever it holds is a key of the list that asks, or is refused; never another request's.
        for filter in [0, 1, u64::MAX] {
            let _ = token.position::<i64>(filter);
            let _ = token.position::<String>(filter);
            let _ = token.position::<(i64, String)>(filter);
        }
    });
}
