// One server in HTTP/1.1, in HTTP/2 without TLS, or with it: `protocols.js h1|h2c|h2 [CERT KEY]`.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const http2 = require('http2');

function bytes(n) {
  const all = Buffer.alloc(n);
  for (let i = 0; i < n; i++) all[i] = i ^ (i >> 8) ^ (i >> 15);
  return all;
}

function cut(res) {
  if (res.stream) res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  else res.socket.destroy();
}

function answer(req, res) {
  const at = new URL(req.url, 'http://a');
  res.on('close', () => { if (!res.writableEnded) console.log('gone ' + at.pathname); });
  switch (at.pathname) {
    case '/large':
      return res.end(bytes(3 << 20));
    case '/sized':
      res.setHeader('Content-Length', '5');
      return res.end('sized');
    case '/trailers':
      res.setHeader('Trailer', 'X-After');
      res.write('body');
      res.addTrailers({ 'X-After': 'all' });
      return res.end();
    case '/hints':
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      return res.end('hinted');
    case '/nothing':
      res.statusCode = 204;
      return res.end();
    case '/unchanged':
      res.statusCode = 304;
      res.setHeader('ETag', '"a"');
      return res.end();
    case '/early':
      res.statusCode = 413;
      return res.end('too much');
    case '/cut':
      res.write('half of ');
      return setTimeout(() => cut(res), 50);
    case '/reset':
      return cut(res);
    case '/never':
      console.log('begun ' + at.pathname);
      return undefined;
    default: {
      const hash = crypto.createHash('sha256');
      let length = 0;
      req.on('data', (piece) => { hash.update(piece); length += piece.length; });
      req.on('end', () => {
        const host = req.headers[':authority'] || req.headers.host;
        const lines = [
          req.httpVersion, req.method, req.url, host, req.headers.cookie, req.headers['x-mine'], req.headers.te,
          length, hash.digest('hex'), JSON.stringify(req.trailers), req.headers['grpc-timeout'] || '-',
        ];
        res.end(lines.join('\n') + '\n');
      });
    }
  }
}

const [kind, cert, key] = process.argv.slice(2);
const make = {
  h1: () => http.createServer(answer),
  h2c: () => http2.createServer(answer),
  h2: () => http2.createSecureServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, answer),
};
const server = make[kind]();
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
