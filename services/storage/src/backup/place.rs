//! Files that are whole before they get their name, and that take no other file's name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::StorageError;

/// What SQLite keeps beside a database. Left there, the next database of that name would be told to play it back.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A complaint about a file.
pub(super) fn said(file: &Path, what: impl std::fmt::Display) -> StorageError {
    StorageError::Unsuitable(format!("{}: {what}", file.display()))
}

fn fault(file: &Path) -> impl Fn(io::Error) -> StorageError {
    move |error| said(file, error)
}

/// A file in the making, gone when dropped unless it was put in place.
pub(super) struct Draft(PathBuf);

impl Draft {
    /// A name that nobody has, in the folder of `target`: a file gets its name only within a file system.
    pub(super) fn beside(target: &Path) -> Result<Self, StorageError> {
        let folder = folder_of(target);
        if !folder.is_dir() {
            return Err(said(folder, "there is no such folder"));
        }
        let name = target
            .file_name()
            .ok_or_else(|| said(target, "names no file"))?;
        let mut draft = name.to_owned();
        draft.push(format!(".draft-{}", Uuid::new_v4().simple()));
        Ok(Self(folder.join(draft)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Fills it with what another file holds.
    pub(super) fn copy_from(&self, file: &Path) -> Result<(), StorageError> {
        fs::copy(file, &self.0).map_err(fault(file))?;
        Ok(())
    }

    /// Writes it out and gives it its name, which nobody may have.
    pub(super) fn place(self, target: &Path) -> Result<(), StorageError> {
        if let Some(log) =
            companions(&self.0).find(|file| fs::metadata(file).is_ok_and(|log| log.len() > 0))
        {
            return Err(said(&log, "was left over: the copy is not complete"));
        }
        File::open(&self.0)
            .and_then(|file| file.sync_all())
            .map_err(fault(&self.0))?;
        // Unlike a rename, this fails when the name is taken.
        fs::hard_link(&self.0, target).map_err(fault(target))?;
        drop(self);
        sync_folder(target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for file in companions(&self.0).chain([self.0.clone()]) {
            // What is not there need not go.
            let _ = fs::remove_file(file);
        }
    }
}

/// Moves a database, or what is left of it, out of the way; answers what it is called now.
pub(super) fn set_aside(file: &Path, mark: &str) -> Result<Option<PathBuf>, StorageError> {
    let aside = |file: &Path| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{mark}"));
        PathBuf::from(name)
    };
    for companion in companions(file).filter(|file| file.exists()) {
        // Beside the moved database under its new name, so that both still belong together.
        let mut name = aside(file).into_os_string();
        let suffix = companion.as_os_str().to_string_lossy();
        let at = file.as_os_str().to_string_lossy().len();
        name.push(suffix.get(at..).unwrap_or_default());
        fs::rename(&companion, PathBuf::from(name)).map_err(fault(&companion))?;
    }
    if !file.exists() {
        return Ok(None);
    }
    let moved = aside(file);
    fs::rename(file, &moved).map_err(fault(file))?;
    sync_folder(file)?;
    Ok(Some(moved))
}

fn companions(file: &Path) -> impl Iterator<Item = PathBuf> {
    let file = file.as_os_str().to_owned();
    COMPANIONS.into_iter().map(move |suffix| {
        let mut name = file.clone();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Whether something is still to be played back into the database.
pub(super) fn has_log(file: &Path) -> bool {
    companions(file)
        .filter(|companion| !companion.as_os_str().to_string_lossy().ends_with("-shm"))
        .any(|companion| fs::metadata(companion).is_ok_and(|log| log.len() > 0))
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Names are on disk only once their folder is.
fn sync_folder(file: &Path) -> Result<(), StorageError> {
    let folder = folder_of(file);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(fault(folder))
}
