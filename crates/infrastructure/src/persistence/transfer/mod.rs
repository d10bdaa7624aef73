//! Moving a whole installation from one database to another.
//!
//! The order is: both schemas must be this build's, nobody may be working on the source, the target must be empty or
//! half-way through this very move. Then table by table in batches of rows, each batch in one transaction with the note
//! how far it got, so that a move that was killed goes on. At the end both sides are read whole and compared.
//!
//! | module | what is in it |
//! |---|---|
//! | `moving` | [`move_database`]: the order of things |
//! | `catalog` | tables, columns and keys, as the databases describe them: a new table cannot be forgotten |
//! | `side` | one of the two databases: reading, writing, adding up |
//! | `rows` | cells, and the checksum of a table |
//! | `progress` | how far a move got, kept in the target |

mod catalog;
mod moving;
mod progress;
mod rows;
mod side;
#[cfg(test)]
mod tests;

pub use moving::{MovedTable, TransferError, is_half_moved, move_database};
