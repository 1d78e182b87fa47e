//! How a report is written.

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::amount::decimal;
use super::report::{Report, Sums};

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// For people, with a last line for all.
    Table,
    /// Comma-separated values with a line of names.
    Csv,
    /// An array of JSON objects. The cost is text.
    Json,
}

const COLUMNS: [&str; 7] = ["requests", "replies", "input", "cached_input", "output", "estimated", "cost"];

impl Sums {
    fn texts(&self) -> [String; 7] {
        let Self { requests, replies, input, cached_input, output, estimated, cost } = *self;
        let [requests, replies, input, cached_input, output, estimated] =
            [requests, replies, input, cached_input, output, estimated].map(|number| number.to_string());
        [requests, replies, input, cached_input, output, estimated, decimal(cost)]
    }
}

impl Report {
    /// The report as text, with a line break at its end.
    #[must_use]
    pub fn to_text(&self, format: Format) -> String {
        match format {
            Format::Table => self.table(),
            Format::Csv => self.csv(),
            Format::Json => self.json(),
        }
    }

    /// The lines of texts, with a first one of names.
    fn rows(&self) -> Vec<Vec<String>> {
        let names = std::iter::once(self.by.as_str()).chain(COLUMNS).map(str::to_owned).collect();
        let line = |(name, sums): (&Option<String>, &Sums)| {
            std::iter::once(name.clone().unwrap_or_default()).chain(sums.texts()).collect()
        };
        std::iter::once(names).chain(self.lines.iter().map(line)).collect()
    }

    fn table(&self) -> String {
        let mut all = Sums::default();
        self.lines.values().for_each(|sums| all.add(*sums));
        let mut rows = self.rows();
        rows.push(std::iter::once("total".to_owned()).chain(all.texts()).collect());
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=COLUMNS.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (text, width))| match column {
                // A name that a terminal would take for a command is none.
                0 => format!("{:<width$}", text.replace(char::is_control, "?")),
                _ => format!("{text:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ") + "\n"
        };
        rows.iter().map(line).collect()
    }

    fn csv(&self) -> String {
        let quoted = |text: &String| {
            if text.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text.clone()
            }
        };
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        self.rows().iter().map(line).collect()
    }

    fn json(&self) -> String {
        let line = |(name, sums): (&Option<String>, &Sums)| {
            let mut object = Map::from_iter([(self.by.as_str().to_owned(), Value::from(name.clone()))]);
            for (column, text) in COLUMNS.iter().zip(sums.texts()) {
                let number = if *column == "cost" { None } else { text.parse::<i64>().ok() };
                object.insert((*column).to_owned(), number.map_or(Value::from(text), Value::from));
            }
            Value::Object(object)
        };
        let lines: Vec<Value> = self.lines.iter().map(line).collect();
        format!("{:#}\n", Value::Array(lines))
    }
}
