use super::*;

#[test]
fn everything_is_on_the_page_and_nothing_is_fetched() {
    #[derive(Serialize)]
    struct Inner {
        rate: f64,
    }
    #[derive(Serialize)]
    struct Config {
        steps: u32,
        map: Inner,
        cost: (),
    }
    let home = tempfile::tempdir().unwrap();
    let (log, picture) = (home.path().join("log.csv"), home.path().join("a.png"));
    std::fs::write(&log, "step,map_loss,never\n1,2.0,NaN\n2,1.5,NaN\n").unwrap();
    std::fs::write(&picture, b"\x89PNG").unwrap();
    let config = Config { steps: 3, map: Inner { rate: 1e-3 }, cost: () };
    let page = Report::new("Title & more")
        .heading("Part")
        .text("<script>alert(1)</script>")
        .settings("Settings", &config)
        .unwrap()
        .log(&log)
        .unwrap()
        .picture("It's a \"picture\"", &picture)
        .unwrap()
        .table("Scores", &["map", "error"], &[vec!["a".into(), "1.0 ± 0.1".into()]])
        .this_command()
        .to_html();
    for part in [
        "<h1>Title &amp; more</h1>",
        "<td>map.rate</td><td class=number>0.001</td>",
        "&lt;script&gt;",
        "<td class=number>1.0 ± 0.1</td>",
        "alt=\"It's a &quot;picture&quot;\" src=\"data:image/png;base64,iVBORw==\"",
        "<figcaption>map loss</figcaption>",
        "Without a finite number: never.",
        "<h2>Command</h2>",
        "<td>brenier</td>",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    for absent in ["<script", "http:", "https:", "href"] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[test]
fn markdown_is_a_table_and_pictures_are_found() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("b")).unwrap();
    for name in ["b/1.svg", "c.png", "a.png", "log.csv"] {
        std::fs::write(home.path().join(name), b"").unwrap();
    }
    let table = "| L2-UVP, % | \\|x\\| |\n|---|---:|\n| **uotm** | 0.48 |\n\n† then diverges.\n";
    let page = Report::new("").markdown("Scores", table).pictures(home.path()).unwrap().to_html();
    assert!(page.contains("<tr><th>L2-UVP, %</th><th class=number>|x|</th></tr>"), "{page}");
    assert!(page.contains("<tr><td>uotm</td><td class=number>0.48</td></tr>"), "{page}");
    assert!(page.contains("<p>† then diverges.</p>"), "{page}");
    let captions: Vec<&str> =
        page.split("<figcaption>").skip(1).map(|t| t.split('<').next().unwrap()).collect();
    assert_eq!(captions, ["a.png", "b/1.svg", "c.png"]);
    assert!(matches!(Report::new("").pictures("missing"), Err(Error::Io { .. })));
    let csv = home.path().join("scores.csv");
    std::fs::write(&csv, "step,cost\n12345678,0.123456789\n2,1.23456789e-9\n").unwrap();
    let page = Report::new("").csv("Scores", &csv).unwrap().to_html();
    assert!(page.contains("<td class=number>0.1235</td>"), "{page}");
    assert!(page.contains("<td class=number>1.235e-9</td>"), "{page}");
}

#[test]
fn what_cannot_be_shown_is_an_error() {
    let page = Report::new("t");
    let refused = page.clone().picture("x", "no.bmp").unwrap_err().to_string();
    assert!(refused.contains("no.bmp") && refused.contains(".png"), "{refused}");
    let missing = page.clone().picture("x", "missing.png").unwrap_err();
    assert!(matches!(missing, Error::Io { .. }));
    assert!(page.clone().log("missing.csv").is_err());
    let keys = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(page.settings("s", &keys), Err(Error::InvalidConfig { .. })));
}
