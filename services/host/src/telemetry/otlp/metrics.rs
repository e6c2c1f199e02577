//! Metrics: all series as they stand, every now and then and once more at the end, under the names that gRPC's metrics
//! designs give them.

use super::{resource, since_epoch};
use crate::config::OtlpSettings;
use crate::telemetry::families;
use crate::telemetry::histogram::Measured;
use crate::telemetry::registry::{Family, Meaning, Points};
use anyhow::Context as _;
use metrics::{Label, Unit};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point::Value as Number,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tonic::transport::{Channel, Endpoint};

/// What sends, once it was configured.
static EXPORT: OnceLock<Export> = OnceLock::new();

#[derive(Debug, Clone)]
struct Export {
    collector: MetricsServiceClient<Channel>,
    resource: Resource,
    /// When counting began.
    start: Duration,
    timeout: Duration,
}

/// The time that points are of.
#[derive(Debug, Clone, Copy)]
struct Span {
    start_time_unix_nano: u64,
    time_unix_nano: u64,
}

/// Sends metrics of this process as those of `service`, for as long as the runtime lives.
///
/// # Errors
/// When the address cannot be one.
pub(super) fn export(service: &'static str, settings: &OtlpSettings) -> anyhow::Result<()> {
    let endpoint = Endpoint::from_shared(settings.endpoint.clone());
    let endpoint = endpoint.context("telemetry.otlp.endpoint")?;
    let export = Export {
        collector: MetricsServiceClient::new(endpoint.connect_lazy()),
        resource: (&resource(service)).into(),
        start: since_epoch(),
        timeout: settings.timeout,
    };
    let export = EXPORT.get_or_init(|| export);
    let mut ticks = tokio::time::interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        let mut well = true;
        loop {
            ticks.tick().await;
            let sent = export.send(export.timeout).await;
            match &sent {
                Err(error) if well => tracing::warn!(error, "metrics cannot be sent"),
                Ok(()) if !well => tracing::info!("metrics are sent again"),
                _ => {}
            }
            well = sent.is_ok();
        }
    });
    Ok(())
}

/// Sends them once more, if that takes neither `time` nor the configured timeout.
pub(super) async fn flush(time: Duration) {
    let Some(export) = EXPORT.get() else {
        return;
    };
    if let Err(error) = export.send(time.min(export.timeout)).await {
        tracing::warn!(error, "the last metrics were not sent");
    }
}

impl Export {
    async fn send(&self, timeout: Duration) -> Result<(), String> {
        let span = Span {
            start_time_unix_nano: nanos(self.start),
            time_unix_nano: nanos(since_epoch()),
        };
        let scope = InstrumentationScope {
            name: "cleave".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let metrics = families().into_iter().map(|family| metric(family, span));
        let resource = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics: metrics.collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        };
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![resource],
        };
        let mut collector = self.collector.clone();
        match tokio::time::timeout(timeout, collector.export(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(status.message().to_owned()),
            Err(_) => Err(format!("no answer within {timeout:?}")),
        }
    }
}

fn metric(family: Family, span: Span) -> Metric {
    let meaning = family.meaning.as_ref();
    let temporality = AggregationTemporality::Cumulative.into();
    Metric {
        description: meaning.map_or_else(String::new, |meaning| meaning.text.to_string()),
        unit: unit(meaning).to_owned(),
        data: Some(match family.points {
            Points::Counters(series) => Data::Sum(Sum {
                data_points: points(series, |labels, count| {
                    span.number(
                        labels,
                        Number::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
                    )
                }),
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            Points::Gauges(series) => Data::Gauge(Gauge {
                data_points: points(series, |labels, value| {
                    span.number(labels, Number::AsDouble(value))
                }),
            }),
            Points::Histograms(series) => Data::Histogram(Histogram {
                data_points: points(series, |labels, measured| span.histogram(labels, measured)),
                aggregation_temporality: temporality,
            }),
        }),
        name: family.name,
        ..Metric::default()
    }
}

/// By the codes of UCUM, as OpenTelemetry has it.
fn unit(meaning: Option<&Meaning>) -> &'static str {
    match meaning.and_then(|meaning| meaning.unit) {
        Some(Unit::Bytes) => "By",
        Some(unit) => unit.as_canonical_label(),
        None => "",
    }
}

fn points<V, P>(series: Vec<(Vec<Label>, V)>, point: impl Fn(Vec<KeyValue>, V) -> P) -> Vec<P> {
    let point = |(labels, value): (Vec<Label>, V)| point(attributes(&labels), value);
    series.into_iter().map(point).collect()
}

fn attributes(labels: &[Label]) -> Vec<KeyValue> {
    let attribute = |label: &Label| KeyValue {
        key: label.key().to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(label.value().to_owned())),
        }),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Span {
    fn number(self, attributes: Vec<KeyValue>, value: Number) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }

    fn histogram(self, attributes: Vec<KeyValue>, measured: Measured) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: measured.count(),
            sum: Some(measured.sum),
            explicit_bounds: measured.bounds.to_vec(),
            bucket_counts: measured.counts,
            ..HistogramDataPoint::default()
        }
    }
}
