//! Bars of the server table: one plot per figure and placement, with the range over the rounds.
use std::ops::Range;

use plotters::chart::ChartContext;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoFont, IntoLogRange, PathElement, RGBColor, Rectangle,
    SVGBackend, SeriesLabelPosition, ShapeStyle, WHITE,
};

use super::case::{Case, Placement, Traffic};
use super::record::{Report, ServerFigures, ServerRecord};
use super::render::measured;
use super::servers::SERVERS;
use crate::stats::{Summary, figure};

const SIZE: (u32, u32) = (960, 540);
/// Told apart also by people who do not see red and green alike (Okabe and Ito).
const COLOURS: [RGBColor; SERVERS.len()] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(90, 90, 90),
    RGBColor(240, 228, 66),
    RGBColor(0, 60, 70),
    RGBColor(170, 170, 170),
    RGBColor(140, 80, 30),
];
/// Part of a group's width that its bars fill.
const FILLED: f64 = 0.84;
/// Width of the legend as a part of all groups' width: beside the bars, so that it hides none.
const LEGEND: f64 = 0.17;

struct Metric {
    file: &'static str,
    title: &'static str,
    unit: &'static str,
    is_logarithmic: bool,
    pick: fn(&ServerFigures) -> f64,
}

const METRICS: [Metric; 3] = [
    Metric {
        file: "throughput",
        title: "Throughput",
        unit: "requests/s",
        is_logarithmic: false,
        pick: |figures| figures.requests_per_s,
    },
    Metric {
        file: "p99",
        title: "Latency, 99th percentile",
        unit: "µs",
        is_logarithmic: true,
        pick: |figures| figures.p99_us,
    },
    Metric {
        file: "cpu",
        title: "Server CPU per request",
        unit: "µs",
        is_logarithmic: false,
        pick: ServerFigures::cpu_us,
    },
];

struct Bar {
    group: usize,
    contestant: usize,
    summary: Summary,
}

/// Bars that belong into one plot: one kind of traffic in one placement.
struct Scene<'a> {
    report: &'a Report,
    traffic: Traffic,
    placement: Placement,
    cases: Vec<Case>,
}

impl Scene<'_> {
    /// What tells its files and titles from those of others.
    fn name(&self) -> String {
        match self.traffic {
            Traffic::PingPong => self.placement.name().to_owned(),
            traffic => format!("{}-{}", traffic.name(), self.placement.name()),
        }
    }
}

/// All plots of the server table: file name and SVG text.
///
/// # Errors
/// If a plot cannot be drawn.
pub fn plots(report: &Report) -> Result<Vec<(String, String)>, String> {
    let mut plots = Vec::new();
    for scene in scenes(report) {
        for metric in &METRICS {
            let (bars, names) = bars(&scene, metric);
            if !bars.is_empty() {
                let svg = draw(&scene, metric, &bars, &names).map_err(|error| error.to_string())?;
                plots.push((format!("{}-{}.svg", metric.file, scene.name()), svg));
            }
        }
    }
    Ok(plots)
}

fn scenes(report: &Report) -> Vec<Scene<'_>> {
    let mut scenes: Vec<Scene<'_>> = Vec::new();
    for &case in &report.plan.cases {
        let (traffic, placement) = (case.traffic, case.placement);
        match scenes.iter_mut().find(|scene| scene.traffic == traffic && scene.placement == placement) {
            Some(scene) => scene.cases.push(case),
            None => scenes.push(Scene { report, traffic, placement, cases: vec![case] }),
        }
    }
    scenes
}

fn bars(scene: &Scene<'_>, metric: &Metric) -> (Vec<Bar>, Vec<&'static str>) {
    let names: Vec<&'static str> = SERVERS.iter().map(|server| server.name).collect();
    let mut bars = Vec::new();
    for (group, case) in scene.cases.iter().enumerate() {
        let belongs = |record: &&ServerRecord| record.case == *case;
        let records: Vec<&ServerRecord> = scene.report.servers.iter().filter(belongs).collect();
        for (contestant, name) in names.iter().enumerate() {
            let rounds = measured(&records, name);
            if let Some(summary) = Summary::of(rounds.iter().map(|(_, figures)| (metric.pick)(figures))) {
                bars.push(Bar { group, contestant, summary });
            }
        }
    }
    (bars, names)
}

fn draw(
    scene: &Scene<'_>,
    metric: &Metric,
    bars: &[Bar],
    names: &[&str],
) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    let top = bars.iter().map(|bar| bar.summary.max).fold(0.0, f64::max) * 1.15;
    let bottom = bars.iter().map(|bar| bar.summary.min).fold(f64::INFINITY, f64::min) / 1.5;
    let title = format!("{} ({})", metric.title, scene.name());
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let groups = Groups(scene.cases.iter().map(|case| case.label(&scene.cases)).collect());
        let mut builder = ChartBuilder::on(&root);
        builder
            .caption(title, ("sans-serif", 22).into_font())
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(90);
        if metric.is_logarithmic {
            let bottom = bottom.max(f64::MIN_POSITIVE);
            let chart = builder.build_cartesian_2d(groups, (bottom..top.max(bottom * 2.0)).log_scale())?;
            fill(chart, metric, bars, names, bottom)?;
        } else {
            let chart = builder.build_cartesian_2d(groups, 0.0..top.max(f64::MIN_POSITIVE))?;
            fill(chart, metric, bars, names, 0.0)?;
        }
        root.present()?;
    }
    Ok(svg)
}

type Chart<'a, Y> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Groups, Y>>;

fn fill<'a, Y>(
    mut chart: Chart<'a, Y>,
    metric: &Metric,
    bars: &[Bar],
    names: &[&str],
    floor: f64,
) -> Result<(), Box<dyn std::error::Error>>
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64> + 'a,
{
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_desc("connections")
        .y_desc(metric.unit)
        .y_label_formatter(&|value| figure(*value))
        .label_style(("sans-serif", 15))
        .draw()?;
    let present: Vec<usize> =
        (0..names.len()).filter(|&index| bars.iter().any(|bar| bar.contestant == index)).collect();
    let width = FILLED / present.len() as f64;
    for (position, &contestant) in present.iter().enumerate() {
        let colour = COLOURS[contestant];
        let of_contestant: Vec<&Bar> = bars.iter().filter(|bar| bar.contestant == contestant).collect();
        let left = |bar: &Bar| bar.group as f64 + (1.0 - FILLED) / 2.0 + position as f64 * width;
        let rectangles = of_contestant.iter().map(|bar| {
            let corners = [(left(bar), floor), (left(bar) + 0.92 * width, bar.summary.median)];
            Rectangle::new(corners, colour.filled())
        });
        chart
            .draw_series(rectangles)?
            .label(names[contestant])
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        let black = ShapeStyle { color: RGBColor(40, 40, 40).to_rgba(), filled: false, stroke_width: 1 };
        chart.draw_series(of_contestant.iter().map(|bar| {
            let middle = left(bar) + 0.46 * width;
            PathElement::new([(middle, bar.summary.min), (middle, bar.summary.max)], black)
        }))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 15))
        .draw()?;
    Ok(())
}

/// The horizontal axis: group `i` fills `i..i + 1` and has its label in the middle.
struct Groups(Vec<String>);

impl Ranged for Groups {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = value / self.range().end;
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        (0..self.0.len()).map(|group| group as f64 + 0.5).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.0.len() as f64 * (1.0 + LEGEND)
    }
}

impl ValueFormatter<f64> for Groups {
    fn format_ext(&self, value: &f64) -> String {
        self.0.get(value.floor() as usize).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::plots;
    use crate::compare::record::tests::example;

    #[test]
    fn one_plot_per_figure_with_a_legend_entry_per_contestant() {
        let plots = plots(&example()).unwrap();
        let files: Vec<&str> = plots.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(files, ["throughput-unpinned.svg", "p99-unpinned.svg", "cpu-unpinned.svg"]);
        for (file, svg) in &plots {
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{file}");
            for text in ["tokio", "threads", "connections", "64"] {
                assert!(svg.contains(&format!("\n{text}\n")), "{file} lacks {text}");
            }
            assert!(!svg.contains("smol"), "{file} shows somebody without figures");
        }
    }

    #[test]
    fn nothing_measured_draws_nothing() {
        let mut report = example();
        report.servers.clear();
        assert!(plots(&report).unwrap().is_empty());
    }
}
