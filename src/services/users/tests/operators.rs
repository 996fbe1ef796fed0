//! Operators: made by set-up token or by the command line.

use super::*;

#[test]
fn a_set_up_token_makes_one_operator() {
    in_simulated_time(async |harness| {
        assert_eq!(harness.ask(ANONYMOUS, HasOperator {}).await, Ok(false));
        let customer = harness.register("ada@example.com").await.unwrap().user;
        for who in [ANONYMOUS, is(&customer), Principal::Service { name: Service::Orders }] {
            assert_eq!(harness.ask(who, IssueSetupToken {}).await.map(drop), Err(UsersError::Forbidden));
        }
        let first = harness.ask(Principal::System, IssueSetupToken {}).await.unwrap().token;
        let token = harness.ask(Principal::System, IssueSetupToken {}).await.unwrap().token;
        assert_eq!(harness.redeem(&first, "olga@example.com").await.unwrap_err(), UsersError::SetupTokenInvalid);
        assert_eq!(harness.redeem(&token, "ada@example.com").await.unwrap_err(), UsersError::EmailTaken);
        let operator = harness.redeem(&token, "olga@example.com").await.unwrap();
        assert_eq!(operator.user.role, Role::Operator);
        assert_eq!(harness.verify(operator.access_token.expose()).await.unwrap().role, Role::Operator);
        assert_eq!(harness.redeem(&token, "olaf@example.com").await.unwrap_err(), UsersError::SetupTokenInvalid);
        assert_eq!(harness.ask(ANONYMOUS, HasOperator {}).await, Ok(true));
    });
}

#[test]
fn a_set_up_token_expires_and_is_invalid_once_there_is_an_operator() {
    in_simulated_time(async |harness| {
        let issued = harness.ask(Principal::System, IssueSetupToken {}).await.unwrap();
        assert_eq!(issued.expires_at, later(harness.env.now(), Duration::from_secs(1800)));
        pass(Duration::from_secs(1800)).await;
        let late = harness.redeem(&issued.token, "olga@example.com").await;
        assert_eq!(late.unwrap_err(), UsersError::SetupTokenInvalid);

        let issued = harness.ask(Principal::System, IssueSetupToken {}).await.unwrap();
        let (email, name) = ("olga@example.com".parse().unwrap(), "Olga".parse().unwrap());
        let create = CreateOperator { email, password: secret(PASSWORD), name };
        harness.ask(Principal::System, create).await.unwrap();
        let second = harness.redeem(&issued.token, "olaf@example.com").await;
        assert_eq!(second.unwrap_err(), UsersError::SetupTokenInvalid);
    });
}

#[actix::test]
async fn of_two_requests_that_redeem_one_token_at_once_one_succeeds() {
    let harness = Harness::open(Env::system(), 2);
    let token = harness.ask(Principal::System, IssueSetupToken {}).await.unwrap().token;
    let (a, b) = tokio::join!(harness.redeem(&token, "olga@example.com"), harness.redeem(&token, "olaf@example.com"));
    let lost = if a.is_ok() { b } else { a };
    assert_eq!(lost.unwrap_err(), UsersError::SetupTokenInvalid);
    assert_eq!(harness.store.all_user_ids().len(), 1);
}

#[test]
fn the_command_line_makes_and_promotes_operators() {
    in_simulated_time(async |harness| {
        let customer = harness.register("ada@example.com").await.unwrap();
        let create = |email: &str| CreateOperator {
            email: email.parse().unwrap(),
            password: secret("coffee & biscuits"),
            name: "Olga".parse().unwrap(),
        };
        for who in [ANONYMOUS, is(&customer.user)] {
            assert_eq!(harness.ask(who, create("olga@example.com")).await.map(drop), Err(UsersError::Forbidden));
        }
        for _ in 0..2 {
            let promoted = harness.ask(Principal::System, create("ada@example.com")).await.unwrap();
            assert_eq!(promoted, User { role: Role::Operator, ..customer.user.clone() });
        }
        assert_eq!(harness.refresh(&customer).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert_eq!(harness.sign_in("ada@example.com", PASSWORD).await.unwrap_err(), UsersError::InvalidCredentials);
        let operator = harness.sign_in("ada@example.com", "coffee & biscuits").await.unwrap();
        assert_eq!(harness.verify(operator.access_token.expose()).await.unwrap().role, Role::Operator);
        assert_eq!(harness.ask(Principal::System, create("olga@example.com")).await.unwrap().role, Role::Operator);
    });
}
