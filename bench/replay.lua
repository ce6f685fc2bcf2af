-- wrk replays a file of prepared requests, each one once: 8 digits of length, then the bytes.
-- REPLAY_FILE is that file. When it runs out, REPLAY_REST is sent and the result says so: it is no measurement then.
local worker

function setup(thread)
  worker = thread
end

function init(args)
  file = assert(io.open(os.getenv("REPLAY_FILE"), "rb"))
  file:setvbuf("full", 1048576)
  rest = os.getenv("REPLAY_REST"):gsub("|", "\r\n")
  exhausted = false
end

function request()
  local length = file:read(8)
  if length == nil then
    exhausted = true
    return rest
  end
  return file:read(tonumber(length))
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "broken": %d, "exhausted": %s}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout, tostring(worker:get("exhausted"))))
end
