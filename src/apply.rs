//! Changes the disk; nothing else does, but for `linker` and `lock`.

pub mod state;
