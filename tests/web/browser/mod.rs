//! The pages in headless Chromium, with scripts and without. Skipped if Chromium is not installed.
//!
//! - `tour`, `admin`: a user, and an admin, go through every page; each is checked for layout and accessibility
//! - `script`: features of the script: live croaks, retries, the counter; `live`: what else arrives on open pages; `rooms`
//! - `keyboard`: use without a mouse
//! - `network`: over a network, without encryption
//!
//! Every page with scripts is compared with its reference picture in `tests/pictures`. With RIBBIT_PICTURES=FOLDER it is also saved
//! there at full size, narrow and wide, light and dark, as PNG in base64. With RIBBIT_AXE=FILE, or where .ci/run has put it,
//! axe-core checks every page; without it this check is skipped.

mod admin;
mod keyboard;
mod live;
mod network;
mod pictures;
mod rooms;
mod script;
mod tour;

use pictures::{Picture, References};
use std::path::Path;
use testkit::axe::Axe;
use testkit::driver::Driver;
use testkit::site::Site;

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures");
const DIFFERING: &str = env!("CARGO_TARGET_TMPDIR");
/// Widths of the window in CSS pixels at which a page is looked at, and whether the colours are dark.
const SIZES: [(u32, bool); 7] =
    [(320, false), (360, false), (360, true), (768, false), (768, true), (1400, false), (1400, true)];

/// A browser with a site of its own.
struct Visit {
    site: Site,
    driver: Driver,
    axe: Option<Axe>,
    references: Option<References>,
    scripts: bool,
}

impl Visit {
    /// Returns `None` if there is no browser.
    fn start(scripts: bool) -> Option<Visit> {
        if testkit::driver::missing() {
            return None;
        }
        Some(Visit::to(Site::start(), scripts))
    }

    fn to(site: Site, scripts: bool) -> Visit {
        let driver = Driver::start();
        let axe = Axe::find().filter(|_| scripts);
        let references =
            scripts.then(|| References::find(&driver, Path::new(PICTURES), Path::new(DIFFERING)));
        if !scripts {
            driver.without_scripts();
        }
        Visit { site, driver, axe, references: references.flatten(), scripts }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.site.address)
    }

    #[track_caller]
    fn go(&self, path: &str) {
        self.driver.go(&self.url(path));
    }

    #[track_caller]
    fn fill(&self, fields: &[(&str, &str)]) {
        for (field, text) in fields {
            self.driver.type_into(&format!("[name={field}]"), text);
        }
        self.driver.click("main form button");
    }

    #[track_caller]
    fn shows(&self, path: &str, words: &str) {
        let text = self.driver.text("body");
        assert!(text.contains(words), "no {words:?} in {text:?}");
        assert_eq!(self.driver.path(), path);
    }

    /// Checks a page at all sizes: nothing may overflow horizontally, also with letters twice as large, axe-core may find nothing,
    /// and it looks like its reference picture.
    #[track_caller]
    fn look(&self, name: &str) {
        let mut drawn = Vec::new();
        for (width, dark) in SIZES {
            self.driver.look(width, dark);
            self.fits(name, width);
            if let Some(axe) = &self.axe {
                let found = axe.violations(&self.driver);
                assert!(found.is_empty(), "{name}, {width} wide, dark: {dark}: {found:#?}");
            }
            let shade = if dark { "dark" } else { "light" };
            if let Some(folder) = std::env::var_os("RIBBIT_PICTURES").filter(|_| self.scripts) {
                let file = Path::new(&folder).join(format!("{name}-{width}-{shade}.b64"));
                std::fs::write(file, self.driver.picture()).expect("the folder can be written to");
            }
            if self.references.is_some() {
                let taken = self.driver.picture_of_page(width, pictures::HEIGHT_MAX, pictures::SCALE);
                drawn.push((format!("{width} wide, {shade}"), Picture::of_screenshot(&taken)));
            }
        }
        if let Some(references) = &self.references {
            references.check(name, &drawn);
        }
        self.driver.look(640, false);
        self.driver.run("document.documentElement.style.fontSize = '200%'");
        self.fits(name, 640);
        self.driver.run("document.documentElement.style.fontSize = ''");
    }

    #[track_caller]
    fn fits(&self, name: &str, width: u32) {
        let wide = self.driver.run("return document.documentElement.scrollWidth").as_u64().expect("a number");
        assert!(wide <= u64::from(width), "{name} is {wide} wide in a window of {width}");
    }

    fn join(&self, name: &str, username: &str) {
        self.go("/create");
        self.fill(&[("name", name), ("username", username), ("email", "a@pond"), ("password", "password")]);
        self.shows("/main?note=welcome", "Your account is ready");
        self.go("/main");
        if self.scripts {
            // The page's script has run once its element for screen readers is there.
            self.driver.awaits("return document.querySelector('body > .sr') != null");
        }
    }
}
