// node server.js PORT
const http = require('node:http');
http.createServer((request, answer) => answer.end(`pid ${process.pid}\n`)).listen(Number(process.argv[2]));
