//! The services over an open data folder.

use super::fatal::{Fatal, not_ready};
use crate::{
    config::{FirstOperator, Settings},
    demo,
    env::Env,
    mesh::{CallError, Caller, Context, Mesh, TraceId},
    services::{
        self, ALLOWED_CALLS, SUBSCRIPTIONS, ServiceDeps,
        payments::Sandbox,
        products::messages::StockCatalogue,
        users::messages::{CreateOperator, HasOperator, IssueSetupToken, PersonName, UsersError},
    },
    storage::{self, Storage, StorageError},
    telemetry::Tracer,
    types::{Email, Principal, Secret, Service},
};
use actix::ArbiterHandle;
use std::{sync::Arc, time::Duration};

const CHECK_DISK_EVERY: Duration = Duration::from_secs(1);

/// The services over an open data folder, without a gateway: `check` and `operator create` need no
/// more.
pub struct Shop {
    pub env: Env,
    pub mesh: Mesh,
    /// The payment provider outside of the shop, with its faults.
    pub provider: Sandbox,
    pub(super) storage: Arc<Storage>,
}

impl Shop {
    /// Opens the data folder and starts the services. Needs a running actix system.
    pub fn open(settings: &Settings, env: Env, tracer: Tracer) -> Result<Self, Fatal> {
        Self::over(Storage::open(&settings.data_dir, &env)?, settings, env, tracer, &[])
    }

    /// Starts the services over an open data folder, on these threads first.
    pub fn over(
        storage: Storage,
        settings: &Settings,
        env: Env,
        tracer: Tracer,
        threads: &[ArbiterHandle],
    ) -> Result<Self, Fatal> {
        let storage = Arc::new(storage);
        let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS).traced(tracer).on_threads(threads);
        let deps = |service: Service| -> Result<ServiceDeps, StorageError> {
            Ok(ServiceDeps {
                env: env.clone(),
                mesh: mesh.for_caller(Caller::Service(service)),
                tree: storage.tree(service)?,
                instances: settings.instances.of(service),
            })
        };
        let provider = Sandbox::open(storage.outside_tree("provider")?, env.clone());
        provider.set_faults(settings.provider_faults);
        services::users::launch(deps(Service::Users)?)?;
        services::products::launch(deps(Service::Products)?)?;
        services::carts::launch(deps(Service::Carts)?)?;
        services::payments::launch(deps(Service::Payments)?, Arc::new(provider.clone()))?;
        services::shipping::launch(deps(Service::Shipping)?, settings.carrier_speed)?;
        services::notifications::launch(deps(Service::Notifications)?)?;
        services::orders::launch(deps(Service::Orders)?)?;
        Ok(Self { env, mesh: mesh.for_caller(Caller::Outside("system")), provider, storage })
    }

    /// The context of calls that the program itself makes: 30 seconds.
    pub fn context(&self) -> Context {
        Context::new(Principal::System, Duration::from_secs(30), TraceId(self.env.bytes()))
    }

    /// Returns when the disk has failed and then accepts writes again. After a failed write sled
    /// accepts no other: close the folder and open it again.
    pub async fn disk_comes_back(&self) {
        loop {
            tokio::time::sleep(CHECK_DISK_EVERY).await;
            if !self.storage.is_healthy() {
                let folder = self.storage.folder().to_owned();
                if self.env.blocking(move || storage::has_room(&folder)).await == Some(true) {
                    return;
                }
            }
        }
    }

    /// Stops the services and closes the folder in order.
    pub fn close(self) -> Result<(), StorageError> {
        self.mesh.stop();
        // Both hold trees. The folder is closed when the last tree is dropped.
        drop((self.mesh, self.provider));
        match Arc::try_unwrap(self.storage) {
            Ok(storage) => storage.close(),
            // Another owner is left. Acknowledged writes are on disk anyway, and the next start
            // recovers.
            Err(_) => Ok(()),
        }
    }

    pub async fn create_operator(&self, email: Email, password: Secret, name: PersonName) -> Result<(), Fatal> {
        let made = self.mesh.call(&self.context(), CreateOperator { email, password, name }).await;
        made.map(|_| ()).map_err(|error| match error {
            CallError::Domain(error) => Fatal::Refused(error.to_string()),
            CallError::Mesh(error) => not_ready(error),
        })
    }

    /// Adds the demo catalogue to a shop without products.
    pub(super) async fn stock_demo(&self) -> Result<(), Fatal> {
        let products = demo::catalogue().map_err(Fatal::NotReady)?;
        let stocked = self.mesh.call(&self.context(), StockCatalogue { products }).await;
        let count = stocked.map_err(|error| not_ready(error.into_mesh()))?;
        if count > 0 {
            log::info!(products = count; "the demo catalogue was added");
        }
        Ok(())
    }

    /// Makes the account of the first operator, if it is given; else gives the token of the set-up
    /// link. `None` if an operator exists.
    pub(super) async fn first_operator(&self, given: Option<FirstOperator>) -> Result<Option<Secret>, Fatal> {
        let failed = |error: CallError<UsersError>| not_ready(error.into_mesh());
        if self.mesh.call(&self.context(), HasOperator {}).await.map_err(failed)? {
            return Ok(None);
        }
        match given {
            Some(FirstOperator { email, password }) => {
                let name = "Operator".parse().map_err(|_| Fatal::NotReady("no name for the operator".into()))?;
                self.create_operator(email, password, name).await?;
                Ok(None)
            }
            None => Ok(Some(self.mesh.call(&self.context(), IssueSetupToken {}).await.map_err(failed)?.token)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[actix::test]
    async fn every_service_subscribes_to_the_events_that_its_row_lists_and_to_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: folder.path().into(), ..Settings::default() };
        let shop = Shop::open(&settings, Env::system(), Tracer::off()).unwrap();
        for service in Service::ALL {
            let listed: BTreeSet<_> = SUBSCRIPTIONS
                .iter()
                .filter(|(subscriber, _)| *subscriber == service)
                .flat_map(|(_, names)| names.iter().copied())
                .collect();
            assert_eq!(shop.mesh.pool(service).subscribed_events(), listed, "{service}");
        }
        shop.close().unwrap();
    }
}
