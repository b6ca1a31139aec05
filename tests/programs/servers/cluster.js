// node cluster.js PORT: two processes, as in node's own documentation of cluster.
const cluster = require('node:cluster');
const http = require('node:http');
if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
} else {
  http.createServer((request, answer) => answer.end(`pid ${process.pid}\n`)).listen(Number(process.argv[2]));
}
