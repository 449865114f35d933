// stdio: runs a JavaScript solution of a stdio task as the program it is. A source that is no JavaScript says so on descriptor 5, which
// is closed before any of it runs.
'use strict';
const fs = require('fs'), vm = require('vm'), Module = require('module');
const source = fs.readFileSync(4, 'utf8').replace(/^#!.*/, '');
fs.closeSync(4);

function refuse(x) {
  const text = x.name + ': ' + x.message;
  fs.writeSync(2, ('' + x.stack).split('\n    at ')[0] + '\n');
  fs.writeSync(5, Buffer.from(text).subarray(0, 1000));
  process.exit(1);
}

let module_form = false;
try {
  new vm.Script('(function (exports, require, module, __filename, __dirname) {' + source + '\n})', { filename: 'solution.js' });
} catch (x) {
  if (!/\bimport\b|\bexport\b|\bawait\b/.test(source)) refuse(x);
  if (vm.SourceTextModule) {
    try { new vm.SourceTextModule(source, { identifier: 'solution.mjs' }); module_form = true; } catch { refuse(x); }
  } else refuse(x);
}
fs.closeSync(5);

// there is no /proc behind the name of the standard input
for (const name of ['readFileSync', 'openSync', 'createReadStream', 'readFile']) {
  const real = fs[name];
  fs[name] = (path, ...rest) => (path !== '/dev/stdin' ? real(path, ...rest) : name === 'openSync' ? 0 : name === 'createReadStream' ? process.stdin : real(0, ...rest));
}

// what a program prints must be out, and counted, before it goes on
for (const stream of [process.stdout, process.stderr]) if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);

const path = process.cwd() + '/solution.js';
process.argv = [process.argv[0], path];
if (/__filename|\bargv\b/.test(source)) fs.writeFileSync(path, source); // for threads and children that run it again
if (module_form) load('data:text/javascript,' + encodeURIComponent(source));
else {
  const main = new Module('.', null);
  main.filename = path;
  main.paths = [];
  process.mainModule = main;
  main._compile(source, path);
}
