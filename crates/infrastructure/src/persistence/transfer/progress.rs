//! How far a move has got: a table of the target, which is there while a move is under way and no longer.

/// Its name. A database that has it belongs to a move that has not ended.
pub(super) const TABLE: &str = "data_move";

/// Makes it.
pub(super) const CREATE: &str = "CREATE TABLE IF NOT EXISTS data_move (name VARCHAR(64) NOT NULL PRIMARY KEY, far TEXT NOT NULL)";
/// Under this name stands where the rows come from.
pub(super) const SOURCE: &str = "(source)";

pub(super) const FIND: &str = "SELECT far FROM data_move WHERE name = ?";
pub(super) const INSERT: &str = "INSERT INTO data_move (name, far) VALUES (?, ?)";
pub(super) const UPDATE: &str = "UPDATE data_move SET far = ? WHERE name = ?";
