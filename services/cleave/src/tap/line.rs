//! A call as people read it: one line, and its messages below.

use std::fmt::Write as _;

use serde_json::Value;

/// A line of the tap, ready to be printed.
pub(super) fn show(call: &Value) -> String {
    if let Some(lost) = call["lost"].as_u64() {
        return format!("... {lost} calls passed too quickly to be shown\n");
    }
    let text = |key: &str| call[key].as_str().unwrap_or("-");
    let millis = call["duration_us"].as_u64().unwrap_or(0);
    let mut shown = format!(
        "{} {} {}.{:03} ms from {} ({}) trace {}\n",
        text("code"),
        text("method"),
        millis / 1_000,
        millis % 1_000,
        text("caller"),
        text("client"),
        text("trace_id"),
    );
    for (mark, direction) in [("->", "request"), ("<-", "response")] {
        let messages = call[direction]["messages"].as_array();
        for message in messages.into_iter().flatten() {
            let _ = writeln!(shown, "  {mark} {message}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::show;
    use serde_json::json;

    #[test]
    fn given_a_call_when_it_is_shown_then_its_messages_stand_below() {
        let call = json!({
            "code": "OK", "method": "test.Script/Call", "duration_us": 12_034,
            "caller": null, "client": "127.0.0.1:4", "trace_id": "ab",
            "request": {"messages": [{"value": 1}]}, "response": {"messages": []},
        });
        assert_eq!(
            show(&call),
            "OK test.Script/Call 12.034 ms from - (127.0.0.1:4) trace ab\n  -> {\"value\":1}\n"
        );
        assert!(show(&json!({"lost": 7})).contains('7'));
    }
}
