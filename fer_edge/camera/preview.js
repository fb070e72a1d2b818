// The preview page: what the camera reads comes as server-sent events, frames as motion JPEG.
// Documents are those of camera.schema.json. Everything is shown as text, never as markup.

'use strict';

const RETRY_MS = 3000;
const STALLED_MS = 3000; // without a frame
const RATE_OVER_MS = 2000;
const SPEAK_EVERY_MS = 3000;
const BAD = new Set(['stalled', 'lost', 'black', 'frozen', 'garbage', 'gave-up', 'output-failed']);

const at = (id) => document.getElementById(id);
const cards = new Map(); // a face's id to the elements of its card
let emotions = [];
let showsImages = false;
let arrivals = []; // [when in ms, frames read until then]
let lastFrame = 0;
let waiting = null; // the newest frame that is not drawn yet
let spoken = { text: '', at: -SPEAK_EVERY_MS };
let isOver = false;

// The token is in a cookie by now; it need not stay in the address, the history and screenshots.
history.replaceState(null, '', location.pathname);

function element(name, className, text = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function say(kind, text, hint = '') {
  if (at('state').textContent !== text) at('state').textContent = text; // it is read aloud
  at('state').dataset.kind = kind;
  at('hint').textContent = hint;
  at('hint').hidden = !hint;
}

const percent = (share) => (share === null ? '–' : `${Math.round(100 * share)}%`);
const milliseconds = (value) => (value === null ? '–' : value.toFixed(value < 9.95 ? 1 : 0));

// Connection

function connect() {
  const events = new EventSource('events');
  const listen = (name, take) => events.addEventListener(name, (event) => take(JSON.parse(event.data)));
  listen('hello', begin);
  listen('status', addToLog);
  listen('frame', (frame) => {
    if (!waiting) requestAnimationFrame(draw);
    waiting = frame;
  });
  listen('end', () => {
    events.close();
    isOver = true;
    say('over', 'Ended', 'The stream has ended. This page goes on when it begins again.');
    setTimeout(connect, RETRY_MS);
  });
  events.onerror = async () => {
    events.close();
    if (!isOver) say('over', 'No contact', await whyNot());
    setTimeout(connect, RETRY_MS);
  };
}

async function whyNot() {
  try {
    const { status } = await fetch('events', { method: 'HEAD' });
    if (status === 403) return 'Open the address with its token again, as fer-edge camera printed it.';
    if (status === 503) return 'Enough viewers are watching already. Close the page somewhere else.';
  } catch {
    // nobody answers
  }
  return 'The camera does not answer. This page goes on when it does.';
}

function begin(hello) {
  ({ emotions, images: showsImages } = hello);
  isOver = false;
  arrivals = [];
  lastFrame = performance.now();
  at('private').hidden = showsImages;
  at('picture').hidden = !showsImages;
  if (showsImages) at('picture').src = `stream.mjpg?${Date.now()}`; // begun anew, not gone on with
  at('boxes').replaceChildren();
  at('log').replaceChildren();
  at('quiet').hidden = false;
  cards.clear();
  at('faces').replaceChildren();
  say('wait', 'Connected', 'Waiting for the first frame…');
}

// Frames

function draw() {
  const frame = waiting;
  waiting = null;
  if (isOver) return;
  lastFrame = performance.now();
  say('live', 'Live');
  at('frame').style.setProperty('--shape', frame.width / frame.height);
  drawFaces(frame.faces);
  if (!showsImages) drawBoxes(frame);
  drawSpeed(frame);
  speak(frame.faces);
}

function drawFaces(faces) {
  at('nobody').hidden = faces.length > 0;
  at('count').textContent = faces.length > 1 ? faces.length : '';
  const ids = new Set(faces.map((face) => face.id));
  for (const [id, card] of cards) {
    if (!ids.has(id)) {
      card.item.remove();
      cards.delete(id);
    }
  }
  for (const face of faces) drawCard(cards.get(face.id) ?? addCard(face.id), face);
}

function addCard(id) {
  const card = {
    item: element('li', 'card'),
    emotion: element('strong', 'emotion'),
    percent: element('span', 'percent'),
    bars: emotions.map(makeBar),
  };
  const top = element('p', 'shown');
  top.append(element('span', 'number', `#${id}`), card.emotion, card.percent);
  const list = element('ul', 'bars');
  list.setAttribute('aria-label', `What face ${id} may show`);
  list.append(...card.bars.map((bar) => bar.row));
  card.item.append(top, list);
  at('faces').append(card.item);
  cards.set(id, card);
  return card;
}

function makeBar(emotion, index) {
  const bar = { row: element('li', ''), fill: element('span', ''), value: element('span', 'value') };
  const track = element('span', 'track');
  track.append(bar.fill);
  bar.row.style.setProperty('--colour', colour(index));
  bar.row.append(element('span', '', emotion), track, bar.value);
  return bar;
}

const colour = (index) => `var(--emotion-${index % 8})`;

function drawCard(card, face) {
  const label = emotions.indexOf(face.emotion);
  card.item.classList.toggle('unsure', face.unsure);
  card.item.style.setProperty('--colour', colour(label));
  card.emotion.textContent = face.unsure ? `unsure (${face.emotion}?)` : face.emotion;
  card.percent.textContent = percent(face.probabilities[face.emotion]);
  card.bars.forEach((bar, index) => {
    const share = face.probabilities[emotions[index]];
    bar.row.classList.toggle('leads', index === label);
    bar.fill.style.setProperty('--share', share ?? 0);
    bar.value.textContent = percent(share);
  });
}

function drawBoxes({ faces, width, height }) {
  const boxes = faces.map((face) => {
    const [x, y, w, h] = face.box;
    const box = element('div', face.unsure ? 'unsure' : '', `#${face.id} ${face.emotion}${face.unsure ? '?' : ''}`);
    Object.assign(box.style, {
      left: `${(100 * x) / width}%`,
      top: `${(100 * y) / height}%`,
      width: `${(100 * w) / width}%`,
      height: `${(100 * h) / height}%`,
    });
    box.style.setProperty('--colour', colour(emotions.indexOf(face.emotion)));
    return box;
  });
  at('boxes').replaceChildren(...boxes);
}

function drawSpeed(frame) {
  const { detect, classify, total } = frame.latency_ms;
  at('fps').textContent = framesPerSecond(frame.frame + 1 - frame.dropped) ?? '–';
  at('total').textContent = milliseconds(total);
  if (detect !== null) at('detect').textContent = milliseconds(detect); // not in every frame
  at('classify').textContent = milliseconds(classify);
  at('dropped').textContent = frame.dropped;
  at('size').textContent = `${frame.width} × ${frame.height}`;
}

// From the frames that were read, not from those that got here: a slow line does not change it.
function framesPerSecond(nRead) {
  const now = performance.now();
  if (arrivals.length && nRead < arrivals.at(-1)[1]) arrivals = [];
  arrivals.push([now, nRead]);
  while (now - arrivals[0][0] > RATE_OVER_MS) arrivals.shift();
  const [since, nBefore] = arrivals[0];
  return now - since > 500 ? ((1000 * (nRead - nBefore)) / (now - since)).toFixed(1) : null;
}

function speak(faces) {
  const words = ({ id, emotion, unsure }) => `face ${id}: ${unsure ? `unsure, perhaps ${emotion}` : emotion}`;
  const text = faces.map(words).join('; ') || 'nobody';
  if (text === spoken.text || performance.now() - spoken.at < SPEAK_EVERY_MS) return;
  spoken = { text, at: performance.now() };
  at('spoken').textContent = text;
}

// Statuses

function addToLog({ timestamp, event, message }) {
  const item = element('li', BAD.has(event) ? 'bad' : '');
  const when = new Date(timestamp);
  const time = element('time', '', when.toLocaleTimeString());
  time.dateTime = timestamp;
  item.append(element('b', '', event), time, element('p', '', message));
  at('quiet').hidden = true;
  at('log').prepend(item);
  while (at('log').children.length > 50) at('log').lastChild.remove();
}

setInterval(() => {
  if (!isOver && at('state').dataset.kind === 'live' && performance.now() - lastFrame > STALLED_MS) {
    say('wait', 'No new frames', 'No frame has come for three seconds.');
  }
}, 500);

at('picture').onerror = () => {
  at('picture').removeAttribute('src');
  setTimeout(() => {
    if (showsImages && !isOver) at('picture').src = `stream.mjpg?${Date.now()}`;
  }, RETRY_MS);
};

connect();
