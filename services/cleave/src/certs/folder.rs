//! The folder of a development authority: `ca.crt`, `ca.key`, and a folder for each workload.
//!
//! The folder of a workload holds all that the workload needs, as orchestrators mount it: `tls.crt`, `tls.key` and
//! a copy of `ca.crt`. So nobody has to see the keys of others.

use super::authority::{Authority, Issued};
use super::certificate::Certificate;
use anyhow::{Context, Result, ensure};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Only the owner reads and writes.
const PRIVATE: u32 = 0o600;
/// Everybody reads.
const PUBLIC: u32 = 0o644;

/// The folder of an authority.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// The files of one workload.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) name: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// The workload's own copy of the authorities that it believes.
    pub(crate) authority: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its full path, so that what is printed can be used from anywhere.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.canonicalize().unwrap_or_else(|_| self.0.clone())
    }

    /// The authorities that workloads believe.
    pub(crate) fn believed_file(&self) -> PathBuf {
        self.path().join("ca.crt")
    }

    fn key_file(&self) -> PathBuf {
        self.path().join("ca.key")
    }

    /// Whether an authority is there.
    pub(crate) fn is_taken(&self) -> bool {
        self.believed_file().exists() || self.key_file().exists()
    }

    /// The authorities that workloads believe, the one that signs first.
    pub(crate) fn believed(&self) -> Result<Vec<Certificate>> {
        Certificate::read(&self.believed_file())
    }

    /// The authority that signs.
    pub(super) fn authority(&self) -> Result<Authority> {
        let path = self.key_file();
        let key = fs::read_to_string(&path).with_context(|| {
            format!(
                "{}: no authority to sign with; `cleave certs init` makes one",
                path.display()
            )
        })?;
        Authority::with_key(&key, &self.believed()?).with_context(|| path.display().to_string())
    }

    /// The files of a workload, there or not.
    pub(crate) fn workload(&self, name: &str) -> Files {
        let folder = self.path().join(name);
        Files {
            name: name.to_owned(),
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            authority: folder.join("ca.crt"),
        }
    }

    /// The workloads that have a certificate, by name.
    pub(crate) fn workloads(&self) -> Result<Vec<Files>> {
        let entries = fs::read_dir(&self.0).with_context(|| self.0.display().to_string())?;
        let mut found = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let files = name.to_str().map(|name| self.workload(name));
            found.extend(files.filter(|files| files.certificate.is_file()));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Makes the folder, for its owner alone.
    pub(super) fn create(&self) -> Result<()> {
        make_folder(&self.0)
    }

    /// Puts a new authority in charge. Its key comes first: without it the certificate is of no use.
    pub(super) fn save_authority(&self, issued: &Issued, others: &[Certificate]) -> Result<()> {
        write(&self.key_file(), &issued.key, PRIVATE)?;
        let others = others.iter().map(Certificate::pem);
        let believed: String = std::iter::once(issued.certificate.clone())
            .chain(others)
            .collect();
        self.spread(&believed)
    }

    /// Only these are believed from now on.
    pub(super) fn save_believed(&self, believed: &[Certificate]) -> Result<()> {
        let text: String = believed.iter().map(Certificate::pem).collect();
        self.spread(&text)
    }

    /// Lets everybody believe these.
    fn spread(&self, believed: &str) -> Result<()> {
        write(&self.believed_file(), believed, PUBLIC)?;
        let mut workloads = self.workloads()?.into_iter();
        workloads.try_for_each(|files| write(&files.authority, believed, PUBLIC))
    }

    /// Gives a workload a new certificate, and what it believes before it shows it.
    pub(super) fn save(&self, files: &Files, issued: &Issued) -> Result<()> {
        let file = self.believed_file();
        let believed = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        make_folder(files.key.parent().context("a file without a folder")?)?;
        write(&files.authority, &believed, PUBLIC)?;
        files.save(issued)
    }
}

impl Files {
    /// What the certificate says; the first of the file is the workload's own.
    pub(crate) fn read(&self) -> Result<Certificate> {
        let found = Certificate::read(&self.certificate)?;
        found.into_iter().next().context("no certificate")
    }

    /// Puts a new certificate and its key in place. Who reads between the two sees a pair that does not
    /// fit, and services keep the one that they have until it does.
    fn save(&self, issued: &Issued) -> Result<()> {
        write(&self.key, &issued.key, PRIVATE)?;
        write(&self.certificate, &issued.certificate, PUBLIC)
    }
}

/// Whether others than its owner can read a key.
pub(crate) fn is_exposed(key: &Path) -> Result<bool> {
    let known = fs::metadata(key).with_context(|| key.display().to_string())?;
    Ok(known.permissions().mode() & 0o077 != 0)
}

fn make_folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).create(path);
    made.with_context(|| path.display().to_string())
}

/// Writes a file whole or not at all, never readable for more people than it should be.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    ensure!(!text.is_empty(), "nothing to write to {}", path.display());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = || -> std::io::Result<()> {
        // Left over from an end in the middle, perhaps with other rights.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().with_context(|| path.display().to_string())
}
