import type { ServerResponse } from 'node:http';

type Given = readonly unknown[];
type Write = (...given: Given) => boolean;

/** Headers that tell of a body that is not sent. */
const OF_BODY = /^(?:content-|etag$|last-modified$)/;

/**
 * Holds the last byte of a response back until `before` has been done. Resolves when the response has ended or the
 * client has gone; rejects as `before` does: then nothing of the end is sent, and where the headers have gone already the
 * connection is cut.
 */
export function beforeEnd(response: ServerResponse, before: () => Promise<void>): Promise<void> {
  const { end, write } = response as { end: (...given: Given) => ServerResponse; write: Write };
  let isReleased = false;
  const held: Given[] = [];
  let sentBytes = 0;
  return new Promise((resolve, reject) => {
    const finish = async (given: Given): Promise<void> => {
      const restore = headOf(response);
      try {
        await before();
        isReleased = true;
        restore();
        for (const chunk of held) write.apply(response, chunk as never);
        end.apply(response, given as never);
        resolve();
      } catch (error) {
        isReleased = true;
        withoutBody(response);
        reject(error as Error);
      }
    };
    let isEnding = false;
    response.end = (...given: Given) => {
      if (isReleased) return end.apply(response, given as never);
      if (!isEnding) void finish(given);
      isEnding = true;
      return response;
    };
    response.write = (...given: Given) => {
      if (isReleased) return write.apply(response, given as never);
      if (isEnding) return false; // what comes behind the end is not sent
      const [chunk, encoding] = given as [string | Uint8Array | undefined, BufferEncoding];
      sentBytes += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : (chunk?.byteLength ?? 0);
      const isLast = sentBytes >= Number(response.getHeader('content-length') ?? Infinity);
      if (!isLast) return write.apply(response, given as never);
      held.push(given);
      return true;
    };
    response.once('close', () => resolve());
  });
}

/** Returns a function that makes the head what it is now: what comes behind the end of a response is none of it. */
function headOf(response: ServerResponse): () => void {
  const { statusCode } = response;
  // HTTP/2 has none, and warns of each look at it.
  const statusMessage = Object.hasOwn(response, 'statusMessage') ? response.statusMessage : undefined;
  const headers = response.getHeaders();
  return () => {
    if (response.headersSent) return;
    response.statusCode = statusCode;
    if (Object.hasOwn(response, 'statusMessage')) Object.assign(response, { statusMessage });
    for (const name of response.getHeaderNames()) if (headers[name] === undefined) response.removeHeader(name);
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined && response.getHeader(name) !== value) response.setHeader(name, value);
  };
}

function withoutBody(response: ServerResponse): void {
  if (response.headersSent) return void response.destroy();
  for (const name of response.getHeaderNames()) if (OF_BODY.test(name)) response.removeHeader(name);
}
