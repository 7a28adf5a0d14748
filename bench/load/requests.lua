-- wrk's script: requests drawn from templates, which bench/load.py writes, one a file.
--   wrk ... --script requests.lua URL -- SEED FIRST COUNT WEIGHT FILE [WEIGHT FILE]...
-- In a template {PROJECT...} becomes the number of one of COUNT projects from FIRST on, and
-- {SERIAL...} a number of its own, each as wide as it stands there. At the end it prints what wrk
-- counted as one line of JSON; times are in microseconds.

local templates, total, serial = {}, 0, 0
local first, count

local function fill(text)
    return (text:gsub("{(%u+)%.*}", function(name)
        if name == "PROJECT" then
            return ("%012x"):format(first + math.random(0, count - 1))
        end
        serial = serial + 1
        return ("%012d"):format(serial)
    end))
end

function init(args)
    math.randomseed(tonumber(args[1]))
    first, count = tonumber(args[2]), tonumber(args[3])
    for i = 4, #args, 2 do
        local file = assert(io.open(args[i + 1], "rb"))
        total = total + tonumber(args[i])
        templates[#templates + 1] = { up_to = total, text = file:read("*a") }
        file:close()
    end
end

function request()
    local draw, i = math.random() * total, 1
    while templates[i].up_to < draw do
        i = i + 1
    end
    return fill(templates[i].text)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, summary.bytes, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)
    ))
end
