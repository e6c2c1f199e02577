//! Output that nobody reads to its end, as by `| head`.

use std::process::Stdio;

use tempfile::TempDir;

use crate::network::CLEAVE;

#[test]
fn given_a_reader_that_went_away_when_printing_then_the_command_ends_quietly() {
    let dir = TempDir::new().expect("a directory");
    for arguments in [&["import", "example"][..], &["certs", "init", "certs"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = std::process::Command::new(CLEAVE)
            .args(arguments)
            .current_dir(dir.path())
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*told),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
    assert!(dir.path().join("certs/ca.crt").exists(), "the work is done");
}
