//! Use of the pages without a mouse.

use super::Visit;

/// Codes of keys in WebDriver.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Presses Tab until the focus matches. Every stop on the way must be visible.
#[track_caller]
fn tab_to(visit: &Visit, selector: &str) {
    for _ in 0..40 {
        visit.driver.keys(&[TAB]);
        let seen = visit.driver.run(
            "let at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
             return at == document.body || (style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2
                 && box.width > 0 && box.left >= 0)",
        );
        assert_eq!(seen, true, "{}", visit.driver.run("return document.activeElement.outerHTML"));
        if visit.driver.run(&format!("return document.activeElement.matches(\"{selector}\")")) == true {
            return;
        }
    }
    panic!("the tab key never reaches {selector}");
}

#[test]
fn everything_can_be_done_with_the_keyboard_alone() {
    for scripts in [true, false] {
        let Some(visit) = Visit::start(scripts) else { return };
        let driver = &visit.driver;
        visit.go("/create");
        // Past the navigation in one step. A browser that is still opening its window may lose the key.
        for _ in 0..5 {
            driver.keys(&[TAB]);
            if driver.run("return document.activeElement != document.body") == true {
                break;
            }
        }
        assert_eq!(driver.run("return document.activeElement.textContent"), "Skip to content");
        driver.keys(&[ENTER]);
        for (field, text) in
            [("name", "Ada"), ("username", "ada"), ("email", "a@pond"), ("password", "password")]
        {
            tab_to(&visit, &format!("[name={field}]"));
            driver.keys(&text.split("").filter(|key| !key.is_empty()).collect::<Vec<_>>());
        }
        tab_to(&visit, "main button");
        driver.leads_away(|| driver.keys(&[ENTER]));
        visit.shows("/main?note=welcome", "Your account is ready");
        tab_to(&visit, "textarea");
        driver.keys(&["q", "u", "a", "k"]);
        tab_to(&visit, "main button");
        driver.leads_away(|| driver.keys(&[ENTER]));
        visit.shows("/main", "quak");
        if scripts {
            assert_eq!(driver.run("return document.activeElement.id"), "post", "the writer can go on");
        }
        visit.go("/main");
        tab_to(&visit, "nav summary");
        driver.keys(&[ENTER]);
        tab_to(&visit, "nav a[href='/logout']");
        driver.leads_away(|| driver.keys(&[ENTER]));
        tab_to(&visit, "main button");
        driver.leads_away(|| driver.keys(&[ENTER]));
        visit.shows("/login", "Log in");
    }
}
