//! The workers: the threads that serve HTTP.
//!
//! The instances of the services run on them, too (see [`crate::mesh::Mesh::on_threads`]).
//! Therefore they start before there is a router, and serve no request until there is one.

use super::{router::Router, tls::Certificates};
use actix::{Arbiter, ArbiterHandle};
use actix_service::{IntoServiceFactory, ServiceFactory, fn_factory_with_config};
use actix_web::{
    HttpServer,
    dev::{AppConfig, Server, ServerHandle},
};
use std::{future::Future, io, net::TcpListener, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// How long an idle connection stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the head of a request may take (slow-loris protection).
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a worker waits for its connections when it is stopped. All requests have ended before.
const SHUTDOWN_SECONDS: u64 = 2;

/// Threads that wait for a router.
pub struct Workers {
    threads: Vec<ArbiterHandle>,
    server: ServerHandle,
    /// Gives the router to all workers.
    router: watch::Sender<Option<Arc<Router>>>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Workers {
    /// Starts `count` threads on `listener`. They speak TLS if there are certificates. Returns when
    /// all of them have started; `Err` if the server could not start.
    pub async fn start(
        listener: TcpListener,
        count: usize,
        certificates: Option<&Arc<Certificates>>,
    ) -> io::Result<Self> {
        let (router, awaited) = watch::channel(None::<Arc<Router>>);
        let (here, started) = mpsc::unbounded_channel();
        let server = HttpServer::new(move || {
            // A worker that replaces a broken one starts after the receiver is gone: it serves
            // HTTP, and no instance runs on it.
            let _ = here.send(Arbiter::current());
            let awaited = awaited.clone();
            fn_factory_with_config(move |config: AppConfig| {
                let mut awaited = awaited.clone();
                async move {
                    // If the sender is gone, there will never be a router.
                    let router = awaited.wait_for(Option::is_some).await.map_err(drop)?.clone().ok_or(())?;
                    router.app().into_factory().new_service(config).await
                }
            })
        })
        .workers(count)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_WITHIN)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
        let server = match certificates {
            None => server.listen(listener)?,
            Some(certificates) => {
                server.listen_rustls_0_23(listener, certificates.server_config().map_err(io::Error::other)?)?
            }
        };
        let server = server.run();
        let handle = server.handle();
        let mut ended = run_on_own_thread(server);
        let threads = started_threads(count, started, &mut ended).await?;
        Ok(Self { threads, server: handle, router, ended })
    }

    /// The threads, for the instances of the services.
    pub fn threads(&self) -> &[ArbiterHandle] {
        &self.threads
    }

    /// Gives the router to the workers, which then serve requests. The future ends when the server
    /// is stopped.
    pub fn serve(self, router: Arc<Router>) -> (ServerHandle, impl Future<Output = io::Result<()>> + use<>) {
        self.router.send_replace(Some(router));
        (self.server, async { result(self.ended.await) })
    }
}

/// Runs the server on a thread of its own, because its first poll blocks until all workers serve.
/// The receiver gets the server's result when it ends.
fn run_on_own_thread(server: Server) -> oneshot::Receiver<io::Result<()>> {
    let (end, ended) = oneshot::channel();
    Arbiter::new().spawn(async move {
        let _ = end.send(server.await);
        Arbiter::current().stop();
    });
    ended
}

/// Waits until `count` workers have started.
async fn started_threads(
    count: usize,
    mut started: mpsc::UnboundedReceiver<ArbiterHandle>,
    ended: &mut oneshot::Receiver<io::Result<()>>,
) -> io::Result<Vec<ArbiterHandle>> {
    let mut threads = Vec::new();
    while threads.len() < count {
        tokio::select! {
            Some(thread) = started.recv() => threads.push(thread),
            early = &mut *ended => {
                return Err(result(early).err().unwrap_or_else(|| io::Error::other("no worker has started")));
            }
        }
    }
    Ok(threads)
}

fn result(ended: Result<io::Result<()>, oneshot::error::RecvError>) -> io::Result<()> {
    ended.unwrap_or_else(|_| Err(io::Error::other("the server has gone")))
}
