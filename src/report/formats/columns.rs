/// The columns of a report, before the kept ones. Other programs read them, so names and order are
/// a contract.
pub(super) const COLUMNS: [&str; 16] = [
    "row",
    "line",
    "status",
    "customer_email",
    "id",
    "customer_id",
    "kyc_link",
    "tos_link",
    "kyc_status",
    "tos_status",
    "created_at",
    "http_status",
    "attempts",
    "error_code",
    "error",
    "warning",
];

/// Returns the names of the kept columns: as in the input, with `input_` before a name that a
/// report column or an earlier kept column has.
pub(super) fn kept_columns(names: &[String]) -> Vec<String> {
    let mut taken: std::collections::HashSet<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    taken.insert("data".to_owned());
    names
        .iter()
        .map(|name| {
            let mut column = name.clone();
            while !taken.insert(column.clone()) {
                column.insert_str(0, "input_");
            }
            column
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::kept_columns;

    #[test]
    fn kept_columns_never_take_the_name_of_a_report_column() {
        let names = ["legacy_id", "id", "input_id", "status"].map(str::to_owned);
        assert_eq!(kept_columns(&names), ["legacy_id", "input_id", "input_input_id", "input_status"]);
    }
}
