//! The page and the code agree on every number.

use holdfast_graph::format::*;

#[test]
fn the_table_has_the_numbers_of_the_code() {
    let code: [(&str, u64); 29] = [
        ("GRAPH_SAME", GRAPH_SAME.into()),
        ("GRAPH_EDITS", GRAPH_EDITS.into()),
        ("GRAPH_BINARY", GRAPH_BINARY.into()),
        ("GRAPH_WHOLE", GRAPH_WHOLE.into()),
        ("GRAPH_SHARED", GRAPH_SHARED.into()),
        ("GRAPH_LONG", GRAPH_LONG as u64),
        ("STEP_EDIT", STEP_EDIT.into()),
        ("STEP_SET", STEP_SET.into()),
        ("STEP_DELETE", STEP_DELETE.into()),
        ("STEP_DELETE_RUN", STEP_DELETE_RUN.into()),
        ("STEP_INSERT", STEP_INSERT.into()),
        ("STEP_INSERT_RUN", STEP_INSERT_RUN.into()),
        ("STEP_PLACE", STEP_PLACE.into()),
        ("STEP_OTHER", STEP_OTHER.into()),
        ("STEP_BITS", STEP_BITS.into()),
        ("OTHER_END", OTHER_END.into()),
        ("OTHER_TAKEN", OTHER_TAKEN.into()),
        ("OTHER_ORDER", OTHER_ORDER.into()),
        ("OTHER_NAMED", OTHER_NAMED.into()),
        ("PLACE_AS_IS", PLACE_AS_IS.into()),
        ("PLACE_EDIT", PLACE_EDIT.into()),
        ("PLACE_SET", PLACE_SET.into()),
        ("PLACE_LIKE", PLACE_LIKE.into()),
        ("PLACE_COPY", PLACE_COPY.into()),
        ("PLACE_MODES", PLACE_MODES.into()),
        ("ORDER_RUNS", ORDER_RUNS.into()),
        ("ORDER_PACKED", ORDER_PACKED.into()),
        ("TEXT_DELTA", TEXT_DELTA.into()),
        ("PACKED_DECIMAL", PACKED_DECIMAL.into()),
    ];
    let page = include_str!("../../delta/FORMAT.md");
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    for (name, value) in code.into_iter().chain([("SEAL_BYTES", SEAL_BYTES as u64)]) {
        let row = format!("| `{name}` | ");
        // Another table of the page begins with names, too.
        let found = page
            .lines()
            .filter_map(|line| number(line.strip_prefix(&row)?.trim_end_matches('|').trim().trim_matches('`')));
        assert_eq!(found.collect::<Vec<_>>(), [value], "{name}");
    }
}
