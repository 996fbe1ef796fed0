//! The actor: its handler table, the handlers of profile and address book, and `launch`. The
//! handlers of sessions are in `sign_in.rs`, those of operators in `operators.rs`.

use super::{
    login_throttle::LoginThrottle, messages::*, passwords::PasswordPool, records::UserRecord, rules, service::Users,
    store::Store,
};
use crate::{
    env::Env,
    mesh::{Context, HandlerResult, service},
    services::ServiceDeps,
    storage::StorageError,
    types::Service,
};
use std::time::Duration;

service! { Users,
    handles {
        RegisterUser     => register_user,
        SignIn           => sign_in,
        RefreshSession   => refresh_session,
        EndSession       => end_session,
        ListSessions     => list_sessions,
        ListRevoked      => list_revoked,
        GetKeys          => get_keys,
        GetUser          => get_user,
        UpdateUser       => update_user,
        ChangePassword   => change_password,
        ListAddresses    => list_addresses,
        GetAddress       => get_address,
        AddAddress       => add_address,
        ReplaceAddress   => replace_address,
        RemoveAddress    => remove_address,
        HasOperator      => has_operator,
        CreateOperator   => create_operator,
        IssueSetupToken  => issue_setup_token,
        RedeemSetupToken => redeem_setup_token,
    }
}

pub fn launch(deps: ServiceDeps) -> Result<(), StorageError> {
    let (env, store) = (deps.env.clone(), Store::new(&deps.tree));
    store.finish_pending_tasks(env.now())?;
    store.renew_keys(env.now(), env.bytes())?;
    let users = Users {
        passwords: PasswordPool::new(&env),
        throttle: LoginThrottle::default(),
        store: store.clone(),
        env: env.clone(),
    };
    deps.mesh.launch(Service::Users, deps.instances, move |on| start(&users, on));
    deps.mesh.relay(Service::Users, deps.tree, store.outbox_tables());
    deps.mesh.background(Service::Users, move || sweep(env.clone(), store.clone()));
    Ok(())
}

const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Sessions that are swept before other tasks of this thread get a turn.
const SWEEP_AT_ONCE: usize = 200;

/// Deletes expired sessions and rotates the signing keys, again and again.
async fn sweep(env: Env, store: Store) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = sweep_once(&env, &store).await {
            log::warn!("users: sweeping sessions failed; trying again later: {error}");
        }
    }
}

async fn sweep_once(env: &Env, store: &Store) -> Result<(), StorageError> {
    store.renew_keys(env.now(), env.bytes())?;
    while store.sweep_sessions(env.now(), SWEEP_AT_ONCE)? > 0 {
        tokio::task::yield_now().await;
    }
    store.commit().await
}

impl Users {
    async fn get_user(&self, context: Context, request: GetUser) -> HandlerResult<GetUser> {
        Ok(self.account(&context, request.user_id)?.user)
    }

    async fn update_user(&self, context: Context, request: UpdateUser) -> HandlerResult<UpdateUser> {
        let mut user = self.account(&context, request.user_id)?.user;
        // The e-mail address comes first: if it is taken, nothing has changed.
        if let Some(email) = &request.email {
            user = self.store.move_email(user.id, email).await?;
        }
        if let Some(name) = request.name {
            let rename = |record: &mut UserRecord| {
                record.user.name = name.clone();
                Ok(record.user.clone())
            };
            user = self.store.change(user.id, rename).await?;
        }
        Ok(user)
    }

    async fn list_addresses(&self, context: Context, request: ListAddresses) -> HandlerResult<ListAddresses> {
        Ok(self.account(&context, request.user_id)?.addresses)
    }

    async fn get_address(&self, context: Context, request: GetAddress) -> HandlerResult<GetAddress> {
        let addresses = self.account(&context, request.user_id)?.addresses;
        let found = addresses.into_iter().find(|saved| saved.id == request.address_id);
        found.ok_or(UsersError::AddressNotFound.into())
    }

    async fn add_address(&self, context: Context, request: AddAddress) -> HandlerResult<AddAddress> {
        self.account(&context, request.user_id)?;
        let saved = SavedAddress { id: self.env.id(), address: request.address };
        let add = |record: &mut UserRecord| rules::add_address(&mut record.addresses, &saved);
        self.store.change(request.user_id, add).await?;
        Ok(saved)
    }

    async fn replace_address(&self, context: Context, request: ReplaceAddress) -> HandlerResult<ReplaceAddress> {
        self.account(&context, request.user_id)?;
        let saved = SavedAddress { id: request.address_id, address: request.address };
        let replace = |record: &mut UserRecord| rules::replace_address(&mut record.addresses, &saved);
        self.store.change(request.user_id, replace).await?;
        Ok(saved)
    }

    async fn remove_address(&self, context: Context, request: RemoveAddress) -> HandlerResult<RemoveAddress> {
        self.account(&context, request.user_id)?;
        let remove = |record: &mut UserRecord| {
            rules::remove_address(&mut record.addresses, &mut record.removed_addresses, request.address_id)
        };
        self.store.change(request.user_id, remove).await
    }
}
