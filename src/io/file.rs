//! Atomic file writing: all of the file or nothing. The library writes all its files this way.
//!
//! The new file is written beside the old one and synced to disk, and only then renamed to the old one's name. A path
//! that is not a regular file keeps its meaning: a symbolic link stays one, and the file it leads to is replaced, with
//! its permissions; what can't be replaced, a device or a pipe, is written to.

use core::sync::atomic::{AtomicU64, Ordering};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// More symbolic links than systems follow.
const MOST_LINKS: usize = 64;

/// The longest part of a file's name that its temporary file's has too, in bytes: names may have 255.
const LONGEST_START: usize = 200;

/// What temporary files' names end with.
const END: &str = ".new";

/// What a path leads to.
enum Place {
    /// A file to replace, or none yet: its path behind all links.
    File { path: PathBuf, old: Option<Metadata> },
    /// What is written to, since it can't be replaced: a device, a pipe, what another has opened.
    Stream,
}

/// Where what is written to `path` goes, if it may.
fn place(path: &Path) -> io::Result<Place> {
    if path.file_name().is_none() || path.to_string_lossy().ends_with(std::path::is_separator) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "expected the path of a file"));
    }
    let (mut target, mut open) = (path.to_path_buf(), false);
    for _ in 0..MOST_LINKS {
        // What a process has open, standard output for one.
        open |= target.starts_with("/proc") || target.starts_with("/dev/fd");
        match fs::read_link(&target) {
            Ok(next) => target = folder(&target).join(next),
            Err(_) => break,
        }
    }
    match fs::metadata(path) {
        Ok(old) if old.is_dir() => Err(io::Error::new(ErrorKind::IsADirectory, "expected a file, found a folder")),
        Ok(old) if open || !old.is_file() => Ok(Place::Stream),
        Ok(old) => {
            // Who may not write to a file may not replace it, although the folder would allow it.
            OpenOptions::new().write(true).open(&target)?;
            Ok(Place::File { path: target, old: Some(old) })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Place::File { path: target, old: None }),
        Err(error) => Err(error),
    }
}

/// Replaces the file at `path` by one with these contents, or writes them to the device that is there.
#[cfg(any(feature = "export", feature = "plot", feature = "safetensors"))]
pub(crate) fn save(path: &Path, contents: &[u8]) -> io::Result<()> {
    use std::io::Write;
    match place(path)? {
        Place::Stream => OpenOptions::new().append(true).open(path)?.write_all(contents),
        Place::File { path, old } => {
            remove_leftovers(&path);
            replace_file(&path, old.as_ref(), |mut file| {
                file.write_all(contents)?;
                Ok(file)
            })
        }
    }
}

/// Replaces the file at `path` by the one that `fill` writes. An error if there is something that is no file.
#[cfg(feature = "checkpoint")]
pub(crate) fn replace(path: &Path, fill: impl FnOnce(File) -> io::Result<File>) -> io::Result<()> {
    let (path, old) = replaceable(path)?;
    replace_file(&path, old.as_ref(), fill)
}

/// Whether a file at `path` could be [replaced](replace) now: an error, if not.
#[cfg(feature = "checkpoint")]
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let (path, old) = replaceable(path)?;
    let (temporary, file) = temporary(&path, old.as_ref())?;
    drop(file);
    fs::remove_file(temporary)
}

#[cfg(feature = "checkpoint")]
fn replaceable(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    match place(path)? {
        Place::File { path, old } => Ok((path, old)),
        Place::Stream => Err(io::Error::new(ErrorKind::InvalidInput, "expected a file, found a device or a pipe")),
    }
}

fn replace_file(path: &Path, old: Option<&Metadata>, fill: impl FnOnce(File) -> io::Result<File>) -> io::Result<()> {
    let (temporary, file) = temporary(path, old)?;
    let result = fill(file).and_then(|file| {
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // Locked until here, so that no one takes it for a leftover.
        drop(file);
        sync_folder(path)
    });
    if result.is_err() {
        // It can't be helped if that fails too.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes the new name of the file last. Only Unix lets one do it; elsewhere it is up to the system.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}

/// What the names of the temporary files of a file begin with.
fn temporary_start(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or_default();
    let mut start = if name.len() <= LONGEST_START {
        name.to_os_string()
    } else {
        let (name, mut end) = (name.to_string_lossy(), LONGEST_START);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        OsString::from(&name[..end])
    };
    start.push(".");
    start
}

/// A new file in the same folder, with the permissions of the old one. No two writers have the same, be they threads or
/// processes, so that none can replace the file by an incomplete one of the other.
fn temporary(path: &Path, old: Option<&Metadata>) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let start = temporary_start(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(old) = old {
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
        // Not even at first for more eyes than the old one.
        options.mode(old.mode() & 0o777);
    }
    loop {
        let mut name = start.clone();
        name.push(alloc::format!("{}-{}{END}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let candidate = path.with_file_name(name);
        match options.open(&candidate) {
            Ok(file) => {
                // Says that its writer lives; where files can't be locked, leftovers stay.
                let _ = file.lock();
                // It may have been taken for a leftover just before.
                if !fs::exists(&candidate)? {
                    continue;
                }
                if let Some(Err(error)) = old.map(|old| keep_permissions(&file, old)) {
                    let _ = fs::remove_file(&candidate);
                    return Err(error);
                }
                return Ok((candidate, file));
            }
            // A leftover of a process that had the same id.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let words = alloc::format!("there is no folder `{}`", folder(path).display());
                return Err(io::Error::new(ErrorKind::NotFound, words));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Gives a file the owner, if that is possible, and the permissions of an old one.
fn keep_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only who administers the system may give files away.
            let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
        }
    }
    file.set_permissions(old.permissions())
}

/// Removes what processes have left behind that ended while they wrote.
pub(crate) fn remove_leftovers(path: &Path) {
    // Beside the file itself, whatever links lead there.
    let Ok(Place::File { path, .. }) = place(path) else { return };
    let start = temporary_start(&path);
    let Ok(entries) = fs::read_dir(folder(&path)) else { return };
    for entry in entries.flatten() {
        if is_between(&entry.file_name(), &start)
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is that of a temporary file: the ids of a process and of a file are between `start` and the end.
fn is_between(name: &OsStr, start: &OsStr) -> bool {
    let name = name.as_encoded_bytes().strip_prefix(start.as_encoded_bytes());
    let between = name.and_then(|name| name.strip_suffix(END.as_bytes()));
    between.is_some_and(|between| between.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'))
}
