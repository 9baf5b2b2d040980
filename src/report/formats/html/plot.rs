//! Places a plot over time in its frame: bars that stand on each other, or lines on a logarithmic
//! axis, with few round labels.

/// The frame in units of the drawing, and the space around the plot for labels.
pub(super) const WIDTH: f64 = 560.0;
pub(super) const HEIGHT: f64 = 230.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 30.0;
/// The widest bar, because a single one across the whole plot looks like a frame.
const WIDEST_BAR: f64 = 44.0;
const MOST_TIME_LABELS: usize = 5;

/// What a plot shows, and where each mark stands.
#[derive(Debug)]
pub(super) struct Plot {
    pub title: &'static str,
    /// What the vertical axis counts.
    pub unit: String,
    /// What the plot shows, in a sentence.
    pub summary: String,
    /// Class and name of each series that occurs, in the order in which they are drawn.
    pub legend: Vec<(&'static str, &'static str)>,
    pub grid: Vec<AxisLabel>,
    pub times: Vec<AxisLabel>,
    pub bars: Vec<PlotBar>,
    pub lines: Vec<PlotLine>,
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// A label of an axis, and how far along the axis it stands.
#[derive(Debug)]
pub(super) struct AxisLabel {
    pub at: String,
    pub text: String,
    pub anchor: &'static str,
}

#[derive(Debug)]
pub(super) struct PlotBar {
    pub class: &'static str,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
}

#[derive(Debug)]
pub(super) struct PlotLine {
    pub class: &'static str,
    pub path: String,
    /// Marks of single columns, which a line cannot show.
    pub points: Vec<(String, String)>,
}

/// A part of every bar: its class, its name, and its height in each column.
#[derive(Debug)]
pub(super) struct Series {
    pub class: &'static str,
    pub name: &'static str,
    pub values: Vec<f64>,
}

/// The marks of a plot.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub grid: Vec<AxisLabel>,
    pub bars: Vec<PlotBar>,
    pub lines: Vec<PlotLine>,
}

/// Returns bars whose parts stand on each other.
pub(super) fn stacked(series: &[Series], columns: usize) -> Marks {
    let sum = |column: usize| series.iter().map(|series| series.values[column]).sum::<f64>();
    let highest = (0..columns).map(sum).fold(0.0, f64::max);
    let (step, top) = round_steps(highest);
    let height = |value: f64| value / top * (HEIGHT - TOP - BOTTOM);
    let mut marks = Marks::default();
    let mut value = 0.0;
    while value <= top + step / 2.0 {
        let text = if step < 1.0 { format!("{value:.1}") } else { grouped(value) };
        marks.grid.push(AxisLabel { at: short(HEIGHT - BOTTOM - height(value)), text, anchor: "end" });
        value += step;
    }
    let slot = slot(columns);
    let width = (slot * 0.82).min(WIDEST_BAR);
    for column in 0..columns {
        let mut base = HEIGHT - BOTTOM;
        for series in series.iter().filter(|series| series.values[column] > 0.0) {
            // A part that is too small to be seen looks as if it did not exist.
            let high = height(series.values[column]).max(1.0);
            base -= high;
            let x = LEFT + slot * (as_f64(column) + 0.5) - width / 2.0;
            let [x, y, width, height] = [x, base, width, high].map(short);
            marks.bars.push(PlotBar { class: series.class, x, y, width, height });
        }
    }
    marks
}

/// Returns lines on a logarithmic axis of seconds. A column without a value interrupts its line.
pub(super) fn logarithmic(series: &[(&'static str, Vec<Option<f64>>)], columns: usize) -> Marks {
    let values = || series.iter().flat_map(|(_, values)| values.iter().flatten().copied()).filter(|value| *value > 0.0);
    let (lowest, highest) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    if highest <= 0.0 {
        return Marks::default();
    }
    let low = lowest.log10().floor();
    let high = highest.log10().ceil().max(low + 1.0);
    let y = |value: f64| {
        let share = (value.max(lowest).log10() - low) / (high - low);
        short(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))
    };
    let mut marks = Marks::default();
    let mut power = low;
    while power <= high + 0.5 {
        let value = 10_f64.powf(power);
        marks.grid.push(AxisLabel { at: y(value.max(lowest.min(value))), text: seconds(value), anchor: "end" });
        power += 1.0;
    }
    // The lowest label stands below every value, so it is placed at the foot of the plot.
    if let Some(first) = marks.grid.first_mut() {
        first.at = short(HEIGHT - BOTTOM);
    }
    for (class, values) in series {
        let mut line = PlotLine { class, path: String::new(), points: Vec::new() };
        for (column, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let (x, y) = (short(middle(column, columns)), y(*value));
            let before = column.checked_sub(1).is_some_and(|before| values[before].is_some());
            let after = values.get(column + 1).is_some_and(Option::is_some);
            line.path.push_str(&format!("{}{x} {y}", if before { "L" } else { "M" }));
            if !before && !after {
                line.points.push((x, y));
            }
        }
        marks.lines.push(line);
    }
    marks
}

/// Returns at most a few labels of the columns, of those whose texts are given.
pub(super) fn time_labels(texts: &[String]) -> Vec<AxisLabel> {
    let step = texts.len().div_ceil(MOST_TIME_LABELS).max(1);
    let chosen = texts.iter().enumerate().step_by(step);
    let label = |(column, text): (usize, &String)| {
        // A narrow first column is so far left that half of its label would be cut off.
        let is_at_edge = column == 0 && texts.len() > 2 * MOST_TIME_LABELS;
        let anchor = if is_at_edge { "start" } else { "middle" };
        let at = if is_at_edge { LEFT } else { middle(column, texts.len()) };
        AxisLabel { at: short(at), text: text.clone(), anchor }
    };
    chosen.map(label).collect()
}

fn slot(columns: usize) -> f64 {
    (WIDTH - LEFT - RIGHT) / as_f64(columns.max(1))
}

fn middle(column: usize, columns: usize) -> f64 {
    LEFT + slot(columns) * (as_f64(column) + 0.5)
}

/// Returns the distance between labels, and the value at the top: round numbers, with at most four
/// steps.
fn round_steps(highest: f64) -> (f64, f64) {
    if highest <= 0.0 {
        return (1.0, 1.0);
    }
    let power = 10_f64.powf((highest / 4.0).log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| power * factor * 4.0 >= highest).unwrap_or(10.0);
    let step = power * factor;
    (step, (highest / step).ceil() * step)
}

/// Returns a time as people say it: `10 ms`, `1 s`, `100 s`.
pub(super) fn seconds(value: f64) -> String {
    match value {
        value if value < 0.000_999 => format!("{:.0} µs", value * 1e6),
        value if value < 0.999 => format!("{:.0} ms", value * 1e3),
        value if value < 9.95 && (value - value.round()).abs() > 0.05 => format!("{value:.1} s"),
        value => format!("{value:.0} s"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a label is a whole number above zero")]
fn grouped(value: f64) -> String {
    crate::domain::grouped(value.round() as u64)
}

fn as_f64(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

/// Returns a coordinate with one decimal, because more cannot be seen.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_few_and_round_and_times_are_in_the_unit_one_would_use() {
        for (highest, step, top) in
            [(0.0, 1.0, 1.0), (1.0, 0.5, 1.0), (7.0, 2.0, 8.0), (60.0, 20.0, 60.0), (1234.0, 500.0, 1500.0)]
        {
            assert_eq!(round_steps(highest), (step, top), "{highest}");
        }
        for (value, text) in [(0.0001, "100 µs"), (0.01, "10 ms"), (1.0, "1 s"), (2.5, "2.5 s"), (100.0, "100 s")] {
            assert_eq!(seconds(value), text);
        }
    }

    #[test]
    fn a_gap_interrupts_a_line_and_a_lonely_column_is_a_point() {
        let marks = logarithmic(&[("p50", vec![Some(0.1), Some(0.2), None, Some(0.3), None])], 5);
        assert_eq!(marks.lines[0].path.matches('M').count(), 2);
        assert_eq!(marks.lines[0].path.matches('L').count(), 1);
        assert_eq!(marks.lines[0].points.len(), 1);
        assert!(logarithmic(&[("p50", vec![None])], 1).lines.is_empty());
    }

    proptest! {
        #[test]
        fn every_mark_stands_within_the_frame(values in prop::collection::vec(0.0..1e12_f64, 1..100)) {
            let columns = values.len();
            let series = [("a", 1.0), ("b", 0.001)].map(|(class, part)| Series {
                class,
                name: class,
                values: values.iter().map(|value| value * part).collect(),
            });
            let number = |text: &str| text.parse::<f64>().unwrap();
            for bar in stacked(&series, columns).bars {
                prop_assert!(number(&bar.y) >= 5.0 && number(&bar.height) > 0.0);
                prop_assert!(number(&bar.x) >= LEFT - 0.1 && number(&bar.x) + number(&bar.width) <= WIDTH);
            }
            let times: Vec<_> = values.iter().map(|value| Some(value / 1e6).filter(|value| *value > 1e-6)).collect();
            for line in logarithmic(&[("p50", times)], columns).lines {
                prop_assert!(!line.path.contains("NaN") && !line.path.contains("inf"), "{}", line.path);
            }
        }
    }
}
