import { expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

const definition = defineSession({ n: mutable<number>(() => 0) });
const begin = () => new SessionRepository({ store: new MemoryStore(), definition });

/** What may stand in a cookie, and be no id. */
const JUNK: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['long', 'x'.repeat(256)],
  ['long in UTF-8', 'é'.repeat(128)],
  ['with NUL', 'a\0b'],
  ['half a character', '\ud800'],
];

it.each(JUNK)('an id that is %s is that of no session, as any other that a client makes up', async (_name, id) => {
  const sessions = begin();
  expect([
    await sessions.find(id),
    await sessions.read(id),
    await sessions.delete(id),
    await sessions.changeId(id, 'b'),
  ]).toEqual([undefined, undefined, false, false]);
  await expect(sessions.open(id)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND', session: id });
  await expect(sessions.scope(id, () => 1)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  // One of the application's own that cannot be is a mistake.
  await expect(sessions.open(id, { create: {} })).rejects.toMatchObject({ code: 'ERR_INVALID' });
  await expect(sessions.create({}, { id })).rejects.toMatchObject({ code: 'ERR_INVALID' });
  const session = await sessions.create({ n: 1 }, { id: 'a' });
  await expect(session.changeId(id)).rejects.toMatchObject({ code: 'ERR_INVALID' });
  expect(session.revision).toBe(0); // nor is anything saved by it
  await session.saveAndClose();
  await sessions.close();
  for (const call of [sessions.find(id), sessions.read(id), sessions.open(id)])
    await expect(call).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});

it.each([undefined, null, 5, {}])(
  'an id that is no text (%s) is a mistake of the code that passes it',
  async (wrong) => {
    const sessions = begin();
    const id = wrong as unknown as string;
    const says = { code: 'ERR_INVALID', message: expect.stringMatching(/^a session id is text, not .*: look first/) };
    for (const call of [sessions.find(id), sessions.read(id), sessions.open(id), sessions.scope(id, () => 1)])
      await expect(call).rejects.toMatchObject(says);
  },
);

it('who waits for a session that its own process has open is told so, and from then on where', async () => {
  const sessions = begin();
  const message = async (timeoutMs: number): Promise<string> => {
    const error: unknown = await sessions.open('s', { timeoutMs }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', session: 's' });
    return (error as Error).message;
  };
  const first = await sessions.open('s', { create: {} });
  expect(await message(5)).toMatch(
    /not granted within 5 ms.*This very process has it open: the next such error says where.*close\(\) what you open/,
  );
  expect(await message(0)).toMatch(/This very process has it open/);
  await first.saveAndClose();
  const second = await sessions.open('s');
  const at = /it was opened at .*ids\.test\.ts:\d+:\d+/;
  expect(await message(5)).toMatch(at);
  expect(await message(0)).toMatch(at);
  await second.changeId('t');
  const error: unknown = await sessions.open('t', { timeoutMs: 0 }).catch((thrown: unknown) => thrown);
  expect((error as Error).message).toMatch(at);
  await second.close();
  await (await sessions.open('t')).close();
});

it('who waits for another process is not told of this one', async () => {
  const store = new MemoryStore();
  const [one, two] = [new SessionRepository({ store, definition }), new SessionRepository({ store, definition })];
  const held = await one.open('s', { create: {} });
  await held.save();
  const error: unknown = await two.open('s', { timeoutMs: 5 }).catch((thrown: unknown) => thrown);
  expect((error as Error).message).toMatch(/not granted within 5 ms; try again later/);
  expect((error as Error).message).not.toMatch(/This very process/);
  await held.close();
});
