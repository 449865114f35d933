// guest: the process that holds the solution of a JavaScript function task (wire.js comes before this text). It runs the source as a script and
// then does what the tester asks. It has no secret.
const vm = require('vm'), { isProxy } = require('util').types;
const { setTimeout: later, clearTimeout: clearLater, setImmediate: soon, setInterval: realInterval } = globalThis;
let intervals = []; // those of the solution that may still run: alone they do not keep a test from ending
globalThis.setInterval = Object.assign((...args) => {
  const t = realInterval(...args);
  intervals = intervals.filter((x) => !x._destroyed);
  push(intervals, t);
  return t.unref();
}, { [require('util').promisify.custom]: realInterval[require('util').promisify.custom] });

class Guest extends Peer {
  constructor() {
    super();
    this.depth = 0;
    this.kept = new WeakSet();
    this.foreign = new WeakMap(); // errors of the test, and their numbers there
    this.promised = new Map(); // promises of the test, by number: how to settle them
    this.watched = new Set();
    this.settled = []; // what came of promises of the solution, until the tester hears it
    this.originals = new Map(); // what the test has replaced
    this.files = null; // once files are told: what is known of them
    this.borrowed = null; // members of objects of the test that the call sees
    this.calls = new Map();
    this.nextCall = 0;
    this.nextLive = 0;
    this.liveFloor = 0; // numbers below are forgotten
  }

  // Small containers that a call gives back are kept alike on both sides, the last few of them.
  liveNumber(x, encoder) {
    if (!(encoder.tracking > 0) || (isArray(x) ? x.length : keysOf(x).length) > 200) return undefined;
    encoder.tracking--;
    const n = this.nextLive++;
    this.becomesLive(n, x);
    if (this.live.size > 24) this.liveForget(this.liveFloor = n - 15);
    return n;
  }

  // A promise that the tester knows of is watched from then on.
  export(x, kind, name) {
    const out = super.export(x, kind, name);
    if (kind !== 'p' || 'h' in out || this.watched.has(out.id)) return out;
    this.watched.add(out.id);
    const done = (key) => (v) => {
      let reply;
      try { reply = { p: out.id, [key]: new Encoder(this).value(v), ...(key === 'ex' ? { t: thrownText(v), f: this.foreign.get(v) } : {}) }; } catch (e) { reply = { p: out.id, ex: new Encoder(this).value(e), t: thrownText(e) }; }
      push(this.settled, reply);
      if (waiting) { const w = waiting; soon(() => w.finish()); }
    };
    Promise.resolve(x).then(done('ok'), done('ex'));
    return out;
  }

  // What came of promises of the test: number, 'ok' or 'ex', number of the error, value, one after the other.
  settle(args) {
    const list = new Decoder(this).fillList([], args);
    for (let i = 0; i + 3 < list.length; i += 4) {
      const p = this.promised.get(list[i]), v = list[i + 3];
      if (!p) continue;
      this.promised.delete(list[i]);
      if (list[i + 1] === 'ok') { p.resolve(v); continue; }
      if (v !== null && typeof v === 'object') this.foreign.set(v, list[i + 2]);
      p.reject(v);
    }
  }

  keeps(x) {
    return this.kept.has(x);
  }

  stays(x) {
    return isProxy(x);
  }

  remote(kind, x) {
    let r = this.remotes.get(x.id);
    if (r === undefined) {
      r = this.make(kind, x);
      this.remotes.set(x.id, r);
      this.remoteIds.set(r, x.id);
    }
    return r;
  }

  make(kind, x) {
    const peer = this, id = x.id;
    if (kind === 'f') {
      const f = function (...args) {
        if (new.target) return peer.ask('new', id, args);
        return this !== undefined && this !== null && this !== globalThis ? peer.ask('apply', id, [this, ...args]) : peer.ask('call', id, args);
      };
      define(f, 'name', { value: '' + x.name, configurable: true });
      define(f, 'length', { value: +x.l || 0, configurable: true });
      return f;
    }
    if (kind === 'g') return { next: (...a) => peer.ask('method', id, ['next', ...a]), return: (...a) => peer.ask('method', id, ['return', ...a]), [Symbol.iterator]() { return this; } };
    if (kind === 'G') return { next: (...a) => peer.ask('method', id, ['next', ...a]), return: (...a) => peer.ask('method', id, ['return', ...a]), [Symbol.asyncIterator]() { return this; } };
    if (kind === 'p') return new Promise((resolve, reject) => peer.promised.set(id, { resolve, reject }));
    if (kind === 's') return Symbol('' + x.name);
    return new Proxy(create(null), {
      get: (t, name) => {
        if (name === Symbol.iterator) return x.t ? () => peer.ask('iterate', id, []) : undefined;
        if (name === Symbol.asyncIterator) return x.A ? () => peer.ask('iterate', id, ['async']) : undefined;
        return typeof name === 'string' ? peer.ask('get', id, [name]) : undefined;
      },
      set: (t, name, v) => { peer.ask('set', id, ['' + name, v]); return true; },
      has: (t, name) => peer.ask('keys', id, []).includes(name),
      ownKeys: () => peer.ask('keys', id, []),
      getOwnPropertyDescriptor: (t, name) => ({ value: peer.ask('get', id, ['' + name]), writable: true, enumerable: true, configurable: true }),
    });
  }

  // Ask the tester, which waits for an answer.
  ask(op, id, args) {
    if (!this.depth) throw new Error('the test is not waiting for a call');
    const e = new Encoder(this);
    send([op, id, e.list(args)]);
    for (;;) {
      const m = receive();
      if (isArray(m)) { this.serve(m); continue; }
      if ('again' in m) return this.borrowed.find(([n]) => n === m.again[0])[1][m.again[1]];
      const d = new Decoder(this);
      if ('lent' in m && this.borrowed) {
        const v = d.value(m.ok);
        push(this.borrowed, [m.lent, d.objects, d.objects.map(snapshot)]);
        return v;
      }
      if ('ex' in m) {
        const x = d.value(m.ex);
        if (x !== null && typeof x === 'object') this.foreign.set(x, m.f);
        throw x;
      }
      return d.value(m.ok);
    }
  }

  serve(m) {
    const [op, id, args, options, live, shared, files] = m;
    let objects = [], before = [], reply, undo = () => {};
    const outer = this.borrowed;
    this.borrowed = [];
    this.depth++;
    try {
      if (live) this.liveFill(null, live);
      if (shared) this.share(shared);
      if (files) this.shareFiles(files);
      const d = new Decoder(this);
      const list = d.fillList([], args);
      objects = d.objects;
      before = objects.map(snapshot);
      undo = this.redirect(options);
      const value = this[op === 'call' ? 'call' : 'do_' + op](id, list);
      undo();
      const lent = this.returned(), e = new Encoder(this, objects);
      e.tracking = 16;
      if (value instanceof Promise && objects.length) reply = { k: this.goesOn(value, objects) };
      reply = { ...reply, lent, w: this.liveChanges(e), m: changes(e, objects, before), ok: op === 'glob' ? value : e.value(value), l: this.liveFloor };
    } catch (x) {
      undo();
      const e = new Encoder(this, objects);
      try { reply = { lent: this.returned(), w: this.liveChanges(e), m: changes(e, objects, before), ex: e.value(x), t: thrownText(x), f: this.foreign.get(x), l: this.liveFloor }; } catch { reply = { m: [], ex: 'an error that cannot be shown', t: 'an error that cannot be shown' }; }
    }
    this.depth--;
    this.borrowed = outer;
    this.addFiles(reply);
    try { send(reply); } catch (x) {
      if (x instanceof Ended) process.exit(0);
      send({ m: [], ex: { E: { c: 'RangeError', m: '' + (x && x.message), n: 'RangeError', s: '', d: [] } }, t: '' + (x && x.message) });
    }
  }

  // The number of a call that goes on after it has returned a promise: what it changes in its arguments is told with the turns.
  goesOn(promise, objects) {
    const call = { objects, before: objects.map(snapshot), done: false }, end = () => { call.done = true; };
    this.calls.set(++this.nextCall, call);
    promise.then(end, end);
    return this.nextCall;
  }

  // Of each such call, and whether it has ended.
  changedByCalls() {
    const out = [];
    for (const [n, call] of this.calls) {
      const changed = changes(new Encoder(this, call.objects), call.objects, call.before);
      if (!changed.length && !call.done) continue;
      push(out, [n, changed, call.done]);
      if (call.done) this.calls.delete(n);
      else call.before = call.objects.map(snapshot);
    }
    return out.length ? out : undefined;
  }

  // What the call changed in containers that are members of objects of the test.
  returned() {
    const out = [];
    for (const [n, objects, before] of this.borrowed) {
      const changed = changes(new Encoder(this, objects), objects, before);
      if (changed.length) push(out, [n, changed]);
    }
    return out.length ? out : undefined;
  }

  call(id, args) { return this.own(id)(...args); }
  do_apply(id, args) { return Reflect.apply(this.own(id), args[0], args.slice(1)); }
  do_new(id, args) {
    const x = new (this.own(id))(...args);
    if (x !== null && typeof x === 'object') this.kept.add(x);
    return x;
  }

  // Where the test has replaced what prints, the call prints there.
  redirect(options) {
    if (!options) return () => {};
    const d = new Decoder(this), saved = {}, write = process.stdout.write;
    for (const [n, f] of Object.entries(options)) {
      const g = d.value(f);
      if (n === 'write') process.stdout.write = (s) => { g('' + s); return true; };
      else { saved[n] = console[n]; console[n] = g; }
    }
    return () => { Object.assign(console, saved); process.stdout.write = write; };
  }

  // What the test has put in the place of something global holds from then on; null: it is as it was.
  share(shared) {
    for (const [path, x] of shared) {
      const [name, of] = path.split('.').reverse(), owner = of ? globalThis[of] : globalThis;
      if (path === 'process.env') { for (const [k, v] of x) if (v === null) delete process.env[k]; else process.env[k] = v; continue; }
      if (!this.originals.has(path)) this.originals.set(path, describe(owner, name));
      const was = this.originals.get(path);
      if (x !== null) define(owner, name, { value: new Decoder(this).value(x), writable: true, configurable: true, enumerable: true });
      else if (was) define(owner, name, was);
      else delete owner[name];
    }
  }

  // The test works with files: it has sent those it changed, and hears of those that are changed here.
  shareFiles(files) {
    this.files ||= [];
    if (files.length) writeFiles(files, this.files);
  }
  addFiles(reply) {
    const files = this.files ? changedFiles(this.files) : [];
    if (files.length) reply.files = files;
  }

  do_has(id, args) { return args[0] in this.own(id); }
  do_get(id, args) {
    const x = this.own(id), v = x[args[0]];
    return typeof v === 'function' && typeof x !== 'function' && !mapHas(classNames, v) ? { method: v.length } : [v];
  }
  do_set(id, args) { this.own(id)[args[0]] = args[1]; }
  do_method(id, args) { const x = this.own(id); return x[args[0]](...args.slice(1)); }
  // An object as a number or text, the way the language asks for it.
  do_primitive(id, args) {
    const x = this.own(id), hint = args[0], own = x[Symbol.toPrimitive];
    if (typeof own === 'function') return own.call(x, hint);
    for (const n of hint === 'string' ? ['toString', 'valueOf'] : ['valueOf', 'toString']) {
      const v = typeof x[n] === 'function' ? x[n]() : x;
      if (v === null || (typeof v !== 'object' && typeof v !== 'function')) return v;
    }
    throw new TypeError('Cannot convert object to primitive value');
  }

  // A class that the test derives from one of the solution: its methods are the test's, and stay there.
  do_derive(id, args) {
    const [name, ...methods] = args, made = class extends this.own(id) {};
    define(made, 'name', { value: '' + name, configurable: true });
    for (let i = 0; i + 3 < methods.length; i += 4) {
      const [key, value, get, set] = methods.slice(i, i + 4);
      define(made.prototype, key, get || set ? { get, set, configurable: true, enumerable: false } : { value, writable: true, configurable: true, enumerable: false });
    }
    return made;
  }

  // A member of the class for an object of one derived from it, as `super.name` is.
  do_super(id, args) {
    const [name, x, ...rest] = args;
    return Reflect.apply(Reflect.get(this.own(id).prototype, name, x), x, rest);
  }
  do_superget(id, args) {
    const v = Reflect.get(this.own(id).prototype, args[0], args[1]);
    return typeof v === 'function' ? { method: v.length } : [v];
  }

  // A member of the prototype of a class, and a new one.
  do_protoget(id, args) { const p = this.own(id).prototype; return p === null || p === undefined ? undefined : p[args[0]]; }
  do_protoset(id, args) { this.own(id).prototype[args[0]] = args[1]; }

  do_del(id, args) { delete this.own(id)[args[0]]; }
  do_iterate(id, args) { return this.own(id)[args[0] === 'async' ? Symbol.asyncIterator : Symbol.iterator](); }
  do_keys(id) { return keysOf(this.own(id)); }
  do_entries(id) { const x = this.own(id); return keysOf(x).map((k) => [k, typeof x[k] === 'function' ? undefined : x[k]]); }

  do_exports() { return home.exports; }

  do_glob(id, args) {
    const name = args[0];
    if (typeof name !== 'string' || !/^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(name)) return null;
    let v;
    try { v = vm.runInThisContext(name); } catch { return null; }
    if (v === undefined && !(name in globalThis)) { try { if (vm.runInThisContext('typeof ' + name) === 'undefined') return { v: { u: 1 } }; } catch { return null; } }
    const e = new Encoder(this);
    e.tracking = 16;
    return { v: e.value(v) };
  }
}

// What the solution has added to the language's own classes and their prototypes: [class, whether to the prototype, name, function].
const BEFORE = new Map();
for (const [n, c] of [...Object.entries(library), ['Function', Function], ['Math', Math], ['JSON', JSON]])
  for (const x of [c, c.prototype]) if (x) BEFORE.set(x, [n, x !== c, new Set(Object.getOwnPropertyNames(x))]);

function additions() {
  const out = [];
  for (const [x, [n, isProto, names]] of BEFORE)
    for (const k of Object.getOwnPropertyNames(x)) {
      if (names.has(k) || out.length >= 256) continue;
      const v = describe(x, k).value;
      push(out, [n, isProto, k, typeof v === 'function' ? peer.export(v, 'f', '').id : -1]);
    }
  return out;
}

function thrownText(x) {
  try { return x !== null && typeof x === 'object' && 'message' in x ? x.name + ': ' + x.message : String(x); } catch { return 'an error'; }
}

const peer = new Guest();
let waiting = null; // how to answer the tester while this process is in its event loop
let home = null; // the module that require, module and exports of the solution belong to

// Requests one after the other. 'turn' and 'drain' go back to the event loop, so that timers and promises go on: until something is
// settled, and at most for so many ms, or until nothing is left to do.
function turn() {
  for (;;) {
    const m = receive();
    if (!isArray(m) || (m[0] !== 'turn' && m[0] !== 'drain')) { peer.serve(m); continue; }
    if (m[4]) peer.liveFill(null, m[4]);
    if (m[5]) peer.share(m[5]);
    if (m[6]) peer.shareFiles(m[6]);
    wait(m[0], +m[1]);
    try { peer.settle(m[2]); } catch (x) { waiting.fail(x); }
    return;
  }
}

function wait(op, ms) {
  let timer = null;
  const end = (reply, next) => {
    if (waiting !== w) return;
    waiting = null;
    clearLater(timer);
    process.removeListener('beforeExit', last);
    peer.depth--;
    reply.lent = peer.returned();
    reply.c = peer.changedByCalls();
    peer.borrowed = null;
    peer.addFiles(reply);
    try { send(reply); } catch (x) {
      if (x instanceof Ended) process.exit(0);
      send({ m: [], ex: new Encoder(peer).value(x), t: thrownText(x) });
    }
    next(loop);
  };
  let patience = ms < FOREVER ? 2 : Infinity; // rounds in which nothing is left but intervals
  const last = () => {
    if (waiting !== w) return;
    if (!intervals.some((t) => !t._destroyed) || !patience--) { w.finish(); return; }
    process.once('beforeExit', last);
    later(() => {}, Math.min(500, ms / 2)); // intervals do not keep the loop going
  };
  const w = {
    finish: () => { if (waiting === w) end({ w: peer.liveChanges(new Encoder(peer)), m: [], ok: peer.settled.splice(0) }, (f) => f()); },
    fail: (x) => end({ m: [], ex: new Encoder(peer).value(x), t: thrownText(x), f: peer.foreign.get(x) }, soon),
  };
  waiting = w;
  peer.depth++;
  peer.borrowed = [];
  if (op === 'drain') {
    process.once('beforeExit', last);
    timer = later(() => soon(w.finish), ms);
    timer.unref();
  }
  soon(() => { // what can go on at once has done so
    if (op === 'drain' ? peer.settled.length : !ms || peer.settled.length) w.finish();
    else if (op === 'turn') timer = later(() => soon(w.finish), ms);
  });
}

function loop() {
  try { turn(); } catch (x) { if (x instanceof Ended) process.exit(0); throw x; }
}

function main() {
  const source = fs.readFileSync(4, 'utf8');
  fs.closeSync(4);
  let script;
  process.argv = [process.argv[0], 'solution.js'];
  printAtOnce();
  // an error of its own kind waits until someone asks for the promise
  process.on('unhandledRejection', () => {});
  process.on('uncaughtException', (x) => {
    if (waiting) waiting.fail(x);
    else { process.stderr.write(thrownText(x) + '\n'); process.exit(1); }
  });
  const Module = require('module');
  home = new Module('/solution.js', null);
  for (const [k, v] of [['require', require], ['module', home], ['exports', home.exports], ['__filename', 'solution.js'], ['__dirname', '.']])
    define(globalThis, k, { value: v, writable: true, configurable: true, enumerable: false });
  const compile = (text) => new vm.Script(text, { filename: 'solution.js' });
  try {
    try { script = compile(source); } catch (x) {
      if (!/^[ \t]*(import|export)\b/m.test(source)) throw x;
      try { script = compile(withoutModules(source)); } catch { throw x; }
    }
  } catch (x) {
    send({ compile: thrownText(x), s: ('' + x.stack).slice(0, 400) });
    return loop(); // until the tester has heard it
  }
  try {
    script.runInThisContext();
  } catch (x) {
    send({ ex: new Encoder(peer).value(x), t: thrownText(x) });
    return loop();
  }
  let added = [];
  try { added = additions(); } catch { /* what is patched so badly is not looked at */ }
  send({ loaded: 1, added });
  loop();
}

main();
