//! `galleria serve`: opens the shop and serves until a signal stops it. SIGHUP makes it read the
//! settings again. If a failed disk accepts writes again, it opens the data folder again.

use super::output::say;
use crate::{
    app::{self, Fatal, Listener, OpenShop},
    config::{BadSetting, FirstOperator, Settings},
    env::Env,
    gateway::CertificateSource,
    storage::StorageError,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{io, process::ExitCode, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub fn serve(
    settings: &Settings,
    operator: Option<FirstOperator>,
    read: impl Fn() -> Result<(Settings, Option<FirstOperator>), BadSetting>,
) -> Result<ExitCode, Fatal> {
    open_all_files();
    actix::System::new().block_on(async {
        let listener = Listener::take(settings, &Env::system())?;
        let (open, serving) = app::open(settings, &listener, operator.clone(), Env::system()).await?;
        greet(settings, &open);
        // Forgotten once only: a folder that is opened again keeps the changes made since.
        let settings = &Settings { reset_controls: false, ..settings.clone() };
        let mut serving = Serving { open, ends: actix::spawn(serving) };
        let (mut settings, mut told_to_read) = (settings.clone(), hangups());
        loop {
            tokio::select! {
                () = until_told_to_stop() => break,
                () = told_to_read.next() => {
                    match read() {
                        Ok((new, _)) => serving.open.change(&mut settings, new).await,
                        Err(error) => log::error!("the settings stay as they are: {error}"),
                    }
                    continue;
                }
                () = serving.open.shop.disk_comes_back() => {}
            }
            log::warn!("the disk takes writes again: opening the folder anew");
            if let Err(error) = serving.close().await {
                log::warn!("not closed in order: {error}");
            }
            serving = open_again(&settings, &listener, operator.clone()).await?;
        }
        let tracer = listener.close();
        log::info!("closing: new requests are refused, requests in flight finish");
        actix::spawn(async {
            until_told_to_stop().await;
            // A second signal stops at once; the next start recovers as after a crash.
            log::logger().flush();
            std::process::exit(130);
        });
        serving.close().await?;
        tracer.close();
        log::info!("closed");
        Ok(ExitCode::SUCCESS)
    })
}

/// Raises the limit of open files to the most that the system allows: every connection is an open
/// file. With the usual limit of a thousand, some hundreds of idle connections would keep all other
/// clients out.
fn open_all_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        log::warn!("no more than {:?} connections and files at a time: {error}", limit.current);
    }
}

/// An open shop and its running server.
struct Serving {
    open: OpenShop,
    ends: tokio::task::JoinHandle<io::Result<()>>,
}

impl Serving {
    async fn close(self) -> Result<(), StorageError> {
        let OpenShop { shop, server, .. } = self.open;
        server.close().await;
        let _ = self.ends.await;
        drop(server);
        shop.close()
    }
}

/// Tries every second until the folder can be opened.
async fn open_again(
    settings: &Settings,
    listener: &Listener,
    operator: Option<FirstOperator>,
) -> Result<Serving, Fatal> {
    loop {
        match app::open(settings, listener, operator.clone(), Env::system()).await {
            Ok((open, serving)) => {
                log::info!("open again");
                return Ok(Serving { open, ends: actix::spawn(serving) });
            }
            Err(error) if error.may_pass() => log::error!("not open yet: {error}"),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn greet(settings: &Settings, open: &OpenShop) {
    let address = open.address;
    let fingerprint = open.server.fingerprint();
    let scheme = if fingerprint.is_some() { "https" } else { "http" };
    let operator = match &open.setup_token {
        Some(token) => {
            let token = token.expose();
            format!("create the operator's account at {scheme}://{address}/setup#{token} (once, within 30 minutes)")
        }
        None => format!("sign in with the operator's account at {scheme}://{address}/sign-in"),
    };
    let greeting = format!(
        "Galleria {} is open.\n  Shop      {scheme}://{address}/\n  Operator  {operator}\n  API       {scheme}://{address}/docs\n  Data      {}\n  Stop      Ctrl-C\n",
        env!("CARGO_PKG_VERSION"),
        settings.data_dir.display()
    );
    if let Err(error) = say(&greeting) {
        log::warn!("{error}");
    }
    if let (Some(CertificateSource::SelfSigned), Some(fingerprint)) = (settings.certificate(), &fingerprint) {
        eprintln!(
            "galleria: the certificate was made just now; browsers will warn about it. Its SHA-256 fingerprint is {fingerprint}"
        );
    }
    if !address.ip().is_loopback() && fingerprint.is_none() {
        eprintln!("galleria: warning: {address} can be reached from other machines, and the traffic is not encrypted");
    }
}

/// SIGHUP, which means: read the settings again.
struct Hangups(Option<Signal>);

fn hangups() -> Hangups {
    Hangups(signal(SignalKind::hangup()).ok())
}

impl Hangups {
    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => _ = signal.recv().await,
            None => std::future::pending().await,
        }
    }
}

async fn until_told_to_stop() {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    match (interrupt, terminate) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}
