import { parseSetCookie } from 'cookie';

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** What the response sets. */
  readonly cookies: readonly string[];
  readonly headers: Headers;
}

/** One client with its cookies: as over HTTPS, so that it sends those that are `Secure`. */
export class Browser {
  readonly #origin: () => string;
  readonly cookies: Map<string, string>;

  constructor(origin: string | (() => string), cookies: ReadonlyMap<string, string> = new Map()) {
    this.#origin = typeof origin === 'string' ? () => origin : origin;
    this.cookies = new Map(cookies);
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async ask(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.#origin() + path, {
      ...init,
      headers: { cookie: this.cookie, ...(init.headers as Record<string, string>) },
    });
    const cookies = response.headers.getSetCookie();
    for (const line of cookies) {
      const { name, value = '', maxAge } = parseSetCookie(line, { decode: (text) => text });
      if (maxAge === 0) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return { status: response.status, text: await response.text(), cookies, headers: response.headers };
  }

  post(path: string, init: RequestInit = {}): Promise<Answer> {
    return this.ask(path, { ...init, method: 'POST' });
  }
}
