//! Tables and plots of the grid.
use plotters::prelude::{
    ChartBuilder, Circle, Color, IntoDrawingArea, IntoFont, IntoLogRange, PathElement, RGBColor, SVGBackend,
    SeriesLabelPosition, WHITE,
};

use super::Outcome;
use super::study::{Grid, Point, VARIANTS, Variant, WORK, Work};
use crate::stats::figure;
use crate::table::Table;

const SIZE: (u32, u32) = (960, 540);
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];
/// The load that plots over workers show.
const SHOWN_LOAD: f64 = 0.8;
/// A run that lets through less than this of what comes has no steady state: its latency means nothing.
const KEPT_UP_MIN: f64 = 0.97;

/// One table per kind of work.
pub fn tables(points: &[Point], grid: &Grid) -> Vec<Table> {
    WORK.iter().map(|work| table(points, work, grid)).collect()
}

fn table(points: &[Point], work: &Work, grid: &Grid) -> Table {
    let loads = &grid.loads;
    let mut columns = vec![String::from("workers, rules")];
    columns.extend(loads.iter().map(|load| format!("{} %", figure(load * 100.0))));
    columns.extend(["wakes", "in vain", "CPU µs", "unseen µs", "events/s and driver"].map(String::from));
    let heads: Vec<&str> = columns.iter().map(String::as_str).collect();
    let title = format!("{}: p50 / p99 µs by load", work.name);
    let mut table = Table::new(title, &heads);
    for &workers in &grid.workers {
        for variant in VARIANTS.into_iter().filter(|variant| variant.makes_sense(workers, grid)) {
            let at = |load: f64| find(points, work, variant, workers, load);
            let mut row = vec![format!("{workers}, {}", variant.name())];
            row.extend(loads.iter().map(|&load| at(load).map_or_else(String::new, latency)));
            let middle = loads[loads.len() / 2];
            let mean = |pick: fn(&Outcome) -> f64| {
                at(middle).map_or_else(String::new, |outcome| figure(pick(outcome)))
            };
            row.push(mean(|outcome| outcome.wakes));
            row.push(mean(|outcome| outcome.wasted_wakes));
            row.push(mean(|outcome| outcome.cpu_ns / 1000.0));
            row.push(mean(|outcome| outcome.unseen_ns as f64 / 1000.0));
            let rates = loads.iter().filter_map(|&load| at(load)).map(|outcome| outcome.events_per_s);
            row.push(figure(rates.fold(0.0, f64::max)));
            table.row(row);
        }
    }
    table
}

/// What the columns of the tables mean.
pub fn legend(loads: &[f64]) -> String {
    format!(
        "Latency is the time from the event, or the wake that makes a task ready, to the end of its poll. A load is the part of all workers that polls alone would keep busy; where less than {} % of what came was done, the cell shows that part instead of latencies. Wakes, wakes in vain and CPU are per task, and unseen is the longest time that an event waited in a driver while some worker slept, at {} %. The last column is the most that a driver delivered.",
        figure(KEPT_UP_MIN * 100.0),
        figure(loads[loads.len() / 2] * 100.0)
    )
}

fn latency(outcome: &Outcome) -> String {
    if outcome.kept_up < KEPT_UP_MIN {
        return format!("does {} %", figure(outcome.kept_up * 100.0));
    }
    let micros = |ns: u64| figure(ns as f64 / 1000.0);
    format!("{} / {}", micros(outcome.p50_ns), micros(outcome.p99_ns))
}

fn find<'a>(
    points: &'a [Point],
    work: &Work,
    variant: Variant,
    workers: usize,
    load: f64,
) -> Option<&'a Outcome> {
    let is_it = |point: &&Point| {
        point.work.file == work.file
            && point.variant == variant
            && point.workers == workers
            && (point.load - load).abs() < 1e-9
    };
    points.iter().find(is_it).map(|point| &point.outcome)
}

/// Plots: file name and SVG text. Per kind of work the 99th percentile by workers at one load.
///
/// # Errors
/// If a plot cannot be drawn.
pub fn plots(points: &[Point]) -> Result<Vec<(String, String)>, String> {
    let mut plots = Vec::new();
    for work in &WORK {
        let lines: Vec<Line> = VARIANTS.iter().map(|&variant| line(points, work, variant)).collect();
        if lines.iter().any(|line| !line.points.is_empty()) {
            let svg = draw(work, &lines).map_err(|error| error.to_string())?;
            plots.push((format!("p99-{}.svg", work.file), svg));
        }
    }
    Ok(plots)
}

struct Line {
    name: String,
    /// Workers and µs, where the load was kept up with.
    points: Vec<(f64, f64)>,
}

fn line(points: &[Point], work: &Work, variant: Variant) -> Line {
    let of_line = points.iter().filter(|point| {
        point.work.file == work.file
            && point.variant == variant
            && (point.load - SHOWN_LOAD).abs() < 1e-9
            && point.outcome.kept_up >= KEPT_UP_MIN
    });
    let points = of_line.map(|point| (point.workers as f64, point.outcome.p99_ns as f64 / 1000.0)).collect();
    Line { name: variant.name(), points }
}

fn draw(work: &Work, lines: &[Line]) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    let all = || lines.iter().flat_map(|line| &line.points);
    let range = |values: &dyn Fn() -> Vec<f64>| {
        let values = values();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        (least / 1.3)..(values.iter().copied().fold(0.0, f64::max) * 1.3)
    };
    let workers = range(&|| all().map(|point| point.0).collect());
    let micros = range(&|| all().map(|point| point.1).collect());
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let title = format!("99th percentile at {} % load: {}", figure(SHOWN_LOAD * 100.0), work.name);
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 20).into_font())
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(80)
            .build_cartesian_2d(workers.log_scale(), micros.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("workers")
            .y_desc("µs")
            .x_label_formatter(&|value| figure(*value))
            .y_label_formatter(&|value| figure(*value))
            .label_style(("sans-serif", 15))
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS) {
            let path = PathElement::new(line.points.clone(), colour.stroke_width(2));
            let label = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(3));
            chart.draw_series([path])?.label(line.name.as_str()).legend(label);
            chart.draw_series(line.points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(("sans-serif", 15))
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::{plots, tables};
    use crate::simulation::study::{VARIANTS, WORK, study, tests::small};

    #[test]
    fn tables_have_a_row_per_variant_and_plots_a_line() {
        let grid = small();
        let points = study(&grid);
        let tables = tables(&points, &grid);
        assert_eq!(tables.len(), WORK.len());
        let text = tables[0].markdown();
        assert_eq!(text.lines().filter(|line| line.starts_with("| 32, ")).count(), VARIANTS.len());
        let plots = plots(&points).unwrap();
        // So few tasks are not enough for all kinds of work to get into a steady state.
        assert!(plots.iter().any(|(file, _)| file == "p99-50us.svg"));
        for (file, svg) in &plots {
            for variant in VARIANTS {
                assert!(svg.contains(&format!("\n{}\n", variant.name())), "{file} lacks {}", variant.name());
            }
        }
    }
}
