//! Content of web pages.

use crate::http::{Browser, Reply};

/// Returns the texts of the croaks on a page, from the top.
pub fn croaks(page: &Reply) -> Vec<String> {
    texts_after(page, "<p class=\"text\" dir=\"auto\">", "</p>")
}

/// Returns the content of the text area. The line end after its opening tag does not count.
pub fn typed(page: &Reply) -> String {
    let found = texts_after(page, "<textarea", "</textarea>").pop().expect("a text area");
    let (_, text) = found.split_once(">\n").expect("the end of its tag");
    text.to_string()
}

/// Returns the target of the link to older croaks.
pub fn older(page: &Reply) -> Option<String> {
    texts_after(page, "rel=\"next\" href=\"", "\"").pop()
}

fn texts_after(page: &Reply, begin: &str, end: &str) -> Vec<String> {
    let rests = page.body.split(begin).skip(1);
    rests.map(|rest| unescaped(rest.split(end).next().unwrap_or_default())).collect()
}

pub fn unescaped(html: &str) -> String {
    let quotes = html.replace("&#34;", "\"").replace("&#39;", "'");
    quotes.replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&")
}

/// Returns the whole feed, newest first, following the links from page to page.
#[track_caller]
pub fn whole_feed(browser: &mut Browser) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = Some("/main".to_string());
    while let Some(path) = next {
        let page = browser.get(&path);
        assert_eq!(page.status, 200, "{}", page.body);
        all.extend(croaks(&page));
        next = older(&page);
    }
    all
}
