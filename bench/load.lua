-- The load, for wrk: a browser's request, and one line of JSON at the end.
--   wrk ... -s load.lua URL -- [BYTES [close]]     BYTES > 0: upload that much with POST; close: a connection for each

function init(args)
  wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
  wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
  wrk.headers["Accept-Language"] = "en-GB,en;q=0.5"
  wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
  wrk.headers["Cookie"] = "session=1f0c7a5e9b2d4c68a3e5f7091b2c3d4e; theme=dark; consent=yes"
  if args[2] == "close" then
    wrk.headers["Connection"] = "close"
  end
  local bytes = tonumber(args[1] or "0")
  if bytes > 0 then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.body = string.rep("x", bytes)
  end
  -- Built once: nothing of this file runs again until the end.
  local request = wrk.format()
  wrk.request = function() return request end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
