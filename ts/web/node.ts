import type { IncomingMessage, ServerResponse } from 'node:http';
import { beforeEnd } from './ending.ts';
import { NodeExchange } from './exchange.ts';
import type { RouteOptions, WebOptions } from './options.ts';
import { Web } from './web.ts';
import type { Carrier } from './web.ts';

const NODE: Carrier<IncomingMessage> = {
  what: 'the request',
  key: (req) => (req?.headers === undefined ? undefined : req),
  cookies: (req) => req.headers.cookie,
};

/** Sessions over requests and responses of node:http and node:https, or of frameworks that hand on Node's own. */
export class NodeWeb<Req extends IncomingMessage, S extends object, V extends object> extends Web<Req, S, V> {
  constructor(options: WebOptions<Req, S, V>) {
    super(options, NODE);
  }

  protected enter(req: Req, res: ServerResponse, route: RouteOptions): void {
    this.begin(req, () => new NodeExchange(res, this.cookieName), route);
  }

  /** Runs `handler` with the session open; what it has written is saved before the response's last byte leaves. */
  protected async around(
    mode: 'exclusive' | 'optimistic',
    req: Req,
    res: ServerResponse,
    handler: (drop: () => Promise<void>) => unknown,
  ): Promise<void> {
    this.enter(req, res, {});
    const eager = await this.load(req, mode, (name, state) => void Object.assign(req, { [name]: state }));
    if (eager === undefined) return void (await handler(() => Promise.resolve()));
    const ended = beforeEnd(res, () => eager.end());
    ended.catch(() => undefined); // it is waited for below, where the handler has not failed before
    try {
      await handler(() => eager.drop());
    } catch (error) {
      await eager.drop();
      throw error;
    }
    await ended;
  }
}
