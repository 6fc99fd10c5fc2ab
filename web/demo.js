// A chat with one of two llama-servers, or with both side by side. What there is to compare is in
// config.json, which `kvsplit demo` writes: {version, model, context, threads, servers: [{name, port,
// cache: {k_bytes, v_bytes, fp16_bytes, unpacked, tensors: [{layer, side, bytes, numbers}]}}]}.
//
// A link may bring a prompt, which is then sent: #prompt=Tell+me&tokens=64&mode=both (or 0, 1).

const $ = (id) => document.getElementById(id);
const whole = (number) => Math.round(number).toLocaleString('en');
const fresh = (template) => $(template).content.firstElementChild.cloneNode(true);

/** @type {{name: string, url: string, cache: object, card: Element}[]} */
let servers = [];
let config;
let turns = [];  // {prompt, answers: [two of {text, done, failed, node} or nothing], node}
let running = null;  // the AbortController of what is being answered

// Talking to the servers

class Failure extends Error {}  // of a server, or that there is none: one line for people

async function request(url, options = {}) {
  const key = sessionStorage.getItem('kvsplit-key');
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(url, { ...options, headers, cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure('no answer; is kvsplit demo still running?');
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const failure = new Failure(body.error?.message ?? `HTTP status ${response.status}`);
  failure.status = response.status;
  throw failure;
}

/** The JSON objects of a stream of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const data = line.match(/^(?:data|error): (\{.*)/);
      if (data) yield JSON.parse(data[1]);
    }
  }
}

/** What a server has been asked and has answered in this chat, and the new prompt. */
function messagesFor(index, prompt) {
  const messages = [{ role: 'user', content: prompt }];
  for (const turn of turns.toReversed()) {
    const { text, failed } = turn.answers[index] ?? {};
    if (!text || failed) continue;
    messages.unshift({ role: 'user', content: turn.prompt }, { role: 'assistant', content: text });
  }
  return messages;
}

async function stream(index, turn, messages, signal) {
  const answer = turn.answers[index];
  const response = await request(`${servers[index].url}/v1/chat/completions`, {
    method: 'POST',
    signal,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      messages,
      stream: true,
      temperature: $('temperature').valueAsNumber,
      max_tokens: $('tokens').valueAsNumber,
      cache_prompt: messages.length > 1,  // a chat's first prompt is read anew, and measured
      timings_per_token: true,
      return_progress: true,
    }),
  });
  let timings;
  for await (const event of events(response.body)) {
    if (event.error) throw new Failure(event.error.message ?? 'failed while answering');
    const delta = event.choices?.[0]?.delta ?? {};
    answer.text += (delta.reasoning_content ?? '') + (delta.content ?? '');
    timings = event.timings ?? timings;
    if (event.prompt_progress && !answer.text) showReading(answer, event.prompt_progress);
    if (timings) showTimings(index, answer, timings);
    showTexts(turn);
  }
}

async function answer(index, turn, messages, signal) {
  const its = turn.answers[index];
  try {
    await stream(index, turn, messages, signal);
  } catch (error) {
    its.stopped = signal.aborted;
    its.failed = !its.stopped;
    if (its.failed) showFailure(index, its, error);
  }
  its.done = true;
  its.node.removeAttribute('aria-busy');
  showTexts(turn);
}

// A turn: one prompt, one answer or two

async function ask(prompt) {
  const mode = document.querySelector('[name=mode]:checked').value;
  const asked = mode === 'both' ? [0, 1] : [Number(mode)];
  const messages = asked.map((index) => messagesFor(index, prompt));
  const turn = newTurn(prompt, asked);
  turns.push(turn);
  running = new AbortController();
  setRunning(true);
  $('notice').textContent = '';
  $('status').textContent = `${asked.map((index) => servers[index].name).join(' and ')}: answering …`;
  const jobs = asked.map((index, i) => () => answer(index, turn, messages[i], running.signal));
  if ($('in-turn').checked) for (const job of jobs) await job();
  else await Promise.all(jobs.map((job) => job()));
  finish(turn, asked);
}

function finish(turn, asked) {
  const verdict = verdictOn(turn);
  const ends = asked.map((index) => {
    const { failed, stopped } = turn.answers[index];
    return `${servers[index].name} ${failed ? 'failed' : stopped ? 'was stopped' : 'is done'}.`;
  });
  $('status').textContent = [...ends, verdict].join(' ').trim();
  const line = turn.node.querySelector('.verdict');
  line.textContent = verdict;
  line.hidden = !verdict;
  running = null;
  setRunning(false);
}

/** Where two texts part: at the beginning of the first word that differs. -1: not known to. */
function partingPoint(a, b) {
  const shorter = Math.min(a.text.length, b.text.length);
  let at = 0;
  while (at < shorter && a.text[at] === b.text[at]) ++at;
  const goesOn = (answer) => at === answer.text.length && !answer.done;
  if (a.text === b.text || goesOn(a) || goesOn(b)) return -1;
  return a.text.slice(0, at).search(/\S*$/);
}

function verdictOn(turn) {
  const [a, b] = turn.answers;
  if (!a || !b || a.failed || b.failed || a.stopped || b.stopped) return '';
  const at = partingPoint(a, b);
  const words = (a.text.slice(0, at < 0 ? undefined : at).match(/\S+/g) ?? []).length;
  if (at < 0) return `Both answers are the same, ${whole(words)} words.`;
  if (words === 0) return 'The answers differ from the first word on.';
  return `The answers part after ${whole(words)} ${words === 1 ? 'word' : 'words'}.`;
}

// What is on screen

function newTurn(prompt, asked) {
  const turn = { prompt, answers: [], node: fresh('turn') };
  turn.node.querySelector('.prompt').textContent = prompt;
  for (const index of asked) {
    const node = fresh('answer');
    node.classList.add(`server-${index}`);
    node.querySelector('h4').textContent = servers[index].name;
    turn.node.querySelector('.answers').append(node);
    turn.answers[index] = { text: '', done: false, failed: false, stopped: false, node };
  }
  $('turns').append(turn.node);
  turn.node.scrollIntoView({ block: 'nearest' });
  return turn;
}

function showTexts(turn) {
  const [a, b] = turn.answers;
  const at = a && b && !a.failed && !b.failed ? partingPoint(a, b) : -1;
  for (const { text, node } of turn.answers.filter(Boolean)) {
    node.querySelector('.same').textContent = at < 0 ? text : text.slice(0, at);
    node.querySelector('.rest').textContent = at < 0 ? '' : text.slice(at);
    node.querySelector('mark').hidden = at < 0;
  }
}

function showReading(answer, progress) {
  answer.node.querySelector('.facts').textContent =
    `Reading the prompt, ${whole(progress.processed)} of ${whole(progress.total)} tokens.`;
}

function showTimings(index, answer, timings) {
  const { cache_n: known, prompt_n: read, predicted_n: written } = timings;
  const speed = (perSecond, n) => `${perSecond.toFixed(1)} tokens/s (of ${whole(n)})`;
  const place = (name) => servers[index].card.querySelector(`[data-of=${name}]`);
  if (read > 15) place('prompt').textContent = speed(timings.prompt_per_second, read);  // fewer tell nothing
  if (written > 1) place('decode').textContent = speed(timings.predicted_per_second, written);
  showUse(servers[index], known + read + written);
  answer.node.querySelector('.facts').textContent = `${whole(written)} tokens` +
    (written > 1 ? `, ${timings.predicted_per_second.toFixed(1)} a second` : '');
}

function showFailure(index, answer, error) {
  $('notice').textContent = `${servers[index].name}: ${error.message}`;
  answer.node.querySelector('.facts').textContent = 'This server failed.';
  if (error.status === 401) askForKey();
}

const mebibytes = (bytes) =>
  `${(bytes / 2 ** 20).toLocaleString('en', { maximumSignificantDigits: bytes < 1e9 ? 3 : 5 })} MiB`;
const allocated = (cache) => cache.k_bytes + cache.v_bytes;

function showUse(server, tokens) {
  const { card, cache } = server;
  const part = Math.min(1, tokens / config.context);
  const bytes = allocated(cache);
  const used = `${mebibytes(bytes * part)}, ${whole(tokens)} of ${whole(config.context)} tokens`;
  card.querySelector('[data-of=used]').textContent = used;
  card.querySelector('.allocated').style.width = `${100 * bytes / cache.fp16_bytes}%`;
  card.querySelector('.used').style.width = `${100 * bytes * part / cache.fp16_bytes}%`;
  card.querySelector('.bar').setAttribute('aria-label',
    `${server.name} has ${mebibytes(bytes)} allocated of the ${mebibytes(cache.fp16_bytes)} that 16 bits take; ` +
    `in use: ${used}`);
}

function newCard(server, index) {
  const { cache } = server;
  const card = fresh('cache');
  card.classList.add(`server-${index}`);
  card.querySelector('h3').textContent = server.name;
  const times = cache.fp16_bytes / allocated(cache);
  card.querySelector('[data-of=allocated]').textContent = mebibytes(allocated(cache));
  card.querySelector('[data-of=fp16]').textContent =
    mebibytes(cache.fp16_bytes) + (times > 1.01 ? `, ${times.toFixed(1)} times as much` : '');
  showLayers(card, cache);
  return card;
}

/** Bits that a number takes in all, for keys and values of each layer. */
function showLayers(card, cache) {
  const layers = new Map();
  for (const { layer, side, bytes, numbers } of cache.tensors ?? []) {
    const its = layers.get(layer) ?? layers.set(layer, { k: 0, v: 0, bytes: 0 }).get(layer);
    its[side] = 8 * bytes / numbers;
    its.bytes += bytes;
  }
  const alike = new Set([...layers.values()].map(({ k, v }) => `${k.toFixed(2)} ${v.toFixed(2)}`));
  const [first] = layers.values();
  const most = Math.max(8, ...[...layers.values()].flatMap(({ k, v }) => [k, v]));
  card.querySelector('summary').textContent = alike.size === 1
    ? `All ${layers.size} layers: keys ${first.k.toFixed(2)} bits, values ${first.v.toFixed(2)}`
    : `${layers.size} layers, planned one by one`;
  if (cache.unpacked > 0) card.querySelector('summary').append(`; ${cache.unpacked} tensors left in 16 bits`);
  for (const [layer, { k, v, bytes }] of [...layers].sort(([a], [b]) => a - b)) {
    const row = card.querySelector('tbody').insertRow();
    for (const text of [layer, k.toFixed(2), v.toFixed(2), mebibytes(bytes)]) row.insertCell().textContent = text;
    const column = card.querySelector('.layers').appendChild(document.createElement('span'));
    for (const bits of [k, v]) column.appendChild(document.createElement('i')).style.height = `${bits / most * 100}%`;
  }
}

// The form, and the beginning

function setRunning(is) {
  $('send').disabled = $('new').disabled = is;
  $('stop').disabled = !is;
}

function askForKey() {
  $('unlock').hidden = false;
  $('key').focus();
}

function openLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  const prompt = link.get('prompt');
  if (!prompt || running) return;
  if (link.get('tokens') > 0) $('tokens').value = link.get('tokens');
  const mode = document.querySelector(`[name=mode][value="${CSS.escape(link.get('mode') ?? 'both')}"]`);
  if (mode) mode.checked = true;
  ask(prompt);
}

function begin() {
  servers = config.servers.map((server) => ({
    ...server, url: `${location.protocol}//${location.hostname}:${server.port}`,
  }));
  servers.forEach((server, index) => {
    server.card = newCard(server, index);
    document.querySelector(`.name-${index}`).textContent = server.name;
    showUse(server, 0);
  });
  $('caches').replaceChildren(...servers.map(({ card }) => card));
  const names = servers.map(({ name }) => name).join(' and ');
  document.title = `${names}, ${config.model}`;
  $('about').textContent = `${config.model} with a cache of ${names}, each for ${whole(config.context)} tokens, ` +
    `on ${config.threads} ${config.threads === 1 ? 'thread' : 'threads'} each.`;
  $('version').textContent = `kvsplit ${config.version}`;
  document.querySelector('main').hidden = false;
  openLink();
}

/** Waits for config.json, which is there once both servers are ready. */
async function load() {
  for (;;) {
    try {
      config = await (await request('config.json')).json();
      $('unlock').hidden = true;
      $('notice').textContent = '';
      return begin();
    } catch (error) {
      if (error.status === 401) {
        if (sessionStorage.getItem('kvsplit-key')) $('notice').textContent = 'This is not their key.';
        return askForKey();
      }
      if (error.status !== 503 && error.status !== 404) {
        $('notice').textContent = `The first server: ${error.message}`;
      }
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
    }
  }
}

$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  if (running) return;
  ask($('prompt').value);
  $('prompt').value = '';
});
$('prompt').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('ask').requestSubmit();
});
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') running?.abort(); });
$('stop').addEventListener('click', () => { running?.abort(); $('prompt').focus(); });
$('new').addEventListener('click', () => {
  turns = [];
  $('turns').replaceChildren();
  $('status').textContent = 'A new chat.';
  servers.forEach((server) => showUse(server, 0));
  $('prompt').focus();
});
$('unlock').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('kvsplit-key', $('key').value);
  if (config) { $('unlock').hidden = true; $('notice').textContent = ''; } else load();
});
addEventListener('hashchange', openLink);
load();
