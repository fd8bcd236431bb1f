// @ts-check
// Two servers share a session under OpenTelemetry's SDK; prints the spans and metrics that come of it.
import { trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { SessionRepository, defineSession, mutable, openStore } from 'holdfast';
import { instrument } from './instrument.mjs';

// In memory, to print them here: a service takes the exporters of its backend (OTLP, say), and no more changes.
const [spans, metrics] = [new InMemorySpanExporter(), new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)];
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: metrics })] });
const telemetry = { tracer: trace.getTracer('shop'), meter: meters.getMeter('shop') };

const store = await openStore('memory:');
const backup = await openStore('memory:');
const definition = defineSession({ cart: mutable(() => /** @type {string[]} */ ([])) });
const servers = [1, 2].map(() => new SessionRepository({ store, definition, backups: [{ store: backup }] }));
const scopes = servers.map((sessions) => instrument(sessions, telemetry).scope);

for (const [index, scope] of [...scopes, ...scopes].entries())
  await scope('ann', (state) => void state.cart.push(`tea ${index}`), { create: {} });

await Promise.all(servers.map((sessions) => sessions.close()));
await Promise.all([store.close(), backup.close(), meters.forceFlush()]);

for (const { name, duration, attributes, events } of spans.getFinishedSpans()) {
  const ms = (duration[0] * 1e3 + duration[1] / 1e6).toFixed(2);
  console.log(`span ${name}, ${ms} ms`, attributes, ...events.map((event) => [event.name, event.attributes]));
}
for (const { descriptor, dataPoints } of metrics.getMetrics().flatMap((each) => each.scopeMetrics[0]?.metrics ?? []))
  for (const { attributes, value } of dataPoints) {
    const shown = typeof value === 'number' ? value : `${value.count} times, ${value.sum?.toFixed(2)} in all`;
    console.log(`metric ${descriptor.name}`, attributes, shown);
  }
await meters.shutdown();
