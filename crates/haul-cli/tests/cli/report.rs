//! `--report`: the page is made by real runs and opened in a real browser, without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use haul_testserver::TestServer;
use haul_testsupport::browser::{Browser, Window};
use serde_json::Value;

const DESKTOP: Window = Window { width: 1280, height: 900, dark: false };
const DARK: Window = Window { dark: true, ..DESKTOP };
const PHONE: Window = Window { width: 390, height: 844, dark: false };
const WINDOWS: [Window; 4] = [DESKTOP, DARK, PHONE, Window { dark: true, ..PHONE }];

/// A text that does something where it is taken for a part of the page.
const HOSTILE: &str = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><!--";

/// The reports of a run of everything and of a load, in a directory that goes with them.
struct Reports {
    directory: tempfile::TempDir,
}

impl Reports {
    fn make() -> Self {
        let reports = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let origin = TestServer::start().expect("a free port");
        let lines: Vec<String> = (0..300)
            .map(|n| origin.url_on(&format!("h{}.localhost", n % 10), &format!("/bytes/{}?n={n}&key=s3cret", 100 * n)))
            .chain((0..20).map(|n| origin.url_on("slow.localhost", &format!("/json/{n}"))))
            .chain((0..5).map(|n| origin.url_on("again.localhost", &format!("/flaky/1?n={n}"))))
            .chain([
                origin.url_on("cut.localhost", "/reset/body"),
                origin.url_on("odd.localhost", &format!("/status/404/{HOSTILE}?{HOSTILE}")),
                origin.url("/bytes/1").replacen("://", "://user:s3cret@", 1),
                HOSTILE.to_owned(),
                "http://127.0.0.1:1/".to_owned(),
            ])
            .collect();
        let input = reports.path("input");
        fs::write(&input, lines.join("\n")).expect("the directory is ours");
        let input = input.to_str().expect("a plain path");
        reports.run("get.html", Some(1), &["get", "-i", input, "-q", "-c", "32", "-H", "authorization: Bearer s3cret"]);
        reports.run(
            "bench.html",
            Some(0),
            &["bench", "-q", "-c", "4", "-n", "2000", &origin.url("/bytes/100?key=s3cret")],
        );
        reports.run(
            "open.html",
            Some(0),
            &["bench", "-q", "--rate", "1000/s", "-n", "500", &origin.url("/bytes/100?delay=3ms&key=s3cret")],
        );
        // From 1 to 30 ms, so that there is something to see.
        let url = |n: u64| origin.url(&format!("/bytes/1000?delay={}ms&key=s3cret&n={n}", 1 + n % 30));
        let urls: Vec<String> = (0..150).map(url).collect();
        let mut compare = vec!["compare", "-q", "-r", "1", "--modes", "threads,threads-reuse,gather,h2"];
        compare.extend(urls.iter().map(String::as_str));
        reports.run("compare.html", Some(0), &compare);
        reports
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, name: &str, code: Option<i32>, arguments: &[&str]) {
        let ran = Command::new(env!("CARGO_BIN_EXE_haul"))
            .args(arguments)
            .arg("--report")
            .arg(self.path(name))
            .stdin(Stdio::null())
            .output()
            .expect("cargo built it");
        assert_eq!(ran.status.code(), code, "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// What has to be true of every chart that can be seen, whatever the window: drawn, at a real size, in the page's colours.
const CHARTS: &str = r#"[...document.querySelectorAll(".plot")].filter((plot) => plot.offsetParent).map((plot) => {
  const drawn = [...plot.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 0);
  const size = drawn[0].getBoundingClientRect();
  const marks = [...drawn[0].querySelectorAll("polyline, polygon")].map((mark) => {
    const style = getComputedStyle(mark), box = mark.getBoundingClientRect();
    return { wide: box.width, colour: mark.tagName === "polygon" ? style.fill : style.stroke };
  });
  const texts = [...drawn[0].querySelectorAll("text")].filter((text) => text.getBoundingClientRect().width > 3).length;
  return { id: plot.parentElement.id, drawings: drawn.length, width: size.width, height: size.height, marks, texts };
})"#;

fn check_charts(browser: &mut Browser, ids: &[&str]) {
    let charts = browser.evaluate(CHARTS);
    let charts = charts.as_array().expect("a list");
    assert_eq!(charts.iter().map(|chart| chart["id"].as_str().expect("text")).collect::<Vec<_>>(), ids);
    for chart in charts {
        let number = |value: &Value| value.as_f64().expect("a number");
        assert_eq!(chart["drawings"], 1, "{chart}");
        assert!(number(&chart["width"]) > 250.0 && number(&chart["height"]) > 150.0, "{chart}");
        assert!(number(&chart["texts"]) >= 5.0, "ticks can be read: {chart}");
        // The axes are strokes, too: at least one line more, or layers.
        let own =
            |mark: &&Value| !["rgb(0, 0, 1)", "rgb(0, 0, 2)", "none"].contains(&mark["colour"].as_str().expect("text"));
        let marks: Vec<_> = chart["marks"].as_array().expect("a list").iter().filter(own).collect();
        assert!(marks.iter().any(|mark| number(&mark["wide"]) > 150.0), "{chart}");
        assert!(!chart.to_string().contains("rgb(0, 1, "), "a colour is not the style sheet's: {chart}");
    }
}

/// The lowest contrast of visible text, and of what charts draw, with whose it is.
const CONTRAST: &str = r##"(() => {
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 0, 255];
  };
  const contrast = (colour, element) => {
    const [a, b] = [light(parse(colour)), light(behind(element))].sort((a, b) => b - a);
    return (a + 0.05) / (b + 0.05);
  };
  const seen = (element) => element.getBoundingClientRect().width > 1;
  let text = { ratio: 99 }, drawn = { ratio: 99 };
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !seen(element) || ["SCRIPT", "title"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ratio = contrast(element instanceof SVGElement ? style.fill : style.color, element);
    if (ratio < text.ratio) text = { ratio, of: element.outerHTML.slice(0, 200) };
  }
  for (const element of document.querySelectorAll("svg rect[class^=k], svg polyline, svg polygon, i[class^=k]")) {
    if (!seen(element) || element.getAttribute("stroke") === "#000002") continue;
    const style = getComputedStyle(element);
    const colour = element.tagName === "I" ? style.backgroundColor : element.tagName === "polyline" ? style.stroke : style.fill;
    const ratio = contrast(colour, element.parentElement);
    if (ratio < drawn.ratio) drawn = { ratio, of: element.outerHTML.slice(0, 200) };
  }
  return { text, drawn };
})()"##;

fn check_contrast(browser: &mut Browser) {
    let lowest = browser.evaluate(CONTRAST);
    // What WCAG 2.2 asks of text (1.4.3, AA) and of graphics (1.4.11).
    assert!(lowest["text"]["ratio"].as_f64().is_some_and(|ratio| (4.5..99.0).contains(&ratio)), "{lowest}");
    assert!(lowest["drawn"]["ratio"].as_f64().is_some_and(|ratio| (3.0..99.0).contains(&ratio)), "{lowest}");
}

/// Nobody complained, and nothing was asked for but the page itself.
fn check_quiet(browser: &Browser, page: &Path) {
    assert_eq!(browser.complaints(), [""; 0]);
    let name = page.file_name().and_then(|name| name.to_str()).expect("a name");
    let asked = browser.asked_for();
    assert!(asked.iter().any(|url| url.ends_with(name)), "{asked:?}");
    let elsewhere: Vec<_> = asked.iter().filter(|url| !url.ends_with(name) && !url.starts_with("data:")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// The texts of the first table with this caption, in the rows that can be seen.
fn cells(browser: &mut Browser, caption: &str, column: usize) -> Vec<String> {
    let script = format!(
        "[...[...document.querySelectorAll('table')].find((table) => table.caption.textContent.startsWith({caption:?}))\
         .tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[{column}].textContent)"
    );
    let cells = browser.evaluate(&script);
    cells.as_array().expect("a list").iter().map(|cell| cell.as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_report_is_drawn_in_every_window_without_complaint_or_network() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    let charts = ["throughput", "in-flight", "received", "cdf", "percentiles", "phases-0"];
    for name in ["get.html", "bench.html", "open.html"] {
        let page = reports.path(name);
        let size = fs::metadata(&page).expect("written").len();
        assert!(size < 1_500_000, "{name} has {size} bytes");
        for window in WINDOWS {
            browser.open(&page, window);
            check_charts(&mut browser, &charts);
            check_contrast(&mut browser);
            check_quiet(&browser, &page);
            let wide = browser.evaluate("document.documentElement.scrollWidth").as_f64().expect("a number");
            assert!(wide <= f64::from(window.width), "{window:?}: the page is {wide} wide");
        }
    }
    let note = browser.evaluate("document.querySelector('.note').innerText");
    assert!(note.as_str().is_some_and(|note| note.starts_with("An open loop: latencies count from when")), "{note}");
}

#[test]
fn ways_of_fetching_stand_side_by_side() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    let page = reports.path("compare.html");
    let shared = ["throughput", "in-flight", "received", "cdf", "percentiles"];
    let own = ["phases-0", "phases-1", "phases-2", "phases-3"];
    for window in WINDOWS {
        browser.open(&page, window);
        browser.evaluate("document.querySelectorAll('details').forEach((section) => { section.open = true; })");
        check_charts(&mut browser, &[&shared[..], &own[..]].concat());
        check_contrast(&mut browser);
        check_quiet(&browser, &page);
    }
    let text = browser.evaluate("document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(["threads", "threads-reuse", "gather", "h2"].iter().all(|mode| text.contains(mode)), "{text}");
}

#[test]
fn tables_are_full_and_can_be_sorted_and_searched_by_keyboard() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    browser.open(&reports.path("get.html"), DESKTOP);
    let hosts = cells(&mut browser, "Hosts", 0);
    assert_eq!(hosts.len(), 16, "{hosts:?}");
    let sorted_by = |column: usize| {
        format!(
            "(() => {{ const table = [...document.querySelectorAll('table')].find((t) => t.caption.textContent === 'Hosts');\
             table.tHead.rows[0].cells[{column}].querySelector('button').focus(); }})()"
        )
    };
    browser.evaluate(&sorted_by(0));
    browser.press("Enter");
    let names = cells(&mut browser, "Hosts", 0);
    assert!(names.len() == 16 && names.is_sorted(), "{names:?}");
    browser.evaluate(&sorted_by(1));
    browser.press("Enter");
    let requests = |browser: &mut Browser| -> Vec<u32> {
        cells(browser, "Hosts", 1).iter().map(|count| count.parse().expect("a small number")).collect()
    };
    let falling = requests(&mut browser);
    assert!(falling.is_sorted_by(|a, b| a >= b) && falling[0] == 30, "{falling:?}");
    browser.press("Enter");
    let rising = requests(&mut browser);
    assert!(rising.is_sorted() && rising[0] == 1, "{rising:?}");
    browser.evaluate("[...document.querySelectorAll('input[type=search]')][0].focus()");
    browser.type_in("SLOW local");
    let found = cells(&mut browser, "Hosts", 0);
    assert!(found.len() == 1 && found[0].contains("slow.localhost"), "{found:?}");
    assert_eq!(browser.evaluate("document.querySelector('.find output').textContent"), "1 of 16 rows");
    let failures = cells(&mut browser, "Failures", 1);
    assert!(
        ["reset", "refused", "bad_url"].iter().all(|kind| failures.iter().any(|cell| cell == kind)),
        "{failures:?}"
    );
    let tries = cells(&mut browser, "In trouble", 3);
    assert!(tries.iter().filter(|tries| *tries == "2").count() >= 5, "{tries:?}");
    // Which host's requests are shown is a matter of who ends first; in one of the samples connections serve again.
    let reused = "[...document.querySelectorAll('tbody td')].filter((cell) => cell.textContent === 'reused').length";
    assert!(browser.evaluate(reused).as_u64().is_some_and(|count| count > 0));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn charts_are_read_out_by_keys_and_pointer() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    browser.open(&reports.path("bench.html"), DESKTOP);
    browser.evaluate("document.querySelector('#percentiles .plot').focus()");
    browser.press("End");
    let said = browser.evaluate("document.querySelector('#percentiles .said').textContent");
    assert!(said.as_str().is_some_and(|said| said.starts_with("p99.95 · haul bench: ")), "{said}");
    let marks = "document.querySelectorAll('#percentiles .plot circle').length";
    assert_eq!(browser.evaluate(marks), 1);
    browser.press("ArrowRight");
    assert_eq!(browser.evaluate("document.querySelector('#percentiles .said').textContent"), said, "it ends there");
    browser.press("Tab");
    assert_eq!(browser.evaluate(marks), 0, "what lost the focus is cleared");
    browser.evaluate("document.querySelector('#cdf').scrollIntoView()");
    let middle = browser.evaluate(
        "(() => { const box = document.querySelector('#cdf .plot').getBoundingClientRect();\
         return [box.left + box.width / 2, box.top + box.height / 2]; })()",
    );
    browser.move_pointer(middle[0].as_f64().expect("a number"), middle[1].as_f64().expect("a number"));
    let tip = browser.evaluate("document.querySelector('#cdf .tip').textContent");
    assert!(tip.as_str().is_some_and(|tip| tip.starts_with("at most ") && tip.ends_with('%')), "{tip}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_tab_key_reaches_everything_in_reading_order() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    browser.open(&reports.path("get.html"), DESKTOP);
    let reachable = browser.evaluate(
        "(window.visited = [], window.reachable = [...document.querySelectorAll('a[href], button, input, summary, [tabindex]')]\
         .filter((e) => e.checkVisibility())).length",
    );
    let reachable = reachable.as_u64().expect("a number");
    assert!(reachable > 30, "{reachable}");
    for _ in 0..reachable {
        browser.press("Tab");
        browser.evaluate("void window.visited.push(document.activeElement)");
    }
    let missed = browser
        .evaluate("window.reachable.filter((e, at) => window.visited[at] !== e).map((e) => e.outerHTML.slice(0, 120))");
    assert_eq!(missed, Value::Array(Vec::new()), "missed, or out of order");
    let outlined = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert_ne!(outlined, "none", "the focus can be seen");
}

#[test]
fn foreign_text_does_nothing_and_no_secret_is_told() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    for name in ["get.html", "bench.html", "open.html", "compare.html"] {
        assert!(!fs::read_to_string(reports.path(name)).expect("text").contains("s3cret"), "{name}");
    }
    let page = reports.path("get.html");
    browser.open(&page, DESKTOP);
    assert_eq!(browser.evaluate("typeof window.hacked"), "undefined");
    let failed = cells(&mut browser, "Failures", 4);
    assert!(failed.iter().any(|given| given.contains(HOSTILE)), "as it was written: {failed:?}");
    check_quiet(&browser, &page);
    // Even if something slipped through, the page's policy would stop it, and the browser would say so.
    browser.evaluate(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.hacked = 1';\
         document.body.append(script); })()",
    );
    assert_eq!(browser.evaluate("typeof window.hacked"), "undefined");
    assert!(browser.complaints().iter().any(|complaint| complaint.contains("Content Security Policy")));
}

#[test]
fn a_broken_page_is_noticed() {
    let Some(mut browser) = Browser::start() else { return };
    let reports = Reports::make();
    let whole = fs::read_to_string(reports.path("bench.html")).expect("text");
    let broken = reports.path("broken.html");
    // The script is the same, but what it looks for is gone; and something is fetched.
    fs::write(&broken, whole.replace("id=\"data\"", "id=\"date\"")).expect("ours");
    browser.open(&broken, DESKTOP);
    let complaints = browser.complaints();
    assert!(complaints.iter().any(|complaint| complaint.contains("TypeError")), "{complaints:?}");
    let fetches = "<script src=\"http://127.0.0.1:1/x.js\"></script></body>";
    fs::write(&broken, whole.replace("</body>", fetches)).expect("ours");
    browser.open(&broken, DESKTOP);
    assert!(!browser.complaints().is_empty());
}

#[test]
fn a_report_that_can_t_be_written_is_told_before_anything_is_fetched() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let list = directory.path().join("list");
    fs::write(&list, "http://127.0.0.1:1/\n").expect("ours");
    let output = directory.path().join("out");
    let run = |report: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
        command.args(["get", "-i"]).arg(&list).arg("-o").arg(&output).arg("--report").arg(report).args(more);
        let ran = command.stdin(Stdio::null()).output().expect("cargo built it");
        (ran.status.code(), String::from_utf8(ran.stderr).expect("UTF-8"))
    };
    for (path, part) in
        [(directory.path().join("none/report.html"), "can't write"), (list.clone(), "name another file")]
    {
        let (code, said) = run(&path, &[]);
        assert!(code == Some(2) && said.contains(part), "{code:?} {said}");
        assert!(!output.exists(), "the output was opened");
    }
    assert_eq!(fs::read_to_string(&list).expect("unharmed"), "http://127.0.0.1:1/\n");
    fs::write(&output, "").expect("ours");
    let (code, said) = run(&output, &[]);
    assert!(code == Some(2) && said.contains("name another file"), "{code:?} {said}");
}
