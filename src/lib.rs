//! # Galleria: the map of the code
//!
//! Galleria is one binary that is a complete web shop and a lesson in microservices and API
//! gateways. Each business capability is an actor with its own tree on disk. Services know each
//! other only by typed messages. The gateway is the only way in.
//!
//! Think of a house: the gateway is its only door, and each folder of `src/` is a room. That
//! picture is used here only. The code uses the terms of the books; the [glossary](#glossary) below
//! leads from each term to its file.
//!
//! ```text
//!                        browser, curl
//!                              │ HTTP
//!   gateway    ┌───────────────▼────────────────┐   routes.rs: the API at a glance
//!              │ filters, in one fixed order    │   filters/: one file or folder each
//!              │ handlers: request → message    │   api/: no business rules
//!              └───────────────┬────────────────┘
//!                              │ mesh.call(&context, ReserveStock { … }).await
//!   mesh       ┌───────────────▼────────────────┐   finds an instance, keeps the deadline,
//!              │ breakers, balancing, relay     │   replaces dead instances, delivers events
//!              └─┬─────┬─────┬─────┬─────┬────┬─┘
//!   services   users products carts orders payments shipping notifications
//!              each: messages → actor → rules → store
//!                │     │     │     │     │    │
//!   storage    ┌─▼─────▼─────▼─────▼─────▼────▼─┐   one tree a service; records change by
//!              │ records, outboxes, commits     │   compare-and-swap; group commit
//!              └────────────────────────────────┘
//! ```
//!
//! ## Where to begin
//!
//! 1. [`gateway::routes`]: what clients can ask of the shop.
//! 2. `gateway/filters/chain.rs`: what happens to every request, in which order.
//! 3. [`services`]: which service may call which; then [`services::carts`], the smallest service.
//!    All services have the same files: `messages.rs` (the only public one), `rules.rs` (pure
//!    decisions), `records.rs` and `store.rs` (the tree), `actor.rs` (a short handler for each
//!    request).
//! 4. [`services::orders`]: `saga.rs` is the list of steps of an order, with the compensation of
//!    each step.
//! 5. [`mesh`]: how a message reaches an instance, what happens when an instance dies, and how
//!    events are delivered.
//! 6. [`storage`]: why no acknowledged write is lost.
//! 7. [`app`]: how everything is put together.
//!
//! ## The rooms
//!
//! | room | what it is |
//! |---|---|
//! | `main.rs`, [`commands`] | the command line: its flags, and what each command does |
//! | [`app`] | the composition root; the only room that knows all others |
//! | [`config`] | settings: defaults < file < environment < flags |
//! | [`gateway`] | the API gateway and the static files |
//! | [`lab`] | what operators do to a running shop: crash, pause, disturb |
//! | [`audit`] | compares the records of all services (reconciliation) |
//! | [`services`] | one folder for each capability; none knows HTTP |
//! | [`demo`] | the demo catalogue |
//! | [`mesh`] | how any caller finds and reaches a service |
//! | [`storage`] | a service's own tree; the only room that knows sled |
//! | [`telemetry`] | log lines, spans, metrics |
//! | [`env`] | clock, waiting, randomness, ids, blocking work: everything that makes two runs differ |
//! | [`types`] | values that every room shares; pure data |
//!
//! ## What always holds
//!
//! Each sentence names a test that was seen failing.
//!
//! - `types` and `env` import no other room. (`tests/boundaries.rs`:
//!   `every_arrow_runs_the_way_it_may`)
//! - Only `storage` knows sled; only `gateway` knows actix-web; only `env` reads clocks and draws
//!   random numbers. (`tests/boundaries.rs`: `every_arrow_runs_the_way_it_may`)
//! - A service imports its own files, the rooms below it, and of other services only `messages`: of
//!   services that [`services::ALLOWED_CALLS`] lists for it, or whose events
//!   [`services::SUBSCRIPTIONS`] lists for it. (`tests/boundaries.rs`:
//!   `every_arrow_runs_the_way_it_may`)
//! - No files of a room import each other in a circle. (`tests/boundaries/circles.rs`:
//!   `no_file_of_a_room_imports_another_in_a_circle`)
//! - `ALLOWED_CALLS` has no circle, and the mesh refuses a call that it does not list.
//!   (`src/mesh/tests/calls.rs`: `a_call_that_is_not_allowed_is_refused`)
//! - Subscribers of an event do not depend on which instances run: the event waits.
//!   (`src/mesh/tests/events.rs`: `an_event_waits_for_a_subscriber_that_has_not_started`)
//! - Every service has the same files; its actor is a private type. (`tests/boundaries.rs`:
//!   `every_service_has_the_same_rooms_and_one_public_face`)
//! - No room imports [`app`], except the command line. (`tests/boundaries.rs`:
//!   `every_arrow_runs_the_way_it_may`)
//! - A reply to a command means that the change is on disk. (`tests/shop/kills.rs`:
//!   `after_many_kills_no_acknowledged_order_is_lost_and_no_customer_pays_twice`)
//! - After any fault the shop comes to rest in a state that a small model allows.
//!   (`tests/simulation/main.rs`: `after_any_faults_the_shop_reaches_the_state_of_the_model`)
//! - The records of all services agree; the audit finds every disagreement. (`src/audit/tests.rs`:
//!   `books_that_were_cooked_do_not_balance`)
//! - A record and its pending events are one write; a record with unfinished work has an open
//!   marker. (`src/storage/table/tests.rs`:
//!   `a_record_with_pending_events_is_open_until_all_are_delivered`)
//! - A pending event is delivered at least once and in order, or becomes a dead letter that an
//!   operator can redeliver. (`src/mesh/tests/events.rs`:
//!   `after_ten_failed_deliveries_an_event_is_a_dead_letter_and_is_replayed_once`)
//! - Every route says which clients may call it; every row of the table is tried as an anonymous
//!   client, as a customer and as another customer. (`tests/shop/access/mod.rs`:
//!   `every_route_admits_only_the_callers_that_its_row_lists`)
//! - The principals that may send a message are checked before its handler runs.
//!   (`src/services/tests/access.rs`:
//!   `staff_and_program_requests_are_refused_to_every_other_principal`)
//! - The filters run in one order. (`src/gateway/filters/chain.rs`:
//!   `the_filters_stand_in_this_order`)
//! - A client that was told of a change never reads an older version from the cache.
//!   (`tests/shop/caching/mod.rs`:
//!   `a_client_that_was_told_of_a_change_never_reads_the_old_version`)
//! - A service that grows or shrinks loses no call. (`src/mesh/tests/scaling.rs`:
//!   `a_service_that_grows_and_shrinks_under_load_loses_no_call`)
//! - Outlier ejection never takes the last instance, nor more than half.
//!   (`src/mesh/tests/breakers.rs`:
//!   `the_last_instance_is_never_ejected_and_neither_are_more_than_half`)
//! - No call is tried past its deadline. (`src/mesh/tests/retries.rs`:
//!   `no_retry_is_made_past_the_deadline`)
//! - A fault in one service affects only requests that need it, and not for long.
//!   (`tests/shop/chaos.rs`: `a_fault_of_one_service_affects_only_its_dependents_and_ends_soon`)
//! - An invalid change of a control changes nothing. (`tests/shop/controls.rs`:
//!   `an_invalid_change_is_refused_and_changes_nothing`)
//! - A change of a control outlives a restart. (`tests/shop/controls.rs`:
//!   `a_change_of_an_operator_survives_a_restart_and_can_be_reset`)
//! - Every message of a request is in its trace, also later messages and messages after a restart.
//!   (`tests/shop/traces/mod.rs`:
//!   `a_saga_that_resumes_after_a_restart_continues_the_trace_of_its_request`)
//! - No secret is in a trace, a log line or an export. (`tests/shop/traces/mod.rs`:
//!   `no_secret_is_in_any_trace_log_or_export`)
//! - Every refusal is a problem document, and no input causes a 5xx.
//!   (`tests/shop/bad_input/mod.rs`: `malformed_input_is_refused_and_changes_nothing`)
//! - A panic takes down one instance, and only its caller notices. (`src/mesh/tests/calls.rs`:
//!   `a_panic_fails_only_its_own_call_and_the_instance_is_replaced`)
//!
//! ## Glossary
//!
//! The pattern, the book's term, the file, and a test that shows the pattern at work. *MP* is
//! Richardson, *Microservices Patterns*; *RI* is Nygard, *Release It!* (2nd edition); *SRE* is
//! Google's *Site Reliability Engineering*; numbers are chapters.
//!
//! | pattern                        | book's term                | file                                                       | test |
//! | ------------------------------ | -------------------------- | ---------------------------------------------------------- | ---- |
//! | API gateway                    | MP 8                       | `src/gateway/routes.rs`                                    | `tests/shop/access/mod.rs`: `every_route_admits_only_the_callers_that_its_row_lists` |
//! | Filter chain                   | HTTP filters, Envoy        | `src/gateway/filters/chain.rs`                             | `tests/shop/filters.rs`: `authentication_runs_before_authorization` |
//! | Request context                | Pingora, Envoy             | `src/gateway/context.rs`                                   | `tests/shop/filters.rs`: `every_refused_request_is_logged_with_its_reason` |
//! | API composition                | MP 7                       | `src/gateway/api/composed.rs`                              | `tests/shop/journeys/parts.rs`: `a_page_names_its_missing_parts_and_fails_without_its_main_part` |
//! | Access token                   | MP 11, RFC 8725            | `src/gateway/filters/authentication/token_verifier/mod.rs` | `tests/shop/access/tokens.rs`: `a_token_with_a_wrong_signature_or_purpose_is_refused` |
//! | Rate limit                     | GCRA                       | `src/gateway/filters/rate_limit/limiter.rs`                | `tests/shop/overload.rs`: `of_a_thousand_concurrent_requests_exactly_the_burst_is_served` |
//! | Adaptive concurrency limit     | load shedding, RI 5        | `src/gateway/filters/admission/concurrency_limit.rs`       | `src/gateway/filters/admission/concurrency_limit.rs`: `at_three_times_the_capacity_admitted_requests_are_answered_as_fast_as_at_the_capacity` |
//! | Idempotency key                | IETF draft                 | `src/gateway/filters/idempotency/mod.rs`                   | `tests/shop/journeys/keys.rs`: `many_concurrent_requests_with_one_key_place_one_order` |
//! | Conditional request            | RFC 9110                   | `src/gateway/filters/conditional/mod.rs`                   | `tests/shop/journeys/catalogue.rs`: `of_many_concurrent_changes_of_one_version_one_succeeds` |
//! | Response cache                 | RFC 9111, RFC 5861         | `src/gateway/filters/cache/mod.rs`                         | `tests/shop/caching/mod.rs`: `a_client_that_was_told_of_a_change_never_reads_the_old_version` |
//! | Single flight                  | request coalescing         | `src/gateway/filters/cache/store.rs`                       | `tests/shop/caching/mod.rs`: `many_concurrent_requests_for_the_same_entry_make_one_call` |
//! | Problem details                | RFC 9457                   | `src/gateway/respond/problem.rs`                           | `tests/shop/bad_input/mod.rs`: `malformed_input_is_refused_and_changes_nothing` |
//! | Client-side load balancing     | MP 3; P2C, peak EWMA       | `src/mesh/balance.rs`                                      | `src/mesh/tests/balancing.rs`: `a_slow_instance_gets_few_calls_by_power_of_two_and_its_share_by_round_robin` |
//! | Service registry, health check | MP 3, MP 11                | `src/mesh/pool.rs`                                         | `src/mesh/tests/scaling.rs`: `a_paused_instance_is_detected_and_replaced` |
//! | Canary release                 | weighted routing           | `src/mesh/balance.rs`                                      | `src/mesh/tests/balancing.rs`: `a_canary_gets_five_calls_of_a_hundred` |
//! | Circuit breaker                | MP 3, RI 5                 | `src/mesh/breaker.rs`                                      | `src/mesh/tests/breakers.rs`: `after_many_failures_the_breaker_opens_and_probes_close_it` |
//! | Outlier ejection               | Envoy                      | `src/mesh/outlier.rs`                                      | `src/mesh/tests/breakers.rs`: `an_instance_whose_calls_fail_in_a_row_is_ejected_for_half_a_minute` |
//! | Retry budget, backoff          | SRE 21                     | `src/mesh/retry.rs`                                        | `src/mesh/tests/retries.rs`: `retries_are_a_fifth_of_the_calls_or_three_a_second` |
//! | Deadline propagation           | SRE 22                     | `src/mesh/call.rs`                                         | `src/mesh/tests/retries.rs`: `the_service_sees_the_remaining_time` |
//! | Bulkhead                       | RI 5                       | `src/mesh/permit.rs`                                       | `src/mesh/tests/calls.rs`: `calls_in_flight_are_bounded_and_an_abandoned_call_keeps_its_slot` |
//! | Supervision                    | let it crash, RI 5         | `src/mesh/supervise.rs`                                    | `src/mesh/tests/calls.rs`: `a_panic_fails_only_its_own_call_and_the_instance_is_replaced` |
//! | Autoscaler                     | horizontal autoscaling     | `src/mesh/autoscale.rs`                                    | `src/mesh/tests/scaling.rs`: `a_service_that_grows_and_shrinks_under_load_loses_no_call` |
//! | Fault injection                | chaos engineering; Istio   | `src/mesh/link.rs`                                         | `tests/shop/chaos.rs`: `a_fault_of_one_service_affects_only_its_dependents_and_ends_soon` |
//! | Database per service           | MP 1                       | `src/services/mod.rs`                                      | `tests/boundaries.rs`: `every_service_has_the_same_rooms_and_one_public_face` |
//! | Saga, orchestrated             | MP 4                       | `src/services/orders/saga.rs`                              | `src/services/orders/tests/sagas.rs`: `the_table_of_what_follows_each_step_and_result_is_complete` |
//! | Compensation                   | MP 4                       | `src/services/orders/saga.rs`                              | `src/services/orders/tests/placing.rs`: `a_refusal_compensates_the_begun_steps_last_first_and_rejects_the_order` |
//! | Pivot transaction              | MP 4                       | `src/services/orders/saga.rs`                              | `src/services/orders/tests/placing.rs`: `from_the_pivot_on_each_step_is_repeated_until_it_succeeds` |
//! | Semantic lock                  | MP 4                       | `src/services/orders/rules.rs`                             | `src/services/orders/tests/after_placing.rs`: `an_order_that_is_being_handed_over_or_placed_cannot_be_cancelled` |
//! | Saga recovery                  | MP 4                       | `src/services/orders/orchestrator.rs`                      | `src/services/orders/tests/crashes.rs`: `an_order_is_complete_or_undone_whenever_the_shop_is_killed` |
//! | Transactional outbox           | MP 3                       | `src/storage/outbox.rs`                                    | `src/storage/table/tests.rs`: `a_record_with_pending_events_is_open_until_all_are_delivered` |
//! | Message relay                  | MP 3                       | `src/mesh/relay.rs`                                        | `src/mesh/tests/events.rs`: `events_arrive_once_and_in_order_although_some_deliveries_fail` |
//! | Idempotent consumer            | MP 3                       | `src/mesh/processed_events.rs`                             | `src/services/notifications/actor.rs`: `an_event_that_is_handed_over_twice_writes_one_message` |
//! | Dead letters                   | Dead Letter Channel, Hohpe | `src/mesh/dead_letters.rs`                                 | `src/mesh/tests/events.rs`: `after_ten_failed_deliveries_an_event_is_a_dead_letter_and_is_replayed_once` |
//! | Projection                     | CQRS, MP 7                 | `src/services/products/catalogue.rs`                       | `src/services/products/tests/catalogue.rs`: `changes_one_by_one_lead_to_the_same_catalogue_as_filling_it` |
//! | Compare-and-swap               | optimistic concurrency     | `src/storage/table/mod.rs`                                 | `src/storage/table/tests.rs`: `changes_by_several_threads_lose_no_update` |
//! | Group commit                   | Gray & Reuter              | `src/storage/commit.rs`                                    | `src/storage/tests/crash.rs`: `acknowledged_writes_survive_a_kill` |
//! | Distributed tracing            | MP 11, W3C                 | `src/telemetry/tracer.rs`                                  | `tests/shop/traces/mod.rs`: `one_trace_shows_an_order_from_the_gateway_to_the_inbox` |
//! | Application metrics            | MP 11                      | `src/telemetry/metrics.rs`                                 | `tests/shop/metrics.rs`: `each_metric_counts_the_events_of_its_layer` |
//! | Health check API               | MP 11                      | `src/gateway/api/operation.rs`                             | `tests/shop/graceful.rs`: `the_readiness_probe_fails_before_the_shop_stops_serving` |
//! | Externalized configuration     | MP 11                      | `src/config/mod.rs`                                        | `tests/shop/command_line.rs`: `flags_override_the_environment_and_the_environment_overrides_the_file` |
//! | Login throttle                 | OWASP ASVS 6.3             | `src/services/users/login_throttle.rs`                     | `src/services/users/login_throttle.rs`: `strangers_do_not_lock_the_owner_out` |
//! | Reconciliation                 | accounting                 | `src/audit/equations.rs`                                   | `src/audit/tests.rs`: `books_that_were_cooked_do_not_balance` |
//! | Deterministic simulation       | FoundationDB               | `tests/simulation/world.rs`                                | `tests/simulation/main.rs`: `after_any_faults_the_shop_reaches_the_state_of_the_model` |
//! | Crash test                     | failpoints                 | `src/storage/failpoint.rs`                                 | `tests/shop/crash_points.rs`: `after_a_crash_at_any_point_the_request_takes_effect_exactly_once` |

pub mod app;
pub mod audit;
pub mod commands;
pub mod config;
pub mod demo;
pub mod env;
pub mod gateway;
pub mod lab;
pub mod mesh;
pub mod services;
pub mod storage;
pub mod telemetry;
pub mod types;
