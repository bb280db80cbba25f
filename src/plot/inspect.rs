//! Reads pictures back for the tests.

use std::collections::HashMap;

use super::page::{Font, BLACK};

/// An element of an SVG file.
pub(super) struct Element {
    pub(super) tag: String,
    attributes: HashMap<String, String>,
    pub(super) text: String,
}

impl Element {
    pub(super) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> f64 {
        self.get(name).parse().unwrap()
    }

    /// Coordinates of a polyline or polygon.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let pair =
            |p: &str| p.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()));
        self.get("points").split_whitespace().filter_map(pair).collect()
    }
}

/// All elements; panics where the text is not well formed.
pub(super) fn parse(svg: &str) -> Vec<Element> {
    let (mut elements, mut open, mut rest) = (Vec::<Element>::new(), Vec::<usize>::new(), svg);
    while let Some(start) = rest.find('<') {
        let (text, tail) = rest.split_at(start);
        assert!(!text.contains('>'), "{text}");
        if let Some(&last) = open.last() {
            elements[last].text += &unescape(text.trim());
        }
        let (inside, tail) = tail[1..].split_once('>').expect("an unfinished element");
        rest = tail;
        if let Some(tag) = inside.strip_prefix('/') {
            assert_eq!(elements[open.pop().unwrap()].tag, tag);
            continue;
        }
        let alone = inside.ends_with('/');
        let inside = inside.trim_end_matches('/');
        let (tag, mut attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        let mut found = HashMap::new();
        while let Some((name, tail)) = attributes.split_once("=\"") {
            let (value, tail) = tail.split_once('"').unwrap();
            found.insert(name.trim().to_string(), unescape(value));
            attributes = tail;
        }
        assert!(attributes.trim().is_empty(), "{attributes}");
        if !alone {
            open.push(elements.len());
        }
        elements.push(Element { tag: tag.into(), attributes: found, text: String::new() });
    }
    assert!(open.is_empty() && rest.trim().is_empty());
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
    elements
}

fn unescape(text: &str) -> String {
    let names = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    names.iter().fold(text.to_string(), |text, (name, c)| text.replace(name, c))
}

/// Texts in the order in which they were drawn.
pub(super) fn texts(svg: &str) -> Vec<String> {
    parse(svg).into_iter().filter(|e| e.tag == "text").map(|e| e.text).collect()
}

/// Circles of the given colour.
pub(super) fn circles(svg: &str, color: plotters::style::RGBColor) -> Vec<Element> {
    let name = format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
    parse(svg).into_iter().filter(|e| e.tag == "circle" && e.get("fill") == name).collect()
}

/// Panics if a text leaves the page or touches another one, by the widths of a wide font.
pub(super) fn assert_legible(svg: &str) {
    let elements = parse(svg);
    let view: Vec<f64> =
        elements[0].get("viewBox").split(' ').map(|v| v.parse().unwrap()).collect();
    let mut boxes: Vec<(String, [f64; 4])> = Vec::new();
    for e in elements.iter().filter(|e| e.tag == "text") {
        let size = e.number("font-size");
        let font = Font { size, bold: e.get("font-weight") == "bold", color: BLACK };
        let (width, half) = (font.width(&e.text), 0.5 * size);
        let before = match e.get("text-anchor") {
            "start" => 0.0,
            "middle" => 0.5 * width,
            _ => width,
        };
        let (x, y) = (e.number("x"), e.number("y"));
        let place = match e.get("transform").is_empty() {
            true => [x - before, y - half, x - before + width, y + half],
            false => [x - half, y - before, x + half, y - before + width],
        };
        let [left, top, right, bottom] = place;
        let inside = left >= 0.0 && top >= 0.0 && right <= view[2] && bottom <= view[3];
        assert!(inside, "{:?} at {place:?} leaves {view:?}", e.text);
        for (other, b) in &boxes {
            let apart = right <= b[0] || b[2] <= left || bottom <= b[1] || b[3] <= top;
            assert!(apart, "{:?} touches {other:?}", e.text);
        }
        boxes.push((e.text.clone(), place));
    }
}
