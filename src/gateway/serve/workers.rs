//! The workers: the threads that serve HTTP.
//!
//! The instances of services live on them too (see [`crate::mesh::Mesh::on_threads`]). So they start before
//! there is a router, and serve no request until it is there.

use super::{router::Router, tls::Certificates};
use actix::{Arbiter, ArbiterHandle};
use actix_service::{IntoServiceFactory, ServiceFactory, fn_factory_with_config};
use actix_web::{
    HttpServer,
    dev::{AppConfig, ServerHandle},
};
use std::{future::Future, io, net::TcpListener, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

pub struct Workers {
    threads: Vec<ArbiterHandle>,
    server: ServerHandle,
    /// All workers wait for it.
    router: watch::Sender<Option<Arc<Router>>>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Workers {
    /// Starts `count` threads. They speak TLS if there are certificates.
    pub async fn start(
        listener: TcpListener,
        count: usize,
        certificates: Option<&Arc<Certificates>>,
    ) -> io::Result<Self> {
        let (router, awaited) = watch::channel(None::<Arc<Router>>);
        let (here, mut started) = mpsc::unbounded_channel();
        let server = HttpServer::new(move || {
            // A worker that replaces a broken one starts after the receiver is gone: it serves HTTP, and no instance lives on it.
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
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(5))
        .shutdown_timeout(2)
        .disable_signals();
        let server = match certificates {
            None => server.listen(listener)?,
            Some(certificates) => {
                server.listen_rustls_0_23(listener, certificates.server_config().map_err(io::Error::other)?)?
            }
        }
        .run();
        let handle = server.handle();
        let (end, mut ended) = oneshot::channel();
        // On its own thread: the first poll of a server blocks until all workers serve.
        Arbiter::new().spawn(async move {
            let _ = end.send(server.await);
            Arbiter::current().stop();
        });
        let mut threads = Vec::new();
        while threads.len() < count {
            tokio::select! {
                Some(thread) = started.recv() => threads.push(thread),
                ended_early = &mut ended => return Err(result(ended_early).err().unwrap_or_else(|| io::Error::other("no worker has started"))),
            }
        }
        Ok(Self { threads, server: handle, router, ended })
    }

    pub fn threads(&self) -> &[ArbiterHandle] {
        &self.threads
    }

    /// Begins to serve requests. The future ends when the server is stopped.
    pub fn serve(self, router: Arc<Router>) -> (ServerHandle, impl Future<Output = io::Result<()>> + use<>) {
        self.router.send_replace(Some(router));
        (self.server, async { result(self.ended.await) })
    }
}

fn result(ended: Result<io::Result<()>, oneshot::error::RecvError>) -> io::Result<()> {
    ended.unwrap_or_else(|_| Err(io::Error::other("the server has gone")))
}
