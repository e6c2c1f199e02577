//! What `deploy/release` refuses and what it makes, carried out in a tree of its own with programs that only pretend:
//! the script is real, as is that of the images; what they call is not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Compares with records as the tests do: `grown` is in the tree and not recorded, `broken` breaks what is. Told to
/// bless, it accepts whatever there is. Built are programs that say who they are.
const CARGO: &str = r#"
case $1 in
  test)
    if [ -n "$CLEAVE_BLESS" ]; then
      for record in proto/baseline.binpb services/*/store/schema/*.txt; do
        ! grep -qx "grown $record" tree || echo grown >>"$record"
        ! grep -qx "broken $record" tree || echo broken >"$record"
      done
    elif grep "^broken" tree >&2; then
      exit 101
    fi ;;
  build)
    mkdir -p "target/$(uname -m)-unknown-linux-musl/release"
    for name in operations billing cleave; do
      program=target/$(uname -m)-unknown-linux-musl/release/$name
      printf '#!/bin/sh\necho "%s 1.2.3"\necho "contract: 0123abcd"\n' "$name" >"$program"
      chmod +x "$program"
    done ;;
esac
"#;
/// Builds nothing, and writes whatever file it is told to.
const BUILDER: &str = r#"
echo "$(basename "$0") $*" >>calls
case $1 in
  save) echo image >"$3" ;;
  push) file=${3#docker-archive:} && echo image >"${file%%:*}" ;;
esac
"#;
const RECORDS: [&str; 3] = [
    "proto/baseline.binpb",
    "services/operations/store/schema/sqlite.txt",
    "services/billing/store/schema/sqlite.txt",
];

/// A tree that can be released.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        for script in ["deploy/release", "deploy/images/build"] {
            let text = fs::read_to_string(format!("{ROOT}/{script}")).expect("there");
            tree.program(script, &text);
        }
        tree.write("Cargo.toml", "[workspace.package]\nversion = \"1.2.3\"\n");
        tree.write(
            "deploy/RELEASES.md",
            "# Releases\n\n## 1.2.3\n\nContract `0123abcd`.\n",
        );
        tree.write("tree", "");
        tree.write("roots", "certificates");
        for record in RECORDS {
            tree.write(record, "released\n");
        }
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        tree.write(&format!("rust/lib/rustlib/{target}/lib/std"), "");
        tree.program(
            "deploy/servers",
            "#!/bin/sh\necho export CLEAVE_TEST_SERVERS=here\n",
        );
        tree.program("deploy/sbom", "#!/bin/sh\necho {}\n");
        tree.program("bin/rustc", "#!/bin/sh\necho rust\n");
        for name in ["musl-gcc", "strip", "git"] {
            tree.program(&format!("bin/{name}"), "#!/bin/sh\n");
        }
        tree.program("bin/cargo", &format!("#!/bin/sh{CARGO}"));
        tree
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        let folder = path.parent().expect("in the tree");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(path, text).expect("written");
    }

    fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        let path = self.0.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("runs");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("there")
    }

    /// Rehearses a release with this builder and no other.
    fn release(&self, builder: &str) -> Output {
        self.program(&format!("bin/{builder}"), &format!("#!/bin/sh{BUILDER}"));
        for name in [
            "bash", "sh", "uname", "mkdir", "rm", "cp", "sed", "stat", "ls", "dirname",
        ]
        .into_iter()
        .chain([
            "basename",
            "chmod",
            "cat",
            "grep",
            "sha256sum",
            "realpath",
            "env",
        ]) {
            self.link(name);
        }
        Command::new(self.0.path().join("deploy/release"))
            .arg("--rehearse")
            .env_clear()
            .env("PATH", self.0.path().join("bin"))
            .env("SSL_CERT_FILE", self.0.path().join("roots"))
            .output()
            .expect("it runs")
    }

    /// Makes a program of the machine one of those at hand.
    fn link(&self, name: &str) {
        let places = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
        let found = places.iter().find(|path| path.exists());
        let here = self.0.path().join("bin").join(name);
        std::os::unix::fs::symlink(found.expect("of the machine"), here).expect("linked");
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn given_a_break_when_released_then_it_is_told_and_nothing_is_blessed() {
    for record in RECORDS {
        let tree = Tree::new();
        tree.write("tree", &format!("broken {record}\n"));

        let output = tree.release("podman");

        assert!(!output.status.success(), "{record}");
        let said = said(&output);
        assert!(said.contains(&format!("broken {record}")), "{said}");
        assert_eq!(tree.read(record), "released\n");
    }
}

#[test]
fn given_an_addition_that_is_not_recorded_when_released_then_it_is_recorded_and_must_be_committed()
{
    for record in RECORDS {
        let tree = Tree::new();
        tree.write("tree", &format!("grown {record}\n"));

        let output = tree.release("podman");

        assert!(!output.status.success(), "{record}");
        let said = said(&output);
        assert!(said.contains("commit it"), "{said}");
        assert_eq!(tree.read(record), "released\ngrown\n");
    }
}

#[test]
fn given_notes_that_name_another_contract_when_released_then_they_are_refused() {
    let tree = Tree::new();
    let notes = "## 1.2.3\n\nContract `ffff`.\n\n## 1.2.2\n\nContract `0123abcd`.\n";
    tree.write("deploy/RELEASES.md", notes);

    let output = tree.release("podman");

    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("do not name the contract 0123abcd"), "{said}");
}

#[test]
fn given_one_builder_when_released_then_the_images_are_saved_by_it() {
    for builder in ["podman", "buildah", "docker"] {
        let tree = Tree::new();

        let output = tree.release(builder);

        assert!(output.status.success(), "{builder}: {}", said(&output));
        for name in ["operations", "billing", "cleave"] {
            let image = tree.read(&format!("target/release-1.2.3/{name}-image.tar"));
            assert_eq!(image, "image\n", "{builder}");
        }
        let calls = tree.read("calls");
        assert_eq!(calls.lines().count(), 6, "{builder}: {calls}");
    }
}
