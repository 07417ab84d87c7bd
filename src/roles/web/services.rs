//! Services that the handlers of all requests share.

use crate::web::accounts::export::RunningExports;
use crate::web::accounts::known_tokens::KnownTokens;
use crate::web::croaks::front_cache::FrontCache;
use crate::web::croaks::live::LiveStreams;
use crate::web::http::files::Files;
use crate::web::monitoring::cluster::ClusterMonitor;
use crate::web::monitoring::metrics::WebCounters;
use crate::web::talks::announcements::KnownAnnouncements;
use ribbit_net::client::Client;
use std::sync::Arc;

/// Services of the site.
pub(super) struct SiteServices {
    pub(super) client: Client,
    pub(super) cluster: ClusterMonitor,
    pub(super) streams: Arc<LiveStreams>,
    pub(super) announcements: KnownAnnouncements,
    pub(super) fronts: FrontCache,
    pub(super) exports: RunningExports,
    pub(super) files: Files,
    /// URI where security problems can be reported, for `/.well-known/security.txt`.
    pub(super) security_contact: Option<String>,
    pub(super) metrics: WebCounters,
    /// The addresses of Chirper's web server are served, too.
    pub(super) chirper_pages: bool,
    /// Everyone may read croaks for everyone in a feed reader.
    pub(super) public_feeds: bool,
    /// Bearer tokens that were lately used here.
    pub(super) tokens: KnownTokens,
}
