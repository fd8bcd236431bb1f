// @ts-check
import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * @import { Attributes, Meter, Span, Tracer } from '@opentelemetry/api'
 * @import { HoldfastEvent, SessionRepository } from 'holdfast'
 */

/** `SpanStatusCode.ERROR`: only types are taken from the API here. */
const ERROR = 2;

/**
 * Metrics of all that a repository tells, and a `scope` that makes spans: one for the whole, in it one for the use, and
 * one for the save. What happens meanwhile is on them: the wait for the lock as a span of its own, records as events.
 *
 * @template {object} S
 * @template {object} V
 * @param {SessionRepository<S, V>} sessions
 * @param {{ readonly tracer: Tracer, readonly meter: Meter }} telemetry
 * @returns {{ readonly scope: SessionRepository<S, V>['scope'], readonly end: () => void }}
 */
export function instrument(sessions, { tracer, meter }) {
  /** @type {AsyncLocalStorage<Span>} */
  const current = new AsyncLocalStorage();
  const measure = measureWith(meter);

  const end = sessions.observe((event) => {
    measure(event);
    const { type, at, ...rest } = event;
    if (type === 'grant') {
      // It is told when it is over.
      const startTime = event.at - event.waitMs;
      tracer.startSpan('holdfast.lock.wait', { startTime, attributes: attributesOf(rest) }).end(event.at);
    } else current.getStore()?.addEvent(`holdfast.${type}`, attributesOf(rest), at);
  });

  return {
    end,
    scope: (id, use, options) =>
      tracer.startActiveSpan('holdfast.scope', (span) =>
        current.run(span, async () => {
          /** @type {Span | undefined} */
          let save;
          try {
            return await sessions.scope(
              id,
              async (state, session) => {
                const result = await tracer.startActiveSpan('holdfast.use', async (using) => {
                  try {
                    return await use(state, session);
                  } finally {
                    using.end();
                  }
                });
                save = tracer.startSpan('holdfast.save');
                return result;
              },
              options,
            );
          } catch (error) {
            fail(span, error);
            throw error;
          } finally {
            save?.end();
            span.end();
          }
        }),
      ),
  };
}

/**
 * @param {Span} span
 * @param {unknown} error
 */
function fail(span, error) {
  const known = error instanceof Error ? error : new Error(String(error));
  span.recordException(known);
  span.setStatus({ code: ERROR, message: known.message });
}

/**
 * No id becomes a label: there are as many as there are sessions.
 *
 * @param {Meter} meter
 * @returns {(event: HoldfastEvent) => void}
 */
function measureWith(meter) {
  const waits = meter.createHistogram('holdfast.lock.wait', { unit: 'ms', description: 'from asking to the grant' });
  const saves = meter.createCounter('holdfast.records', { description: 'acknowledged, by place and kind' });
  const bytes = meter.createCounter('holdfast.bytes', { unit: 'By', description: 'of records, as sent' });
  const others = meter.createCounter('holdfast.events', { description: 'all other events, by type' });
  return (event) => {
    if (event.type === 'grant') waits.record(event.waitMs, { hand_over: event.handOver });
    else if (event.type === 'sent') {
      const labels = { place: String(event.place), kind: event.kind };
      saves.add(1, labels);
      bytes.add(event.bytes, labels);
    } else others.add(1, { type: event.type });
  };
}

/**
 * Attributes are texts, numbers and booleans.
 *
 * @param {object} fields
 * @returns {Attributes}
 */
function attributesOf(fields) {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    known.map(([name, value]) => [`holdfast.${name}`, typeof value === 'object' ? JSON.stringify(value) : value]),
  );
}
