//! The pages in headless Chromium, with scripts and without. Skipped if Chromium is not installed.
//!
//! - `tour`: a user goes through every page; each is checked for layout and accessibility
//! - `script`: features of the script: live croaks, retries, the counter; `live`: what else arrives on open pages; `rooms`
//! - `keyboard`: use without a mouse
//! - `network`: over a network, without encryption
//!
//! With RIBBIT_PICTURES=FOLDER every page is also saved there, narrow and wide, light and dark, as PNG in base64. With RIBBIT_AXE=FILE,
//! or where .ci/run has put it, axe-core checks every page; without it this check is skipped.

mod keyboard;
mod live;
mod network;
mod rooms;
mod script;
mod tour;

use testkit::axe::Axe;
use testkit::driver::Driver;
use testkit::site::Site;

/// A browser with a site of its own.
struct Visit {
    site: Site,
    driver: Driver,
    axe: Option<Axe>,
    scripts: bool,
}

impl Visit {
    /// Returns `None` if there is no browser.
    fn start(scripts: bool) -> Option<Visit> {
        if testkit::driver::missing() {
            return None;
        }
        let visit = Visit { site: Site::start(), driver: Driver::start(), axe: Axe::find(), scripts };
        if !scripts {
            visit.driver.without_scripts();
        }
        Some(visit)
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

    /// Checks a page at all sizes: nothing may overflow horizontally, also with letters twice as large, and axe-core may find nothing.
    #[track_caller]
    fn look(&self, name: &str) {
        for (width, dark) in
            [(320, false), (320, true), (360, false), (768, false), (1400, false), (1400, true)]
        {
            self.driver.look(width, dark);
            self.fits(name, width);
            if let Some(axe) = self.axe.as_ref().filter(|_| self.scripts) {
                let found = axe.violations(&self.driver);
                assert!(found.is_empty(), "{name}, {width} wide, dark: {dark}: {found:#?}");
            }
            if let Some(folder) = std::env::var_os("RIBBIT_PICTURES").filter(|_| self.scripts) {
                let shade = if dark { "dark" } else { "light" };
                let file = std::path::Path::new(&folder).join(format!("{name}-{width}-{shade}.b64"));
                std::fs::write(file, self.driver.picture()).expect("the folder can be written to");
            }
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
