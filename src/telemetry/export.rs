//! Spans on their way to a collector: OTLP over HTTP, in protobuf, as the `OTEL_*` variables say.
//!
//! Nothing is exported unless `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set. Spans are batched and sent by
//! a thread of their own; a collector that is away or slow costs a line in the log and the spans that find no more room.

use super::{Span, SpanKind};
use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{Link, SpanContext, SpanKind as OtelKind, Status, TraceFlags, TraceState},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchSpanProcessor, Sampler, SamplingDecision, ShouldSample, SpanData, SpanExporter, SpanLinks, SpanProcessor,
    },
};
use std::{
    borrow::Cow,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

pub struct Exporter {
    batch: BatchSpanProcessor,
    sampler: Sampler,
    scope: InstrumentationScope,
}

impl Exporter {
    /// As the environment says; `None` where it says nothing, or that nothing is wanted. `Err` in words for what makes no sense.
    pub fn from_environment() -> Result<Option<Self>, String> {
        let is = |name, value: &str| variable(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
        let is_wanted = ENDPOINTS.iter().any(|name| variable(name).is_some());
        if !is_wanted || is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        for name in ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] {
            if let Some(other) = variable(name).filter(|it| it != "http/protobuf") {
                return Err(format!("{name} is {other}, but only http/protobuf is spoken here"));
            }
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Client(ureq::Agent::new_with_config(
                ureq::Agent::config_builder().timeout_global(Some(timeout()?)).http_status_as_error(false).build(),
            )))
            .build()
            .map_err(|error| format!("spans cannot be exported: {error}"))?;
        let mut batch = BatchSpanProcessor::builder(Telling { exporter, is_failing: AtomicBool::new(false) }).build();
        batch.set_resource(&resource());
        let scope = InstrumentationScope::builder("galleria").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Some(Self { batch, sampler: sampler()?, scope }))
    }

    pub fn export(&self, span: &Span) {
        let trace = opentelemetry::TraceId::from_bytes(span.at.trace.0);
        let decision = self.sampler.should_sample(None, trace, "", &OtelKind::Internal, &[], &[]).decision;
        if decision == SamplingDecision::RecordAndSample {
            self.batch.on_end(data(span, self.scope.clone()));
        }
    }

    /// Sends what is left.
    pub fn close(&self) {
        if let Err(error) = self.batch.shutdown() {
            log::warn!("the last spans were not exported: {error}");
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn timeout() -> Result<Duration, String> {
    let name = "OTEL_EXPORTER_OTLP_TIMEOUT";
    let millis = variable(name)
        .map_or(Ok(10_000), |it| it.parse().map_err(|_| format!("{name} is no number of milliseconds")))?;
    Ok(Duration::from_millis(millis))
}

/// What is exported; the ring has every span all the same.
fn sampler() -> Result<Sampler, String> {
    let name = variable("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "always_on".into());
    match name.trim_start_matches("parentbased_") {
        "always_on" => Ok(Sampler::AlwaysOn),
        "always_off" => Ok(Sampler::AlwaysOff),
        "traceidratio" => {
            let ratio = variable("OTEL_TRACES_SAMPLER_ARG").map_or(Ok(1.0), |it| it.parse());
            ratio.map(Sampler::TraceIdRatioBased).map_err(|_| "OTEL_TRACES_SAMPLER_ARG is no number".into())
        }
        _ => Err(format!("OTEL_TRACES_SAMPLER is {name}, which is not known here")),
    }
}

fn resource() -> Resource {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|it| it.contains("service.name="));
    let mut resource = Resource::builder();
    if !named {
        resource = resource.with_service_name("galleria");
    }
    resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
}

/// A span in OpenTelemetry's words (semantic conventions for HTTP, RPC and messaging, where they have a word). What was sent and
/// answered stays in the house.
fn data(span: &Span, scope: InstrumentationScope) -> SpanData {
    let context = |at: crate::types::SpanRef| {
        SpanContext::new(
            opentelemetry::TraceId::from_bytes(at.trace.0),
            opentelemetry::SpanId::from_bytes(at.span.0),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        )
    };
    let start_time = SystemTime::from(span.started_at);
    let mut attributes = attributes(&span.what);
    if span.outcome.kind != "ok" {
        attributes.push(KeyValue::new("error.type", span.outcome.kind));
    }
    let mut links = SpanLinks::default();
    links.links.extend(span.caused_by.map(|cause| Link::with_context(context(cause))));
    SpanData {
        span_context: context(span.at),
        parent_span_id: span
            .parent_id
            .map_or(opentelemetry::SpanId::INVALID, |id| opentelemetry::SpanId::from_bytes(id.0)),
        parent_span_is_remote: false,
        span_kind: match &span.what {
            SpanKind::Request { .. } => OtelKind::Server,
            SpanKind::Delivery { .. } => OtelKind::Consumer,
            SpanKind::Call { .. } => OtelKind::Client,
            SpanKind::Commit { .. } | SpanKind::Step { .. } => OtelKind::Internal,
        },
        name: span.name().into(),
        start_time,
        end_time: start_time + span.took,
        attributes,
        dropped_attributes_count: 0,
        events: Default::default(),
        links,
        status: match &span.outcome.words {
            words if span.outcome.is_failure() => Status::Error {
                description: words.as_deref().map_or(Cow::Borrowed(span.outcome.kind), |words| words.to_owned().into()),
            },
            _ => Status::Unset,
        },
        instrumentation_scope: scope,
    }
}

fn attributes(what: &SpanKind) -> Vec<KeyValue> {
    fn text(key: &'static str, value: impl ToString) -> Option<KeyValue> {
        Some(KeyValue::new(key, value.to_string()))
    }
    fn number(key: &'static str, value: impl Into<i64>) -> Option<KeyValue> {
        Some(KeyValue::new(key, Value::I64(value.into())))
    }
    let all: Vec<Option<KeyValue>> = match what {
        SpanKind::Request { method, route, status, client, user_id, cache, degraded } => vec![
            text("http.request.method", method),
            text("http.route", route),
            number("http.response.status_code", *status),
            text("client.address", client),
            user_id.and_then(|id| text("user.id", id)),
            cache.as_ref().and_then(|status| text("galleria.cache", status)),
            degraded.then(|| KeyValue::new("galleria.degraded", true)),
        ],
        SpanKind::Call { caller, service, request, instance, attempt, queued, .. } => vec![
            text("rpc.system", "galleria"),
            text("rpc.service", service),
            text("rpc.method", request),
            text("galleria.caller", caller),
            instance.as_ref().and_then(|name| text("galleria.instance", name)),
            number("galleria.attempt", *attempt),
            queued.and_then(|span| number("galleria.queued_us", span.as_micros() as i64)),
        ],
        SpanKind::Commit { tree } => vec![text("db.system.name", "sled"), text("db.namespace", tree)],
        SpanKind::Delivery { event, publisher, record, subscriber, attempt, .. } => vec![
            text("messaging.system", "galleria"),
            text("messaging.destination.name", event),
            text("messaging.consumer.group.name", subscriber),
            text("galleria.publisher", publisher),
            text("galleria.record", record),
            number("galleria.attempt", *attempt),
        ],
        SpanKind::Step { order_id, saga, action } => {
            vec![text("galleria.order_id", order_id), number("galleria.saga", *saga), text("galleria.action", action)]
        }
    };
    all.into_iter().flatten().collect()
}

/// Says once when the collector is lost, and once when it is back.
#[derive(Debug)]
struct Telling<E> {
    exporter: E,
    is_failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_failing => log::warn!("spans cannot be exported: {error}"),
            Ok(()) if was_failing => log::info!("spans are exported again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Blocks the thread of the batch, and nobody else.
#[derive(Debug)]
struct Client(ureq::Agent);

impl Client {
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}

impl HttpClient for Client {
    // As `async_trait` writes it.
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move { self.send(request) })
    }
}
