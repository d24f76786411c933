//! Reads a CSV table: a header line, then lines of `N` features and a class.

use std::error::Error;
use std::fs;

/// The features and the class of every line.
pub type Table<const N: usize> = (Vec<[f32; N]>, Vec<usize>);

/// Reads a file in `examples/data`.
pub fn read<const N: usize>(file: &str) -> Result<Table<N>, Box<dyn Error>> {
    let path = format!("{}/examples/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let (mut features, mut classes) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate().skip(1) {
        let (sample, class) = parse(line).map_err(|error| format!("{path}, line {}: {error}", index + 1))?;
        features.push(sample);
        classes.push(class);
    }
    Ok((features, classes))
}

fn parse<const N: usize>(line: &str) -> Result<([f32; N], usize), Box<dyn Error>> {
    let fields: Vec<&str> = line.split(',').collect();
    if fields.len() != N + 1 {
        return Err(format!("expected {N} features and a class, found {} fields", fields.len()).into());
    }
    let mut sample = [0.0; N];
    for (value, field) in sample.iter_mut().zip(&fields) {
        *value = field.trim().parse().map_err(|_| format!("expected a number, found `{field}`"))?;
    }
    let class = fields[N].trim();
    Ok((sample, class.parse().map_err(|_| format!("expected a class index, found `{class}`"))?))
}
