//! Connections: how they are accepted, and how long they may keep a place.
//!
//! Lives here: [`accept`], the loop that hands connections to hyper.
//! Always true: a connection that sends no request, or sends one drop by drop, is closed after [`HEADER_PATIENCE`]; there
//! are never more than [`CONNECTIONS`] at once; a stop lets requests that are under way end.
//! Not here: what a request passes (http.rs). axum's own loop is not used because it sets no timer, so that a peer that
//! sends half a header keeps its connection for ever.

use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service;

/// How long a peer may take to send the header of a request, the wait for the next one included.
const HEADER_PATIENCE: Duration = Duration::from_secs(60);
/// The most connections at once; more wait in the kernel. One that has become a socket counts there (ws.rs).
const CONNECTIONS: usize = 16_384;
/// The most requests of one HTTP/2 connection at once.
const STREAMS: u32 = 100;
/// How often an HTTP/2 peer is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long accepting rests when the process has no more file descriptors.
const REST: Duration = Duration::from_millis(500);

/// Accepts connections until `stop` is done; returns those that are open, to be waited for.
pub(super) async fn accept(
    listener: &TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) -> GracefulShutdown {
    let builder = builder();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = GracefulShutdown::new();
    let mut services = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::pin!(stop);
    loop {
        let (stream, peer, place) = tokio::select! {
            biased;
            () = &mut stop => return connections,
            accepted = next(listener, &places) => accepted,
        };
        let Ok::<_, Infallible>(service) = services.call(peer).await;
        let connection = builder
            .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(place);
        });
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY);
    builder
}

/// The next connection, with its place among all.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes the places");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and awaited: otherwise each waits for the caller's delayed acknowledgement.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection keeps its delay");
                }
                return (stream, peer, place);
            }
            Err(error) if is_of_the_peer(error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Whether an error is about the one connection, which the peer has given up already.
fn is_of_the_peer(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}
