//! One connection of HTTP/2 without encryption: calls in, replies out.
//!
//! ```text
//!   socket ──▶ hyper ──▶ path ──▶ Api ──▶ handler ──▶ ReplyBody ──▶ hyper ──▶ socket
//!                          └ unknown: UNIMPLEMENTED · refused: PERMISSION_DENIED · too long: RESOURCE_EXHAUSTED
//! ```
//!
//! A connection has an executor of its own for its calls, so they are on its thread and end with it. What a stream has taken from
//! its client is carried out first, for `CLOSING_DEADLINE` at most.
//!
//! Bounds: [`super::limits`]. A client that is silent is pinged, so a connection whose peer has vanished ends within half a minute.
//! One without calls ends after `IDLE_DEADLINE`.

use super::call::{Replies, ReplyBody, Requests};
use super::framing::frame;
use super::limits::{
    CALL_DEADLINE_MAX, CALL_WINDOW_BYTES, CALLS_PER_CONNECTION_MAX, CLOSING_DEADLINE,
    CONNECTION_WINDOW_BYTES, FIRST_CALL_DEADLINE, HEADER_BYTES_MAX, IDLE_DEADLINE, PING_DEADLINE,
    PING_INTERVAL, REQUEST_DEADLINE, SEND_BUFFER_BYTES,
};
use super::service::{Api, Call};
use super::status::{Status, StatusCode};
use crate::common::service::connection::Connection;
use crate::common::shutdown::Shutdown;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode as HttpStatus};
use ribbit_state::sync::MutexExt;
use smol::Executor;
use smol::future::FutureExt;
use smol_hyper::rt::{FuturesIo, SmolTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Executor of the calls of one connection.
#[derive(Clone, Default)]
struct CallExecutor(Arc<Executor<'static>>);

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for CallExecutor {
    fn execute(&self, future: F) {
        self.0.spawn(future).detach();
    }
}

/// Calls in progress on a connection, and the time at which it ends if there are none.
struct Activity(Mutex<(usize, Instant)>);

/// Call that is counted until it is dropped.
struct CountedCall(Arc<Activity>);

impl Activity {
    fn begin(self: &Arc<Self>) -> CountedCall {
        self.0.locked().0 += 1;
        CountedCall(self.clone())
    }

    /// Waits until there was no call for long.
    async fn idle(&self) {
        loop {
            let (_, until) = *self.0.locked();
            smol::Timer::at(until).await;
            let mut now = self.0.locked();
            match *now {
                (0, later) if later == until => return,
                (0, _) => {}
                (_, _) => now.1 = Instant::now() + IDLE_DEADLINE,
            }
        }
    }
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        let mut now = self.0.0.locked();
        *now = (now.0 - 1, Instant::now() + IDLE_DEADLINE);
    }
}

/// Serves the calls of one connection until it ends. While the role is being stopped, no further call is accepted.
pub(super) async fn serve(connection: Connection, apis: Vec<Box<dyn Api>>) {
    let (shutdown, stopped) = (connection.shutdown(), connection.stopping());
    let calls = CallExecutor::default();
    let activity = Arc::new(Activity(Mutex::new((0, Instant::now() + FIRST_CALL_DEADLINE))));
    let apis = Arc::new(apis);
    let service = service_fn(|request: Request<Incoming>| {
        let (apis, calls, counted, shutdown) =
            (apis.clone(), calls.clone(), activity.begin(), shutdown.clone());
        async move { Ok::<_, Infallible>(answer(request, &apis, &calls, counted, shutdown).await) }
    });
    let http = http2::Builder::new(calls.clone())
        .timer(SmolTimer::new())
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_DEADLINE)
        .auto_date_header(false)
        .serve_connection(FuturesIo::new(connection.stream.clone()), service);
    let life = async {
        let mut http = pin!(http);
        let mut ending = pin!(stopped.or(activity.idle()));
        let mut overdue = pin!(async {
            smol::Timer::after(CLOSING_DEADLINE).await;
        });
        let mut told = false;
        let ended = std::future::poll_fn(|context| {
            if !told && ending.as_mut().poll(context).is_ready() {
                told = true;
                http.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = http.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            if told { overdue.as_mut().poll(context).map(Ok) } else { Poll::Pending }
        });
        if let Err(error) = ended.await {
            log::debug!("a gRPC connection ended: {error}");
        }
    };
    calls.0.run(life).await;
    let finished = async {
        while !calls.0.is_empty() {
            calls.0.tick().await;
        }
    };
    let late = async {
        smol::Timer::after(CLOSING_DEADLINE).await;
    };
    finished.or(late).await;
}

/// Answers one call.
async fn answer(
    request: Request<Incoming>,
    apis: &[Box<dyn Api>],
    calls: &CallExecutor,
    counted: CountedCall,
    shutdown: Arc<Shutdown>,
) -> Response<ReplyBody> {
    if let Some(refused) = no_call(&request) {
        return refused;
    }
    let call = apis.iter().find_map(|api| api.method(request.uri().path()));
    let deadline = request.headers().get("grpc-timeout").and_then(timeout);
    let mut requests = Requests::new(request.into_body());
    let refused = |code, words: &str| status_only(&Status::new(code, words));
    match call {
        None => refused(StatusCode::Unimplemented, "There is no such method."),
        Some(Call::Refused) => {
            refused(StatusCode::PermissionDenied, "This method is for servers of the older system.")
        }
        Some(Call::Unary(run)) => {
            let done = async {
                let message = within(REQUEST_DEADLINE, requests.only()).await?;
                let reply = run(message).await?;
                Ok(frame(&reply)?)
            };
            let done = match deadline {
                Some(deadline) => within(deadline, done).await,
                None => done.await,
            };
            match done {
                Ok(reply) => response(ReplyBody::Unary(reply)),
                Err(status) => status_only(&status),
            }
        }
        Some(Call::Streaming(run)) => {
            let (replies, body) = Replies::new(shutdown);
            let handler = run(requests, replies.clone());
            let ends = async move {
                let _counted = counted;
                let status = handler.await.err().unwrap_or(Status::OK);
                replies.end(status).await;
            };
            calls.0.spawn(ends).detach();
            response(body)
        }
    }
}

/// Returns the answer to a request that is no call of gRPC.
fn no_call(request: &Request<Incoming>) -> Option<Response<ReplyBody>> {
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    let status = if request.method() != Method::POST {
        HttpStatus::METHOD_NOT_ALLOWED
    } else if !request.headers().get(CONTENT_TYPE).is_some_and(is_grpc) {
        HttpStatus::UNSUPPORTED_MEDIA_TYPE
    } else {
        return None;
    };
    let mut answer = Response::new(ReplyBody::Ended);
    *answer.status_mut() = status;
    Some(answer)
}

/// Returns the response whose body this is.
fn response(body: ReplyBody) -> Response<ReplyBody> {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

/// Returns a response without messages: the status is in its headers.
fn status_only(status: &Status) -> Response<ReplyBody> {
    let mut answer = response(ReplyBody::Ended);
    status.write(answer.headers_mut());
    answer
}

/// Waits for a result, at most for this long.
///
/// # Errors
/// `DEADLINE_EXCEEDED` after that.
async fn within<T>(time: Duration, result: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = async {
        smol::Timer::after(time).await;
        Err(Status::new(StatusCode::DeadlineExceeded, "There was no answer in time."))
    };
    result.or(late).await
}

/// Returns the deadline that a client gives a call: at most eight digits and a unit.
fn timeout(value: &HeaderValue) -> Option<Duration> {
    let (digits, unit) = value.to_str().ok()?.split_at_checked(value.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    let time = match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Some(time.min(CALL_DEADLINE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_number_and_a_unit() {
        let read = |text: &str| timeout(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("1S"), Some(Duration::from_secs(1)));
        assert_eq!(read("99999999m"), Some(CALL_DEADLINE_MAX));
        assert_eq!(read("99999999H"), Some(CALL_DEADLINE_MAX));
        assert_eq!(read("20u"), Some(Duration::from_micros(20)));
        for invalid in ["", "S", "1", "1s", "123456789S", "-1S", "1.5S", "1 S"] {
            assert_eq!(read(invalid), None, "{invalid}");
        }
    }
}
