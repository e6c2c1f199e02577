//! What documents tell people to type, and a manifest a pod to do: the command takes such arguments.

use std::process::{Command, Stdio};

use crate::network::CLEAVE;

/// Where this repository is.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{name}")).expect("there")
}

/// The lines of a document's shell blocks, continued ones put together.
fn shell_lines(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1);
    let texts = blocks.filter_map(|block| block.split("```").next());
    let whole = texts.map(|text| text.replace("\\\n", " "));
    whole
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The commands in a line, each as its words, without what a shell takes away.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let line = line.replace("cargo run --release --", "cleave");
    line.split(['&', ';', '|']).map(words).collect()
}

fn words(command: &str) -> Vec<String> {
    let words = command.split_whitespace().take_while(|word| *word != ">");
    words.map(|word| word.replace(['"', '\''], "")).collect()
}

/// Whether the command takes these arguments; `None` when another one is named. Asked for help it does nothing, but
/// arguments that it does not know are refused all the same.
fn taken(words: &[String]) -> Option<bool> {
    let (_, arguments) = words.split_first().filter(|(name, _)| *name == "cleave")?;
    let mut command = Command::new(CLEAVE);
    command.args(arguments).arg("--help");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Some(command.status().expect("the binary runs").success())
}

#[test]
fn every_verb_and_flag_that_documents_name_is_one_that_the_command_takes() {
    let mut found = 0;
    for document in ["README.md", "deploy/RUNBOOK.md", "deploy/SCALING.md"] {
        for line in shell_lines(&read(document)) {
            for words in commands(&line) {
                let Some(taken) = taken(&words) else {
                    continue;
                };
                assert!(taken, "{document}: {words:?}");
                found += 1;
            }
        }
    }
    assert!(found > 20, "{found} commands were understood");
}

#[test]
fn the_job_that_verifies_says_what_the_command_takes() {
    let manifest = read("deploy/kubernetes/tools/verify/verify.yaml");
    let (_, rest) = manifest.split_once("args: [").expect("arguments");
    let (arguments, _) = rest.split_once(']').expect("a list");
    let words = format!("cleave {}", arguments.replace(',', " "));
    assert_eq!(taken(&self::words(&words)), Some(true), "{words}");

    let identity = read("deploy/kubernetes/components/mtls/cleave.yaml");
    let help = Command::new(CLEAVE).args(["verify", "--help"]).output();
    let help = String::from_utf8(help.expect("the binary runs").stdout).expect("text");
    for text in [&manifest, &identity] {
        let variables = text.split("name: CLEAVE_").skip(1);
        for name in variables.filter_map(|rest| rest.lines().next()) {
            assert!(help.contains(&format!("[env: CLEAVE_{name}=")), "{name}");
        }
    }
}

#[test]
fn arguments_that_are_not_taken_are_found() {
    for (line, expected) in [
        ("cargo run --release -- stat    # calls", Some(true)),
        ("cleave verify --operation 127.0.0.1:1", Some(false)),
        ("cleave certs init certs > told; wait", Some(true)),
        ("pg_dump billing", None),
    ] {
        let words = commands(line).into_iter().find(|words| !words.is_empty());
        assert_eq!(taken(&words.expect("a command")), expected, "{line}");
    }
}
