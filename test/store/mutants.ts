/** One text in a source of the store, and what stands in its place in the mutant. It must be there once. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What a store does wrong, and the edits that make it do so. */
export type Mutants = Readonly<Record<string, readonly Edit[]>>;

const edit = (file: string) => (from: string, to: string): Edit => ({ file: `${file}.ts`, from, to });
const writes = edit('store/writes');
const uses = edit('store/uses');
const reads = edit('store/reads');
const lock = edit('store/lock-row');
const moment = edit('store/moment');
const expiry = edit('store/expiry');
const store = edit('store/transactional');
const memory = edit('store/memory');
const deadline = edit('store/deadline');
const listing = edit('store/listing');
const clock = edit('clock');

const appends: Mutants = {
  'accepts an old token': [writes("token < row.lock.token ? 'fenced' : fits", 'fits')],
  'accepts any parent': [writes('if (!samePosition(row, parent)) return false;', '')],
  'asks for the parent before the token': [writes("token < row.lock.token ? 'fenced' : fits(row, request, moment) ? undefined : 'conflict'", "!fits(row, request, moment) ? 'conflict' : token < row.lock.token ? 'fenced' : undefined")],
  'appends to what has ended': [writes(": state === 'live';", ': true;')],
  'revives what has expired by a delta': [writes("state === 'expired' ? kind === 'snapshot'", "state === 'expired' ? true")],
  'ends what has expired': [writes("state === 'expired' ? kind === 'snapshot'", "state === 'expired' ? kind !== 'delta'")],
  'keeps the bytes of an image, not a copy': [store('bytes: new Uint8Array(record.bytes)', 'bytes: record.bytes')],
  'answers without tail': [writes('tailOf(draft, id, found, { since: request.parent }, moment)', 'tailOf(draft, id, found, { since: request.parent, limitBytes: 0 }, moment)')],
  'answers with the whole log': [writes('tailOf(draft, id, found, { since: request.parent }, moment)', 'tailOf(draft, id, found, { since: ORIGIN }, moment)')],
  'refuses without the session\'s token': [writes('{ appended: false, why, token: row.lock.token, tail }', '{ appended: false, why, token: 0, tail }')],
  'looks a nonce up at the head only': [writes('found !== undefined && isKept(draft, id, found, request.position)', 'found !== undefined && samePosition(found, request.position)')],
  'looks a revision up without its nonce': [reads('view.record(id, revision)?.nonce === nonce', 'view.record(id, revision) !== undefined')],
  'looks a nonce up after the token': [writes('found !== undefined && isKept(', "found !== undefined && !(typeof request.under === 'number' && request.under < found.lock.token) && isKept(")],
  'looks a nonce up after the lock': [writes('found !== undefined && isKept(', "found !== undefined && typeof request.under === 'number' && isKept(")],
  'answers what was offered again with the writer\'s token': [writes('return { reply: { appended: true, token: found.lock.token, wanted: isWanted(found.lock) }', "return { reply: { appended: true, token: typeof request.under === 'number' ? request.under : 0, wanted: isWanted(found.lock) }")],
  'keeps the writer\'s bytes, not a copy': [store('new Uint8Array(request.bytes)', 'request.bytes')],
  'forgets a feed\'s higher token': [writes('lock.token = token;', '')],
  'leaves the lock to a holder whom a feed outdates': [writes('lock.token = token;\n    delete lock.holder;', 'lock.token = token;')],
  'takes an append for no use': [writes("ended: kind === 'end', usedAt: moment.stamp", "ended: kind === 'end', usedAt: row.usedAt || moment.stamp")],
  'drops the rule with each append': [writes('if (request.expiry !== undefined) row.expiry = ruleOf(request.expiry);', 'row.expiry = ruleOf(request.expiry ?? {});')],
  'keeps the first rule for good': [writes('if (request.expiry !== undefined) row.expiry', 'if (request.expiry !== undefined && row.revision === 1) row.expiry')],
  'drops the terms with each append': [writes('if (request.terms !== undefined) row.terms = [...new Set(request.terms)];', 'row.terms = [...new Set(request.terms ?? [])];')],
  'adds terms to those before': [writes('row.terms = [...new Set(request.terms)];', 'row.terms = [...new Set([...row.terms, ...request.terms])];')],
  'keeps all before a snapshot': [writes("(kind === 'delta' ? row.first : position.revision)", 'row.first')],
  'ignores `first`': [writes('request.first ?? (kind', '(kind')],
  'drops the snapshot where `first` is above it': [writes("Math.min(request.first ?? (kind === 'delta' ? row.first : position.revision), row.snapshot)", "(request.first ?? (kind === 'delta' ? row.first : position.revision))")],
  'miscounts the deltas': [writes('snapshotBytes: bytes.length, deltaBytes: 0 }', 'snapshotBytes: bytes.length }')],
  'begins anew under the old rule': [writes('createdAt: createdAt ?? stamp, expiry: {}, terms: []', 'createdAt: createdAt ?? stamp, terms: []')],
  'begins anew under the old terms': [writes('createdAt: createdAt ?? stamp, expiry: {}, terms: []', 'createdAt: createdAt ?? stamp, expiry: {}')],
  'begins anew with the old age': [writes('createdAt: createdAt ?? stamp, expiry: {}, terms: []', 'createdAt: row.createdAt || stamp, expiry: {}, terms: []')],
  'begins nothing anew that lives': [writes('begins === true || row.revision === 0', 'row.revision === 0')],
  'begins anew what was to go on': [writes("kind === 'snapshot' && begins !== false", "kind === 'snapshot'")],
  'begins anew by a delta': [edit('store/arguments')("if (begins === true && kind !== 'snapshot') invalid", "if (begins === null) invalid")],
  'begins anew with the old records': [writes('Object.assign(row, { first: position.revision, createdAt', 'Object.assign(row, { createdAt'), writes('draft.deleteRecords(row.first, row.revision + 1);', '')],
  'ends without freeing the lock': [writes("if (kind === 'end') return releaseLock(lock, now);", '')],
  'ends without a higher token': [writes("if (kind === 'end') return releaseLock(lock, now);", "if (kind === 'end') return isHeldUnder(lock, token) ? releaseLock(lock, now) : [];")],
  'renews no lease by an append': [writes('  renewLock(lock, now);', '')],
  'renews a lease that was to be left': [writes("if (does === 'leave' || !isHeldUnder(lock, token)) return [];", 'if (!isHeldUnder(lock, token)) return [];')],
  'keeps a lock that was to be released': [writes("if (does === 'release') return releaseLock(lock, now);", '')],
  'keeps a lock that was taken for one append': [writes("? 'renew' : 'release');", "? 'renew' : 'renew');")],
  'releases a lock that was to be kept': [writes('const does = then ??', 'const does =')],
  'writes less durably than it was asked to': [edit('store/arguments')('if (durability === undefined) return;', 'return;')],
};

const requests: Mutants = {
  'gives a lock back that is needed for the rebase': [writes("const keeps = headOf(row, moment)?.state === 'live';", 'const keeps = false;')],
  'keeps a lock where there is nothing to rebase on': [writes("const keeps = headOf(row, moment)?.state === 'live';", 'const keeps = true;')],
  'hides the grant that it kept': [writes('...(grant && { grant })', '...(grant && {})')],
  'forgets the grant that it kept': [writes('if (found ? lock.changed || !keeps : !isIdle(row.lock, moment.monotonic)) putUsed(draft, row, moment);', '')],
  'writes under a lock that it did not get': [writes('if (lock?.granted === false) {', "if (lock?.granted === false && request.kind === 'end') {")],
  'leaves no place to one that is locked out': [writes('if (lock.changed) putUsed(draft, row, moment);\n    return { reply: { appended: false, why: \'locked\'', "return { reply: { appended: false, why: 'locked'")],
};

const replacements: Mutants = {
  'lowers the token by a replacement': [writes('Math.max(token, image.token) + 1', 'image.token + 1')],
  'replaces without a higher token': [writes('Math.max(token, image.token) + 1', 'Math.max(token, image.token)')],
  'replaces whatever was expected': [writes('expected !== undefined && !samePosition(head, expected)', 'expected === ORIGIN && !samePosition(head, expected)')],
  'refuses a replacement that is offered again': [writes("samePosition(head, last.position) ? { reply: { appended: true, token, wanted: isWanted(found?.lock) }, notices: [] } : refuse('conflict')", "refuse('conflict')")],
  'replaces by an image of an older epoch': [writes("if (epochOf(image.token) < marks.epoch) return refuse('fenced');", '')],
  'answers a refused replacement with records': [writes('{ since: last.position, ...HEAD_ALONE }', '{ since: last.position }')],
  'leaves records of what was replaced': [writes('const snapshot = records.findLastIndex', 'const snapshot = records.findIndex')],
  'takes the time of a replacement for that of creation': [writes('Object.assign(row, { createdAt, usedAt: stamp', 'Object.assign(row, { createdAt: stamp, usedAt: stamp')],
  'keeps the lock through a replacement': [writes('const next = rowOf(image, Math.max(token, image.token) + 1, moment);', 'const next = rowOf(image, Math.max(token, image.token) + 1, moment);\n  next.lock.holder = row?.lock.holder;')],
};

const readings: Mutants = {
  'ignores `limitBytes`': [reads('if (last !== undefined && bytes > limitBytes) return', 'if (last !== undefined && bytes < 0) return')],
  'gives nothing where the first record is too large': [reads('if (last !== undefined && bytes > limitBytes) return', 'if (bytes > limitBytes) return')],
  'does not say where to read on': [reads('records, whole, next: last, ...terms };', 'records, whole, ...terms };')],
  'gives records where the head alone was asked for': [reads('if (limitBytes === 0) return { head, records: [], whole, ...terms };', '')],
  'begins the whole at the oldest record': [reads('(kept ? row.first : row.snapshot)', 'row.first')],
  'keeps its history to itself': [reads('(kept ? row.first : row.snapshot)', 'row.snapshot')],
  'gives what follows another branch': [reads('const whole = !samePosition(head.position, since) && !isKept(view, id, row, since);', 'const whole = since.revision < row.first || since.revision > row.revision;')],
  'shows the records of what has expired': [reads("|| head.state === 'expired') return", ') return')],
  'shows a session where only a lock is': [reads('row === undefined || row.revision === 0) return undefined;', 'row === undefined) return undefined;')],
};

const locks: Mutants = {
  'grants without a higher token': [lock('row.token += 1;\n  row.holder', 'row.holder')],
  'releases without a higher token': [lock('delete row.holder;\n  row.token += 1;', 'delete row.holder;')],
  'hands a lapsed lease back': [lock('request.ticket === holder.ticket && leftMs > 0', 'request.ticket === holder.ticket')],
  'hands a newer ticket the old grant': [lock('request.ticket === holder.ticket && leftMs > 0', 'leftMs > 0')],
  'grants anew to the same ticket': [lock('request.ticket === holder.ticket && leftMs > 0', 'request.ticket === holder.ticket && leftMs < 0')],
  'never renews the lease of who asks again': [lock('else if (leftMs <= holder.leaseMs / 2)', 'else if (leftMs < 0)')],
  'renews the lease of who asks again each time': [lock('else if (leftMs <= holder.leaseMs / 2)', 'else')],
  'lets a late request take what is newer': [lock('own !== undefined && ticket < own.ticket', 'own === null')],
  'lets a late leaving end a newer grant': [lock('row.holder?.member === member && row.holder.ticket <= ticket', 'row.holder?.member === member')],
  'lets a late leaving end a newer place': [lock('waiter.member !== member || waiter.ticket > ticket', 'waiter.member !== member')],
  'keeps the grant of who leaves': [lock('if (row.holder?.member === member && row.holder.ticket <= ticket) return releaseLock(row, now);', '')],
  'lets an outdated token unlock': [lock('row.holder !== undefined && row.token === token;', 'row.holder !== undefined && token > 0;')],
  'serves the last to come first': [lock('row.queue.shift()', 'row.queue.pop()')],
  'gives one member many places': [lock("if (place === undefined) row.queue.push", 'if (place === undefined || row.queue.length > 0) row.queue.push')],
  'keeps the places of the dead': [lock('row.queue = row.queue.filter(({ until }) => until > now);', '')],
  'forgets to keep a place': [lock('return wait ? Math.min(takeableMs, leaseMs / 2) : takeableMs;', 'return takeableMs;')],
  'takes a lapsed lease before a recall can arrive': [lock('now >= takeableAt(holder, now);', 'now >= holder.leaseUntil;')],
  'takes a lease that runs': [lock('Math.max(holder.leaseUntil, (holder.recalledAt ?? now) + recallMs(holder))', '(holder.recalledAt ?? now) + recallMs(holder)')],
  'never takes a lapsed lease': [lock('now >= takeableAt(holder, now);', 'holder.leaseUntil === now + 1e9;')],
  'waits for a recall longer than a quarter of the lease': [lock('Math.min(250, holder.leaseMs / 4)', '250')],
  'lets a lapsed holder overtake who waits': [lock('if (isTakeable(holder, now) && row.queue.length > 0) return contend(row, request, now);', '')],
  'gives a place to who only tries': [lock('if (wait || (free &&', "if (member !== '' || (free &&"), lock('changed: free || recalls,', 'changed: true,')],
  'lets who only tries overtake': [lock('(row.queue.length === 0 || placeOf(row, member) !== undefined)', 'row.queue.unshift({ ...request, until: now + 1 }) > 0')],
  'recalls for who only tries': [lock('const recalls = wait || now >= holder.leaseUntil;', 'const recalls = true;')],
  'recalls nobody for who only tries': [lock('const recalls = wait || now >= holder.leaseUntil;', 'const recalls = wait;')],
  'recalls nobody': [lock("notices.push({ kind: 'recall', member: holder.member, token: row.token });", '')],
  'tells nobody of a grant': [lock("if (waiter.member !== self) notices.push({ kind: 'grant', member: waiter.member, token: row.token });", '')],
  'never says that others want the lock': [lock('wanted: queue.length > 0', 'wanted: false')],
  'keeps a holder of an older epoch': [lock('row.token = floor;\n    delete row.holder;', 'row.token = floor;')],
  'empties the queue with the epoch': [lock('row.token = floor;\n    delete row.holder;', 'row.token = floor;\n    row.queue = [];\n    delete row.holder;')],
  'measures leases by the wall clock': [store('monotonic: this.#clock.monotonic(), wall', 'monotonic: this.#clock.now(), wall')],
};

const lives: Mutants = {
  'ignores idle time': [expiry('usedAt + (expiry.idleMs ?? Infinity)', 'Infinity')],
  'ignores age': [expiry('createdAt + (expiry.ageMs ?? Infinity)', 'Infinity')],
  'never expires what has ended': [expiry("if (leftMs(row, now) <= 0) return 'expired';", "if (leftMs(row, now) <= 0 && !row.ended) return 'expired';")],
  'judges expiry by the wall clock as it is': [clock('this.#jumped ? steady : wall', 'steady > 0 ? wall : wall')],
  'notes uses by the wall clock as it is': [clock('this.#jumped ? Math.max(wall, steady) : wall', 'steady > 0 ? wall : wall')],
  'revives by touch': [uses("const live = head?.state === 'live';", "const live = head !== undefined && head.state !== 'ended';")],
  'revives by a new rule': [uses('if (live) noteUse(row, use, moment);', 'if (live || use.expiry !== undefined) noteUse(row, use, moment);')],
  'uses what has ended': [uses("const live = head?.state === 'live';", "const live = head !== undefined && head.state !== 'expired';")],
  'takes a touch for no use': [uses('row.usedAt = stamp;', 'row.usedAt = row.usedAt || stamp;')],
  'asks a plain use for a current token': [uses('use.expiry === undefined ? floorOf(marks.epoch) : (row', 'use.expiry === null ? floorOf(marks.epoch) : (row')],
  'changes the rule under an old token': [uses('use.expiry === undefined ? floorOf(marks.epoch) : (row', 'use.token >= 0 ? floorOf(marks.epoch) : (row')],
  'takes uses of an older epoch': [uses('use.expiry === undefined ? floorOf(marks.epoch) : (row', 'use.expiry === undefined ? 0 : (row')],
  'renews for anyone': [uses('if (outdated || (use.renew === true && !(row !== undefined && isHeldUnder(row.lock, use.token)))) {', 'if (outdated) {')],
  'renews no lease by touch': [uses('if (use.renew === true) renewLock(row.lock, moment.monotonic);', '')],
  'renews by every use': [uses('if (use.renew === true) renewLock(row.lock, moment.monotonic);', 'renewLock(row.lock, moment.monotonic);')],
  'renews no lock of what was never written': [uses('if (live || use.renew === true) putUsed', 'if (live) putUsed')],
  'sweeps at the first look': [uses('if (lookedAt === undefined || lookedAt > monotonic)', 'if (lookedAt === -1)'), uses('lookedAt !== undefined && lookedAt <= monotonic && monotonic - lookedAt >= graceMs;', 'lookedAt !== monotonic - graceMs - 1e9;')],
  'sweeps before the grace is over': [uses('monotonic - lookedAt >= graceMs;', 'monotonic - lookedAt >= 0;')],
  'sweeps nothing': [uses('draft.clear();\n    return true;', 'return false;')],
  'sweeps what lives': [uses("(row.revision === 0 || stateOf(row, wall) === 'expired') && isIdle", "(row.revision === 0 || stateOf(row, wall) !== 'ended') && isIdle")],
  'sweeps what has ended': [uses("stateOf(row, wall) === 'expired') && isIdle", "stateOf(row, wall) !== 'live') && isIdle")],
  'sweeps what is locked': [uses(' && isIdle(row.lock, monotonic);', ';')],
  'sweeps what is waited for': [lock('queue.length === 0 && (holder', '(holder')],
  'never sweeps what only held a lock': [uses("(row.revision === 0 || stateOf(row, wall) === 'expired')", "(row.revision > 0 && stateOf(row, wall) === 'expired')")],
  'remembers a look through a use': [moment('row.boot = boot;\n  delete row.lookedAt;', 'row.boot = boot;'), uses('if (!isForgotten(row, moment)) return dropLook(draft, row);', 'if (!isForgotten(row, moment)) return false;')],
  'begins tokens again after a sweep': [moment('Math.max(floorOf(epoch), births)', 'floorOf(epoch)')],
  'begins tokens where they ended, after a sweep': [uses('row.lock.token + 1 : 0', 'row.lock.token : 0'), uses('row.lock.token < draft.marks().births', 'row.lock.token <= draft.marks().births')],
};

const worlds: Mutants = {
  'locks what is not there though it was not to': [uses("request.existing === true && headOf(found, moment)?.state !== 'live'", "request.existing === true && found === undefined")],
  'tells no reader of the terms': [reads('const terms = whole && row.terms.length > 0 ? { terms: row.terms } : {};', 'const terms = {};')],
  'begins every session now': [writes('createdAt: createdAt ?? stamp', 'createdAt: stamp')],
  'does not recall who loses its lock to a replacement': [writes('notices: recallOf(found?.lock)', 'notices: []')],
  'tells who touches nothing of the queue': [uses('const wanted = isWanted(row?.lock);', 'const wanted = false;')],
  'tells who appends nothing of the queue': [writes('{ appended: true, token, wanted: isWanted(row.lock) }', '{ appended: true, token, wanted: false }')],
  'does not fence what is unwritten by a promotion': [moment('Math.max(floorOf(epoch), births)', 'births')],
  'does not fence what is written by a promotion': [lock('if (row.token < floor) {', 'if (row.token < 0) {')],
  'promotes no further than it is': [store('nextEpoch(Math.max(above, marks.epoch))', 'nextEpoch(above)')],
  'promotes no further than one': [store('nextEpoch(Math.max(above, marks.epoch))', 'nextEpoch(marks.epoch)')],
  'has epochs without end': [store('if (above + 1 < EPOCHS) return', 'if (above < EPOCHS * 2) return')],
  'tells those who join nothing of the epoch': [store('member,\n      epoch,', 'member,\n      epoch: 0 * epoch,')],
  'lists what has ended': [store("?.state === 'live' && (term", "?.state !== 'expired' && headOf(row, moment) !== undefined && (term")],
  'lists what has expired': [store("?.state === 'live' && (term", "?.state !== 'ended' && headOf(row, moment) !== undefined && (term")],
  'lists what is only locked': [store("?.state === 'live' && (term", "?.state !== 'ended' && headOf(row, moment)?.state !== 'expired' && (term")],
  'lists what has had a term': [store('(term === undefined || row.terms.includes(term))', 'true'), memory('if (terms.includes(term) || listing === undefined) continue;', 'if (listing !== undefined) continue;')],
  'lists everything for a term': [store('(term === undefined || row.terms.includes(term))', 'true'), memory('term === undefined ? this.#listing', 'term !== \'\' ? this.#listing')],
  'lists one page only': [listing('return { ids, cursor: String(place) };', 'return { ids };')],
  'loses its place when gaps close': [listing('this.#start += this.#ids.length;', 'this.#start += 0;')],
  'shows no queue': [lock('queue: queue.map(({ member, until }) => ({ member, leftMs: until - now })),', 'queue: [],')],
  'shows no recall': [lock('recalled: holder.recalledAt !== undefined', 'recalled: false')],
  'sends no `changed`': [memory("if (watched === 'all' || watched.has(id)) this.send(name, { kind: 'changed', id });", 'void [watched, name, id];')],
  'sends `changed` to all': [memory("if (watched === 'all' || watched.has(id)) this.send", 'this.send')],
  'sends `changed` where nothing has': [writes('{ reply: { appended: false, why, token: row.lock.token, tail }, notices: [] }', '{ reply: { appended: false, why, token: row.lock.token, tail }, notices: [], written: true }')],
  'watches what was watched before as well': [memory("ids === 'all' ? ids : new Set(ids);", "ids === 'all' || member.watched === 'all' ? 'all' : new Set([...member.watched, ...ids]);")],
  'sends hints to those who left': [memory('this.#members.delete(name);', '')],
  'names members alike': [memory('`m${(this.#joined += 1)}`', '`m${(this.#joined += 0)}`')],
  'goes on after a cancelled call': [deadline('if (this.#signal?.aborted === true) throw', 'if (this.#signal === null) throw')],
  'goes on when the time is over': [deadline('this.#end !== Infinity && this.#clock.monotonic() >= this.#end', 'this.#end < 0')],
  'does not know the outcome of what it did not do': [deadline("throw this.#failure('none', 'was cancelled')", "throw this.#failure('unknown', 'was cancelled')")],
  'goes on when it is closed': [store("if (this.#closed) throw new HoldfastError('ERR_CLOSED'", "if (id === '' ) throw new HoldfastError('ERR_CLOSED'")],
  'takes any id': [edit('store/arguments')('if (bytes < 1 || bytes > 255', 'if (bytes < 0')],
};

export const mutants: Mutants = { ...appends, ...requests, ...replacements, ...readings, ...locks, ...lives, ...worlds };
