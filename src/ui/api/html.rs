//! Texts as HTML, as the entities contain them: escaped, with mentions, tags and addresses as links.

use super::addresses::SiteAddresses;
use crate::pages::text::{TextPart, parts};
use std::fmt::Write;

/// Returns a text as HTML: a paragraph for each run of lines between empty lines.
pub fn content(site: &SiteAddresses, text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 64);
    html.push_str("<p>");
    for part in parts(text) {
        match part {
            TextPart::Text(text) => html.push_str(&lines(&text)),
            TextPart::Mention { written, username } => {
                let (address, name) = (site.person(&username), written.trim_start_matches('@'));
                let _ = write!(
                    html,
                    "<span class=\"h-card\"><a href=\"{}\" class=\"u-url mention\">@<span>{}</span></a></span>",
                    escaped(&address),
                    escaped(name)
                );
            }
            TextPart::Tag { written, path } => {
                let (address, name) = (site.at(&path), written.trim_start_matches('#'));
                let _ = write!(
                    html,
                    "<a href=\"{}\" class=\"mention hashtag\" rel=\"tag\">#<span>{}</span></a>",
                    escaped(&address),
                    escaped(name)
                );
            }
            TextPart::Link(address) => {
                let address = escaped(&address);
                let _ = write!(
                    html,
                    "<a href=\"{address}\" target=\"_blank\" rel=\"nofollow noopener noreferrer\">{address}</a>"
                );
            }
        }
    }
    html.push_str("</p>");
    html
}

/// Escapes a text and marks its line breaks.
fn lines(text: &str) -> String {
    escaped(text).replace("\n\n", "</p><p>").replace('\n', "<br />")
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_escaped_and_its_names_and_addresses_are_links() {
        let site = SiteAddresses::new(true, "pond");
        let html = |text: &str| content(&site, text);
        assert_eq!(html("a < b & \"c\"\nd\n\ne"), "<p>a &lt; b &amp; &quot;c&quot;<br />d</p><p>e</p>");
        assert_eq!(
            html("hi @Ada"),
            "<p>hi <span class=\"h-card\"><a href=\"https://pond/@ada\" class=\"u-url mention\">@<span>Ada</span></a></span></p>"
        );
        assert_eq!(
            html("#Rain"),
            "<p><a href=\"https://pond/tag/rain\" class=\"mention hashtag\" rel=\"tag\">#<span>Rain</span></a></p>"
        );
        let link = html("http://a.b/?x=1&y='2'");
        assert!(link.contains("href=\"http://a.b/?x=1&amp;y=&#39;2\""), "{link}");
        assert_eq!(html("<script>alert(1)</script>"), "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
        assert_eq!(html(""), "<p></p>");
    }
}
