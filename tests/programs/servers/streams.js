// node streams.js [--http PORT] [--tls PORT] [--grpc PORT] [--certificate DIRECTORY] [--goodbye]
//
// Answers that take their time, as node, npm's ws and npm's @grpc/grpc-js make them. Nothing here knows of reloads; only
// with --goodbye does SIGTERM end it in peace: GOAWAY, close frames, the last answers.
//
//	/fast              at once
//	/slow?ms=N         after N ms
//	/poll?ms=N         the header at once, the body after N ms
//	/drip?ms=N         half of the body, and the other one after N ms
//	/events?ms=N       three events, with N ms between them
//	/echo              what was sent
//	/ws                a WebSocket that echoes
//	/graced.Work/Slow, /graced.Work/Stream   by gRPC: one answer after N ms; three with N ms between them
const fs = require('node:fs'), http = require('node:http'), http2 = require('node:http2'), path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { values: options } = require('node:util').parseArgs({
  options: { http: { type: 'string' }, tls: { type: 'string' }, grpc: { type: 'string' }, certificate: { type: 'string' }, goodbye: { type: 'boolean' } },
});
const { WebSocketServer } = require('ws');
const me = `pid ${process.pid}\n`;

// A proxy may say whose answer this is to be.
const who = (request) => (request.headers['x-who'] ? `${request.headers['x-who']}\n` : me);

async function handle(request, answer) {
  const url = new URL(request.url, 'http://x'), ms = Number(url.searchParams.get('ms'));
  answer.on('error', () => {});
  switch (url.pathname) {
    case '/slow':
      await pause(ms);
      return answer.end(who(request));
    case '/poll':
      answer.flushHeaders();
      await pause(ms);
      return answer.end(who(request));
    case '/drip':
      answer.writeHead(200, { 'content-length': 10 });
      answer.write('01234');
      await pause(ms);
      return answer.end('56789');
    case '/events':
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let i = 0; i < 3; i++) {
        if (i) await pause(ms);
        answer.write(`data: ${i}\n\n`);
      }
      return answer.end();
    case '/echo': {
      let text = '';
      for await (const part of request) text += part;
      return answer.end(text);
    }
    default:
      answer.end(who(request));
  }
}

const sockets = new WebSocketServer({ noServer: true });
sockets.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data));
  socket.on('error', () => {});
});

function serve(server, port) {
  server.keepAliveTimeout = 60000;  // longer than any pause of the clients, however slow the machine
  server.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit('connection', ws, request)));
  server.on('request', (request, answer) => handle(request, answer).catch(() => answer.destroy()));  // its client has left
  server.listen(Number(port), '127.0.0.1');
}

const sessions = new Set();
const servers = [];
let callees;
if (options.http) {
  servers.push(http.createServer());
  serve(servers.at(-1), options.http);
}
if (options.tls) {
  const read = (name) => fs.readFileSync(path.join(options.certificate, name));
  servers.push(http2.createSecureServer({ key: read('key.pem'), cert: read('cert.pem'), allowHTTP1: true }));
  servers.at(-1).on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  serve(servers.at(-1), options.tls);
}
if (options.grpc) {
  const grpc = require('@grpc/grpc-js');
  const same = (bytes) => bytes;
  const method = (name, responseStream) => ({
    path: `/graced.Work/${name}`, requestStream: false, responseStream,
    requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
  });
  callees = new grpc.Server();
  callees.addService({ slow: method('Slow', false), stream: method('Stream', true) }, {
    async slow(call, done) {
      call.sendMetadata(new grpc.Metadata());
      await pause(Number(call.request));
      done(null, Buffer.from(me));
    },
    async stream(call) {
      for (let i = 0; i < 3; i++) {
        if (i) await pause(Number(call.request));
        call.write(Buffer.from(me));
      }
      call.end();
    },
  });
  callees.bindAsync(`127.0.0.1:${options.grpc}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
  });
}

if (options.goodbye)
  process.once('SIGTERM', () => {
    for (const server of servers) server.close();
    callees?.tryShutdown(() => {});
    for (const session of sessions) session.close();
    for (const socket of sockets.clients) socket.close(1001);
  });
