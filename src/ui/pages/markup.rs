//! Rendered markup that a template may contain as it is. The only way to make it is to render another template, which has
//! escaped all text. So nothing that a person wrote gets into a page unescaped, and it is escaped once.

use askama::Template;
use std::fmt;

/// Output of a template.
#[derive(Debug)]
pub(crate) struct Markup(String);

impl Markup {
    /// Renders a template.
    pub(super) fn new(template: &impl Template) -> Markup {
        let mut text = template.render().expect("writing to a string cannot fail");
        text.shrink_to_fit();
        Markup(text)
    }

    /// Returns its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Markup {}
