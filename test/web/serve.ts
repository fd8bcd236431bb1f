import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closings.splice(0).map((close) => close()));
});

/** A server of the test that asks for it; what the handler throws is answered with its status and its code. */
export async function serve(
  handle: (req: IncomingMessage, res: ServerResponse) => unknown,
): Promise<{ readonly origin: string; readonly port: number; readonly server: Server }> {
  const server = createServer((req, res) => {
    void (async () => {
      try {
        const given = await handle(req, res);
        if (given !== undefined) res.end(JSON.stringify(given));
      } catch (error) {
        const { status = 500, code, message } = error as { status?: number; code?: string; message?: string };
        if (res.headersSent) return void res.end(`,${code}`);
        res.statusCode = status;
        res.end(code ?? message);
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closings.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, port, server };
}
