//! Golden transcript of the text protocol of Ribbit's web client: what each request is read as, and what is answered.

use crate::records::compare;
use ribbit_roles::gateway::ribbit_tcp::codec::{
    Answer, FeedPost, answer, balancer_request, read_answer, request, write_answer,
};

const BALANCER: &[&[u8]] =
    &[b"read", b"write", b"down,8081", b"down,nil", b"down,99999", b"server1,3", b"read\n", b""];

const BACKENDS: &[&[u8]] = &[
    b"create,ada,Ada L,ada@example.org,password 1",
    b"create,ada,Ada, the first,ada@example.org,pass,word @ 1",
    b"create,ada,Ada, the first,nowhere,password,1",
    b"create,ada,Ada L,ada@example.org",
    b"create,,,,",
    b"login,ada,pass,word",
    b"login,ada,50%!(NOVERB)",
    b"login,ada",
    b"login",
    b"post,one, two,ada",
    b"post,50%!,(MISSING)ada",
    b"post,100% sure: %!d(MISSING)%!%(MISSING)!%,ada",
    b"post,%!\xc3\xa9(MISSING),ada",
    b"post,\xff\xfe,ada",
    b"post,alone",
    b"manage,ada,bob,add",
    b"manage,ada,bob,remove",
    b"manage,ada,bob,toggle,add",
    b"manage,ada,bob",
    b"delete,ada",
    b"getUserFeed,ada",
    b"getUserFeed",
    b"server1,3",
    b"GET / HTTP/1.1\r\n\r\n",
    b"",
];

#[test]
fn the_transcript_stays_as_it_is() {
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut lines = Vec::new();
    lines.extend(
        BALANCER.iter().map(|sent| format!("balancer > {} = {:?}", shown(sent), balancer_request(sent))),
    );
    for answered in [read_answer(Some(8081)), read_answer(None), write_answer([Some(8081), None, Some(8083)])]
    {
        lines.push(format!("balancer < {}", shown(&answered)));
    }
    lines.extend(BACKENDS.iter().map(|sent| format!("backend > {} = {:?}", shown(sent), request(sent))));
    let post = |id: u64, text: &str| FeedPost { username: "ada".into(), text: text.into(), id };
    for answered in [
        Answer::Code(200),
        Answer::Code(607),
        Answer::Nothing,
        Answer::Feed(Vec::new()),
        Answer::Feed(vec![post(41, "hé \"&<>\" \\ \n"), post(7, "first")]),
        Answer::Feed((0..50).map(|id| post(id, &"x".repeat(100))).collect()),
    ] {
        lines.push(format!("backend < {}", shown(&answer(&answered))));
    }
    compare("ribbit-tcp.txt", include_str!("ribbit-tcp.txt"), lines);
}
