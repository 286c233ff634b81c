//! A piece of the grid as a drawing: where its things stand on the plane, what joins them, how each is. Knows no HTTP and asks nobody; what it is told
//! of the grid it draws, bounded by [`MAX_DOTS`].

use std::collections::BTreeMap;

use gridbell_topology::{Grid, Hangs, Position};
use serde::Serialize;

/// Transformers that are drawn one by one at most; of more, a dot stands for all of a section.
pub(super) const MAX_DOTS: usize = 3_000;
/// The width of the drawing, in its own units; its height follows from the land.
const WIDTH: f64 = 1_000.0;
/// The least and the largest height for the width, so that it fits a telephone.
const HEIGHTS: (f64, f64) = (380.0, 1_400.0);
/// Room around the outermost dots.
const MARGIN: f64 = 36.0;
/// The least extent of what is drawn, in degrees: some 300 m, so that one transformer alone does not fill the page.
const LEAST_DEGREES: f64 = 0.003;

/// How the power is at a thing; the gravest is the largest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Power {
    /// As always.
    #[default]
    On,
    /// It will be off.
    Soon,
    /// It is off.
    Off,
}

impl Power {
    /// What people read.
    pub(super) fn chinese(self) -> &'static str {
        match self {
            Self::On => "正常供电",
            Self::Soon => "将停电",
            Self::Off => "停电中",
        }
    }
}

/// A dot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) r: f64,
    pub(super) power: Power,
    /// `transformer`, `section` or `substation`.
    pub(super) kind: &'static str,
    /// What it is called, and how it is.
    pub(super) title: String,
    /// Where it leads: a transformer's code, or a line's; empty for nowhere.
    pub(super) transformer: String,
    pub(super) line: String,
}

/// A wire from one point to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Wire {
    pub(super) x1: f64,
    pub(super) y1: f64,
    pub(super) x2: f64,
    pub(super) y2: f64,
    pub(super) power: Power,
    /// Between sections, and not from one to its transformer.
    pub(super) trunk: bool,
}

/// The drawing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Plot {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) wires: Vec<Wire>,
    pub(super) dots: Vec<Dot>,
    /// Transformers that are drawn, each or with its section.
    pub(super) drawn: usize,
    /// Transformers of which nobody said where they stand.
    pub(super) unplaced: usize,
    /// Whether a dot stands for a section.
    pub(super) gathered: bool,
}

/// A section with its transformers that have a place.
struct Piece {
    line: u32,
    upstream: Option<u32>,
    /// Number, east and north.
    placed: Vec<(u32, f64, f64)>,
    middle: Option<(f64, f64)>,
}

fn place(position: Position) -> (f64, f64) {
    (f64::from(position.longitude) / 1e6, f64::from(position.latitude) / 1e6)
}

fn middle(of: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let (sum, n) = of.fold(((0.0, 0.0), 0u32), |((x, y), n), (dx, dy)| ((x + dx, y + dy), n + 1));
    (n > 0).then(|| (sum.0 / f64::from(n), sum.1 / f64::from(n)))
}

/// From degrees to the drawing: a degree east is shorter than one north, as it is at this latitude.
struct Frame {
    west: f64,
    north: f64,
    narrow: f64,
    scale: f64,
}

impl Frame {
    /// Holds all of `points`, and its height.
    fn around(points: &[(f64, f64)]) -> Option<(Self, f64)> {
        let (x, y) = middle(points.iter().copied())?;
        let narrow = y.to_radians().cos().max(0.1);
        let reach = |of: fn(&(f64, f64)) -> f64, about: f64| {
            points.iter().map(|p| (of(p) - about).abs()).fold(LEAST_DEGREES / 2.0, f64::max)
        };
        let (east, north) = (reach(|p| p.0, x) * narrow, reach(|p| p.1, y));
        let height = (WIDTH * north / east).clamp(HEIGHTS.0, HEIGHTS.1);
        let scale = ((WIDTH - 2.0 * MARGIN) / (2.0 * east)).min((height - 2.0 * MARGIN) / (2.0 * north));
        let (half_x, half_y) = (WIDTH / 2.0 / scale / narrow, height / 2.0 / scale);
        Some((Self { west: x - half_x, north: y + half_y, narrow, scale }, height))
    }

    fn at(&self, (east, north): (f64, f64)) -> (f64, f64) {
        let round = |v: f64| (v * 10.0).round() / 10.0;
        (round((east - self.west) * self.narrow * self.scale), round((self.north - north) * self.scale))
    }
}

impl Plot {
    /// Draws `lines` of `grid`; `power` says how a transformer is.
    pub(super) fn of(grid: &Grid, lines: &[u32], power: impl Fn(u32) -> Power) -> Self {
        let pieces = pieces(grid, lines);
        let mut plot = Self { width: WIDTH, height: HEIGHTS.0, ..Self::default() };
        plot.drawn = pieces.values().map(|p| p.placed.len()).sum();
        plot.unplaced = of_sections(grid, &pieces) - plot.drawn;
        plot.gathered = plot.drawn > MAX_DOTS;
        let points: Vec<(f64, f64)> = pieces.values().flat_map(|p| &p.placed).map(|(_, x, y)| (*x, *y)).collect();
        let Some((frame, height)) = Frame::around(&points) else { return plot };
        plot.height = height.round();
        for piece in pieces.values() {
            plot.section(grid, &pieces, piece, &frame, &power);
        }
        plot.substations(grid, lines, &pieces, &frame);
        // What is worst lies on top.
        plot.dots.sort_by_key(|d| d.power);
        plot.wires.sort_by_key(|w| w.power);
        plot
    }

    fn section(
        &mut self,
        grid: &Grid,
        pieces: &BTreeMap<u32, Piece>,
        piece: &Piece,
        frame: &Frame,
        power: &impl Fn(u32) -> Power,
    ) {
        let Some(here) = piece.middle.map(|m| frame.at(m)) else { return };
        let worst = piece.placed.iter().map(|(t, ..)| power(*t)).max().unwrap_or_default();
        let code = grid.line(piece.line).map(|l| l.code.to_string()).unwrap_or_default();
        if let Some(up) = upstream(pieces, piece).map(|m| frame.at(m)) {
            self.wires.push(Wire { x1: up.0, y1: up.1, x2: here.0, y2: here.1, power: worst, trunk: true });
        }
        if self.gathered {
            let off = piece.placed.iter().filter(|(t, ..)| power(*t) != Power::On).count();
            let name = grid.line(piece.line).map(|l| l.name.clone()).unwrap_or_default();
            let n = piece.placed.len();
            let title = match off {
                0 => format!("{name}：{n} 台配变，{}", worst.chinese()),
                _ => format!("{name}：{n} 台配变，其中 {off} 台{}", worst.chinese()),
            };
            let r = (3.0 + (n as f64).sqrt()).min(14.0);
            let (x, y) = here;
            self.dots.push(Dot {
                x,
                y,
                r,
                power: worst,
                kind: "section",
                title,
                transformer: String::new(),
                line: code,
            });
            return;
        }
        for (number, east, north) in &piece.placed {
            let (x, y) = frame.at((*east, *north));
            let (power, Some(t)) = (power(*number), grid.transformer(*number)) else { continue };
            self.wires.push(Wire { x1: here.0, y1: here.1, x2: x, y2: y, power, trunk: false });
            let place = if t.place.is_empty() { String::new() } else { format!("（{}）", t.place) };
            let title = format!("{}{place}：{}", t.name, power.chinese());
            let (transformer, line) = (t.code.to_string(), code.clone());
            self.dots.push(Dot { x, y, r: 6.0, power, kind: "transformer", title, transformer, line });
        }
    }

    /// A substation stands in the middle of where its lines begin: nobody says where it is.
    fn substations(&mut self, grid: &Grid, lines: &[u32], pieces: &BTreeMap<u32, Piece>, frame: &Frame) {
        let mut begins: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
        for line in lines.iter().filter_map(|n| grid.line(*n)) {
            let first = pieces.get(&line.first).and_then(|p| p.middle);
            begins.entry(line.substation).or_default().extend(first);
        }
        for (number, begins) in begins {
            let (Some(station), Some(about)) = (grid.substation(number), middle(begins.iter().copied())) else {
                continue;
            };
            let (x, y) = frame.at(about);
            for (x2, y2) in begins.iter().map(|b| frame.at(*b)) {
                self.wires.push(Wire { x1: x, y1: y, x2, y2, power: Power::On, trunk: true });
            }
            let (transformer, line) = (String::new(), String::new());
            let (kind, title) = ("substation", station.name.clone());
            self.dots.push(Dot { x, y, r: 8.0, power: Power::On, kind, title, transformer, line });
        }
    }
}

/// The sections of `lines`, by number.
fn pieces(grid: &Grid, lines: &[u32]) -> BTreeMap<u32, Piece> {
    let mut pieces = BTreeMap::new();
    for (number, line) in lines.iter().filter_map(|n| Some((*n, grid.line(*n)?))) {
        let mut ahead = vec![line.first];
        while let Some((section, s)) = ahead.pop().and_then(|n| Some((n, grid.section(n)?))) {
            ahead.extend(&s.downstream);
            let of = |t: &u32| {
                let (east, north) = place(grid.transformer(*t)?.position?);
                Some((*t, east, north))
            };
            let placed: Vec<(u32, f64, f64)> = s.transformers.iter().filter_map(of).collect();
            let upstream = match s.hangs {
                Hangs::Line(_) => None,
                Hangs::Section(up) => Some(up),
            };
            let middle = middle(placed.iter().map(|(_, x, y)| (*x, *y)));
            pieces.insert(section, Piece { line: number, upstream, placed, middle });
        }
    }
    pieces
}

/// Where the next section above that has a place is.
fn upstream(pieces: &BTreeMap<u32, Piece>, piece: &Piece) -> Option<(f64, f64)> {
    let mut above = piece.upstream;
    while let Some(up) = above.and_then(|n| pieces.get(&n)) {
        if up.middle.is_some() {
            return up.middle;
        }
        above = up.upstream;
    }
    None
}

fn of_sections(grid: &Grid, pieces: &BTreeMap<u32, Piece>) -> usize {
    pieces.keys().filter_map(|n| grid.section(*n)).map(|s| s.transformers.len()).sum()
}
