-- Requests of wrk about companies that differ in each request, with lawful credit codes (GB 32100-2015).
-- Argument: a file of three lines: before; after; companies a request, the first company's number, and how many
-- companies there are in all (0: never the same twice). Then headers, `Name: value`, one a line.
-- `@@` in `before` becomes the request's number.

local ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
local PREFIX = "91330100XQ"
local STEP, ALL = 387420479, 31 ^ 6
local CODE_WEIGHTS = { 1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28 }
local ORGANISATION_WEIGHTS = { 3, 7, 9, 10, 5, 8, 4, 2 }

local characters, code_values, organisation_values = {}, {}, {}
for index = 1, #ALPHABET do
  local character = ALPHABET:sub(index, index)
  characters[index - 1] = character
  code_values[character] = index - 1
  organisation_values[index - 1] = tonumber(character) or character:byte() - 55
end

local prefix_sum = 0
for index = 1, #PREFIX do
  prefix_sum = prefix_sum + CODE_WEIGHTS[index] * code_values[PREFIX:sub(index, index)]
end
local organisation_sum = 3 * (("X"):byte() - 55) + 7 * (("Q"):byte() - 55)

local function credit_code(number)
  local digits, written = {}, {}
  for index = 6, 1, -1 do
    digits[index] = number % 31
    number = math.floor(number / 31)
  end
  local sum, own = prefix_sum, organisation_sum
  for index = 1, 6 do
    written[index] = characters[digits[index]]
    sum = sum + CODE_WEIGHTS[10 + index] * digits[index]
    own = own + ORGANISATION_WEIGHTS[2 + index] * organisation_values[digits[index]]
  end
  local check = 11 - own % 11
  local organisation_check = check == 10 and "X" or check == 11 and "0" or tostring(check)
  sum = sum + CODE_WEIGHTS[17] * code_values[organisation_check]
  return PREFIX .. table.concat(written) .. organisation_check .. characters[(31 - sum % 31) % 31]
end

local before, after, companies, first, pool
local asked, requests = 0, 0

function init(arguments)
  local file = assert(io.open(arguments[1]))
  before, after = file:read("*l"), file:read("*l")
  companies, first, pool = file:read("*n", "*n", "*n")
  file:read("*l")
  for line in file:lines() do
    local name, value = line:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
  file:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local codes = {}
  for index = 1, companies do
    local turn = pool > 0 and asked % pool or asked
    codes[index] = credit_code((first + turn * STEP) % ALL)
    asked = asked + 1
  end
  requests = requests + 1
  local start = before:gsub("@@", tostring(first + requests))
  return wrk.format(nil, nil, nil, start .. '"' .. table.concat(codes, '","') .. '"' .. after)
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

refused = 0

function response(status, _, body)
  if status ~= 200 or body:find('"errors"', 1, true) then
    refused = refused + 1
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("refused")
  end
  print(string.format("RESULT %d %d %d %d %d %d", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
