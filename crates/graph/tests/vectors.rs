//! The golden deltas, which the differ in JavaScript reads as well.

use holdfast_graph::{Target, apply, diff};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

fn written(target: &Target<'_>) -> Vec<u8> {
    let mut out = vec![0; target.length()];
    target.write(&mut out);
    out
}

#[test]
fn every_vector_is_made_and_applied() {
    let lines = include_str!("../../../test/vectors/graph.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, base, target, delta] = columns[..] else { panic!("four columns: {line}") };
        let [base, target, delta] = [base, target, delta].map(hex);
        assert_eq!(diff(&base, &target).as_ref(), Ok(&delta), "{name}");
        let made = apply(&base, &delta, 1 << 20).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(written(&made), target, "{name}");
        count += 1;
    }
    assert!(count > 25);
}
