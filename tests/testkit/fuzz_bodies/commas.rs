//! Requests of Ribbit's web client, which are text with commas, and feeds of any texts.

use ribbit_roles::gateway::ribbit_tcp::codec::{
    Answer, FEED_BYTES_MAX, FeedPost, Request, answer, balancer_request, fits_cookie, repair, request,
};

pub fn run(data: &[u8]) {
    balancer_request(data);
    let text = String::from_utf8_lossy(data);
    assert!(repair(&text).len() <= text.len());
    match request(data) {
        Request::Post { username, .. } => assert!(!username.contains(',')),
        Request::LogIn { username, .. } | Request::Create { username, .. } => {
            assert!(!username.contains(','));
            assert!(!fits_cookie(&username) || username.is_ascii());
        }
        Request::Manage { .. } | Request::Delete { .. } | Request::Feed { .. } | Request::Malformed => {}
    }
    let posts = text.split(',').zip(0..).map(|(text, id)| FeedPost {
        username: "ada".to_string(),
        text: text.to_string(),
        id,
    });
    let posts: Vec<FeedPost> = posts.collect();
    let feed = answer(&Answer::Feed(posts.clone()));
    assert!(feed.len() <= FEED_BYTES_MAX);
    let read: Option<Vec<serde_json::Value>> = serde_json::from_slice(&feed).expect("JSON");
    let read = read.unwrap_or_default();
    assert!(read.len() <= posts.len());
    for (post, read) in posts.iter().zip(&read) {
        assert_eq!(read["Post_data"], post.text.as_str());
    }
}
