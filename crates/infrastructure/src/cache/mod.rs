//! Values kept in this process for a while.

mod memory;

pub use memory::MemoryCache;
