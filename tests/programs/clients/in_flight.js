// node in_flight.js --http PORT [--tls PORT --ca FILE] [--grpc http://HOST:PORT | https://HOST:PORT] [--each N] [--long MS] KIND…
//
// Work that takes its time, N of each kind at once. "start BATCH" on stdin begins some; when all of it is in flight a line
// {"in_flight": BATCH} says so. WebSockets and kept connections stay until "release BATCH". At the end comes
// {"ended": BATCH, "whole": {KIND: N}, "cut": {KIND: {REASON: N}}}. Nothing is ever asked a second time.
const fs = require('node:fs'), http = require('node:http'), http2 = require('node:http2'), https = require('node:https'), net = require('node:net');
const { once } = require('node:events');
const { setTimeout: pause } = require('node:timers/promises');
const { values: options, positionals: kinds } = require('node:util').parseArgs({
  allowPositionals: true,
  options: { http: { type: 'string' }, tls: { type: 'string' }, ca: { type: 'string' }, grpc: { type: 'string' }, each: { type: 'string', default: '6' },
    long: { type: 'string', default: '5000' } },
});
const grpc = require('@grpc/grpc-js'), WebSocket = require('ws');
const ca = options.ca && fs.readFileSync(options.ca);
const LONG = Number(options.long), BETWEEN = LONG / 2;  // ms: how long an answer takes; the pause of what has several parts

// What a kind is given: begun() when it is in flight, and released, which is kept when the batch is released.

function check(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

// A request of HTTP/1.1; the answer's text, once it is whole. sent() when it was sent, heard() when the answer begins.
function ask(secure, path, { sent = () => {}, heard = () => {}, version, method = 'GET', headers, send } = {}) {
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxVersion: version, ca });
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request({ host: '127.0.0.1', port: secure ? options.tls : options.http, path, agent, method, headers });
    request.on('error', reject);
    request.on('response', (answer) => {
      let text = '';
      heard();
      answer.setEncoding('utf8');
      answer.on('data', (part) => (text += part));
      answer.on('error', reject);
      answer.on('end', () => (answer.complete ? resolve(text) : reject(new Error('incomplete'))));
    });
    if (send) return send(request);
    request.end();
    // node keeps it until there is a connection, with its keys.
    request.on('socket', (socket) => socket.once(secure ? 'secureConnect' : 'connect', sent));
  }).finally(() => agent.destroy());
}

const named = (text) => check(/^pid \d+( generation \d+)?\n$/.test(text), `answer ${JSON.stringify(text)}`);

// Each of them resolves when all was as it should be.
const work = {
  plain: async ({ begun }) => named(await ask(false, `/slow?ms=${LONG}`, { sent: begun })),
  tls12: async ({ begun }) => named(await ask(true, `/slow?ms=${LONG}`, { sent: begun, version: 'TLSv1.2' })),
  tls13: async ({ begun }) => named(await ask(true, `/slow?ms=${LONG}`, { sent: begun, version: 'TLSv1.3' })),
  poll: async ({ begun }) => named(await ask(true, `/poll?ms=${LONG}`, { heard: begun })),
  drip: async ({ begun }) => check((await ask(false, `/drip?ms=${LONG}`, { heard: begun })) === '0123456789', 'body'),
  drip_tls: async ({ begun }) => check((await ask(true, `/drip?ms=${LONG}`, { heard: begun })) === '0123456789', 'body'),

  async events({ begun }) {
    check((await ask(false, `/events?ms=${BETWEEN}`, { heard: begun })) === 'data: 0\n\ndata: 1\n\ndata: 2\n\n', 'events');
  },
  async events_tls({ begun }) {
    check((await ask(true, `/events?ms=${BETWEEN}`, { heard: begun })) === 'data: 0\n\ndata: 1\n\ndata: 2\n\n', 'events');
  },

  // The server has the last word, "100 Continue", and it is the client that takes its time.
  async upload({ begun }) {
    const send = (request) => {
      request.once('continue', async () => {
        begun();
        await pause(BETWEEN);
        request.write('abc');
        await pause(BETWEEN);
        request.end('def');
      });
      request.flushHeaders();
    };
    check((await ask(false, '/echo', { method: 'POST', headers: { 'content-length': 6, expect: '100-continue' }, send })) === 'abcdef', 'echo');
  },

  // One slow answer and two behind it, asked for in one packet.
  async pipelined({ begun }) {
    const socket = net.connect(options.http, '127.0.0.1');
    const question = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    socket.write(question(`/slow?ms=${LONG}`) + question('/fast') + question('/fast', 'Connection: close\r\n'));
    socket.once('connect', begun);
    let text = '';
    for await (const part of socket) text += part;
    const answers = text.match(/pid \d+( generation \d+)?\n/g) || [];
    check(answers.length === 3, `${answers.length} of 3 answers`);
  },

  // One connection, asked again and again with pauses.
  async kept({ begun, released }) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const connections = new Set();
    const again = async () => {
      const request = http.get({ host: '127.0.0.1', port: options.http, path: '/fast', agent });
      const [answer] = await once(request, 'response');
      connections.add(request.socket.localPort);
      answer.resume();
      await once(answer, 'end');
      check(answer.complete, 'incomplete');
    };
    try {
      await again();
      begun();
      await pause(BETWEEN);
      await again();
      await released;
      await pause(BETWEEN);
      await again();
      check(connections.size === 1, 'connection closed');
    } finally {
      agent.destroy();
    }
  },

  // A slow answer, and fast ones beside it.
  async h2({ begun, released }) {
    const session = http2.connect(`https://127.0.0.1:${options.tls}`, { ca });
    const failed = new Promise((_, reject) => {
      session.on('error', reject);
      session.on('goaway', () => reject(new Error('GOAWAY')));
    });
    failed.catch(() => {});
    const get = async (path) => {
      const stream = session.request({ ':path': path });
      let text = '';
      for await (const part of stream) text += part;
      named(text);
    };
    try {
      await once(session, 'connect');
      const slow = get(`/slow?ms=${LONG}`);
      const fast = async () => {
        await get('/fast');
        begun();
        await pause(BETWEEN);
        await get('/fast');
        await released;
        await get('/fast');
      };
      await Promise.race([Promise.all([slow, fast()]), failed]);
    } finally {
      session.destroy();
    }
  },

  // Two whose server says goodbye. Of an h2 connection that is GOAWAY, and what was asked before it is still answered.
  async goodbye_h2({ begun }) {
    const session = http2.connect(`https://127.0.0.1:${options.tls}`, { ca });
    const told = new Promise((resolve, reject) => {
      session.on('goaway', resolve);
      session.on('error', reject);
      session.on('close', () => reject(new Error('no GOAWAY')));
    });
    told.catch(() => {});
    try {
      await once(session, 'connect');
      const stream = session.request({ ':path': '/echo', ':method': 'POST' });
      stream.setEncoding('utf8');
      stream.write('abc');
      for await (const _ of session.request({ ':path': '/fast' })); // answered, so the one before it is there too
      begun();
      await told;
      stream.end('def');
      let text = '';
      for await (const part of stream) text += part;
      check(text === 'abcdef', 'echo');
    } finally {
      session.destroy();
    }
  },
  async goodbye_ws({ begun }) {
    const socket = new WebSocket(`wss://127.0.0.1:${options.tls}/ws`, { ca });
    await once(socket, 'open');
    begun();
    const [code] = await once(socket, 'close');
    check(code === 1001, `closed ${code}`);
  },

  ws: (batch) => talk(`ws://127.0.0.1:${options.http}/ws`, batch),
  wss: (batch) => talk(`wss://127.0.0.1:${options.tls}/ws`, batch),

  grpc: (batch) => call(batch, (client, done) => client.makeUnaryRequest('/graced.Work/Slow', same, same, Buffer.from(`${LONG}`), done), 1),
  grpc_stream: (batch) => call(batch, (client) => client.makeServerStreamRequest('/graced.Work/Stream', same, same, Buffer.from(`${BETWEEN}`)), 3),
};

// A WebSocket with a message now and then.
async function talk(url, { begun, released }) {
  const socket = new WebSocket(url, { ca });
  const failed = new Promise((_, reject) => {
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed ${code}`)));
  });
  failed.catch(() => {});
  const echo = async (text) => {
    socket.send(text);
    const [data] = await Promise.race([once(socket, 'message'), failed]);
    check(data.toString() === text, 'echo');
  };
  try {
    await Promise.race([once(socket, 'open'), failed]);
    await echo('a');
    begun();
    await pause(BETWEEN);
    await echo('b');
    await released;
    await pause(BETWEEN);
    await echo('c');  // some servers end without a close frame: that is theirs to decide
  } finally {
    socket.terminate();
  }
}

const same = (bytes) => bytes;

// A call of gRPC, on a connection of its own and never tried again. It is in flight when the server has said something.
function call({ begun }, start, expected) {
  const url = new URL(options.grpc);
  const credentials = url.protocol === 'https:' ? grpc.credentials.createSsl(ca) : grpc.credentials.createInsecure();
  const client = new grpc.Client(url.host, credentials, { 'grpc.enable_retries': 0, 'grpc.use_local_subchannel_pool': 1 });
  let heard = 0;
  return new Promise((resolve, reject) => {
    const running = start(client, (_, answer) => (heard += answer ? 1 : 0));
    running.on('metadata', begun);
    running.on('data', () => heard++);
    running.on('error', () => {});  // is told as the status
    running.on('status', (status) => {
      if (status.code !== 0) reject(new Error(`status ${status.code} ${status.details}`));
      setImmediate(resolve);  // the answer to a single request comes after it
    });
  }).then(() => check(heard === expected, `${heard} of ${expected} messages`)).finally(() => client.close());
}

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const releases = new Map();

async function start(batch) {
  const whole = {}, cut = {}, begins = [], ends = [];
  const released = new Promise((resolve) => releases.set(batch, resolve));
  for (const kind of kinds) {
    whole[kind] = 0;
    for (let i = 0; i < Number(options.each); i++) {
      let begun;
      const began = new Promise((resolve) => (begun = resolve));
      const end = work[kind]({ begun, released }).then(
        () => whole[kind]++,
        (error) => {
          const why = error.code && typeof error.code === 'string' ? error.code : error.message;
          cut[kind] = { ...cut[kind], [why]: (cut[kind]?.[why] || 0) + 1 };
        });
      begins.push(Promise.race([began, end]));
      ends.push(end);
    }
  }
  await Promise.all(begins);
  say({ in_flight: batch });
  await Promise.all(ends);
  say({ ended: batch, whole, cut });
}

require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, batch] = line.split(' ');
  if (word === 'start') start(Number(batch));
  else releases.get(Number(batch))();
}).on('close', () => process.exit());
