//! Cells as every database gives and takes them, and the checksum of a table.

use sea_orm::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A cell. Text stands here as it lies in the database, escapes included: they are the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Cell {
    /// Nothing.
    Null,
    /// A whole number; yes and no are 1 and 0.
    Number(i64),
    /// Text.
    Text(String),
}

impl Cell {
    /// As a value of a statement; `is_flag` for a column that knows only yes and no.
    pub(super) fn value(&self, is_flag: bool) -> Value {
        match self {
            Self::Null if is_flag => Value::Bool(None),
            // The type of nothing does not matter to the others: text is cast to whatever the column wants.
            Self::Null => Value::String(None),
            Self::Number(number) if is_flag => Value::Bool(Some(*number != 0)),
            Self::Number(number) => Value::BigInt(Some(*number)),
            Self::Text(text) => Value::String(Some(text.clone())),
        }
    }

    /// About how much of a statement it takes.
    pub(super) const fn size(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) => 9,
            Self::Text(text) => text.len() + 5,
        }
    }
}

/// How many rows there are, and the sum of their SHA-256 modulo 2^256: the same whatever order they are read in, for
/// databases sort text by rules of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) rows: u64,
    sum: [u64; 4],
}

impl Checksum {
    /// Adds a row: its cells in the order of their columns' names.
    pub(super) fn add(&mut self, cells: &[Cell]) {
        let mut hash = Sha256::new();
        for cell in cells {
            match cell {
                Cell::Null => hash.update([0]),
                Cell::Number(number) => {
                    hash.update([1]);
                    hash.update(number.to_be_bytes());
                }
                Cell::Text(text) => {
                    hash.update([2]);
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text.as_bytes());
                }
            }
        }
        self.rows += 1;
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().zip(hash.finalize().as_chunks::<8>().0) {
            let (added, one) = limb.overflowing_add(u64::from_le_bytes(*bytes));
            let (added, other) = added.overflowing_add(u64::from(carry));
            (*limb, carry) = (added, one || other);
        }
    }

    /// 64 hexadecimal digits.
    pub(super) fn hex(&self) -> String {
        self.sum.iter().rev().map(|limb| format!("{limb:016x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64, text: &str) -> Vec<Cell> {
        vec![Cell::Number(number), Cell::Text(text.to_owned()), Cell::Null]
    }

    fn of(rows: &[Vec<Cell>]) -> Checksum {
        let mut sum = Checksum::default();
        rows.iter().for_each(|row| sum.add(row));
        sum
    }

    #[test]
    fn order_does_not_count_and_everything_else_does() {
        let (one, two) = (row(1, "tea"), row(2, "茶"));
        assert_eq!(of(&[one.clone(), two.clone()]), of(&[two.clone(), one.clone()]));
        for other in [
            vec![one.clone()],
            vec![one.clone(), one.clone()],
            vec![one.clone(), row(2, "茶 ")],
            vec![one.clone(), vec![Cell::Number(2), Cell::Text("茶".to_owned()), Cell::Text(String::new())]],
        ] {
            assert_ne!(of(&[one.clone(), two.clone()]).hex(), of(&other).hex(), "{other:?}");
        }
        assert_eq!(of(&[]).hex(), "0".repeat(64));
        assert_eq!(of(&[one, two]).hex().len(), 64);
    }

    #[test]
    fn sums_carry_from_one_part_to_the_next() {
        let mut sum = Checksum { rows: 0, sum: [u64::MAX; 4] };
        let before = sum.hex();
        sum.add(&row(1, "tea"));
        assert_ne!(sum.hex(), before);
        let mut alone = Checksum::default();
        alone.add(&row(1, "tea"));
        // 2^256 - 1 and x are x - 1.
        let mut less = alone.sum;
        for limb in &mut less {
            let (value, has_borrowed) = limb.overflowing_sub(1);
            *limb = value;
            if !has_borrowed {
                break;
            }
        }
        assert_eq!(sum.sum, less);
    }
}
