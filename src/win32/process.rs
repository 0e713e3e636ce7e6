//! Which processes there are, what they run, and which of them use a file.

use std::ffi::OsString;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, FILETIME, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::RestartManager::{
    CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RmEndSession, RmGetList, RmRegisterResources, RmStartSession,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION,
    QueryFullProcessImageNameW,
};

use super::{until_nul, with_nul};

/// One running process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// The name of its program, without directories.
    pub(crate) name: OsString,
}

/// All processes of this moment, in ascending order of their numbers.
pub(crate) fn all() -> Vec<Process> {
    // SAFETY: the call takes numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Vec::new();
    }
    // SAFETY: the call succeeded and gave this handle to nobody else.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry = PROCESSENTRY32W {
        dwSize: u32::try_from(size_of::<PROCESSENTRY32W>()).expect("the structure is small"),
        ..PROCESSENTRY32W::default()
    };
    let mut found = Vec::new();
    // SAFETY: the handle is open, and the structure says how large it is.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        found.push(Process {
            pid: entry.th32ProcessID,
            parent: entry.th32ParentProcessID,
            name: until_nul(&entry.szExeFile),
        });
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    found.sort_unstable_by_key(|process| process.pid);
    found
}

fn open(pid: u32) -> Option<OwnedHandle> {
    // SAFETY: the call takes numbers.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    // SAFETY: the call succeeded and gave this handle to nobody else.
    (!process.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(process) })
}

/// The program of a process, as `C:\…\python.exe`; none where this user may not know.
pub(crate) fn image(pid: u32) -> Option<PathBuf> {
    let process = open(pid)?;
    let mut units = vec![0_u16; 32_768];
    let mut length = u32::try_from(units.len()).expect("a path is short");
    // SAFETY: the handle is open, and `units` has room for `length` units.
    let done = unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            PROCESS_NAME_WIN32,
            units.as_mut_ptr(),
            &raw mut length,
        )
    };
    (done != 0).then(|| PathBuf::from(until_nul(&units)))
}

/// When a process started, in units of 100 nanoseconds since 1601.
pub(crate) fn started(pid: u32) -> Option<i64> {
    let process = open(pid)?;
    let mut times = [FILETIME::default(); 4];
    let [started, ended, kernel, user] = &mut times;
    // SAFETY: the handle is open, and the pointers are to four structures of the right type.
    let done = unsafe { GetProcessTimes(process.as_raw_handle(), started, ended, kernel, user) };
    let units = u64::from(started.dwHighDateTime) << 32 | u64::from(started.dwLowDateTime);
    if done == 0 { None } else { i64::try_from(units).ok() }
}

/// The processes that have a file open, by the Restart Manager; none where it cannot tell.
pub(crate) fn users_of(path: &Path) -> Option<Vec<u32>> {
    let path = with_nul(path.as_os_str()).ok()?;
    let session = Session::start()?;
    let files = [path.as_ptr()];
    // SAFETY: one path that ends with a NUL; nothing else is pointed to.
    let registered = unsafe {
        RmRegisterResources(session.0, 1, files.as_ptr(), 0, std::ptr::null(), 0, std::ptr::null())
    };
    if registered != 0 {
        return None;
    }
    let mut found = vec![RM_PROCESS_INFO::default(); 16];
    // Processes come and go between two calls.
    for _ in 0..8 {
        let (mut needed, mut room, mut reasons) = (0, u32::try_from(found.len()).ok()?, 0);
        // SAFETY: `found` has room for `room` structures, of which the system says how many it wrote.
        let answer = unsafe {
            RmGetList(session.0, &raw mut needed, &raw mut room, found.as_mut_ptr(), &raw mut reasons)
        };
        match answer {
            0 => {
                let pids = found.iter().take(usize::try_from(room).ok()?).map(|it| it.Process.dwProcessId);
                return Some(pids.collect());
            }
            ERROR_MORE_DATA => found.resize(usize::try_from(needed).ok()? + 4, RM_PROCESS_INFO::default()),
            _ => return None,
        }
    }
    None
}

/// A session of the Restart Manager, of which there are few: it ends when this is dropped.
struct Session(u32);

impl Session {
    fn start() -> Option<Self> {
        let mut key = [0_u16; CCH_RM_SESSION_KEY as usize + 1];
        let mut session = 0;
        // SAFETY: `key` has the room that the call asks for.
        let answer = unsafe { RmStartSession(&raw mut session, 0, key.as_mut_ptr()) };
        (answer == 0).then_some(Self(session))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the call takes a number.
        unsafe { RmEndSession(self.0) };
    }
}
