// wire: what the tester and the solution of a JavaScript function task say to each other, as plain data over one descriptor. The
// framing, the requests and the idea are those of wire.py. What is neither plain data nor an object of the language's library stays
// where it is and crosses as a number.
//
// The text of this file stands before the tester's and the solution's. The functions of the language it needs are taken before
// any other code runs, so that prototypes patched later change nothing here; in the tester's process nothing is ever patched.
'use strict';
// Names of the language as they are now: a solution may declare its own at the top.
const { Object, Array, Map, Set, WeakMap, WeakSet, Date, RegExp, Number, String, Boolean, BigInt, Symbol, Proxy, Promise, Error, TypeError, RangeError, Reflect, ArrayBuffer,
  Buffer, JSON, Math, Function, console } = globalThis;
const fs = require('fs');
// What a program prints must be out, and counted, before it goes on.
function printAtOnce() {
  for (const stream of [process.stdout, process.stderr]) if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);
}
const { readSync, writeSync, readdirSync, statSync, readFileSync, writeFileSync, mkdirSync, rmSync, realpathSync } = fs;
const MESSAGE_MAX = 1 << 28;
const LINK = 3;
const FOREVER = 1e9; // ms
const parse = JSON.parse, stringify = JSON.stringify, isArray = Array.isArray, getProto = Object.getPrototypeOf, keysOf = Object.keys;
const describe = Object.getOwnPropertyDescriptor, isFrozen = Object.isFrozen, freeze = Object.freeze;
const define = Object.defineProperty, create = Object.create, is = Object.is, objectProto = Object.prototype;
const uncurry = (f) => Function.prototype.call.bind(f);
const mapEntries = uncurry(Map.prototype.entries), setValues = uncurry(Set.prototype.values), dateValue = uncurry(Date.prototype.getTime);
const toStringTag = uncurry(Object.prototype.toString), ownProperty = uncurry(Object.prototype.hasOwnProperty), push = uncurry(Array.prototype.push);
const bigText = uncurry(BigInt.prototype.toString), numbers = Map, mapGet = uncurry(Map.prototype.get), mapSet = uncurry(Map.prototype.set), mapHas = uncurry(Map.prototype.has);
const TYPED = ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'];
const ERRORS = ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError'];
const CLASSES = ['Object', 'Array', 'Map', 'Set', 'Date', 'RegExp', 'Number', 'String', 'Boolean', 'BigInt', 'Symbol', 'Promise', 'WeakMap', 'WeakSet', 'Uint8Array', 'Float64Array', 'Int32Array', 'ArrayBuffer', ...ERRORS];
const library = create(null);
for (const n of new Set([...TYPED, ...CLASSES])) library[n] = globalThis[n];
const protoNames = new Map(Object.entries(library).map(([n, c]) => [c.prototype, n]));
const classNames = new Map(Object.entries(library).map(([n, c]) => [c, n]));
const generatorProto = getProto(function* () {}.prototype), asyncGeneratorProto = getProto(async function* () {}.prototype);
const iteratorProto = getProto(getProto([][Symbol.iterator]())), bufferProto = Buffer.prototype;

class WireError extends Error {}
class Ended extends Error {}
class Hidden { // an object that crosses as nothing but a number
  constructor(x) { this.x = x; }
}

function derives(x, proto) {
  for (let p = getProto(x), i = 0; p !== null && i < 64; p = getProto(p), i++) if (p === proto) return true;
  return false;
}

// Bytes of a message, and one message.
function take(n) {
  const b = Buffer.allocUnsafe(n);
  for (let at = 0; at < n;) {
    let k = 0;
    try { k = readSync(LINK, b, at, n - at, null); } catch (e) { if (e.code === 'EAGAIN') continue; }
    if (!k) throw new Ended('the other side is gone');
    at += k;
  }
  return b;
}

function receive() {
  const n = take(4).readUInt32BE(0);
  if (n > MESSAGE_MAX) throw new WireError('a message that is too long');
  return parse(take(n).toString('utf8'));
}

function send(message) {
  const text = stringify(message), n = Buffer.byteLength(text);
  if (n > MESSAGE_MAX) throw new WireError('a value of ' + n + ' bytes');
  const b = Buffer.allocUnsafe(n + 4);
  b.writeUInt32BE(n, 0);
  b.write(text, 4);
  for (let at = 0; at < b.length;) {
    try { at += writeSync(LINK, b, at); } catch (e) { if (e.code !== 'EAGAIN') throw new Ended('the other side is gone'); }
  }
}

function scalar(x) {
  switch (typeof x) {
    case 'string': case 'boolean': return true;
    case 'number': return x - x === 0 && !is(x, -0);
    default: return x === null;
  }
}

const symbolsOf = Object.getOwnPropertySymbols;
const WELL_KNOWN = new Set(Object.getOwnPropertyNames(Symbol).map((n) => Symbol[n]).filter((v) => typeof v === 'symbol'));

// Whether a plain object has methods or computed members of its own: it then stays where it is.
function lives(x) {
  const keys = keysOf(x), symbols = symbolsOf(x);
  for (let i = 0; i < symbols.length; i++) if (typeof describe(x, symbols[i]).value === 'function' || describe(x, symbols[i]).get) return true;
  for (let i = 0; i < keys.length; i++) {
    const d = describe(x, keys[i]);
    if (d.get || d.set || typeof d.value === 'function') return true;
  }
  return false;
}

// How an object can be gone through.
function iterable(x) {
  return { t: typeof x[Symbol.iterator] === 'function', A: typeof x[Symbol.asyncIterator] === 'function' ? 1 : undefined };
}

// One message going out. `objects`: what both sides know by number.
class Encoder {
  constructor(peer, objects = []) {
    this.peer = peer;
    this.objects = [];
    this.index = new numbers();
    for (let i = 0; i < objects.length; i++) this.known(objects[i]);
  }

  known(x) {
    const i = mapGet(this.index, x);
    if (i !== undefined) return i;
    mapSet(this.index, x, this.objects.length);
    push(this.objects, x);
    return -1;
  }

  list(a) {
    const out = [];
    for (let i = 0; i < a.length; i++) {
      if (!(i in a)) push(out, { e: 1 }); else push(out, this.value(a[i]));
      if (out.length > 5e6) throw new WireError('an array of ' + a.length);
    }
    return out;
  }

  entries(x) {
    const keys = keysOf(x), out = [];
    for (let i = 0; i < keys.length; i++) push(out, [keys[i], this.value(x[keys[i]])]);
    return out;
  }

  // A container, with its number when it is one that both sides keep alike from now on.
  container(x, kind, content) {
    const frozen = isFrozen(x), n = frozen ? undefined : this.peer.liveNumber(x, this), out = { [kind]: content() };
    if (n !== undefined) out.w = n;
    if (frozen) out.F = 1;
    if (kind === 'o' || kind === 'O') { // members whose names are symbols of a program's own
      const more = symbolsOf(x).filter((k) => !WELL_KNOWN.has(k) && describe(x, k).enumerable);
      if (more.length) out.s = more.map((k) => [this.value(k), this.value(x[k])]);
    }
    if (kind === 'a') { // of a match or a template
      const more = ownProperty(x, 'raw') ? ['raw'] : ownProperty(x, 'index') ? ['index', 'input', 'groups'] : [];
      if (more.length) out.p = more.map((k) => [k, this.value(x[k])]);
    }
    return out;
  }

  value(x) {
    switch (typeof x) {
      case 'string': case 'boolean': return x;
      case 'number': return x - x === 0 && !is(x, -0) ? x : { n: is(x, -0) ? '-0' : '' + x };
      case 'undefined': return { u: 1 };
      case 'bigint': return { i: bigText(x) };
      case 'symbol': return Symbol.keyFor(x) === undefined ? this.peer.export(x, 's', x.description === undefined ? '' : x.description) : { y: Symbol.keyFor(x) };
      case 'function': return this.fn(x);
      default: return x === null ? null : this.object(x);
    }
  }

  fn(x) {
    const name = mapGet(classNames, x);
    if (name) return { x: name };
    let n = '', l = 0;
    try { n = '' + x.name; l = +x.length; } catch { /* as it is */ }
    let up = getProto(x);
    if (up === Function.prototype) { // as prototypes were linked before there were classes
      const own = describe(x, 'prototype'), above = own && own.value && typeof own.value === 'object' ? getProto(own.value) : null, c = above && describe(above, 'constructor');
      if (c && above !== objectProto) up = c.value;
    }
    return { ...this.peer.export(x, 'f', n), l, P: typeof up === 'function' && up !== Function.prototype && up !== x ? this.fn(up) : undefined };
  }

  // What is in a container that can change.
  content(x) {
    if (isArray(x)) return this.list(x);
    const p = getProto(x), name = mapGet(protoNames, p);
    if (name === 'Map') return [...mapEntries(x)].map(([k, v]) => [this.value(k), this.value(v)]);
    if (name === 'Set') return this.list([...setValues(x)]);
    if (p === bufferProto || (name && TYPED.includes(name))) return [...x].map((v) => this.value(v));
    return this.entries(x);
  }

  object(x) {
    if (x instanceof Hidden) return this.peer.exportHidden(x.x);
    if (this.peer.isRemote(x)) return this.peer.export(x, 'z', '');
    const p = getProto(x), name = p === bufferProto ? 'Buffer' : mapGet(protoNames, p);
    if (isArray(x) && name !== 'Array' && this.peer.keeps(x)) return this.instance(x);
    if (isArray(x) || p === objectProto || p === null || name === 'Map' || name === 'Set' || name === 'Buffer' || TYPED.includes(name)) {
      if (p === objectProto && mapGet(this.index, x) === undefined && (this.peer.stays(x) || lives(x))) return { ...this.peer.export(x, 'z', 'Object'), C: null, ...iterable(x), o: 1 };
      const again = mapGet(this.index, x) === undefined ? this.peer.liveAlready(x) : undefined;
      if (again !== undefined) return { W: again };
      const i = this.known(x);
      if (i >= 0) return { r: i };
      if (name === 'Buffer' || TYPED.includes(name)) return { T: name, v: this.content(x) };
      return this.container(x, isArray(x) ? 'a' : name === 'Map' ? 'M' : name === 'Set' ? 'S' : p === null ? 'O' : 'o', () => this.content(x));
    }
    if (name === 'Date') return { D: this.value(dateValue(x)) };
    if (name === 'RegExp') return { R: ['' + x.source, '' + x.flags] };
    if (name === 'Number' || name === 'String' || name === 'Boolean') return { w: name, v: this.value(x.valueOf()) };
    if (derives(x, library.Error.prototype)) return { E: this.error(x) };
    if (derives(x, library.Promise.prototype) || typeof x.then === 'function') return this.peer.export(x, 'p', '');
    if (derives(x, iteratorProto) || derives(x, generatorProto)) return this.peer.export(x, 'g', '');
    if (derives(x, asyncGeneratorProto)) return this.peer.export(x, 'G', '');
    return this.instance(x);
  }

  instance(x) {
    const c = x.constructor;
    return { ...this.peer.export(x, 'z', typeof c === 'function' ? '' + c.name : ''), C: typeof c === 'function' ? this.fn(c) : null, ...iterable(x) };
  }

  error(x) {
    let name = 'Error';
    for (let p = getProto(x), i = 0; p && i < 64; p = getProto(p), i++)
      if (mapHas(protoNames, p)) { name = mapGet(protoNames, p); break; }
    const out = { c: name, m: '' + x.message, n: '' + x.name, s: ('' + x.stack).split('\n').filter((l) => !/^ +at .*(<r1>|node:internal|\[eval\])/.test(l)).join('\n').slice(0, 4000), d: [] };
    for (const k of keysOf(x)) if (scalar(x[k])) push(out.d, [k, x[k]]);
    const c = x.constructor;
    if (typeof c === 'function' && !mapHas(classNames, c)) out.C = this.fn(c);
    const cause = ownProperty(x, 'cause') ? x.cause : undefined; // a chain of a few is kept
    this.causes = (this.causes || 0) + 1;
    if (cause !== undefined && this.causes < 8) out.u = this.value(cause);
    this.causes--;
    return out;
  }
}

// One message coming in: objects of this side's own, whatever is in it.
class Decoder {
  constructor(peer, objects = []) {
    this.peer = peer;
    this.objects = [...objects];
  }

  fresh(x) {
    push(this.objects, x);
    return x;
  }

  fillList(out, a) {
    if (!isArray(a)) throw new WireError('a list was expected');
    for (let i = 0; i < a.length; i++)
      if (a[i] !== null && typeof a[i] === 'object' && a[i].e === 1) out.length = i + 1;
      else out[i] = this.value(a[i]);
    return out;
  }

  fillEntries(out, a) {
    for (const [k, v] of a) define(out, '' + k, { value: this.value(v), writable: true, enumerable: true, configurable: true });
    return out;
  }

  value(x) {
    if (x === null || typeof x !== 'object') return x;
    if (isArray(x)) throw new WireError('not a value');
    const kind = keysOf(x)[0], v = x[kind];
    const f = ownProperty(DECODE, kind) ? DECODE[kind] : null;
    if (!f) throw new WireError('not a value');
    const out = f(this, v, x);
    if (kind === 'a' && x.p !== undefined)
      for (const [k, w] of x.p)
        if (['raw', 'index', 'input', 'groups'].includes(k)) define(out, k, { value: this.value(w), writable: true, configurable: true, enumerable: k !== 'raw' });
    if ((kind === 'o' || kind === 'O') && x.s !== undefined)
      for (const [k, w] of x.s) {
        const name = this.value(k);
        const member = this.value(w);
        if (typeof name !== 'symbol' || WELL_KNOWN.has(name) || /^nodejs\./.test(Symbol.keyFor(name)) || typeof member === 'function') throw new WireError('a symbol');
        define(out, name, { value: member, writable: true, enumerable: true, configurable: true });
      }
    if (x.w !== undefined && CONTAINERS.has(kind)) this.peer.becomesLive(x.w, out);
    if (x.F === 1 && CONTAINERS.has(kind)) freeze(out);
    return out;
  }

  // Give a known container new content.
  fill(x, content) {
    const name = mapGet(protoNames, getProto(x));
    if (isArray(x)) { x.length = 0; this.fillList(x, content); }
    else if (name === 'Map') { const e = content.map(([k, v]) => [this.value(k), this.value(v)]); x.clear(); for (const [k, v] of e) x.set(k, v); }
    else if (name === 'Set') { const e = this.fillList([], content); x.clear(); for (const v of e) x.add(v); }
    else if (ArrayBuffer.isView(x)) content.forEach((v, i) => { x[i] = this.value(v); });
    else {
      const kept = new Set(content.map(([k]) => '' + k));
      for (const k of keysOf(x)) if (!kept.has(k)) delete x[k];
      this.fillEntries(x, content);
    }
  }

  error(v) {
    let c = ERRORS.includes(v.c) ? library[v.c] : Error, out;
    if (v.C) {
      const made = this.peer.errorClass(v, c, this);
      if (made) c = made;
    }
    out = create(c.prototype);
    Error.captureStackTrace(out);
    const hidden = (k, value) => define(out, k, { value, writable: true, configurable: true, enumerable: false });
    hidden('message', '' + v.m);
    if (v.n !== c.prototype.name) hidden('name', '' + v.n);
    hidden('stack', '' + v.s);
    if ('u' in v) hidden('cause', this.value(v.u));
    // an object that Error.prototype is behind, but that only a constructor makes an error for the language: make one
    const real = new Error('' + v.m);
    Object.setPrototypeOf(real, c.prototype);
    for (const k of ['message', 'name', 'stack', 'cause']) if (ownProperty(out, k)) define(real, k, Object.getOwnPropertyDescriptor(out, k));
    for (const [k, w] of v.d) if (k !== '__proto__' && scalar(w)) real[k] = w;
    return real;
  }
}

const CONTAINERS = new Set(['a', 'o', 'O', 'M', 'S']);
const DECODE = {
  __proto__: null,
  W: (d, v) => d.peer.liveObject(v),
  y: (d, v) => Symbol.for('' + v),
  n: (d, v) => Number(v),
  u: () => undefined,
  i: (d, v) => BigInt(v),
  r: (d, v) => { if (!(v in d.objects)) throw new WireError('a number'); return d.objects[v]; },
  a: (d, v) => d.fillList(d.fresh([]), v),
  o: (d, v) => d.fillEntries(d.fresh({}), v),
  O: (d, v) => d.fillEntries(d.fresh(create(null)), v),
  M: (d, v) => { const m = d.fresh(new Map()); for (const [k, w] of v) m.set(d.value(k), d.value(w)); return m; },
  S: (d, v) => { const s = d.fresh(new Set()); for (const w of v) s.add(d.value(w)); return s; },
  T: (d, v, x) => {
    if (v !== 'Buffer' && !TYPED.includes(v)) throw new WireError('a kind of array');
    const a = d.fresh(v === 'Buffer' ? Buffer.alloc(x.v.length) : new library[v](x.v.length));
    x.v.forEach((w, i) => { a[i] = d.value(w); });
    return a;
  },
  D: (d, v) => new Date(d.value(v)),
  R: (d, v) => new RegExp(v[0], v[1]),
  w: (d, v, x) => { if (!['Number', 'String', 'Boolean'].includes(v)) throw new WireError('a class'); return new library[v](d.value(x.v)); },
  E: (d, v) => d.error(v),
  x: (d, v) => { if (!ownProperty(library, v) && !library[v]) throw new WireError('a class'); return library[v]; },
  h: (d, v) => d.peer.own(v),
  k: (d, v, x) => d.peer.remote(v, x, d),
};

function snapshot(x) {
  if (isArray(x)) return { n: x.length, v: [...x] };
  const name = mapGet(protoNames, getProto(x));
  const v = name === 'Map' ? [...mapEntries(x)].flat() : name === 'Set' ? [...setValues(x)] : ArrayBuffer.isView(x) ? [...x] : keysOf(x).flatMap((k) => [k, x[k]]);
  return { n: v.length, v };
}

function sameSnapshot(a, b) {
  let same = a.n === b.n && a.v.length === b.v.length;
  for (let j = 0; same && j < b.v.length; j++) same = is(a.v[j], b.v[j]);
  return same;
}

// As sameSnapshot, for what is in x now.
function unchanged(before, x) {
  const v = before.v;
  if (isArray(x)) {
    if (x.length !== before.n) return false;
    for (let i = 0; i < v.length; i++) if (!is(v[i], x[i])) return false;
    return true;
  }
  if (getProto(x) !== objectProto) return sameSnapshot(before, snapshot(x));
  const keys = keysOf(x);
  if (2 * keys.length !== v.length) return false;
  for (let i = 0; i < keys.length; i++) if (v[2 * i] !== keys[i] || !is(v[2 * i + 1], x[keys[i]])) return false;
  return true;
}

function changes(encoder, objects, before) {
  const out = [];
  for (let i = 0; i < before.length; i++) {
    if (!sameSnapshot(before[i], snapshot(objects[i]))) push(out, [i, encoder.content(objects[i])]);
  }
  return out;
}

// ---- files: test and solution each have a folder; what one writes the other finds ----

const FOLDERS = ['.', '/tmp'], FILES_MAX = 32 << 20;

function filesIn(folder, prefix, depth, out) {
  for (const e of readdirSync(folder, { withFileTypes: true })) {
    if (e.isDirectory()) {
      out.set(prefix + e.name, '');
      if (depth < 8) filesIn(folder + '/' + e.name, prefix + e.name + '/', depth + 1, out);
    } else if (e.isFile()) {
      const s = statSync(folder + '/' + e.name);
      out.set(prefix + e.name, s.mtimeMs + ' ' + s.size + ' ' + s.ino);
    }
  }
}

// What has changed since `known`, which is brought up to date: [folder, path, content in hexadecimal]; a folder has no content, what is gone has 0.
function changedFiles(known) {
  const out = [];
  let total = 0;
  try {
    FOLDERS.forEach((folder, i) => {
      const old = known[i] || new Map(), now = new Map();
      filesIn(folder, '', 0, now);
      for (const [path, stamp] of now) {
        if (old.get(path) === stamp) continue;
        const content = stamp ? readFileSync(folder + '/' + path) : null;
        total += content ? content.length : 0;
        if (total <= FILES_MAX) push(out, [i, path, content ? content.toString('hex') : null]);
      }
      for (const path of [...old.keys()].reverse()) if (!now.has(path)) push(out, [i, path, 0]);
      known[i] = now;
    });
  } catch { /* a folder that is changing */ }
  return out;
}

// The files written. No packages: a `require` of the test would run them.
function writeFiles(files, known) {
  const written = [];
  for (const [i, path, content] of files) {
    const parts = ('' + path).split('/');
    if ((i !== 0 && i !== 1) || parts.some((p) => p === '' || p === '.' || p === '..')) throw new WireError('a file');
    if (parts.includes('node_modules') || parts[parts.length - 1] === 'package.json') continue;
    const full = FOLDERS[i] + '/' + path;
    try {
      if (content === null) mkdirSync(full, { recursive: true });
      else if (content === 0) rmSync(full, { recursive: true, force: true });
      else {
        writeFileSync(full, Buffer.from('' + content, 'hex'));
        push(written, realpathSync(full));
      }
    } catch { /* as it is */ }
  }
  FOLDERS.forEach((folder, i) => { known[i] = new Map(); filesIn(folder, '', 0, known[i]); });
  return written;
}

// A source with import and export at the start of lines, as one that has require: for what is a module by its form alone.
function withoutModules(source) {
  return source
    .replace(/^[ \t]*import[ \t]+([\w$]+)[ \t]+from[ \t]+(['"][^'"]+['"]);?/gm, 'const $1 = require($2);')
    .replace(/^[ \t]*import[ \t]+\*[ \t]+as[ \t]+([\w$]+)[ \t]+from[ \t]+(['"][^'"]+['"]);?/gm, 'const $1 = require($2);')
    .replace(/^[ \t]*import[ \t]*(\{[^}]*\})[ \t]*from[ \t]+(['"][^'"]+['"]);?/gm, (m, names, from) => 'const ' + names.replace(/(\w)\s+as\s+/g, '$1: ') + ' = require(' + from + ');')
    .replace(/^[ \t]*import[ \t]+([\w$]+)[ \t]*,[ \t]*(\{[^}]*\})[ \t]*from[ \t]+(['"][^'"]+['"]);?/gm,
      (m, one, names, from) => 'const ' + one + ' = require(' + from + '), ' + names.replace(/(\w)\s+as\s+/g, '$1: ') + ' = ' + one + ';')
    .replace(/^[ \t]*import[ \t]+(['"][^'"]+['"]);?/gm, 'require($1);')
    .replace(/^export[ \t]+default[ \t]+(?=(async[ \t]+)?function[ \t*]+[\w$]|class[ \t]+[\w$])/gm, '')
    .replace(/^export[ \t]+(?=(async|function|class|const|let|var)\b)/gm, '')
    .replace(/^export[ \t]+(default[ \t]+[\w$]+|\{[^}]*\})[ \t]*;?[ \t]*$/gm, '');
}

class Peer {
  constructor() {
    this.exported = [];
    this.ids = new Map();
    this.remotes = new Map();
    this.remoteIds = new Map(); // stand-in to number of the other side
    this.live = new Map(); // containers of the solution that both sides have, by number: the object, and what was in it when both agreed
    this.liveIds = new WeakMap();
  }

  // ---- containers that the solution keeps: what one side changes, the other finds changed when it goes on ----

  liveAlready(x) {
    const n = this.liveIds.get(x);
    return n !== undefined && this.live.has(n) ? n : undefined;
  }

  liveNumber() {
    return undefined;
  }

  becomesLive(n, x) {
    if (typeof n !== 'number') throw new WireError('a number');
    this.live.set(n, { x, before: snapshot(x) });
    this.liveIds.set(x, n);
  }

  liveObject(n) {
    const l = this.live.get(n);
    if (l === undefined) throw new WireError('a number');
    return l.x;
  }

  // What this side has changed in them since both agreed; then they agree. Without an encoder each change is a text of its own.
  liveChanges(encoder) {
    const out = [];
    for (const [n, l] of this.live) {
      if (unchanged(l.before, l.x)) continue;
      l.before = snapshot(l.x);
      push(out, [n, (encoder || new Encoder(this)).content(l.x)]);
    }
    return out;
  }

  liveFill(decoder, list) {
    for (const [n, content] of list) {
      const l = this.live.get(n);
      if (l === undefined) continue; // forgotten: each side has its own
      (decoder || new Decoder(this)).fill(l.x, content);
      l.before = snapshot(l.x);
    }
  }

  liveForget(below) {
    for (const [n, l] of this.live) if (n < below) { this.live.delete(n); this.liveIds.delete(l.x); }
  }

  isRemote(x) {
    return mapHas(this.remoteIds, x);
  }

  keeps() {
    return false;
  }

  stays() {
    return false;
  }

  export(x, kind, name) {
    const remote = mapGet(this.remoteIds, x);
    if (remote !== undefined) return { h: remote };
    let i = mapGet(this.ids, x);
    if (i === undefined) {
      i = this.exported.length;
      mapSet(this.ids, x, i);
      push(this.exported, x);
    }
    return { k: kind, id: i, name };
  }

  own(i) {
    if (!(i in this.exported)) throw new WireError('a number');
    return this.exported[i];
  }

  errorClass() {
    return null;
  }
}
