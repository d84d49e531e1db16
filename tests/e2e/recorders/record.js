// A backend on Node's http module that writes down every request it sees.
//
// First a line with its port; then one for each request: method, target,
// whether all of it came, and its body (see ../src/recorder.rs). The answer is
// the target.

const { createServer } = require("node:http");

const hex = (byte) => "\\x" + byte.toString(16).padStart(2, "0").toUpperCase();

const escaped = (data) =>
  Array.from(data, (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : hex(byte),
  ).join("") || "-";

const record = (method, target, state, body = Buffer.alloc(0)) =>
  console.log(method, escaped(Buffer.from(target, "latin1")), state, escaped(body));

const serve = (request, response) => {
  const { method, url } = request;
  if (url === "/early") {
    record(method, url, "early");
    response.end(url);
    request.resume();
    return;
  }
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    record(method, url, "whole", Buffer.concat(pieces));
    response.end(url);
  });
  request.on("close", () => {
    if (!request.complete) record(method, url, "cut");
  });
};

const server = createServer(serve);
server.keepAliveTimeout = 60_000;
// The other backends take no offence at an expectation they do not know.
server.on("checkExpectation", serve);
server.on("clientError", (error, socket) => {
  // The end of a connection within a request is recorded there.
  const isCut = error.code === "HPE_INVALID_EOF_STATE" || error.code === "ECONNRESET";
  // The parser itself has found fault with a request.
  if (!isCut) record("-", "-", "cut");
  socket.destroy();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
