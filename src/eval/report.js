/* The list of items of a report: filters, order, traces. Text from a model is only ever put in as text. */
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = id => document.getElementById(id);
  const STEP = 50;
  let shown = STEP, hits = [];

  const el = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined && text !== null) e.textContent = text;
    return e;
  };
  const share = it => {
    const judged = it.samples.filter(s => s.verdict !== null);
    return judged.length ? judged.reduce((a, s) => a + s.verdict, 0) / judged.length : -1;
  };
  const mean = (it, key) => {
    const known = it.samples.filter(s => s[key] >= 0);
    return known.length ? known.reduce((a, s) => a + s[key], 0) / known.length : -1;
  };
  data.forEach((it, i) => {
    it.order = i;
    it.share = share(it);
    it.length = mean(it, 'tokens');
    it.hay = [it.id, it.problem, it.gold, ...it.samples.flatMap(s => [s.thinking, s.content, s.extracted, s.reason])].join('\n').toLowerCase();
  });

  const options = (select, values) => {
    for (const v of values) select.append(new Option(v, v));
    select.closest('label').hidden = values.length < 2;
  };
  const unique = list => [...new Set(list.filter(x => x !== null && x !== undefined && x !== ''))].sort();
  options($('task'), unique(data.map(it => it.task)));
  options($('category'), unique(data.map(it => it.category)));
  options($('reason'), unique(data.flatMap(it => it.samples.map(s => s.reason))));

  const RESULT = {
    right: it => it.share === 1, wrong: it => it.share === 0, mixed: it => it.share > 0 && it.share < 1,
    truncated: it => it.samples.some(s => s.finish === 'length'), 'no answer': it => it.samples.some(s => s.extracted === null && s.verdict !== null),
    'not judged': it => it.share < 0,
  };
  const ORDER = {
    'as asked': (a, b) => a.order - b.order, 'worst first': (a, b) => a.share - b.share || a.order - b.order, 'best first': (a, b) => b.share - a.share || a.order - b.order,
    'longest first': (a, b) => b.length - a.length || a.order - b.order, 'shortest first': (a, b) => a.length - b.length || a.order - b.order,
  };
  options($('result'), Object.keys(RESULT));
  for (const o of Object.keys(ORDER)) $('order').append(new Option(o, o));

  const marked = (parent, text, needle) => {
    if (!needle) { parent.append(text); return; }
    const low = text.toLowerCase();
    if (low.length !== text.length) { parent.append(text); return; }
    let at = 0;
    for (let i = low.indexOf(needle), n = 0; i >= 0 && n < 500; i = low.indexOf(needle, at), n++) {
      parent.append(text.slice(at, i), el('mark', '', text.slice(i, i + needle.length)));
      at = i + needle.length;
    }
    parent.append(text.slice(at));
  };
  const block = (parent, title, text, cls, needle) => {
    if (!text) return;
    parent.append(el('div', 'facts', title));
    const pre = el('pre', cls);
    marked(pre, text, needle);
    parent.append(pre);
  };
  const fact = (parent, name, value) => {
    if (value === null || value === undefined || value === '' || value < 0) return;
    if (parent.childNodes.length) parent.append(' · ');
    parent.append(name + ' ', el('b', '', value));
  };

  const fill = (inside, it, needle) => {
    block(inside, 'problem', it.problem, '', needle);
    const facts = el('p', 'facts');
    fact(facts, 'gold', it.gold);
    fact(facts, 'category', it.category);
    inside.append(facts);
    it.samples.forEach(s => {
      const box = el('div', 'sample ' + (s.verdict === 1 ? 'right' : s.verdict === 0 ? 'wrong' : ''));
      const line = el('p', 'facts');
      line.append(el('b', s.verdict === 1 ? 'ok' : s.verdict === 0 ? 'no' : 'none', s.verdict === 1 ? 'right' : s.verdict === 0 ? 'wrong' : s.error ? 'failed' : 'not judged'));
      fact(line, 'sample', String(s.sample));
      fact(line, 'answer', s.extracted === null ? '(none)' : s.extracted.length > 200 ? s.extracted.slice(0, 200) + '…' : s.extracted);
      fact(line, 'reason', s.reason);
      fact(line, 'tokens', s.tokens);
      fact(line, 'thinking', s.thinking_tokens);
      fact(line, 'finish', s.finish);
      fact(line, 'seconds', s.seconds >= 0 ? s.seconds.toFixed(1) : null);
      fact(line, 'seed', s.seed);
      box.append(line);
      block(box, 'error', s.error, '', needle);
      block(box, 'thinking', s.thinking, 'thought', needle);
      block(box, 'answer', s.content, '', needle);
      inside.append(box);
    });
  };

  const item = (it, needle) => {
    const d = el('details', 'item'), head = el('summary');
    head.append(el('span', 'id', it.task + ' ' + it.id));
    head.append(el('span', 'text', (it.problem || it.gold || '').replace(/\s+/g, ' ').slice(0, 300)));
    const marks = el('span', 'marks');
    for (const s of it.samples.slice(0, 64)) marks.append(el('span', s.verdict === 1 ? 'ok' : s.verdict === 0 ? 'no' : 'none', s.verdict === 1 ? '✓' : s.verdict === 0 ? '✗' : '–'));
    head.append(marks, el('span', 'soft', it.length >= 0 ? Math.round(it.length) + ' tok' : ''));
    d.append(head);
    d.addEventListener('toggle', () => {
      if (!d.open || d.childNodes.length > 1) return;
      const inside = el('div', 'inside');
      fill(inside, it, needle);
      d.append(inside);
    });
    return d;
  };

  const paint = from => {
    const list = $('items'), needle = $('search').value.trim().toLowerCase();
    if (from === 0) list.replaceChildren();
    for (const it of hits.slice(from, shown)) list.append(item(it, needle));
    $('more').hidden = shown >= hits.length;
    $('count').textContent = hits.length + ' of ' + data.length + ' items';
  };
  const names = ['task', 'result', 'category', 'reason', 'order', 'search'];
  const update = () => {
    const task = $('task').value, result = $('result').value, category = $('category').value, reason = $('reason').value, needle = $('search').value.trim().toLowerCase();
    hits = data.filter(it => (!task || it.task === task) && (!result || RESULT[result](it)) && (!category || it.category === category) &&
      (!reason || it.samples.some(s => s.reason === reason)) && (!needle || it.hay.includes(needle)));
    hits.sort(ORDER[$('order').value] || ORDER['as asked']);
    shown = STEP;
    paint(0);
    const hash = new URLSearchParams(names.filter(n => $(n).value && !(n === 'order' && $(n).value === 'as asked')).map(n => [n, $(n).value])).toString();
    try { history.replaceState(null, '', hash ? '#' + hash : location.pathname + location.search); } catch (e) { /* a page without an address */ }
  };
  const fromHash = () => {
    const p = new URLSearchParams(location.hash.slice(1));
    for (const n of names) if (p.has(n)) $(n).value = p.get(n);
    if (!$('order').value) $('order').value = 'as asked';
  };
  let wait;
  $('search').addEventListener('input', () => { clearTimeout(wait); wait = setTimeout(update, 150); });
  for (const n of names.slice(0, 5)) $(n).addEventListener('change', update);
  $('clear').addEventListener('click', () => { for (const n of names) $(n).value = n === 'order' ? 'as asked' : ''; update(); });
  $('more').addEventListener('click', () => { const from = shown; shown += STEP; paint(from); });
  $('list').hidden = false;
  fromHash();
  update();
})();
