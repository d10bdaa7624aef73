//! Figures and how they are printed.

use serde_json::{Value, json};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Figure {
    name: String,
    value: String,
    target: String,
    note: String,
}

/// All figures of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// Database and Redis with their versions.
    engine: String,
    figures: Vec<Figure>,
}

impl Report {
    /// No figure yet.
    pub(crate) fn on(engine: String) -> Self {
        Self { engine, figures: Vec::new() }
    }

    /// Adds a figure; it is shown at once on standard error.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<String>, target: &str, note: impl Into<String>) {
        let figure = Figure { name: name.to_owned(), value: value.into(), target: target.to_owned(), note: note.into() };
        eprintln!("{}: {} (target {}) {}", figure.name, figure.value, figure.target, figure.note);
        self.figures.push(figure);
    }

    /// A table in Markdown.
    pub(crate) fn print_table(&self) {
        println!("Database: {}\n", self.engine);
        println!("| figure | measured | target | how |\n|---|---|---|---|");
        for figure in &self.figures {
            println!("| {} | {} | {} | {} |", figure.name, figure.value, figure.target, figure.note);
        }
    }

    /// One JSON array.
    pub(crate) fn print_json(&self) {
        let rows: Vec<Value> = self
            .figures
            .iter()
            .map(|f| json!({"database": self.engine, "figure": f.name, "measured": f.value, "target": f.target, "how": f.note}))
            .collect();
        println!("{}", Value::Array(rows));
    }
}
