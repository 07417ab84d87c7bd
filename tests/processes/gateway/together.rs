//! Several protocols and the page in one conversation.

use super::{Gateway, chirper, one_shot, sns};
use crate::test_cluster::{TestCluster, awaited};
use ribbit_roles::gateway::grpc_chat::messages::GetReply;
use testkit::chat_client::ChatClient;
use testkit::http::Browser;

/// Waits until a page shows words.
#[track_caller]
fn shows(page: &mut Browser, path: &str, words: &str) {
    awaited(words, || page.get(path).body.contains(words).then_some(()));
}

#[test]
fn two_chats_and_the_page_are_one_conversation() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &["--names-without-password", "--chat", "0", "--grpc-chat", "0"]);
    let mut ada = ChatClient::connect(&gateway.address("chat", 0).to_string());
    ada.ask("1|ada", 0, "Account created! Logged in as ada.");
    let grpc = super::grpc_chat::server(&gateway);
    assert_eq!(grpc.asks("Login", "bob"), (0, String::new()));
    let mut paula = pond.browser();
    paula.join("paula");
    for round in 0..3 {
        // Each says something to both others.
        ada.ask(&format!("3|bob|ada {round}"), 0, "Message sent to bob.");
        ada.ask(&format!("3|paula|ada {round}"), 0, "Message sent to paula.");
        assert_eq!(grpc.gets("bob"), [format!("ada: ada {round}")]);
        shows(&mut paula, "/messages/ada", &format!("ada {round}"));
        for to in ["ada", "paula"] {
            assert_eq!(grpc.sends("bob", &format!("bob {round}"), to), (0, String::new()));
        }
        ada.chats(&format!("bob|bob {round}"));
        shows(&mut paula, "/messages/bob", &format!("bob {round}"));
        for to in ["ada", "bob"] {
            let path = format!("/messages/{to}");
            paula.post(&path, &[("message", &format!("paula {round}"))]).leads_to(&path);
        }
        ada.chats(&format!("paula|paula {round}"));
        assert_eq!(grpc.gets("bob"), [format!("paula: paula {round}")]);
    }
    // What the page shows is all of it, in its order.
    for other in ["ada", "bob"] {
        let talk = paula.get(&format!("/messages/{other}")).body;
        let said = (0..3).flat_map(|round| [format!("{other} {round}"), format!("paula {round}")]);
        let places: Vec<Option<usize>> =
            said.map(|text| talk.find(&format!("dir=\"auto\">{text}<"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{other}: {places:?}");
    }
    // A name that was made through one of them is a person of the other.
    ada.hang_up();
    assert_eq!(grpc.asks("Login", "ada"), (0, String::new()));
    assert_eq!(grpc.sends("ada", "from the other client", "bob"), (0, String::new()));
    assert_eq!(grpc.gets("bob"), ["ada: from the other client"]);
    assert_eq!(grpc.polls("ada"), GetReply::default(), "what the first client has shown is read");
}

#[test]
fn posts_cross_three_protocols_and_the_page() {
    let pond = TestCluster::start();
    let flags = ["--names-without-password", "--sns", "0,0", "--chirper", "0,0,0", "--ribbit-tcp", "0,0"];
    let gateway = Gateway::start(&pond, &flags);
    let backend = |request: &str| {
        let answer = one_shot(gateway.address("ribbit-tcp", 1), request.as_bytes(), 1_024);
        String::from_utf8(answer).expect("text")
    };
    let chirper_port = gateway.address("chirper", 0).to_string();
    let dora = chirper::joined(&chirper_port, "dora");
    assert_eq!(backend("create,rita,Rita,rita@example.com,password 1"), "200");
    let mut paula = pond.browser();
    paula.join("paula");
    let service = sns::channel(&gateway, 1);
    let sam = sns::Person(&service, "sam");
    sam.logs_in();
    // Everyone follows the next one: sam the others, the others sam.
    for name in ["dora", "rita", "paula"] {
        sam.follows(name);
    }
    chirper::follow(&chirper_port, &dora, "sam");
    assert_eq!(backend("manage,rita,sam,add"), "200");
    paula.post("/manage", &[("username", "sam"), ("choice", "add")]);
    let mut timeline = sam.timeline();
    timeline.is_silent();
    chirper::post(&chirper_port, &dora, "dora through Chirper");
    assert_eq!(timeline.shows(), "dora: dora through Chirper");
    assert_eq!(backend("post,rita, with a comma,rita"), "200");
    assert_eq!(timeline.shows(), "rita: rita, with a comma");
    paula.croak("paula on the page");
    assert_eq!(timeline.shows(), "paula: paula on the page");
    timeline.posts("sam through Tiny SNS");
    shows(&mut paula, "/main", "sam through Tiny SNS");
    assert_eq!(chirper::profile(&chirper_port, &dora, "sam").posts(), ["sam through Tiny SNS"]);
    let feed = backend("getUserFeed,rita");
    assert!(feed.contains("sam through Tiny SNS") && feed.contains("rita, with a comma"), "{feed}");
    shows(&mut paula, "/@dora", "dora through Chirper");
    shows(&mut paula, "/@rita", "rita, with a comma");
}
