//! The plots of a run over time, from its minutes.

use jiff::Timestamp;

use super::plot::{self, Marks, Plot, Series};
use crate::domain::{LatencyHistogram, MinuteTraffic, Request, ResponseClass, counted, grouped, plural};

/// The most columns of a plot: more would be thinner than a few pixels.
const MOST_COLUMNS: i64 = 96;
/// How many minutes a column can stand for, so that columns begin at round times.
const STEPS: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, DAY];
const DAY: i64 = 24 * 60;

const CLASSES: [(ResponseClass, &str, &str); 7] = [
    (ResponseClass::Success, "c-success", "succeeded"),
    (ResponseClass::Rejected, "c-rejected", "refused"),
    (ResponseClass::Throttled, "c-throttled", "told to wait (429)"),
    (ResponseClass::ServerError, "c-error", "server error (5xx)"),
    (ResponseClass::Silence, "c-silence", "no answer"),
    (ResponseClass::NotSent, "c-unsent", "not sent (no connection)"),
    (ResponseClass::Other, "c-other", "other"),
];

/// The time that a run took, in columns of equal length.
#[derive(Debug)]
struct Timeline {
    /// How many minutes a column stands for.
    step: i64,
    columns: Vec<MinuteTraffic>,
    /// When each column begins.
    times: Vec<String>,
}

/// Returns the plots of a run, or none if nothing was sent.
pub(super) fn plots(minutes: &[MinuteTraffic], from: Timestamp, until: Option<Timestamp>) -> Vec<Plot> {
    let Some(timeline) = Timeline::of(minutes, from, until) else { return Vec::new() };
    vec![timeline.requests(), timeline.latencies(), timeline.pauses(), timeline.trouble()]
}

impl Timeline {
    fn of(minutes: &[MinuteTraffic], from: Timestamp, until: Option<Timestamp>) -> Option<Self> {
        let (first, last) = (minutes.first()?.minute, minutes.last()?.minute);
        let of = |time: Timestamp| time.as_second().div_euclid(60);
        // If the clock was set in between, the times of the run say nothing about its minutes.
        let near = |minute: i64, other: i64| minute.abs_diff(other) <= 7 * DAY.unsigned_abs();
        let first = Some(of(from)).filter(|from| *from < first && near(*from, first)).unwrap_or(first);
        let last = until.map(of).filter(|until| *until > last && near(*until, last)).unwrap_or(last);
        let length = last.saturating_sub(first).saturating_add(1).max(1);
        let fits = |step: &i64| length / step + 2 <= MOST_COLUMNS || *step == 1 && length <= MOST_COLUMNS;
        let days = || (length / (MOST_COLUMNS - 2) / DAY + 1).saturating_mul(DAY);
        let step = STEPS.into_iter().find(fits).unwrap_or_else(days);
        let start = first.div_euclid(step);
        let count = usize::try_from(last.div_euclid(step) - start + 1).ok()?;
        let starts = (start..).take(count).map(|column| column.saturating_mul(step));
        let mut columns: Vec<_> = starts.map(MinuteTraffic::new).collect();
        for minute in minutes {
            let at = usize::try_from(minute.minute.div_euclid(step).saturating_sub(start)).ok();
            if let Some(column) = at.and_then(|at| columns.get_mut(at)) {
                column.merge(minute);
            }
        }
        let is_long = length > DAY;
        let times = columns.iter().map(|column| clock(column.minute, is_long)).collect();
        Some(Self { step, columns, times })
    }

    /// Returns how the axis names a column.
    fn each(&self) -> String {
        match self.step {
            1 => "in each minute".to_owned(),
            60 => "in each hour".to_owned(),
            step if step % DAY == 0 => format!("in each {}", counted_unit(step / DAY, "day")),
            step if step % 60 == 0 => format!("in each {}", counted_unit(step / 60, "hour")),
            step => format!("in each {}", counted_unit(step, "minute")),
        }
    }

    fn requests(&self) -> Plot {
        let series = CLASSES.map(|(class, style, name)| self.series(style, name, |minute| of_class(minute, class)));
        let series: Vec<_> =
            series.into_iter().filter(|series| series.values.iter().any(|value| *value > 0.0)).collect();
        let total: u64 = self.columns.iter().map(of_all).sum();
        let busiest = self.columns.iter().map(of_all).max().unwrap_or_default();
        Plot {
            summary: format!(
                "{} in all, of every kind; {} {} at most.",
                counted(total, "request"),
                grouped(busiest),
                self.each()
            ),
            ..self.bars("Requests and how they ended", format!("requests {}", self.each()), &series)
        }
    }

    fn latencies(&self) -> Plot {
        let shares = [(0.5, "l-p50", "p50"), (0.95, "l-p95", "p95"), (0.99, "l-p99", "p99")];
        let quantile = |histogram: &LatencyHistogram, share| histogram.quantile(share).map(|time| time.as_secs_f64());
        let series = shares.map(|(share, class, _)| {
            (class, self.columns.iter().map(|column| quantile(&column.latencies, share)).collect::<Vec<_>>())
        });
        let Marks { grid, bars, lines } = plot::logarithmic(&series, self.columns.len());
        let mut all = LatencyHistogram::default();
        self.columns.iter().for_each(|column| all.merge(&column.latencies));
        let said = shares.map(|(share, _, name)| Some(format!("{name} {}", plot::seconds(quantile(&all, share)?))));
        let summary = match said.into_iter().collect::<Option<Vec<_>>>() {
            Some(said) => format!("Of all {}: {}.", counted(all.total(), "answer"), said.join(", ")),
            None => "No answer came.".to_owned(),
        };
        let rows = self.columns.iter().zip(&self.times).filter(|(column, _)| column.latencies.total() > 0);
        let cells = |(column, time): (&MinuteTraffic, &String)| {
            let said =
                shares.map(|(share, ..)| quantile(&column.latencies, share).map(plot::seconds).unwrap_or_default());
            std::iter::once(time.clone()).chain(said).collect()
        };
        Plot {
            title: "How long answers took",
            unit: "time to the answer, each line ten times the one below".to_owned(),
            summary,
            legend: if lines.is_empty() { Vec::new() } else { shares.map(|(_, class, name)| (class, name)).to_vec() },
            grid,
            times: plot::time_labels(&self.times),
            bars,
            lines,
            header: vec!["from (UTC)", "p50", "p95", "p99"],
            rows: rows.map(cells).collect(),
        }
    }

    fn pauses(&self) -> Plot {
        let series = [Series {
            class: "c-throttled",
            name: "seconds of pause",
            values: self.columns.iter().map(|column| column.paused.as_secs_f64()).collect(),
        }];
        let total: f64 = series[0].values.iter().sum();
        let summary = if total > 0.0 {
            format!("The API asked to wait {} in all.", plot::seconds(total))
        } else {
            "The API asked for no pause.".to_owned()
        };
        let unit = format!("seconds of pause asked for {}", self.each());
        Plot { summary, ..self.bars("Pauses that the API asked for", unit, &series) }
    }

    fn trouble(&self) -> Plot {
        let series = [
            self.series("c-retry", "retries", |minute| minute.retries),
            self.series("c-silence", "doubts begun", |minute| minute.doubts_opened),
            self.series("c-success", "doubts ended", |minute| minute.doubts_ended),
        ];
        let sum = |of: fn(&MinuteTraffic) -> u64| self.columns.iter().map(of).sum::<u64>();
        let (begun, ended) = (sum(|minute| minute.doubts_opened), sum(|minute| minute.doubts_ended));
        let summary = format!(
            "{}; {} begun and {} ended.",
            counted(sum(|minute| minute.retries), "retry"),
            counted(begun, "doubt"),
            grouped(ended)
        );
        let unit = format!("retries and doubts {}", self.each());
        Plot { summary, ..self.bars("Retries and doubts", unit, &series) }
    }

    fn bars(&self, title: &'static str, unit: String, series: &[Series]) -> Plot {
        let Marks { grid, bars, lines } = plot::stacked(series, self.columns.len());
        let legend = series.iter().filter(|series| series.values.iter().any(|value| *value > 0.0));
        let legend = legend.map(|series| (series.class, series.name)).collect();
        let cells = |(column, time): (usize, &String)| {
            let numbers = series.iter().map(|series| number(series.values[column]));
            let row: Vec<_> = std::iter::once(time.clone()).chain(numbers).collect();
            row[1..].iter().any(|cell| cell != "0").then_some(row)
        };
        Plot {
            title,
            unit,
            summary: String::new(),
            legend,
            grid,
            times: plot::time_labels(&self.times),
            bars,
            lines,
            header: std::iter::once("from (UTC)").chain(series.iter().map(|series| series.name)).collect(),
            rows: self.times.iter().enumerate().filter_map(cells).collect(),
        }
    }

    fn series(&self, class: &'static str, name: &'static str, of: impl Fn(&MinuteTraffic) -> u64) -> Series {
        #[expect(clippy::cast_precision_loss, reason = "no pixel shows it")]
        let values = self.columns.iter().map(|column| of(column) as f64).collect();
        Series { class, name, values }
    }
}

fn of_class(minute: &MinuteTraffic, class: ResponseClass) -> u64 {
    Request::ALL.into_iter().map(|request| minute.responses(request, class)).sum()
}

fn of_all(minute: &MinuteTraffic) -> u64 {
    ResponseClass::ALL.into_iter().map(|class| of_class(minute, class)).sum()
}

/// Returns a whole number with separators, and any other with one decimal.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and not negative")]
fn number(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { format!("{value:.1}") }
}

fn counted_unit(number: i64, unit: &str) -> String {
    let number = number.unsigned_abs();
    if number == 1 { unit.to_owned() } else { format!("{number} {}", plural(number, unit)) }
}

/// Returns the time of a minute in UTC, with the date if the run took long.
fn clock(minute: i64, with_date: bool) -> String {
    let format = if with_date { "%m-%d %H:%M" } else { "%H:%M" };
    Timestamp::from_second(minute.saturating_mul(60)).map(|time| time.strftime(format).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: i64 = 29_400_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second((START + minute) * 60).unwrap()
    }

    fn busy(minute: i64) -> MinuteTraffic {
        let mut traffic = MinuteTraffic::new(START + minute);
        traffic.add_responses(Request::Create, ResponseClass::Success, 55);
        traffic.add_responses(Request::Create, ResponseClass::Throttled, 5);
        traffic.latencies.add(Duration::from_millis(200));
        traffic
    }

    #[test]
    fn a_run_of_one_minute_has_one_column_and_a_long_one_at_most_96() {
        for (minutes, columns, unit) in [
            (1, 1, "requests in each minute"),
            (60, 60, "requests in each minute"),
            (7200, 61, "requests in each 2 hours"),
            (200_000, 70, "requests in each 2 days"),
        ] {
            let traffic: Vec<_> = (0..minutes).step_by(if minutes > 10_000 { 100 } else { 1 }).map(busy).collect();
            let timeline = Timeline::of(&traffic, at(0), Some(at(minutes - 1))).unwrap();
            assert!(
                timeline.columns.len() <= 96 && timeline.columns.len().abs_diff(columns) <= 1,
                "{minutes}: {}",
                timeline.columns.len()
            );
            let plot = timeline.requests();
            assert_eq!(plot.unit, unit, "{minutes}");
            let sum: u64 = timeline.columns.iter().map(of_all).sum();
            assert_eq!(sum, 60 * traffic.len() as u64, "no minute is lost");
        }
    }

    #[test]
    fn a_gap_stays_empty_and_a_run_that_sent_nothing_has_no_plots() {
        let plots = plots(&[busy(0), busy(10)], at(0), Some(at(12)));
        assert_eq!(plots.len(), 4);
        assert_eq!(plots[0].rows.len(), 2, "the table leaves out empty columns");
        assert_eq!(plots[1].lines[0].points.len(), 2);
        assert!(super::plots(&[], at(0), Some(at(5))).is_empty());
    }

    #[test]
    fn a_clock_that_was_set_does_not_stretch_the_plot() {
        let year = 365 * DAY;
        assert_eq!(Timeline::of(&[busy(0)], at(-year), Some(at(year))).unwrap().columns.len(), 1);
        let far = [busy(-28_000_000), busy(0)];
        assert!(Timeline::of(&far, at(0), None).unwrap().columns.len() <= 96);
    }

    #[test]
    fn times_are_those_of_utc() {
        let plot = Timeline::of(&[busy(0)], at(0), None).unwrap().requests();
        assert_eq!(plot.times[0].text, at(0).strftime("%H:%M").to_string());
        assert_eq!(plot.rows[0][0], plot.times[0].text);
        assert!(plot.summary.starts_with("60 requests in all"), "{}", plot.summary);
    }
}
