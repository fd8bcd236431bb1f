import { expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { Image, encodeDirectory } from '../../ts/log/image.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { Slots } from '../../ts/session/slots.ts';

function imageOf(values: Record<string, unknown>): Image {
  const image = new Image();
  const encoded = new Map(
    Object.entries(values).map(([name, value]) => [name, { bytes: msgpackCodec.encode(value, name), low: 1, high: 2 }]),
  );
  image.accept(image.stage(encodeDirectory(Object.keys(values)), encoded), { revision: 1, nonce: 1 });
  return image;
}

it('decodes an attribute when it is first read, and no other', () => {
  const decoded: unknown[] = [];
  const codec = {
    ...msgpackCodec,
    decode(bytes: Uint8Array): unknown {
      decoded.push(msgpackCodec.decode(bytes));
      return decoded.at(-1);
    },
  };
  const slots = new Slots(
    imageOf({ a: [1], b: [2], c: [3] }),
    codec,
    defineSession({}, { undeclared: mutable<unknown>() }),
  );
  expect([slots.names(), slots.has('b'), decoded]).toEqual([['a', 'b', 'c'], true, []]);
  expect([slots.get('b'), slots.get('b'), decoded]).toEqual([[2], [2], [[2]]]);
  slots.set('c', 'overwritten');
  expect([slots.get('c'), decoded]).toEqual(['overwritten', [[2]]]);
});

it('saves a default only once it was touched', () => {
  const definition = defineSession({ list: mutable<number[]>(() => []), n: mutable<number>(() => 7) });
  const slots = new Slots(imageOf({ n: 1 }), msgpackCodec, definition);
  expect([slots.names(), slots.get('list'), slots.savedNames([])]).toEqual([['n', 'list'], [], undefined]);
  expect(slots.savedNames(['list'])).toEqual(['n', 'list']);
  slots.settle(['list']);
  expect(slots.savedNames(['list'])).toBeUndefined();
  slots.delete('n');
  expect([slots.savedNames(['n']), slots.get('n')]).toEqual([['list'], 7]);
});

it('keeps nothing of an attribute that is gone at the end of a use: there may be ever others', () => {
  const slots = new Slots(imageOf({ a: [1] }), msgpackCodec, defineSession({}, { undeclared: mutable<unknown>() }));
  const refs = ['a', 'gone', 'back'].map((name) => {
    slots.set(name, [name]);
    return slots.owner(name);
  });
  slots.delete('gone');
  slots.delete('back');
  slots.set('back', ['again']);
  expect(slots.owner('gone')).toBe(refs[1]); // parts of it may still be in use
  slots.unload([]);
  expect(['a', 'gone', 'back'].map((name, index) => slots.owner(name) === refs[index])).toEqual([true, false, true]);
});
