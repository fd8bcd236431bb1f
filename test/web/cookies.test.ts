import { sign } from 'cookie-signature';
import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { Cookies } from '../../ts/web/cookies.ts';
import { holdfast as onFastify } from '../../ts/web/fastify.ts';
import { holdfast as onHono } from '../../ts/web/hono.ts';
import { holdfast } from '../../ts/web/http.ts';
import { holdfast as onKoa } from '../../ts/web/koa.ts';
import { hashedId, newSid } from '../../ts/web/sid.ts';

const OLD = 'an older secret with its 32 characters';
const NEW = 'a newer secret with its 32 characters, too';
const sessions = new SessionRepository({
  store: new MemoryStore(),
  definition: defineSession({ n: mutable<number>(() => 0) }),
});

// oxlint-disable-next-line no-explicit-any -- options that TypeScript would refuse
type Wrong = any;

const pairOf = (line: string): string => line.split(';')[0] as string;

describe('a cookie', () => {
  it('has an id of 144 random bits, signed', () => {
    const sids = Array.from({ length: 1000 }, newSid);
    expect(new Set(sids).size).toBe(1000);
    expect(sids.every((sid) => /^[\w-]{24}$/.test(sid))).toBe(true);
    const cookies = new Cookies([NEW], {});
    expect(cookies.read(pairOf(cookies.line('abc')))).toEqual({ sid: 'abc', isWorn: false });
  });

  it('is read under each secret, and written under the first', () => {
    const before = new Cookies([OLD], {});
    const after = new Cookies([NEW, OLD], {});
    expect(after.read(pairOf(before.line('abc')))).toEqual({ sid: 'abc', isWorn: true });
    expect(before.read(pairOf(after.line('abc')))).toBeUndefined();
  });

  it('is sent again once half of its age is over', () => {
    const cookies = new Cookies([NEW], { maxAgeMs: 4000 });
    const line = cookies.line('abc');
    expect(line).toContain('Max-Age=4');
    expect(cookies.read(pairOf(line))).toEqual({ sid: 'abc', isWorn: false });
    const since = (secondsAgo: number): string =>
      `__Host-session=${encodeURIComponent(sign(`abc.${Math.floor(Date.now() / 1000 - secondsAgo).toString(36)}`, NEW))}`;
    expect(cookies.read(since(3))).toEqual({ sid: 'abc', isWorn: true });
    expect(cookies.read(pairOf(new Cookies([NEW], {}).line('abc')))).toEqual({ sid: 'abc', isWorn: true }); // without a time
  });

  it('is found among others of its name, which another path or a subdomain may have set', () => {
    const cookies = new Cookies([NEW], {});
    const ours = pairOf(cookies.line('abc'));
    const found = { sid: 'abc', isWorn: false };
    for (const header of [`__Host-session=x.y; ${ours}`, `${ours}; __Host-session=x.y`, `a=b;__Host-session;${ours};`])
      expect(cookies.read(header)).toEqual(found);
    const first = pairOf(cookies.line('first'));
    expect(cookies.read(`${first}; ${ours}`)).toEqual({ sid: 'first', isWorn: false });
    const many = (count: number): string => `${'__Host-session=x.y; '.repeat(count)}${ours}`;
    expect([cookies.read(many(7)), cookies.read(many(8))]).toEqual([found, undefined]);
  });

  it.each([
    ['nothing', undefined],
    ['another', 'session=abc'],
    ['no signature', '__Host-session=abc'],
    ['another one’s signature', `__Host-session=${encodeURIComponent(sign('abc', 'x'.repeat(40)))}`],
    ['another id', `__Host-session=${encodeURIComponent(sign('abc', NEW).replace('abc', 'abd'))}`],
    ['part of the signature', `__Host-session=${encodeURIComponent(sign('abc', NEW).slice(0, -1))}`],
    ['no text', '__Host-session=%ff%fe'],
    ['nothing in it', '__Host-session='],
  ])('that says %s is none', (_what, header) => {
    expect(new Cookies([NEW], {}).read(header)).toBeUndefined();
  });

  it.each([
    [{}, '__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [{ domain: 'a.example' }, '__Secure-session=; Max-Age=0; Domain=a.example; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [{ path: '/shop' }, '__Secure-session=; Max-Age=0; Path=/shop; HttpOnly; Secure; SameSite=Lax'],
    [{ secure: false }, 'session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'],
    [
      { sameSite: 'none', partitioned: true, name: 'mine' },
      'mine=; Max-Age=0; Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
    ],
  ] as const)('is made as %j says', (options, cleared) => {
    expect(new Cookies([NEW], options).cleared).toBe(cleared);
  });
});

describe('what cannot work is refused:', () => {
  const secrets = [NEW];
  it.each<[string, Wrong, string]>([
    ['no options', undefined, 'options must be an object'],
    ['no sessions', { secrets }, '`sessions` is needed'],
    ['other sessions', { sessions: {}, secrets }, 'sessions must be a SessionRepository with the methods open'],
    ['no secrets', { sessions }, '`secrets` is needed'],
    ['none in the list', { sessions, secrets: [] }, '`secrets` is needed'],
    ['one that is no list', { sessions, secrets: NEW }, 'secrets must be an array'],
    ['a short one', { sessions, secrets: [NEW, 'short'] }, 'secrets[1] must be text of at least 32 characters, not 5'],
    ['one that is not there', { sessions, secrets: [undefined] }, 'secrets[0] must be text of at least 32'],
    ['an unknown option', { sessions, secrets, cookies: {} }, "there is no option 'cookies'; is 'cookie' meant?"],
    ['one of the cookie', { sessions, secrets, cookie: { httpOnly: false } }, "there is no option 'cookie.httpOnly'"],
    ['another sameSite', { sessions, secrets, cookie: { sameSite: 'Lax' } }, 'cookie.sameSite must be one of'],
    ['a name that is none', { sessions, secrets, cookie: { name: 'a b' } }, 'cookie.name, domain or path'],
    ['__Host- and a domain', { sessions, secrets, cookie: { name: '__Host-a', domain: 'a.b' } }, "'__Host-' needs"],
    ['it in small letters', { sessions, secrets, cookie: { name: '__host-a', domain: 'a.b' } }, "'__Host-' needs"],
    ['a path of nothing', { sessions, secrets, cookie: { path: 'shop' } }, "cookie.path must begin with '/'"],
    ['__Secure- and not', { sessions, secrets, cookie: { name: '__Secure-a', secure: false } }, "'__Secure-' needs"],
    ['none and not secure', { sessions, secrets, cookie: { sameSite: 'none', secure: false } }, "'none' needs"],
    ['partitioned and not', { sessions, secrets, cookie: { partitioned: true, secure: false } }, 'partitioned needs'],
    ['no time', { sessions, secrets, cookie: { maxAgeMs: 0 } }, 'cookie.maxAgeMs must be a number above 0'],
    ['a mode', { sessions, secrets, mode: 'read' }, "mode must be one of 'exclusive', 'optimistic'"],
    ['a policy', { sessions, secrets, whenDown: 'open' }, "whenDown must be one of 'fail', 'anonymous'"],
    ['two ways for ids', { sessions, secrets, idFrom: () => 'x' }, '`idFrom` stands in the place of the cookie'],
    ['first values', { sessions, secrets, create: {} }, 'create must be a function'],
  ])('%s', (_what, options, message) => {
    expect(() => holdfast(options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID', message: expect.stringContaining(message) }) as HoldfastError,
    );
  });

  it('modes of routes and options of calls', async () => {
    const web = holdfast({ sessions, secrets });
    const req = { headers: {} } as Wrong;
    const invalid = (message: string) => ({ code: 'ERR_INVALID', message: expect.stringContaining(message) });
    expect(() => web.eager('read' as Wrong)).toThrow(expect.objectContaining(invalid('eager: mode must be one of')));
    expect(() => web.middleware({ when: 'x' } as Wrong)).toThrow(expect.objectContaining(invalid("no option 'when'")));
    await expect(web.scope(req, 'x' as Wrong)).rejects.toMatchObject(invalid('takes a function'));
    await expect(web.scope(req, () => 1, { signal: 1 } as Wrong)).rejects.toMatchObject(invalid("no option 'signal'"));
    await expect(web.scope(req, () => 1, { retry: 1 })).rejects.toMatchObject(
      invalid("retry is for mode 'optimistic'"),
    );
    await expect(web.regenerate(req, () => 1, { wait: 1 } as Wrong)).rejects.toMatchObject(invalid("'wait'"));
    await expect(web.rotateId(req, { graceMs: 1e6 })).rejects.toMatchObject(invalid('graceMs'));
    expect(() => web.session(req)).toThrow(expect.objectContaining(invalid('this route is not eager')));
  });
});

describe('what is no request is refused:', () => {
  const options = { sessions, secrets: [NEW] };
  it.each<[string, { read(req: Wrong): Promise<unknown> }, Wrong, string]>([
    ['nothing', holdfast(options), undefined, 'with the request, not with undefined'],
    ['a response', holdfast(options), { setHeader: () => 1 }, 'with the request, not with another object'],
    ['one of Koa’s requests', onKoa(options), { header: {} }, 'with the context, not with'],
    ['one of Hono’s requests', onHono(options), { header: () => 1 }, 'with the context, not with'],
    ['a reply', onFastify(options), { raw: {} }, 'with the request, not with'],
  ])('%s', async (_what, web, req, message) => {
    await expect(web.read(req)).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

it.each([null, 5, ['a'], Promise.resolve('a')])(
  'an `idFrom` that gives %j is told what it is to give',
  async (given) => {
    const web = holdfast({ sessions, idFrom: () => given as Wrong });
    const told = { code: 'ERR_INVALID', message: expect.stringMatching(/^idFrom must give text or undefined/) };
    await expect(web.read({ headers: {} } as Wrong)).rejects.toMatchObject(told);
  },
);

it('what is stored has the hash of the id that the cookie has', () => {
  expect(hashedId('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
});
