// tester: the process that holds the test of a JavaScript function task (wire.js comes before this text). Free names of the test that
// JavaScript itself does not define are looked up in the solution each time. What it finds goes to descriptor 5, with this run's number
// when the test came to its end and everything passed.
const vm = require('vm');
const { AssertionError } = require('assert'), { promisify, format } = require('util');
const { setTimeout: realTimeout, setInterval: realInterval, setImmediate: soon } = globalThis;
const PRINTS = { log: console.log, error: console.error, warn: console.warn, info: console.info }, realWrite = process.stdout.write;
// Names that the language or this file asks of any object.
const NEVER_MIRRORED = new Set(['toJSON', 'then', 'next', 'done', 'value', 'get', 'set', 'length', 'name', 'message', 'stack', 'cause', 'code', 'inspect', 'constructor', 'prototype']);
const DENIED = new Set(['constructor', 'prototype', ...Object.getOwnPropertyNames(objectProto), ...Object.getOwnPropertyNames(Function.prototype)]);

// What a call may hand over as its `this`: plain data and objects of the solution, never a thing of the language or of Node. An object of
// the test that only holds the function may hold the expected result as well: it goes across and back, but does not show its members.
function isPlain(x) {
  if (x === null || typeof x !== 'object') return typeof x === 'string' || typeof x === 'number';
  const p = getProto(x);
  return peer.isRemote(x) || ((p === objectProto || p === Array.prototype) && x !== globalThis);
}

const remoteErrors = new WeakMap(); // errors that the solution threw, and the solution's words for them

class Tester extends Peer {
  constructor(entry) {
    super();
    this.entry = entry;
    this.protos = new Map();
    this.ended = false;
    this.own_errors = [];
    this.failed = []; // assertions of the test that failed in what the solution called
    this.hidden = new Set(); // numbers of objects that do not show their members
    this.pending = new Map(); // promises of the solution, by number: how to settle them
    this.watched = new Set();
    this.settled = []; // what came of promises of the test, until the solution hears it
    this.pumping = false;
    this.derived = new Map(); // classes of the test, by the number of the solution's form of them
    this.derivedIds = new Map();
    this.roots = new Set(); // prototypes of classes of the solution that some class of the test derives from
    this.globals = new Map(); // what the test may replace: how it is read, what it was, what the solution has
    this.environment = null;
    this.calls = new Map(); // arguments of calls that go on
    this.lent = null;
    this.files = null; // where the test works with files: what is known of them
    this.received = new Set(); // files that the solution wrote
    this.asked = 0;
    this.used = false; // whether the test has asked for anything of the solution
    this.primitives = new Map();
    this.unseen = new Set(); // what the solution added to the language's classes and the test cannot use
    this.assigned = new Map(); // names of the solution that the test has given a value of its own
  }

  // ---- promises: each side tells the other what came of its own, whenever the test is back in its event loop ----

  export(x, kind, name) {
    const out = super.export(x, kind, name);
    if (kind !== 'p') {
      if (kind === 'z' && !('h' in out)) this.hidden.delete(out.id);
      return out;
    }
    if ('h' in out) { x.catch(() => {}); return out; } // whoever made it takes care of it
    if (this.watched.has(out.id)) return out;
    this.watched.add(out.id);
    const done = (key) => (v) => { push(this.settled, out.id, key, key === 'ex' ? this.sent(v) : -1, v); this.pumpSoon(); };
    Promise.resolve(x).then(done('ok'), done('ex'));
    return out;
  }

  exportHidden(x) {
    const shown = this.ids.has(x) && !this.hidden.has(this.ids.get(x)), out = super.export(x, 'z', 'Object');
    if (!shown) this.hidden.add(out.id);
    return { ...out, C: null };
  }

  // Give the solution a turn of its event loop. How many of its promises were settled.
  turn(op, ms) {
    const list = this.ask(op, ms, this.settled.splice(0));
    if (!isArray(list)) throw new WireError('the solution sent something that is no plain data');
    for (const m of list) {
      const p = this.pending.get(m.p);
      if (!p) continue;
      this.pending.delete(m.p);
      if ('ex' in m) p.reject(this.thrownBy(m, new Decoder(this)));
      else p.resolve(this.plain(() => new Decoder(this).value(m.ok)));
    }
    return list.length;
  }

  pumpSoon() {
    if (this.pumping) return;
    this.pumping = true;
    soon(() => this.pump(0));
  }

  pump(ms) {
    this.pumping = false;
    try { this.turn('turn', ms); } catch (x) { fail(x); leave(); }
    if (this.pumping || !(this.pending.size || this.settled.length)) return;
    this.pumping = true;
    realTimeout(() => this.pump(Math.min(4, ms + 1)), 1).unref(); // where nothing else is left to do, `beforeExit` goes on
  }

  // ---- asking ----

  ask(op, id, args = []) {
    const e = new Encoder(this), before = this.failed.length, outer = this.lent;
    this.lent = []; // members of objects of the test that the solution sees meanwhile
    if (op !== 'primitive') this.asked++;
    if (op !== 'turn' && op !== 'drain') this.used = true;
    try {
      const live = this.liveChanges(new Encoder(this));
      send([op, id, e.list(args), this.redirections(), live.length ? live : undefined, this.shared(), this.files ? changedFiles(this.files) : undefined]);
      for (;;) {
        const m = this.hear();
        if (isArray(m)) { served++; this.serve(m); continue; }
        return this.answer(m, e.objects, op);
      }
    } catch (x) {
      if (x instanceof Ended) this.ended = true;
      this.failed.length = Math.min(this.failed.length, before); // it came back to the test, which can see it
      throw x;
    } finally {
      this.lent = outer;
    }
  }

  hear() {
    const m = this.plain(receive);
    if (m === null || typeof m !== 'object') throw new WireError('the solution sent something that is no plain data');
    return m;
  }

  // What the test has replaced since the last time.
  shared() {
    const out = [];
    for (const [path, s] of this.globals) {
      const now = s.read();
      if (is(now, s.sent)) continue;
      s.sent = now;
      push(out, [path, is(now, s.original) ? null : new Encoder(this).value(now)]);
    }
    if (this.environment) {
      const now = { ...process.env }, was = this.environment, changed = keysOf({ ...was, ...now }).filter((k) => was[k] !== now[k]);
      if (changed.length) push(out, ['process.env', changed.map((k) => [k, k in now ? now[k] : null])]);
      this.environment = now;
    }
    return out.length ? out : undefined;
  }

  watchGlobals(test) {
    for (const path of ['Math.random', 'Date.now', 'performance.now', 'crypto.randomUUID', 'fetch', 'localStorage', 'sessionStorage', 'alert']) {
      const [name, of] = path.split('.').reverse(), read = () => (of ? globalThis[of] : globalThis)[name];
      if (test.includes(of || name)) this.globals.set(path, { read, original: read(), sent: read() });
    }
    if (test.includes('process.env')) this.environment = { ...process.env };
  }

  redirections() {
    let out = null;
    for (const n of Object.keys(PRINTS)) if (console[n] !== PRINTS[n]) (out ||= {})[n] = new Encoder(this).value(console[n]);
    if (process.stdout.write !== realWrite) (out ||= {}).write = new Encoder(this).value(process.stdout.write);
    return out;
  }

  plain(f) {
    try { return f(); } catch (x) {
      throw x instanceof Ended ? x : new WireError('the solution sent something that is no plain data' + (x instanceof WireError ? ': ' + x.message : ''));
    }
  }

  answer(m, objects, op) {
    const d = new Decoder(this, objects);
    const value = this.plain(() => {
      if (m.files && this.files) for (const path of writeFiles(m.files, this.files)) this.received.add(path);
      for (const [n, changed] of m.lent || []) {
        const own = this.lent[n], into = new Decoder(this, own);
        for (const [i, content] of changed) {
          if (!(i in own)) throw new WireError('a number');
          into.fill(own[i], content);
        }
      }
      for (const [n, changed, done] of (op === 'turn' || op === 'drain') && m.c ? m.c : []) { // calls that the test waits for
        const own = this.calls.get(n), into = new Decoder(this, own);
        for (const [i, content] of changed) {
          if (!(i in own)) throw new WireError('a number');
          into.fill(own[i], content);
        }
        if (done) this.calls.delete(n);
      }
      if (m.k !== undefined) this.calls.set(m.k, objects);
      if (m.w) this.liveFill(d, m.w);
      for (const [i, content] of m.m || []) {
        if (!(i in objects)) throw new WireError('a number');
        d.fill(objects[i], content);
      }
      return 'ex' in m ? null : op === 'glob' || op === 'turn' || op === 'drain' ? m.ok : d.value(m.ok);
    });
    if (m.l > 0) this.liveForget(m.l);
    if ('ex' in m) throw this.thrownBy(m, d);
    return value;
  }

  // What the solution threw; an error of the test that comes back is this one again.
  thrownBy(m, d) {
    const thrown = this.plain(() => d.value(m.ex)), text = 't' in m ? '' + m.t : '';
    if ('f' in m && m.f in this.own_errors) return this.cameBack(this.own_errors[m.f]);
    if (thrown !== null && typeof thrown === 'object') remoteErrors.set(thrown, text);
    else this.thrown = text;
    return thrown;
  }

  cameBack(x) {
    this.failed = this.failed.filter((y) => y !== x);
    return x;
  }

  // The number of an error that goes to the solution: should it come back, it is this one again.
  sent(x) {
    push(this.own_errors, x);
    if (x instanceof AssertionError) push(this.failed, x);
    return this.own_errors.length - 1;
  }

  // ---- what the solution may ask: calls of what the test handed to it, and the plain members of objects of the test's classes ----

  serve(m) {
    let reply;
    try {
      const [op, id, args] = m, x = this.own(id), list = new Decoder(this).fillList([], args);
      if (this.hidden.has(id)) throw new TypeError('the test does not show the members of an object it calls the function on');
      const e = new Encoder(this), value = this.grant(op, x, list), again = op === 'get' ? this.lentAlready(value) : null;
      reply = again ? { again } : { ok: e.value(value) };
      if (op === 'get' && e.objects.length && this.lent) reply.lent = push(this.lent, e.objects) - 1;
    } catch (x) {
      if (x instanceof Ended) throw x;
      reply = { ex: new Encoder(this).value(x), f: this.sent(x) };
    }
    send(reply);
  }

  lentAlready(x) {
    for (let n = 0; n < (this.lent || []).length; n++)
      for (let i = 0; i < this.lent[n].length; i++) if (this.lent[n][i] === x) return [n, i];
    return null;
  }

  grant(op, x, args) {
    if (op === 'call' && typeof x === 'function') return x(...args);
    if (op === 'apply' && typeof x === 'function') return Reflect.apply(x, args[0], args.slice(1));
    if (op === 'new' && typeof x === 'function') return new x(...args);
    const name = args[0];
    if (typeof x === 'object') {
      if (op === 'keys') return keysOf(x);
      if (op === 'iterate') return x[name === 'async' ? Symbol.asyncIterator : Symbol.iterator]();
      if (typeof name !== 'string' || DENIED.has(name)) return undefined;
      if (op === 'get') {
        const v = x[name];
        return typeof v === 'function' ? (...a) => x[name](...a) : v;
      }
      if (op === 'set') { x[name] = args[1]; return undefined; }
      if (op === 'method') return x[name](...args.slice(1));
    }
    throw new TypeError('the test does not offer this');
  }

  // ---- stand-ins ----

  remote(kind, x, d) {
    if (typeof x.id !== 'number' || typeof x.name !== 'string') throw new WireError('a number');
    const key = kind + x.id;
    let r = this.remotes.get(key);
    if (r === undefined) {
      r = this.make(kind, x, d);
      this.remotes.set(key, r);
      this.remoteIds.set(r, x.id);
    }
    return r;
  }

  make(kind, x, d) {
    const peer = this, id = x.id;
    if (kind === 'f') return this.makeFunction(x, d);
    if (kind === 's') return Symbol(x.name);
    if (kind === 'p') return new Promise((resolve, reject) => { peer.pending.set(id, { resolve, reject }); peer.pumpSoon(); });
    if (kind === 'g') {
      const it = create(iteratorProto);
      for (const n of ['next', 'return', 'throw']) it[n] = (...a) => peer.ask('method', id, [n, ...a]);
      return it;
    }
    if (kind === 'G') {
      const step = (n) => (...a) => peer.ask('method', id, [n, ...a]);
      return { next: step('next'), return: step('return'), throw: step('throw'), [Symbol.asyncIterator]() { return this; } };
    }
    if (kind !== 'z') throw new WireError('a kind');
    return this.makeObject(x, d);
  }

  makeFunction(x, d) {
    const peer = this, id = x.id, up = x.P ? d.value(x.P) : null, upper = typeof up === 'function' ? this.protos.get(up) || up.prototype : null;
    const own = create(upper !== null && typeof upper === 'object' ? upper : objectProto), proto = this.makePrototype(own, id);
    const target = function () {};
    define(target, 'name', { value: x.name, configurable: true });
    define(target, 'length', { value: +x.l || 0, configurable: true });
    target.prototype = proto;
    const call = (self, args) => (isPlain(self) || peer.isRemote(self) || self instanceof Hidden ? peer.ask('apply', id, [self, ...args]) : peer.ask('call', id, args));
    const open = { call: (self, ...a) => call(self, a), apply: (self, a) => call(self, a || []), bind: (self, ...a) => (...b) => call(self, [...a, ...b]) };
    const f = new Proxy(target, {
      apply: (t, self, args) => call(typeof self === 'object' && isPlain(self) && !isArray(self) && !peer.isRemote(self) ? new Hidden(self) : self, args),
      construct: (t, args, c) => {
        const error = derives(proto, library.Error.prototype);
        const v = peer.ask('new', c === f || error ? id : peer.derive(c, f, id), args);
        if (c !== f && error) Object.setPrototypeOf(v, c.prototype);
        return v !== null && (typeof v === 'object' || typeof v === 'function') ? v : {};
      },
      get: (t, name) => {
        if (typeof name === 'string' && ownProperty(open, name)) return open[name];
        if (typeof name === 'symbol' || ['name', 'length', 'prototype', 'toString', 'constructor', 'hasOwnProperty', 'then'].includes(name)) return Reflect.get(t, name);
        const v = peer.ask('get', id, [name]);
        return isArray(v) ? v[0] : (...a) => peer.ask('method', id, [name, ...a]);
      },
      set: (t, name, v) => { if (typeof name === 'string') peer.ask('set', id, [name, v]); return true; },
    });
    define(own, 'constructor', { value: f, writable: true, configurable: true, enumerable: false });
    this.protos.set(f, proto);
    return f;
  }

  // ---- classes of the test that derive from one of the solution ----

  // The member of a class of the test, or of one between it and the solution's, by that name.
  memberOf(c, name) {
    for (let p = c.prototype; p && !this.roots.has(p); p = getProto(p)) if (name !== 'constructor' && ownProperty(p, name)) return describe(p, name);
    return undefined;
  }

  // The number of the solution's own form of the class c, whose methods are calls of those of c.
  derive(c, base, id) {
    const made = this.derivedIds.get(c);
    if (made !== undefined) return made;
    const root = this.protos.get(base), methods = [], seen = new Set();
    this.roots.add(root);
    for (let p = c.prototype; p && p !== root; p = getProto(p))
      for (const k of Object.getOwnPropertyNames(p)) {
        if (k === 'constructor' || seen.has(k)) continue;
        seen.add(k);
        const m = describe(p, k);
        push(methods, k, m.value, m.get, m.set);
      }
    const stand = this.ask('derive', id, [c.name, ...methods]), n = this.remoteIds.get(stand);
    if (typeof stand !== 'function' || n === undefined) throw new WireError('the solution sent something that is no plain data');
    this.derived.set(n, c);
    this.derivedIds.set(c, n);
    return n;
  }

  // A number or text of an object: the same while nothing else is asked, so that it cannot change within one comparison.
  primitive(id, hint) {
    const key = id + hint;
    if (this.primitives.at !== this.asked) { this.primitives.clear(); this.primitives.at = this.asked; }
    if (!this.primitives.has(key)) {
      const v = this.ask('primitive', id, [hint]);
      if (v !== null && (typeof v === 'object' || typeof v === 'function')) throw new TypeError('Cannot convert object to primitive value');
      this.primitives.set(key, v);
    }
    return this.primitives.get(key);
  }

  // Methods that the solution adds to the language's classes are added here as calls from afar, where all the test does with such a name is
  // to call it: what is looked up as data stays as it is.
  mirror(added, test) {
    for (const [n, isProto, name, id] of added) {
      const c = n === 'Function' ? Function : n === 'Math' ? Math : n === 'JSON' ? JSON : library[n], x = c && isProto ? c.prototype : c;
      if (typeof name !== 'string' || !/^[\w$]+$/.test(name) || !x || !test.includes(name)) continue;
      const word = name.replace(/\$/g, '\\$'), source = withoutTexts(test), count = (r) => (source.match(new RegExp(r, 'g')) || []).length;
      const all = count('(?<![\\w$])' + word + '(?![\\w$])');
      if (!all) continue;
      if (count('[.]\\s*' + word + '\\s*\\(|[.]prototype\\s*[.]\\s*' + word + '(?![\\w$])') < all || x === objectProto || NEVER_MIRRORED.has(name) || name in x || id < 0) {
        this.unseen.add((isProto ? n + '.prototype.' : n + '.') + name);
        continue;
      }
      const peer = this;
      define(x, name, { value: isProto ? function (...a) { return peer.ask('apply', id, [this, ...a]); } : (...a) => peer.ask('call', id, a), writable: true, configurable: true });
    }
  }

  // The prototype of a class of the solution: its own members are there, also for `super.name` in classes of the test.
  makePrototype(own, id) {
    const peer = this;
    const proto = new Proxy(own, {
      get: (t, name, self) => {
        if (typeof name === 'symbol' || DENIED.has(name)) return Reflect.get(t, name, self);
        if (self === proto) return peer.ask('protoget', id, [name]);
        if (!peer.isRemote(self)) return Reflect.get(t, name, self);
        const v = peer.ask('superget', id, [name, self]);
        return isArray(v) ? v[0] : (...a) => peer.ask('super', id, [name, self, ...a]);
      },
      set: (t, name, v, self) => {
        if (self !== proto || typeof name === 'symbol') return Reflect.set(t, name, v, self);
        peer.ask('protoset', id, [name, v]);
        return true;
      },
    });
    return proto;
  }

  makeObject(x, d) {
    const peer = this, id = x.id, derived = x.C && this.derived.get(x.C.id), c = x.C && !derived ? d.value(x.C) : null;
    const proto = derived ? derived.prototype : x.o ? objectProto : (typeof c === 'function' && this.protos.get(c)) || { constructor: { name: x.name } };
    const read = (name) => {
      const v = peer.ask('get', id, [name]);
      return isArray(v) ? v[0] : (...a) => peer.ask('method', id, [name, ...a]);
    };
    const entries = () => peer.ask('entries', id);
    const own = (name) => derived && this.memberOf(derived, name); // what a class of the test says of it
    return new Proxy(create(proto), {
      get: (t, name, self) => {
        if (own(name)) return Reflect.get(t, name, self);
        if (name === Symbol.iterator) return x.t ? () => peer.ask('iterate', id) : undefined;
        if (name === Symbol.asyncIterator) return x.A ? () => peer.ask('iterate', id, ['async']) : undefined;
        if (name === Symbol.toPrimitive) return (hint) => peer.primitive(id, hint);
        if (typeof name === 'symbol' || name === 'constructor' || name === '__proto__') return Reflect.get(t, name);
        return read(name);
      },
      set: (t, name, v, self) => {
        const m = own(name);
        if (m && m.set) Reflect.apply(m.set, self, [v]);
        else if (typeof name === 'string') peer.ask('set', id, [name, v]);
        return true;
      },
      defineProperty: (t, name, p) => { if (typeof name === 'string' && 'value' in p) peer.ask('set', id, [name, p.value]); return true; },
      deleteProperty: (t, name) => { if (typeof name === 'string') peer.ask('del', id, [name]); return true; },
      has: (t, name) => typeof name === 'string' && peer.ask('has', id, [name]) === true,
      ownKeys: () => entries().map(([k]) => k),
      getOwnPropertyDescriptor: (t, name) => {
        const e = typeof name === 'string' ? entries().find(([k]) => k === name) : undefined;
        return e && { value: e[1] === undefined ? read(name) : e[1], writable: true, enumerable: true, configurable: true };
      },
    });
  }

  // A class of the solution that derives from Error is a real class here, one for each.
  errorClass(v, base, d) {
    const c = d.value(v.C);
    const proto = this.protos.get(c);
    if (!proto) return null;
    if (getProto(proto) === objectProto) Object.setPrototypeOf(proto, base.prototype);
    return { prototype: proto };
  }
}

// ---- the run ----

const exit = process.exit.bind(process), leave = () => exit(0);
let drained = 0, finished = false, exited = false, served = 0, failure = null, reported = false;

function report(verdict, reason, number) {
  if (reported) return;
  reported = true;
  const text = stringify({ verdict, reason: [...('' + reason)].slice(0, 300).join('').toWellFormed?.() ?? reason, number });
  writeSync(5, text);
}

function explain(x) {
  const object = x !== null && typeof x === 'object', remote = object ? remoteErrors.get(x) : peer.thrown;
  let text = '';
  try { text = object && 'message' in x ? x.name + ': ' + x.message : String(x); } catch { text = 'an error'; }
  text = text.replace(/\s+/g, ' ');
  const where = object && /test\.js:(\d+)/.exec(remote === undefined ? '' + x.stack : ''), told = unlikeOneFile(text);
  if (x instanceof Ended || peer.ended) return ['no_verdict', "the solution's process ended before the test did"];
  if (x instanceof WireError) return ['runtime_error', '' + x.message];
  if (remote !== undefined && (object || remote === text)) {
    process.stderr.write((object ? x.stack : text) + '\n');
    return [/heap out of memory|Array buffer allocation failed/.test(text) ? 'memory_limit' : 'runtime_error', 'the solution threw ' + text + told];
  }
  process.stderr.write((object ? x.stack : text) + '\n');
  if (x instanceof AssertionError) return ['wrong_answer', 'a test failed' + (where ? ' in line ' + where[1] + ' of the test' : '') + ': ' + text.slice(0, 240 - told.length) + told];
  return [madeByTest(x) ? 'wrong_answer' : 'runtime_error', text + (where ? ' in line ' + where[1] + ' of the test' : '') + told];
}

// Whether the test's own `throw` made it: no error of the engine or of Node, such as that of a result without the member that is asked for.
function madeByTest(x) {
  if (x === null || typeof x !== 'object') return true;
  const p = getProto(x), first = ('' + x.stack).split('\n').find((l) => /^ +at /.test(l)) || '';
  return derives(x, library.Error.prototype) && (p === library.Error.prototype || !protoNames.has(p)) && /test\.js:\d/.test(first);
}

// A failed console.assert of the test counts, though the test goes on.
function patchAssert(lines) {
  const real = console.assert.bind(console);
  console.assert = function assert(ok, ...args) {
    real(ok, ...args);
    if (ok) return;
    const x = new AssertionError({ message: '', stackStartFn: assert }), where = /test\.js:(\d+)/.exec('' + x.stack);
    x.message = args.length ? format(...args) : where ? ('' + lines[where[1] - 1]).trim().slice(0, 200) : 'console.assert';
    fail(x);
  };
}

// What the test did that does not reach the other process, where the failure may come from it.
function unlikeOneFile(text) {
  for (const n of peer.assigned.keys()) return '; the test assigns ' + n + ', a variable of the solution, which keeps its value there';
  for (const n of peer.unseen) if (/ is not a function/.test(text) && text.includes(n.split('.').pop())) return '; ' + n + ' is the solution\'s own and is not there in the test';
  for (const [n, c, names] of BEFORE) {
    const added = Object.getOwnPropertyNames(c.prototype).find((k) => !names.has(k) && text.includes(k + ' is not a function'));
    if (added) return '; ' + n + '.prototype.' + added + ' is the test\'s own and is not there in the solution';
  }
  return '';
}
const BEFORE = Object.entries(library).filter(([, c]) => c.prototype).map(([n, c]) => [n, c, new Set(Object.getOwnPropertyNames(c.prototype))]);

function fail(x) {
  failure = failure || explain(x);
}

// Before a timer of the test runs, the solution's own that are due run.
function patchTimers() {
  const wrap = (real) => Object.assign((f, ms, ...args) => real(() => {
    try { peer.turn('turn', 1); } catch (x) { fail(x); leave(); }
    f(...args);
  }, ms), { [promisify.custom]: real[promisify.custom] });
  globalThis.setTimeout = wrap(realTimeout);
  globalThis.setInterval = wrap(realInterval);
}

// The names the solution gives to the test: those of the language stay the language's, but for the function asked for.
function makeScope() {
  const first = peer.entry.split('.')[0], undefinedName = {};
  const look = (name) => {
    const v = peer.ask('glob', 0, [name]);
    if (v === null || v === undefined) return undefinedName;
    return new Decoder(peer).value(v.v);
  };
  return new Proxy(create(null), {
    has: (t, name) => typeof name === 'string' && (name === 'exports' || ((name === first || !(name in globalThis)) && !RESERVED.has(name) && look(name) !== undefinedName)),
    get: (t, name) => (typeof name !== 'string' ? undefined : peer.assigned.has(name) ? peer.assigned.get(name) : name === 'exports' ? peer.ask('exports', 0) : look(name)),
    // The test's own from then on: it may be what is expected.
    set: (t, name, v) => { peer.assigned.set(name, v); return true; },
  });
}

const RESERVED = new Set(['require', 'module', 'arguments', 'r1_scope', 'r1_require', 'r1_module']);

// `require` of the test: what the solution wrote is data, and not loaded as code.
function testRequire() {
  return Object.assign((name) => {
    if (peer.received.size && /^[./]/.test(name)) {
      const path = realpathSync(require.resolve(name));
      if (peer.received.has(path) && !path.endsWith('.json')) throw new Error('a file that the solution wrote is not loaded as code: ' + name);
    }
    return require(name);
  }, require);
}

// A source without comments and texts in quotes.
function withoutTexts(source) {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, ' ');
}

function compiles(source) {
  try { return !!new vm.Script(source); } catch { return false; }
}

function main(init) {
  const { prompt, entry } = init;
  const test = /^[ \t]*import\b/m.test(init.test) ? withoutModules(init.test) : init.test;
  const own = init.anew && compiles(prompt) && !new RegExp('\\b' + (entry.split('.')[0] || '\0').replace(/\$/g, '\\$&') + '\\b').test(prompt) ? prompt.replace(/\n/g, ' \n') : '';
  const call = entry ? `\n;if (typeof check === 'function') return check(${entry});` : '';
  let script;
  try {
    new vm.Script('(function(){' + test + '\n})', { filename: 'test.js' });
    script = new vm.Script('(function (r1_scope, require, module) { with (r1_scope) { return (function () {' + test + call + '\n})(); } })', { filename: 'test.js' });
    if (own && compiles('(function(){' + own + '\n' + test + '\n})'))
      script = new vm.Script('(function (r1_scope, require, module) { with (r1_scope) { return (function () {' + own + '\n' + test + call + '\n})(); } })', { filename: 'test.js', lineOffset: -own.split('\n').length });
  } catch (x) {
    report('compile_error', 'the test: ' + x);
    leave();
  }
  const hello = peer.hear();
  if (hello.compile) { process.stderr.write('' + hello.s + '\n'); report('compile_error', '' + hello.compile); leave(); }
  if ('ex' in hello) { try { peer.answer({ ...hello, m: [] }, [], 'load'); } catch (x) { report(...explain(x)); } leave(); }
  patchTimers();
  patchAssert(test.split('\n'));
  if (/\bfs\b/.test(test)) peer.files = [];
  if (entry && peer.ask('glob', 0, [entry.split('.')[0]]) === null) {
    report('runtime_error', 'ReferenceError: the solution does not define ' + entry);
    leave();
  }
  peer.used = false;
  peer.watchGlobals(test);
  if (isArray(hello.added)) peer.mirror(hello.added, test);
  const module = { get exports() { return peer.ask('exports', 0); } };
  let result;
  try {
    result = script.runInThisContext()(makeScope(), testRequire(), module);
  } catch (x) {
    fail(x);
  }
  if (failure) leave();
  if (result !== null && typeof result === 'object' && typeof result.then === 'function') result.then(() => { finished = true; }, (x) => { fail(x); leave(); });
  else finished = true;
}

const init = parse(fs.readFileSync(4, 'utf8'));
fs.closeSync(4);
const peer = new Tester(init.entry);
process.argv = [process.argv[0], 'test.js'];
process.on('uncaughtException', (x) => { fail(x); leave(); });
process.on('unhandledRejection', (x) => { fail(x); leave(); });
process.on('exit', (code) => {
  if (failure) report(...failure);
  else if (peer.ended) report('no_verdict', "the solution's process ended before the test did");
  else if (code) report('wrong_answer', 'the test ended with status ' + code);
  else if (peer.failed.length) report(...explain(peer.failed[0]));
  else if ((!finished || peer.pending.size) && !exited) report('no_verdict', 'the test waits for something that does not come');
  else if (!peer.used) report('task', "'test' asks nothing of the solution, so it would test nothing");
  else report('pass', '', init.number);
  process.reallyExit(0);
});
// Nothing is left to do here; timers of the solution may still call what the test handed to it, or settle what it waits for.
process.on('beforeExit', () => {
  if (failure || peer.ended || (drained && finished && !peer.pending.size && Date.now() - drained > 10000)) return;
  drained = drained || Date.now();
  const before = served;
  let n = 0;
  // what the test has a promise of is waited for; where the solution has nothing of the test that it could call, only what fails at once
  const waits = peer.pending.size || !finished;
  try { n = peer.turn('drain', waits ? FOREVER : peer.exported.length ? 5000 : 100); } catch (x) { fail(x); }
  if ((served !== before || n || peer.settled.length) && !failure) soon(() => {}); // then once more
});
process.exit = (code) => { exited = true; exit(code); };
main(init);
