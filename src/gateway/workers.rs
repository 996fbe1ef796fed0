//! The workers of the door: the threads that serve HTTP. They are there before there is a gateway to serve, and nobody is let in until
//! then, for the services' instances live on them, too (see [`crate::mesh::Mesh::on_threads`]).

use super::{Certificates, Gateway, server};
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
    /// What they all wait for.
    gateway: watch::Sender<Option<Arc<Gateway>>>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Workers {
    /// So many threads, which speak TLS where there are certificates.
    pub async fn start(
        listener: TcpListener,
        count: usize,
        certificates: Option<&Arc<Certificates>>,
    ) -> io::Result<Self> {
        let (gateway, awaited) = watch::channel(None::<Arc<Gateway>>);
        let (here, mut started) = mpsc::unbounded_channel();
        let server = HttpServer::new(move || {
            // A worker that takes the place of a broken one comes when nobody listens any more: it serves HTTP and nothing else.
            let _ = here.send(Arbiter::current());
            let awaited = awaited.clone();
            fn_factory_with_config(move |config: AppConfig| {
                let mut awaited = awaited.clone();
                async move {
                    // Nobody will serve any more where it never comes.
                    let gateway = awaited.wait_for(Option::is_some).await.map_err(drop)?.clone().ok_or(())?;
                    server::app(&gateway).into_factory().new_service(config).await
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
        // On a thread of its own: whoever polls a server for the first time is held up until all its workers serve.
        Arbiter::new().spawn(async move {
            let _ = end.send(server.await);
            Arbiter::current().stop();
        });
        let mut threads = Vec::new();
        while threads.len() < count {
            tokio::select! {
                Some(thread) = started.recv() => threads.push(thread),
                result = &mut ended => return Err(why(result).err().unwrap_or_else(|| io::Error::other("no worker has started"))),
            }
        }
        Ok(Self { threads, server: handle, gateway, ended })
    }

    pub fn threads(&self) -> &[ArbiterHandle] {
        &self.threads
    }

    /// Lets people in. The second part ends when the server is stopped.
    pub fn serve(self, gateway: Arc<Gateway>) -> (ServerHandle, impl Future<Output = io::Result<()>> + use<>) {
        self.gateway.send_replace(Some(gateway));
        (self.server, async { why(self.ended.await) })
    }
}

fn why(ended: Result<io::Result<()>, oneshot::error::RecvError>) -> io::Result<()> {
    ended.unwrap_or_else(|_| Err(io::Error::other("the server has gone")))
}
