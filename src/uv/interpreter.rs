//! The records of `interpreter-v*`: what uv learnt by asking an interpreter.
//!
//! uv keeps no list of environments, but a record here for every interpreter it ever asked, environments included, which
//! survives `uv cache prune`. A record is `[stamp, fields]`; since uv 0.13.8 `fields` is `[platform, fields]`. The fields
//! are an unnamed array that grew between releases; what is wanted stands right after its one early truth value, which uv 0.2
//! and older did not write yet.

use std::path::PathBuf;

use super::msgpack::Value;

/// The most bytes a record can sensibly have; longer ones need not be read.
pub const LONGEST_FILE: usize = 1 << 20;

/// An interpreter that uv has asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterRecord {
    /// `sys.prefix`: the environment's root, or the interpreter's own when it belongs to none.
    pub prefix: PathBuf,
    /// `sys.executable`.
    pub executable: Option<PathBuf>,
    /// `sys.base_prefix`: where the interpreter itself is installed.
    pub base_prefix: Option<PathBuf>,
    /// Where it installs distributions (`purelib` and `platlib` of its scheme), absolute; empty where it is not told.
    pub sites: Vec<PathBuf>,
}

impl InterpreterRecord {
    /// Whether the record describes an environment rather than an installation.
    pub fn is_environment(&self) -> bool {
        self.base_prefix.as_ref().is_some_and(|base| *base != self.prefix)
    }
}

/// Why a record could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterpreterError {
    /// It is not `MessagePack`, or ends too early, or goes beyond every bound.
    #[error("Failed to read it as MessagePack: {0}")]
    NotMessagePack(String),
    /// It is none of the shapes that uv has written so far.
    #[error("Its shape is none that {} write", super::TESTED)]
    UnknownShape,
}

/// Reads a record.
pub fn parse(bytes: &[u8]) -> Result<InterpreterRecord, InterpreterError> {
    let record = Value::read(bytes).map_err(InterpreterError::NotMessagePack)?;
    let Some([_, data]) = record.array() else { return Err(InterpreterError::UnknownShape) };
    let data = match data.array() {
        Some([_, fields @ (Value::Array(_) | Value::Map(_))]) => fields,
        _ => data,
    };
    let found = match data {
        Value::Array(fields) => positional(fields),
        _ => named(data),
    };
    found.ok_or(InterpreterError::UnknownShape)
}

fn positional(fields: &[Value]) -> Option<InterpreterRecord> {
    // uv 0.1 and 0.2: platform, markers, scheme, scheme of environments, and then what is wanted.
    if let [_, Value::Map(_), scheme @ Value::Array(_), Value::Array(_), rest @ ..] = fields
        && let [Value::Text(_), _, _, _, Value::Text(_), ..] = rest
    {
        return from(rest, Some(scheme));
    }
    let flag = fields.iter().position(|field| matches!(field, Value::Bool(_)))?;
    // The scheme stands two before the flag, as `[purelib, platlib, scripts, data, include]` (uv 0.9.30 to 0.13.9).
    from(fields.get(flag + 1..)?, flag.checked_sub(2).and_then(|at| fields.get(at)))
}

fn from(fields: &[Value], scheme: Option<&Value>) -> Option<InterpreterRecord> {
    let [prefix, _base_exec_prefix, base_prefix, _base_executable, executable, ..] = fields else {
        return None;
    };
    Some(InterpreterRecord {
        prefix: path(prefix)?,
        executable: path(executable),
        base_prefix: path(base_prefix),
        sites: scheme.map(sites).unwrap_or_default(),
    })
}

fn named(data: &Value) -> Option<InterpreterRecord> {
    Some(InterpreterRecord {
        prefix: path(data.get("sys_prefix")?)?,
        executable: data.get("sys_executable").and_then(path),
        base_prefix: data.get("sys_base_prefix").and_then(path),
        sites: data.get("scheme").map(sites).unwrap_or_default(),
    })
}

/// The directories of distributions that a scheme names, each once.
fn sites(scheme: &Value) -> Vec<PathBuf> {
    let named = ["purelib", "platlib"].map(|key| scheme.get(key));
    let placed = scheme.array().map(|fields| [fields.first(), fields.get(1)]).unwrap_or_default();
    let mut sites: Vec<PathBuf> = named
        .into_iter()
        .chain(placed)
        .flatten()
        .filter_map(path)
        .filter(|path| path.is_absolute())
        .collect();
    sites.sort_unstable();
    sites.dedup();
    sites
}

fn path(value: &Value) -> Option<PathBuf> {
    value.text().filter(|text| !text.is_empty() && !text.contains('\0')).map(PathBuf::from)
}
