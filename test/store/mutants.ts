/** One text in a source of the store, and what stands in its place in the mutant. It must be there once. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What a store does wrong, and the edits that make it do so. */
export type Mutants = Readonly<Record<string, readonly Edit[]>>;

const edit =
  (file: string) =>
  (from: string, to: string): Edit => ({ file: `${file}.ts`, from, to });
const writes = edit('store/writes');
const uses = edit('store/uses');
const reads = edit('store/reads');
const lock = edit('store/lock-row');
const moment = edit('store/moment');
const expiry = edit('store/expiry');
const store = edit('store/transactional');
const owned = edit('store/owned');
const calls = edit('store/calls');
const memory = edit('store/memory');
const deadline = edit('store/deadline');
const listing = edit('store/listing');
const clock = edit('clock');
const args = edit('store/arguments');

const appends: Mutants = {
  'accepts an old token': [writes("token < row.lock.token ? 'fenced' : fits", 'fits')],
  'accepts any parent': [writes('if (!samePosition(row, parent)) return false;', '')],
  'asks for the parent before the token': [
    writes(
      "token < row.lock.token ? 'fenced' : fits(row, request, moment) ? undefined : 'conflict'",
      "!fits(row, request, moment) ? 'conflict' : token < row.lock.token ? 'fenced' : undefined",
    ),
  ],
  'appends to what has ended': [writes(": state === 'live';", ': true;')],
  'revives what has expired by a delta': [
    writes("state === 'expired' ? kind === 'snapshot'", "state === 'expired' ? true"),
  ],
  'ends what has expired': [
    writes("state === 'expired' ? kind === 'snapshot'", "state === 'expired' ? kind !== 'delta'"),
  ],
  'keeps the bytes of an image, not a copy': [store('bytes: new Uint8Array(record.bytes)', 'bytes: record.bytes')],
  'answers without tail': [
    writes(
      'tailOf(draft, id, found, { since: request.parent }, moment)',
      'tailOf(draft, id, found, { since: request.parent, limitBytes: 0 }, moment)',
    ),
  ],
  'answers with the whole log': [
    writes(
      'tailOf(draft, id, found, { since: request.parent }, moment)',
      'tailOf(draft, id, found, { since: ORIGIN }, moment)',
    ),
  ],
  "refuses without the session's token": [
    writes('{ appended: false, why, token: row.lock.token, tail }', '{ appended: false, why, token: 0, tail }'),
  ],
  'looks a nonce up at the head only': [
    writes(
      'found !== undefined && isKept(draft, id, found, request.position)',
      'found !== undefined && samePosition(found, request.position)',
    ),
  ],
  'looks a revision up without its nonce': [
    reads('view.record(id, revision)?.nonce === nonce', 'view.record(id, revision) !== undefined'),
  ],
  'looks a nonce up after the token': [
    writes(
      'found !== undefined && isKept(',
      "found !== undefined && !(typeof request.under === 'number' && request.under < found.lock.token) && isKept(",
    ),
  ],
  'looks a nonce up after the lock': [
    writes('found !== undefined && isKept(', "found !== undefined && typeof request.under === 'number' && isKept("),
  ],
  "answers what was offered again with the writer's token": [
    writes(
      'return { reply: { appended: true, token: found.lock.token, wanted: isWanted(found.lock) }',
      "return { reply: { appended: true, token: typeof request.under === 'number' ? request.under : 0, wanted: isWanted(found.lock) }",
    ),
  ],
  "keeps the writer's bytes, not a copy": [owned('new Uint8Array(request.bytes)', 'request.bytes')],
  "forgets a feed's higher token": [writes('lock.token = token;', '')],
  'leaves the lock to a holder whom a feed outdates': [
    writes('lock.token = token;\n    lock.holder = undefined;', 'lock.token = token;'),
  ],
  'takes an append for no use': [writes('row.usedAt = moment.stamp;', 'row.usedAt ||= moment.stamp;')],
  'drops the rule with each append': [
    writes(
      'if (request.expiry !== undefined) row.expiry = ruleOf(request.expiry);',
      'row.expiry = ruleOf(request.expiry ?? {});',
    ),
  ],
  'keeps the first rule for good': [
    writes(
      'if (request.expiry !== undefined) row.expiry',
      'if (request.expiry !== undefined && row.revision === 1) row.expiry',
    ),
  ],
  'drops the terms with each append': [
    writes(
      'if (request.terms !== undefined) row.terms = [...new Set(request.terms)];',
      'row.terms = [...new Set(request.terms ?? [])];',
    ),
  ],
  'adds terms to those before': [
    writes('row.terms = [...new Set(request.terms)];', 'row.terms = [...new Set([...row.terms, ...request.terms])];'),
  ],
  'keeps all before a snapshot': [writes("(kind === 'delta' ? row.first : position.revision)", 'row.first')],
  'ignores `first`': [writes('request.first ?? (kind', '(kind')],
  'drops the snapshot where `first` is above it': [
    writes(
      "Math.min(request.first ?? (kind === 'delta' ? row.first : position.revision), row.snapshot)",
      "(request.first ?? (kind === 'delta' ? row.first : position.revision))",
    ),
  ],
  'miscounts the deltas': [writes('snapshotBytes: bytes.length, deltaBytes: 0 }', 'snapshotBytes: bytes.length }')],
  'begins anew under the old rule': [
    writes('createdAt: createdAt ?? stamp, expiry: {}, terms: []', 'createdAt: createdAt ?? stamp, terms: []'),
  ],
  'begins anew under the old terms': [
    writes('createdAt: createdAt ?? stamp, expiry: {}, terms: []', 'createdAt: createdAt ?? stamp, expiry: {}'),
  ],
  'begins anew with the old age': [
    writes(
      'createdAt: createdAt ?? stamp, expiry: {}, terms: []',
      'createdAt: row.createdAt || stamp, expiry: {}, terms: []',
    ),
  ],
  'begins nothing anew that lives': [writes('begins === true || row.revision === 0', 'row.revision === 0')],
  'begins anew what was to go on': [writes("kind === 'snapshot' && begins !== false", "kind === 'snapshot'")],
  'begins anew by a delta': [
    args("if (begins === true && kind !== 'snapshot') invalid", 'if (begins === null) invalid'),
  ],
  'begins anew with the old records': [
    writes('Object.assign(row, { first: position.revision, createdAt', 'Object.assign(row, { createdAt'),
    writes('draft.deleteRecords(row.first, row.revision + 1);', ''),
  ],
  'ends without freeing the lock': [writes("if (kind === 'end') return releaseLock(lock, now);", '')],
  'ends without a higher token': [
    writes(
      "if (kind === 'end') return releaseLock(lock, now);",
      "if (kind === 'end') return isHeldUnder(lock, token) ? releaseLock(lock, now) : [];",
    ),
  ],
  'renews no lease by an append': [writes('  renewLock(lock, now);', '')],
  'renews a lease that was to be left': [
    writes(
      "if (does === 'leave' || !isHeldUnder(lock, token)) return [];",
      'if (!isHeldUnder(lock, token)) return [];',
    ),
  ],
  'keeps a lock that was to be released': [writes("if (does === 'release') return releaseLock(lock, now);", '')],
  'keeps a lock that was taken for one append': [writes("? 'renew' : 'release');", "? 'renew' : 'renew');")],
  'releases a lock that was to be kept': [writes('const does = then ??', 'const does =')],
  'writes less durably than it was asked to': [args('if (durability === undefined) return;', 'return;')],

  'begins nothing anew on what has expired though it is told to': [
    writes("kind === 'snapshot' && begins !== false", "kind === 'snapshot' && begins === undefined"),
  ],
  'begins anew on any parent': [
    writes('if (!samePosition(row, parent)) return false;', 'if (!samePosition(row, parent)) return begins === true;'),
  ],
  'begins anew under an old token': [
    writes(
      "token < row.lock.token ? 'fenced' : fits",
      "token < row.lock.token && request.begins !== true ? 'fenced' : fits",
    ),
  ],
  'begins anew on what has ended': [writes(": state === 'live';", ": state === 'live' || begins === true;")],
  'begins anew what has expired as of now': [
    writes('createdAt: createdAt ?? stamp', 'createdAt: row.revision > 0 ? stamp : (createdAt ?? stamp)'),
  ],
  'begins anew what lives as of now': [
    writes(
      'beginAnew(draft, row, request, moment);',
      'beginAnew(draft, row, begins === true ? { ...request, createdAt: undefined } : request, moment);',
    ),
  ],
  'begins anew by every snapshot': [
    writes('begins === true || row.revision === 0', "(begins !== false && kind === 'snapshot') || row.revision === 0"),
  ],
  'frees the lock of what begins anew': [
    writes('expiry: {}, terms: [] });\n', 'expiry: {}, terms: [] });\n  row.lock.holder = undefined;\n'),
  ],
  'empties the queue of what begins anew': [
    writes('expiry: {}, terms: [] });\n', 'expiry: {}, terms: [] });\n  row.lock.queue = [];\n'),
  ],
  'drops the rule with each snapshot': [
    writes(
      'if (request.expiry !== undefined) row.expiry = ruleOf(request.expiry);',
      "if (request.expiry !== undefined || kind === 'snapshot') row.expiry = ruleOf(request.expiry ?? {});",
    ),
  ],
  'drops the rule with an end': [
    writes(
      'if (request.expiry !== undefined) row.expiry = ruleOf(request.expiry);',
      "if (request.expiry !== undefined || kind === 'end') row.expiry = ruleOf(request.expiry ?? {});",
    ),
  ],
  'drops the terms with each snapshot': [
    writes(
      'if (request.terms !== undefined) row.terms = [...new Set(request.terms)];',
      "if (request.terms !== undefined || kind === 'snapshot') row.terms = [...new Set(request.terms ?? [])];",
    ),
  ],
  'drops the terms with an end': [
    writes(
      'if (request.terms !== undefined) row.terms = [...new Set(request.terms)];',
      "if (request.terms !== undefined || kind === 'end') row.terms = [...new Set(request.terms ?? [])];",
    ),
  ],
  'notes the time of each snapshot for that of creation': [
    writes(
      'row.usedAt = moment.stamp;',
      "row.usedAt = moment.stamp;\n  if (kind === 'snapshot' && request.createdAt === undefined) row.createdAt = moment.stamp;",
    ),
  ],
  'takes `createdAt` of any snapshot': [
    writes(
      'row.usedAt = moment.stamp;',
      "row.usedAt = moment.stamp;\n  if (kind === 'snapshot') row.createdAt = request.createdAt ?? row.createdAt;",
    ),
  ],
  'shows again what was compacted': [writes('Math.max(row.first, Math.min(', 'Math.max(1, Math.min(')],
  'empties the queue by a feed': [
    writes(
      'lock.token = token;\n    lock.holder = undefined;',
      'lock.token = token;\n    lock.queue = [];\n    lock.holder = undefined;',
    ),
  ],
  'releases a lock that nobody has': [
    writes(
      "if (does === 'leave' || !isHeldUnder(lock, token)) return [];",
      "if (does === 'leave' || (does === 'renew' && !isHeldUnder(lock, token))) return [];",
    ),
  ],
  'tells nobody that an end freed the lock': [
    writes(
      "if (kind === 'end') return releaseLock(lock, now);",
      "if (kind === 'end') return releaseLock(lock, now).slice(1);",
    ),
  ],
  'looks nothing up in what has expired': [
    writes(
      'found !== undefined && isKept(',
      "found !== undefined && stateOf(found, moment.wall) !== 'expired' && isKept(",
    ),
  ],
  'looks nothing up in what has ended': [
    writes('found !== undefined && isKept(', 'found !== undefined && !found.ended && isKept('),
  ],
  'takes what was offered again for a use': [
    writes(
      '  if (found !== undefined && isKept(draft, id, found, request.position)) {',
      '  if (found !== undefined && isKept(draft, id, found, request.position)) {\n    found.usedAt = moment.stamp;\n    putUsed(draft, found, moment);',
    ),
  ],
  'renews the lease by what was offered again': [
    writes(
      '  if (found !== undefined && isKept(draft, id, found, request.position)) {',
      '  if (found !== undefined && isKept(draft, id, found, request.position)) {\n    renewLock(found.lock, moment.monotonic);\n    putUsed(draft, found, moment);',
    ),
  ],
};

const requests: Mutants = {
  'gives a lock back that is needed for the rebase': [
    writes("const keeps = headOf(row, moment)?.state === 'live';", 'const keeps = false;'),
  ],
  'keeps a lock where there is nothing to rebase on': [
    writes("const keeps = headOf(row, moment)?.state === 'live';", 'const keeps = true;'),
  ],
  'hides the grant that it kept': [writes('...(grant && { grant })', '...(grant && {})')],
  'forgets the grant that it kept': [
    writes(
      'if (found ? lock.changed || !keeps : !isIdle(row.lock, moment.monotonic)) putUsed(draft, row, moment);',
      '',
    ),
  ],
  'writes under a lock that it did not get': [
    writes('if (lock?.granted === false) {', "if (lock?.granted === false && request.kind === 'end') {"),
  ],
  'leaves no place to one that is locked out': [
    writes(
      "if (lock.changed) putUsed(draft, row, moment);\n    return { reply: { appended: false, why: 'locked'",
      "return { reply: { appended: false, why: 'locked'",
    ),
  ],

  'answers `locked` by a request that takes a lock again': [
    writes('retryMs: lock.retryMs }, notices: lock.notices }', 'retryMs: 0 * lock.retryMs }, notices: lock.notices }'),
  ],
  'recalls nobody for an append': [
    writes('retryMs: lock.retryMs }, notices: lock.notices }', 'retryMs: lock.retryMs }, notices: [] }'),
  ],
  'answers with the token that the release has raised': [
    writes(
      'return { reply: { appended: true, token, wanted: isWanted(row.lock) }, notices: [...',
      'return { reply: { appended: true, token: row.lock.token, wanted: isWanted(row.lock) }, notices: [...',
    ),
  ],
  'leaves a row where it gave a lock back': [
    writes(': !isIdle(row.lock, moment.monotonic)) putUsed', ': row.lock.token > 0) putUsed'),
  ],
  'keeps a lock where there is nothing to rebase on if its member had it before': [
    writes('lock.changed || !keeps', 'lock.changed || keeps'),
  ],
};

const replacements: Mutants = {
  'lowers the token by a replacement': [writes('Math.max(token, image.token) + 1', 'image.token + 1')],
  'replaces without a higher token': [writes('Math.max(token, image.token) + 1', 'Math.max(token, image.token)')],
  'replaces whatever was expected': [
    writes(
      'expected !== undefined && !samePosition(head, expected)',
      'expected === ORIGIN && !samePosition(head, expected)',
    ),
  ],
  'refuses a replacement that is offered again': [
    writes(
      "samePosition(head, last.position) ? { reply: { appended: true, token, wanted: isWanted(found?.lock) }, notices: [] } : refuse('conflict')",
      "refuse('conflict')",
    ),
  ],
  'replaces by an image of an older epoch': [
    writes("if (epochOf(image.token) < marks.epoch) return refuse('fenced');", ''),
  ],
  'answers a refused replacement with records': [
    writes('{ since: last.position, ...HEAD_ALONE }', '{ since: last.position }'),
  ],
  'leaves records of what was replaced': [
    writes('const snapshot = records.findLastIndex', 'const snapshot = records.findIndex'),
  ],
  'takes the time of a replacement for that of creation': [
    writes('Object.assign(row, { createdAt, usedAt: stamp', 'Object.assign(row, { createdAt: stamp, usedAt: stamp'),
  ],
  'keeps the lock through a replacement': [
    writes(
      'const next = rowOf(image, Math.max(token, image.token) + 1, moment);',
      'const next = rowOf(image, Math.max(token, image.token) + 1, moment);\n  next.lock.holder = row?.lock.holder;',
    ),
  ],

  'replaces by an image of the epoch before': [
    writes('epochOf(image.token) < marks.epoch)', 'epochOf(image.token) < marks.epoch - 1)'),
  ],
  'replaces nothing that has expired where it is expected': [
    writes(
      'expected !== undefined && !samePosition(head, expected)',
      "expected !== undefined && !(samePosition(head, expected) && headOf(found, moment)?.state !== 'expired')",
    ),
  ],
  'replaces nothing that has ended where it is expected': [
    writes(
      'expected !== undefined && !samePosition(head, expected)',
      "expected !== undefined && !(samePosition(head, expected) && headOf(found, moment)?.state !== 'ended')",
    ),
  ],
  'replaces nothing that is only locked': [
    writes(
      'const head = found ?? ORIGIN;',
      'const head = found?.revision === 0 ? { revision: -1, nonce: 0 } : (found ?? ORIGIN);',
    ),
  ],
  'takes the creation of an image for its last use': [
    writes(
      'Object.assign(row, { createdAt, usedAt: stamp',
      'Object.assign(row, { createdAt, usedAt: createdAt || stamp',
    ),
  ],
  'keeps the queue through a replacement': [
    writes('  draft.clear();', '  next.lock.queue = found?.lock.queue ?? [];\n  draft.clear();'),
  ],
  'says nothing of the queue where an image is offered again': [
    writes(
      '{ appended: true, token, wanted: isWanted(found?.lock) }, notices: []',
      '{ appended: true, token, wanted: false }, notices: []',
    ),
  ],
  'recalls the holder where an image is refused': [
    writes(
      '{ reply: { appended: false, why, token, tail }, notices: [] };\n  };',
      '{ reply: { appended: false, why, token, tail }, notices: recallOf(found?.lock) };\n  };',
    ),
  ],
  'raises the token again for an image that is offered again': [
    writes(
      'if (expected !== undefined && !samePosition(head, expected)) {',
      'if (expected !== undefined && !samePosition(head, expected) && !samePosition(head, last.position)) {',
    ),
  ],
  'forgets the terms of an image': [
    writes('terms: [...new Set(terms)] });\n  return row;', 'terms: terms.slice(terms.length) });\n  return row;'),
  ],
  'forgets the rule of an image': [
    writes('expiry: ruleOf(expiry), terms', 'expiry: ruleOf(expiry.ageMs === undefined ? {} : expiry), terms'),
  ],
  'says that others want a lock that it freed': [
    writes('wanted: false }, notices: recallOf', 'wanted: isWanted(found?.lock) }, notices: recallOf'),
  ],
};

const readings: Mutants = {
  'ignores `limitBytes`': [
    reads('if (last !== undefined && bytes > limitBytes) return', 'if (last !== undefined && bytes < 0) return'),
  ],
  'gives nothing where the first record is too large': [
    reads('if (last !== undefined && bytes > limitBytes) return', 'if (bytes > limitBytes) return'),
  ],
  'does not say where to read on': [reads('records, whole, next: last, ...terms };', 'records, whole, ...terms };')],
  'gives records where the head alone was asked for': [
    reads('if (limitBytes === 0) return { head, records: [], whole, ...terms };', ''),
  ],
  'begins the whole at the oldest record': [reads('(kept ? row.first : row.snapshot)', 'row.first')],
  'keeps its history to itself': [reads('(kept ? row.first : row.snapshot)', 'row.snapshot')],
  'gives what follows another branch': [
    reads(
      'const whole = !samePosition(head.position, since) && !isKept(view, id, row, since);',
      'const whole = since.revision < row.first || since.revision > row.revision;',
    ),
  ],
  'shows the records of what has expired': [reads("|| head.state === 'expired') return", ') return')],
  'shows a session where only a lock is': [
    reads('row === undefined || row.revision === 0) return undefined;', 'row === undefined) return undefined;'),
  ],

  'tells no reader of a head alone whether it lacks the whole': [
    reads(
      'if (limitBytes === 0) return { head, records: [], whole, ...terms };',
      'if (limitBytes === 0) return { head, records: [], whole: true, ...terms };',
    ),
  ],
  'tells no reader of a head alone of the terms': [
    reads(
      'if (limitBytes === 0) return { head, records: [], whole, ...terms };',
      'if (limitBytes === 0) return { head, records: [], whole };',
    ),
  ],
  'tells no reader of the terms where it cuts': [
    reads('records, whole, next: last, ...terms };', 'records, whole, next: last };'),
  ],
  'tells all readers of the terms': [reads('const terms = whole && row.terms', 'const terms = row.terms')],
  'says to read on where nothing is left': [
    reads(
      '  return { head, records, whole, ...terms };\n}',
      '  return { head, records, whole, ...(last && limitBytes < Infinity && { next: last }), ...terms };\n}',
    ),
  ],
  'gives less than fits': [reads('bytes > limitBytes) return', 'bytes >= limitBytes) return')],
  'keeps the history from those whom it cuts': [
    reads('(kept ? row.first : row.snapshot)', '(kept && limitBytes === Infinity ? row.first : row.snapshot)'),
  ],
};

const locks: Mutants = {
  'grants without a higher token': [lock('row.token += 1;\n  const recalledAt', 'const recalledAt')],
  'releases without a higher token': [lock('row.holder = undefined;\n  row.token += 1;', 'row.holder = undefined;')],
  'hands a lapsed lease back': [
    lock('request.ticket === holder.ticket && leftMs > 0', 'request.ticket === holder.ticket'),
  ],
  'hands a newer ticket the old grant': [lock('request.ticket === holder.ticket && leftMs > 0', 'leftMs > 0')],
  'grants anew to the same ticket': [
    lock('request.ticket === holder.ticket && leftMs > 0', 'request.ticket === holder.ticket && leftMs < 0'),
  ],
  'never renews the lease of who asks again': [lock('else if (leftMs <= holder.leaseMs / 2)', 'else if (leftMs < 0)')],
  'renews the lease of who asks again each time': [lock('else if (leftMs <= holder.leaseMs / 2)', 'else')],
  'lets a late request take what is newer': [lock('own !== undefined && ticket < own.ticket', 'own === null')],
  'lets a late leaving end a newer grant': [
    lock('row.holder?.member === member && row.holder.ticket <= ticket', 'row.holder?.member === member'),
  ],
  'lets a late leaving end a newer place': [
    lock('waiter.member !== member || waiter.ticket > ticket', 'waiter.member !== member'),
  ],
  'keeps the grant of who leaves': [
    lock('if (row.holder?.member === member && row.holder.ticket <= ticket) return releaseLock(row, now);', ''),
  ],
  'lets an outdated token unlock': [
    lock('row.holder !== undefined && row.token === token;', 'row.holder !== undefined && token > 0;'),
  ],
  'serves the last to come first': [lock('row.queue.shift()', 'row.queue.pop()')],
  'gives one member many places': [
    lock('if (place === undefined) row.queue.push', 'if (place === undefined || row.queue.length > 0) row.queue.push'),
  ],
  'keeps the places of the dead': [lock('until > now && !isFar(until, leaseMs, now)', '!isFar(until, leaseMs, now)')],
  'forgets to keep a place': [
    lock('return wait ? Math.min(takeableMs, leaseMs / 2) : takeableMs;', 'return takeableMs;'),
  ],
  'takes a lapsed lease before a recall can arrive': [
    lock('now >= takeableAt(holder, now);', 'now >= holder.leaseUntil;'),
  ],
  'takes a lease that runs': [
    lock(
      'Math.max(holder.leaseUntil, (holder.recalledAt ?? now) + recallMs(holder))',
      '(holder.recalledAt ?? now) + recallMs(holder)',
    ),
  ],
  'never takes a lapsed lease': [lock('now >= takeableAt(holder, now);', 'holder.leaseUntil === now + 1e9;')],
  'waits for a recall longer than a quarter of the lease': [lock('Math.min(250, holder.leaseMs / 4)', '250')],
  'lets a lapsed holder overtake who waits': [
    lock('if (isTakeable(holder, now) && row.queue.length > 0) return contend(row, request, now);', ''),
  ],
  'gives a place to who only tries': [
    lock('if (wait || (free &&', "if (member !== '' || (free &&"),
    lock('changed: free || recalls,', 'changed: true,'),
  ],
  'lets who only tries overtake': [
    lock(
      '(row.queue.length === 0 || placeOf(row, member) !== undefined)',
      'row.queue.unshift({ ...request, until: now + 1 }) > 0',
    ),
  ],
  'recalls for who only tries': [lock('const recalls = wait || now >= holder.leaseUntil;', 'const recalls = true;')],
  'recalls nobody for who only tries': [
    lock('const recalls = wait || now >= holder.leaseUntil;', 'const recalls = wait;'),
  ],
  'recalls nobody': [lock("notices.push({ kind: 'recall', member: holder.member, token: row.token });", '')],
  'tells nobody of a grant': [
    lock("if (waiter.member !== self) notices.push({ kind: 'grant', member: waiter.member, token: row.token });", ''),
  ],
  'never says that others want the lock': [lock('wanted: queue.length > 0', 'wanted: false')],
  'keeps a holder of an older epoch': [lock('row.token = floor;\n    row.holder = undefined;', 'row.token = floor;')],
  'empties the queue with the epoch': [
    lock(
      'row.token = floor;\n    row.holder = undefined;',
      'row.token = floor;\n    row.queue = [];\n    row.holder = undefined;',
    ),
  ],
  'measures leases by the wall clock': [
    store('this.#time = new SteadyTime(options.clock);', 'this.#time = new SteadyTime((this.clock = options.clock));'),
    store(
      'return { monotonic, wall, stamp, boot',
      'return { monotonic: this.clock.now() + 0 * monotonic, wall, stamp, boot',
    ),
  ],

  'raises the token where a place is left': [lock('row.queue = left;', 'row.queue = left;\n  row.token += 1;')],
  'empties the queue where a place is left': [lock('row.queue = left;', 'row.queue = [];')],
  'leaves no place by its own ticket': [lock('waiter.ticket > ticket);', 'waiter.ticket >= ticket);')],
  'ends no grant by its own ticket': [lock('row.holder.ticket <= ticket)', 'row.holder.ticket < ticket)')],
  'notes no newer ticket of a place': [
    lock(
      'Object.assign(place, { ticket, leaseMs, until: now + leaseMs })',
      'Object.assign(place, { leaseMs, until: now + leaseMs })',
    ),
  ],
  'keeps the first lease that a place asked for': [
    lock(
      'Object.assign(place, { ticket, leaseMs, until: now + leaseMs })',
      'Object.assign(place, { ticket, until: now + place.leaseMs })',
    ),
  ],
  'keeps a place for a late request': [
    lock(
      'if (own !== undefined && ticket < own.ticket) {',
      "if (own !== undefined && ticket < own.ticket) {\n    if ('until' in own) own.until = now + own.leaseMs;",
    ),
    lock('granted: false, changed: false,', "granted: false, changed: 'until' in own,"),
  ],
  'keeps a lapsed lease from those who ask for it again and again': [
    lock('holder.recalledAt ??= now;', 'holder.recalledAt = now;'),
  ],
  'recalls for the first who waits alone': [
    lock(
      '    holder.recalledAt ??= now;\n',
      '    if (holder.recalledAt !== undefined) return { granted: false, changed: true, retryMs: retryMs(row, request, now), notices };\n    holder.recalledAt ??= now;\n',
    ),
  ],
  'recalls no more for who asks again': [
    lock(
      '  // Who only tries gets no place',
      '  const again = placeOf(row, member) !== undefined;\n  // Who only tries gets no place',
    ),
    lock("notices.push({ kind: 'recall'", "if (!again) notices.push({ kind: 'recall'"),
  ],
  'takes a grant that others want for one that nobody does': [
    lock('const recalledAt = row.queue.length > 0 ? now : undefined;', 'const recalledAt = undefined;'),
  ],
  "tells nobody of a grant that another's request brought": [
    lock('if (free) grantNext(row, now, notices, member);', 'if (free) grantNext(row, now, [], member);'),
  ],
  'grants who asks before those who wait': [
    lock(
      'if (free) grantNext(row, now, notices, member);',
      'if (free) {\n    row.queue.sort((a, b) => Number(b.member === member) - Number(a.member === member));\n    grantNext(row, now, notices, member);\n  }',
    ),
  ],
  'renews the lease of who asks again for this answer only': [
    lock('changed: !same || holder.leaseUntil - now !== leftMs', 'changed: !same'),
  ],
  'notes no newer ticket of a holder': [
    lock('    grant(row, request, now);\n', '    grant(row, { ...request, ticket: holder.ticket }, now);\n'),
  ],
  'grants the holder the lease that it had': [
    lock('    grant(row, request, now);\n', '    grant(row, { ...request, leaseMs: holder.leaseMs }, now);\n'),
  ],
  'moves who asks again to the end of the queue': [
    lock(
      '  else Object.assign(place, {',
      '  else if (row.queue.push(...row.queue.splice(row.queue.indexOf(place), 1)) > 0) Object.assign(place, {',
    ),
  ],
  'tells who leaves alone': [
    lock(
      '  const notices: Notice[] = [];\n  grantNext(row, now, notices);',
      '  const notices: Notice[] = [];\n  grantNext(row, now, []);',
    ),
  ],
  'hands back a lease of which nothing is left': [
    lock('request.ticket === holder.ticket && leftMs > 0', 'request.ticket === holder.ticket && leftMs >= 0'),
  ],
  'keeps a place of which nothing is left': [lock('until > now && !isFar(', 'until >= now && !isFar(')],
  'takes each new grant for a recalled one': [
    lock('if (row.holder?.recalledAt !== undefined) row', 'if (row.holder !== undefined) row'),
  ],
};

const lives: Mutants = {
  'ignores idle time': [expiry('usedAt + (expiry.idleMs ?? Infinity)', 'Infinity')],
  'ignores age': [expiry('createdAt + (expiry.ageMs ?? Infinity)', 'Infinity')],
  'never expires what has ended': [
    expiry(
      "if (leftMs(row, now) <= 0) return 'expired';",
      "if (leftMs(row, now) <= 0 && !row.ended) return 'expired';",
    ),
  ],
  'judges expiry by the wall clock as it is': [clock('wall: steady, stamp', 'wall: told, stamp')],
  'notes uses by the wall clock as it is': [clock('stamp: Math.max(told, steady)', 'stamp: told')],
  'revives by touch': [
    uses("const live = head?.state === 'live';", "const live = head !== undefined && head.state !== 'ended';"),
  ],
  'revives by a new rule': [
    uses('if (live) noteUse(row, use, moment);', 'if (live || use.expiry !== undefined) noteUse(row, use, moment);'),
  ],
  'uses what has ended': [
    uses("const live = head?.state === 'live';", "const live = head !== undefined && head.state !== 'expired';"),
  ],
  'takes a touch for no use': [uses('row.usedAt = stamp;', 'row.usedAt = row.usedAt || stamp;')],
  'asks a plain use for a current token': [
    uses('use.expiry === undefined ? floorOf(marks.epoch) : (row', 'use.expiry === null ? floorOf(marks.epoch) : (row'),
  ],
  'changes the rule under an old token': [
    uses('use.expiry === undefined ? floorOf(marks.epoch) : (row', 'use.token >= 0 ? floorOf(marks.epoch) : (row'),
  ],
  'takes uses of an older epoch': [
    uses('use.expiry === undefined ? floorOf(marks.epoch) : (row', 'use.expiry === undefined ? 0 : (row'),
  ],
  'renews for anyone': [
    uses(
      'if (outdated || (use.renew === true && !(row !== undefined && isHeldUnder(row.lock, use.token)))) {',
      'if (outdated) {',
    ),
  ],
  'renews no lease by touch': [uses('if (use.renew === true) renewLock(row.lock, moment.monotonic);', '')],
  'renews by every use': [
    uses('if (use.renew === true) renewLock(row.lock, moment.monotonic);', 'renewLock(row.lock, moment.monotonic);'),
  ],
  'renews no lock of what was never written': [uses('if (live || use.renew === true) putUsed', 'if (live) putUsed')],
  'sweeps at the first look': [
    uses('if (lookedAt === undefined || lookedAt > monotonic)', 'if (lookedAt === -1)'),
    uses(
      'lookedAt !== undefined && lookedAt <= monotonic && monotonic - lookedAt >= graceMs;',
      'lookedAt !== monotonic - graceMs - 1e9;',
    ),
  ],
  'sweeps before the grace is over': [uses('monotonic - lookedAt >= graceMs;', 'monotonic - lookedAt >= 0;')],
  'sweeps nothing': [uses('draft.clear();\n    return true;', 'return false;')],
  'sweeps what lives': [
    uses(
      "(row.revision === 0 || stateOf(row, wall) === 'expired') && isIdle",
      "(row.revision === 0 || stateOf(row, wall) !== 'ended') && isIdle",
    ),
  ],
  'sweeps what has ended': [
    uses("stateOf(row, wall) === 'expired') && isIdle", "stateOf(row, wall) !== 'live') && isIdle"),
  ],
  'sweeps what is locked': [uses(' && isIdle(row.lock, monotonic);', ';')],
  'sweeps what is waited for': [lock('queue.length === 0 && (holder', '(holder')],
  'never sweeps what only held a lock': [
    uses(
      "(row.revision === 0 || stateOf(row, wall) === 'expired')",
      "(row.revision > 0 && stateOf(row, wall) === 'expired')",
    ),
  ],
  'remembers a look through a use': [
    moment('row.boot = boot;\n  row.lookedAt = undefined;', 'row.boot = boot;'),
    uses('if (!isForgotten(row, moment)) return dropLook(draft, row);', 'if (!isForgotten(row, moment)) return false;'),
  ],
  'begins tokens again after a sweep': [moment('Math.max(floorOf(epoch), births)', 'floorOf(epoch)')],
  'begins tokens where they ended, after a sweep': [
    uses('row.lock.token + 1 : 0', 'row.lock.token : 0'),
    uses('row.lock.token < draft.marks().births', 'row.lock.token <= draft.marks().births'),
  ],

  'takes the last moment of a session for life': [
    expiry('leftMs(row, now) <= 0) return', 'leftMs(row, now) < 0) return'),
  ],
  'remembers a look through an unlock': [
    uses('if (notices !== undefined) putUsed(draft, row, moment);', 'if (notices !== undefined) draft.putRow(row);'),
  ],
  'remembers a look through a life': [
    uses('if (!isForgotten(row, moment)) return dropLook(draft, row);', 'if (!isForgotten(row, moment)) return false;'),
  ],
  'remembers a look through a touch': [
    uses(
      'if (live || use.renew === true) putUsed(draft, row, moment);',
      'if (live || use.renew === true) draft.putRow(row);',
    ),
  ],
  'remembers a look through a lock': [
    uses('if (changed) putUsed(draft, row, moment);', 'if (changed) draft.putRow(row);'),
  ],
  'expires at the later of both': [expiry('Math.min(usedAt', 'Math.max(usedAt')],
  'takes a read for a use': [
    store(
      'return this.#read({ id, whole: asksForAll(owned) }, (view) => tailOf(view, id, rowAt(view, id, moment), owned, moment), deadline);',
      'void this.touch(id, { token: 2 ** 51 });\n    return this.#read({ id, whole: asksForAll(owned) }, (view) => tailOf(view, id, rowAt(view, id, moment), owned, moment), deadline);',
    ),
  ],
  'takes a lock for a use': [
    uses(
      'if (changed) putUsed(draft, row, moment);',
      'row.usedAt = moment.stamp;\n  if (changed) putUsed(draft, row, moment);',
    ),
  ],
  'notes an end as no use': [writes('row.usedAt = moment.stamp;', "if (kind !== 'end') row.usedAt = moment.stamp;")],
  'answers a touch by the rule before': [
    uses('if (live) noteUse(row, use, moment);', 'const before = { ...row };\n  if (live) noteUse(row, use, moment);'),
    uses('leftMs: leftMs(row, moment.wall), wanted }', 'leftMs: leftMs(before, moment.wall), wanted }'),
  ],
  'forgets the rule that a touch leaves out': [
    uses('if (expiry !== undefined) row.expiry = ruleOf(expiry);', 'row.expiry = ruleOf(expiry ?? {});'),
  ],
  'changes the rule of what a touch may not renew': [
    uses(
      "    return { reply: { touched: false, why: 'fenced', head, wanted }, notices: [] };",
      "    if (!outdated && row !== undefined && use.expiry !== undefined) row.expiry = ruleOf(use.expiry);\n    if (!outdated && row !== undefined) putUsed(draft, row, moment);\n    return { reply: { touched: false, why: 'fenced', head, wanted }, notices: [] };",
    ),
  ],
  'moves the note with each look': [
    uses(
      'if (lookedAt === undefined || lookedAt > monotonic) draft',
      'if (lookedAt === undefined || (monotonic > lookedAt && !wasSeen(row, graceMs, moment))) draft',
    ),
  ],
  'counts what it only noted': [
    uses(
      'draft.putRow({ ...row, boot, lookedAt: monotonic });',
      '{\n    draft.putRow({ ...row, boot, lookedAt: monotonic });\n    return true;\n  }',
    ),
  ],
  'takes a touch of what has expired for a use': [uses('if (live || use.renew === true) putUsed', 'putUsed')],
  'takes the unlock of nothing for a use': [uses('if (notices !== undefined) putUsed', 'putUsed')],
  'takes the late request of a lock for a use': [uses('if (changed) putUsed', 'putUsed')],
  'sweeps too early what is older than another that went': [
    uses('wasSeen(row, graceMs, moment) && row.lock.token', 'wasSeen(row, graceMs, moment) || row.lock.token'),
  ],
  'counts what came back among what it swept': [
    uses(
      '  row.lookedAt = undefined;\n  draft.putRow(row);\n  return false;',
      '  row.lookedAt = undefined;\n  draft.putRow(row);\n  return true as never;',
    ),
  ],
};

const worlds: Mutants = {
  'locks what is not there though it was not to': [
    uses(
      "request.existing === true && headOf(found, moment)?.state !== 'live'",
      'request.existing === true && found === undefined',
    ),
  ],
  'tells no reader of the terms': [
    reads('const terms = whole && row.terms.length > 0 ? { terms: [...row.terms] } : {};', 'const terms = {};'),
  ],
  'hands out the rule that it keeps': [reads('expiry: { ...row.expiry }', 'expiry: row.expiry')],
  'hands out the terms that it keeps': [reads('{ terms: [...row.terms] }', '{ terms: row.terms }')],
  'begins every session now': [writes('createdAt: createdAt ?? stamp', 'createdAt: stamp')],
  'does not recall who loses its lock to a replacement': [writes('notices: recallOf(found?.lock)', 'notices: []')],
  'tells who touches nothing of the queue': [uses('const wanted = isWanted(row?.lock);', 'const wanted = false;')],
  'tells who appends nothing of the queue': [
    writes('{ appended: true, token, wanted: isWanted(row.lock) }', '{ appended: true, token, wanted: false }'),
  ],
  'does not fence what is unwritten by a promotion': [moment('Math.max(floorOf(epoch), births)', 'births')],
  'does not fence what is written by a promotion': [lock('if (row.token < floor) {', 'if (row.token < 0) {')],
  'promotes no further than it is': [store('nextEpoch(Math.max(above, marks.epoch))', 'nextEpoch(above)')],
  'promotes no further than one': [store('nextEpoch(Math.max(above, marks.epoch))', 'nextEpoch(marks.epoch)')],
  'has epochs without end': [store('if (above + 1 < EPOCHS) return', 'if (above < EPOCHS * 2) return')],
  'tells those who join nothing of the epoch': [store('member,\n      epoch,', 'member,\n      epoch: 0 * epoch,')],
  'lists what has ended': [
    store("?.state === 'live' && (term", "?.state !== 'expired' && headOf(row, moment) !== undefined && (term"),
  ],
  'lists what has expired': [
    store("?.state === 'live' && (term", "?.state !== 'ended' && headOf(row, moment) !== undefined && (term"),
  ],
  'lists what is only locked': [
    store("?.state === 'live' && (term", "?.state !== 'ended' && headOf(row, moment)?.state !== 'expired' && (term"),
  ],
  'lists what has had a term': [
    store('(term === undefined || row.terms.includes(term))', 'true'),
    memory('if (terms.includes(term) || listing === undefined) continue;', 'if (listing !== undefined) continue;'),
  ],
  'lists everything for a term': [
    store('(term === undefined || row.terms.includes(term))', 'true'),
    memory('term === undefined ? this.#listing', "term !== '' ? this.#listing"),
  ],
  'takes a term that one loses from all': [
    memory('if (listing.size === 0) this.#terms.delete(term);', 'this.#terms.delete(term);'),
  ],
  'lists one page only': [listing('return { ids, cursor: String(place) };', 'return { ids };')],
  'loses its place when gaps close': [listing('this.#start += this.#ids.length;', 'this.#start += 0;')],
  'shows no queue': [lock('queue: queue.map(({ member, until }) => ({ member, leftMs: until - now })),', 'queue: [],')],
  'shows no recall': [lock('recalled: holder.recalledAt !== undefined', 'recalled: false')],
  'sends no `changed`': [
    memory(
      "if (watched === 'all' || watched.has(id)) this.send(name, { kind: 'changed', id });",
      'void [watched, name, id];',
    ),
  ],
  'sends `changed` to all': [memory("if (watched === 'all' || watched.has(id)) this.send", 'this.send')],
  'sends `changed` where nothing has': [
    writes(
      '{ reply: { appended: false, why, token: row.lock.token, tail }, notices: [] }',
      '{ reply: { appended: false, why, token: row.lock.token, tail }, notices: [], written: true }',
    ),
  ],
  'watches what was watched before as well': [
    memory(
      "ids === 'all' ? ids : new Set(ids);",
      "ids === 'all' || member.watched === 'all' ? 'all' : new Set([...member.watched, ...ids]);",
    ),
  ],
  'sends hints to those who left': [memory('this.#members.delete(name);', '')],
  'names members alike': [memory('(this.#joined += 1)}`', '(this.#joined += 0)}`')],
  'goes on after a cancelled call': [
    deadline('if (this.#signal?.aborted === true) throw', 'if (this.#signal === null) throw'),
  ],
  'goes on when the time is over': [
    deadline('this.#end !== Infinity && this.#clock.monotonic() >= this.#end', 'this.#end < 0'),
  ],
  'does not know the outcome of what it did not do': [
    deadline("throw this.#failure('none', 'was cancelled')", "throw this.#failure('unknown', 'was cancelled')"),
  ],
  'goes on when it is closed': [
    calls(
      "if (this.#closed) throw new HoldfastError('ERR_CLOSED'",
      "if (id === '' ) throw new HoldfastError('ERR_CLOSED'",
    ),
  ],
  'takes any id': [args('if (bytes < 1 || bytes > 255', 'if (bytes < 0')],

  'sends `changed` for what was offered again': [
    writes(
      'wanted: isWanted(found.lock) }, notices: [] };',
      'wanted: isWanted(found.lock) }, notices: [], written: true };',
    ),
  ],
  'sends no `changed` for a replacement': [
    writes('notices: recallOf(found?.lock), written: true };', 'notices: recallOf(found?.lock) };'),
  ],
  'leaves a row for a leaving of nothing': [
    uses(
      'if (row === undefined) return { reply: undefined, notices: [] };',
      'if (row === undefined) {\n    putUsed(draft, { ...newRow(birthToken(draft.marks()) + 1) }, moment);\n    return { reply: undefined, notices: [] };\n  }',
    ),
  ],
  'cuts what it says of a session that is not there': [
    uses(
      'tail: tailOf(draft, id, found, request, moment) }, notices: [] };',
      'tail: tailOf(draft, id, found, { since: request.since, limitBytes: 0 }, moment) }, notices: [] };',
    ),
  ],
  'grants without the history that was asked for': [
    uses(
      'tail: tailOf(draft, id, row, request, moment) }, notices }',
      'tail: tailOf(draft, id, row, { ...request, kept: false }, moment) }, notices }',
    ),
  ],
  'lists one id too many': [listing('if (ids.length === limit) return', 'if (ids.length > limit) return')],
};

const faults: Mutants = {
  'renews by an append whose `lock` is misspelt': [
    args(
      "if (append.lock !== undefined) checkChoice(`${session}: lock`, ['renew', 'leave', 'release'], append.lock);",
      '',
    ),
  ],
  'takes any kind of record in an image': [args('checkKind(session, record.kind);', '')],
  'takes any `wait`': [args("flag('wait', wait);", '')],
  'takes any `renew`': [args("checkFlag('renew', touch.renew);", '')],
  'takes any `limitBytes`': [args("if (limitBytes !== undefined) checkAmount('limitBytes', 'bytes', limitBytes);", '')],
  'takes any rule': [args("checkObject('expiry', expiry);", '')],
  'takes any version': [args("if (append.version !== undefined) text('version', append.version);", '')],
  'takes any cursor': [args("if (cursor !== undefined) text('a cursor', cursor);", '')],
  'lists by any term': [args('if (query.term !== undefined && !isTerm(query.term))', "if (query.term === '\\n')")],
  'takes any listener': [args("func('the listener of a member', listener);", '')],
  'watches anything': [args('if (!Array.isArray(ids))', "if (typeof ids === 'string')")],
  'takes any signal': [args('milliseconds, signal, failMs', 'milliseconds, signal: undefined, failMs')],
  'fails a call at once that asks for no time': [args('signal, failMs: positive', 'signal, failMs: milliseconds')],
  'takes misspelt options of a call': [
    args(
      "checkOptions('the call to the store', options, CALL_RULES)",
      "checkOptions('the call to the store', options === null ? options : { timeoutMs: options.timeoutMs, signal: options.signal }, CALL_RULES)",
    ),
  ],
  'fails without a name where there is no touch': [args("checkObject('a touch', touch);", '')],
};

export const mutants: Mutants = {
  ...appends,
  ...requests,
  ...replacements,
  ...readings,
  ...locks,
  ...lives,
  ...worlds,
  ...faults,
};
